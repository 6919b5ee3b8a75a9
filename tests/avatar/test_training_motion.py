"""The data maker and the training loop, at toy size on synthetic tones."""

import csv

import numpy as np
import pytest
import torch

from avatar.training.channel import Channel, another_speaker, through_opus, transmitted
from avatar.training.corpus import load_utterances, save_utterances
from avatar.training.motion_data import speech_examples
from avatar.training.motion_loop import Schedule, train
from avatar.training.mouth_shapes import Range, gap_per_shape, shape_weights, width_per_shape
from avatar.training.phonemes import SILENCE, Phone, canonical, stretched, with_silence
from avatar.training.takes import FRAMES, SAMPLES, load_takes, make_takes, save_takes, silent_takes
from avatar.training.variation import splice
from avatar.training.visemes import Timing, mouth_measures
from avatar.training.voices import Utterance
from models.lite.motion import load_motion
from models.lite.rig import load_rig

FORMANTS = {"ɑ": (730, 1090), "i": (270, 2290), "u": (300, 870), "m": (250, 0)}


def tone(symbol: str, seconds: float) -> np.ndarray:
    time = np.arange(int(seconds * 16000)) / 16000
    return sum(np.sin(2 * np.pi * f * time) for f in FORMANTS[symbol]) * 0.2


@pytest.fixture(scope="module")
def utterances() -> list[Utterance]:
    rng = np.random.default_rng(0)
    said = []
    for _ in range(3):
        symbols = rng.choice(list(FORMANTS), 10)
        sound = np.concatenate([tone(s, 0.15) for s in symbols]).astype(np.float32)
        phones = [Phone(str(s), 0.15 * i, 0.15 * (i + 1)) for i, s in enumerate(symbols)]
        said.append(Utterance(sound, phones))
    return said


def gap_at(phones: list[Phone], time: float) -> float:
    return float(mouth_measures(phones, 50)[round(time * 25), 0])


def test_lips_close_for_bilabials_and_open_for_vowels():
    word = [Phone("ɑ", 0.2, 0.4), Phone("m", 0.4, 0.5), Phone("ɑ", 0.5, 0.7)]
    assert gap_at(word, 0.32) > 0.7
    assert gap_at(word, 0.44) < 0.1


def test_lips_rest_in_long_pauses_only():
    def word(pause: float) -> list[Phone]:
        end = 0.4 + pause
        phones = [Phone("ɑ", 0.2, 0.4), Phone("ɑ", end, end + 0.2)]
        return with_silence(phones, 2.0)

    assert gap_at(word(0.12), 0.44) > 0.7
    assert gap_at(word(0.8), 0.8) < 0.05


def test_rounded_vowels_are_narrower_than_spread_ones():
    widths = [mouth_measures([Phone(s, 0, 1)], 25)[12, 2] for s in ("u", "ə", "i")]
    assert widths[0] < -0.5 < widths[1] < widths[2]


def test_a_lead_moves_the_lips_ahead_of_the_sound():
    phones = with_silence([Phone("ɑ", 0.8, 1.0)], 2.0)
    early, late = (mouth_measures(phones, 50, Timing(lead=lead))[:, 0] for lead in (0.08, 0.0))
    np.testing.assert_allclose(early[:-2], late[2:], atol=1e-5)


def test_shapes_show_the_gap_and_the_width_that_were_asked_for():
    rig, span = load_rig(), Range()
    measures = mouth_measures(
        [Phone("ɑ", 0.1, 0.3), Phone("u", 0.3, 0.6), Phone("b", 0.6, 0.7)], 25
    )
    weights = shape_weights(measures, rig, span)
    assert weights.min() >= -1e-6
    np.testing.assert_allclose(weights @ gap_per_shape(rig), measures[:, 0] * span.gap, atol=1e-4)
    np.testing.assert_allclose(
        weights @ width_per_shape(rig), measures[:, 2] * span.width, atol=0.01
    )


def test_phonemes_of_every_alphabet_become_plain_ipa():
    given = [Phone("ˈ", 0.0, 0.1), Phone("aɪ", 0.1, 0.3), Phone("ː", 0.3, 0.4)]
    assert canonical(given, "ipa") == [Phone("a", 0.1, 0.2), Phone("ɪ", 0.2, 0.4)]
    assert [p.symbol for p in canonical([Phone("jh", 0, 1), Phone("pau", 1, 2)], "arpabet")] == [
        "d͡ʒ",
        SILENCE,
    ]
    assert canonical([Phone("a1", 0, 1)], "sampa")[0].symbol == "a"


def test_a_faster_speaker_keeps_phonemes_and_sound_together(utterances):
    said = utterances[0]
    rng = np.random.default_rng(1)
    samples, factor = another_speaker(said.samples, rng, Channel(speed=1, vocal_tract=0, whisper=0))
    assert factor != 1.0
    moved = stretched(said.phones, factor)
    assert moved[-1].end == pytest.approx(len(samples) / 16000, abs=0.01)


def test_opus_keeps_the_time(utterances):
    sound = utterances[0].samples * np.random.default_rng(0).normal(size=24000).astype(np.float32)
    heard = through_opus(sound, 64)
    lags = range(-40, 41)
    match = [float(sound[1000:-1000] @ np.roll(heard, lag)[1000:-1000]) for lag in lags]
    assert abs(lags[int(np.argmax(match))]) <= 2


@pytest.mark.parametrize("seed", range(4))
def test_every_channel_keeps_length_and_range(utterances, seed):
    sound = np.resize(utterances[0].samples, 32000)
    heard = transmitted(sound, sound, np.random.default_rng(seed), Channel(opus=0))
    assert heard.shape == sound.shape
    assert np.isfinite(heard).all()
    assert np.abs(heard).max() <= 1.0


def test_corpus_and_takes_come_back_from_disk(tmp_path, utterances):
    save_utterances(tmp_path / "voice.npz", utterances)
    for before, after in zip(utterances, load_utterances(tmp_path / "voice.npz"), strict=True):
        np.testing.assert_allclose(after.samples, before.samples, atol=1e-4)
        assert [p.symbol for p in after.phones] == [p.symbol for p in before.phones]
    babble = np.resize(utterances[0].samples, SAMPLES)
    takes = make_takes(utterances, babble, 2, np.random.default_rng(0), Channel(opus=0))
    assert takes.rows.shape == (2, 4 * FRAMES + 24, 12)
    save_takes(tmp_path / "takes.npz", takes)
    again = load_takes(tmp_path / "takes.npz")
    assert [[p.symbol for p in t] for t in again.phones] == [
        [p.symbol for p in t] for t in takes.phones
    ]


def test_a_splice_keeps_sound_and_lips_together():
    frames = np.arange(1, 201, dtype=np.float32)
    rows = np.concatenate([np.zeros(24), np.repeat(frames, 4)])[:, None].astype(np.float32)
    weights = np.concatenate([np.zeros(2, np.float32), frames[:-2]])[:, None]  # two pictures late
    new_rows, new_weights = splice(rows, weights, np.random.default_rng(0))
    heard = new_rows[24::4, 0]
    assert not np.array_equal(heard, frames)
    np.testing.assert_array_equal(np.sort(heard), frames)
    late = heard[:-2]
    agree = new_weights[2:, 0] == np.minimum(late, 198)
    assert agree.mean() > 0.97


def test_training_learns_resumes_and_exports(tmp_path, utterances):
    torch.set_num_threads(1)
    rig, rng = load_rig(), np.random.default_rng(0)
    babble = np.resize(utterances[0].samples, SAMPLES)
    clean = Channel(speed=0, vocal_tract=0, whisper=0, room=0, noise=0, opus=0)
    save_takes(tmp_path / "tones.npz", make_takes(utterances, babble, 3, rng, clean))
    save_takes(tmp_path / "silence.npz", silent_takes(babble, 1, rng))
    files = [tmp_path / "tones.npz", tmp_path / "silence.npz"]
    examples = speech_examples(files, rig, Timing(), Range())
    for steps in (10, 14):
        schedule = Schedule(steps=steps, batch=2, validate_every=5)
        train(rig, (examples, examples), schedule, (tmp_path, tmp_path), {})
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [5, 10, 14]
    assert float(rows[-1]["held_out_loss"]) < float(rows[0]["held_out_loss"])
    assert load_motion(rig, tmp_path).config.hidden == 192
