"""Finding faces: mesh, expression scores and head pose of every face in a picture, by MediaPipe.

Pictures are looked at one by one and without smoothing, since smoothing shrinks and delays lips and
lids. Clips: `avatar/clip_track.py`. The second tracker: `avatar/tracking_68.py`.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from avatar.mediapipe_models import FACE_LANDMARKER, open_quietly, to_mediapipe

INTER_OCULAR_CM = 8.892
"""Distance of the outer eye corners (mesh points 33 and 263) of MediaPipe's canonical face."""

STEP_MS = 10_000
"""Time stamps this far apart switch the tracker's smoothing off while it still follows the face."""

SETTLE_LOOKS = 5
"""Looks at a first picture. The first one crops the face as the detector sees it, the next ones as
the mesh lies: measured on portraits, four more move the mesh by 0.4 % of the face and then rest."""


class TrackedFace(NamedTuple):
    """One face in one picture.

    landmarks: [478, 3] float32, MediaPipe face mesh in px (z in the scale of x, smaller = nearer).
    blendshapes: [52] float32 0..1, ARKit-style scores (index 0 is `_neutral`).
    pose: [6] float32, yaw, pitch, roll (degrees), tx, ty, tz (inter-ocular distances) relative to
        the camera; signs as in `models.talking_head.POSE_DIMS`.
    """

    landmarks: np.ndarray
    blendshapes: np.ndarray
    pose: np.ndarray

    @property
    def width(self) -> float:
        """Width of the mesh in px."""
        return float(np.ptp(self.landmarks[:, 0]))


class FaceTracker(Protocol):
    """What portraits and clips need of a tracker."""

    name: str

    def find_faces(self, rgb: np.ndarray) -> list[TrackedFace]:
        """All faces in a picture [H, W, 3] uint8 RGB, the largest first."""
        ...

    def settle_face(self, rgb: np.ndarray) -> TrackedFace | None:
        """The main face of a picture [H, W, 3] uint8 RGB as exactly as the tracker can place it."""
        ...

    def follow_face(
        self, pictures: Iterator[np.ndarray]
    ) -> Generator[TrackedFace | None, None, None]:
        """The main face in each of a clip's pictures [H, W, 3] uint8 RGB, None where it is lost."""
        ...


class MediaPipeTracker:
    """MediaPipe's FaceLandmarker; safe to call from several threads, one picture at a time."""

    name = "mediapipe"

    def __init__(self, model: Path | None = None) -> None:
        """Look for the model file; raises TrackerUnavailable when the tracker cannot run here."""
        self._model = model or FACE_LANDMARKER.find()
        self._lock = threading.Lock()
        _close_left_open()
        self._stills = _open_landmarker(self._model, video=False)
        # A landmarker that the garbage collector finds in a cycle waits for ever for its own worker
        # thread, which the collector has already sent home; this reference keeps it out of cycles.
        close = OnceClosed(self._stills)
        weakref.finalize(self, _left_open.append, close).atexit = False
        _close_before_exit(close)

    def find_faces(self, rgb: np.ndarray) -> list[TrackedFace]:
        """See `FaceTracker.find_faces`."""
        with self._lock:
            result = self._stills.detect(to_mediapipe(rgb))
        return sorted(_to_faces(result, rgb), key=lambda face: -face.width)

    def settle_face(self, rgb: np.ndarray) -> TrackedFace | None:
        """See `FaceTracker.settle_face`."""
        with closing(self.follow_face(iter([rgb]))) as faces:
            return next(faces)

    def follow_face(
        self, pictures: Iterator[np.ndarray]
    ) -> Generator[TrackedFace | None, None, None]:
        """See `FaceTracker.follow_face`."""
        landmarker = _open_landmarker(self._model, video=True)
        try:
            time = 0
            for n, rgb in enumerate(pictures):
                for _ in range(1 if n else SETTLE_LOOKS):
                    time += STEP_MS
                    result = landmarker.detect_for_video(to_mediapipe(rgb), time)
                yield next(iter(_to_faces(result, rgb)), None)
        finally:
            landmarker.close()


def open_tracker(name: str = "mediapipe") -> FaceTracker:
    """A tracker by name.

    Raises:
        ValueError: the name is unknown, or (TrackerUnavailable) the tracker cannot run here.
    """
    if name == "mediapipe":
        return MediaPipeTracker()
    if name == "face-alignment":
        from avatar.tracking_68 import FaceAlignmentTracker

        return FaceAlignmentTracker()
    raise ValueError(f"unknown tracker {name!r}: choose mediapipe or face-alignment")


def pose_of(transform: np.ndarray) -> np.ndarray:
    """Head pose of a facial transformation matrix.

    Args:
        transform: [4, 4], canonical face (cm, y up) to camera (cm, camera looks along -z).

    Returns:
        [6] float32: yaw, pitch, roll in degrees with R = Ry(yaw) Rx(pitch) Rz(roll), and tx, ty, tz
        in inter-ocular distances (image right, image down, towards the camera).
    """
    rotation = transform[:3, :3] / np.linalg.norm(transform[:3, :3], axis=0)
    yaw = np.arctan2(rotation[0, 2], rotation[2, 2])
    pitch = np.arcsin(np.clip(-rotation[1, 2], -1, 1))
    roll = np.arctan2(rotation[1, 0], rotation[1, 1])
    shift = transform[:3, 3] * (1, -1, 1) / INTER_OCULAR_CM
    return np.concatenate([np.degrees([yaw, pitch, roll]), shift]).astype(np.float32)


def _open_landmarker(model: Path, video: bool) -> Any:
    return open_quietly(model, lambda: _create_landmarker(model, video))


def _create_landmarker(model: Path, video: bool) -> Any:
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision

    mode = vision.RunningMode.VIDEO if video else vision.RunningMode.IMAGE
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(model)),
        running_mode=mode,
        num_faces=1 if video else 5,
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    landmarker = vision.FaceLandmarker.create_from_options(options)
    blank = mp.Image(image_format=mp.ImageFormat.SRGB, data=np.zeros((64, 64, 3), np.uint8))
    if video:
        landmarker.detect_for_video(blank, 0)
    else:
        landmarker.detect(blank)
    return landmarker


class OnceClosed:
    """Closes a landmarker when first called; whoever calls meanwhile waits until that is done.

    The last user's thread and the end of the process may both ask, at the same time, and a
    landmarker whose own `close` runs twice at once crashes.
    """

    def __init__(self, landmarker: Any) -> None:
        """Keep the landmarker until it is closed."""
        self._landmarker, self._lock = landmarker, threading.RLock()

    def __call__(self) -> None:
        """Close it, if that has not happened."""
        with self._lock:
            landmarker, self._landmarker = self._landmarker, None
            if landmarker is not None:
                landmarker.close()


_left_open: deque[OnceClosed] = deque()
"""Landmarkers of trackers that are gone, until the next tracker is opened or the process ends. The
garbage collector may find a tracker in the middle of another's call, where a close waits for ever:
MediaPipe sends both through one executor, whose lock that call holds."""


def _close_left_open() -> None:
    with suppress(IndexError):  # another thread may have taken the last one
        while True:
            _left_open.popleft()()


def _close_before_exit(close: OnceClosed) -> None:
    """Close the tracker's graph while MediaPipe's worker thread still runs.

    A process that ends with an open graph can hang. `atexit` comes too late: executors are shut
    down before it, and MediaPipe makes every call through one.
    """
    threading._register_atexit(close)  # type: ignore[attr-defined]


def _to_faces(result: Any, rgb: np.ndarray) -> Iterator[TrackedFace]:
    height, width = rgb.shape[:2]
    for mesh, scores, transform in zip(
        result.face_landmarks,
        result.face_blendshapes,
        result.facial_transformation_matrixes,
        strict=True,
    ):
        points = [(p.x * width, p.y * height, p.z * width) for p in mesh]
        yield TrackedFace(
            np.array(points, np.float32),
            np.array([s.score for s in scores], np.float32),
            pose_of(np.asarray(transform)),
        )
