"""The generator's per-picture work as one CUDA graph: one launch instead of a few hundred."""

from __future__ import annotations

import threading
from typing import NamedTuple

import torch
from torch import Tensor

from models.fomm.dense_motion import MotionSource
from models.fomm.generator import Generator, Source
from models.fomm.key_points import KeyPoints

WARM_UP = 3
"""Runs before a capture, in which libraries choose their algorithms."""


class Capture(NamedTuple):
    """A captured graph with the tensors that it reads and writes."""

    graph: torch.cuda.CUDAGraph
    source: Source
    driving: KeyPoints
    output: Tensor


class GraphedDrive:
    """`Generator.drive` on a GPU, captured once for every batch size.

    Callers' threads take turns: a graph has one set of input tensors.
    """

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._captures: dict[int, Capture] = {}
        self._turn = threading.Lock()

    @torch.inference_mode()
    def __call__(self, source: Source, driving: KeyPoints) -> Tensor:
        """As `Generator.drive`."""
        batch = len(driving.value)
        with self._turn:
            if batch not in self._captures:
                self._captures[batch] = self._capture(source, driving)
            capture = self._captures[batch]
            own = leaves(capture.source, capture.driving)
            for static, now in zip(own, leaves(source, driving), strict=True):
                static.copy_(now)
            capture.graph.replay()
            return capture.output.clone()

    def _capture(self, source: Source, driving: KeyPoints) -> Capture:
        source, driving = unflatten([leaf.clone() for leaf in leaves(source, driving)])
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                self._generator.drive(source, driving)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            output = self._generator.drive(source, driving)
        return Capture(graph, source, driving, output)


def leaves(source: Source, driving: KeyPoints) -> list[Tensor]:
    """The tensors of a source and of key points, in the order that `unflatten` takes."""
    motion = source.motion
    return [source.features, motion.small, motion.heat, *motion.points, *driving]


def unflatten(tensors: list[Tensor]) -> tuple[Source, KeyPoints]:
    """What `leaves` took apart."""
    features, small, heat, value, jacobian, *driving = tensors
    points = KeyPoints(value, jacobian)
    return Source(features, MotionSource(small, heat, points)), KeyPoints(*driving)
