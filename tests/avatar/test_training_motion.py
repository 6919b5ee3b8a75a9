"""The data maker and the training loop, at toy size on synthetic tones."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

import models
from avatar.training import motion_data
from avatar.training.channel import Channel, another_speaker, through_opus, transmitted
from avatar.training.corpus import load_utterances, save_utterances
from avatar.training.motion import assigned
from avatar.training.motion_loop import Schedule, closing_loss, train
from avatar.training.mouth_shapes import Range, gap_per_shape, shape_weights, width_per_shape
from avatar.training.music import played
from avatar.training.phonemes import SILENCE, Phone, canonical, stretched, with_silence
from avatar.training.spectra import cepstra, log_mel
from avatar.training.takes import PAD, Said, heard_utterances, load_said, save_heard
from avatar.training.variation import (
    FRAMES,
    Variety,
    Voices,
    new_examples,
    parted_in_pauses,
    strung,
    varied,
)
from avatar.training.visemes import (
    BILABIAL_SOUND,
    SHORTEST_CLOSURE,
    SOUNDS,
    VISEMES,
    Timing,
    closed_long_enough,
    mouth_measures,
)
from avatar.training.voices import Utterance, cut_to_sound
from models.lite.motion import load_motion
from models.lite.rig import load_rig
from streaming.features import windows_of

WEIGHTS = Path(models.__file__).parent / "weights"
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


def test_a_closure_lasts_as_long_as_lips_need_and_ends_when_it_did():
    short, long, vowel = Phone("p", 0.50, 0.53), Phone("m", 1.0, 1.2), Phone("a", 2.0, 2.01)
    closed = closed_long_enough([short, long, vowel])
    assert closed[1:] == [long, vowel]
    assert closed[0].end == short.end
    assert closed[0].end - closed[0].start == pytest.approx(SHORTEST_CLOSURE)


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


@pytest.fixture(scope="module")
def tones(tmp_path_factory, utterances):
    """What a voice of tones said, clean, back from disk."""
    path = tmp_path_factory.mktemp("spectra") / "tones.npz"
    rng = np.random.default_rng(0)
    save_heard(path, heard_utterances(utterances, utterances[0].samples, 0, rng))
    return load_said(path, Timing())


def test_a_corpus_comes_back_from_disk(tmp_path, utterances):
    save_utterances(tmp_path / "voice.npz", utterances)
    for before, after in zip(utterances, load_utterances(tmp_path / "voice.npz"), strict=True):
        np.testing.assert_allclose(after.samples, before.samples, atol=1e-4)
        assert [p.symbol for p in after.phones] == [p.symbol for p in before.phones]


def test_spectra_give_the_cepstra_that_the_network_hears():
    sound = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    live = windows_of(sound, 1280)[:, -1]  # the newest row of every window: sample 640 k + 880 on
    ours = cepstra(log_mel(sound[80:]))
    n = min(len(live) - 3, len(ours[5::4]))
    np.testing.assert_allclose(ours[5::4][:n, 1:], live[:n, 1:], atol=1e-3)
    np.testing.assert_allclose(ours[5::4][:n, 0], live[:n, 0], atol=0.25)


def test_spectra_keep_the_mouth_and_the_phonemes_in_step(utterances, tones):
    for said, kept in zip(utterances, tones, strict=True):
        assert len(kept.spectra) == len(kept.measures) == len(kept.sounds)
        middle = (said.phones[4].start + said.phones[4].end) / 2 + PAD
        assert SOUNDS[kept.sounds[round(middle * 100 - 1)]] is VISEMES[said.phones[4].symbol]
        closed = [p for p in said.phones if p.symbol == "m"]
        rows = [round(((p.start + p.end) / 2 + PAD) * 100 - 1) for p in closed]
        assert kept.measures[rows, 0].max(initial=0) < 0.15


def test_pauses_that_an_engine_counts_to_a_phoneme_are_silent():
    sound = np.concatenate([tone("ɑ", 0.3), np.zeros(8000), tone("m", 0.3), np.zeros(8000)])
    phones = [Phone("ɑ", 0.0, 0.8), Phone("m", 0.8, 1.6)]
    cut = cut_to_sound(sound.astype(np.float32), phones)
    assert [phone.symbol for phone in cut] == ["ɑ", "m"]
    np.testing.assert_allclose([phone.end for phone in cut], [0.32, 1.12], atol=0.011)


def test_new_examples_differ_and_repeat_with_the_seed(tones):
    voices = Voices([tones], np.ones(1))
    first, again = (new_examples(voices, 3, np.random.default_rng(0)) for _ in range(2))
    other = new_examples(voices, 3, np.random.default_rng(1))
    assert first.rows.shape == (3, 4 * FRAMES + 24, 12)
    assert first.measures.shape == (3, FRAMES, 5)
    np.testing.assert_array_equal(first.rows, again.rows)
    assert not np.array_equal(first.rows, other.rows)
    assert np.isfinite(other.rows).all()


def test_lips_are_parted_around_speech_and_closed_in_silence():
    said = np.full(400, -1)
    said[100:150] = SOUNDS.index(VISEMES["ɑ"])
    measures = np.zeros((400, 5), np.float32)
    measures[100:150] = 0.9
    parted = parted_in_pauses(measures, said)
    np.testing.assert_allclose(parted[100:150], 0.9)
    neutral = VISEMES["ə"].target[0]
    np.testing.assert_allclose(parted[[80, 99, 150, 194], 0], neutral)
    assert not parted[:80].any()
    assert not parted[195:].any()


def test_takes_are_parts_of_what_was_said_in_its_own_order():
    rows = np.arange(800, dtype=np.float32)
    spectra = np.repeat(rows[:, None], 26, axis=1)
    long = Said(spectra, np.zeros((800, 5), np.float32), np.ones(800, int))
    plain = Variety(speed=0, nothing=0)
    takes = [strung([long], np.random.default_rng(seed), plain) for seed in range(6)]
    steps = np.concatenate([np.diff(take.spectra[take.sounds == 1, 0]) for take in takes])
    assert (np.abs(steps - 1) < 1e-3).mean() > 0.98
    assert (np.abs(steps - 1) > 1).sum() >= 3


def test_a_voice_without_variety_is_only_strung_together(tones):
    plain = Variety(tract=0, speed=0, voice=0, nothing=0, room=0, equaliser_db=0, band=0, noise=0)
    takes = new_examples(Voices([tones], np.ones(1)), 4, np.random.default_rng(2), plain)
    said = takes.sounds >= 0
    assert 0.5 < said.mean() < 1.0
    assert takes.measures[~said][:, 0].max() <= takes.measures[said][:, 0].max()
    assert not takes.measures[~said][:, 4].any()


def test_noise_without_speech_asks_for_a_mouth_at_rest(tones):
    nobody = Variety(nothing=1.0)
    takes = new_examples(Voices([tones], np.ones(1)), 2, np.random.default_rng(3), nobody)
    assert not takes.measures.any()
    assert takes.rows.std() > 0.1


def test_music_is_heard_as_something_said_with_closed_lips(monkeypatch):
    for name, value in {"BANDS": 2, "HELD_OUT_BANDS": 1, "PIECES": 2, "PIECE_SECONDS": 2.0}.items():
        monkeypatch.setattr(motion_data, name, value)
    playing = motion_data.bands(np.random.default_rng(0))
    unknown = [name for name in playing if name.startswith(motion_data.HELD_OUT)]
    assert (len(playing), len(unknown)) == (3, 1)
    takes = new_examples(
        Voices(list(playing.values()), np.ones(3) / 3), 4, np.random.default_rng(1)
    )
    assert not takes.measures.any()
    assert (takes.sounds == -1).all()


def test_no_piece_of_music_is_like_another():
    rng = np.random.default_rng(0)
    pieces = [played(32000, rng) for _ in range(4)]
    for piece in pieces:
        assert np.square(piece).mean() == pytest.approx(1, abs=0.05)
    likeness = np.corrcoef([log_mel(piece).ravel() for piece in pieces])
    assert likeness[np.triu_indices(4, 1)].max() < 0.95


def test_variety_keeps_the_time_of_what_is_said():
    spectra = np.full((1, 400, 26), -18.0, np.float32)
    spectra[0, 200:220] = 0.0
    room = Variety(noise_db=(20, 30), room=1.0)
    for seed in range(4):
        heard = varied(spectra.copy(), np.random.default_rng(seed), room)[0].mean(axis=1)
        assert heard[200:220].mean() > heard[150:200].mean() + 1.0
        assert heard[200] > heard[199] + 1.0


def test_training_learns_resumes_and_exports(tmp_path, tones):
    torch.set_num_threads(1)
    rig, voices = load_rig(), Voices([tones], np.ones(1))
    for steps in (10, 14):
        schedule = Schedule(steps=steps, batch=2, validate_every=5, held_out_takes=4)
        train(rig, (voices, voices), schedule, Range(), (tmp_path, tmp_path), {})
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [5, 10, 14]
    assert float(rows[-1]["held_out_loss"]) < float(rows[0]["held_out_loss"])
    assert load_motion(rig, tmp_path).config.hidden == 192


def test_a_closure_missed_counts_more_than_one_too_many():
    sounds = torch.tensor([[BILABIAL_SOUND, 0, -1]])
    schedule = Schedule(closing_odds=3.0)
    sure, missed = torch.tensor([[9.0, -9.0, 9.0]]), torch.tensor([[-9.0, -9.0, 9.0]])
    too_many = torch.tensor([[9.0, 9.0, 9.0]])
    assert closing_loss(sure, sounds, schedule) < 0.01  # what is unknown does not count
    few, many = (float(closing_loss(z, sounds, schedule)) for z in (missed, too_many))
    assert few == pytest.approx(3 * many, rel=0.01)


def test_the_schedule_takes_its_fields_by_name():
    assert assigned(Schedule(), ["closure=12", "batch=8"]) == Schedule(closure=12.0, batch=8)
    with pytest.raises(ValueError, match="clozure"):
        assigned(Schedule(), ["clozure=12"])
    with pytest.raises(ValueError):
        assigned(Schedule(), ["batch=many"])


def test_closings_alone_are_learnt_with_all_else_held(tmp_path, tones):
    rig, voices = load_rig(), Voices([tones], np.ones(1))
    schedule = Schedule(steps=2, batch=1, held_out_takes=2, closing_only=True, averaging=0.0)
    train(rig, (voices, voices), schedule, Range(), (tmp_path, tmp_path), {}, WEIGHTS)
    before, after = load_motion(rig).state_dict(), load_motion(rig, tmp_path).state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if name.startswith("closing.")}


def test_training_goes_on_from_weights(tmp_path, tones):
    rig, voices = load_rig(), Voices([tones], np.ones(1))
    schedule = Schedule(steps=1, batch=1, learning_rate=0.0, held_out_takes=2)
    average = train(rig, (voices, voices), schedule, Range(), (tmp_path, tmp_path), {}, WEIGHTS)
    shipped = load_motion(rig)
    torch.testing.assert_close(average.lstm.weight_hh_l0, shipped.lstm.weight_hh_l0)
    assert float(average.gain) == 1.0
