"""The One-Euro filter: heavy smoothing at rest, none in quick motion (Casiez et al., CHI 2012)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class FilterState(NamedTuple):
    """Memory of one filter; every tensor has the signal's shape but `started`.

    reference: what the next slope is taken against.
    smooth: the last output.
    slope: the last smoothed slope, units per second.
    started: [B] bool, whether the stream has had a first value.
    """

    reference: Tensor
    smooth: Tensor
    slope: Tensor
    started: Tensor


@dataclass(frozen=True)
class OneEuro:
    """Elementwise filter of [B, ...] signals.

    min_cutoff: cutoff at rest, Hz.
    beta: how much the cutoff rises with the slope.
    slope_cutoff: cutoff of the slope's own smoothing, Hz.
    rate: nominal samples per second; the published system says 100 though its data has 25.
    gain: the signal is multiplied by it before and divided by it after, which matters to `beta`.
    against_smooth: take the slope against the last output instead of the last input, as the
        published code does wherever it filters an array in place.
    """

    min_cutoff: float
    beta: float
    slope_cutoff: float = 1.0
    rate: float = 100.0
    gain: float = 1.0
    against_smooth: bool = False

    def init_state(self, like: Tensor) -> FilterState:
        """The memory of B streams that have had no value yet, for signals shaped as `like`."""
        zeros = torch.zeros_like(like)
        fresh = torch.zeros(len(like), dtype=torch.bool, device=like.device)
        return FilterState(zeros, zeros, zeros, fresh)

    def step(self, x: Tensor, state: FilterState) -> tuple[Tensor, FilterState]:
        """Filter one value of each stream; the first passes through.

        Args:
            x: [B, ...] float32.
            state: from `init_state` or the previous `step`; left unchanged.
        """
        x = x * self.gain
        started = state.started.view(-1, *[1] * (x.dim() - 1))
        slope = self._slope((x - state.reference) * self.rate, state.slope) * started
        share = torch.where(started, self._share(self.min_cutoff + self.beta * slope.abs()), 1.0)
        smooth = share * x + (1 - share) * state.smooth
        reference = smooth if self.against_smooth else x
        known = torch.ones_like(state.started)
        return smooth / self.gain, FilterState(reference, smooth, slope, known)

    def _slope(self, now: Tensor, before: Tensor) -> Tensor:
        share = 1 / (1 + self.rate / (2 * math.pi * self.slope_cutoff))
        return share * now + (1 - share) * before

    def _share(self, cutoff: Tensor) -> Tensor:
        """The weight of the new value at a cutoff in Hz."""
        return 1 / (1 + self.rate / (2 * math.pi * cutoff))


POSE_FILTER = OneEuro(min_cutoff=0.004, beta=0.7, against_smooth=True)
POINT_FILTER = OneEuro(min_cutoff=0.05, beta=8.0, gain=10.0)
DISPLACEMENT_FILTER = OneEuro(min_cutoff=1.0, beta=0.2, gain=100.0)
TRAINING_POSE_FILTER = OneEuro(min_cutoff=0.01, beta=0.7)
