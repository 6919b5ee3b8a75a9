"""What lies around the face: neck, body and the borders of the picture."""

import cv2
import numpy as np
import pytest

from models.lite.mesh import FACE_OVAL, NECK_LENGTH, SIDE_DEPTH, surround
from models.lite.picture import place_vertices
from models.lite.portrait import crisp
from models.lite.pose import PIVOT, rotation_matrix
from models.talking_head import POSE_DIMS

CHIN = 152


@pytest.fixture
def moved(lite_portrait):
    """How far the surroundings of a portrait move in a pose, and where they are, px [G, 2]."""

    def displacement(**values):
        pose = np.zeros(POSE_DIMS, np.float32)
        for index, value in values.items():
            pose[["yaw", "pitch", "roll", "x", "y", "zoom"].index(index)] = value
        count = len(lite_portrait.outer.face)
        placed = place_vertices(lite_portrait, lite_portrait.neutral, pose)[468 : 468 + count]
        still = lite_portrait.source[468 : 468 + count]
        return placed - still, still

    return displacement


def below_chin(portrait, points):
    """Inter-ocular distances below the chin, [G]."""
    chin = portrait.source[CHIN]
    return (points - chin)[:, 1] / portrait.own.scale


def test_a_body_turns_no_way_but_goes_along(lite_portrait, moved):
    (turned, points), (shifted, _) = moved(yaw=15, pitch=5), moved(x=0.2, y=0.1)
    body = below_chin(lite_portrait, points) > NECK_LENGTH + 0.3
    assert body.sum() > 10
    assert np.abs(turned[body]).max() < 0.5
    assert shifted[body] == pytest.approx(
        np.tile([0.2, 0.1], (body.sum(), 1)) * lite_portrait.own.scale, abs=0.5
    )


def test_the_upper_border_stays(moved):
    away, points = moved(yaw=15, pitch=10, y=0.2)
    assert np.abs(away[points[:, 1] == 0]).max() < 1e-3


def test_a_moving_body_has_no_end_in_the_picture(lite_portrait, moved):
    size = lite_portrait.background.shape[0]
    away, points = moved(x=0.3, y=-0.3, zoom=-0.1)
    low, high = (points + away)[points[:, 1] > size / 2].min(0), (points + away).max(0)
    assert low[0] < 0 and (high > size - 1).all()


def test_the_neck_lies_behind_the_jaw(lite_portrait):
    own = lite_portrait.own
    points = lite_portrait.source[468 : 468 + len(lite_portrait.outer.face)]
    below = below_chin(lite_portrait, points)
    aside = np.abs(points[:, 0] - lite_portrait.source[CHIN, 0]) / own.scale
    throat = (below > 0.04) & (below < 0.4) & (aside < 0.15)
    depth = (lite_portrait.outer.face @ own.rotation.T)[:, 2]
    chin = (lite_portrait.neutral @ own.rotation.T)[CHIN, 2]
    assert throat.sum() >= 2
    assert (depth[throat] > chin + 0.2).all() and (depth[throat] < SIDE_DEPTH).all()


def test_an_enlarged_portrait_is_sharpened_less(demonstration_face):
    image, landmarks = demonstration_face.image, demonstration_face.landmarks
    small = cv2.resize(image, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
    enlarged = cv2.resize(small, image.shape[:2], interpolation=cv2.INTER_CUBIC)

    def sharpened(picture):
        before, after = (
            cv2.Laplacian(x, cv2.CV_64F).std() for x in (picture, crisp(picture, landmarks))
        )
        return after / before

    assert 1 < sharpened(enlarged) < 0.95 * sharpened(image)


@pytest.fixture
def depth_beside(demonstration_face):
    """Mean depth of what lies beside the eyes on either side of a head [2], inter-ocular distances.

    Of the demonstration portrait with another pose and an outline of its head at a radius.
    """
    landmarks = demonstration_face.landmarks
    oval, eyes = landmarks[FACE_OVAL, :2], landmarks[[33, 263], :2].mean(0)
    centre = oval.mean(0)

    def depth(own, outline):
        head = np.rint(centre + outline * (oval - centre)).astype(np.int32)
        matte = cv2.fillPoly(np.zeros(demonstration_face.matte.shape, np.uint8), [head], 255)
        camera = surround(landmarks, own, matte).face @ own.rotation.T
        x, y = ((own.shift + own.scale * camera[:, :2] - eyes) / own.scale).T
        beside = [(np.abs(y) < 0.3) & (s * x > 1.0) & (s * x < 1.15) for s in (-1, 1)]
        return np.array([camera[side, 2].mean() for side in beside])

    return depth


def test_ears_are_as_deep_as_the_pivot_and_full_hair_lies_beside_the_cheeks(
    lite_portrait, depth_beside
):
    bare, full = (depth_beside(lite_portrait.own, outline).mean() for outline in (1.12, 1.5))
    assert bare == pytest.approx(PIVOT[2], abs=0.1)
    assert full < bare - 0.2


def test_a_head_that_is_turned_ends_nearer_on_the_side_that_it_hides(lite_portrait, depth_beside):
    poses = [lite_portrait.own._replace(rotation=rotation_matrix(yaw, 0, 0)) for yaw in (-15, 15)]
    (hidden, shown), (seen, lost) = (depth_beside(own, 1.12) for own in poses)
    assert hidden < seen - 0.15 and lost < shown - 0.15
