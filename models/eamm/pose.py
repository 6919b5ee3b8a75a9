"""E_p, the pose encoder, and the six numbers that it reads.

The published networks were trained on what 3DDFA_V2 reports for the aligned picture: yaw, pitch and
roll in degrees, the scale, and the shift in its own 120 px square, which follows the face. Scale
and shift hardly vary, whatever the head does, and are constants here.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from models.eamm.sizes import EammSizes

EAMM_POSE_DIMS = 6
SCALE, SHIFT_X, SHIFT_Y = 4.6e-4, 63.0, 73.0
"""Middle of what 3DDFA_V2 reports: 4.3e-4..4.9e-4, 56..70 and 67..79."""
GIMBAL = 0.998


class PoseEncoder(nn.Sequential):
    """[B, 6] -> [B, feature_dims], not negative."""

    def __init__(self, sizes: EammSizes) -> None:
        d = sizes.feature_dims
        first, second = nn.Linear(EAMM_POSE_DIMS, d // 2), nn.Linear(d // 2, d)
        super().__init__(first, nn.ReLU(), second, nn.ReLU())


def head_angles(rotation: np.ndarray) -> np.ndarray:
    """Yaw, pitch and roll as 3DDFA_V2 reads them off a rotation.

    Args:
        rotation: [3, 3], axes x right, y up, z towards the camera.

    Returns:
        [3] float32 degrees; yaw > 0 turns the nose to image left, pitch > 0 nods down, roll > 0
        lifts the image-right eye.
    """
    r = np.asarray(rotation, np.float64)
    if abs(r[2, 0]) > GIMBAL:
        yaw, pitch, roll = np.sign(r[2, 0]) * np.pi / 2, np.arctan2(r[0, 1], r[0, 2]), 0.0
    else:
        yaw = np.arcsin(r[2, 0])
        pitch = np.arctan2(r[2, 1], r[2, 2])
        roll = np.arctan2(r[1, 0], r[0, 0])
    return np.degrees([yaw, pitch, roll]).astype(np.float32)


def own_pose(rotation: np.ndarray) -> Tensor:
    """The portrait's own pose [1, 6] float32.

    Args:
        rotation: [3, 3], of the head, axes x right, y down, z away.
    """
    turned = np.diag([1, -1, -1]) @ rotation @ np.diag([1, -1, -1])
    values = [*head_angles(turned), SCALE, SHIFT_X, SHIFT_Y]
    return torch.tensor([values], dtype=torch.float32)


def add_pose(own: Tensor, pose: Tensor) -> Tensor:
    """The portrait's own pose [1, 6], moved by the contract's pose [B, POSE_DIMS] -> [B, 6]."""
    turn = pose[:, :3] * pose.new_tensor([-1.0, 1.0, 1.0])
    return own + torch.cat([turn, torch.zeros_like(turn)], dim=1)
