from itertools import pairwise

import numpy as np
import pytest
import torch

from avatar.presets import PRESETS
from models.talking_head import FaceTrack

PAIRS = ((81, 178), (13, 14), (311, 402))


def feature(lite, name):
    return lite.encode_emotion(PRESETS[name])


def lip_gap(lite, dx):
    gaps = [dx[:, lite.rig.point_of(low), 1] - dx[:, lite.rig.point_of(up), 1] for up, low in PAIRS]
    return torch.stack(gaps).mean()


def talking(lite, jaw_open):
    index = lite.rig.shape_names.index("jawOpen")
    return jaw_open * lite.rig.dx[index][None], jaw_open * lite.rig.dj[index][None]


def test_no_emotion_displaces_nothing(lite):
    dx, dj = lite.predictor(torch.zeros(1, 512), *talking(lite, 0.2))
    assert dx.abs().max() == 0
    assert dj.abs().max() == 0


def test_a_face_at_rest_has_no_emotion(lite):
    assert feature(lite, "neutral").abs().max() == 0


@pytest.mark.parametrize("name", [n for n in PRESETS if n != "neutral"])
def test_lips_that_speech_has_closed_stay_closed(lite, name):
    with torch.no_grad():
        dx, _ = lite.predictor(feature(lite, name), *talking(lite, 0.0))
    assert abs(float(lip_gap(lite, dx))) < 0.006


def test_a_smile_may_open_lips_that_are_open(lite):
    with torch.no_grad():
        dx, _ = lite.predictor(feature(lite, "happy"), *talking(lite, 0.3))
    assert float(lip_gap(lite, dx)) > 0.005


def test_the_middle_of_a_blend_is_the_middle_of_the_faces(lite):
    with torch.no_grad():
        a, b = feature(lite, "happy"), feature(lite, "sad")
        between = [
            lite.predictor((1 - t) * a + t * b, *talking(lite, 0.1))[0]
            for t in torch.linspace(0, 1, 21)
        ]
    steps = torch.stack([(q - p).abs().max() for p, q in pairwise(between)])
    assert steps.max() < 2 * steps.mean()


def test_blends_are_made_of_features(lite):
    rows = zip(PRESETS["happy"][:2], PRESETS["angry"][:2], strict=True)
    both = FaceTrack(*map(np.concatenate, rows), literal=True)
    rows = lite.encode_emotion(both)
    assert rows.shape == (2, 512)
    assert torch.allclose(rows[0], feature(lite, "happy")[0])
