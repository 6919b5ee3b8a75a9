"""Received sound between two clocks: it comes at the microphone's pace and goes at the device's.

    put(position, samples)   what has arrived, in the sender's samples
    take(count)              what the device plays next, resampled by the ratio of the two clocks
    heard_at(position)       when that sample leaves the device: pictures are shown by this clock

Drop rules: more than `MOST_EXTRA_S` above the wanted reserve is cut back to it, oldest first
(`skipped_samples`); a packet behind the row is dropped (`late_packets`); a gap in the row is
silence (`missing_samples`); a device that finds nothing plays silence until the reserve is back
(`underruns`), and every time that happens the reserve grows for a while. Time comes in as an
argument. Read next: `clients/sound_card.py`.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

import numpy as np
import samplerate

from clients.clock_line import RATE, ClockLine

RESERVE_S = 0.06
"""Sound that waits on average when the device asks for 20 ms: packets may be 20 to 40 ms late."""
FIRST_RESERVE_S, MOST_RESERVE_S = 0.1, 0.2
RESERVE_STEP_S = 0.02
"""The reserve grows by this with every underrun, and shrinks by it in a minute without one."""
CALM_S = 60.0
DEVICE_JUMP_S, DEVICE_JUMPED_STAMPS = 0.03, 10
MOST_EXTRA_S = 0.15
LONGEST_GAP = RATE
CONVERTER = "sinc_fastest"
"""121 dB of signal to noise for a 440 Hz tone at 200 ppm, 0.1 ms for a block of 20 ms."""
PULL_S = 10.0
"""The reserve is brought back to its size as if over so long: 1 ms off is 100 ppm of pitch."""
SMOOTH_S = 1.0
MOST_PULL = 0.005
"""Bound of the change of pitch, 9 cents."""


@dataclass
class PlaybackCounters:
    """What has been counted since the start; samples of the sender at 48 kHz."""

    skipped_samples: int = 0
    missing_samples: int = 0
    late_packets: int = 0
    underruns: int = 0


class PlaybackBuffer:
    """A short row of sound for one output. Thread-safe: its longest call takes 0.3 ms."""

    def __init__(self) -> None:
        """An empty row."""
        self.counters = PlaybackCounters()
        self.arrivals = ClockLine()
        self.device = ClockLine(DEVICE_JUMP_S, DEVICE_JUMPED_STAMPS)
        self._reserve_s = FIRST_RESERVE_S  # a call begins with work that is done once
        self._lock = threading.Lock()
        self._resampler = samplerate.Resampler(CONVERTER, 1)
        self._blocks: deque[np.ndarray] = deque()
        self._n_queued = 0
        self._end: int | None = None  # position behind the last queued sample
        self._ready = np.empty(0, np.float32)  # resampled, not yet played
        self._ready_end = 0.0  # position behind the last ready sample
        self._rate = 1.0  # samples of the sender for one of the device
        self._lead_s = self._reserve_s
        self._taken = 0  # samples of the device
        self._anchor: tuple[int, float, float] | None = None
        self._is_filling = True

    def put(self, position: int, samples: np.ndarray, now_s: float) -> None:
        """Queue received sound.

        Args:
            position: number of its first sample, as the sender counts.
            samples: [n] int16 at 48 kHz.
            now_s: when it arrived, seconds on the clock that `take` uses.
        """
        with self._lock:
            self.arrivals.add(position + len(samples), now_s)
            if self._end is None or abs(position - self._end) > LONGEST_GAP:
                self._restart(position)
            assert self._end is not None
            if position < self._end:
                self.counters.late_packets += 1
                return
            if position > self._end:
                self.counters.missing_samples += position - self._end
                self._append(np.zeros(position - self._end, np.int16))
            self._append(samples)
            if self._n_queued > (self._reserve_s + MOST_EXTRA_S) * RATE:
                self._skip(self._n_queued - round(self._reserve_s * RATE))

    def take(
        self, count: int, now_s: float, heard_s: float, has_paused: bool = False
    ) -> np.ndarray:
        """The next sound for the device.

        Args:
            count: samples that it wants.
            now_s: present time, seconds.
            heard_s: when the first of them will be heard, on the same clock.
            has_paused: whether the device ran dry since the last call.

        Returns:
            [count] int16 at the device's 48 kHz.
        """
        with self._lock:
            if has_paused:
                self.device.shift()
            self.device.add(self._taken, heard_s)
            played = self._play(count, now_s)
            self._taken += count
        sound = np.zeros(count, np.int16)
        sound[: len(played)] = np.clip(np.rint(played * 32767), -32768, 32767)
        return sound

    def heard_at(self, position: float) -> float | None:
        """When sample `position` is heard, seconds; None while nothing is played."""
        with self._lock:
            if self._anchor is None:
                return None
            taken, start, rate = self._anchor
            return self.device.time_of(taken + (position - start) / rate)

    def _play(self, count: int, now_s: float) -> np.ndarray:
        """At most `count` resampled samples; fewer when the row runs empty."""
        if self._is_filling and not self._begin():
            return self._ready[:0]
        self._steer(count, now_s)
        self._anchor = (self._taken, self._position(), self._rate)
        while len(self._ready) < count and self._blocks:
            self._resample(self._blocks.popleft())
        played, self._ready = self._ready[:count], self._ready[count:]
        self._reserve_s = max(RESERVE_S, self._reserve_s - RESERVE_STEP_S * count / RATE / CALM_S)
        if len(played) < count:
            self.counters.underruns += 1
            self._reserve_s = min(MOST_RESERVE_S, self._reserve_s + RESERVE_STEP_S)
            self._is_filling = True
        return played

    def _begin(self) -> bool:
        """Start to play if the reserve is there."""
        if self._n_queued < self._reserve_s * RATE:
            self._anchor = None
            return False
        self._skip(self._n_queued - round(self._reserve_s * RATE))
        self._is_filling = False
        self._lead_s = self._reserve_s
        return True

    def _steer(self, count: int, now_s: float) -> None:
        """Choose the rate: the clocks' ratio, and a pull that keeps the reserve at its size."""
        lead_s = (self.arrivals.position_at(now_s) - self._position()) / RATE
        self._lead_s += (lead_s - self._lead_s) * min(1.0, count / RATE / SMOOTH_S)
        pull = (self._lead_s - self._reserve_s) / PULL_S
        ratio = self.arrivals.rate / self.device.rate
        self._rate = float(np.clip(ratio + pull, 1 - MOST_PULL, 1 + MOST_PULL))

    def _resample(self, block: np.ndarray) -> None:
        """Move one block behind the ready samples; the converter's phase goes on."""
        self._n_queued -= len(block)
        self._resampler.set_ratio(1 / self._rate)
        ready = self._resampler.process(block.astype(np.float32) / 32767, 1 / self._rate)
        self._ready = np.concatenate((self._ready, ready))
        self._ready_end += len(ready) * self._rate

    def _position(self) -> float:
        """The sender's sample that the device gets next."""
        return self._ready_end - len(self._ready) * self._rate

    def _append(self, samples: np.ndarray) -> None:
        assert self._end is not None
        self._blocks.append(samples)
        self._n_queued += len(samples)
        self._end += len(samples)

    def _skip(self, count: int) -> None:
        """Drop the oldest `count` queued samples; the reserve is what then waits."""
        self.counters.skipped_samples += count
        self._n_queued -= count
        self._ready_end += count
        while count > 0:
            block = self._blocks.popleft()
            if len(block) > count:
                self._blocks.appendleft(block[count:])
            count -= len(block)

    def _restart(self, position: int) -> None:
        """Begin anew at `position`: the first packet, or a sender whose count has jumped."""
        self._blocks.clear()
        self._n_queued = 0
        self._end, self._ready_end = position, float(position)
        self._ready = self._ready[:0]
        self._resampler.reset()
        self._is_filling = True
