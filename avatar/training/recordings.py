"""Real speech for training: recordings labelled by the recogniser, and clips with a tracked face.

Only files that a manifest (CSV with `path` and `permitted_use`) marks `train+ship` are ever read.
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


def recorded_speakers(data: Path) -> dict[str, list[Utterance]]:
    """Utterances of every real speaker, by a name for the speaker."""
    speakers: dict[str, list[Utterance]] = {}
    for name in allowed(data, "speech"):
        if name.startswith(UNKNOWN_LANGUAGES):
            continue
        samples, rate = read_wave(data / "speech" / name)
        samples = resample(samples, rate, RATE)
        speaker = "real-" + "_".join(name.split("_")[:2])
        speakers.setdefault(speaker, []).append(Utterance(samples, recognised_phones(samples)))
    return speakers


def tracked_clips(data: Path) -> dict[str, TrackedClip]:
    """The clips whose tracks may be learnt from, by name."""
    clips = {}
    for name in allowed(data, "talking"):
        with np.load(data / "tracks" / f"{Path(name).stem}.npz") as track:
            clips[Path(name).stem] = TrackedClip(
                track["audio"].astype(np.float32), track["landmarks"].astype(np.float32)
            )
    return clips
