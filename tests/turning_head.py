"""Pictures for pretended cameras: the demonstration portrait turns its head, by the engine."""

from pathlib import Path

import numpy as np
import torch
from av import VideoFrame

from avatar.engine import Avatar
from avatar.pose import YAW
from models.talking_head import POSE_DIMS

RATE, PERIOD_S = 15, 4.0
WIDTH, HEIGHT = 640, 480
TURN_DEG = 18.0


def write_turning_head(path: Path) -> None:
    """A y4m file of one period for Chromium, which plays it over and over."""
    avatar = Avatar.load(size=HEIGHT)
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{RATE}:1 Ip A1:1 C420jpeg\n".encode())
        for k in range(round(RATE * PERIOD_S)):
            yaw = TURN_DEG * np.sin(2 * np.pi * k / RATE / PERIOD_S)
            file.write(b"FRAME\n" + _planes(turned_picture(avatar, yaw)))


def turned_picture(avatar: Avatar, yaw: float) -> np.ndarray:
    """The silent neutral portrait with its head turned by degrees, [S, S, 3] uint8 RGB."""
    model, pose = avatar.model, torch.zeros(1, POSE_DIMS)
    pose[0, YAW] = yaw
    silence, neutral = torch.zeros(1, 28, 12), torch.zeros(1, model.emotion_dims)
    motion, _ = model.step(silence, pose, neutral, avatar.portrait, model.init_state())
    return model.render(avatar.portrait, motion)


def _planes(picture: np.ndarray) -> bytes:
    """A square picture in the middle of a grey 4:3 one, as yuv420p."""
    wide = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    at = (WIDTH - HEIGHT) // 2
    wide[:, at : at + HEIGHT] = picture
    return (
        VideoFrame.from_ndarray(wide, format="rgb24")
        .reformat(format="yuv420p")
        .to_ndarray()
        .tobytes()
    )
