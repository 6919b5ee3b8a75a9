"""Bit rates of the picture: in order, and beyond what aiortc allows by itself."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.bit_rates import BitRates
from tests.streaming.conftest import until
from tests.streaming.meter import MeterEngine, MeterStream

AIORTC_MOST = 1_500_000


class NoiseEngine(MeterEngine):
    """Pictures that take as many bits as the encoder may spend."""

    def open_stream(self, seed=None):
        stream, rng = MeterStream(self.size), np.random.default_rng(0)
        stream.step = lambda features, render=True: rng.integers(
            0, 256, (self.size, self.size, 3), np.uint8
        )
        return stream


def test_defaults_follow_the_size_and_what_is_given_replaces_them():
    assert BitRates.of_picture(512) == BitRates(1_572_864, 393_216, 3_145_728)
    assert BitRates.of_picture(512, 4_000_000) == BitRates(4_000_000, 1_000_000, 8_000_000)
    assert BitRates.of_picture(512, highest=800_000) == BitRates(800_000, 200_000, 800_000)
    assert BitRates.of_picture(512, lowest=2_000_000).start == 2_000_000
    assert BitRates.of_picture(256, 100_000).lowest == 50_000


@pytest.mark.parametrize(
    "rates", [(0, None, None), (1000, 500, 900), (1_000_000, 2_000_000, None), (60_000_000,) * 3]
)
def test_rates_out_of_order_are_refused(rates):
    with pytest.raises(ValueError, match="kbit/s"):
        BitRates.of_picture(512, *rates)


async def test_the_picture_uses_a_rate_that_aiortc_by_itself_forbids(start_server, callers):
    rates = BitRates(3_000_000, 3_000_000, 3_000_000)
    caller = callers(await start_server(NoiseEngine(256), bit_rates=rates))
    await caller.call()
    await until(lambda: len(caller.seen) > 30)
    transport = caller.connection.getSenders()[0].transport
    received, begun = received_bytes(transport), caller.seen[-1].at_s
    await until(lambda: caller.seen[-1].at_s > begun + 3)
    seconds = caller.seen[-1].at_s - begun
    assert (received_bytes(transport) - received) * 8 / seconds > 1.3 * AIORTC_MOST


def received_bytes(transport) -> int:
    (stats,) = [s for s in transport._get_stats().values() if s.type == "transport"]
    return stats.bytesReceived
