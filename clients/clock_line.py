"""One clock seen from another: a line through noisy stamps of a stream's position.

A sound device, or a sender far away, counts samples by a crystal of its own. Its rate against this
machine's clock, and where it is now, come from stamps that are late by whole milliseconds. Time
comes in as an argument; nothing here reads a clock. Read next: `clients/playback_buffer.py`.
"""

from __future__ import annotations

import math

RATE = 48000
MEMORY_S = 60.0
"""Stamps weigh 1/e in the rate after so long: 5 ms of jitter 50 times a second are 2 ppm then."""
PRIOR = 50000.0
"""Weight of "both clocks agree", in stamps times s^2: outweighed after some 25 s of stamps."""
MOST_DRIFT = 1e-3
"""No crystal is further off; what is, is a disturbance."""
PLACE_STAMPS = 50
"""The line's place follows the last stamps, its rate all that are remembered."""
JUMP_S = 0.05
JUMPED_STAMPS = 25
"""So many stamps in a row further off than `JUMP_S` are a shift of the line and not a delay."""


class ClockLine:
    """The position of a 48 kHz stream as a straight line over time.

    The rate is a least-squares fit with exponential forgetting, kept as running moments; the place
    is a running mean. Constant memory and time. A stamp far off pulls with `jump_s` at most.
    """

    def __init__(self, jump_s: float = JUMP_S, jumped_stamps: int = JUMPED_STAMPS) -> None:
        """A clock of which nothing is known yet.

        Args:
            jump_s: stamps are usually less than this from the line.
            jumped_stamps: after so many others in a row the line is moved to them.
        """
        self.jumps = 0
        self._jump_s, self._jumped_stamps = jump_s, jumped_stamps
        self._far = 0
        self._n_placed = 0  # stamps since the line was last moved
        self._place_t = self._place_e = 0.0  # a point of the line: time, and how far ahead
        self._weight = self._mean_t = self._mean_e = self._spread_tt = self._spread_te = 0.0

    @property
    def rate(self) -> float:
        """Seconds of the stream in one second of this machine; 1.0002 is 200 ppm fast."""
        return 1.0 + self._drift()

    @property
    def is_known(self) -> bool:
        """Whether the line has a place."""
        return self._n_placed > 0

    def add(self, position: float, at_s: float) -> None:
        """Learn that the stream was at sample `position` at time `at_s`, seconds."""
        ahead_s = position / RATE - at_s
        if not self.is_known:
            self._place_t, self._place_e = at_s, ahead_s
        beyond_s = ahead_s - self._line(at_s)
        self._far = self._far + 1 if abs(beyond_s) > self._jump_s else 0
        if self._far >= self._jumped_stamps:
            self.shift()
            self._place_t, self._place_e = at_s, ahead_s
            beyond_s = 0.0
        self._place(at_s, min(max(beyond_s, -self._jump_s), self._jump_s))

    def shift(self) -> None:
        """Let the line go through the stamps to come: the stream has paused or skipped."""
        self.jumps += self.is_known
        self._n_placed = self._far = 0
        self._weight = 0.0  # the rate's moments are about a mean that is found again

    def position_at(self, time_s: float) -> float:
        """The sample at which the stream is at a time, on the line."""
        return RATE * (time_s + self._line(time_s))

    def time_of(self, position: float) -> float:
        """When the stream is at a sample, seconds, on the line."""
        return self._place_t + (position / RATE - self._place_t - self._place_e) / self.rate

    def _drift(self) -> float:
        return min(max(self._spread_te / (self._spread_tt + PRIOR), -MOST_DRIFT), MOST_DRIFT)

    def _line(self, time_s: float) -> float:
        """How far ahead of this machine's clock the stream is, seconds."""
        return self._place_e + self._drift() * (time_s - self._place_t)

    def _place(self, at_s: float, beyond_s: float) -> None:
        """Move the line's point to `at_s` and towards a stamp, and fit the rate to the stamp."""
        line_s = self._line(at_s)
        self._fit(at_s, line_s + beyond_s, max(0.0, at_s - self._place_t))
        self._n_placed = min(self._n_placed + 1, PLACE_STAMPS)
        self._place_t, self._place_e = at_s, line_s + beyond_s / self._n_placed

    def _fit(self, t: float, e: float, passed_s: float) -> None:
        fade = math.exp(-passed_s / MEMORY_S)
        self._weight, self._spread_tt, self._spread_te = (
            fade * moment for moment in (self._weight, self._spread_tt, self._spread_te)
        )
        if self._weight == 0:
            self._mean_t, self._mean_e = t, e
        self._weight += 1.0
        from_t, from_e = t - self._mean_t, e - self._mean_e
        self._mean_t += from_t / self._weight
        self._mean_e += from_e / self._weight
        self._spread_tt += from_t * (t - self._mean_t)
        self._spread_te += from_t * (e - self._mean_e)
