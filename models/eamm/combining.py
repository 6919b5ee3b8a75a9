"""Several callers' work in one batch: whoever asks while a batch is worked on is in the next one.

Nobody waits for company: a lone caller is served at once, and a batch grows only as far as callers
have piled up behind the one before.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from models.eamm.batching import join, split

MAX_BATCH = 4


class Request:
    """One caller's inputs, then what became of them or why nothing did."""

    def __init__(self, inputs: tuple[Any, ...]) -> None:
        self.inputs = inputs
        self.done = False
        self.result: Any = None
        self.error: Exception | None = None


class Combined:
    """A function of bundles, for callers on threads of their own, each with one call at a time.

    Args:
        run: takes and returns bundles of batch B; B callers get what they would get alone.
        finish: waits for what `run` has begun. A GPU works on after `run` has returned: without
            waiting, the next caller would find nothing to pile up behind.
    """

    def __init__(self, run: Callable[..., Any], finish: Callable[[], object] | None = None) -> None:
        self._run, self._finish = run, finish
        self._waiting: list[Request] = []
        self._guard = threading.Lock()  # around `_waiting`
        self._turn = threading.Lock()  # held while a batch is worked on

    def __call__(self, *inputs: Any) -> Any:
        """As `run`, for bundles of batch 1."""
        request = Request(inputs)
        with self._guard:
            self._waiting.append(request)
        with self._turn:
            while not request.done:
                self._serve(self._next_batch())
        if request.error is not None:
            raise request.error
        return request.result

    def _next_batch(self) -> list[Request]:
        with self._guard:
            batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
        return batch

    def _serve(self, batch: Sequence[Request]) -> None:
        """Work on one batch; an error is everybody's in it, so that nobody waits for ever."""
        try:
            results = split(self._run(*join([request.inputs for request in batch])))
            if self._finish is not None:
                self._finish()
            for request, result in zip(batch, results, strict=True):
                request.result = result
        except Exception as error:
            for request in batch:
                request.error = error
        for request in batch:
            request.done = True
