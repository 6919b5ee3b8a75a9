"""Lip contact: lips touch or part, where a regression hovers in between.

The network says the mean of what a sound allows, which never quite closes a mouth. A small
opening is therefore read as contact, and a larger one is given back what that takes away.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from models.lite.rig import Rig

INNER_PAIRS = ((80, 88), (81, 178), (13, 14), (311, 402), (310, 318))
"""Key points that face one another across the lips, upper and lower."""
OUTER_PAIRS = ((40, 91), (37, 84), (0, 17), (267, 314), (270, 321))
"""The key points of the lips' outer edge behind them."""
OUTER_SHARE = 0.8
"""How far the outer edge goes along when the inner one is moved."""
CONTACT_GAP = 0.07
"""Opening, in inter-ocular distances, up to which lips are taken to touch."""
SOFTNESS = 0.006
"""Width, in inter-ocular distances, of the change from contact to opening."""
OPENING_GAIN = 1.5
CLOSED_GAP = 0.02
"""Opening of talking lips, in inter-ocular distances, from which on an emotion may part them."""


class LipContact:
    """Closes lips that are almost closed; a function of one step, without memory."""

    def __init__(self, rig: Rig) -> None:
        self._inner = _indices(rig, INNER_PAIRS)
        self._outer = _indices(rig, OUTER_PAIRS)

    def __call__(self, dx: Tensor) -> Tensor:
        """Displacements [..., K, 2] float32 of talking key points, with lips that touch or part."""
        upper, lower = self._inner
        gap = dx[..., lower, 1] - dx[..., upper, 1]
        wanted = OPENING_GAIN * SOFTNESS * softplus((gap - CONTACT_GAP) / SOFTNESS)
        return self._parted(dx, wanted - gap.clamp(min=0))

    def kept(self, talking: Tensor, emotion: Tensor) -> Tensor:
        """What an emotion adds to talking key points, without what parts lips that all but touch.

        Args:
            talking: [..., K, 2] float32, displacements by speech.
            emotion: [..., K, 2] float32, displacements by the emotion.

        Returns:
            [..., K, 2] float32.
        """
        upper, lower = self._inner
        gap = talking[..., lower, 1] - talking[..., upper, 1]
        opened = (emotion[..., lower, 1] - emotion[..., upper, 1]).clamp(min=0)
        return self._parted(emotion, opened * ((gap / CLOSED_GAP).clamp(0, 1) - 1))

    def _parted(self, dx: Tensor, more: Tensor) -> Tensor:
        """Displacements with facing lip points `more` [..., pairs] further apart."""
        out = dx.clone()
        for (above, below), share in ((self._inner, 1.0), (self._outer, OUTER_SHARE)):
            out[..., above, 1] -= share * more / 2
            out[..., below, 1] += share * more / 2
        return out


def _indices(rig: Rig, pairs: tuple[tuple[int, int], ...]) -> tuple[Tensor, Tensor]:
    """Places among the key points of the upper and of the lower vertices."""
    places = torch.tensor([[rig.point_of(vertex) for vertex in pair] for pair in pairs])
    return places[:, 0], places[:, 1]
