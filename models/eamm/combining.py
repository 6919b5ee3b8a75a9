"""Several callers' pictures in one batch: whoever asks while a batch is drawn is in the next one.

Nobody waits for company: a lone caller is drawn at once, and a batch grows only as far as callers
have piled up behind the one before.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from models.eamm.cuda_graph import leaves, unflatten
from models.fomm.generator import Source
from models.fomm.key_points import KeyPoints

MAX_BATCH = 4
Drive = Callable[[Source, KeyPoints], Tensor]


class Request:
    """One caller's picture to be: what it is made of, then the picture or why there is none."""

    def __init__(self, source: Source, driving: KeyPoints) -> None:
        self.tensors = leaves(source, driving)
        self.image: Tensor | None = None
        self.error: Exception | None = None


class CombinedDrive:
    """`Generator.drive` for callers on threads of their own, each with one request at a time.

    Args:
        drive: draws a batch.
    """

    def __init__(self, drive: Drive) -> None:
        self._drive = drive
        self._waiting: list[Request] = []
        self._guard = threading.Lock()  # around `_waiting`
        self._turn = threading.Lock()  # held while a batch is drawn

    def __call__(self, source: Source, driving: KeyPoints) -> Tensor:
        """As `Generator.drive`; sources and key points are of batch 1."""
        request = Request(source, driving)
        with self._guard:
            self._waiting.append(request)
        with self._turn:
            while request.image is None and request.error is None:
                self._draw(self._next_batch())
        if request.error is not None:
            raise request.error
        assert request.image is not None, "a request ends with a picture or an error"
        return request.image

    def _next_batch(self) -> list[Request]:
        with self._guard:
            batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
        return batch

    def _draw(self, batch: Sequence[Request]) -> None:
        """Draw one batch; an error is everybody's in it, so that nobody waits for ever."""
        try:
            parts = zip(*(request.tensors for request in batch), strict=True)
            images = self._drive(*unflatten([torch.cat(part) for part in parts]))
        except Exception as error:
            for request in batch:
                request.error = error
            return
        for request, image in zip(batch, images.split(1), strict=True):
            request.image = image
