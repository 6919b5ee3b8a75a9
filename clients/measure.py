"""How late, how steady and how synchronous a call was, from arrival times and correlated sound.

Picture j and the returned sound [1920 j, 1920 (j + 1)) at 48 kHz belong together (docs/wire.md),
and both tracks number from the same step. Where in *our* sound a returned sample comes from is
found by cross-correlation, so nothing here trusts the server's word.

    our sound       ....|=== s ===|...............   heard at  started + s / 48000
    returned sound  ..........|=== p ===|.........   p - offset = s, arrives at its packet's time
    picture         ..........|# j # ...             j = p // 1920, arrives when it is decoded
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

RATE = 48000
PICTURE_SAMPLES = 1920
DECIMATION = 3
LONGEST_DELAY_S = 2.0
LEAST_LIKENESS = 0.5
LEAST_LOUDNESS = 60.0
BLOCK = 8
STILL_LEVELS = 1.1


@dataclass
class Arrivals:
    """When what arrived: loop times in seconds, pictures by index, sound by sample position."""

    pictures: array = field(default_factory=lambda: array("q"))
    picture_times: array = field(default_factory=lambda: array("d"))
    sounds: array = field(default_factory=lambda: array("q"))
    sound_times: array = field(default_factory=lambda: array("d"))

    def picture(self, index: int, time: float) -> None:
        """Note that picture `index` was decoded at `time`."""
        self.pictures.append(index)
        self.picture_times.append(time)

    def sound(self, position: int, time: float) -> None:
        """Note that the packet whose first sample is `position` was decoded at `time`."""
        self.sounds.append(position)
        self.sound_times.append(time)


@dataclass
class Offsets:
    """The measured `offset` of returned sound: sample p of it is our sample p - offset.

    positions: middles of the windows, in returned samples.
    values: their offsets in samples at 48 kHz.
    """

    positions: list[int] = field(default_factory=list)
    values: list[int] = field(default_factory=list)

    def at(self, positions: np.ndarray) -> np.ndarray:
        """The offset of the window nearest to each position, [n] int64; needs one window."""
        middles = np.array(self.positions)
        after = np.clip(np.searchsorted(middles, positions), 1, max(1, len(middles) - 1))
        if len(middles) == 1:
            return np.full(len(positions), self.values[0])
        nearer_before = positions - middles[after - 1] <= middles[after] - positions
        return np.array(self.values)[np.where(nearer_before, after - 1, after)]


def brightened(samples: np.ndarray) -> np.ndarray:
    """[S] int16 at 48 kHz -> [S // 3 - 1] float32 at 16 kHz, differences of means of three.

    Opus in its voice mode turns the phase of low tones, and speech is mostly low tones. Likeness of
    returned speech is 0.5 to 0.7 as it is and 0.86 to 0.97 between differences.
    """
    whole = len(samples) // DECIMATION * DECIMATION
    return np.diff(samples[:whole].reshape(-1, DECIMATION).mean(axis=1, dtype=np.float32))


def find_offset(
    returned: np.ndarray,
    start: int,
    take_sent: Callable[[int, int], np.ndarray],
    lowest: int,
    highest: int,
) -> int | None:
    """The offset at which a stretch of returned sound is most like ours.

    Args:
        returned: [S] int16, returned samples [start, start + S) at 48 kHz.
        start: position of its first sample.
        take_sent: (start, count) -> [count] int16 of our sound.
        lowest: smallest offset to look at, in samples.
        highest: largest offset to look at.

    Returns:
        The offset in samples at 48 kHz, in steps of 3; None where the stretch is silent or unlike
        everything we sent in that range.
    """
    if returned.astype(np.float32).std() < LEAST_LOUDNESS:
        return None
    sent = take_sent(start - highest, len(returned) + highest - lowest)
    likeness = normalised_correlation(brightened(sent), brightened(returned))
    best = int(likeness.argmax())
    return highest - best * DECIMATION if likeness[best] >= LEAST_LIKENESS else None


def normalised_correlation(long: np.ndarray, short: np.ndarray) -> np.ndarray:
    """Cosine of `short` [M] against every stretch of `long` [N], [N - M + 1] float, -1..1."""
    n_fft = 1 << (len(long) + len(short) - 1).bit_length()
    spectrum = np.fft.rfft(long, n_fft) * np.conj(np.fft.rfft(short, n_fft))
    products = np.fft.irfft(spectrum, n_fft)[: len(long) - len(short) + 1]
    energy = np.concatenate(([0.0], np.cumsum(long.astype(np.float64) ** 2)))
    stretch = np.sqrt(np.maximum(energy[len(short) :] - energy[: -len(short)], 1.0))
    return products / (stretch * max(float(np.linalg.norm(short)), 1.0))


def block_means(luma: np.ndarray) -> np.ndarray:
    """[H, W] uint8 -> [H // 8, W // 8] float32, the mean of every 8 x 8 block."""
    H, W = luma.shape
    blocks = luma[: H // BLOCK * BLOCK, : W // BLOCK * BLOCK].reshape(H // BLOCK, BLOCK, -1, BLOCK)
    return blocks.mean(axis=(1, 3), dtype=np.float32)


def is_frozen(previous: np.ndarray, current: np.ndarray) -> bool:
    """Whether two pictures, as `block_means`, are the same but for coding noise.

    VP8 at 0.5 to 1.5 Mbit/s, given the same face again, refines a few blocks: 99 of 100 change by
    less than 1.1 levels of 255. A resting face that sways changes more than one in 100 by 1.2.
    """
    return bool(np.percentile(np.abs(current - previous), 99) < STILL_LEVELS)


def statistics(arrivals: Arrivals, offsets: Offsets, started: float) -> dict[str, Any]:
    """The figures of a call.

    Args:
        arrivals: of the whole call.
        offsets: of the whole call; delays are None without any.
        started: loop time at which sample 0 of our sound was heard.

    Returns:
        frames; fps over the time between first and last picture; dropped_frames, the steps between
        them without a picture; av_skew_ms, the median of a picture's arrival minus its sound's;
        mic_to_sound_ms and mic_to_picture_ms as p50 and p95, from the moment at which the first
        sample of a packet or picture was heard.
    """
    pictures, times = np.array(arrivals.pictures), np.array(arrivals.picture_times)
    sounds, sound_times = np.array(arrivals.sounds), np.array(arrivals.sound_times)
    span = times[-1] - times[0] if len(times) > 1 else 0.0
    return {
        "frames": len(pictures),
        "fps": round((len(pictures) - 1) / span, 3) if span else 0.0,
        "dropped_frames": int(pictures[-1] - pictures[0] + 1 - len(pictures)) if span else 0,
        "mic_to_sound_ms": percentiles(delays_ms(sounds, sound_times, offsets, started)),
        "av_skew_ms": skew_ms(pictures * PICTURE_SAMPLES, times, sounds, sound_times),
        "mic_to_picture_ms": percentiles(
            delays_ms(pictures * PICTURE_SAMPLES, times, offsets, started)
        ),
    }


def delays_ms(
    positions: np.ndarray, times: np.ndarray, offsets: Offsets, started: float
) -> np.ndarray:
    """Arrival minus the time at which our sound of that place was heard, [n] ms.

    Empty without a measured offset. Returned sound from before our first sample is left out.
    """
    if not offsets.values or not len(positions):
        return np.zeros(0)
    ours = positions - offsets.at(positions)
    heard = ours >= 0
    return (times[heard] - started - ours[heard] / RATE) * 1e3


def skew_ms(
    positions: np.ndarray, times: np.ndarray, sounds: np.ndarray, sound_times: np.ndarray
) -> float | None:
    """Median of picture arrivals minus arrivals of the packets that begin where they begin."""
    _, of_picture, of_sound = np.intersect1d(positions, sounds, return_indices=True)
    if not len(of_picture):
        return None
    return round(float(np.median(times[of_picture] - sound_times[of_sound])) * 1e3, 1)


def percentiles(values: np.ndarray) -> dict[str, float] | None:
    """p50 and p95 of [n] values, None of none."""
    if not len(values):
        return None
    p50, p95 = np.percentile(values, (50, 95))
    return {"p50": round(float(p50), 1), "p95": round(float(p95), 1)}
