"""The head of the caller as the caller's own camera sees it.

    camera thread   observe ...... observe ...... observe          12 a second, now and then none
    face thread     step . step . step . step . step . step        25 a second

The head counts from how it was held when the camera was switched on; whoever sits askew looks
straight. While no face is seen the idle head takes over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np

from avatar.pose import DEGREES_PER_GAZE, GAZE_X, GAZE_Y, PITCH, YAW, IdlePose
from avatar.spring import Spring
from avatar.tracking import FaceTracker, TrackedFace

STIFFNESS = 14.0
"""Of the spring that joins observations, rad/s: 0.14 s late, and the tracker's noise is gone."""
MOST_TURN, MOST_SHIFT = 25.0, 0.25
"""Degrees and inter-ocular distances that the head approaches but never passes."""
REST_LOOKS = 12
"""Observations whose median is how the head is held at rest."""
LOST_STEPS = 15
"""Steps without a face after which the idle head takes over."""
TAKE_OVER_STEPS = 20
EYES_STAY = 0.4
"""Share of a turn of the head that the eyes make up for."""


class CameraPose:
    """Head pose from observations; `observe` may be called from another thread than `step`."""

    def __init__(self, seed: int | None = None) -> None:
        """A head that is idle until it is observed; `seed` is of the idle head."""
        self._idle = IdlePose(seed)
        self._spring = Spring(STIFFNESS, 6)
        self._looks: list[np.ndarray] = []
        self._rest = np.zeros(6)
        self._goal: np.ndarray | None = None  # swapped whole: the two threads share only it
        self._followed: np.ndarray | None = None
        self._unseen_steps = LOST_STEPS
        self._share = 0.0

    def observe(self, pose: np.ndarray) -> None:
        """Take the pose of the caller's head, [6] as `TrackedFace.pose`."""
        if len(self._looks) < REST_LOOKS:
            self._looks.append(pose)
            self._rest = np.median(self._looks, axis=0)
        self._goal = _limited(pose - self._rest)

    def step(self, energy: float = 0.0) -> np.ndarray:
        """See `PoseSource.step`."""
        idle, goal = self._idle.step(energy), self._goal
        self._unseen_steps = 0 if goal is not self._followed else self._unseen_steps + 1
        self._followed = goal
        is_seen = self._unseen_steps < LOST_STEPS
        change = 1 / TAKE_OVER_STEPS
        self._share = min(max(self._share + (change if is_seen else -change), 0.0), 1.0)
        if goal is None:
            return idle
        head = self._spring.step(goal)
        live = idle.copy()
        live[:6] = head
        turned = (head - idle[:6])[[YAW, PITCH]]
        live[[GAZE_X, GAZE_Y]] -= EYES_STAY * turned / DEGREES_PER_GAZE
        share = self._share * self._share * (3 - 2 * self._share)
        return (idle + share * (live - idle)).astype(np.float32)


class FollowedFace:
    """One face through pictures that come one by one."""

    def __init__(self, tracker: FaceTracker) -> None:
        """Nothing is loaded before the first picture."""
        self._next: deque[np.ndarray] = deque()
        self._faces = tracker.follow_face(_taken_from(self._next))

    def look(self, picture: np.ndarray) -> TrackedFace | None:
        """The face in the next picture [H, W, 3] uint8 RGB, None where there is none."""
        self._next.append(picture)
        return next(self._faces)

    def close(self) -> None:
        """Let go of the tracker's state; until then it must not fall to the garbage collector."""
        self._faces.close()


def _taken_from(pictures: deque[np.ndarray]) -> Iterator[np.ndarray]:
    """The pictures as they are put in; not a method, so that nothing refers in a circle."""
    while pictures:
        yield pictures.popleft()


def _limited(pose: np.ndarray) -> np.ndarray:
    """A pose [6] bent so that it stays within what a portrait can show."""
    most = np.array([MOST_TURN] * 3 + [MOST_SHIFT] * 3)
    return most * np.tanh(pose / most)
