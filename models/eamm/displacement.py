"""P_d, the displacement predictor: what an emotion adds to a neutral talking face."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from models.eamm.sizes import EammSizes
from models.fomm.key_points import KeyPoints

FREQUENCIES = 10
N_DISPLACED = 4
"""Key points that the network displaces."""


def positional_encoding(v: Tensor) -> Tensor:
    """[..., D] -> [..., 21 D]: v, sin(v), cos(v), sin(2 v), cos(2 v) ... up to 2^9 v.

    Source: Mildenhall et al., "NeRF" (2020), without their factor pi, as the weights expect.
    """
    octaves = [f(v * 2**k) for k in range(FREQUENCIES) for f in (torch.sin, torch.cos)]
    return torch.cat([v, *octaves], dim=-1)


class DisplacementPredictor(nn.Module):
    """P_d."""

    def __init__(self, sizes: EammSizes) -> None:
        super().__init__()
        n_in, w = 6 * (1 + 2 * FREQUENCIES) * sizes.fomm.n_points, sizes.displacement_width
        self.fc_p = nn.Sequential(nn.Linear(n_in, 2 * w), nn.ReLU(), nn.Linear(2 * w, w), nn.ReLU())
        widths = [sizes.emotion_dims + w, w, w // 2, 64]
        layers: list[nn.Module] = []
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), nn.ReLU()]
        self.fc_all = nn.Sequential(*layers)
        self.final = nn.Sequential(
            nn.Conv1d(1, 2, 4, stride=2, padding=1),
            nn.MaxPool1d(2),
            nn.ReLU(),
            nn.Conv1d(2, N_DISPLACED, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv1d(N_DISPLACED, N_DISPLACED, 3),
        )

    def forward(self, emotion: Tensor, neutral: KeyPoints) -> KeyPoints:
        """Displacements of the N_DISPLACED key points that the emotion moves.

        Args:
            emotion: [B, emotion_dims], f_e.
            neutral: key points of the neutral talking face.

        Returns:
            [B, 4, 2] and [B, 4, 2, 2].
        """
        code = self.fc_p(positional_encoding(neutral.flat()).flatten(1))
        mixed = self.fc_all(torch.cat([emotion, code], dim=1))  # [B, 64]
        return KeyPoints.from_flat(self.final(mixed[:, None]))
