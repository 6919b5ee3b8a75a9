"""The face in a LiveKit room: steps go to the SDK's sources of picture and sound.

Steps come in real time, a picture with its own sound. The SDK's `AVSynchronizer` is for frames
that are made faster than that: it holds sound and pictures in a queue each, and a stall leaves the
two at different depths for good. Here nothing is held back, and the sound goes past the SDK's own
queue in frames of 10 ms.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
from livekit import rtc

from streaming.ingest import STEP_SAMPLES
from streaming.playout import Step

RATE = 48000
FRAME_SAMPLES = 480
HALF_STEP_SAMPLES = STEP_SAMPLES // 2
HALF_STEP_S = HALF_STEP_SAMPLES / RATE
MOST_STEPS = 8
"""Steps that may wait, 320 ms; when the SDK has stalled, the oldest is left out with its sound."""
MOST_FPS = 30
"""The SDK's own limit of 20 would leave out every fifth picture."""
STREAM = "avatar"
"""Tracks of one stream are played in step by the receivers."""

Hearing = Callable[[int, np.ndarray], np.ndarray]
"""Takes the position of a frame in the row of all sound and the frame; what is heard of it."""


class LiveKitPublication:
    """Two tracks of one room; `publish` begins, `aclose` ends."""

    sends_picture = True

    def __init__(
        self, room: rtc.Room, size: int, bitrate: int, heard: Hearing | None = None
    ) -> None:
        """Tracks that nobody sees yet.

        Args:
            room: connected.
            size: side of the picture, px.
            bitrate: the most for the picture, bits a second.
            heard: called with every 10 ms of sound just before they leave.
        """
        self.pictures = self.dropped_pictures = self.dropped_sounds = 0
        self._room, self._heard = room, heard
        self._picture_options = _picture_options(bitrate)
        self._picture = rtc.VideoSource(size, size)
        self._sound = rtc.AudioSource(RATE, 1, queue_size_ms=0)  # 0: frames leave as they come
        self._steps: asyncio.Queue[Step] = asyncio.Queue(MOST_STEPS)
        self._job: asyncio.Task[None] | None = None

    async def publish(self) -> None:
        """Show both tracks to the room, and send from now on.

        Raises:
            rtc.participant.PublishTrackError: the token does not allow it.
        """
        sound = rtc.LocalAudioTrack.create_audio_track("avatar-sound", self._sound)
        picture = rtc.LocalVideoTrack.create_video_track("avatar-picture", self._picture)
        await self._room.local_participant.publish_track(sound, _sound_options())
        await self._room.local_participant.publish_track(picture, self._picture_options)
        self._job = asyncio.create_task(self._send(), name="livekit publication")

    def push(self, step: Step) -> None:
        """Take one step; it leaves at once unless the SDK has stalled."""
        if self._steps.full():
            self.dropped_pictures += self._steps.get_nowait().picture is not None
            self.dropped_sounds += 1
        self._steps.put_nowait(step)

    async def aclose(self) -> None:
        """Send no more."""
        if self._job is not None:
            self._job.cancel()
            await asyncio.gather(self._job, return_exceptions=True)
        await self._sound.aclose()
        await self._picture.aclose()

    async def _send(self) -> None:
        """Half of a step's sound; 20 ms later, unless steps wait, its picture and the other half.

        Receivers hold sound some 40 ms longer than pictures, and mend only more than that.
        """
        loop = asyncio.get_running_loop()
        while True:
            step = await self._steps.get()
            half_s = loop.time() + HALF_STEP_S
            await self._say(step, 0, HALF_STEP_SAMPLES)
            if self._steps.empty():
                await asyncio.sleep(max(0.0, half_s - loop.time()))
            if step.picture is not None:
                self._show(step.picture)
            await self._say(step, HALF_STEP_SAMPLES, STEP_SAMPLES)

    def _show(self, picture: np.ndarray) -> None:
        size = picture.shape[1]
        frame = rtc.VideoFrame(size, size, rtc.VideoBufferType.I420, picture.tobytes())
        self._picture.capture_frame(frame)
        self.pictures += 1

    async def _say(self, step: Step, first: int, last: int) -> None:
        for start in range(first, last, FRAME_SAMPLES):
            samples = step.samples[start : start + FRAME_SAMPLES]
            if self._heard is not None:
                samples = self._heard(step.k * STEP_SAMPLES + start, samples)
            frame = rtc.AudioFrame(samples.tobytes(), RATE, 1, FRAME_SAMPLES)
            await self._sound.capture_frame(frame)


def _sound_options() -> rtc.TrackPublishOptions:
    return rtc.TrackPublishOptions(
        source=rtc.TrackSource.SOURCE_MICROPHONE, stream=STREAM, dtx=False
    )


def _picture_options(bitrate: int) -> rtc.TrackPublishOptions:
    return rtc.TrackPublishOptions(
        source=rtc.TrackSource.SOURCE_CAMERA,
        stream=STREAM,
        simulcast=False,  # a face is small already, and each layer costs an encoder
        video_codec=rtc.VideoCodec.VP8,
        video_encoding=rtc.VideoEncoding(max_framerate=MOST_FPS, max_bitrate=bitrate),
    )
