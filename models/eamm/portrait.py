"""Encoding a portrait for EAMM: everything about one face that its pictures share, made once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from torch import Tensor

from models.eamm.alignment import to_68, to_template, transform, warp_image
from models.eamm.audio_to_motion import AudioToMotion
from models.eamm.device import prepared
from models.eamm.pose import own_pose
from models.eamm.weights import Fomm
from models.fomm.generator import Source
from models.fomm.key_points import KeyPoints
from models.lite.pose import fit_pose
from models.talking_head import FaceImage


class Person(NamedTuple):
    """What the motion depends on.

    points: key points of the portrait.
    identity: [B, identity_dims] float32.
    pose: [B, 6] float32, its own pose as `models.eamm.pose` describes.
    """

    points: KeyPoints
    identity: Tensor
    pose: Tensor


class EammPortrait(NamedTuple):
    """One encoded portrait.

    source: features and motion source of the generator, in its precision.
    person: for the motion.
    size: side of the pictures to be, px.
    """

    source: Source
    person: Person
    size: int


def align(face: FaceImage, size: int, template: np.ndarray | None) -> tuple[Tensor, np.ndarray]:
    """Lay a portrait on the template.

    Args:
        face: the tracked portrait.
        size: side of the aligned picture, px.
        template: as in `models.eamm.alignment.to_template`.

    Returns:
        [1, 3, size, size] float32 0..1 RGB, and the face mesh in it, [478, 3] float32 px.
    """
    matrix = to_template(to_68(face.landmarks), size, template)
    mesh = face.landmarks.copy()
    mesh[:, :2] = transform(matrix, mesh[:, :2])
    mesh[:, 2] *= np.sqrt(np.linalg.det(matrix[:, :2]))
    return warp_image(face.image, matrix, size), mesh


def encode_image(
    image: Tensor, mesh: np.ndarray, size: int, fomm: Fomm, audio_to_motion: AudioToMotion
) -> EammPortrait:
    """Run the networks that look at the portrait.

    Args:
        image: [1, 3, S, S] float32 0..1 RGB, aligned.
        mesh: [478, 3] float32 px, its face mesh.
        size: side of the pictures to be, px.
        fomm: E_k and G.
        audio_to_motion: whose identity encoder looks at the portrait.
    """
    there = image.to(fomm.generator.final.weight.device)
    points = fomm.kp_detector(there)
    turned = own_pose(fit_pose(mesh, _generic_mesh()).rotation).to(there)
    return EammPortrait(
        source=fomm.generator.encode(prepared(image, fomm.generator), points),
        person=Person(points, audio_to_motion.encode_identity(there), turned),
        size=size,
    )


def _generic_mesh() -> np.ndarray:
    from models.lite.rig import load_rig

    return load_rig().mesh.numpy()
