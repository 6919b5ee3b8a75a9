"""Prepared clips on disk, as EAMM is trained on them, by `eamm_prepare` or `eamm_synthetic`.

    images/<person>/<clip>/00000.png   aligned pictures, 25 a second
    pose/<person>/<clip>.npy           [N, 7] float32, as 3DDFA_V2 gives it; the first six are used
    mfcc/<person>/<clip>.npy           [N, 28, 13] float32; the first coefficient is not used

A clip whose name contains one of EMOTIONS has that emotion.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

EMOTIONS = ("angry", "contempt", "disgusted", "fear", "happy", "neutral", "sad", "surprised")
HELD_OUT_SHARE = 0.2
CACHED_PICTURES = 4096


class Clip(NamedTuple):
    """One prepared clip.

    person, name: as in its path.
    n_pictures: how many pictures have a pose and a window of sound.
    """

    root: Path
    person: str
    name: str
    n_pictures: int

    @property
    def emotion(self) -> int:
        """Index in EMOTIONS; neutral when the name has none."""
        found = [i for i, emotion in enumerate(EMOTIONS) if emotion in self.name.lower()]
        return found[0] if found else EMOTIONS.index("neutral")

    def pictures(self, numbers: np.ndarray | list[int]) -> np.ndarray:
        """Some of its pictures, [n, S, S, 3] uint8 RGB."""
        folder = self.root / "images" / self.person / self.name
        return np.stack([_read_picture(folder / f"{int(n):05d}.png") for n in numbers])

    def pose(self) -> np.ndarray:
        """The six numbers that E_p reads, [n_pictures, 6] float32."""
        return np.load(self.root / "pose" / self.person / f"{self.name}.npy")[:, :6]

    def windows(self) -> np.ndarray:
        """MFCC windows, [n_pictures, 28, 12] float32."""
        return np.load(self.root / "mfcc" / self.person / f"{self.name}.npy")[:, :, 1:]


def is_written(root: Path, person: str, name: str) -> bool:
    """Whether `write_clip` has finished this clip."""
    return (root / "mfcc" / person / f"{name}.npy").exists()


def write_clip(
    root: Path, person: str, name: str, pictures: np.ndarray, pose: np.ndarray, mfcc: np.ndarray
) -> int:
    """Write a clip, its sound last: one whose sound is there is complete.

    Args:
        root: of all clips.
        person: folder of the clip.
        name: of the clip.
        pictures: [T, S, S, 3] uint8 RGB, aligned.
        pose: [T, 7] float32.
        mfcc: [N, 28, 13] float32.

    Returns:
        How many pictures it has, the smaller of T and N.
    """
    n = min(len(pictures), len(mfcc))
    folders = [root / "images" / person / name, root / "pose" / person, root / "mfcc" / person]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    for k in range(n):
        Image.fromarray(pictures[k]).save(folders[0] / f"{k:05d}.png")
    np.save(folders[1] / f"{name}.npy", pose[:n].astype(np.float32))
    part = folders[2] / f"{name}.part"
    with part.open("wb") as file:
        np.save(file, mfcc[:n].astype(np.float32))
    part.replace(folders[2] / f"{name}.npy")
    return n


def find_clips(root: Path, held_out: bool) -> list[Clip]:
    """The training clips or the held-out ones; a clip's name decides which it is.

    Raises:
        ValueError: there are none.
    """
    clips = []
    for path in sorted((root / "mfcc").glob("*/*.npy")):
        person, name = path.parent.name, path.stem
        if _is_held_out(f"{person}/{name}") is held_out:
            n = len(np.load(path, mmap_mode="r"))
            clips.append(Clip(root, person, name, n))
    if not clips:
        raise ValueError(f"{root} has no {'held-out' if held_out else 'training'} clips")
    return clips


def _is_held_out(name: str) -> bool:
    return hashlib.sha256(name.encode()).digest()[0] < 256 * HELD_OUT_SHARE


@lru_cache(maxsize=CACHED_PICTURES)
def _read_picture(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error}") from None
