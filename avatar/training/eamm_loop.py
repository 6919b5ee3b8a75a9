"""The training loop of all EAMM stages: draw, lower the losses, evaluate, save, go on.

What happens in step n depends on the seed and on n alone: examples and further chance are drawn
from generators seeded with both, so a killed run repeats itself exactly from its last save.
Several GPUs: `torchrun --nproc-per-node N -m avatar.train <stage> --device cuda ...`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset

from avatar.training.eamm_clips import Clip, find_clips
from avatar.training.eamm_curves import draw_curves
from avatar.training.eamm_run import BETAS, Record, RunOptions, rate_at
from avatar.training.eamm_stage import Stage
from models.checkpoints import replace_file

Optimizers = dict[str, torch.optim.Adam]
HELD_OUT_SEED = 10**9
"""Held-out batches are drawn as steps from here on, the same in every evaluation."""


class Batches(Dataset):
    """Batch n of a stage, drawn when asked for."""

    def __init__(self, stage: Stage, clips: list[Clip], options: RunOptions, rank: int) -> None:
        self._stage, self._clips, self._options, self._rank = stage, clips, options, rank

    def __getitem__(self, step: int) -> dict[str, Tensor]:
        """All examples of a step, stacked; and the step's own seed."""
        seeds = (self._options.seed, step, self._rank)
        random = np.random.default_rng(seeds)
        drawn = [self._stage.draw(self._clips, random) for _ in range(self._options.batch)]
        batch = {k: torch.from_numpy(np.stack([e[k] for e in drawn])) for k in drawn[0]}
        return {**batch, "seed": torch.tensor(int(random.integers(2**31)))}


def run_stage(stage: Stage, options: RunOptions) -> None:
    """Train for a user: progress while it runs, then the held-out losses and their curves.

    Raises:
        ValueError: as `train`.
    """
    if losses := train(stage, options):
        print({name: round(value, 3) for name, value in losses.items()})
        draw_curves([options.out / f"{stage.name}.csv"], options.out / f"{stage.name}.png")


class Journal:
    """What the first process of a run does besides training: evaluate, record, save."""

    def __init__(
        self, stage: Stage, optimizers: Optimizers, options: RunOptions, start: int
    ) -> None:
        """Begin at step `start`; what a killed run recorded after it is forgotten."""
        self._stage, self._optimizers, self._options = stage, optimizers, options
        self._record = Record(options.out / f"{stage.name}.csv", start)
        self.held_out = evaluate(stage, options)
        if start:
            stage.save(options.out)  # a kill may have come between the state and these files
        else:
            self._record.add(0, "held-out", self.held_out)

    def after(self, step: int, losses: dict[str, float]) -> None:
        """Take note of a step."""
        done, options = step + 1, self._options
        self._record.add(step, "train", losses)
        if done == options.steps or done % options.evaluate_every == 0:
            self.held_out = evaluate(self._stage, options)
            self._record.add(done, "held-out", self.held_out)
        if done == options.steps or done % options.save_every == 0:
            _save(self._stage, self._optimizers, done, options)


def train(stage: Stage, options: RunOptions, show: bool = True) -> dict[str, float]:
    """Run a stage to its last step, from its last save if there is one.

    Args:
        stage: on any device; it is moved to that of the options.
        options: of the run.
        show: a progress bar.

    Returns:
        The held-out losses at the end, `total` among them; nothing but on rank 0.

    Raises:
        ValueError: there are no clips, or the save does not fit.
    """
    torch.manual_seed(options.seed)
    with processes(options) as (rank, device):
        stage.to(device).train()
        optimizers = {
            name: torch.optim.Adam(parameters, lr=options.rate, betas=BETAS)
            for name, parameters in stage.players().items()
        }
        start = _resume(stage, optimizers, options)
        model = _distributed(stage, device)
        loader = _loader(stage, options, rank, start)
        journal = Journal(stage, optimizers, options, start) if rank == 0 else None
        steps = _bar(loader, start, options.steps, stage.name, show and rank == 0)
        for step, batch in enumerate(steps, start):
            losses = _lower(model, stage, optimizers, _moved(batch, device), step, options)
            if journal is not None:
                journal.after(step, losses)
        return journal.held_out if journal is not None else {}


@torch.no_grad()
def evaluate(stage: Stage, options: RunOptions) -> dict[str, float]:
    """Mean losses on the held-out batches, in eval mode; `total` is their sum."""
    device = next(stage.parameters()).device
    stage.eval()
    batches = Batches(stage, find_clips(options.data, held_out=True), options, rank=0)
    sums: dict[str, float] = {}
    for i in range(options.n_held_out):
        losses = stage(_moved(batches[HELD_OUT_SEED + i], device))
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + float(value) / options.n_held_out
    stage.train()
    return {**sums, "total": sum(sums.values())}


@contextmanager
def processes(options: RunOptions) -> Iterator[tuple[int, torch.device]]:
    """Rank and device of this process; under torchrun one of several that train together."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield 0, torch.device(options.device)
        return
    on_gpu = options.device.startswith("cuda")
    torch.distributed.init_process_group("nccl" if on_gpu else "gloo")
    try:
        local = int(os.environ["LOCAL_RANK"])
        yield (
            torch.distributed.get_rank(),
            torch.device("cuda", local) if on_gpu else torch.device(options.device),
        )
    finally:
        torch.distributed.destroy_process_group()


def _loader(stage: Stage, options: RunOptions, rank: int, start: int) -> DataLoader:
    batches = Batches(stage, find_clips(options.data, held_out=False), options, rank)
    steps = range(start, options.steps)
    return DataLoader(batches, batch_size=None, sampler=steps, num_workers=options.workers)


def _distributed(stage: Stage, device: torch.device) -> nn.Module:
    if not torch.distributed.is_initialized():
        return stage
    ids = [device.index] if device.type == "cuda" else None
    return DistributedDataParallel(stage, device_ids=ids, find_unused_parameters=True)


def _lower(
    model: nn.Module,
    stage: Stage,
    optimizers: Optimizers,
    batch: dict[str, Tensor],
    step: int,
    options: RunOptions,
) -> dict[str, float]:
    """One step of every player; the losses before it."""
    shown = {}
    half = options.precision == "bfloat16"
    for player, optimizer in optimizers.items():
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, options, stage.milestones)
        with torch.autocast(next(iter(batch.values())).device.type, torch.bfloat16, enabled=half):
            losses = model(batch, player)
        total = torch.stack(list(losses.values())).sum()
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        optimizer.step()
        shown.update({name: float(value.detach()) for name, value in losses.items()})
    return {**shown, "total": sum(shown.values())}


def _resume(stage: Stage, optimizers: Optimizers, options: RunOptions) -> int:
    """Load the last save, if there is one; the step to go on with."""
    path = options.out / f"{stage.name}.state.pt"
    if not path.exists():
        return 0
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        stage.learning.load_state_dict(state["networks"])
        for name, optimizer in optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        return int(state["step"])
    except (RuntimeError, KeyError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"cannot go on from {path}: {reason}; use another --out") from None


def _save(stage: Stage, optimizers: Optimizers, step: int, options: RunOptions) -> None:
    state: dict[str, Any] = {
        "networks": stage.learning.state_dict(),
        "optimizers": {name: optimizer.state_dict() for name, optimizer in optimizers.items()},
        "step": step,
    }
    path = options.out / f"{stage.name}.state.pt"
    replace_file(path, lambda part: torch.save(state, part))
    stage.save(options.out)


def _moved(batch: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    return {name: value.to(device, non_blocking=True) for name, value in batch.items()}


def _bar(loader: DataLoader, start: int, steps: int, name: str, show: bool) -> Any:
    from tqdm import tqdm

    return tqdm(loader, name, initial=start, total=steps, unit=" steps", disable=not show)
