"""Where the head and the eyes of the avatar come from, step by step, apart from the speech.

Every source is seeded and counts steps, so the same seed gives the same motion on any machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from avatar.eyes import Blinks, Gaze
from avatar.ping_pong import PingPong
from avatar.spring import STEP_S, Spring
from models.talking_head import POSE_DIMS, FaceTrack

YAW, PITCH, ROLL, TX, TY, TZ, BLINK, GAZE_X, GAZE_Y = range(POSE_DIMS)

IDLE_RANGE = np.array([5.5, 3.2, 2.5, 0.03, 0.015, 0.02])
"""Largest excursion of the idle head: yaw, pitch, roll (degrees), tx, ty, tz (inter-ocular)."""
IDLE_STIFFNESS = 6.5
"""Natural frequency of the critically damped neck, rad/s: a turn takes half a second."""
BREATHS_HZ = 0.24
DEGREES_PER_GAZE = 40.0
"""Turn of the eye at gaze 1."""
MAX_CLIP_TURN = 30.0

SCORE_INDEX = {
    "blink": (9, 10),
    "right": (15, 14),  # eyeLookOutLeft, eyeLookInRight: both eyes to image right
    "left": (13, 16),
    "down": (11, 12),
    "up": (17, 18),
}
"""Places of eye scores among MediaPipe's 52."""


class PoseSource(Protocol):
    """Head and eyes, one row per step."""

    def step(self, energy: float = 0.0) -> np.ndarray:
        """The pose of the next step.

        Args:
            energy: loudness of this step's speech, 0 silence .. 1 loud; a lively source may use it.

        Returns:
            [POSE_DIMS] float32, see `models.talking_head.POSE_DIMS`.
        """
        ...


class NoPose:
    """A still head whose eyes blink."""

    def __init__(self, seed: int | None = None) -> None:
        """A still head; `seed` decides when it blinks."""
        self._blinks = Blinks(np.random.default_rng(seed))

    def step(self, energy: float = 0.0) -> np.ndarray:
        """See `PoseSource.step`."""
        pose = np.zeros(POSE_DIMS, np.float32)
        pose[BLINK] = self._blinks.step()
        return pose


class IdlePose:
    """A head that is held like a living one: it settles, shifts, breathes, blinks and looks around.

    The neck follows goals that change every 0.3 to 1 s through a critically damped spring; goals
    are wider and nods deeper while there is speech.
    """

    def __init__(self, seed: int | None = None) -> None:
        """A head at rest."""
        self._rng = np.random.default_rng(seed)
        self._blinks, self._gaze = Blinks(self._rng), Gaze(self._rng)
        self._neck, self._goal = Spring(IDLE_STIFFNESS, 6), np.zeros(6)
        self._steps_left = np.zeros(6, int)
        self._breath = float(self._rng.uniform(0, 2 * np.pi))
        self._loudness, self._emphasis = 0.0, 0.0

    def step(self, energy: float = 0.0) -> np.ndarray:
        """See `PoseSource.step`."""
        self._hear(energy)
        self._choose_goals()
        self._breath += 2 * np.pi * BREATHS_HZ * STEP_S
        pose = np.zeros(POSE_DIMS, np.float32)
        pose[:6] = self._neck.step(self._goal)
        pose[PITCH] += 0.25 * np.sin(self._breath) + 1.2 * self._emphasis
        pose[TY] += 0.006 * np.sin(self._breath)
        pose[BLINK] = self._blinks.step()
        on_camera = -0.6 * pose[[YAW, PITCH]] / DEGREES_PER_GAZE
        pose[[GAZE_X, GAZE_Y]] = self._gaze.step() + on_camera
        return pose

    def _hear(self, energy: float) -> None:
        """Loudness over a second, and how much this moment stands out of it."""
        energy = min(max(energy, 0.0), 1.0)
        self._loudness += 0.04 * (energy - self._loudness)
        emphasis = max(0.0, energy - self._loudness)
        self._emphasis += 0.12 * (emphasis - self._emphasis)

    def _choose_goals(self) -> None:
        self._steps_left -= 1
        due = self._steps_left <= 0
        liveliness = 0.8 + 0.4 * self._loudness
        goals = self._rng.normal(0, 0.75 * liveliness, 6)
        pauses = self._rng.integers(8, 26, 6)
        self._goal = np.where(due, np.clip(goals, -1, 1) * IDLE_RANGE, self._goal)
        self._steps_left = np.where(due, pauses, self._steps_left)


class ClipPose:
    """Head and eyes of a clip, relative to how they are held on average, forwards and backwards."""

    def __init__(self, track: FaceTrack) -> None:
        """Prepare a clip's track of T >= 1 rows."""
        self._rows = clip_rows(track)
        self._place = PingPong(len(self._rows))

    def step(self, energy: float = 0.0) -> np.ndarray:
        """See `PoseSource.step`."""
        return self._rows[self._place.step()].copy()


class EasedPose:
    """A pose source that can be replaced while live without a jump."""

    def __init__(self, source: PoseSource) -> None:
        """Start with `source`."""
        self._source = source
        self._steps, self._left = 1, 0
        self._shown = self._from = np.zeros(POSE_DIMS, np.float32)

    def switch(self, source: PoseSource, steps: int = 15) -> None:
        """Move over to another source within `steps` >= 1 steps."""
        self._source, self._from = source, self._shown
        self._steps = self._left = steps

    def step(self, energy: float = 0.0) -> np.ndarray:
        """See `PoseSource.step`."""
        self._left = max(0, self._left - 1)
        rest = self._left / self._steps
        rest = rest * rest * (3 - 2 * rest)
        pose = self._source.step(energy)
        self._shown = (pose + rest * (self._from - pose)).astype(np.float32)
        return self._shown.copy()


def open_pose(name: str, seed: int | None = None, clip: FaceTrack | None = None) -> PoseSource:
    """A pose source by name.

    Args:
        name: `idle`, `none`, or `clip` for the given clip.
        seed: of the chance in it.
        clip: the track that `clip` plays.

    Raises:
        ValueError: there is no such source; one line for the user.
    """
    sources: dict[str, Callable[[], PoseSource]] = {
        "idle": lambda: IdlePose(seed),
        "none": lambda: NoPose(seed),
    }
    if clip is not None:
        sources["clip"] = lambda: ClipPose(clip)
    if name not in sources:
        raise ValueError(f"unknown pose {name!r}: choose {', '.join(sources)}")
    return sources[name]()


def is_pose_name(spec: str) -> bool:
    """Whether a `--pose` value is a built-in source rather than a file."""
    return spec in ("idle", "none")


def clip_rows(track: FaceTrack) -> np.ndarray:
    """Pose rows of a tracked clip, [T, POSE_DIMS] float32, relative to its median pose."""
    rows = np.zeros((len(track.pose), POSE_DIMS), np.float32)
    head = smooth(track.pose - np.median(track.pose, axis=0), sigma_frames=1.2)
    rows[:, :3] = np.clip(head[:, :3], -MAX_CLIP_TURN, MAX_CLIP_TURN)
    rows[:, 3:6] = np.clip(head[:, 3:], -0.5, 0.5)
    rows[:, BLINK] = blink_closure(_eye_score(track, "blink"))
    across = _eye_score(track, "right") - _eye_score(track, "left")
    down = _eye_score(track, "down") - _eye_score(track, "up")
    gaze = np.stack([across, down], axis=1)  # [T, 2]
    rows[:, [GAZE_X, GAZE_Y]] = np.clip(gaze - np.median(gaze, axis=0), -1, 1)
    return rows


def blink_closure(scores: np.ndarray) -> np.ndarray:
    """Blink scores [T] to closure [T] 0..1: what the clip's open eyes score becomes 0."""
    opened = float(np.percentile(scores, 30))
    closed = max(float(scores.max()), opened + 0.35)
    return np.clip((scores - opened - 0.08) / (closed - opened - 0.08), 0, 1)


def smooth(rows: np.ndarray, sigma_frames: float) -> np.ndarray:
    """Gaussian smoothing over time without delay, ends held; [T, D] -> [T, D] float32."""
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(rows, sigma_frames, axis=0, mode="nearest").astype(np.float32)


def _eye_score(track: FaceTrack, name: str) -> np.ndarray:
    return track.blendshapes[:, list(SCORE_INDEX[name])].mean(axis=1)
