"""Several callers in one step, on a CPU and on a GPU, get what each would get alone."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from models.eamm.batching import join_portraits, join_states, split_state
from models.eamm.combining import CombinedDrive
from models.eamm.cuda_graph import GraphedDrive, leaves, unflatten
from models.eamm.device import frame_rate, halve, speed_notice
from models.eamm.head import EammTalkingHead
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


def talk(head: EammTalkingHead, portrait, seed: int):
    """Two steps of one caller: the motion of the second, and the inputs and state before it."""
    random = torch.Generator().manual_seed(seed)
    emotion = head.encode_emotion(paint_clip(1))
    inputs = [
        (
            torch.randn(1, 28, 12, generator=random),
            torch.randn(1, POSE_DIMS, generator=random),
            emotion,
        )
        for _ in range(2)
    ]
    _, state = head.step(*inputs[0], portrait, head.init_state())
    motion, _ = head.step(*inputs[1], portrait, state)
    return inputs[1], state, motion


def check_batch(head: EammTalkingHead, tolerance: float):
    portraits = [head.encode_portrait(paint_face(seed=i)) for i in range(N)]
    callers = [talk(head, portrait, seed) for seed, portrait in enumerate(portraits)]
    together = join_portraits(portraits)
    inputs = [torch.cat(parts) for parts in zip(*(inputs for inputs, _, _ in callers), strict=True)]
    motion, state = head.step(*inputs, together, join_states([s for _, s, _ in callers]))
    pictures = head.draw(together, motion).cpu()
    for i, (_, _, own) in enumerate(callers):
        torch.testing.assert_close(motion.x[i : i + 1], own.x, atol=tolerance, rtol=0)
        alone = torch.from_numpy(head.render(portraits[i], own))
        assert (pictures[i].int() - alone.int()).abs().max() <= 1 + 500 * tolerance
    assert len(split_state(state)) == N


def test_a_batch_of_callers_gets_what_each_gets_alone(head):
    check_batch(head, 1e-5)


def test_split_and_join_undo_each_other(head):
    portrait = head.encode_portrait(paint_face())
    states = [talk(head, portrait, seed)[1] for seed in range(2)]
    for before, after in zip(states, split_state(join_states(states)), strict=True):
        assert torch.equal(before.motion.c, after.motion.c)
        assert torch.equal(before.points.smooth, after.points.smooth)
        assert torch.equal(before.pose.started, after.pose.started)


def test_portraits_of_different_sizes_are_refused(head):
    portraits = [head.encode_portrait(paint_face(size)) for size in (96, 128)]
    with pytest.raises(ValueError, match=r"\[96, 128\]"):
        join_portraits(portraits)


@torch.inference_mode()
def test_the_inputs_of_a_graph_are_all_the_inputs(head):
    portrait = head.encode_portrait(paint_face())
    source, driving = unflatten(leaves(portrait.source, portrait.points))
    again = head.fomm.generator.drive(source, driving)
    assert torch.equal(again, head.fomm.generator.drive(portrait.source, portrait.points))


def requests(head, n: int) -> list[tuple]:
    portraits = [head.encode_portrait(paint_face(seed=i)) for i in range(n)]
    return [(p.source, _points(talk(head, p, seed)[2])) for seed, p in enumerate(portraits)]


def test_callers_on_threads_are_drawn_together_and_each_gets_its_own(head):
    sizes, first = [], threading.Event()

    def drive(source, driving):
        sizes.append(len(driving.value))
        if len(sizes) == 1:
            first.wait(5)  # the others pile up meanwhile
        return head.fomm.generator.drive(source, driving)

    drawn = CombinedDrive(drive)
    asked = requests(head, 6)
    with ThreadPoolExecutor(6) as threads:
        pictures = [threads.submit(_without_gradients, drawn, *ask) for ask in asked]
        deadline = time.monotonic() + 5
        while len(drawn._waiting) < 5 and time.monotonic() < deadline:
            time.sleep(0.001)
        first.set()
        images = [picture.result(10) for picture in pictures]
    assert sizes == [1, 4, 1]
    for image, ask in zip(images, asked, strict=True):
        alone = _without_gradients(head.fomm.generator.drive, *ask)
        torch.testing.assert_close(image, alone, atol=1e-5, rtol=0)


def test_an_error_reaches_everybody_in_the_batch_and_the_next_is_drawn(head):
    fails = [True]

    def drive(source, driving):
        if fails.pop():
            raise RuntimeError("no memory")
        return head.fomm.generator.drive(source, driving)

    drawn = CombinedDrive(drive)
    (ask,) = requests(head, 1)
    with pytest.raises(RuntimeError, match="no memory"):
        drawn(*ask)
    fails.append(False)
    assert _without_gradients(drawn, *ask).shape == (1, 3, 64, 64)


@torch.inference_mode()
def _without_gradients(drive, source, driving):
    return drive(source, driving)


def test_a_slow_machine_is_told_its_frame_rate(head, monkeypatch):
    generator, sizes = head.fomm.generator, head.sizes.fomm
    assert frame_rate(generator, sizes) > 0
    decode = generator.decode

    def slow_decode(*args):
        time.sleep(0.1)
        return decode(*args)

    monkeypatch.setattr(generator, "decode", slow_decode)
    assert "pictures a second on this CPU" in speed_notice(generator, sizes)


def test_half_precision_draws_the_same_picture(folder, head):
    there = EammTalkingHead(folder)
    halve(there.fomm.generator)
    pictures = []
    for own in (head, there):
        portrait = own.encode_portrait(paint_face())
        _, _, motion = talk(own, portrait, 0)
        pictures.append(torch.from_numpy(own.render(portrait, motion)).int())
    assert there.encode_portrait(paint_face()).source.features.dtype == torch.float16
    assert (pictures[0] - pictures[1]).abs().float().mean() < 1.5


@gpu
@pytest.mark.gpu
def test_on_a_gpu_the_picture_is_that_of_the_cpu(folder, head):
    there = EammTalkingHead(folder, device="cuda")
    weight = there.fomm.generator.first.conv.weight
    assert weight.dtype == torch.float16
    assert weight.is_contiguous(memory_format=torch.channels_last)
    pictures = []
    for own in (head, there):
        portrait = own.encode_portrait(paint_face())
        _, _, motion = talk(own, portrait, 0)
        pictures.append(torch.from_numpy(own.render(portrait, motion)).int())
    assert (pictures[0] - pictures[1]).abs().float().mean() < 1.5


@gpu
@pytest.mark.gpu
@torch.inference_mode()
def test_on_a_gpu_a_graph_is_replayed_with_new_inputs(folder):
    there = EammTalkingHead(folder, device="cuda")
    portraits = [there.encode_portrait(paint_face(seed=i)) for i in range(2)]
    for portrait in portraits:
        _, _, motion = talk(there, portrait, 1)
        direct = there.fomm.generator.drive(portrait.source, _points(motion))
        graphed = GraphedDrive(there.fomm.generator)(portrait.source, _points(motion))
        torch.testing.assert_close(graphed, direct, atol=2e-3, rtol=0)


@gpu
@pytest.mark.gpu
def test_on_a_gpu_a_batch_of_callers_gets_what_each_gets_alone(folder):
    check_batch(EammTalkingHead(folder, device="cuda"), 1e-3)


def _points(motion: Motion):
    from models.fomm.key_points import KeyPoints

    return KeyPoints(motion.x, motion.jacobian)
