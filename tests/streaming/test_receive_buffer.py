"""The receive buffer in virtual time: nothing here waits."""

from __future__ import annotations

import numpy as np
import pytest

from streaming import receive_buffer
from streaming.opus import RATE, opus_samples
from streaming.receive_buffer import ReceiveBuffer

PACKET = bytes([0xFC]) + b"sound"  # CELT, fullband, one frame of 20 ms
SSRC = 1


def play(arrivals: list[tuple[float, int]], until_s: float, first_timestamp: int = 0):
    """Let packets (time of arrival, number) in; the row as (time, number or None) per 20 ms."""
    buffer, row = ReceiveBuffer(0.0), []
    events = [*sorted(arrivals), (until_s, -1)]
    now_s = 0.0
    for at_s, number in events:
        while buffer.due_s() < at_s:
            now_s = max(now_s, buffer.due_s() + 1e-6)
            row += [(now_s, p) for p in buffer.pop(now_s)]
        now_s = max(now_s, at_s)
        if number >= 0:
            payload = PACKET + number.to_bytes(4, "big")
            buffer.add(SSRC, (first_timestamp + 960 * number) % (1 << 32), payload, now_s)
            row += [(now_s, p) for p in buffer.pop(now_s)]
    numbered = [
        (t, None if p.payload is None else int.from_bytes(p.payload[-4:], "big"), p.n_samples)
        for t, p in row
    ]
    return buffer, numbered


def network(n: int, delay_s=lambda i: 0.0, lost=lambda i: False) -> list[tuple[float, int]]:
    return [(0.1 + 0.02 * i + delay_s(i), i) for i in range(n) if not lost(i)]


def test_even_packets_are_let_go_on_arrival():
    arrivals = network(100)
    _, row = play(arrivals, arrivals[-1][0])
    assert [(t, n) for t, n, _ in row] == arrivals


def test_a_reordered_pair_comes_out_in_order_and_unconcealed():
    arrivals = network(50, delay_s=lambda i: 0.025 if i == 20 else 0.0)
    _, row = play(arrivals, arrivals[-1][0])
    assert [n for _, n, _ in row] == list(range(50))


def test_a_lost_packet_leaves_exactly_its_own_time_to_concealment():
    arrivals = network(60, lost=lambda i: i in (20, 40, 41))
    _, row = play(arrivals, arrivals[-1][0])
    expected = [None if i in (20, 40, 41) else i for i in range(60)]
    assert [n for _, n, _ in row] == expected
    assert all(samples == 960 for _, _, samples in row)


@pytest.mark.parametrize("first", [0, (1 << 32) - 960 * 10, (1 << 31) - 960 * 10])
def test_timestamps_may_wrap(first):
    arrivals = network(50)
    _, row = play(arrivals, arrivals[-1][0], first)
    assert [n for _, n, _ in row] == list(range(50))


def test_uneven_packets_are_waited_for_once_the_jitter_is_known():
    rng = np.random.default_rng(0)
    delays = rng.uniform(0, 0.06, 1000)
    arrivals = network(1000, delay_s=lambda i: delays[i], lost=lambda i: i % 20 == 7)
    buffer, row = play(arrivals, arrivals[-1][0])
    heard = {n for _, n, _ in row if n is not None}
    sent = {i for i in range(50, 990) if i % 20 != 7}
    assert len(sent - heard) <= 0.02 * len(sent)
    assert 0.05 < buffer.patience_s <= 0.1


def test_delay_is_back_three_seconds_after_an_impairment_ends():
    rng = np.random.default_rng(0)
    delays = np.where(np.arange(600) < 300, 0.15 + rng.uniform(0, 0.1, 600), 0.0)
    arrivals = network(600, delay_s=lambda i: delays[i], lost=lambda i: i < 300 and i % 10 == 3)
    buffer, row = play(arrivals, arrivals[-1][0])
    delay = {n: t - 0.02 * n - 0.1 for t, n, _ in row if n is not None}
    assert max(delay[i] for i in range(450, 600)) < 0.001
    assert buffer.patience_s == 0.03


def test_without_packets_silence_goes_on_at_the_speed_of_sound():
    _, row = play(network(50), until_s=11.1)
    concealed = sum(samples for _, number, samples in row if number is None)
    assert concealed / RATE == pytest.approx(10.0, abs=0.1)


def test_a_caller_who_never_sends_is_silent_not_stuck():
    _, row = play([], until_s=2.0)
    assert sum(samples for *_, samples in row) / RATE == pytest.approx(1.5, abs=0.1)


def test_after_a_network_pause_sound_continues_on_its_own_grid():
    arrivals = network(400, lost=lambda i: 100 <= i < 250)
    _, row = play(arrivals, arrivals[-1][0])
    assert [n for _, n, _ in row] == [None if 100 <= i < 250 else i for i in range(400)]
    delay = [t - 0.02 * n - 0.1 for t, n, _ in row if n is not None]
    assert max(delay) < 0.031 and delay[-1] < 0.001


def test_a_sender_that_paused_its_own_clock_is_heard_again_soon():
    arrivals = network(400, delay_s=lambda i: 5.0 if i >= 100 else 0.0)
    _, row = play(arrivals, arrivals[-1][0])
    resumed = [(t, n) for t, n, _ in row if n is not None and n >= 100]
    assert resumed[0][0] < 0.1 + 2.0 + 5.0 + 0.5
    assert [n for _, n in resumed] == list(range(resumed[0][1], 400))


def test_timestamps_that_jump_ahead_do_not_stall_the_row():
    buffer, numbers = ReceiveBuffer(0.0), []
    for i in range(200):
        now_s = 0.1 + 0.02 * i
        jump = RATE * 60 if i >= 100 else 0
        buffer.add(SSRC, 960 * i + jump, PACKET, now_s)
        numbers += [p.payload for p in buffer.pop(now_s)]
    assert len(numbers) >= 180
    assert all(payload is not None for payload in numbers[-50:])


def test_a_new_source_takes_over_at_once():
    buffer = ReceiveBuffer(0.0)
    for i in range(10):
        buffer.add(1, 960 * i, PACKET, 0.02 * i)
        buffer.pop(0.02 * i)
    buffer.add(2, 123456, PACKET, 0.2)
    assert [p.payload for p in buffer.pop(0.2)] == [PACKET]


def test_what_waits_is_bounded_and_what_it_pushes_out_is_counted(monkeypatch):
    monkeypatch.setattr(receive_buffer, "MOST_WAITING", 5)
    buffer = ReceiveBuffer(0.0)
    buffer.add(SSRC, 0, PACKET, 0.0)
    buffer.pop(0.0)
    for i in range(2, 2 + 12):
        buffer.add(SSRC, 960 * i, PACKET, 0.001)
    assert len(buffer._waiting) == 5
    assert buffer.late_packets == 7


@pytest.mark.parametrize("payload", [b"", b"\xff", b"\xff\x00", b"\xff\x3f"])
def test_an_impossible_packet_is_refused_and_does_no_harm(payload):
    with pytest.raises(ValueError, match="Opus"):
        opus_samples(payload)
    buffer = ReceiveBuffer(0.0)
    buffer.add(SSRC, 0, payload, 0.0)
    assert buffer.pop(0.0) == []
