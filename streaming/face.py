"""What the real-time side needs of an engine: plain numpy and dicts, no torch and no faces.

`avatar/engine.py` implements both protocols; the tests of this package implement them with a
painted meter, so that transport is measured without a model.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np


class FaceStream(Protocol):
    """One caller's face. But for `look`, a session calls it from one worker thread."""

    @property
    def wants_camera(self) -> bool:
        """Whether `look` is wanted at present; read from any thread."""
        ...

    def step(self, features: np.ndarray, render: bool = True) -> np.ndarray | None:
        """Advance by one step of 40 ms.

        Args:
            features: [28, 12] float32, the MFCC window of this step.
            render: False when the picture would be too late: the state advances, nothing is drawn.

        Returns:
            [S, S, 3] uint8 RGB, or None without `render`.
        """
        ...

    def control(self, message: dict[str, Any]) -> dict[str, Any]:
        """Apply one control message (docs/wire.md) from the next step on and return the settings.

        Raises:
            ValueError: one line for the user when the message is not valid; nothing changes then.
        """
        ...

    def look(self, picture: np.ndarray) -> bool:
        """See the caller; called from one thread of its own while `step` goes on.

        Args:
            picture: [H, W, 3] uint8 RGB, from the caller's camera.

        Returns:
            Whether there is a face in it.
        """
        ...

    def stop_looking(self) -> None:
        """Let go of what `look` needs; called after the last one, from its thread."""
        ...

    def set_portrait(self, encoded: Any) -> None:
        """Show another portrait, from `FaceEngine.encode_portrait`, from the next step on."""
        ...


class FaceEngine(Protocol):
    """What all callers share: weights, the first portrait, the emotions."""

    lookahead_ms: int
    """How far past a picture's own start the sound is that its features may contain."""
    first_coefficient: int
    """Number of the first of the twelve MFCC that it hears: 0, the log energy, or 1."""
    size: int
    """Side of the square picture in px."""

    def open_stream(self, seed: int | None = None) -> FaceStream:
        """A new caller's face, with nothing of the callers before."""
        ...

    def encode_portrait(self, data: bytes) -> Any:
        """Encode an image file for `FaceStream.set_portrait`; slow, so call it off the event loop.

        Raises:
            ValueError: one line for the user when no usable face can be read.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """The model, size, emotion names, pose names and first settings, as JSON values."""
        ...
