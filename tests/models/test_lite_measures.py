import numpy as np
import pytest

from models.lite.measures import EYE_CORNERS, MEASURES, measure_faces
from models.lite.pose import rotation_matrix
from models.lite.rig import skin


def measured(lite, face):
    """Measures of one face [468, 3] by name."""
    (row,) = measure_faces(np.asarray(face, np.float32)[None], lite.rig.mesh.numpy())
    return dict(zip(MEASURES, row, strict=True))


def wearing(lite, shape):
    """The generic face with one expression, [468, 3]."""
    rig, place = lite.rig, lite.rig.shape_names.index(shape)
    flat = rig.mesh[:, :2]
    moved = skin(rig, flat, flat[rig.point_indices], rig.dx[place], rig.dj[place])
    return np.concatenate([flat + moved, rig.mesh[:, 2:]], axis=1)


def test_size_place_and_turn_of_the_head_change_nothing(lite):
    face = lite.rig.mesh.numpy()
    turned = 180 * face @ rotation_matrix(12, -9, 7).T + (200, 240, 0)
    assert measured(lite, turned) == pytest.approx(measured(lite, face), abs=1e-4)


def test_lengths_are_in_inter_ocular_distances(lite):
    face = lite.rig.mesh.numpy()
    left, right = EYE_CORNERS
    eyes, mouth = (np.linalg.norm(face[a] - face[b]) for a, b in ((left, right), (61, 291)))
    assert measured(lite, face)["width of the mouth"] == pytest.approx(mouth / eyes, rel=1e-4)


@pytest.mark.parametrize(
    ("shape", "measure", "change"),
    [
        ("browOuterUp_L", "outer brows over eyes", 0.02),
        ("eyeBlink_L", "opening of the eyes", -0.03),
        ("mouthFrown_L", "corners under the lip", 0.02),
        ("jawOpen", "chin under the nose", 0.1),
    ],
)
def test_an_expression_shows_in_its_measure(lite, shape, measure, change):
    moved = measured(lite, wearing(lite, shape))[measure] - measured(lite, lite.rig.mesh)[measure]
    assert moved / change > 1
