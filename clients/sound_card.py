"""The sound card as a track that can be sent, and as a place for received sound.

sounddevice calls back in a thread of its own; nothing here blocks it or the event loop.
"""

from __future__ import annotations

import asyncio
import queue
from typing import Any

import av
import numpy as np
import sounddevice
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from clients.sound import PACKET_SAMPLES, RATE, packet_of

QUEUED_PACKETS = 4
QUEUED_BLOCKS = 10


class MicrophoneTrack(MediaStreamTrack):
    """A microphone in packets of 20 ms; the oldest of more than four waiting ones is dropped."""

    kind = "audio"

    def __init__(self, device: int) -> None:
        """Open input number `device`; must be called on the event loop.

        Raises:
            ValueError: the device cannot be opened at 48 kHz.
        """
        super().__init__()
        self.dropped_packets = 0
        self._position = 0
        self._packets: asyncio.Queue[np.ndarray] = asyncio.Queue(maxsize=QUEUED_PACKETS)
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
            self.dropped_packets += 1
        self._packets.put_nowait(samples)

    async def recv(self) -> av.AudioFrame:
        """The next 20 ms, [1, 960] int16 at 48 kHz."""
        if self.readyState != "live":
            raise MediaStreamError
        samples = await self._packets.get()
        frame = packet_of(samples, self._position)
        self._position += PACKET_SAMPLES
        return frame

    def stop(self) -> None:
        """Close the input; a stream whose source has gone quiet must be aborted, not stopped."""
        super().stop()
        self._stream.abort()
        self._stream.close()


class Loudspeaker:
    """Plays received sound; more than 200 ms of it waiting is dropped, oldest first."""

    def __init__(self) -> None:
        """Open the default output.

        Raises:
            ValueError: there is none.
        """
        self.dropped_blocks = 0
        self._blocks: queue.Queue[np.ndarray] = queue.Queue(maxsize=QUEUED_BLOCKS)
        try:
            self._stream = sounddevice.OutputStream(
                samplerate=RATE, channels=2, dtype="int16", blocksize=PACKET_SAMPLES,
                latency="low", callback=self._fill,
            )  # fmt: skip
            self._stream.start()
        except sounddevice.PortAudioError as error:
            raise ValueError(f"no sound output can be opened ({error})") from None

    def play(self, samples: np.ndarray) -> None:
        """Queue [960, 2] int16 samples at 48 kHz."""
        if self._blocks.full():
            self._blocks.get_nowait()
            self.dropped_blocks += 1
        self._blocks.put_nowait(samples)

    def _fill(self, out: np.ndarray, frames: int, time: Any, status: Any) -> None:
        try:
            block = self._blocks.get_nowait()
        except queue.Empty:
            block = np.zeros((frames, 2), np.int16)
        out[:] = block if block.shape == out.shape else 0

    def close(self) -> None:
        """Stop playing."""
        self._stream.abort()
        self._stream.close()
