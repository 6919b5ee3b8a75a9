import numpy as np
import pytest
import torch

from models.lite.mouth import CORNERS
from models.lite.picture import draw
from models.lite.seam import FADED, REACH, draw_seam, seam_of
from models.talking_head import POSE_DIMS, Motion

PX = 100.0


def lips(gap):
    """Inner edges of both lips, [2, 11, 2] px, 60 px wide and `gap` px apart in the middle."""
    x = np.linspace(20, 80, 11)
    half = gap / 2 * np.sin(np.pi * (x - 20) / 60)
    return np.stack([np.stack([x, 30 - half], 1), np.stack([x, 30 + half], 1)]).astype(np.float32)


def drawn(gap, strength=1.0):
    picture = np.full((60, 100, 3), 200, np.uint8)
    draw_seam(picture, *lips(gap), PX, strength)
    return picture


@pytest.mark.parametrize(("gap", "missing"), [(0.3, 0.0), (6.0, 1.0)])
def test_only_lips_that_were_apart_lack_the_line(gap, missing):
    assert seam_of(lips(gap)) == missing


def test_closed_lips_meet_in_a_dark_line_and_nowhere_else():
    picture = drawn(0.0)
    reach = int(np.ceil(REACH * PX))
    assert picture[30, 50].max() < 150
    picture[30 - reach : 31 + reach] = 200
    assert (picture == 200).all()


def test_an_open_mouth_has_no_line():
    assert (drawn(FADED * PX * 1.1)[:, 45:55] == 200).all()


def test_lips_with_a_line_of_their_own_get_none():
    assert (drawn(0.0, strength=0.0) == 200).all()


def test_the_resting_mouth_of_a_smiling_portrait_has_a_dark_line(lite, lite_portrait):
    still = Motion(lite_portrait.x0, lite_portrait.j0, torch.zeros(1, POSE_DIMS))
    bare = lite_portrait._replace(mouth=lite_portrait.mouth._replace(seam=0.0))
    with_line, without = (draw(lite.rig, p, still).astype(int) for p in (lite_portrait, bare))
    middle = lite_portrait.source[list(CORNERS)].mean(0).astype(int)
    darker = (without - with_line).max(-1)[:, middle[0] - 10 : middle[0] + 10]
    assert darker.max() > 30
    assert np.abs(darker.max(1).argmax() - middle[1]) < 12
