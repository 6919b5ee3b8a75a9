"""What may be learnt from, and who says it: licences, held-out voices, times and words."""

import random
from pathlib import Path

import numpy as np
import pytest

from avatar.training import synchrony
from avatar.training.corpus import save_utterances
from avatar.training.motion_data import HELD_OUT, TakeOptions, examples_of
from avatar.training.mouth_shapes import Range
from avatar.training.phonemes import Phone, stretched, with_silence
from avatar.training.prose import prose, shuffled_words
from avatar.training.recordings import allowed
from avatar.training.sentences import LANGUAGES, english, foreign
from avatar.training.takes import FRAMES, Takes, save_takes, silent_takes
from avatar.training.variation import jitter, warp
from avatar.training.visemes import VISEMES, Timing
from avatar.training.voices import Utterance
from models.lite.rig import load_rig


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


def test_held_out_voices_are_not_trained_on(tmp_path):
    rng = np.random.default_rng(0)
    hum = Utterance(np.zeros(1600, np.float32), [Phone("m", 0.0, 0.1)])
    voices = [tmp_path / f"{name}.npz" for name in ("anyone", HELD_OUT[0])]
    takes = tmp_path / "takes"
    takes.mkdir()
    for count, name in enumerate(("anyone", HELD_OUT[0], "silence"), start=1):
        rows = silent_takes(np.zeros(1), count, rng).rows
        save_takes(takes / f"{name}.npz", Takes(rows, [[Phone("m", 0.0, 1.0)]] * count))
        save_utterances(tmp_path / f"{name}.npz", [hum])
    training, held_out = examples_of(voices, takes, TakeOptions(), load_rig(), Timing(), Range())
    assert len(training.rows) == 1 + 3
    assert len(held_out.rows) == 2
    assert training.weights.shape[1] == FRAMES


def test_late_phoneme_times_are_put_in_step(monkeypatch):
    rng = np.random.default_rng(0)
    symbols = rng.choice(["ɑ", "i", "m", "u", "b", "s"], 20)
    heard = [Phone(str(s), 0.1 * i, 0.1 * (i + 1)) for i, s in enumerate(symbols)]
    monkeypatch.setattr(synchrony, "recognised_phones", lambda samples: heard)
    said = Utterance(np.zeros(32000, np.float32), stretched(heard, 1.0, 0.08))
    (moved,) = synchrony.synchronised([said])
    assert moved.phones[0].start == pytest.approx(0.0, abs=0.011)


def test_warping_by_one_changes_nothing_and_back_and_forth_little():
    np.testing.assert_allclose(warp(1.0), np.eye(12), atol=1e-9)
    np.testing.assert_allclose(warp(1.1) @ warp(1 / 1.1), np.eye(12), atol=0.35)


def test_jitter_keeps_digital_silence():
    rows = np.zeros((2, 30, 12), np.float32)
    assert not jitter(rows, 0.1, np.random.default_rng(0)).any()


def test_sentences_are_many_and_repeat_with_the_seed():
    texts = english(3)
    said = [next(texts) for _ in range(100)]
    assert len(set(said)) > 80
    assert said[0] == next(english(3))
    assert {next(foreign(language, 0)) for language in LANGUAGES}
    assert len(prose()) > 1000
    assert len(shuffled_words(random.Random(0)).split()) >= 4


def test_silence_is_a_viseme_and_closes():
    phones = with_silence([], 1.0)
    assert phones[0].symbol in VISEMES
    assert VISEMES[phones[0].symbol].target[0] == 0.0
