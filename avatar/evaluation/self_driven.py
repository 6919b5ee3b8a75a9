"""Self-driving, as in the paper's quantitative setting: the first picture of a clip plays the clip.

Driven by the clip's tracked key points, which is the best that the picture can do, and by its sound
with its pose and emotion. Likeness to the clip: `avatar/evaluation/likeness.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch

from avatar.evaluation.footage import Footage
from avatar.evaluation.key_points import steadied, worn_points
from avatar.media import ClipWriter, read_pictures
from avatar.portrait import read_portrait
from avatar.pose import BLINK, GAZE_X, GAZE_Y, blink_closure, smooth
from avatar.speech_free import without_speech
from avatar.tracking import FaceTracker
from models.eamm.alignment import similarity
from models.lite.eyes import GAZE_REACH
from models.lite.head import LiteTalkingHead
from models.lite.portrait import LitePortrait
from models.lite.pose import HeadPose, fit_pose, pose_between, unplace
from models.talking_head import POSE_DIMS, FaceImage, Motion
from streaming.features import windows_of

DRIVERS = ("tracked", "sound")
HEAD_SIGMA_FRAMES = 1.0
"""Smoothing of the tracker's own jitter, which would shake the driven head."""
IRISES = ((468, 33, 133), (473, 362, 263))
"""Middle of the iris and corners of the eye, image left and image right."""
BLINK_SCORES = (9, 10)


def render_self(
    clip: Footage, portrait: FaceImage, driver: str, head: LiteTalkingHead, out: Path
) -> None:
    """Write the clip as its own first picture plays it.

    Args:
        clip: what drives.
        portrait: the clip's first picture.
        driver: one of DRIVERS.
        head: the model.
        out: the mp4 to write.
    """
    drive = tracked_motions if driver == "tracked" else spoken_motions
    encoded = head.encode_portrait(portrait)
    with ClipWriter(out, portrait.image.shape[0], clip.stereo) as writer:
        for motion in drive(head, encoded, portrait.landmarks, clip):
            writer.write(head.render(encoded, motion))


def first_picture(path: Path, size: int, tracker: FaceTracker) -> FaceImage:
    """The first picture of a clip as a portrait; raises ValueError as `read_portrait` does."""
    _, encoded = cv2.imencode(".png", next(read_pictures(path))[1][..., ::-1])
    return read_portrait(encoded.tobytes(), size, tracker)[0]


def tracked_motions(
    head: LiteTalkingHead, portrait: LitePortrait, landmarks: np.ndarray, clip: Footage
) -> Iterator[Motion]:
    """Motions of the clip's own key points, pose and gaze, relative to its first picture.

    The key points and jacobians are those that lay the mesh, as it is drawn, on the tracked one.
    """
    mesh = head.rig.mesh.numpy()
    rows = pose_rows(clip.landmarks, [fit_pose(frame, mesh) for frame in clip.landmarks])
    first = similarity(clip.landmarks[0, :468, :2], landmarks[:468, :2])
    laid = clip.landmarks[:, :468, :2] @ first[:, :2].T + first[:, 2]
    pictured = laid + landmarks[:468, :2] - laid[0]
    worn = np.stack(
        [
            unplace(flat, portrait.neutral[:, 2], portrait.own, row) - portrait.neutral[:, :2]
            for flat, row in zip(pictured, rows, strict=True)
        ]
    )
    dx, dj = worn_points(head.rig, portrait.neutral[:, :2], steadied(worn, mesh))
    rows = smooth(rows, HEAD_SIGMA_FRAMES)
    for t in range(len(rows)):
        pose = torch.from_numpy(rows[t])[None]
        yield Motion(portrait.x0 + dx[t], portrait.j0 + dj[t], pose)


def spoken_motions(
    head: LiteTalkingHead, portrait: LitePortrait, landmarks: np.ndarray, clip: Footage
) -> Iterator[Motion]:
    """Motions of the clip's sound, with its pose, blinks, gaze and emotion."""
    mesh = head.rig.mesh.numpy()
    rows = pose_rows(clip.landmarks, [fit_pose(frame, mesh) for frame in clip.landmarks])
    rows = smooth(rows, HEAD_SIGMA_FRAMES)
    rows[:, BLINK] = blink_closure(clip.track.blendshapes[:, BLINK_SCORES].mean(1))
    feelings = head.encode_emotion(without_speech(clip.track))
    lookahead = head.lookahead_ms * head.sample_rate // 1000
    windows = windows_of(clip.sound, lookahead, head.first_coefficient)
    state = head.init_state()
    for window, row, feeling in zip(windows, rows, feelings, strict=True):
        motion, state = head.step(
            torch.from_numpy(window)[None],
            torch.from_numpy(row)[None],
            feeling[None],
            portrait,
            state,
        )
        yield motion


def pose_rows(landmarks: np.ndarray, poses: list[HeadPose]) -> np.ndarray:
    """Head and gaze as tracked, relative to the first picture, [T, POSE_DIMS]; no blinks."""
    rows = np.zeros((len(poses), POSE_DIMS), np.float32)
    rows[:, :6] = [pose_between(poses[0], pose) for pose in poses]
    gaze = np.stack([_gaze(frame, pose) for frame, pose in zip(landmarks, poses, strict=True)])
    rows[:, [GAZE_X, GAZE_Y]] = np.clip((gaze - gaze[0]) / GAZE_REACH, -1, 1)
    return rows


def _gaze(landmarks: np.ndarray, pose: HeadPose) -> np.ndarray:
    """How far the irises are from the middle of their eyes, [2] inter-ocular distances."""
    away = [landmarks[iris] - landmarks[[a, b]].mean(0) for iris, a, b in IRISES]
    return (np.mean(away, axis=0) @ pose.rotation)[:2] / pose.scale
