"""Lip contact: lips touch or part, where a regression hovers in between.

The network says the mean of what a sound allows, which never quite closes a mouth. A small
opening is therefore read as contact, and a larger one is given back what that takes away. The whole
mouth goes along, jaw and cheeks: lips drawn together in a face that speaks on look half open.
"""

from __future__ import annotations

from collections.abc import Iterable

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
OPENING = {
    "jawOpen", "mouthClose", "mouthLowerDown_L", "mouthLowerDown_R", "mouthUpperUp_L",
    "mouthUpperUp_R", "mouthFunnel",
}  # fmt: skip
"""Expressions that part the lips, and the one that closes them over an open jaw."""
SPREADING = {"mouthStretch_L", "mouthStretch_R", "mouthSmile_L", "mouthSmile_R"}
NARROWING = {"mouthPucker"}
"""Expressions that move the corners of the mouth apart, and together."""
CORNERS = (61, 291)
CONTACT_GAP = 0.05
"""Opening, in inter-ocular distances, up to which lips are taken to touch."""
SOFTNESS = 0.006
"""Width, in inter-ocular distances, of the change from contact to opening."""
OPENING_GAIN = 1.4
SMALLEST_GAP = 1e-4
"""Inter-ocular distances below which lips that do not part are left to rest."""
EMOTION_SHARE = 10.0
"""How many times their own opening an emotion parts talking lips at most: an angry mouth speaks,
it does not stand open."""


class LipContact:
    """Closes lips that are almost closed; a function of one step, without memory.

    Args:
        rig: whose lips.
        groups: names of the expressions that each of N weights moves.
    """

    def __init__(self, rig: Rig, groups: Iterable[Iterable[str]]) -> None:
        self._inner = _indices(rig, INNER_PAIRS)
        self._outer = _indices(rig, OUTER_PAIRS)
        names = [list(group) for group in groups]
        left, right = (rig.point_of(corner) for corner in CORNERS)
        self._gap = _summed(
            rig, names, rig.dx[:, rig.point_of(14), 1] - rig.dx[:, rig.point_of(13), 1]
        )
        self._width = _summed(rig, names, rig.dx[:, right, 0] - rig.dx[:, left, 0])
        self._opens, self._spreads, self._narrows = (
            torch.tensor([float(group[0] in some) for group in names])
            for some in (OPENING, SPREADING, NARROWING)
        )

    def __call__(self, weights: Tensor, closing: Tensor) -> Tensor:
        """Weights of a mouth whose lips touch or part.

        Args:
            weights: [..., N] float32, of the groups.
            closing: [...] float32 0 .. 1, how surely the lips close, whatever the weights say.

        Returns:
            [..., N] float32; the mouth stays as wide.
        """
        gap = (weights @ self._gap) * (1 - closing)
        wanted = OPENING_GAIN * SOFTNESS * softplus((gap - CONTACT_GAP) / SOFTNESS)
        share = torch.where(gap > SMALLEST_GAP, wanted / gap.clamp(min=SMALLEST_GAP), 0.0)
        share = share * (1 - closing)
        return self._as_wide(weights, weights * (1 + (share[..., None] - 1) * self._opens))

    def _as_wide(self, weights: Tensor, changed: Tensor) -> Tensor:
        """`changed` weights with the corners as far apart as at `weights`: jaws narrow a mouth."""
        wider = (changed - weights) @ self._width / (self._spreads @ self._width)
        changed = (changed - wider[..., None] * self._spreads).clamp(min=0)
        wider = (changed - weights) @ self._width / (self._narrows @ self._width)
        return changed - wider[..., None].clamp(max=0) * self._narrows

    def kept(self, talking: Tensor, emotion: Tensor) -> Tensor:
        """What an emotion adds to talking key points: it parts lips in proportion to the speech.

        Args:
            talking: [..., K, 2] float32, displacements by speech.
            emotion: [..., K, 2] float32, displacements by the emotion.

        Returns:
            [..., K, 2] float32.
        """
        upper, lower = self._inner
        gap = talking[..., lower, 1] - talking[..., upper, 1]
        opened = (emotion[..., lower, 1] - emotion[..., upper, 1]).clamp(min=0)
        most = EMOTION_SHARE * gap.clamp(min=0)
        return self._parted(emotion, opened * (most / (most + opened + SMALLEST_GAP) - 1))

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


def _summed(rig: Rig, groups: list[list[str]], per_shape: Tensor) -> Tensor:
    """What each of N groups of expressions does, of what every expression [E] does, [N]."""
    return torch.stack(
        [per_shape[[rig.shape_names.index(name) for name in group]].sum() for group in groups]
    )
