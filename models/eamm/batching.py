"""Bundles of tensors joined into batches and split again.

A bundle is a tensor or a tuple of bundles, as states, key points and encoded portraits are; batches
lie along the first dimension of every tensor in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

Bundle = TypeVar("Bundle")


def over_tensors(function: Callable[..., Any], first: Bundle, *others: Bundle) -> Bundle:
    """A bundle like `first` of what `function` makes of the tensors at each place."""
    if isinstance(first, Tensor):
        return function(first, *others)
    assert isinstance(first, tuple), "a bundle is a tensor or a tuple of bundles"
    parts = [over_tensors(function, *same) for same in zip(first, *others, strict=True)]
    kind: Any = type(first)
    return kind(*parts) if hasattr(kind, "_fields") else kind(parts)


def join(bundles: Sequence[Bundle]) -> Bundle:
    """The bundles of several callers as one batch, in order."""
    return over_tensors(lambda *parts: torch.cat(parts), *bundles)


def split(bundle: Bundle) -> list[Bundle]:
    """The bundles of the callers of a batch, each of batch 1."""
    return [_caller(bundle, i) for i in range(batch_of(bundle))]


def batch_of(bundle: Any) -> int:
    """How many callers there are in a bundle."""
    return len(bundle) if isinstance(bundle, Tensor) else batch_of(bundle[0])


def _caller(bundle: Bundle, i: int) -> Bundle:
    return over_tensors(lambda part: part[i : i + 1], bundle)
