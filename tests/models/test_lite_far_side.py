import itertools

import cv2
import numpy as np
import pytest
import torch

from models.lite.warp_torch import TorchWarp
from models.talking_head import POSE_DIMS, Motion

SPOT = np.array([255, 0, 255])


def turned_by(portrait, yaw):
    pose = torch.zeros(1, POSE_DIMS)
    pose[0, 0] = yaw
    return Motion(portrait.x0, portrait.j0, pose)


def spots(picture):
    """How many px are of the spot's colour, in the left and the right half."""
    like = np.abs(picture.astype(int) - SPOT).max(-1) < 60
    half = picture.shape[1] // 2
    return like[:, :half].sum(), like[:, half:].sum()


@pytest.fixture(scope="module")
def aside(lite, lite_portrait):
    """The demonstration face as a portrait that looks aside, with a spot on the near cheek."""
    from avatar.portrait import read_portrait
    from avatar.tracking import open_tracker

    picture = lite.render(lite_portrait, turned_by(lite_portrait, 15))
    face, _ = read_portrait(
        cv2.imencode(".png", picture[..., ::-1])[1].tobytes(), 256, open_tracker()
    )
    near = face.landmarks[[227, 116, 123, 147], :2].mean(0)
    marked = cv2.circle(face.image.copy(), tuple(map(int, near)), 5, SPOT.tolist(), -1)
    return lite.encode_portrait(face._replace(image=marked))


def test_a_portrait_that_looks_straight_ahead_lends_nothing(lite_portrait):
    assert lite_portrait.far is None


def test_what_is_on_the_near_cheek_comes_into_view_on_the_far_one(lite, aside):
    assert aside.far.opens == -1
    near, far = spots(lite.render(aside, turned_by(aside, 0)))
    assert near > 20 and far == 0
    _, far = spots(lite.render(aside, turned_by(aside, -20)))
    assert far > 10
    _, far = spots(lite.render(aside._replace(far=None), turned_by(aside, -20)))
    assert far == 0


@pytest.mark.parametrize("yaw", [0, 3, 20])
def test_a_head_that_does_not_turn_back_is_left_as_it_is(lite, aside, yaw):
    motion = turned_by(aside, yaw)
    assert (lite.render(aside, motion) == lite.render(aside._replace(far=None), motion)).all()


def test_it_comes_in_step_by_step(lite, aside):
    pictures = [lite.render(aside, turned_by(aside, -yaw)) for yaw in np.arange(3.5, 12.5, 0.5)]
    changes = [
        np.abs(np.diff(np.stack(pair).astype(int), axis=0)).mean()
        for pair in itertools.pairwise(pictures)
    ]
    assert max(changes) < 2.5 * np.median(changes)


def test_both_warps_draw_it_alike(lite, aside):
    from models.lite.picture import draw

    motion = turned_by(aside, -15)
    a, b = (draw(lite.rig, aside, motion, *warp).astype(int) for warp in ((), (TorchWarp("cpu"),)))
    assert np.abs(a - b).mean() < 0.5
