"""Several callers in one step, on a CPU and on a GPU, get what each would get alone."""

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
import torch

from avatar.engine import Avatar
from models.eamm.batching import batch_of, join, over_tensors, split
from models.eamm.combining import MAX_BATCH, Combined
from models.eamm.cuda_graph import Graphed
from models.eamm.device import halve
from models.eamm.head import EammState, EammTalkingHead
from models.eamm.portrait import EammPortrait
from models.fomm.generator import to_picture
from models.fomm.key_points import KeyPoints
from models.talking_head import POSE_DIMS, Motion
from tests.models.tiny_eamm import paint_clip, paint_face, write_tiny

gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
N = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("eamm"))


@pytest.fixture(scope="module")
def head(folder):
    return EammTalkingHead(folder)


class Caller(NamedTuple):
    """One caller after its first step: what the second takes, and what it gives alone."""

    inputs: tuple
    portrait: EammPortrait
    state: EammState
    motion: Motion
    later: EammState


def talk(head: EammTalkingHead, seed: int) -> Caller:
    random = torch.Generator().manual_seed(seed)
    portrait = head.encode_portrait(paint_face(seed=seed))
    emotion = head.encode_emotion(paint_clip(1))

    def heard() -> tuple:
        sound = torch.randn(1, 28, 12, generator=random)
        return sound, torch.randn(1, POSE_DIMS, generator=random), emotion

    _, state = head.step(*heard(), portrait, head.init_state())
    inputs = heard()
    motion, later = head.step(*inputs, portrait, state)
    return Caller(inputs, portrait, state, motion, later)


def same(bundle, other, tolerance: float = 0.0) -> None:
    over_tensors(
        lambda a, b: torch.testing.assert_close(a, b, atol=tolerance, rtol=0) or a, bundle, other
    )


class Held:
    """Runs a function; the first call waits until everybody else has piled up behind it."""

    def __init__(self, function) -> None:
        self.function, self.sizes, self.go_on = function, [], threading.Event()

    def __call__(self, *inputs):
        self.sizes.append(batch_of(inputs))
        if len(self.sizes) == 1:
            assert self.go_on.wait(10)
        return self.function(*inputs)


@torch.inference_mode()
def _call(function, *inputs):
    return function(*inputs)


def pile_up(held: Held, combined: Combined, asked: list[tuple]) -> list:
    """What every caller gets when all but one come while the first one's work is done."""
    with ThreadPoolExecutor(len(asked)) as threads:
        answers = [threads.submit(_call, combined, *ask) for ask in asked]
        deadline = time.monotonic() + 10
        while len(combined._waiting) < len(asked) - 1 and time.monotonic() < deadline:
            time.sleep(0.001)
        held.go_on.set()
        return [answer.result(20) for answer in answers]


def check_batch(head: EammTalkingHead, tolerance: float):
    callers = [talk(head, seed) for seed in range(N)]
    inputs = join([(*caller.inputs, caller.portrait.person, caller.state) for caller in callers])
    with torch.inference_mode():
        driving, state = head.move(*(x.to(head.device) for x in inputs[:3]), *inputs[3:])
        images = head.fomm.generator.drive(join([c.portrait.source for c in callers]), driving)
    for caller, points, later, image in zip(
        callers, split(driving), split(state), images, strict=True
    ):
        same(points, KeyPoints(caller.motion.x, caller.motion.jacobian), tolerance)
        same(later.motion, caller.later.motion, tolerance)
        alone = torch.from_numpy(head.render(caller.portrait, caller.motion))
        picture = to_picture(image[None], caller.portrait.size)[0].cpu()
        assert (picture.int() - alone.int()).abs().max() <= 1 + 500 * tolerance


def test_a_batch_of_callers_gets_what_each_gets_alone(head):
    check_batch(head, 1e-5)


def test_split_and_join_undo_each_other(head):
    states = [talk(head, seed).state for seed in range(2)]
    for before, after in zip(states, split(join(states)), strict=True):
        assert type(after) is EammState
        same(before, after)


def points_and_memory(head):
    """`move` without the filters' slopes, in which 1e-8 becomes 1e-5."""

    def move(*inputs):
        points, state = head.move(*inputs)
        return points, state.motion, state.points.smooth

    return move


def requests_to_move(head) -> list[tuple]:
    callers = [talk(head, seed) for seed in range(6)]
    return [(*c.inputs, c.portrait.person, c.state) for c in callers]


def requests_to_draw(head) -> list[tuple]:
    callers = [talk(head, seed) for seed in range(6)]
    return [(c.portrait.source, KeyPoints(c.motion.x, c.motion.jacobian)) for c in callers]


@pytest.mark.parametrize("kind", ["move", "draw"])
def test_callers_on_threads_share_a_batch_and_each_gets_its_own(head, kind):
    function = points_and_memory(head) if kind == "move" else head.fomm.generator.drive
    asked = requests_to_move(head) if kind == "move" else requests_to_draw(head)
    held, finished = Held(function), []
    combined = Combined(held, lambda: finished.append(1))
    answers = pile_up(held, combined, asked)
    assert held.sizes == [1, 4, 1]
    assert len(finished) == 3
    for answer, ask in zip(answers, asked, strict=True):
        same(answer, _call(function, *ask), 1e-5)


def test_an_error_reaches_everybody_in_the_batch_and_the_next_is_served(head):
    fails = [True]

    def drive(source, driving):
        if fails.pop():
            raise RuntimeError("no memory")
        return head.fomm.generator.drive(source, driving)

    drawn = Combined(drive)
    ask = requests_to_draw(head)[0]
    with pytest.raises(RuntimeError, match="no memory"):
        drawn(*ask)
    fails.append(False)
    assert _call(drawn, *ask).shape == (1, 3, 64, 64)


def test_streams_of_one_engine_share_steps_and_keep_their_faces(folder):
    avatar = Avatar.load(model="eamm", weights=folder, device="cpu", size=256, pose="none")
    sounds = np.random.default_rng(0).normal(size=(3, 5, 28, 12)).astype(np.float32)

    def play(seed: int) -> list[np.ndarray]:
        stream = avatar.open_stream(seed)
        return [stream.step(window) for window in sounds[seed]]

    alone = [play(seed) for seed in range(3)]
    moves = Held(avatar.model.move)
    avatar.model.move = moves
    avatar.model.combine(avatar.model.fomm.generator.drive)
    with ThreadPoolExecutor(3) as threads:
        playing = [threads.submit(play, seed) for seed in range(3)]
        deadline = time.monotonic() + 10
        while len(avatar.model._move._waiting) < 2 and time.monotonic() < deadline:
            time.sleep(0.001)
        moves.go_on.set()
        together = [job.result(30) for job in playing]
    assert moves.sizes[0] == 1 and moves.sizes[1] >= 2  # the first may be back before they go
    assert sum(moves.sizes) == 15
    for own, shared in zip(alone, together, strict=True):
        for a, b in zip(own, shared, strict=True):
            assert np.abs(a.astype(int) - b).max() <= 1


def test_a_slow_machine_is_told_its_frame_rate(folder, monkeypatch):
    head = EammTalkingHead(folder)
    drive = head._drive

    def slow_drive(*inputs):
        time.sleep(0.1)
        return drive(*inputs)

    monkeypatch.setattr(head, "_drive", slow_drive)
    (notice,) = head.notices()
    rate = float(re.fullmatch(r"model eamm draws about (.+) pictures a second on .*", notice)[1])
    assert 1 < rate <= 10
    assert "on this CPU; 25 need a GPU" in notice
    monkeypatch.setattr("models.eamm.head.frame_rate", lambda *_: 25.0)
    assert head.notices() == []


def test_half_precision_draws_the_same_picture(folder, head):
    there = EammTalkingHead(folder)
    halve(there.fomm.generator)
    check_same_picture(head, there)
    assert there.encode_portrait(paint_face()).source.features.dtype == torch.float16


def check_same_picture(head: EammTalkingHead, there: EammTalkingHead):
    pictures = []
    for own in (head, there):
        caller = talk(own, 0)
        pictures.append(torch.from_numpy(own.render(caller.portrait, caller.motion)).int())
    assert (pictures[0] - pictures[1]).abs().float().mean() < 1.5


@gpu
@pytest.mark.gpu
def test_on_a_gpu_the_picture_is_that_of_the_cpu(folder, head):
    there = EammTalkingHead(folder, device="cuda")
    weight = there.fomm.generator.first.conv.weight
    assert weight.dtype == torch.float16
    assert weight.is_contiguous(memory_format=torch.channels_last)
    check_same_picture(head, there)


@gpu
@pytest.mark.gpu
@torch.inference_mode()
def test_on_a_gpu_a_graph_is_replayed_with_new_inputs_for_every_batch_size(folder):
    there = EammTalkingHead(folder, device="cuda")
    drive = there.fomm.generator.drive
    graphed = Graphed(drive, there._resting, MAX_BATCH)
    asked = requests_to_draw(there)
    for n in range(1, MAX_BATCH + 1):
        inputs = join(asked[-n:])
        torch.testing.assert_close(graphed(*inputs), drive(*inputs), atol=2e-3, rtol=0)


@gpu
@pytest.mark.gpu
def test_on_a_gpu_a_batch_of_callers_gets_what_each_gets_alone(folder):
    check_batch(EammTalkingHead(folder, device="cuda"), 1e-3)


@gpu
@pytest.mark.gpu
def test_on_a_gpu_callers_on_threads_get_what_each_gets_alone(folder):
    there = EammTalkingHead(folder, device="cuda")
    callers = [talk(there, seed) for seed in range(6)]
    with ThreadPoolExecutor(6) as threads:
        moved = [threads.submit(there.step, *c.inputs, c.portrait, c.state) for c in callers]
        motions = [job.result(20)[0] for job in moved]
    for caller, motion in zip(callers, motions, strict=True):
        torch.testing.assert_close(motion.x, caller.motion.x, atol=1e-3, rtol=0)


@gpu
@pytest.mark.gpu
def test_on_a_gpu_a_stage_trains(tmp_path):
    from tests.avatar.eamm_runs import fresh_stage, random_clips, run_options, train_quietly

    for precision in ("float32", "bfloat16"):
        options = run_options(random_clips(tmp_path / "clips"), tmp_path / precision)
        options = replace(options, device="cuda", precision=precision)
        losses = train_quietly(fresh_stage(), options)
        assert np.isfinite(list(losses.values())).all()
