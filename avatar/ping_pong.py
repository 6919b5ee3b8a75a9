"""Endless playback of a finite clip: forwards, backwards, without repeating the end frames."""

from __future__ import annotations


def ping_pong(step: int, length: int) -> int:
    """The frame of a clip of `length` frames to show in a step.

        length 4, step   0 1 2 3 4 5 6 7 8
                  frame  0 1 2 3 2 1 0 1 2

    Raises:
        ValueError: the clip is empty or the step negative.
    """
    if length < 1 or step < 0:
        raise ValueError(f"no frame for step {step} of a clip of {length} frames")
    place = step % max(1, 2 * length - 2)
    return min(place, 2 * length - 2 - place)


class PingPong:
    """A place in a clip that moves on with every step."""

    def __init__(self, length: int) -> None:
        """Start at the first of `length` frames; raises ValueError when there is none."""
        ping_pong(0, length)
        self.length, self._step = length, 0

    def step(self) -> int:
        """The frame of the next step, 0 .. length - 1."""
        frame = ping_pong(self._step, self.length)
        self._step += 1
        return frame
