"""Sound that a client sends as its microphone: a file, decoded once, played on a steady clock.

The clock is the microphone's: sample s is heard at `started + s / 48000`, and a packet leaves when
its last sample has been heard, as with a sound card.
"""

from __future__ import annotations

import asyncio
import fractions

import av
import numpy as np
from aiortc import MediaStreamTrack

RATE = 48000
PACKET_SAMPLES = 960
SHORTEST_LOOP_S = 2.5


def read_sound(path: str) -> np.ndarray:
    """Decode any audio file.

    Returns:
        [S] int16, mono at 48 kHz.

    Raises:
        ValueError: the file cannot be read, holds no sound stream or no samples.
    """
    try:
        with av.open(path) as container:
            if not container.streams.audio:
                raise ValueError(f"{path}: no sound in this file")
            parts = _decode(container)
    except (av.FFmpegError, OSError) as error:
        raise ValueError(f"{path}: cannot be read as sound ({error.strerror})") from None
    sound = np.concatenate(parts) if parts else np.zeros(0, np.int16)
    if not len(sound):
        raise ValueError(f"{path}: no samples in this file")
    return sound


def _decode(container: av.container.InputContainer) -> list[np.ndarray]:
    """All samples of the first sound stream as [n] int16 pieces, mono at 48 kHz."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    parts = []
    for frame in container.decode(audio=0):
        parts += [part.to_ndarray()[0] for part in resampler.resample(frame)]
    parts += [part.to_ndarray()[0] for part in resampler.resample(None)]
    return parts


class SentSound:
    """What the microphone hears at every sample position, for ever when looped.

    A loop shorter than 2.5 s is filled up with silence: a delay below 2 s can then be measured
    without mistaking one round for the next.
    """

    def __init__(self, samples: np.ndarray, looped: bool = False) -> None:
        """Take [S] int16 mono samples at 48 kHz."""
        short = int(SHORTEST_LOOP_S * RATE) - len(samples)
        self._samples = np.pad(samples, (0, max(0, short))) if looped else samples
        self._looped = looped

    def take(self, start: int, count: int) -> np.ndarray:
        """Samples [start, start + count), [count] int16; silence before 0 and after the end."""
        positions = np.arange(start, start + count)
        heard = positions >= 0
        if self._looped:
            positions = positions % len(self._samples)
        else:
            heard &= positions < len(self._samples)
        taken = np.zeros(count, np.int16)
        taken[heard] = self._samples[positions[heard]]
        return taken


class SoundTrack(MediaStreamTrack):
    """A microphone that hears a `SentSound`, 20 ms a packet."""

    kind = "audio"

    def __init__(self, sound: SentSound) -> None:
        """Start at the first packet that the connection asks for."""
        super().__init__()
        self._sound = sound
        self._packets = 0
        self.started: float | None = None
        """Loop time in seconds at which sample 0 was heard; None before the first packet."""

    async def recv(self) -> av.AudioFrame:
        """The next packet, when its last sample has been heard."""
        now = asyncio.get_running_loop().time()
        if self.started is None:
            self.started = now
        position = self._packets * PACKET_SAMPLES
        self._packets += 1
        due = self.started + (position + PACKET_SAMPLES) / RATE
        await asyncio.sleep(max(0.0, due - now))
        return packet_of(self._sound.take(position, PACKET_SAMPLES), position)


def packet_of(samples: np.ndarray, position: int) -> av.AudioFrame:
    """A frame of [n] int16 mono samples at 48 kHz whose first sample is number `position`."""
    frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
    frame.sample_rate, frame.pts = RATE, position
    frame.time_base = fractions.Fraction(1, RATE)
    return frame
