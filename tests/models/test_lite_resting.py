from pathlib import Path

import numpy as np
import pytest

from models.lite.portrait import own_expression, smile_score
from models.lite.pose import fit_pose, to_face_frame
from models.lite.resting_lips import rest_lips

LANDMARKS = Path(__file__).parents[2].parent / "shared" / "data" / "portraits" / "landmarks.npz"
NOSE, CORNERS, LIPS = 2, (61, 291), (13, 14)


def mouth(face):
    """Height of the mouth's middle below the nose, and its width, of a face [468, 3]."""
    left, right = face[list(CORNERS)]
    return face[list(LIPS), 1].mean() - face[NOSE, 1], right[0] - left[0]


@pytest.mark.skipif(not LANDMARKS.exists(), reason="needs ../shared")
def test_the_mouths_of_smiling_portraits_rest_where_those_of_others_are(lite):
    with np.load(LANDMARKS) as file:
        landmarks, scores = file["landmarks"].astype(np.float32), file["blendshapes"]
    smile = np.array([smile_score(lite.rig, row) for row in scores])
    smiling, others = np.flatnonzero(smile > 0.8)[:60], np.flatnonzero(smile < 0.2)
    mesh = lite.rig.mesh.numpy()
    faces = [to_face_frame(points[:468], fit_pose(points, mesh)) for points in landmarks]
    worn = [own_expression(lite.rig, scores[i], faces[i]) for i in smiling]
    rests = [mouth(rest_lips(faces[i] - w, faces[i])) for i, w in zip(smiling, worn, strict=True)]
    calm = [mouth(faces[i]) for i in others]
    assert np.mean(rests, 0) == pytest.approx(np.mean(calm, 0), abs=0.03)
