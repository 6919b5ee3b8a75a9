"""A caller's camera: VP8 packets in, small pictures to the face, of which only the newest is seen.

    event loop      packets -> whole encoded pictures, a few
    camera thread   all that wait are decoded, the newest is shown to the face, 12 times a second

While the face wants to see nothing, nothing is kept. aiortc would decode on a thread of its own
into a queue without end. Read next: `streaming/vp8_queue.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVar

import av
import numpy as np
from aiortc.rtp import RtpPacket
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import VideoReformatter

from streaming.face import FaceStream
from streaming.vp8_queue import Vp8Queue

LOOK_S = 0.08
LOOKED_SIDE = 320
"""Of the picture that the face is shown, px."""

log = logging.getLogger(__name__)

T = TypeVar("T")


class Camera:
    """The pictures of one caller on their way to the face."""

    def __init__(self, worker: Executor) -> None:
        """A camera that nobody looks at before `run`.

        Args:
            worker: one thread, shared by all callers, so that looking never takes more than that.
        """
        self._worker = worker
        self._face: FaceStream | None = None
        self._arrived = asyncio.Event()
        self._queue: Vp8Queue | None = None
        self._decoder, self._scaler = _Decoder(), VideoReformatter()
        self._pictures = self._faces = self._dropped = 0

    def add(self, packet: RtpPacket) -> tuple[bool, None]:
        """Take one packet, in the place of aiortc's own buffer.

        Returns:
            Whether the sender should be asked for a picture that stands alone; and None, nothing
            for aiortc to decode.
        """
        if self._face is None or not self._face.wants_camera:
            self._queue = None
            return False, None
        if self._queue is None:
            self._queue = Vp8Queue()
        asks = self._queue.add(packet)
        self._arrived.set()
        return asks, None

    async def run(self, face: FaceStream) -> None:
        """Show `face` what comes, while it wants to look, for ever.

        A face that fails to look is logged and shown nothing more; it goes on speaking.
        """
        self._face = face
        try:
            while True:
                await self._arrived.wait()
                self._arrived.clear()
                await self._show(face)
        except Exception:
            log.exception("the camera of a caller cannot be looked at")
            self._face = None
            await asyncio.Event().wait()
        finally:
            await self._on_thread(face.stop_looking)

    def stats(self) -> dict[str, int]:
        """Pictures seen, those with a face, and those left out because a newer one was there."""
        return {
            "camera_pictures": self._pictures,
            "camera_faces": self._faces,
            "camera_dropped": self._dropped,
        }

    async def _show(self, face: FaceStream) -> None:
        """Let the face see the newest picture, and rest until the next look is due."""
        loop, queue = asyncio.get_running_loop(), self._queue
        started_s = loop.time()
        waiting = queue.take() if queue else []
        if not queue or not waiting:
            return
        has_face = await self._on_thread(self._look, face, waiting)
        self._dropped += len(waiting) + queue.dropped
        queue.dropped = 0
        if has_face is None:
            queue.interrupt()
        else:
            self._dropped -= 1
            self._pictures += 1
            self._faces += has_face
        await asyncio.sleep(started_s + LOOK_S - loop.time())

    def _look(self, face: FaceStream, pictures: list[bytes]) -> bool | None:
        """On the camera thread: whether a face is in the newest picture, None if it is damaged."""
        newest = self._decoder.decode(pictures)
        return None if newest is None else face.look(self._scaled(newest))

    def _scaled(self, frame: av.VideoFrame) -> np.ndarray:
        """[H, W, 3] uint8 RGB, the longer side `LOOKED_SIDE` px at most."""
        scale = min(1.0, LOOKED_SIDE / max(frame.width, frame.height))
        width, height = (max(2, round(side * scale)) for side in (frame.width, frame.height))
        small = self._scaler.reformat(frame, width, height, "rgb24", threads=1)
        return small.to_ndarray()

    async def _on_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, function, *arguments)


class _Decoder:
    """VP8 pictures in order -> frames."""

    def __init__(self) -> None:
        codec = av.CodecContext.create("vp8", "r")
        assert isinstance(codec, VideoCodecContext)
        codec.thread_count = 1
        self._codec = codec

    def decode(self, pictures: list[bytes]) -> av.VideoFrame | None:
        """The last of these pictures, None when one is damaged."""
        newest = None
        for picture in pictures:
            try:
                newest = next(iter(self._codec.decode(av.Packet(picture))), newest)
            except av.FFmpegError:
                return None
        return newest
