"""Real speech for training: recordings labelled by the recogniser, and clips with a tracked face.

Of a data folder, only files that its manifest (CSV with `path` and `permitted_use`) marks
`train+ship` are ever read.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

from avatar.training.recogniser import recognised_phones
from avatar.training.sound import read_wave, resample
from avatar.training.voices import Utterance

RATE = 16000
UNKNOWN_LANGUAGES = ("asterisk_ru",)
"""Recordings in languages of which the recogniser makes no sense."""
PROMPTS = Path("/usr/share/asterisk/sounds/it_IT_m_Carlo")
"""Debian's `asterisk-core-sounds-it-g722`: a man's telephone prompts (CC-BY 3.0, Carlo Flora)."""


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


def prompt_speaker(folder: Path = PROMPTS, seconds: float = 300.0) -> list[Utterance]:
    """Telephone prompts that last 2.5 to 12 s, none where they are not installed.

    Args:
        folder: of G.722 files.
        seconds: how long all of them last together, about.
    """
    from avatar.media import read_sound

    said: list[Utterance] = []
    for path in sorted(folder.glob("*.g722")):
        samples = read_sound(path, RATE)[0]
        if 2.5 * RATE <= len(samples) <= 12 * RATE and seconds > 0:
            said.append(Utterance(samples, recognised_phones(samples)))
            seconds -= len(samples) / RATE
    return said


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
