"""The sound card as a track that can be sent, and as a place for received sound.

sounddevice calls back in a thread of its own; nothing here blocks it or the event loop.
Read next: `clients/playback_buffer.py`.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

import av
import numpy as np
import sounddevice
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from clients.connection import frames_of
from clients.playback_buffer import PlaybackBuffer
from clients.sound import PACKET_SAMPLES, RATE, packet_of

QUEUED_PACKETS = 4
OUTPUT_LATENCY_S = 0.08
"""Asked of the system: a shorter one breaks up when Python is kept from its turn."""
LONGEST_LATENCY_S = 2.0
PACKET_S = PACKET_SAMPLES / RATE


class MicrophoneTrack(MediaStreamTrack):
    """A microphone in packets of 20 ms; the oldest of more than four waiting ones is dropped.

    A dropped packet is a gap in the count of samples, so what follows keeps its place.
    """

    kind = "audio"

    def __init__(self, device: int) -> None:
        """Open input number `device`; must be called on the event loop.

        Raises:
            ValueError: the device cannot be opened at 48 kHz.
        """
        super().__init__()
        self.dropped_packets = 0
        self._is_read = False
        self._heard = 0
        self._packets: asyncio.Queue[tuple[int, np.ndarray]] = asyncio.Queue(maxsize=QUEUED_PACKETS)
        loop = asyncio.get_running_loop()

        def heard(block: np.ndarray, frames: int, time: Any, status: Any) -> None:
            loop.call_soon_threadsafe(self._put, block[:, 0].copy())

        try:
            self._stream = sounddevice.InputStream(
                samplerate=RATE, channels=1, dtype="int16", device=device,
                blocksize=PACKET_SAMPLES, latency="low", callback=heard,
            )  # fmt: skip
            self._stream.start()
        except sounddevice.PortAudioError as error:
            raise ValueError(f"sound input {device} cannot be opened ({error})") from None

    def _put(self, samples: np.ndarray) -> None:
        if self._packets.full():
            self._packets.get_nowait()
            self.dropped_packets += self._is_read
        self._packets.put_nowait((self._heard, samples))
        self._heard += len(samples)

    async def recv(self) -> av.AudioFrame:
        """The next 20 ms, [1, 960] int16 at 48 kHz."""
        if self.readyState != "live":
            raise MediaStreamError
        self._is_read = True
        position, samples = await self._packets.get()
        return packet_of(samples, position)

    def stop(self) -> None:
        """Close the input; a stream whose source has gone quiet must be aborted, not stopped."""
        super().stop()
        self._stream.abort()
        self._stream.close()


class SoundOutput:
    """Plays a `PlaybackBuffer` on one device, whose crystal need not agree with anybody's."""

    def __init__(self, device: int | None = None) -> None:
        """Open output number `device`, or the default one; it plays silence until sound is put.

        Raises:
            ValueError: it cannot be opened at 48 kHz.
        """
        self.buffer = PlaybackBuffer()
        self.device_underflows = 0
        try:
            channels = min(2, sounddevice.query_devices(device, "output")["max_output_channels"])
            self._stream = sounddevice.OutputStream(
                samplerate=RATE, channels=channels, dtype="int16", device=device,
                blocksize=PACKET_SAMPLES, latency=OUTPUT_LATENCY_S, callback=self._fill,
            )  # fmt: skip
            self._stream.start()
        except (ValueError, sounddevice.PortAudioError) as error:
            name = "the default sound output" if device is None else f"sound output {device}"
            raise ValueError(f"{name} cannot be opened at 48 kHz ({error})") from None

    def put(self, position: int, frame: av.AudioFrame) -> None:
        """Queue a received packet, s16 at 48 kHz, whose first sample is number `position`."""
        left = frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0]
        self.buffer.put(position, left, monotonic())

    def _fill(self, out: np.ndarray, frames: int, time: Any, status: Any) -> None:
        """PortAudio's thread: it says how long the block will wait before it is heard."""
        has_paused = bool(status.output_underflow)
        self.device_underflows += has_paused
        ahead_s = time.outputBufferDacTime - self._stream.time
        if not -PACKET_S < ahead_s < LONGEST_LATENCY_S:  # some systems report no time
            ahead_s = self._stream.latency
        now_s = monotonic()
        out[:] = self.buffer.take(frames, now_s, now_s + ahead_s, has_paused)[:, None]

    def close(self) -> None:
        """Stop playing."""
        self._stream.abort()
        self._stream.close()


async def play_sound(track: MediaStreamTrack, output: SoundOutput | None) -> None:
    """Play the returned sound to its end, or only read it: an unread track would grow."""
    async for position, frame in frames_of(track):
        if output is not None:
            output.put(position, frame)
