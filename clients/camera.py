"""Received pictures into a virtual camera, each when its own sound is heard.

A thread of its own waits and sends, since a camera may block. Drop rules: at most `MOST_PICTURES`
wait, the oldest goes first (`dropped`); of several that are due only the newest is sent
(`overtaken`); one whose sound has not come within `LONGEST_WAIT_S` is sent without it (`unheard`);
one that comes `LATE_S` after its sound is left out (`late`), but of a row of late ones at most
`MOST_LATE`: a computer that is always late shows late pictures.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from av import VideoFrame

FRAME_RATE = 25
MOST_PICTURES = 15
LONGEST_WAIT_S = 0.5
LATE_S = 0.03
"""With the time that sending takes, the most that keeps the call within 40 ms of its sound."""
MOST_LATE = 12
LOOK_AGAIN_S = 0.02
"""A due time may change while it is waited for, when the sound stops."""

REMEDIES = {
    "linux": "install v4l2loopback-dkms, then: sudo modprobe v4l2loopback "
    "card_label=Avatar exclusive_caps=1",
    "darwin": "install OBS 30 or newer, and start and stop its virtual camera once",
    "win32": "install OBS, whose virtual camera is used without starting OBS",
}


class _Waiting(NamedTuple):
    picture: VideoFrame
    position: float
    arrived_s: float


@dataclass
class CameraCounters:
    """What has been counted since the start, in pictures."""

    sent: int = 0
    dropped: int = 0
    overtaken: int = 0
    unheard: int = 0
    late: int = 0


def open_camera(size: int, device: str | None, backend: str | None) -> Any:
    """Open a virtual camera of `size` x `size` px that takes I420, the codec's own planes.

    Raises:
        ValueError: pyvirtualcam or the camera is missing; says what to install.
    """
    try:
        import pyvirtualcam
    except ModuleNotFoundError:
        raise ValueError(
            "pyvirtualcam is not installed: pip install 'emotive-avatar[camera]'"
        ) from None
    try:
        return pyvirtualcam.Camera(
            size, size, FRAME_RATE, fmt=pyvirtualcam.PixelFormat.I420,
            device=device, backend=backend,
        )  # fmt: skip
    except KeyError:
        known = ", ".join(pyvirtualcam.camera.BACKENDS)
        raise ValueError(f"no camera backend {backend!r}; there is: {known}") from None
    except RuntimeError as error:
        remedy = REMEDIES.get(sys.platform, "no virtual camera is known for this system")
        reason = " ".join(str(error).split())
        raise ValueError(f"no virtual camera ({reason}); {remedy}") from None


class CameraPlayer:
    """Sends pictures to an opened camera at the times that `heard_at` gives."""

    def __init__(self, camera: Any, heard_at: Callable[[float], float | None] | None) -> None:
        """Begin to send.

        Args:
            camera: from `open_camera`.
            heard_at: when a sample of the returned sound is heard, seconds of `time.monotonic`, or
                None while nothing is; no function sends every picture as it comes.
        """
        self.counters = CameraCounters()
        self._camera, self._heard_at = camera, heard_at
        self._waiting: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self._n_late = 0  # in a row
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
        self._thread.start()

    def put(self, position: float, picture: VideoFrame) -> None:
        """Queue a picture whose own sound begins with sample `position` of the returned sound.

        Raises:
            ValueError: the camera has failed.
        """
        if self._failure is not None:
            raise ValueError(f"the virtual camera failed ({self._failure})")
        with self._changed:
            if len(self._waiting) == MOST_PICTURES:
                self._waiting.popleft()
                self.counters.dropped += 1
            self._waiting.append(_Waiting(picture, position, monotonic()))
            self._changed.notify()

    def close(self) -> None:
        """Stop sending; the camera stays open."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while (picture := self._next()) is not None:
            try:
                self._send(picture)
            except (RuntimeError, OSError, ValueError) as error:
                self._failure = error
                return

    def _send(self, picture: VideoFrame) -> None:
        planes = picture.reformat(self._camera.width, self._camera.height, "yuv420p")
        self._camera.send(planes.to_ndarray())
        self.counters.sent += 1

    def _next(self) -> VideoFrame | None:
        """Wait for the next due picture; None when it is closed."""
        with self._changed:
            while not self._is_closed:
                wait_s = self._until_due(self._waiting[0]) if self._waiting else LOOK_AGAIN_S
                if wait_s > 0:
                    self._changed.wait(min(wait_s, LOOK_AGAIN_S))
                elif (picture := self._newest_due()) is not None:
                    return picture
        return None

    def _newest_due(self) -> VideoFrame | None:
        """Take out what is due, of which at least one is; None if it is too late for its sound."""
        newest = self._take()
        while self._waiting and self._until_due(self._waiting[0]) <= 0:
            newest = self._take()
            self.counters.overtaken += 1
        self._n_late = self._n_late + 1 if self._until_due(newest) < -LATE_S else 0
        if 0 < self._n_late <= MOST_LATE:
            self.counters.late += 1
            return None
        return newest.picture

    def _take(self) -> _Waiting:
        waiting = self._waiting.popleft()
        self.counters.unheard += monotonic() - waiting.arrived_s >= LONGEST_WAIT_S
        return waiting

    def _until_due(self, waiting: _Waiting) -> float:
        """Seconds until a picture is to be sent; zero or less when it is due."""
        if self._heard_at is None:
            return 0.0
        now_s, heard_s = monotonic(), self._heard_at(waiting.position)
        left_s = waiting.arrived_s + LONGEST_WAIT_S - now_s
        return left_s if heard_s is None else min(left_s, heard_s - now_s)
