"""The inside of the mouth: upper teeth fixed to the skull, lower teeth and tongue to the jaw.

Two small layers, rendered once from a 3D mouth and toned to the portrait's light, are drawn between
the inner contours of the lips, darker towards the upper lip that shades them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import njit

from models.checkpoints import load_tensors
from models.lite.own_teeth import keep_own_teeth
from models.lite.pose import HeadPose, place, rotation_matrix
from models.lite.seam import seam_of

CORNERS = (78, 308)
"""Inner corners of the mouth, image left and image right."""
CHEEKS = np.array([50, 280, 205, 425, 101, 330])
"""Skin whose colour tells the portrait's light."""
REFERENCE_SKIN = 175.0
"""Cheek luma, 0..255, at which the layers keep the brightness they were rendered with."""
GENERIC_WIDTH = 0.47
"""Width of the generic closed mouth between its inner corners, inter-ocular distances."""
TEETH_BELOW_LIP = 0.022
"""How far the upper teeth reach below the line of the closed lips, inter-ocular distances."""
CAVITY = (52, 20, 19)
"""RGB of the mouth where no layer lies, before toning."""
SHADE_DEPTH, SHADE_FLOOR = np.float32(14), np.float32(0.8)
"""Layer pixels over which the shadow of the upper lip fades, and the light left right below it."""


class MouthFit(NamedTuple):
    """The mouth of one portrait.

    upper, lower: [h, w, 4] uint8, RGB premultiplied and alpha, toned; the lip line in the middle.
    cavity: [3] float32 RGB 0..255.
    pixels_per_unit: layer pixels per inter-ocular distance on this face.
    jaw_ratio: how far the lower teeth move when the chin moves by one.
    depth: distance of the front teeth behind the lips, inter-ocular distances.
    anchor: [3] float32, where the middle of the layers lies, face frame.
    seam: 0..1, how much the portrait lacks the dark line of closed lips.
    """

    upper: np.ndarray
    lower: np.ndarray
    cavity: np.ndarray
    pixels_per_unit: float
    jaw_ratio: float
    depth: float
    anchor: np.ndarray
    seam: float


@lru_cache(maxsize=1)
def _layers() -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    tensors, settings = load_tensors("mouth")
    return tensors["upper"].numpy(), tensors["lower"].numpy(), settings


class LayerFrame(NamedTuple):
    """How the layers lie in a picture.

    origin: [2] float px, where the middle of the closed lips would be.
    axis: [2] float unit vector along the mouth, towards image right.
    per_px: [2] float, layer pixels per picture pixel, along and across the mouth.
    shift: [2] float layer pixels, parallax of the teeth behind the lips.
    """

    origin: np.ndarray
    axis: np.ndarray
    per_px: np.ndarray
    shift: np.ndarray

    def to_picture(self, height: int, width: int) -> np.ndarray:
        """The affine map [2, 3] from pixels of a layer of that size to those of the picture."""
        across = np.array([-self.axis[1], self.axis[0]])
        basis = np.stack([self.axis / self.per_px[0], across / self.per_px[1]], axis=1)
        middle = np.array([width, height]) / 2 + self.shift
        return np.column_stack([basis, self.origin - basis @ middle])


def layer_frame(
    mouth: MouthFit, own: HeadPose, pose: np.ndarray, corners: np.ndarray
) -> LayerFrame:
    """Lay the layers into a picture.

    Args:
        mouth: of the portrait.
        own: the portrait's pose.
        pose: [>= 6] float32, POSE_DIMS of the contract.
        corners: [2, 2] float px, the corners of the mouth, image left and image right.
    """
    along = corners[1] - corners[0]
    rotation = rotation_matrix(*pose[:3]) @ own.rotation
    px = own.scale * (1 + float(pose[5]))
    facing = np.array([max(rotation[0, 0], 0.5), max(rotation[1, 1], 0.5)])
    return LayerFrame(
        origin=place(mouth.anchor[None], own, pose)[0],
        axis=along / max(float(np.linalg.norm(along)), 1e-6),
        per_px=mouth.pixels_per_unit / px / facing,
        shift=-mouth.depth * mouth.pixels_per_unit * rotation[:2, 2],
    )


def fit_mouth(
    neutral: np.ndarray, own: HeadPose, image: np.ndarray, landmarks: np.ndarray, lips: np.ndarray
) -> MouthFit:
    """Scale the layers to a face, tone them to its light, and keep the teeth that it shows.

    Args:
        neutral: [468, 3] float32, the face at rest, lips closed, face frame.
        own: the portrait's pose.
        image: [S, S, 3] uint8 RGB portrait.
        landmarks: [>= 468, >= 2] float32 px of `image`.
        lips: [2, n, 2] float32 px, inner edges of upper and lower lip in `image`.
    """
    upper, lower, settings = _layers()
    width = float(np.linalg.norm(np.diff(neutral[list(CORNERS)], axis=0)))
    tone = _tone(image, landmarks)
    mouth = MouthFit(
        upper=_toned(upper, tone),
        lower=_toned(lower, tone),
        cavity=np.array(CAVITY, np.float32) * tone,
        pixels_per_unit=settings["pixels_per_unit"] * float(np.sqrt(GENERIC_WIDTH / width)),
        jaw_ratio=settings["jaw_ratio"],
        depth=settings["depth"],
        anchor=(neutral[13] + neutral[14]) / 2 + np.array([0, TEETH_BELOW_LIP, 0], np.float32),
        seam=seam_of(lips),
    )
    frame = layer_frame(mouth, own, np.zeros(6), lips[0, [0, -1]])
    to_picture = frame.to_picture(*upper.shape[:2])
    upper, lower = keep_own_teeth(mouth.upper, mouth.lower, image, lips, to_picture)
    return mouth._replace(upper=upper, lower=lower)


def _tone(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Gain per channel [3] float32: the brightness of the cheeks, and a quarter of their cast."""
    size = image.shape[0]
    at = np.clip(landmarks[CHEEKS, :2].round().astype(int), 2, size - 3)
    skin = np.mean([image[y - 2 : y + 3, x - 2 : x + 3].mean((0, 1)) for x, y in at], axis=0)
    luma = float(skin @ [0.299, 0.587, 0.114])
    generic = np.array([1.22, 0.94, 0.80])
    cast = np.clip(skin / max(luma, 1.0) / generic, 0.8, 1.2)
    return (np.clip(luma / REFERENCE_SKIN, 0.45, 1.1) ** 0.6 * cast**0.25).astype(np.float32)


def _toned(layer: np.ndarray, tone: np.ndarray) -> np.ndarray:
    out = layer.copy()
    out[..., :3] = np.clip(layer[..., :3] * tone, 0, layer[..., 3:]).astype(np.uint8)
    return out


@njit(cache=True, nogil=True, fastmath=True)
def draw_mouth(
    out: np.ndarray,
    upper: np.ndarray,
    lower: np.ndarray,
    cavity: np.ndarray,
    lips_above: np.ndarray,
    lips_below: np.ndarray,
    origin: np.ndarray,
    axis: np.ndarray,
    layer_scale: np.ndarray,
    shift: np.ndarray,
    jaw: np.ndarray,
) -> None:
    """Draw the mouth's inside between the lips.

    Args:
        out: [H, W, 3] uint8 RGB, changed in place.
        upper: [h, w, 4] uint8, premultiplied, the layer that stays with the skull.
        lower: [h, w, 4] uint8, premultiplied, the layer that goes with the jaw.
        cavity: [3] float32 RGB.
        lips_above: [n, 2] float32 px, inner contour of the upper lip, from image left to right.
        lips_below: [n, 2] float32 px, inner contour of the lower lip; the ends are shared.
        origin: [2] float32 px, where the middle of the closed lips would be.
        axis: [2] float32 unit vector along the mouth, towards image right.
        layer_scale: [2] float32, layer pixels per picture pixel, along and across the mouth.
        shift: [2] float32 layer pixels, parallax of the teeth behind the lips.
        jaw: [2] float32 layer pixels, motion of the lower jaw.
    """
    n = lips_above.shape[0]
    above, below = np.empty((n, 2), np.float32), np.empty((n, 2), np.float32)
    reach_x, reach_y = np.float32(2.0), np.float32(2.0)
    for i in range(n):
        for contour, local in ((lips_above, above), (lips_below, below)):
            dx, dy = contour[i, 0] - origin[0], contour[i, 1] - origin[1]
            local[i, 0] = dx * axis[0] + dy * axis[1]
            local[i, 1] = dy * axis[0] - dx * axis[1]
            reach_x, reach_y = max(reach_x, abs(dx) + 2), max(reach_y, abs(dy) + 2)
    height, width = out.shape[:2]
    for y in range(max(0, int(origin[1] - reach_y)), min(height, int(origin[1] + reach_y) + 1)):
        for x in range(max(0, int(origin[0] - reach_x)), min(width, int(origin[0] + reach_x) + 1)):
            dx, dy = x - origin[0], y - origin[1]
            a, b = dx * axis[0] + dy * axis[1], dy * axis[0] - dx * axis[1]
            top, bottom = across_at(above, a), across_at(below, a)
            cover = min(min(b - top, bottom - b) * np.float32(0.8) + np.float32(0.3), np.float32(1))
            if cover <= 0 or bottom - top < 0.3:
                continue
            cover *= min((bottom - top) * np.float32(0.5), np.float32(1))
            u = a * layer_scale[0] + shift[0] + upper.shape[1] * np.float32(0.5)
            v = b * layer_scale[1] + shift[1] + upper.shape[0] * np.float32(0.5)
            depth = min((b - top) * layer_scale[1] / SHADE_DEPTH, np.float32(1))
            shade = SHADE_FLOOR + (1 - SHADE_FLOOR) * depth
            for ch in range(3):
                value = _over(lower, u - jaw[0], v - jaw[1], ch, cavity[ch])
                value = _over(upper, u, v, ch, value) * shade
                out[y, x, ch] = np.uint8(out[y, x, ch] * (1 - cover) + value * cover)


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def across_at(contour, a):  # type: ignore[no-untyped-def]
    """Across-coordinate of a contour at the along-coordinate `a`; outside of it, empty."""
    n = contour.shape[0]
    if a <= contour[0, 0] or a >= contour[n - 1, 0]:
        return np.float32(0)
    for i in range(1, n):
        if a <= contour[i, 0]:
            span = max(contour[i, 0] - contour[i - 1, 0], np.float32(1e-3))
            t = (a - contour[i - 1, 0]) / span
            return contour[i - 1, 1] + t * (contour[i, 1] - contour[i - 1, 1])
    return np.float32(0)


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _over(layer, u, v, ch, below):  # type: ignore[no-untyped-def]
    """A bilinear sample of one channel of a premultiplied layer over what lies below it."""
    height, width = layer.shape[:2]
    if u < 0 or v < 0 or u >= width - 1 or v >= height - 1:
        return below
    j, i = int(u), int(v)
    fu, fv = np.float32(u - j), np.float32(v - i)
    w00, w01, w10, w11 = (1 - fu) * (1 - fv), fu * (1 - fv), (1 - fu) * fv, fu * fv
    value = (
        layer[i, j, ch] * w00
        + layer[i, j + 1, ch] * w01
        + layer[i + 1, j, ch] * w10
        + layer[i + 1, j + 1, ch] * w11
    )
    alpha = (
        layer[i, j, 3] * w00
        + layer[i, j + 1, 3] * w01
        + layer[i + 1, j, 3] * w10
        + layer[i + 1, j + 1, 3] * w11
    )
    return value + below * (1 - alpha / np.float32(255))
