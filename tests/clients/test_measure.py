import numpy as np
import pytest

from clients.measure import (
    Arrivals,
    Offsets,
    block_means,
    find_offset,
    is_frozen,
    percentiles,
    statistics,
)
from clients.sound import SentSound

RATE = 48000


def speech_like(seconds: float, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    noise = np.convolve(random.normal(0, 3000, int(seconds * RATE)), np.ones(6) / 6, "same")
    syllables = np.repeat(random.uniform(0.05, 1, int(seconds * 8) + 1), RATE // 8)
    return (noise * syllables[: len(noise)]).astype(np.int16)


@pytest.mark.parametrize("offset", [0, 624, -9600, 30000])
def test_offset_of_delayed_noisy_sound_is_found_within_a_millisecond(offset):
    sent = SentSound(speech_like(10))
    start = 96000
    returned = sent.take(start - offset, 96000).astype(float)
    returned += np.random.default_rng(1).normal(0, 100, len(returned))
    found = find_offset(returned.astype(np.int16), start, sent.take, -48000, 48000)
    assert abs(found - offset) <= 48


def test_silence_and_unlike_sound_have_no_offset():
    sent = SentSound(speech_like(10))
    silence = np.zeros(96000, np.int16)
    assert find_offset(silence, 96000, sent.take, -4800, 48000) is None
    assert find_offset(speech_like(2, seed=5), 96000, sent.take, -4800, 48000) is None


def test_offset_is_not_mistaken_by_one_round_of_a_short_loop():
    sent = SentSound(speech_like(0.7), looped=True)
    returned = sent.take(480000 - 7000, 96000)
    assert find_offset(returned, 480000, sent.take, 0, 96000) == pytest.approx(7000, abs=3)


def test_offset_of_the_nearest_window_counts():
    offsets = Offsets([100, 300, 500], [1, 2, 3])
    assert offsets.at(np.array([0, 150, 260, 450, 9000])).tolist() == [1, 1, 2, 3, 3]
    assert Offsets([100], [7]).at(np.array([0, 900])).tolist() == [7, 7]


def call_of(n_pictures: int, missing=(), skew_s=0.0, delay_s=0.15, offset=960):
    """A call whose sound returns after `delay_s` and whose pictures come `skew_s` after it."""
    arrivals, started = Arrivals(), 1000.0
    for packet in range(2 * n_pictures):
        position = 960 * packet
        arrivals.sound(position, started + (position - offset) / RATE + delay_s)
    for index in sorted(set(range(n_pictures)) - set(missing)):
        arrivals.picture(index, started + (1920 * index - offset) / RATE + delay_s + skew_s)
    return statistics(arrivals, Offsets([96000], [offset]), started)


def test_figures_of_a_call_are_those_it_was_made_with():
    figures = call_of(250, missing=(40, 41), skew_s=0.02)
    assert figures["frames"] == 248
    assert figures["dropped_frames"] == 2
    assert figures["fps"] == pytest.approx(25 * 247 / 249, abs=0.01)
    assert figures["av_skew_ms"] == pytest.approx(20, abs=0.1)
    assert figures["mic_to_sound_ms"] == pytest.approx({"p50": 150, "p95": 150}, abs=0.1)
    assert figures["mic_to_picture_ms"] == pytest.approx({"p50": 170, "p95": 170}, abs=0.1)


def test_without_an_offset_there_are_no_delays_instead_of_wrong_ones():
    arrivals = Arrivals()
    arrivals.picture(0, 1.0)
    figures = statistics(arrivals, Offsets(), 0.0)
    assert figures["mic_to_picture_ms"] is None
    assert figures["mic_to_sound_ms"] is None
    assert figures["av_skew_ms"] is None


def test_a_call_without_pictures_has_figures():
    figures = statistics(Arrivals(), Offsets(), 0.0)
    assert (figures["frames"], figures["fps"], figures["dropped_frames"]) == (0, 0.0, 0)


def test_coding_noise_is_frozen_and_a_small_movement_is_not():
    random = np.random.default_rng(0)
    picture = random.integers(40, 200, (64, 64)).astype(np.uint8)
    noisy = (picture + random.integers(-2, 3, picture.shape)).astype(np.uint8)
    moved = picture.copy()
    moved[20:30, 20:30] += 9
    assert is_frozen(block_means(picture), block_means(noisy))
    assert not is_frozen(block_means(picture), block_means(moved))


def test_percentiles_of_nothing_are_none():
    assert percentiles(np.zeros(0)) is None
    assert percentiles(np.arange(101.0)) == {"p50": 50.0, "p95": 95.0}
