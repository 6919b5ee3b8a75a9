"""The live blend of emotions: weights that move smoothly to what was last asked for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

NEUTRAL = "neutral"
MAX_STRENGTH = 1.5
EASE_STEPS = 8


class EmotionBlend:
    """Weights of named emotions that move smoothly to what was last asked for, counted in steps."""

    def __init__(self, names: Iterable[str], worn: str = NEUTRAL, strength: float = 1.0) -> None:
        """Wear one emotion from the first step on.

        Args:
            names: what may be blended; `neutral` may always be named and weighs nothing.
            worn: one of them.
            strength: 0 .. 1.5.

        Raises:
            ValueError: as `set` and `set_strength`.
        """
        self.names = tuple(name for name in names if name != NEUTRAL)
        self.weights = self._checked({worn: 1.0})
        self.strength = check_number("strength", strength, MAX_STRENGTH)
        self._from = self._now = self._goal = self._effective()
        self._steps, self._done = 1, 1

    def set(self, weights: Mapping[str, float], ease_steps: int = EASE_STEPS) -> None:
        """Move to other weights.

        Args:
            weights: by name, each >= 0 and at most 1 in sum; the rest is neutral.
            ease_steps: how long it takes; 0 and 1 change in the next step.

        Raises:
            ValueError: unknown name, a weight that is negative or not a number, a sum above 1; the
                blend is unchanged then.
        """
        self.weights = self._checked(weights)
        self._start(ease_steps)

    def set_strength(self, strength: object, ease_steps: int = EASE_STEPS) -> None:
        """Move to another strength, 0 .. 1.5; raises ValueError when it is outside or no number."""
        self.strength = check_number("strength", strength, MAX_STRENGTH)
        self._start(ease_steps)

    def step(self) -> dict[str, float]:
        """Strength times weight of every emotion in the next step; those at 0 are left out."""
        self._done = min(self._done + 1, self._steps)
        t = self._done / self._steps
        self._now = self._from + (self._goal - self._from) * (t * t * (3 - 2 * t))
        return {n: float(w) for n, w in zip(self.names, self._now, strict=True) if w > 0}

    def _start(self, ease_steps: int) -> None:
        self._from, self._goal = self._now, self._effective()
        self._steps, self._done = max(1, ease_steps), 0

    def _effective(self) -> np.ndarray:
        return self.strength * np.array([self.weights.get(name, 0.0) for name in self.names])

    def _checked(self, weights: Mapping[str, float]) -> dict[str, float]:
        if not isinstance(weights, Mapping):
            raise ValueError(f"weights must be an object of names and numbers, got {weights!r}")
        for name in weights:
            if name not in self.names and name != NEUTRAL:
                known = ", ".join((NEUTRAL, *self.names))
                raise ValueError(f"unknown emotion {name!r}: choose from {known}")
        checked = {name: check_number(f"weight of {name}", w, 1.0) for name, w in weights.items()}
        if (total := sum(checked.values())) > 1 + 1e-6:
            raise ValueError(f"the weights sum to {total:g}; at most 1 is allowed")
        return checked


def check_number(what: str, value: object, top: float) -> float:
    """`value` as a float in 0 .. top; raises ValueError when it is not a number or outside."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{what} must be a number, got {value!r}")
    if not 0 <= value <= top:
        raise ValueError(f"{what} must be 0 to {top:g}, got {value:g}")
    return float(value)
