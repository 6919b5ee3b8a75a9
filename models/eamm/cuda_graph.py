"""A function on a GPU as one CUDA graph: one launch instead of a few hundred."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from models.eamm.batching import batch_of, join, over_tensors

WARM_UP = 3
"""Runs before a capture, in which libraries choose their algorithms."""


class Capture(NamedTuple):
    """A captured graph with the bundles that it reads and writes."""

    graph: torch.cuda.CUDAGraph
    inputs: tuple[Any, ...]
    output: Any


class Graphed:
    """A function of bundles, captured for every batch size when it is made.

    Captures made later would be spoilt by what other threads do on the GPU meanwhile. A graph has
    one set of input tensors, so callers take turns: `Combined` sees to that.

    Args:
        function: reads and writes tensors on the GPU only.
        example: inputs of batch 1, in the shapes, types and layouts to come.
        most: the largest batch.
    """

    def __init__(self, function: Callable[..., Any], example: tuple[Any, ...], most: int) -> None:
        sizes = range(1, most + 1)
        self._captures = {n: _capture(function, join([example] * n)) for n in sizes}

    @torch.inference_mode()
    def __call__(self, *inputs: Any) -> Any:
        """As the function."""
        capture = self._captures[batch_of(inputs)]
        over_tensors(Tensor.copy_, capture.inputs, inputs)
        capture.graph.replay()
        return over_tensors(Tensor.clone, capture.output)


@torch.inference_mode()
def _capture(function: Callable[..., Any], inputs: tuple[Any, ...]) -> Capture:
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UP):
            function(*inputs)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        output = function(*inputs)
    return Capture(graph, inputs, output)
