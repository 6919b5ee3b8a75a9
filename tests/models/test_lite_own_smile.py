import numpy as np
import pytest

from models.lite.own_smile import PLAY, load_smile_light, own_smile

FOLDS = (206, 426)
"""Places on the folds from nose to mouth."""
CHEEK = 187


def light_of(lite, portrait, image, smile):
    """The change that takes a smile off, [S, S] float32, on the whole picture."""
    landmarks = portrait.source[:468]
    fold = own_smile(image, landmarks, portrait.own.scale, lite.rig.mesh.numpy(), smile)
    whole = np.zeros(image.shape[:2], np.float32)
    height, width = fold.shade.shape[:2]
    whole[fold.top : fold.top + height, fold.left : fold.left + width] = fold.shade.mean(-1)
    return whole


def folds(portrait, image):
    """An image with dark folds from nose to mouth."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    out = image.astype(np.float32)
    for u, v in portrait.source[list(FOLDS)]:
        away = np.hypot(x - u, y - v) / portrait.own.scale
        out *= 1 - 0.4 * np.exp(-((away / 0.04) ** 2))[..., None]
    return out.astype(np.uint8)


def test_a_face_that_does_not_smile_keeps_its_light(lite, lite_portrait, demonstration_face):
    assert not light_of(lite, lite_portrait, demonstration_face.image, 0.0).any()


def test_folds_become_lighter_the_more_the_portrait_smiled(lite, lite_portrait):
    skin = folds(lite_portrait, np.full((512, 512, 3), 150, np.uint8))
    x, y = np.rint(lite_portrait.source[list(FOLDS)]).astype(int).T
    little, much = (light_of(lite, lite_portrait, skin, smile)[y, x] for smile in (0.3, 0.9))
    assert (little > 0.05).all()
    assert (much > 1.5 * little).all()


def test_skin_without_folds_gets_no_ridges(lite, lite_portrait):
    even = light_of(lite, lite_portrait, np.full((512, 512, 3), 150, np.uint8), 1.0)
    assert np.abs(np.log1p(even)).max() <= PLAY + 1e-3


def test_dark_hair_on_the_cheek_leaves_no_blotches_beside_it(lite, lite_portrait):
    image = np.full((512, 512, 3), 150, np.uint8)
    hair = int(lite_portrait.source[CHEEK, 0])
    image[:, :hair] = 15
    change = light_of(lite, lite_portrait, image, 1.0)
    assert np.abs(np.log1p(change)).max() < 1.2 * PLAY


def test_lips_eyes_and_outline_keep_their_light(lite, lite_portrait, demonstration_face):
    change = light_of(lite, lite_portrait, demonstration_face.image, 1.0)
    kept = [0, 17, 159, 386, 145, 374, 10, 152, 234, 454]
    x, y = np.rint(lite_portrait.source[kept]).astype(int).T
    assert np.abs(change[y, x]).max() < 0.02


@pytest.mark.parametrize("maps", load_smile_light(), ids=["shade", "contrast"])
def test_both_halves_of_the_maps_are_alike(maps):
    mirrored = np.roll(maps[..., ::-1], 1, axis=-1)
    assert np.abs(maps - mirrored).max() < 0.02
