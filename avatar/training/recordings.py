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
PROMPTS = {
    "asterisk-core-sounds-it-g722": "it_IT_m_Carlo",
    "asterisk-core-sounds-ru-g722": "ru_RU_f_IvrvoiceRU",
    "asterisk-prompt-fr-armelle": "fr",
}
"""Debian's packages of telephone prompts that may be learnt from, and the folder of each: Carlo
Flora (CC-BY 3.0), Maxim Topal (CC-BY 3.0), Armelle Desjardins (BSD-style). Other packages are
share-alike."""
SYSTEM = Path("/usr/share")


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


def prompts(paths: list[Path], seconds: float = 300.0) -> list[Utterance]:
    """Prompts that last 2.5 to 12 s, as the recogniser hears them.

    Args:
        paths: of G.722 or GSM files; those without sound are left out.
        seconds: how long all of them last together, about.
    """
    from avatar.media import read_sound

    said: list[Utterance] = []
    for path in paths:
        try:
            samples = read_sound(path, RATE)[0]
        except ValueError:
            continue
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
