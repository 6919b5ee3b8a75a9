import numpy as np
import pytest
import torch

from models.lite.rig import basis_matrix, expression_weights, load_rig, skin


@pytest.fixture(scope="module")
def rig():
    return load_rig()


def test_skinning_weights_sum_to_one(rig):
    assert torch.allclose(rig.skin_weight.sum(1), torch.ones(468), atol=1e-4)


def test_still_key_points_leave_the_mesh_still(rig):
    zero_x, zero_j = torch.zeros(rig.n_points, 2), torch.zeros(rig.n_points, 2, 2)
    assert skin(rig, rig.mesh[:, :2], rig.x, zero_x, zero_j).abs().max() == 0


def test_an_affine_motion_of_the_points_moves_the_mesh_by_the_same_affine_motion(rig):
    matrix, shift = torch.tensor([[1.1, 0.2], [-0.1, 0.9]]), torch.tensor([0.3, -0.2])
    change = matrix - torch.eye(2)
    dx = rig.x @ change.T + shift
    dj = change.expand(rig.n_points, 2, 2)
    moved = skin(rig, rig.mesh[:, :2], rig.x, dx, dj)
    assert torch.allclose(moved, rig.mesh[:, :2] @ change.T + shift, atol=1e-4)


@pytest.mark.parametrize("shape, upper_falls", [("jawOpen", False), ("eyeBlink_L", True)])
def test_expressions_move_the_right_way(rig, shape, upper_falls):
    index = rig.shape_names.index(shape)
    upper, lower = (386, 374) if upper_falls else (13, 14)
    rise = rig.dx[index, rig.point_of(upper), 1]
    fall = rig.dx[index, rig.point_of(lower), 1]
    assert (rise > fall) == upper_falls


def test_a_vertex_without_a_key_point_is_named_in_the_error(rig):
    with pytest.raises(ValueError, match="vertex 467"):
        rig.point_of(467)


def test_one_score_drives_both_halves_where_the_tracker_knows_no_sides(rig):
    matrix = basis_matrix(rig.score_names, rig.shape_names)
    row = matrix[rig.score_names.index("browInnerUp")]
    assert {rig.shape_names[i] for i in row.nonzero()[0]} == {"browInnerUp_L", "browInnerUp_R"}
    assert matrix[rig.score_names.index("_neutral")].sum() == 0


def test_left_and_right_scores_stay_on_their_side(rig):
    scores = np.zeros(52, np.float32)
    scores[rig.score_names.index("mouthSmileLeft")] = 1
    weights = expression_weights(rig, scores)
    assert [rig.shape_names[i] for i in weights.nonzero()[0]] == ["mouthSmile_L"]
