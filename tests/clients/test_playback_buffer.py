"""Two simulated clocks against the playback buffer: everything is counted in samples."""

from __future__ import annotations

import numpy as np
import pytest

from clients.clock_line import RATE
from clients.playback_buffer import MOST_EXTRA_S, RESERVE_S, PlaybackBuffer

PACKET = BLOCK = 960
DEVICE_LATENCY_S = 0.07
CLICK_EVERY = RATE
STEP = 1920


def sound_at(position: int) -> np.ndarray:
    """A packet of silence with a click at every whole second, [960] int16."""
    samples = np.zeros(PACKET, np.int16)
    click = -position % CLICK_EVERY
    if click < PACKET:
        samples[click] = 30000
    return samples


class Simulation:
    """A sender and a device with crystals of their own, and late packets and stamps."""

    def __init__(self, sender_ppm: float, device_ppm: float, seed: int = 0) -> None:
        self.buffer = PlaybackBuffer()
        self.sender_hz, self.device_hz = (
            RATE * (1 + ppm * 1e-6) for ppm in (sender_ppm, device_ppm)
        )
        self.random = np.random.default_rng(seed)
        self.sent = self.taken = 0
        self.now_s = self.arrives_s = self.stalled_until_s = 0.0
        self.skews_ms: list[float] = []
        self.reserves_ms: list[float] = []
        self.rates: list[float] = []

    def run(self, seconds: float) -> None:
        """Packets and blocks in the order of their times."""
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            asked_s = self.taken / self.device_hz
            self.now_s = min(self.arrives_s, asked_s)
            if self.arrives_s < asked_s:
                self._arrive()
            else:
                self._ask(asked_s)

    def _arrive(self) -> None:
        """A packet; the next one is 0 to 15 ms late, now and then behind a stall of 20 ms."""
        self.buffer.put(self.sent, sound_at(self.sent), self.arrives_s)
        self.sent += PACKET
        due_s = (self.sent + PACKET) / self.sender_hz
        if self.random.random() < 0.001:
            self.stalled_until_s = due_s + 0.02
        late_s = min(self.random.exponential(0.003), 0.015)
        self.arrives_s = max(due_s + late_s, self.stalled_until_s)

    def _ask(self, asked_s: float) -> None:
        """The device's call, up to 5 ms late, with a stamp that is off by up to 5 ms."""
        heard_s = asked_s + DEVICE_LATENCY_S
        stamp_s = heard_s + self.random.uniform(-0.005, 0.005)
        played = self.buffer.take(BLOCK, asked_s + self.random.uniform(0, 0.005), stamp_s)
        if len(clicks := np.flatnonzero(played > 15000)):
            self._hear(heard_s + clicks[0] / self.device_hz)
        self.taken += BLOCK
        self.reserves_ms.append(self.buffer._n_queued / 48)
        self.rates.append(self.buffer._rate)

    def _hear(self, truly_s: float) -> None:
        """Compare with the moment at which the picture of this sound is shown."""
        position = self._position_of(truly_s)
        shown_s = self.buffer.heard_at(position)
        assert shown_s is not None
        self.skews_ms.append((shown_s - truly_s) * 1000)

    def _position_of(self, heard_s: float) -> int:
        """The click that was heard: they are a second apart and 0.1 to 0.3 s old."""
        sent_s = heard_s - 0.2
        return round(sent_s * self.sender_hz / CLICK_EVERY) * CLICK_EVERY


def assert_in_step(simulation: Simulation, least: int) -> None:
    assert len(simulation.skews_ms) >= least
    assert max(np.abs(simulation.skews_ms)) < 10
    assert max(simulation.reserves_ms) < (RESERVE_S + MOST_EXTRA_S) * 1000
    assert simulation.buffer.counters.skipped_samples == 0
    assert simulation.buffer.counters.underruns <= 1


@pytest.mark.slow
def test_400_ppm_between_microphone_and_output_keep_picture_and_sound_together():
    """Unsteered, the sound would be 120 ms off in the end, and the reserve empty or doubled."""
    simulation = Simulation(sender_ppm=200, device_ppm=-200)
    simulation.run(300)
    assert_in_step(simulation, 295)
    reserve = np.array(simulation.reserves_ms[6000:])
    assert abs(reserve[:2000].mean() - reserve[-2000:].mean()) < 5
    assert simulation.buffer.arrivals.rate == pytest.approx(1.0002, abs=3e-5)
    assert simulation.buffer.device.rate == pytest.approx(0.9998, abs=3e-5)


def test_a_late_burst_makes_the_reserve_grow_and_leaves_the_places_right():
    simulation = Simulation(sender_ppm=0, device_ppm=0)
    simulation.run(20)
    simulation.stalled_until_s = simulation.now_s + 0.3
    simulation.run(20)
    simulation.skews_ms.clear()
    simulation.run(20)
    counters = simulation.buffer.counters
    assert counters.underruns > 0
    assert counters.late_packets == counters.missing_samples == 0
    assert max(np.abs(simulation.skews_ms)) < 10


def test_a_gap_in_the_row_is_as_much_silence():
    buffer = PlaybackBuffer()
    tone = np.full(PACKET, 8000, np.int16)
    played = []
    for index in range(40):
        if index not in (20, 21):
            buffer.put(index * PACKET, tone, index * 0.02)
        if index >= 6:
            played.append(buffer.take(BLOCK, index * 0.02, index * 0.02 + 0.07))
    silence = np.flatnonzero(np.abs(np.concatenate(played)[BLOCK:]) < 100)
    assert buffer.counters.missing_samples == 2 * PACKET
    assert len(silence) == pytest.approx(2 * PACKET, abs=150)


def test_more_than_the_bound_is_cut_back_to_the_reserve_oldest_first():
    buffer = PlaybackBuffer()
    for index in range(50):
        buffer.put(index * PACKET, np.full(PACKET, index * 100, np.int16), 0.0)
    most = (0.1 + MOST_EXTRA_S) * RATE
    assert buffer._n_queued <= most
    assert buffer.counters.skipped_samples == 50 * PACKET - buffer._n_queued
    assert buffer.take(BLOCK, 0.0, 0.1).max() > 3000


def test_a_packet_behind_the_row_is_dropped_and_counted():
    buffer = PlaybackBuffer()
    for position in (0, PACKET, 0, 2 * PACKET):
        buffer.put(position, np.zeros(PACKET, np.int16), 0.0)
    assert buffer.counters.late_packets == 1
    assert buffer._n_queued == 3 * PACKET


def test_nothing_is_heard_before_the_reserve_is_there():
    buffer = PlaybackBuffer()
    buffer.put(0, np.full(PACKET, 8000, np.int16), 0.0)
    assert not buffer.take(BLOCK, 0.0, 0.1).any()
    assert buffer.heard_at(0) is None


def test_a_sender_that_counts_anew_is_followed():
    buffer = PlaybackBuffer()
    for start in (0, 10 * RATE):
        for index in range(10):
            buffer.put(start + index * PACKET, np.zeros(PACKET, np.int16), index * 0.02)
    buffer.take(BLOCK, 0.2, 0.3)
    heard_s = buffer.heard_at(10 * RATE + 5 * PACKET)
    assert heard_s == pytest.approx(0.3, abs=0.15)


def test_resampled_sound_keeps_its_pitch_and_its_purity():
    """A sender 200 ppm fast, resampled: a 440 Hz tone stays one, 60 dB above everything else."""
    buffer, hz = PlaybackBuffer(), RATE * 1.0002
    played, sent = [], 0
    for k in range(3000):
        now_s = k * 0.02
        while (sent + PACKET) / hz <= now_s:
            tone = 12000 * np.sin(2 * np.pi * 440 * np.arange(sent, sent + PACKET) / hz)
            buffer.put(sent, tone.astype(np.int16), (sent + PACKET) / hz)
            sent += PACKET
        played.append(buffer.take(BLOCK, now_s, now_s + 0.07))
    assert buffer.counters.underruns == buffer.counters.skipped_samples == 0
    last = np.concatenate(played[-500:]) * np.blackman(500 * BLOCK)
    power = np.abs(np.fft.rfft(last)) ** 2
    peak = int(power.argmax())
    assert peak * RATE / len(last) == pytest.approx(440, abs=0.5)
    near = power[peak - 10 : peak + 11].sum()
    assert 10 * np.log10(near / (power.sum() - near)) > 60
