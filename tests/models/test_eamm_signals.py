"""The signal paths of EAMM that need no weights: filters, template, pose, clip, encoding."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.eamm.alignment import (
    ANCHORS,
    MESH_TO_68,
    similarity,
    to_68,
    to_template,
    transform,
    warp_image,
)
from models.eamm.clip import RAISED_PX, cover_mouth, hold_still, mouth_noise
from models.eamm.displacement import positional_encoding
from models.eamm.one_euro import (
    DISPLACEMENT_FILTER,
    POINT_FILTER,
    POSE_FILTER,
    TRAINING_POSE_FILTER,
    OneEuro,
)
from models.eamm.options import EammOptions
from models.eamm.pose import add_pose, head_angles, own_pose
from models.lite.pose import rotation_matrix
from tests.models.tiny_eamm import paint_clip, paint_face, textbook

SHARED = Path(__file__).parents[2].parent / "shared"
TRACKS = sorted((SHARED / "data" / "tracks").glob("eamm_*.npz"))


def run(one_euro: OneEuro, signal: torch.Tensor) -> torch.Tensor:
    state, out = one_euro.init_state(signal[0]), []
    for x in signal:
        y, state = one_euro.step(x, state)
        out.append(y)
    return torch.stack(out)


@pytest.mark.parametrize(
    "one_euro, constants",
    [
        (POSE_FILTER, (0.004, 0.7, 1.0, True)),
        (POINT_FILTER, (0.05, 8.0, 10.0, False)),
        (DISPLACEMENT_FILTER, (1.0, 0.2, 100.0, False)),
        (TRAINING_POSE_FILTER, (0.01, 0.7, 1.0, False)),
    ],
    ids=["pose", "points", "displacement", "pose in training"],
)
def test_filters_are_the_textbook_filter_with_the_published_constants(one_euro, constants):
    signal = torch.from_numpy(np.random.default_rng(0).normal(size=(40, 1, 3))).float()
    expected = textbook(signal[:, 0], *constants)
    np.testing.assert_allclose(run(one_euro, signal)[:, 0], expected, atol=1e-4)


def test_a_constant_passes_a_filter_unchanged():
    signal = torch.full((10, 2, 4), 0.3)
    torch.testing.assert_close(run(POINT_FILTER, signal), signal)


def test_callers_in_one_batch_start_on_their_own():
    state = POINT_FILTER.init_state(torch.zeros(2, 1))
    _, later = POINT_FILTER.step(torch.tensor([[1.0], [2.0]]), state)
    mixed = type(state)(*(torch.stack([b[0], a[1]]) for a, b in zip(state, later, strict=True)))
    y, _ = POINT_FILTER.step(torch.tensor([[5.0], [7.0]]), mixed)
    assert y[1].item() == 7.0
    assert y[0].item() < 5.0


def test_the_mesh_has_a_point_for_each_of_68_landmarks():
    assert MESH_TO_68.shape == (68,)
    assert len(set(MESH_TO_68.tolist())) == 68


def test_a_similarity_is_found_again():
    points = np.random.default_rng(0).normal(size=(9, 2)) * 40
    turn = 1.3 * np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    matrix = similarity(points, points @ turn.T + [5, -7])
    np.testing.assert_allclose(matrix, np.column_stack([turn, [5, -7]]), atol=1e-9)


def published_face() -> np.ndarray:
    """Landmarks of a face whose eyes, nose and chin are where the authors' template has them."""
    points = np.zeros((68, 2))
    points[36:42], points[42:48] = (106, 113), (166, 114)
    points[33], points[8] = (141, 157), (135, 224)
    return points


@pytest.mark.parametrize("size", [64, 256])
def test_a_face_on_the_published_places_is_not_moved(size):
    points = published_face() * size / 256
    matrix = to_template(points, size)
    np.testing.assert_allclose(matrix, [[1, 0, 0], [0, 1, 0]], atol=1e-9)


def test_a_turned_and_shrunk_face_lands_on_the_anchors():
    turned = published_face() @ np.array([[0.4, -0.3], [0.3, 0.4]]) + [300, 20]
    matrix = to_template(turned, 256)
    for group, place in ANCHORS:
        np.testing.assert_allclose(transform(matrix, turned[list(group)]).mean(0), place, atol=1e-6)


def test_the_authors_template_is_followed_from_jaw_to_eyes():
    template = np.random.default_rng(0).random((68, 2)) * 256
    moved = template.copy()
    moved[47:] += 40  # the last of the eyes and the mouth do not count
    np.testing.assert_allclose(to_template(moved, 256, template), [[1, 0, 0], [0, 1, 0]], atol=1e-9)
    moved[46] += 40
    assert np.abs(to_template(moved, 256, template) - [[1, 0, 0], [0, 1, 0]]).max() > 0.1


def test_a_tracked_face_has_its_eyes_at_the_anchors():
    points = to_68(paint_face(400).landmarks)
    placed = transform(to_template(points, 256), points)
    for group, place in ANCHORS[:2]:
        assert np.linalg.norm(placed[list(group)].mean(0) - place) < 6


@pytest.mark.skipif(not TRACKS, reason="needs tracks of the authors' demo clips")
def test_the_authors_own_clips_are_on_the_template_already():
    for path in TRACKS:
        points = to_68(np.load(path)["landmarks"][0])
        placed = transform(to_template(points, 256), points)
        assert np.linalg.norm((placed - points)[:47], axis=1).mean() < 6


@pytest.mark.parametrize("zoom", [1.0, 0.3])
def test_a_warped_picture_shows_the_pixel_at_its_new_place(zoom):
    ys, xs = np.mgrid[0:120, 0:120]
    image = np.stack([2 * xs, 2 * ys, np.zeros_like(xs)], -1).astype(np.uint8)
    matrix = np.array([[zoom, 0, 3.0], [0, zoom, 1.0]])
    seen = warp_image(image, matrix, 40)[0].permute(1, 2, 0).numpy() * 255
    x, y = (20 - 3.0) / zoom, (10 - 1.0) / zoom
    np.testing.assert_allclose(seen[10, 20], [2 * x, 2 * y, 0], atol=1.1)


def test_outside_the_picture_is_black():
    image = np.full((50, 50, 3), 200, np.uint8)
    assert warp_image(image, np.array([[1.0, 0, 30], [0, 1, 0]]), 50)[0, :, 25, 5].sum() == 0


def test_red_stays_red():
    image = np.zeros((50, 50, 3), np.uint8)
    image[..., 0] = 255
    assert warp_image(image, np.array([[1.0, 0, 0], [0, 1, 0]]), 50)[0, :, 25, 25].tolist() == [
        1,
        0,
        0,
    ]


def test_head_angles_follow_the_published_formula():
    yaw, pitch, roll = 12.0, -8.0, 5.0
    own = own_pose(rotation_matrix(yaw, pitch, roll))[0]
    assert own[0] == pytest.approx(-yaw, abs=1.0)  # its yaw is positive towards image left
    assert own[1] == pytest.approx(pitch, abs=1.5)
    assert own[2] == pytest.approx(roll, abs=2.5)
    assert head_angles(np.eye(3)).tolist() == [0, 0, 0]


def test_head_angles_are_read_off_the_published_entries():
    a, b, c = np.radians([20.0, -15.0, 8.0])
    r = np.zeros((3, 3))
    r[2] = np.sin(a), np.cos(a) * np.sin(b), np.cos(a) * np.cos(b)
    r[1, 0], r[0, 0] = np.cos(a) * np.sin(c), np.cos(a) * np.cos(c)
    np.testing.assert_allclose(head_angles(r), [20, -15, 8], atol=1e-4)


@pytest.mark.parametrize("sine, yaw", [(0.9985, 90.0), (-0.9985, -90.0), (0.9975, 85.95)])
def test_beyond_a_sine_of_0_998_the_head_counts_as_turned_by_90_degrees(sine, yaw):
    r = np.zeros((3, 3))
    r[2, 0] = sine
    assert head_angles(r)[0] == pytest.approx(yaw, abs=0.01)


def test_scale_and_shift_lie_where_3ddfa_reports_them():
    _, _, _, scale, x, y = own_pose(np.eye(3))[0].tolist()
    assert 4.3e-4 <= scale <= 4.9e-4
    assert 56 <= x <= 70
    assert 67 <= y <= 79


@pytest.mark.parametrize("axis, sign", [(0, -1), (1, 1), (2, 1)])
def test_one_angle_alone_is_read_exactly(axis, sign):
    angles = [0.0, 0.0, 0.0]
    angles[axis] = 20.0
    assert own_pose(rotation_matrix(*angles))[0, axis] == pytest.approx(sign * 20, abs=1e-3)


def test_at_the_gimbal_the_angles_stay_finite():
    assert np.isfinite(head_angles(np.array([[0, 0, -1.0], [0, 1, 0], [1, 0, 0]]))).all()


def test_the_contracts_pose_moves_the_portraits_own():
    own = own_pose(np.eye(3))
    moved = add_pose(own, torch.tensor([[10.0, 4, -3, 0.2, 0.2, 0.2, 1, 0, 0]]))
    assert (moved - own)[0].tolist() == [-10, 4, -3, 0, 0, 0]


def test_positional_encoding_has_ten_octaves_without_pi():
    v = torch.tensor([[0.3, -0.2]])
    code = positional_encoding(v)
    assert code.shape == (1, 42)
    torch.testing.assert_close(code[:, :6], torch.cat([v, v.sin(), v.cos()], 1))
    torch.testing.assert_close(code[:, -4:], torch.cat([(512 * v).sin(), (512 * v).cos()], 1))


def test_the_mouth_is_covered_by_the_same_noise_every_time():
    images = torch.zeros(2, 3, 256, 256)
    covered = cover_mouth(images, mouth_noise(1, 256))
    assert torch.equal(covered, cover_mouth(images, mouth_noise(1, 256)))
    assert torch.equal(covered[0], covered[1])
    rows, columns = covered[0, 0].nonzero().T
    assert (rows.min(), rows.max() + 1) == (160, 220)
    assert (columns.min(), columns.max() + 1) == (85, 185)
    assert (covered[0, :, 160:220, 85:185].mean() - 0.5).abs() < 0.01
    torch.testing.assert_close(covered * 255, (covered * 255).round())


def test_a_clip_is_laid_on_its_own_first_picture():
    track = paint_clip(2)
    pictures = np.stack([track.pictures[0]] * 2)
    moved = track.landmarks.copy()
    pictures[1] = np.roll(pictures[0], (5, 3), (0, 1))
    moved[1, :, :2] += [3, 5]
    still = hold_still(pictures, moved, 64)
    torch.testing.assert_close(
        still[1, :, 16:48, 16:48], still[0, :, 16:48, 16:48], atol=0.02, rtol=0
    )


@pytest.mark.parametrize("landmark, counts", [(34, True), (35, False)])
def test_jaw_brows_and_nose_hold_a_clip_still(landmark, counts):
    track = paint_clip(2)
    pictures, meshes = np.stack([track.pictures[0]] * 2), np.stack([track.landmarks[0]] * 2)
    meshes[1, MESH_TO_68[landmark], :2] += 20
    still = hold_still(pictures, meshes, 64)
    assert torch.equal(still[0], still[1]) is not counts


def test_a_raised_clip_lies_ten_pixels_higher():
    track = paint_clip(1)
    level = hold_still(track.pictures, track.landmarks, 256)
    raised = hold_still(track.pictures, track.landmarks, 256, up=RAISED_PX)
    assert RAISED_PX == 10
    torch.testing.assert_close(raised[:, :, :-10], level[:, :, 10:], atol=1e-4, rtol=0)


def test_options_refuse_what_they_do_not_know():
    with pytest.raises(ValueError, match="beard"):
        EammOptions.from_json({"beard": 1})
    with pytest.raises(ValueError, match="shut"):
        EammOptions(mouth="shut")
    with pytest.raises(ValueError, match="3 points but 4 gains"):
        EammOptions(points=(1, 2, 3))


def test_options_survive_json():
    options = EammOptions(points=(0, 2), gains=(1.0, 0.5), relative=True)
    from dataclasses import asdict

    assert EammOptions.from_json(asdict(options)) == options
    assert EammOptions.from_json({"points": [0, 2], "gains": [1.0, 0.5]}).points == (0, 2)
