"""The First Order Motion Model moves what its key points say, whatever the learnt weights."""

import copy

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from models.fomm.blocks import AntiAlias
from models.fomm.folding import fold
from models.fomm.generator import Generator, to_picture
from models.fomm.geometry import coordinate_grid, gaussian_maps, inverse, sample
from models.fomm.key_points import KeyPointHeads, KeyPoints
from models.fomm.relative import hull_area, movement_scale, relative_motion
from models.fomm.sizes import FommSizes
from tests.models.tiny_eamm import shake

TINY = FommSizes(64, 5, 3, 4, 16, 4, 16, 4, 16, 1)
EYE = torch.eye(2).expand(1, 5, 2, 2)


@pytest.fixture(scope="module")
def generator() -> Generator:
    torch.manual_seed(0)
    return Generator(TINY).eval()


def points(seed: int) -> KeyPoints:
    random = torch.Generator().manual_seed(seed)
    value = torch.rand(1, 5, 2, generator=random) - 0.5
    return KeyPoints(value, EYE + 0.2 * torch.randn(1, 5, 2, 2, generator=random))


def test_anti_alias_is_a_blur_of_every_fourth_pixel():
    image = torch.rand(1, 3, 64, 64)
    layer = AntiAlias()
    assert layer.weight.shape == (3, 1, 13, 13)
    blurred = F.conv2d(image, layer.weight, padding=6, groups=3)
    torch.testing.assert_close(layer(image), blurred[:, :, ::4, ::4])


@pytest.mark.parametrize("stride, side, sigma", [(2, 5, 0.5), (4, 13, 1.5), (8, 29, 3.5)])
def test_anti_alias_kernels_are_gaussians_of_the_published_sizes(stride, side, sigma):
    weight = AntiAlias(stride).weight
    assert weight.shape[-1] == side
    torch.testing.assert_close(weight.sum((1, 2, 3)), torch.ones(3))
    middle = weight[0, 0, side // 2]
    share = middle[side // 2 + 1] / middle[side // 2]
    assert share.item() == pytest.approx(np.exp(-0.5 / sigma**2), rel=1e-4)


def test_coordinates_run_from_the_first_pixel_to_the_last():
    grid = coordinate_grid(3, 5, torch.zeros(1))
    assert grid[0, 0].tolist() == [-1, -1]
    assert grid[2, 4].tolist() == [1, 1]
    assert grid[0, 4].tolist() == [1, -1]


def test_aligned_corners_make_the_identity_flow_exact():
    image = torch.rand(1, 2, 64, 64)
    grid = coordinate_grid(64, 64, image)[None]
    torch.testing.assert_close(sample(image, grid, True), image, atol=1e-5, rtol=0)


def test_without_aligned_corners_the_identity_flow_darkens_the_border():
    seen = sample(torch.ones(1, 1, 64, 64), coordinate_grid(64, 64, torch.zeros(1))[None], False)
    assert seen[0, 0, 0, 0] == pytest.approx(0.25)
    assert seen[0, 0, 0, 32] == pytest.approx(0.5)
    assert seen[0, 0, 32, 32] == pytest.approx(1.0)


def test_bumps_are_gaussians_of_the_given_variance():
    bump = gaussian_maps(torch.zeros(1, 1, 2), (21, 21), 0.01)[0, 0]
    assert bump[10, 10] == 1
    assert bump[10, 11] == pytest.approx(np.exp(-0.5 * 0.1**2 / 0.01), rel=1e-4)


def test_inverse_is_the_inverse():
    matrix = torch.randn(4, 5, 2, 2)
    torch.testing.assert_close(inverse(matrix), torch.linalg.inv(matrix), atol=1e-3, rtol=1e-3)


def test_a_sharp_logit_is_a_key_point_at_its_pixel():
    heads = KeyPointHeads(TINY)
    torch.nn.init.zeros_(heads.kp.weight)
    torch.nn.init.zeros_(heads.kp.bias)
    with torch.no_grad():
        heads.kp.weight[0, 0, 3, 3] = 100.0
    features = torch.zeros(1, TINY.map_channels, 16, 16)
    features[0, 0, 3 + 2, 3 + 9] = 1.0  # row 2, column 9 of the 10 x 10 heat map
    found, heat = heads.read(features)
    torch.testing.assert_close(found.value[0, 0], torch.tensor([1.0, -1 + 2 * 2 / 9]))
    torch.testing.assert_close(heat.sum((2, 3)), torch.ones(1, 5))


def test_at_full_size_a_heat_map_has_58_by_58_cells_and_a_temperature_of_a_tenth():
    heads = KeyPointHeads(FommSizes())
    features = torch.rand(1, 35, 64, 64)
    heat = heads.read(features)[1]
    assert heat.shape == (1, 10, 58, 58)
    expected = torch.softmax(heads.kp(features).flatten(2) / 0.1, dim=-1)
    torch.testing.assert_close(heat.flatten(2), expected)


@torch.inference_mode()
def test_the_motion_network_sees_a_bump_and_a_picture_for_every_proposal(generator):
    motion, image = generator.dense_motion_network, torch.rand(1, 3, 64, 64)
    source, driving = points(0), points(1)
    seen = motion.look(image, source)
    proposals = motion._proposals(seen, driving)
    inputs = motion._inputs(seen, driving, proposals).view(1, 6, 4, 16, 16)
    assert not inputs[0, 0, 0].any()  # the background has no bump
    for k in range(6):
        warped = sample(seen.small, proposals[:, k], align_corners=False)
        torch.testing.assert_close(inputs[:, k, 1:], warped)
    bumps = gaussian_maps(driving.value, (16, 16), 0.01)
    bumps = bumps - gaussian_maps(source.value, (16, 16), 0.01)
    torch.testing.assert_close(inputs[:, 1:, 0], bumps)


def test_every_proposal_maps_its_key_point_to_the_source(generator):
    motion = generator.dense_motion_network
    source, driving = points(0), points(1)
    seen = motion.look(torch.rand(1, 3, 64, 64), source)
    proposals = motion._proposals(seen, driving)[0]
    torch.testing.assert_close(proposals[0], coordinate_grid(16, 16, source.value))
    for k in range(5):
        step = (
            coordinate_grid(16, 16, source.value)[0, 1]
            - coordinate_grid(16, 16, source.value)[0, 0]
        )
        turn = source.jacobian[0, k] @ torch.linalg.inv(driving.jacobian[0, k])
        torch.testing.assert_close(proposals[k + 1, 0, 1] - proposals[k + 1, 0, 0], turn @ step)
        at = source.value[0, k] + turn @ (torch.tensor([-1.0, -1.0]) - driving.value[0, k])
        torch.testing.assert_close(proposals[k + 1, 0, 0], at)


@torch.inference_mode()
def test_driving_a_cached_source_is_the_full_forward(generator):
    image = torch.rand(1, 3, 64, 64)
    source, driving = points(0), points(1)
    cached = generator.encode(image, source)
    torch.testing.assert_close(generator.drive(cached, driving), generator(image, source, driving))
    assert generator.drive(cached, source).shape == image.shape


@torch.inference_mode()
def test_a_folded_network_gives_the_same_picture():
    torch.manual_seed(0)
    plain = Generator(TINY).eval()
    shake(plain, 0)
    folded = copy.deepcopy(plain)
    fold(folded)
    assert not any(
        isinstance(module, torch.nn.BatchNorm2d) for module in folded.up_blocks.modules()
    )
    image, source, driving = torch.rand(1, 3, 64, 64), points(0), points(1)
    expected = plain(image, source, driving)
    torch.testing.assert_close(folded(image, source, driving), expected, atol=1e-5, rtol=0)


def test_relative_motion_of_the_first_picture_is_the_source():
    source, first = points(0), points(1)
    same = relative_motion(source, first, first)
    torch.testing.assert_close(same.value, source.value)
    torch.testing.assert_close(same.jacobian, source.jacobian, atol=1e-5, rtol=1e-5)


def test_movement_scales_with_the_size_of_the_face():
    square = torch.tensor([[-1.0, -1], [1, -1], [1, 1], [-1, 1], [0, 0]])
    assert hull_area(square) == pytest.approx(4)
    assert movement_scale(0.5 * square[None], square[None]).item() == pytest.approx(0.5)


def test_pictures_are_eight_bits_and_of_the_size_asked_for():
    images = torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    assert to_picture(images, 8)[0, 0, 0].tolist() == [0, 128, 255]
    assert to_picture(images, 20).shape == (1, 20, 20, 3)


def test_a_picture_too_small_for_the_hourglass_is_refused():
    with pytest.raises(ValueError, match="48"):
        FommSizes(image_size=48)
