"""From a picture that a user has to the square portrait that models work on.

Reading files: `avatar/images.py`. Person and background: `avatar/matte.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from avatar.images import read_image
from avatar.matte import separate
from avatar.tracking import FaceTracker, TrackedFace
from models.talking_head import FaceImage

MIN_FACE_PX = 80
MAX_TURN_DEG = 45.0
SIZES = (256, 1024)

SEARCH_SIDE = 1600
"""Largest side of a picture in which faces are looked for, px."""

FACE_HEIGHT = 0.45
"""Height of the mesh as a share of the crop's side, where the picture is large enough."""
MAX_FACE_HEIGHT = 0.57
"""A crop this tight is preferred to one that reaches out of the picture."""
FACE_MIDDLE = (0.5, 0.53)
"""Where the middle of the mesh lies in the crop: hair above, shoulders below."""
MAX_SHIFT = (0.12, 0.07)
"""How far the crop may move, in shares of its side, to stay inside the picture."""


class Crop(NamedTuple):
    """A square in a picture, which it may reach out of: left, top and side in px."""

    left: float
    top: float
    side: float


def read_portrait(
    source: Path | bytes | None, size: int, tracker: FaceTracker
) -> tuple[FaceImage, list[str]]:
    """A portrait, tracked, cropped with head room and separated from its background.

    Args:
        source: an image file, its content, or None for the demonstration portrait.
        size: side of the result, 256 .. 1024 px.
        tracker: who finds the face.

    Returns:
        The portrait, and notices for the user in one line each.

    Raises:
        ValueError: the file cannot be read, there is no face, or the face is narrower than 80 px
            or turned more than 45 degrees; one line for the user.
    """
    if not SIZES[0] <= size <= SIZES[1]:
        raise ValueError(f"the portrait's size must be {SIZES[0]} to {SIZES[1]} px, got {size}")
    picture = demonstration_picture() if source is None else read_image(source)
    faces = find_faces(picture, tracker)
    check_face(faces)
    image, rough = cut_out(picture, faces[0], size)
    face = tracker.settle_face(image) or rough
    matte, background = separate(image, face.landmarks)
    notices = [f"{len(faces)} faces: took the largest"] if len(faces) > 1 else []
    return FaceImage(image, face.landmarks, face.blendshapes, matte, background), notices


def demonstration_picture() -> np.ndarray:
    """Eileen Collins, NASA, public domain, from scikit-image; [512, 512, 3] uint8 RGB."""
    from skimage import data

    return data.astronaut()


def check_face(faces: list[TrackedFace]) -> None:
    """Refuse what cannot become a portrait.

    Raises:
        ValueError: no face at all, or the first is too small or turned too far.
    """
    if not faces:
        raise ValueError("no face was found in the portrait")
    face = faces[0]
    if face.width < MIN_FACE_PX:
        raise ValueError(
            f"the face is {face.width:.0f} px wide; at least {MIN_FACE_PX} px are needed"
        )
    for angle, how in zip(face.pose, ("turned", "nodding", "tilted"), strict=False):
        if abs(angle) > MAX_TURN_DEG:
            raise ValueError(
                f"the face is {how} by {abs(angle):.0f} degrees; at most {MAX_TURN_DEG:.0f} work"
            )


def find_faces(picture: np.ndarray, tracker: FaceTracker) -> list[TrackedFace]:
    """The faces of a picture, the largest first.

    Faces that are small in a large picture are missed at first and looked for in parts of it;
    faces that fill the picture are missed for want of a margin and looked for with one.

    Args:
        picture: [H, W, 3] uint8 RGB, any size.
        tracker: who finds the faces.

    Returns:
        Faces with landmarks in px of `picture`.
    """
    for crops in _searches(*picture.shape[:2]):
        faces = [face for crop in crops for face in _find_in(picture, crop, tracker)]
        if faces:
            return _distinct(sorted(faces, key=lambda face: -face.width))
    return []


def cut_out(picture: np.ndarray, face: TrackedFace, size: int) -> tuple[np.ndarray, TrackedFace]:
    """Crop a face with head room.

    Args:
        picture: [H, W, 3] uint8 RGB.
        face: in px of `picture`.
        size: side of the crop in the result, px.

    Returns:
        [size, size, 3] uint8 RGB, and the face in px of it.
    """
    crop = place_crop(face.landmarks, *picture.shape[:2])
    zoom = size / crop.side
    return _sample(picture, crop, size), _moved(face, zoom, (-crop.left * zoom, -crop.top * zoom))


def place_crop(landmarks: np.ndarray, height: int, width: int) -> Crop:
    """Where to crop: face in the middle, moved and tightened to stay inside where that is enough.

    Args:
        landmarks: [478, 3] float32 px.
        height: of the picture, px.
        width: of the picture, px.
    """
    low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    extent = max(high[1] - low[1], 0.9 * (high[0] - low[0]))
    wanted = extent / FACE_HEIGHT
    side = float(np.clip(min(height, width), extent / MAX_FACE_HEIGHT, wanted))
    corner = (low + high) / 2 - side * np.array(FACE_MIDDLE)
    slack = np.array([width - side, height - side])  # negative where the crop is the larger
    inside = np.clip(corner, np.minimum(slack, 0), np.maximum(slack, 0))
    reach = side * np.array(MAX_SHIFT)
    left, top = np.clip(inside, corner - reach, corner + reach)
    return Crop(float(left), float(top), side)


def _searches(height: int, width: int) -> Iterator[list[Crop]]:
    """Sets of crops to look for faces in, from the whole picture to its parts."""
    side = float(max(height, width))
    centre = Crop((width - side) / 2, (height - side) / 2, side)
    yield [centre]
    yield [Crop(centre.left - side / 2, centre.top - side / 2, 2 * side)]
    for parts in (2, 4, 8):
        part = side / parts
        if part < 2 * MIN_FACE_PX:
            return
        yield [
            Crop(left, top, part) for top in _starts(height, part) for left in _starts(width, part)
        ]


def _starts(extent: int, part: float) -> list[float]:
    """Where parts that overlap by half begin so that they cover an extent, px."""
    room = max(0.0, extent - part)
    return [float(start) for start in np.linspace(0, room, 1 + int(np.ceil(2 * room / part)))]


def _find_in(picture: np.ndarray, crop: Crop, tracker: FaceTracker) -> list[TrackedFace]:
    size = round(min(crop.side, SEARCH_SIDE))
    zoom = crop.side / size
    sample = _sample(picture, crop, size, pad=False)
    return [_moved(face, zoom, (crop.left, crop.top)) for face in tracker.find_faces(sample)]


def _distinct(faces: list[TrackedFace]) -> list[TrackedFace]:
    """Drop faces that overlapping crops have found twice, keeping the larger."""
    kept: list[TrackedFace] = []
    for face in faces:
        centre = face.landmarks[:, :2].mean(0)
        others = [np.abs(other.landmarks[:, :2].mean(0) - centre).max() for other in kept]
        if all(gap > face.width / 2 for gap in others):
            kept.append(face)
    return kept


def _moved(face: TrackedFace, zoom: float, shift: tuple[float, float]) -> TrackedFace:
    """The face in other pixels: zoomed, then shifted by px."""
    landmarks = face.landmarks * np.float32(zoom) + np.array([*shift, 0], np.float32)
    return face._replace(landmarks=landmarks)


def _sample(picture: np.ndarray, crop: Crop, size: int, pad: bool = True) -> np.ndarray:
    """Resample a crop to [size, size, 3] in one go.

    Where the crop reaches out of the picture there is its blurred edge with `pad`, else grey.
    """
    source, crop = _shrunk(picture, crop, size)
    zoom = size / crop.side
    offset = np.array([-crop.left, -crop.top]) * zoom + (zoom - 1) / 2
    matrix = np.array([[zoom, 0, offset[0]], [0, zoom, offset[1]]])
    border = cv2.BORDER_REPLICATE if pad else cv2.BORDER_CONSTANT
    sample = cv2.warpAffine(
        source,
        matrix,
        (size, size),
        flags=cv2.INTER_CUBIC,
        borderMode=border,
        borderValue=(128, 128, 128),
    )
    return _blur_outside(sample, crop, source.shape, zoom) if pad else sample


def _shrunk(picture: np.ndarray, crop: Crop, size: int) -> tuple[np.ndarray, Crop]:
    """Cut the picture down to the crop's surroundings, and average whole px of a finer one.

    What is left to resample is a zoom above 1/2: averaging down to the crop's own resolution first
    would blur it twice.
    """
    height, width = picture.shape[:2]
    reach = crop.side / 2
    x0, y0 = max(0, int(crop.left - reach)), max(0, int(crop.top - reach))
    x1 = min(width, int(crop.left + crop.side + reach))
    y1 = min(height, int(crop.top + crop.side + reach))
    part = picture[y0:y1, x0:x1]
    per_px = max(1, int(crop.side / size))
    w, h = max(1, round((x1 - x0) / per_px)), max(1, round((y1 - y0) / per_px))
    if per_px > 1:
        part = cv2.resize(part, (w, h), interpolation=cv2.INTER_AREA)
    zoom = w / (x1 - x0)
    return part, Crop((crop.left - x0) * zoom, (crop.top - y0) * zoom, crop.side * zoom)


def _blur_outside(
    sample: np.ndarray, crop: Crop, source_shape: tuple[int, ...], zoom: float
) -> np.ndarray:
    """Blur what lies outside the source, more with distance, so that it shows no streaks."""
    size = sample.shape[0]
    centres = (np.arange(size) + 0.5) / zoom
    x, y = crop.left + centres, crop.top + centres
    outside_x = np.maximum(np.maximum(-x, x - source_shape[1]), 0) * zoom
    outside_y = np.maximum(np.maximum(-y, y - source_shape[0]), 0) * zoom
    distance = np.maximum(outside_x[None, :], outside_y[:, None])  # [S, S] px of the sample
    if not distance.any():
        return sample
    result = sample.astype(np.float32)
    for sigma in size * np.array([0.004, 0.012, 0.03, 0.08]):
        blurred = cv2.GaussianBlur(result, (0, 0), sigma)
        share = np.clip(distance / (2 * sigma), 0, 1)[..., None].astype(np.float32)
        result += share * (blurred - result)
    return np.rint(result).astype(np.uint8)
