from pathlib import Path

import numpy as np
import pytest

from models.lite.portrait import own_expression
from models.lite.pose import fit_pose, to_face_frame
from models.lite.resting_lips import rest_lips

LANDMARKS = Path(__file__).parents[2].parent / "shared" / "data" / "portraits" / "landmarks.npz"
NOSE, CORNERS = 2, (61, 291)


def resting_mouth(rig, landmarks, scores):
    """Height of the mouth's corners below the nose, and the mouth's width, of a face at rest."""
    tracked = to_face_frame(landmarks[:468], fit_pose(landmarks, rig.mesh.numpy()))
    face = rest_lips(tracked - own_expression(rig, scores, tracked), tracked)
    left, right = face[list(CORNERS)]
    return (left[1] + right[1]) / 2 - face[NOSE, 1], right[0] - left[0]


@pytest.mark.skipif(not LANDMARKS.exists(), reason="needs ../shared")
def test_the_mouths_of_smiling_portraits_rest_where_those_of_others_do(lite):
    with np.load(LANDMARKS) as file:
        landmarks, scores = file["landmarks"].astype(np.float32), file["blendshapes"]
    smile = scores[:, [name.startswith("mouthSmile") for name in lite.rig.score_names]].mean(1)
    smiling, others = np.flatnonzero(smile > 0.8)[:60], np.flatnonzero(smile < 0.2)
    rests = [
        np.mean([resting_mouth(lite.rig, landmarks[i], scores[i]) for i in group], axis=0)
        for group in (smiling, others)
    ]
    assert rests[0] == pytest.approx(rests[1], abs=0.015)
