"""The lips evaluation: its measures, its lags and its baseline are what they say."""

import json
from pathlib import Path

import numpy as np
import pytest

from avatar import evaluate
from avatar.evaluation.lips import (
    TrackedMouth,
    best_lag,
    energy_aperture,
    mouth_measures,
    predicted_mouth,
    score_lips,
    summary,
    tracked_mouth,
)
from models.lite.motion import load_motion
from models.lite.rig import load_rig

SHARED = Path(__file__).parents[2].parent / "shared"


def test_measures_are_distances_over_the_inter_ocular_one():
    landmarks = np.zeros((2, 478, 3), np.float32)
    landmarks[:, 263, 0] = 200
    landmarks[:, 14, 1] = (10, 40)
    landmarks[:, 291, 0] = 100
    landmarks[:, 168, 2] = 60
    np.testing.assert_allclose(mouth_measures(landmarks), [[0.05, 0.5, 0.3], [0.2, 0.5, 0.3]])


@pytest.mark.parametrize("lag", [-2, 0, 1])
def test_best_lag_is_positive_when_the_prediction_is_late(lag):
    real = np.random.default_rng(0).normal(size=100)
    r, found = best_lag(np.roll(real, lag), real)
    assert found == lag
    assert r > 0.95


def test_the_baseline_follows_loudness_not_phonemes():
    samples = np.concatenate([np.zeros(6400), np.ones(6400) * 0.1]).astype(np.float32)
    assert energy_aperture(samples)[:10].max() < energy_aperture(samples)[10:].min()


def test_a_perfect_prediction_scores_one_and_a_half_range_scores_half():
    rng = np.random.default_rng(0)
    clip = TrackedMouth(np.zeros(64000, np.float32), rng.random((100, 3)).astype(np.float32))
    score = score_lips(clip, clip.measures)
    assert score.r == pytest.approx((1, 1, 1))
    assert score.range_ratio == pytest.approx(1)
    assert score_lips(clip, clip.measures / 2).range_ratio == pytest.approx(0.5)
    assert summary([score, score])["aperture_r_mean"] == pytest.approx(1)


def test_the_shipped_lips_rest_in_silence_in_noise_and_in_a_melody():
    rig = load_rig()
    network = load_motion(rig)
    noise = np.random.default_rng(0).normal(0, 0.02, 64000).astype(np.float32)
    hertz = np.repeat([262, 330, 392, 523, 392, 330, 294, 247], 8000)
    phase = 2 * np.pi * np.cumsum(hertz) / 16000
    melody = sum(0.1 / h * np.sin(h * phase) for h in (1, 2, 3)).astype(np.float32)
    for sound in (np.zeros(64000, np.float32), noise, melody):
        assert predicted_mouth(network, rig, sound)[25:, 0].max() < 0.03


@pytest.mark.skipif(not SHARED.exists(), reason="needs the shared clips")
def test_the_shipped_lips_follow_a_real_voice_better_than_loudness():
    rig = load_rig()
    network = load_motion(rig)
    scores = []
    for name in ("vretalk_1", "tpsmm_driving", "edtalk_obama"):
        clip = tracked_mouth(Path(f"{name}.mp4"), SHARED / "data" / "tracks")
        scores.append(score_lips(clip, predicted_mouth(network, rig, clip.samples)))
    figures = summary(scores)
    assert figures["aperture_r_best_mean"] > figures["energy_r_best_mean"]
    assert figures["aperture_r_best_mean"] > 0.4


@pytest.mark.skipif(not SHARED.exists(), reason="needs the shared clips")
def test_the_command_writes_its_figures(tmp_path, capsys):
    clip = SHARED / "data" / "talking" / "grid_bbaf2n.mp4"
    out = tmp_path / "figures.json"
    tracks = str(SHARED / "data" / "tracks")
    assert evaluate.main(["lips", str(clip), "--tracks", tracks, "--json", str(out)]) == 0
    assert "grid_bbaf2n" in capsys.readouterr().out
    assert json.loads(out.read_text())["summary"]["clips"] == 1


def test_a_missing_clip_is_one_line_on_stderr(tmp_path, capsys):
    assert evaluate.main(["lips", str(tmp_path / "none.mp4")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error:")
    assert error.count("\n") == 1
