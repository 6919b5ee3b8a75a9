import itertools

import numpy as np
import pytest
import torch

from avatar.training.mouth_shapes import width_per_shape
from models.lite.lips import INNER_PAIRS, LipContact
from models.lite.motion import SPEECH_SHAPES, speech_basis
from models.lite.rig import load_rig

OPEN, CLOSING = torch.tensor(0.0), torch.tensor(1.0)


@pytest.fixture(scope="module")
def rig():
    return load_rig()


@pytest.fixture(scope="module")
def contact(rig):
    return LipContact(rig, SPEECH_SHAPES.values())


def jaw(weight):
    """Weights of SPEECH_SHAPES of a jaw that drops."""
    return torch.tensor([weight, *[0.0] * (len(SPEECH_SHAPES) - 1)])


def gap(rig, weights):
    """How far the middle of the lips parts at weights [..., N]."""
    dx, _ = speech_basis(rig)
    moved = torch.einsum("...n,nkc->...kc", weights, dx)
    return moved[..., rig.point_of(14), 1] - moved[..., rig.point_of(13), 1]


def opened(rig, gap):
    """Displacements that part every pair of facing lip points by `gap`."""
    dx = torch.zeros(rig.n_points, 2)
    for upper, lower in INNER_PAIRS:
        dx[rig.point_of(upper), 1] = -gap / 2
        dx[rig.point_of(lower), 1] = gap / 2
    return dx


def gaps(rig, dx):
    return [float(dx[rig.point_of(b), 1] - dx[rig.point_of(a), 1]) for a, b in INNER_PAIRS]


def test_lips_at_rest_stay_at_rest(contact):
    assert not contact(jaw(0.0), OPEN).any()


@pytest.mark.parametrize("hovering", [0.03, 0.06, 0.09])
def test_lips_that_hover_touch(rig, contact, hovering):
    assert gap(rig, contact(jaw(hovering), OPEN)) < 0.1 * gap(rig, jaw(hovering))


def test_a_wide_mouth_opens_wider(rig, contact):
    assert gap(rig, contact(jaw(0.6), OPEN)) > gap(rig, jaw(0.6))


def test_a_wider_sound_never_gives_a_narrower_mouth(rig, contact):
    widths = [gap(rig, contact(jaw(weight), OPEN)) for weight in torch.linspace(0, 1, 60)]
    assert all(b >= a - 1e-3 for a, b in itertools.pairwise(widths))


@pytest.mark.parametrize("sure", [OPEN, torch.tensor(0.4), CLOSING])
def test_a_mouth_stays_as_wide_when_its_lips_touch(rig, contact, sure):
    weights = torch.rand(50, len(SPEECH_SHAPES), generator=torch.Generator().manual_seed(0))
    widths = torch.from_numpy(width_per_shape(rig))
    torch.testing.assert_close(contact(weights, sure) @ widths, weights @ widths)


def test_a_sure_closure_closes_any_mouth(rig, contact):
    weights = torch.rand(50, len(SPEECH_SHAPES), generator=torch.Generator().manual_seed(0)) * 2
    closed = contact(weights, CLOSING)
    assert gap(rig, weights).max() > 0.5
    assert gap(rig, closed).max() < 1e-3
    assert (closed >= 0).all()


def test_the_surer_a_closure_the_narrower_the_mouth(rig, contact):
    widths = [gap(rig, contact(jaw(0.5), sure)) for sure in torch.linspace(0, 1, 20)]
    assert all(b <= a + 1e-3 for a, b in itertools.pairwise(widths))


def test_every_step_of_a_clip_closes_by_itself(contact):
    weights = torch.rand(2, 9, len(SPEECH_SHAPES), generator=torch.Generator().manual_seed(1))
    sure = torch.linspace(0, 1, 18).reshape(2, 9)
    torch.testing.assert_close(contact(weights, sure)[1, 4], contact(weights[1, 4], sure[1, 4]))


def test_an_emotion_parts_lips_in_proportion_to_the_speech(rig, contact):
    """Closed lips stay closed, a wide mouth keeps what the emotion adds, nothing comes at once."""
    emotion = opened(rig, 0.3)
    assert not any(gaps(rig, contact.kept(opened(rig, 0.0), emotion)))
    added = [gaps(rig, contact.kept(opened(rig, g), emotion))[2] for g in np.linspace(0, 0.3, 31)]
    assert all(0 < b - a < 0.08 for a, b in itertools.pairwise(added))
    assert 0.25 < added[-1] < 0.3
    closing = opened(rig, -0.02)
    assert torch.equal(contact.kept(opened(rig, 0.005), closing), closing)
