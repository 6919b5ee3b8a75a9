import numpy as np
import pytest

from models.lite.pose import (
    HeadPose,
    fit_pose,
    place,
    pose_between,
    rotation_matrix,
    to_face_frame,
    unplace,
)
from models.lite.rig import load_rig

NOSE = np.array([0, 0, -1.0])
RIGHT_EYE_IN_IMAGE = np.array([1.0, 0, 0])


@pytest.mark.parametrize(
    "angles, point, moves",
    [
        ((20, 0, 0), NOSE, (1, 0)),
        ((0, 20, 0), NOSE, (0, 1)),
        ((0, 0, 20), RIGHT_EYE_IN_IMAGE, (0, -1)),
    ],
    ids=["yaw turns the nose right", "pitch nods down", "roll lifts the image-right eye"],
)
def test_signs_of_the_head_angles(angles, point, moves):
    moved = (rotation_matrix(*angles) @ point - point)[:2]
    assert moved @ np.array(moves) > 0.3


@pytest.mark.parametrize("angles", [(0, 0, 0), (15, -10, 5), (-30, 12, -20)])
def test_the_fit_finds_a_known_pose(angles):
    mesh = load_rig().mesh.numpy()
    rotation = rotation_matrix(*angles)
    landmarks = 120 * mesh @ rotation.T + np.array([250, 260, 0])
    pose = fit_pose(landmarks.astype(np.float32), mesh)
    assert np.allclose(pose.rotation, rotation, atol=1e-4)
    assert pose.scale == pytest.approx(120, rel=1e-4)


def test_a_pose_of_zeros_leaves_the_face_where_it_was():
    mesh = load_rig().mesh.numpy()
    landmarks = (110 * mesh @ rotation_matrix(10, 5, -8).T + np.array([200, 210, 0])).astype(
        np.float32
    )
    own = fit_pose(landmarks, mesh)
    face = to_face_frame(landmarks, own)
    assert np.allclose(place(face, own, np.zeros(9)), landmarks[:, :2], atol=1e-2)
    assert abs(face[[33, 263], 2].sum()) < 1e-4


def test_the_pose_between_two_fits_carries_the_one_to_the_other():
    rng = np.random.default_rng(0)
    face = rng.normal(0, 0.5, (20, 3)).astype(np.float32)
    own = HeadPose(rotation_matrix(4, -3, 2), 120.0, np.array([250, 240], np.float32))
    other = HeadPose(rotation_matrix(-12, 6, 9), 131.0, np.array([262, 233], np.float32))
    seen = other.shift + other.scale * (face @ other.rotation.T)[:, :2]
    assert np.abs(place(face, own, pose_between(own, other)) - seen).max() < 1e-2


def test_unplace_is_the_inverse_of_place():
    face = np.random.default_rng(0).uniform(-0.5, 0.5, (40, 3)).astype(np.float32)
    own = HeadPose(rotation_matrix(12, -5, 4), 150.0, np.array([200, 180], np.float32))
    pose = np.array([-15, 9, 5, 0.1, -0.2, 0.05], np.float32)
    back = unplace(place(face, own, pose), face[:, 2], own, pose)
    np.testing.assert_allclose(back, face[:, :2], atol=1e-4)
