"""Laying a face on EAMM's template, as the published networks saw faces in training.

The published system fits a similarity from the landmarks 0..46 of the 68-point markup (jaw, brows,
nose, eyes) to a file of the authors. Without that file the anchors below take its place: the points
of it that are known, each the mean of some landmarks, in a picture of 256 px.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

# fmt: off
MESH_TO_68 = np.array([
    127, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 356,
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,
    168, 197, 5, 4, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
])
"""The point of MediaPipe's mesh that lies on each of the 68 landmarks."""
# fmt: on
TEMPLATE_SIZE = 256
ANCHORS: tuple[tuple[tuple[int, ...], tuple[float, float]], ...] = (
    (tuple(range(36, 42)), (106.0, 113.0)),  # centre of the eye on image left
    (tuple(range(42, 48)), (166.0, 114.0)),  # centre of the other eye
    ((33,), (141.0, 157.0)),  # base of the nose
    ((8,), (135.0, 224.0)),  # chin
)
"""Tip of the nose and ends of the jaw are known too, but the template's face is turned a little and
the mesh has the jaw's ends elsewhere: with them a face comes out tilted by 1.6 degrees."""
STEADY = slice(0, 35)
"""Landmarks that lay the pictures of an emotion clip on its first: jaw, brows, nose."""


def to_68(mesh: np.ndarray) -> np.ndarray:
    """Landmarks of MediaPipe's mesh in the 68-point markup, [..., 478, >= 2] -> [..., 68, 2] px."""
    return mesh[..., MESH_TO_68, :2]


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The rotation, scaling and shift that lays points on others with least squares.

    Args:
        source: [N, 2], N >= 2.
        target: [N, 2].

    Returns:
        [2, 3] float64; a point p goes to M[:, :2] p + M[:, 2].
    """
    a, b = source - source.mean(0), target - target.mean(0)
    power = (a**2).sum()
    along, across = (a * b).sum() / power, (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / power
    turn = np.array([[along, -across], [across, along]])
    return np.column_stack([turn, target.mean(0) - turn @ source.mean(0)])


def to_template(points: np.ndarray, size: int, template: np.ndarray | None = None) -> np.ndarray:
    """The similarity that lays a face on the template.

    Args:
        points: [68, 2] px, in the picture.
        size: side of the aligned picture, px.
        template: [>= 47, 2] px in a picture of 256 px, the authors' own; None for the anchors.

    Returns:
        [2, 3] float64, picture px to aligned px.
    """
    if template is not None:
        source, target = points[:47], template[:47]
    else:
        source = np.array([points[list(group)].mean(0) for group, _ in ANCHORS])
        target = np.array([place for _, place in ANCHORS])
    return similarity(source, target * (size / TEMPLATE_SIZE))


def transform(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points [..., 2] after a similarity [2, 3]."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def warp_image(image: np.ndarray, matrix: np.ndarray, size: int) -> Tensor:
    """A picture seen through a similarity, bilinear, black outside.

    Args:
        image: [H, W, 3] uint8 RGB.
        matrix: [2, 3], px of `image` to px of the result.
        size: side of the result, px.

    Returns:
        [1, 3, size, size] float32 0..1 RGB.
    """
    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float() / 255
    zoom = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if zoom < 0.7:
        pixels, matrix = _shrunk(pixels, matrix, zoom)
    h, w = pixels.shape[2:]
    back = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    ys, xs = np.mgrid[0:size, 0:size]
    where = transform(back, np.stack([xs, ys], -1)) * 2 / np.array([w - 1, h - 1]) - 1
    grid = torch.from_numpy(where.astype(np.float32))[None]
    return F.grid_sample(pixels, grid, padding_mode="zeros", align_corners=True)


def _shrunk(pixels: Tensor, matrix: np.ndarray, zoom: float) -> tuple[Tensor, np.ndarray]:
    """Average a picture down to about the resolution of the result, so that it does not alias."""
    h, w = pixels.shape[2:]
    small = max(2, round(h * zoom)), max(2, round(w * zoom))
    ratio = np.array([w / small[1], h / small[0]])
    pixels = F.interpolate(pixels, small, mode="bilinear", antialias=True)
    shift = (ratio - 1) / 2
    turned = matrix[:, :2] * ratio
    return pixels, np.column_stack([turned, matrix[:, 2] + matrix[:, :2] @ shift])
