import itertools

import pytest
import torch

from models.lite.lips import INNER_PAIRS, LipContact
from models.lite.rig import load_rig


@pytest.fixture(scope="module")
def rig():
    return load_rig()


def opened(rig, gap):
    """Displacements that part every pair of facing lip points by `gap`."""
    dx = torch.zeros(rig.n_points, 2)
    for upper, lower in INNER_PAIRS:
        dx[rig.point_of(upper), 1] = -gap / 2
        dx[rig.point_of(lower), 1] = gap / 2
    return dx


def gaps(rig, dx):
    return [float(dx[rig.point_of(b), 1] - dx[rig.point_of(a), 1]) for a, b in INNER_PAIRS]


def test_lips_at_rest_stay_at_rest(rig):
    assert LipContact(rig)(torch.zeros(rig.n_points, 2)).abs().max() < 1e-3


@pytest.mark.parametrize("hovering", [0.01, 0.02, 0.03])
def test_lips_that_hover_touch(rig, hovering):
    assert max(gaps(rig, LipContact(rig)(opened(rig, hovering)))) < 0.25 * hovering


def test_a_wide_mouth_opens_wider(rig):
    assert min(gaps(rig, LipContact(rig)(opened(rig, 0.25)))) > 0.25


def test_a_wider_sound_never_gives_a_narrower_mouth(rig):
    contact = LipContact(rig)
    widths = [gaps(rig, contact(opened(rig, gap)))[2] for gap in torch.linspace(0, 0.3, 60)]
    assert all(b >= a for a, b in itertools.pairwise(widths))


def test_both_lips_give_way_by_halves(rig):
    dx = opened(rig, 0.15)
    moved = LipContact(rig)(dx) - dx
    upper, lower = rig.point_of(13), rig.point_of(14)
    assert float(moved[upper, 1]) == pytest.approx(-float(moved[lower, 1]), abs=1e-6)


def test_an_emotion_hardly_parts_lips_that_all_but_touch(rig):
    contact, emotion = LipContact(rig), opened(rig, 0.1)
    assert max(gaps(rig, contact.kept(opened(rig, 0.005), emotion))) < 0.03
    assert torch.equal(contact.kept(opened(rig, 0.05), emotion), emotion)
    closing = opened(rig, -0.02)
    assert torch.equal(contact.kept(opened(rig, 0.005), closing), closing)
