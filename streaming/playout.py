"""The way out: steps, each a picture with its own sound, to the tracks that WebRTC sends.

One outlet belongs to one receiver (the caller, or one viewer) and holds its own short queues, so
a slow receiver slows nobody else. Both tracks start with the same step. When a queue is full the
oldest picture or the oldest step of sound is dropped and counted.

    step k   picture pts 3600 k (90 kHz)     sound pts 1920 k, 1920 k + 960 (48 kHz, 20 ms each)
"""

from __future__ import annotations

import asyncio
from collections import deque
from fractions import Fraction
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import Packet, VideoFrame
from av.video.reformatter import VideoReformatter

from streaming.opus import PACKET_SAMPLES

PICTURE_PTS, PICTURE_CLOCK = 3600, Fraction(1, 90000)
SOUND_PTS, SOUND_CLOCK = 1920, Fraction(1, 48000)
PACKET_S = 0.02
MOST_PICTURES = 2
MOST_SOUNDS = 8
"""Steps of sound that may wait, 320 ms: sound is dropped only when the receiver has stalled."""


class Step(NamedTuple):
    """One step of the avatar.

    k: number of the step, counted from the session's first step.
    picture: [3 S / 2, S] uint8 yuv420p, or None where the picture was left out.
    sound: its 40 ms in two Opus packets.
    samples: the same 40 ms, [1920] int16, 48 kHz mono.
    """

    k: int
    picture: np.ndarray | None
    sound: list[bytes]
    samples: np.ndarray


class Publication(Protocol):
    """Where steps go to: one receiver, or one room. Called on the event loop."""

    sends_picture: bool
    """Whether pictures are wanted; they are not drawn when nobody does."""
    pictures: int
    """Pictures sent so far."""

    def push(self, step: Step) -> None:
        """Take one step at once; what does not fit is dropped and counted."""
        ...

    @property
    def dropped_pictures(self) -> int:
        """Pictures for which the receiver was too slow."""
        ...

    @property
    def dropped_sounds(self) -> int:
        """Steps of sound for which the receiver was too slow."""
        ...


Item = TypeVar("Item")


class _Queue(Generic[Item]):
    """The newest items for one reader; the oldest goes when it is full."""

    def __init__(self, size: int) -> None:
        self._items: deque[tuple[int, Item]] = deque(maxlen=size)
        self._filled = asyncio.Event()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._items)

    def put(self, k: int, item: Item) -> None:
        self.dropped += len(self._items) == self._items.maxlen
        self._items.append((k, item))
        self._filled.set()

    async def get(self) -> tuple[int, Item]:
        while not self._items:
            self._filled.clear()
            await self._filled.wait()
        return self._items.popleft()


class PictureTrack(MediaStreamTrack):
    """The face, one yuv420p frame for each step that has a picture."""

    kind = "video"

    def __init__(self) -> None:
        """A track without pictures."""
        super().__init__()
        self.pictures: _Queue[np.ndarray] = _Queue(MOST_PICTURES)
        self.is_read = False

    async def recv(self) -> VideoFrame:
        """The next picture."""
        if self.readyState != "live":
            raise MediaStreamError
        self.is_read = True
        k, picture = await self.pictures.get()
        # a frame of its own for each receiver: encoders write the key-frame request into it
        frame = VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts, frame.time_base = PICTURE_PTS * k, PICTURE_CLOCK
        return frame


class SoundTrack(MediaStreamTrack):
    """The caller's own sound in packets of 20 ms, spaced as they will be heard."""

    kind = "audio"

    def __init__(self) -> None:
        """A track without sound."""
        super().__init__()
        self.sounds: _Queue[list[bytes]] = _Queue(MOST_SOUNDS)
        self.is_read = False
        self._second_half: Packet | None = None
        self._second_due_s = 0.0

    async def recv(self) -> Packet:
        """The next 20 ms."""
        if self.readyState != "live":
            raise MediaStreamError
        self.is_read = True
        loop = asyncio.get_running_loop()
        if self._second_half is not None:
            packet, self._second_half = self._second_half, None
            if not self.sounds:
                await asyncio.sleep(max(0.0, self._second_due_s - loop.time()))
            return packet
        k, (first, second) = await self.sounds.get()
        self._second_half = _sound_packet(second, SOUND_PTS * k + PACKET_SAMPLES)
        self._second_due_s = loop.time() + PACKET_S
        return _sound_packet(first, SOUND_PTS * k)


class Outlet:
    """The two tracks of one receiver."""

    def __init__(self) -> None:
        """Tracks that nothing reads yet."""
        self.picture, self.sound = PictureTrack(), SoundTrack()
        self.sends_picture = self.sends_sound = True
        self.pictures = 0
        self._has_begun = False

    def push(self, step: Step) -> None:
        """Queue one step; both tracks begin with the first one that both can take."""
        self._has_begun = self._has_begun or self._can_begin(step)
        if not self._has_begun:
            return
        if self.sends_picture and step.picture is not None:
            self.pictures += 1
            self.picture.pictures.put(step.k, step.picture)
        if self.sends_sound:
            self.sound.sounds.put(step.k, step.sound)

    def _can_begin(self, step: Step) -> bool:
        """Whether every track is being read and the step has something for it."""
        if self.sends_picture and (step.picture is None or not self.picture.is_read):
            return False
        return self.sound.is_read or not self.sends_sound

    @property
    def dropped_pictures(self) -> int:
        """Pictures that this receiver was too slow for."""
        return self.picture.pictures.dropped

    @property
    def dropped_sounds(self) -> int:
        """Steps of sound that this receiver was too slow for."""
        return self.sound.sounds.dropped


class EncoderColours:
    """RGB pictures of one session -> the planes that the encoder wants. For one thread."""

    def __init__(self) -> None:
        """Keep one converter: FFmpeg needs 4 ms to set one up and 0.5 ms to use it."""
        self._converter = VideoReformatter()

    def convert(self, picture: np.ndarray) -> np.ndarray:
        """One picture, [S, S, 3] uint8 RGB -> [3 S / 2, S] uint8 yuv420p."""
        frame = VideoFrame.from_ndarray(picture, format="rgb24")
        return self._converter.reformat(frame, format="yuv420p", threads=1).to_ndarray()


def _sound_packet(payload: bytes, pts: int) -> Packet:
    """An encoded packet: aiortc sends those as they are."""
    packet = Packet(payload)
    packet.pts, packet.time_base = pts, SOUND_CLOCK
    return packet
