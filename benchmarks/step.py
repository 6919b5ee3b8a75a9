"""What one step of model `lite` costs, stage by stage, beside a bare remap of a picture as large.

Run it as `python -m benchmarks.step [--size 512] [--steps 500]`.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

import numpy as np


def main() -> None:
    """Run a caller through voiced noise and print milliseconds by stage."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=512, help="side of the picture, px")
    parser.add_argument("--steps", type=int, default=500)
    options = parser.parse_args()

    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    report(measure(options.size, options.steps))


def measure(size: int, steps: int) -> dict[str, list[float]]:
    """Milliseconds of every step, by stage."""
    import cv2

    from avatar.engine import Avatar
    from models.lite import head, picture
    from streaming.features import MfccWindows

    avatar = Avatar.load(size=size, emotions=["happy"])
    avatar.warm_up()
    stream = avatar.open_stream(seed=0)
    windows = MfccWindows(avatar.lookahead_ms * 16)
    sound = np.random.default_rng(0).normal(0, 0.1, (steps + 3, 640)).astype(np.float32)
    y, x = np.mgrid[:size, :size].astype(np.float32) + 0.3
    still = np.zeros((size, size, 3), np.uint8)
    took: dict[str, list[float]] = defaultdict(list)
    with timed(took, head, "draw", "picture"), timed(took, picture, "talking_face", "- mesh"):
        with timed(took, picture, "folded", "- folds"), timed(took, picture, "draw_eyes", "- eyes"):
            with timed(took, picture, "draw_mouth", "- mouth"):
                for chunk in sound:
                    start = perf_counter()
                    ready = windows.push(chunk)
                    took["features"].append((perf_counter() - start) * 1e3)
                    for window in ready:
                        start = perf_counter()
                        stream.step(window)
                        took["whole step"].append((perf_counter() - start) * 1e3)
                    start = perf_counter()
                    cv2.remap(still, x, y, cv2.INTER_LINEAR)
                    took["baseline: remap"].append((perf_counter() - start) * 1e3)
    whole, drawn = took["whole step"], took["picture"]
    pairs = zip(whole, drawn[-len(whole) :], strict=True)
    took["motion, emotion, pose"] = [step - picture_ms for step, picture_ms in pairs]
    return took


@contextmanager
def timed(took: dict[str, list[float]], module: object, name: str, stage: str) -> Iterator[None]:
    """Time every call of a module's function while inside."""
    original: Callable[..., object] = getattr(module, name)

    def call(*args: object, **kwargs: object) -> object:
        start = perf_counter()
        try:
            return original(*args, **kwargs)
        finally:
            took[stage].append((perf_counter() - start) * 1e3)

    setattr(module, name, call)
    try:
        yield
    finally:
        setattr(module, name, original)


def report(took: dict[str, list[float]]) -> None:
    """Print median, p95, p99 and the ratio to the baseline."""
    baseline = float(np.median(took["baseline: remap"]))
    print(f"{'stage':24}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}{'x baseline':>12}")
    for stage, values in took.items():
        p50, p95, p99 = np.percentile(values, [50, 95, 99])
        print(f"{stage:24}{p50:9.2f}{p95:9.2f}{p99:9.2f}{p50 / baseline:12.2f}")


if __name__ == "__main__":
    main()
