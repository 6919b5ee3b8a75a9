"""Emotions for models that look at pixels: the pictures of a clip with the face mesh in each.

`avatar/emotion.py` reads the same files for models that need expression scores only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from avatar.emotion import split_spec
from avatar.images import is_still, read_image
from avatar.media import read_pictures
from avatar.portrait import find_faces
from avatar.tracking import FaceTracker, TrackedFace
from models.talking_head import FaceTrack

MAX_SECONDS = 20.0
MAX_SIDE = 512
"""Larger pictures are scaled down; the face is 256 px at most in the end."""
MIN_SHARE_WITH_FACE = 0.25
FRAME_RATE = 25


def read_emotion_pixels(spec: str, tracker: FaceTracker) -> tuple[str, FaceTrack]:
    """The emotion that an `--emotion` value describes, with its pictures.

    Args:
        spec: a still image, a video, or `name=` before either.
        tracker: who finds the face.

    Returns:
        Its name, and its track with name, `pictures` and `landmarks`; one row for a still.

    Raises:
        ValueError: it names a preset, or the file cannot be read or shows no face; one line.
    """
    name, source = split_spec(spec)
    path = Path(source)
    if not path.is_file():
        raise ValueError(
            f"emotion {source!r} has no pictures: this model needs a video or an image"
        )
    if is_still(path):
        picture = read_image(path)
        faces = find_faces(picture, tracker)
        if not faces:
            raise ValueError(f"{path}: no face was found")
        return name, to_track([picture], faces[:1])._replace(name=name)
    pictures = list(on_grid(read_pictures(path, MAX_SIDE, MAX_SECONDS)))
    return name, follow(path, pictures, tracker, MIN_SHARE_WITH_FACE)._replace(name=name)


def follow(
    path: Path, pictures: list[np.ndarray], tracker: FaceTracker, min_share: float
) -> FaceTrack:
    """The track of a clip's pictures, [H, W, 3] uint8 RGB each; lost faces are interpolated.

    Raises:
        ValueError: the face is seen in less than `min_share` of them.
    """
    faces = list(tracker.follow_face(iter(pictures)))
    n_found = sum(face is not None for face in faces)
    if not n_found or n_found < min_share * len(pictures):
        raise ValueError(f"{path}: a face in {n_found} of {len(pictures)} pictures only")
    return to_track(pictures, faces)


def to_track(pictures: Sequence[np.ndarray], faces: Sequence[TrackedFace | None]) -> FaceTrack:
    """Pictures and the faces found in them as one track."""
    found = [i for i, face in enumerate(faces) if face is not None]
    rows = np.stack(
        [
            np.concatenate([face.blendshapes, face.pose, face.landmarks.ravel()])
            for face in faces
            if face is not None
        ]
    )
    numbers = np.arange(len(faces))
    filled = np.stack([np.interp(numbers, found, column) for column in rows.T], axis=1)
    filled = filled.astype(np.float32)
    return FaceTrack(
        blendshapes=filled[:, :52],
        pose=filled[:, 52:58],
        pictures=np.stack(pictures),
        landmarks=filled[:, 58:].reshape(len(faces), -1, 3),
    )


def on_grid(pictures: Iterator[tuple[float, np.ndarray]]) -> Iterator[np.ndarray]:
    """Timed pictures at 25 a second: for every multiple of 40 ms the last one shown by then."""
    k, last = 0, None
    for time, picture in pictures:
        while last is not None and k / FRAME_RATE < time - 1e-3:
            yield last
            k += 1
        last = picture
    if last is not None:
        yield last
