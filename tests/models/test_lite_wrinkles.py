import numpy as np
import pytest

from models.lite.wrinkles import BROW_INNER, CORNERS, folded


def moved(drawn=0.0, **shifts):
    """How far the mesh has moved, [468, 2] float32: down by group of vertices, brows together."""
    out = np.zeros((468, 2), np.float32)
    for group, shift in shifts.items():
        out[list({"brows": BROW_INNER, "corners": CORNERS}[group]), 1] = shift
    out[list(BROW_INNER[:2]), 0] = drawn / 2, -drawn / 2
    return out


def change(portrait, wrinkles, **shifts):
    """How much lighter every pixel becomes, [S, S] int."""
    after = folded(portrait.pixels, wrinkles, moved(**shifts)).astype(int)
    return (after - portrait.pixels)[..., :3].sum(-1)


def test_lowered_brows_fold_the_skin_between_them_and_nowhere_else(lite_portrait):
    own = lite_portrait.wrinkles._replace(smiled=0.0)
    darker = np.argwhere(change(lite_portrait, own, brows=0.05) < -12)
    left, right = lite_portrait.source[[105, 334], 0]
    assert len(darker) > 10
    assert (left < darker[:, 1]).all() and (darker[:, 1] < right).all()
    assert darker[:, 0].max() < lite_portrait.source[[133, 362], 1].max()


def test_raised_brows_fold_the_skin_between_them_only_when_drawn_together(lite_portrait):
    own = lite_portrait.wrinkles._replace(smiled=0.0)
    x, y = lite_portrait.source[[55, 285], 0], lite_portrait.source[[151, 168], 1]
    between = np.s_[int(y[0]) : int(y[1]), int(x[0]) : int(x[1])]
    raised, knotted = (change(lite_portrait, own, brows=-0.04, drawn=d) for d in (0.0, 0.02))
    assert knotted[between].min() < raised[between].min() - 12


def test_a_portrait_that_wears_its_own_expression_is_untouched(lite_portrait):
    own = moved(corners=-lite_portrait.wrinkles.smiled)
    assert np.array_equal(
        folded(lite_portrait.pixels, lite_portrait.wrinkles, own), lite_portrait.pixels
    )


def test_at_rest_only_the_light_of_the_portraits_own_smile_changes(lite_portrait):
    lighter = change(lite_portrait, lite_portrait.wrinkles)
    own = lite_portrait.wrinkles.own
    height, width = own.shade.shape[:2]
    assert lighter.max() > 12
    lighter[own.top : own.top + height, own.left : own.left + width] = 0
    assert not lighter.any()


@pytest.mark.parametrize("smiled", [0.0, 0.2])
def test_a_smile_folds_only_beyond_the_portraits_own(lite_portrait, smiled):
    wrinkles = lite_portrait.wrinkles
    plain = wrinkles.own._replace(shade=np.zeros_like(wrinkles.own.shade))
    wrinkles = wrinkles._replace(smiled=smiled, own=plain)
    folds = change(lite_portrait, wrinkles, corners=-0.12).min() < -12
    assert folds == (smiled < 0.12)


def test_folds_leave_the_matte_alone(lite_portrait):
    wild = folded(lite_portrait.pixels, lite_portrait.wrinkles, moved(brows=0.3, corners=-0.3))
    assert np.array_equal(wild[..., 3], lite_portrait.pixels[..., 3])
    assert (wild[..., :3] <= wild[..., 3:]).all()


def test_corners_that_are_pulled_down_fold_the_skin_as_the_smile_did(lite_portrait):
    rest, spoken, grieved = (
        np.abs(change(lite_portrait, lite_portrait.wrinkles, corners=down)).sum()
        for down in (0.0, 0.02, 0.06)
    )
    assert spoken == rest
    assert grieved < 0.4 * rest
