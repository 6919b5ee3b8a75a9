"""Several callers in one step: their states and portraits as one batch, and back."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from models.eamm.audio_to_motion import MotionState
from models.eamm.head import EammState
from models.eamm.one_euro import FilterState
from models.eamm.portrait import EammPortrait
from models.fomm.dense_motion import MotionSource
from models.fomm.generator import Source
from models.fomm.key_points import KeyPoints


def join_portraits(portraits: Sequence[EammPortrait]) -> EammPortrait:
    """One portrait of batch B from B portraits of batch 1.

    Raises:
        ValueError: their pictures are to have different sizes.
    """
    sizes = {portrait.size for portrait in portraits}
    if len(sizes) != 1:
        raise ValueError(f"portraits of one batch need one size, got {sorted(sizes)}")
    return EammPortrait(
        source=Source(
            _cat([p.source.features for p in portraits]),
            MotionSource(
                _cat([p.source.motion.small for p in portraits]),
                _cat([p.source.motion.heat for p in portraits]),
                _join_points([p.source.motion.points for p in portraits]),
            ),
        ),
        points=_join_points([p.points for p in portraits]),
        identity=_cat([p.identity for p in portraits]),
        pose=_cat([p.pose for p in portraits]),
        size=sizes.pop(),
    )


def join_states(states: Sequence[EammState]) -> EammState:
    """One state of batch B from B states of batch 1."""
    return EammState(
        motion=MotionState(
            *(_cat(x, dim=1) for x in zip(*(s.motion for s in states), strict=True))
        ),
        pose=_join_filters([s.pose for s in states]),
        points=_join_filters([s.points for s in states]),
        displacement=_join_filters([s.displacement for s in states]),
        first=_cat([s.first for s in states]),
    )


def split_state(state: EammState) -> list[EammState]:
    """The states of the callers of a batch, B states of batch 1."""
    return [
        EammState(
            motion=MotionState(state.motion.h[:, i : i + 1], state.motion.c[:, i : i + 1]),
            pose=_one_filter(state.pose, i),
            points=_one_filter(state.points, i),
            displacement=_one_filter(state.displacement, i),
            first=state.first[i : i + 1],
        )
        for i in range(len(state.first))
    ]


def _cat(parts: Sequence[Tensor], dim: int = 0) -> Tensor:
    return torch.cat(list(parts), dim)


def _join_points(points: Sequence[KeyPoints]) -> KeyPoints:
    return KeyPoints(*(_cat(parts) for parts in zip(*points, strict=True)))


def _join_filters(states: Sequence[FilterState]) -> FilterState:
    return FilterState(*(_cat(parts) for parts in zip(*states, strict=True)))


def _one_filter(state: FilterState, i: int) -> FilterState:
    return FilterState(*(part[i : i + 1] for part in state))
