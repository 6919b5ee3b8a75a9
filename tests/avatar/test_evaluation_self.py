import json

import numpy as np
import pytest
import torch

from avatar.evaluate import main
from avatar.evaluation.footage import read_footage
from avatar.evaluation.lips import mouth_measures
from avatar.media import ClipWriter
from avatar.tracking import open_tracker
from models.talking_head import POSE_DIMS, Motion


@pytest.fixture(scope="module")
def clip(tmp_path_factory, lite, lite_portrait):
    """A second of the demonstration portrait: the head turns by 8 degrees, the jaw opens twice."""
    path = tmp_path_factory.mktemp("clips") / "turning.mp4"
    jaw = lite.rig.shape_names.index("jawOpen")
    with ClipWriter(path, 256, np.zeros((2, 48000), np.float32)) as writer:
        for t in range(25):
            weight = 0.6 * np.sin(2 * np.pi * t / 25) ** 2
            pose = torch.zeros(1, POSE_DIMS)
            pose[0, 0] = 8 * t / 24
            motion = Motion(
                lite_portrait.x0 + weight * lite.rig.dx[jaw],
                lite_portrait.j0 + weight * lite.rig.dj[jaw],
                pose,
            )
            writer.write(lite.render(lite_portrait, motion))
    return path


def test_tracked_key_points_play_the_clip_again(clip, tmp_path):
    figures = tmp_path / "figures.json"
    assert main(["self", str(clip), "--out", str(tmp_path), "--json", str(figures)]) == 0
    scores = json.loads(figures.read_text())
    tracker = open_tracker()
    real, made = (
        read_footage(path, tracker, follow=True)
        for path in (clip, tmp_path / f"{clip.stem}_tracked.mp4")
    )
    turned = (made.track.pose[-1] - made.track.pose[0])[0]
    assert turned == pytest.approx((real.track.pose[-1] - real.track.pose[0])[0], abs=2)
    opened = [mouth_measures(c.landmarks)[:, 0] for c in (real, made)]
    assert np.ptp(opened[0]) > 0.1
    assert np.corrcoef(*opened)[0, 1] > 0.95
    tracked, spoken = (scores[driver][clip.stem] for driver in ("tracked", "sound"))
    assert tracked["m_lmd"] < 3 < spoken["m_lmd"]  # the sound is silence, so the jaw stays shut
    assert tracked["ssim_mouth"] > spoken["ssim_mouth"]


def test_a_clip_without_a_face_is_one_line_on_stderr(tmp_path, capsys):
    path = tmp_path / "grey.mp4"
    with ClipWriter(path, 256, np.zeros((1, 48000), np.float32)) as writer:
        for _ in range(5):
            writer.write(np.full((256, 256, 3), 90, np.uint8))
    assert main(["self", str(path), "--out", str(tmp_path)]) == 2
    assert "no face" in capsys.readouterr().err
