import numpy as np
import pytest
import torch

from avatar.evaluation.key_points import steadied, worn_points
from models.eamm.alignment import similarity
from models.lite.rig import skin


def test_worn_points_move_the_mesh_as_it_was_moved(lite):
    rig = lite.rig
    flat = rig.mesh[:, :2]
    expressions = torch.tensor([[0.6, 0.0, 0.3], [0.0, 0.8, 0.2]])
    shapes = [rig.shape_names.index(n) for n in ("jawOpen", "mouthFunnel", "browInnerUp_L")]
    dx = torch.einsum("te,eki->tki", expressions, rig.dx[shapes])
    dj = torch.einsum("te,ekij->tkij", expressions, rig.dj[shapes])
    wanted = skin(rig, flat, rig.x, dx, dj)
    found = worn_points(rig, flat.numpy(), wanted.numpy())
    torch.testing.assert_close(skin(rig, flat, rig.x, *found), wanted, atol=2e-3, rtol=0)


def test_a_similarity_is_found_again():
    a = np.random.default_rng(0).uniform(0, 100, (20, 2))
    turn = 1.7 * np.array([[np.cos(0.3), np.sin(0.3)], [-np.sin(0.3), np.cos(0.3)]])
    b = a @ turn + [5, -3]
    found = similarity(a, b)
    assert a @ found[:, :2].T + found[:, 2] == pytest.approx(b)


def test_a_shaking_nose_is_steadied_more_than_shaking_lips(lite):
    shaking = np.random.default_rng(0).normal(0, 0.01, (200, 468, 2)).astype(np.float32)
    left = steadied(shaking, lite.rig.mesh.numpy()).std(axis=(0, 2))
    assert left[4] < 0.5 * 0.01
    assert left[4] < 0.7 * left[13]
