import numpy as np
import pytest

from models.lite.wrinkles import BROW_INNER, CORNERS, folded


def moved(**shifts):
    """How far the mesh has moved down, [468] float32; by group of vertices."""
    out = np.zeros(468, np.float32)
    for group, shift in shifts.items():
        out[list({"brows": BROW_INNER, "corners": CORNERS}[group])] = shift
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


def test_a_portrait_that_wears_its_own_expression_is_untouched(lite_portrait):
    own = moved(corners=-lite_portrait.wrinkles.smiled)
    assert np.array_equal(
        folded(lite_portrait.pixels, lite_portrait.wrinkles, own), lite_portrait.pixels
    )


def test_at_rest_only_the_portraits_own_smile_lines_change_and_only_fade(lite_portrait):
    lighter = change(lite_portrait, lite_portrait.wrinkles)
    assert lighter.min() >= -3
    own = lite_portrait.wrinkles.own
    height, width = own.shade.shape[:2]
    lighter[own.top : own.top + height, own.left : own.left + width] = 0
    assert not lighter.any()


@pytest.mark.parametrize("smiled", [0.0, 0.2])
def test_a_smile_folds_only_beyond_the_portraits_own(lite_portrait, smiled):
    wrinkles = lite_portrait.wrinkles._replace(smiled=smiled)
    folds = change(lite_portrait, wrinkles, corners=-0.12).min() < -12
    assert folds == (smiled < 0.12)


def test_folds_leave_the_matte_alone(lite_portrait):
    wild = folded(lite_portrait.pixels, lite_portrait.wrinkles, moved(brows=0.3, corners=-0.3))
    assert np.array_equal(wild[..., 3], lite_portrait.pixels[..., 3])
    assert (wild[..., :3] <= wild[..., 3:]).all()
