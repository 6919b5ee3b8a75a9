"""Emotion of model `lite`: a linear feature f_e of a tracked face, and the displacements it causes.

E_e is linear without bias on purpose: a weighted sum of features is the feature of the blended
face and strength is a factor, so every interpolation is smooth (paper, Figure 1). What is not
linear, keeping the lips of a closed sound closed, is P_d's part, which sees the talking face.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from models.talking_head import EMOTION_DIMS

FREQUENCIES = 4
"""Octaves of the positional encoding; the paper has 10 on pixels of a whole face."""


def positional_encoding(v: Tensor) -> Tensor:
    """v, sin(2^k pi v) and cos(2^k pi v), [..., D] float32 -> [..., D (1 + 2 FREQUENCIES)].

    The encoding of section 3.2 of the paper.
    """
    octaves = [f(math.pi * 2**k * v) for k in range(FREQUENCIES) for f in (torch.sin, torch.cos)]
    return torch.cat([v, *octaves], dim=-1)


class EmotionEncoder(nn.Module):
    """E_e: expression weights of an emotional face -> f_e.

    Args:
        n_shapes: E, number of expressions.
    """

    def __init__(self, n_shapes: int) -> None:
        super().__init__()
        self.embed = nn.Linear(n_shapes, EMOTION_DIMS, bias=False)

    def forward(self, weights: Tensor) -> Tensor:
        """[..., E] float32, 0 = rest -> [..., EMOTION_DIMS] float32."""
        return self.embed(weights)


class DisplacementPredictor(nn.Module):
    """P_d: emotion feature and talking key points -> displacement of points and jacobians.

    Args:
        n_points: K, number of key points.
        width: hidden units.
    """

    def __init__(self, n_points: int, width: int = 192) -> None:
        super().__init__()
        self.n_points = n_points
        self.points = nn.Linear(n_points * 6 * (1 + 2 * FREQUENCIES), 64)
        self.gate = nn.Linear(64, EMOTION_DIMS)
        self.hidden = nn.Linear(EMOTION_DIMS, width, bias=False)
        self.out = nn.Linear(width, n_points * 6, bias=False)
        self.direct = nn.Linear(EMOTION_DIMS, n_points * 6, bias=False)

    def forward(self, emotion: Tensor, dx: Tensor, dj: Tensor) -> tuple[Tensor, Tensor]:
        """Displacements that vanish with the emotion.

        Args:
            emotion: [B, EMOTION_DIMS] float32.
            dx: [B, K, 2] float32, what speech has added to the resting key points.
            dj: [B, K, 2, 2] float32, what speech has added to the jacobians.

        Returns:
            [B, K, 2] and [B, K, 2, 2] float32.
        """
        B, K, _ = dx.shape
        talking = torch.cat([dx, dj.flatten(2)], dim=-1)  # [B, K, 6]
        code = torch.relu(self.points(positional_encoding(talking).flatten(1)))
        gated = emotion * torch.tanh(self.gate(code))
        moved = (self.direct(emotion) + self.out(torch.tanh(self.hidden(gated)))).view(B, K, 6)
        return moved[..., :2], moved[..., 2:].reshape(B, K, 2, 2)
