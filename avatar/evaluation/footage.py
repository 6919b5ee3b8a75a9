"""A clip of real footage as evaluation needs it: the face picture by picture, and the sound."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from avatar.media import SOUND_RATE, read_pictures, read_sound
from avatar.tracking import FaceTracker
from models.talking_head import FaceTrack

FRAME_RATE, SAMPLE_RATE = 25, 16000


class Footage(NamedTuple):
    """A clip on a 25 Hz grid of T pictures.

    landmarks: [T, 478, 3] float32 px.
    track: scores and pose of the same pictures.
    sound: [640 T] float32, 16 kHz.
    stereo: [2, 1920 T] float32, 48 kHz.
    """

    landmarks: np.ndarray
    track: FaceTrack
    sound: np.ndarray
    stereo: np.ndarray


def read_footage(
    path: Path, tracker: FaceTracker, max_seconds: float = 60.0, follow: bool = False
) -> Footage:
    """Track a clip as `track_face` does and read its sound; pictures without a face are bridged.

    Raises:
        ValueError: the clip cannot be read, has no sound, or shows no face.
    """
    landmarks, track = track_face(path, tracker, max_seconds, follow)
    T = len(landmarks)
    return Footage(
        landmarks,
        track,
        fit_length(read_sound(path, SAMPLE_RATE), T * SAMPLE_RATE // FRAME_RATE)[0],
        fit_length(read_sound(path, SOUND_RATE, "stereo"), T * SOUND_RATE // FRAME_RATE),
    )


def track_face(
    path: Path, tracker: FaceTracker, max_seconds: float = 60.0, follow: bool = False
) -> tuple[np.ndarray, FaceTrack]:
    """Landmarks [T, 478, 3] float32 px and track of the largest face of a clip, 25 a second.

    Every picture is looked at by itself, since following a face flattens its lips; with `follow` it
    is looked for where it was, which shakes less.

    Raises:
        ValueError: the clip cannot be read or shows no face.
    """
    seen: list[float] = []

    def pictures() -> Iterator[np.ndarray]:
        for time, picture in read_pictures(path, max_seconds=max_seconds):
            seen.append(time)
            yield picture

    stills = (next(iter(tracker.find_faces(picture)), None) for picture in pictures())
    found = list(tracker.follow_face(pictures()) if follow else stills)
    times = [time for time, face in zip(seen, found, strict=True) if face is not None]
    faces = [face for face in found if face is not None]
    if not faces:
        raise ValueError(f"{path}: no face in any picture")
    grid = np.arange(int(times[-1] * FRAME_RATE + 1e-6) + 1) / FRAME_RATE
    rows = np.stack([np.concatenate([f.landmarks.ravel(), f.blendshapes, f.pose]) for f in faces])
    values = np.stack([np.interp(grid, times, column) for column in rows.T], 1).astype(np.float32)
    landmarks, scores, pose = np.split(values, [478 * 3, 478 * 3 + 52], axis=1)
    return landmarks.reshape(len(grid), 478, 3), FaceTrack(scores, pose, literal=True)


def fit_length(sound: np.ndarray, samples: int) -> np.ndarray:
    """Sound [C, S] cut or padded with silence to a length."""
    return np.pad(sound[:, :samples], ((0, 0), (0, max(0, samples - sound.shape[1]))))
