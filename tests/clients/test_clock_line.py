"""A stream's clock, found through noisy stamps."""

from __future__ import annotations

import numpy as np
import pytest

from clients.clock_line import MOST_DRIFT, RATE, ClockLine


def stamped(line: ClockLine, ppm: float, seconds: range, ahead_s: float = 0.0) -> None:
    """Fifty stamps a second, up to 5 ms off, of a stream that is `ppm` fast."""
    random = np.random.default_rng(0)
    for at_s in np.arange(seconds.start, seconds.stop, 0.02):
        position = RATE * (at_s * (1 + ppm * 1e-6) + ahead_s)
        line.add(position, at_s + random.uniform(-0.005, 0.005))


@pytest.mark.parametrize("ppm", [-400, 0, 200])
def test_the_rate_is_found_within_two_minutes(ppm):
    line = ClockLine()
    stamped(line, ppm, range(120))
    assert (line.rate - 1) * 1e6 == pytest.approx(ppm, abs=20)


def test_position_and_time_are_each_other_s_inverse():
    line = ClockLine()
    stamped(line, 200, range(60))
    assert line.time_of(line.position_at(61.0)) == pytest.approx(61.0, abs=1e-6)
    assert line.position_at(60.0) / RATE == pytest.approx(60.012, abs=0.003)


def test_one_wild_stamp_moves_the_line_by_a_millisecond_at_most():
    line = ClockLine()
    stamped(line, 0, range(20))
    before = line.position_at(20.0)
    line.add(20 * RATE + 3 * RATE, 20.0)
    assert abs(line.position_at(20.0) - before) / RATE < 0.0011
    assert line.jumps == 0


def test_a_shift_that_stays_is_followed():
    line = ClockLine()
    stamped(line, 0, range(20))
    stamped(line, 0, range(20, 23), ahead_s=-0.5)
    assert line.jumps == 1
    assert line.position_at(23.0) / RATE == pytest.approx(22.5, abs=0.005)


def test_no_stamp_makes_a_rate_that_no_crystal_has():
    line = ClockLine()
    stamped(line, 50_000, range(60))
    assert abs(line.rate - 1) <= MOST_DRIFT
