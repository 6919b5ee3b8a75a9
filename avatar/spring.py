"""Motion of something with mass: it starts gently, arrives gently and never overshoots."""

from __future__ import annotations

import numpy as np

STEP_S = 0.04


class Spring:
    """A critically damped spring that is drawn to a goal, solved exactly step by step."""

    def __init__(self, stiffness: float, dims: int) -> None:
        """At rest at zero.

        Args:
            stiffness: natural frequency, rad/s; most of a way takes 4 / stiffness seconds.
            dims: numbers that move, each on its own.
        """
        self.at: np.ndarray = np.zeros(dims)
        self._speed = np.zeros(dims)
        self._stiffness = stiffness

    def step(self, goal: np.ndarray) -> np.ndarray:
        """Where it is one step later when drawn to `goal`, [dims] float64."""
        away = self.at - goal
        slide = (self._speed + self._stiffness * away) * STEP_S
        decay = np.exp(-self._stiffness * STEP_S)
        self.at = goal + (away + slide) * decay
        self._speed = (self._speed - self._stiffness * slide) * decay
        return self.at
