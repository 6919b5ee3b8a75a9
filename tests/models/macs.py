"""Counts multiply-accumulates of convolutions, linear layers and LSTMs while a network runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from torch import Tensor, nn

COUNTED = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.LSTM)


def macs(module: nn.Module, run: Callable[[], object]) -> int:
    """Multiply-accumulates that `module` does while `run` runs."""
    total = [0]

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: object) -> None:
        total[0] += _of_layer(layer, inputs[0], output)

    with ExitStack() as hooks:
        for layer in module.modules():
            if isinstance(layer, COUNTED):
                hooks.enter_context(_hooked(layer, count))
        run()
    return total[0]


@contextmanager
def _hooked(layer: nn.Module, count: Callable) -> Iterator[None]:
    handle = layer.register_forward_hook(count)
    try:
        yield
    finally:
        handle.remove()


def _of_layer(layer: nn.Module, x: Tensor, output: object) -> int:
    if isinstance(layer, nn.LSTM):
        weights = sum(p.numel() for name, p in layer.named_parameters() if "weight" in name)
        return weights * x.shape[0] * x.shape[1]
    weight = layer.weight
    if isinstance(layer, nn.Linear):
        return weight.numel() * x.numel() // x.shape[-1]
    places = x if isinstance(layer, nn.ConvTranspose2d) else output
    return weight.numel() * places.numel() // places.shape[1]
