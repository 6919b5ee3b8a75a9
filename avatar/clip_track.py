"""The face of a clip over time: tracked picture by picture, put on a 25 Hz grid, kept on disk."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from avatar.media import read_pictures
from avatar.mediapipe_models import cache_folder
from avatar.tracking import FaceTracker, TrackedFace
from models.talking_head import FaceTrack

FRAME_RATE = 25
MAX_SECONDS = 60.0
MIN_SHARE_WITH_FACE = 0.25
CACHE_VERSION = 2
MESH_POINTS = 478


def track_clip(path: Path, tracker: FaceTracker, progress: bool = True) -> FaceTrack:
    """The face track of the first minute of a clip.

    Pictures in which the face is lost are bridged by interpolation. Tracks are kept by the content
    of the clip, so the second call with the same bytes reads a small file instead of tracking.

    Args:
        path: a video of one person.
        tracker: who finds the face.
        progress: show a bar on a terminal.

    Raises:
        ValueError: the clip cannot be read, or the face is seen in too few of its pictures.
    """
    kept = cache_folder() / "tracks" / f"{_content_key(path, tracker.name)}.npz"
    track = _load_track(kept)
    if track is None:
        track = _track(path, tracker, progress)
        _save_track(kept, track)
    return track


def _track(path: Path, tracker: FaceTracker, progress: bool) -> FaceTrack:
    from tqdm import tqdm

    times: list[float] = []

    def pictures() -> Iterator[np.ndarray]:
        shown = progress and sys.stderr.isatty()
        clip = tqdm(
            read_pictures(path, max_seconds=MAX_SECONDS),
            desc=f"tracking {path.name}",
            unit=" frames",
            delay=1.0,
            leave=False,
            disable=not shown,
        )
        for time, rgb in clip:
            times.append(time)
            yield rgb

    faces = list(tracker.follow_face(pictures()))
    if not faces:
        raise ValueError(f"{path} has no pictures")
    share = sum(face is not None for face in faces) / len(faces)
    if share < MIN_SHARE_WITH_FACE:
        seen = f"in {share:.0%} of its pictures only" if share else "in none of its pictures"
        raise ValueError(f"{path}: a face was found {seen}")
    return _on_grid(np.array(times), faces)


def _on_grid(times: np.ndarray, faces: list[TrackedFace | None]) -> FaceTrack:
    """Interpolate the found faces at the multiples of 40 ms up to the last picture."""
    seen = [i for i, face in enumerate(faces) if face is not None]
    found = [face for face in faces if face is not None]
    grid = np.arange(int(times[-1] * FRAME_RATE + 1e-6) + 1) / FRAME_RATE
    rows = np.array(
        [np.concatenate([face.blendshapes, face.pose, face.landmarks.ravel()]) for face in found]
    )
    values = np.stack([np.interp(grid, times[seen], column) for column in rows.T], axis=1)
    values = values.astype(np.float32)
    mesh = values[:, 58:].reshape(len(grid), -1, 3)
    return FaceTrack(blendshapes=values[:, :52], pose=values[:, 52:58], landmarks=mesh)


def _content_key(path: Path, tracker_name: str) -> str:
    if not path.is_file():
        raise ValueError(f"no such file: {path}")
    try:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
    return f"{content}-{tracker_name}-{CACHE_VERSION}"


def _load_track(kept: Path) -> FaceTrack | None:
    """A kept track, or None when there is none or the file is damaged."""
    try:
        with np.load(kept, allow_pickle=False) as arrays:
            scores, pose, mesh = (arrays[name] for name in ("blendshapes", "pose", "landmarks"))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    T = len(scores)
    shapes = [(T, 52), (T, 6), (T, MESH_POINTS, 3)]
    whole = T > 0 and [x.shape for x in (scores, pose, mesh)] == shapes
    return FaceTrack(scores, pose, landmarks=mesh) if whole and np.isfinite(scores).all() else None


def _save_track(kept: Path, track: FaceTrack) -> None:
    """Keep a track; a disk that is full or read-only costs speed only."""
    kept_arrays = {name: getattr(track, name) for name in ("blendshapes", "pose", "landmarks")}
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=kept.parent, suffix=".part", delete=False) as part:
            np.savez(part, **kept_arrays)
        os.replace(part.name, kept)
    except OSError as error:
        print(f"cannot keep the face track in {kept.parent}: {error.strerror}", file=sys.stderr)
