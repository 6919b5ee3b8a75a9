"""Prepares the videos of a data set for EAMM's training: aligned pictures, pose and MFCC windows.

    python -m avatar.train eamm-prepare --videos MEAD_DIR --layout mead --out DIR

    voxceleb   <person>/<video>/<n>.mp4
    lrw        <word>/<split>/<clip>.mp4
    mead       <person>/video/front/<emotion>/<level>/<n>.mp4, sound in <person>/audio/... as .m4a

Clips that are there already are left out, so a run that was stopped goes on where it was; those
that cannot be used are listed in `skipped.csv` and not tried again.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from avatar.training.eamm_clips import is_written, write_clip
from avatar.training.eamm_features import SAMPLE_RATE, mfcc_windows, pose_rows

if TYPE_CHECKING:
    from avatar.tracking import FaceTracker

MIN_SHARE_WITH_FACE = 0.9
MAX_SECONDS = 60.0
SKIPPED_FILE = "skipped.csv"


class Take(NamedTuple):
    """A video of a data set: its files, and the person and name of the clip to be."""

    video: Path
    sound: Path
    person: str
    name: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m avatar.train eamm-prepare`."""
    parser.add_argument("--videos", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--layout", choices=sorted(LAYOUTS), required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of prepared clips")
    parser.add_argument("--image-size", type=int, default=256, help="side of the pictures, px")


def run(args: argparse.Namespace) -> None:
    """Prepare all clips that are not there yet.

    Raises:
        ValueError: the folder holds no video of that layout.
    """
    from tqdm import tqdm

    from avatar.tracking import open_tracker

    takes = list(LAYOUTS[args.layout](args.videos))
    if not takes:
        raise ValueError(f"{args.videos} holds no video of layout {args.layout}")
    skipped = read_skipped(args.out)
    todo = [
        take
        for take in takes
        if not is_written(args.out, take.person, take.name)
        and (take.person, take.name) not in skipped
    ]
    tracker = open_tracker()
    for take in tqdm(todo, desc=f"{len(takes) - len(todo)} of {len(takes)} there", unit=" clips"):
        try:
            prepare(take, args.out, args.image_size, tracker)
        except ValueError as error:
            note_skipped(args.out, take, str(error))


def prepare(take: Take, out: Path, size: int, tracker: FaceTracker) -> int:
    """Prepare one clip; how many pictures it has.

    Raises:
        ValueError: a file cannot be read, or the face is lost too often.
    """
    from avatar.emotion_pixels import follow, on_grid
    from avatar.media import read_pictures, read_sound

    pictures = list(on_grid(read_pictures(take.video, max_seconds=MAX_SECONDS)))
    track = follow(take.video, pictures, tracker, MIN_SHARE_WITH_FACE)
    assert track.landmarks is not None, "a followed face has landmarks"
    aligned, placed = align_clip(pictures, track.landmarks, size)
    windows = mfcc_windows(read_sound(take.sound, SAMPLE_RATE)[0])
    return write_clip(out, take.person, take.name, aligned, pose_rows(placed), windows)


def align_clip(
    pictures: list[np.ndarray], meshes: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Lay a clip on the template by its mean face, so that the head's own motion stays.

    Args:
        pictures: T of [H, W, 3] uint8 RGB.
        meshes: [T, 478, 3] float32 px.
        size: side of the result, px.

    Returns:
        [T, size, size, 3] uint8 RGB, and the meshes in px of them.
    """
    from models.eamm.alignment import to_68, to_template, transform, warp_image

    matrix = to_template(to_68(meshes.mean(0)), size)
    placed = meshes.copy()
    placed[..., :2] = transform(matrix, meshes[..., :2])
    placed[..., 2] *= np.sqrt(np.linalg.det(matrix[:, :2]))
    aligned = [warp_image(picture, matrix, size)[0].permute(1, 2, 0) for picture in pictures]
    return np.stack([(image * 255).round().byte().numpy() for image in aligned]), placed


def read_skipped(root: Path) -> set[tuple[str, str]]:
    """Person and name of the clips that an earlier run could not use."""
    path = root / SKIPPED_FILE
    if not path.exists():
        return set()
    with path.open(newline="") as file:
        return {(row[0], row[1]) for row in csv.reader(file)}


def note_skipped(root: Path, take: Take, reason: str) -> None:
    """Record a clip that cannot be used, and why."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / SKIPPED_FILE).open("a", newline="") as file:
        csv.writer(file).writerow([take.person, take.name, reason])


def _voxceleb(root: Path) -> Iterator[Take]:
    for path in sorted(root.glob("*/*/*.mp4")):
        person, video = path.parts[-3:-1]
        yield Take(path, path, person, f"{video}_{path.stem}")


def _lrw(root: Path) -> Iterator[Take]:
    for path in sorted(root.glob("*/*/*.mp4")):
        yield Take(path, path, path.parts[-3], path.stem)


def _mead(root: Path) -> Iterator[Take]:
    for path in sorted(root.glob("*/video/front/*/*/*.mp4")):
        person, _, _, emotion, level, _ = path.parts[-6:]
        sound = root / person / "audio" / emotion / level / f"{path.stem}.m4a"
        yield Take(path, sound, person, f"{emotion}_{level}_{path.stem}")


LAYOUTS: dict[str, Callable[[Path], Iterator[Take]]] = {
    "voxceleb": _voxceleb,
    "lrw": _lrw,
    "mead": _mead,
}
