"""The streaming contract of every network with memory; offline is streaming from a fresh state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

State = TypeVar("State")


class Stateful(nn.Module, ABC, Generic[State]):
    """A causal network whose memory is an explicit bundle of tensors, one bundle per listener.

    One set of weights serves any number of streams: nothing about a stream lives in the module, so
    a new stream is `init_state()` and nothing can be left over from the last one.
    """

    @abstractmethod
    def init_state(self, batch: int = 1) -> State:
        """The memory of `batch` streams that have seen nothing yet, a NamedTuple of tensors."""

    @abstractmethod
    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Advance by one picture.

        Args:
            x: [B, C] float32, the inputs of one step.
            state: what the previous `step` or `init_state` returned; left unchanged.

        Returns:
            [B, D] float32 and the next state.
        """

    def forward(self, x: Tensor) -> Tensor:
        """Run a whole clip, x [B, T, C] float32 -> [B, T, D] float32: `step` from a fresh state."""
        B, T, _ = x.shape
        state, outputs = self.init_state(B), []
        for t in range(T):
            y, state = self.step(x[:, t], state)
            outputs.append(y)
        return torch.stack(outputs, dim=1)  # [B, T, D]
