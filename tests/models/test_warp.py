import numpy as np
import pytest

from models.lite.warp import warp
from models.lite.warp_torch import TorchWarp

SIDE = 96


@pytest.fixture
def grid():
    axis = np.linspace(0, SIDE - 1, 9, dtype=np.float32)
    points = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    cells = [i * 9 + j for i in range(8) for j in range(8)]
    triangles = [t for a in cells for t in ((a, a + 1, a + 10), (a, a + 10, a + 9))]
    return points, np.array(triangles, np.int32)


@pytest.fixture
def portrait():
    y, x = np.mgrid[:SIDE, :SIDE]
    colours = np.stack([x * 2, y * 2, (x + y) % 200], -1)
    return np.dstack([colours, np.full((SIDE, SIDE), 255)]).astype(np.uint8)


def shaken(points, by=3.0):
    inner = ((points > 0) & (points < SIDE - 1)).all(1)
    noise = np.random.default_rng(0).normal(0, by, points.shape)
    return (points + noise * inner[:, None]).astype(np.float32)


def draw(engine, portrait, background, target, source, triangles):
    out = background.copy()
    engine(out, portrait, target, source, triangles)
    return out


def test_a_mesh_that_has_not_moved_reproduces_the_portrait(grid, portrait):
    points, triangles = grid
    made = draw(warp, portrait, np.zeros((SIDE, SIDE, 3), np.uint8), points, points, triangles)
    assert np.abs(made.astype(int) - portrait[..., :3]).max() <= 3
    assert np.abs(made.astype(int) - portrait[..., :3]).mean() < 0.1


@pytest.mark.parametrize("engine", [warp, TorchWarp("cpu")], ids=["numba", "torch"])
def test_no_crack_opens_between_triangles(grid, portrait, engine):
    points, triangles = grid
    portrait[..., :3] = 200
    made = draw(
        engine, portrait, np.zeros((SIDE, SIDE, 3), np.uint8), shaken(points), points, triangles
    )
    assert made.min() >= 199


def test_a_shift_moves_the_pixels_by_as_much(grid, portrait):
    points, triangles = grid
    target = points + np.float32([5, 0])
    made = draw(warp, portrait, np.zeros((SIDE, SIDE, 3), np.uint8), target, points, triangles)
    assert np.abs(made[10:-10, 15:-10].astype(int) - portrait[10:-10, 10:-15, :3]).max() <= 2


def test_a_triangle_that_has_folded_over_leaves_no_hole(grid, portrait):
    points, triangles = grid
    behind = triangles[:, ::-1].copy()
    background = np.zeros((SIDE, SIDE, 3), np.uint8)
    folded = draw(warp, portrait, background, points, points, behind)
    assert np.array_equal(folded, draw(warp, portrait, background, points, points, triangles))


@pytest.mark.parametrize("engine", [warp, TorchWarp("cpu")], ids=["numba", "torch"])
def test_a_fold_that_shows_nothing_hides_nothing(grid, portrait, engine):
    points, triangles = grid
    portrait[:, 48:] = 0
    folded = points.copy()
    folded[:, 0] = np.minimum(points[:, 0], SIDE - 1 - points[:, 0])
    made = draw(engine, portrait, np.zeros((SIDE, SIDE, 3), np.uint8), folded, points, triangles)
    assert np.abs(made[5:-5, 5:40].astype(int) - portrait[5:-5, 5:40, :3]).max() <= 3


def test_the_background_shows_where_the_matte_is_empty(grid, portrait):
    points, triangles = grid
    portrait[:, 48:] = 0
    background = np.full((SIDE, SIDE, 3), 77, np.uint8)
    made = draw(warp, portrait, background, points, points, triangles)
    assert (made[:, 50:] == 77).all()


def test_the_torch_warp_draws_the_same_picture(grid, portrait):
    points, triangles = grid
    portrait[:, 60:, :] //= 2
    background = np.full((SIDE, SIDE, 3), 120, np.uint8)
    scene = (portrait, background, shaken(points), points, triangles)
    difference = np.abs(draw(warp, *scene).astype(int) - draw(TorchWarp("cpu"), *scene))
    assert np.quantile(difference, 0.999) <= 3


@pytest.mark.gpu
def test_the_warp_on_cuda_draws_the_same_picture(grid, portrait):
    import torch

    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    points, triangles = grid
    scene = (portrait, np.zeros((SIDE, SIDE, 3), np.uint8), shaken(points), points, triangles)
    difference = np.abs(draw(warp, *scene).astype(int) - draw(TorchWarp("cuda"), *scene))
    assert np.quantile(difference, 0.999) <= 3
