"""The receiving half of a measured call: stamps what arrives, and studies and records it.

The event loop only stamps arrivals and queues; one thread compares pictures, correlates sound and
encodes the recording. The queue holds at most 4 s. When the thread falls behind, pictures are left
out of the recording first (`unrecorded_frames`), then sound.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from dataclasses import dataclass, field

import av
import numpy as np
from aiortc import MediaStreamTrack

from clients.connection import frames_of
from clients.measure import (
    LONGEST_DELAY_S,
    RATE,
    Arrivals,
    Offsets,
    block_means,
    find_offset,
    is_frozen,
)
from clients.recording import Recording
from clients.sound import SentSound, SoundTrack

PICTURE_TICKS = 3600
WINDOW_SAMPLES = 2 * RATE
QUEUED_ITEMS = 300
QUEUED_PICTURES = 100


@dataclass
class WindowedOffset:
    """Collects returned sound into windows of 2 s and finds where in our sound each comes from."""

    sent: SentSound
    offsets: Offsets = field(default_factory=Offsets)

    def __post_init__(self) -> None:
        """Start with an empty window at sample 0."""
        self._window = np.zeros(WINDOW_SAMPLES, np.int16)
        self._start = 0

    def add(self, position: int, samples: np.ndarray, delay_s: float) -> None:
        """Take a packet.

        Args:
            position: its first sample.
            samples: [n] int16 at 48 kHz.
            delay_s: arrival minus the time at which our sample `position` was heard.
        """
        if position >= self._start + WINDOW_SAMPLES:
            self._finish(delay_s)
            self._window[:] = 0
            self._start = position - position % WINDOW_SAMPLES
        at = position - self._start
        if at >= 0:
            room = self._window[at : at + len(samples)]
            room[:] = samples[: len(room)]

    def _finish(self, delay_s: float) -> None:
        """Find the offset of the full window: the sound's own delay is between 0 and 2 s."""
        lowest = -round(delay_s * RATE)
        highest = lowest + round(LONGEST_DELAY_S * RATE)
        offset = find_offset(self._window, self._start, self.sent.take, lowest, highest)
        if offset is not None:
            self.offsets.positions.append(self._start + WINDOW_SAMPLES // 2)
            self.offsets.values.append(offset)


class Listener:
    """Reads both tracks of a call until they end or it is stopped."""

    def __init__(self, sound: SentSound, microphone: SoundTrack, recording: Recording) -> None:
        """Listen for what `microphone` sends; `recording` is closed by `finish`."""
        self.arrivals = Arrivals()
        self.frozen_frames = 0
        self.unrecorded_frames = 0
        self.lost_sounds = 0
        self.failure: str | None = None
        self._microphone = microphone
        self._recording = recording
        self._window = WindowedOffset(sound)
        self._means: np.ndarray | None = None
        self._queue: queue.Queue = queue.Queue(maxsize=QUEUED_ITEMS)
        self._thread = threading.Thread(target=self._study, name="listener")
        self._tasks: list[asyncio.Task] = []

    @property
    def offsets(self) -> Offsets:
        """Where the returned sound came from, complete after `finish`."""
        return self._window.offsets

    def start(self, video: MediaStreamTrack, audio: MediaStreamTrack) -> None:
        """Begin to read both tracks."""
        self._thread.start()
        self._tasks = [
            asyncio.create_task(self._read_pictures(video)),
            asyncio.create_task(self._read_sound(audio)),
        ]

    async def finish(self) -> None:
        """Stop reading, and close the recording when all that is queued is written."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._thread.is_alive():
            await asyncio.to_thread(self._queue.put, None)
            await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._recording.close)

    async def _read_pictures(self, track: MediaStreamTrack) -> None:
        loop = asyncio.get_running_loop()
        async for pts, frame in frames_of(track):
            index = round(pts / PICTURE_TICKS)
            self.arrivals.picture(index, loop.time())
            if self._queue.qsize() < QUEUED_PICTURES:
                self._queue.put_nowait((index, frame, 0.0))
            else:
                self.unrecorded_frames += 1

    async def _read_sound(self, track: MediaStreamTrack) -> None:
        loop = asyncio.get_running_loop()
        async for pts, frame in frames_of(track):
            now = loop.time()
            self.arrivals.sound(pts, now)
            delay_s = now - (self._microphone.started or now) - pts / RATE
            if self._queue.full():
                self.lost_sounds += 1
            else:
                self._queue.put_nowait((pts, frame, delay_s))

    def _study(self) -> None:
        """The thread: everything that takes more than microseconds."""
        while (item := self._queue.get()) is not None:
            try:
                self._study_one(*item)
            except (av.FFmpegError, OSError) as error:
                self.failure = self.failure or f"the recording failed ({error.strerror})"

    def _study_one(self, place: int, frame: av.VideoFrame | av.AudioFrame, delay_s: float) -> None:
        if isinstance(frame, av.VideoFrame):
            self._compare(frame)
            self._recording.picture(place, frame)
            return
        left = frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0].copy()
        self._window.add(place, left, delay_s)
        self._recording.sound(place, left)

    def _compare(self, frame: av.VideoFrame) -> None:
        """Count a picture that shows nothing new."""
        plane = frame.planes[0]
        luma = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        means = block_means(luma[:, : plane.width])
        if self._means is not None and self._means.shape == means.shape:
            self.frozen_frames += is_frozen(self._means, means)
        self._means = means
