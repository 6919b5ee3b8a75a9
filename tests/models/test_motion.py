"""Audio to motion: streaming equals offline, streams do not mix, silence keeps the mouth shut."""

import time

import pytest
import torch

from models.lite.motion import AudioToMotion, MotionConfig, MotionState, load_motion
from models.lite.rig import Rig, load_rig


@pytest.fixture(scope="module")
def rig() -> Rig:
    return load_rig()


@pytest.fixture(scope="module")
def network(rig) -> AudioToMotion:
    return load_motion(rig)


def inputs(rig: Rig, batch: int, frames: int) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(0)
    audio = torch.randn(batch, frames, 28, 12) * 8
    pose = torch.randn(batch, frames, 6) * 5
    x0 = rig.x + torch.randn(batch, rig.n_points, 2) * 0.02
    return audio, pose, x0, torch.eye(2).expand(batch, rig.n_points, 2, 2)


@torch.inference_mode()
def stepped(network, audio, pose, identity, state) -> tuple[torch.Tensor, torch.Tensor]:
    outputs = []
    for t in range(audio.shape[1]):
        dx, dj, state = network.step(audio[:, t], pose[:, t], identity, state)
        outputs.append((dx, dj))
    dx, dj = zip(*outputs, strict=True)
    return torch.stack(dx, 1), torch.stack(dj, 1)


@torch.inference_mode()
def test_steps_equal_the_whole_clip(rig, network):
    audio, pose, x0, j0 = inputs(rig, 2, 60)
    identity = network.encode_identity(x0, j0)
    dx, dj = network(audio, pose, identity)
    assert dx.shape == (2, 60, rig.n_points, 2)
    assert dj.shape == (2, 60, rig.n_points, 2, 2)
    step_dx, step_dj = stepped(network, audio, pose, identity, network.init_state(2))
    torch.testing.assert_close(step_dx, dx, atol=1e-5, rtol=0)
    torch.testing.assert_close(step_dj, dj, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_two_streams_in_a_batch_equal_each_alone(rig, network):
    audio, pose, x0, j0 = inputs(rig, 2, 20)
    identity = network.encode_identity(x0, j0)
    together, _ = network(audio, pose, identity)
    for i in range(2):
        alone, _ = network(audio[i : i + 1], pose[i : i + 1], identity[i : i + 1])
        torch.testing.assert_close(alone[0], together[i], atol=1e-5, rtol=0)


@torch.inference_mode()
def test_later_sound_does_not_change_earlier_motion(rig, network):
    audio, pose, x0, j0 = inputs(rig, 1, 20)
    identity = network.encode_identity(x0, j0)
    before, _ = network(audio, pose, identity)
    audio[:, 12:] += 5
    after, _ = network(audio, pose, identity)
    assert torch.equal(after[:, :12], before[:, :12])
    assert not torch.equal(after[:, 12:], before[:, 12:])


@torch.inference_mode()
def test_a_step_leaves_its_state_unchanged(rig, network):
    audio, pose, x0, j0 = inputs(rig, 1, 1)
    state = network.init_state()
    kept = MotionState(*(tensor.clone() for tensor in state))
    network.step(audio[:, 0], pose[:, 0], network.encode_identity(x0, j0), state)
    for name, before, after in zip(MotionState._fields, kept, state, strict=True):
        assert torch.equal(before, after), name


def lip_gap(rig: Rig, dx: torch.Tensor) -> torch.Tensor:
    return dx[..., rig.point_of(14), 1] - dx[..., rig.point_of(13), 1]


@torch.inference_mode()
def test_the_mouth_stays_shut_in_digital_silence(rig, network):
    _, pose, _, j0 = inputs(rig, 1, 250)
    identity = network.encode_identity(rig.x[None], j0)
    dx, _ = network(torch.zeros(1, 250, 28, 12), pose * 0, identity)
    assert lip_gap(rig, dx)[0, 25:].abs().max() < 0.02


@torch.inference_mode()
def test_any_input_gives_a_possible_mouth(rig, network):
    audio, pose, x0, j0 = inputs(rig, 1, 50)
    dx, _ = network(audio * 100, pose * 100, network.encode_identity(x0, j0))
    assert dx.isfinite().all()
    assert lip_gap(rig, dx).abs().max() < 1.0


@torch.inference_mode()
def test_digital_silence_does_not_move_the_running_mean(rig, network):
    _, pose, x0, j0 = inputs(rig, 1, 1)
    state = network.init_state()
    _, _, after = network.step(
        torch.zeros(1, 28, 12), pose[:, 0], network.encode_identity(x0, j0), state
    )
    torch.testing.assert_close(after.mean, state.mean)


@torch.inference_mode()
def test_a_step_is_fast_and_the_weights_are_small(rig, network):
    audio, pose, x0, j0 = inputs(rig, 1, 40)
    identity, state, spent = network.encode_identity(x0, j0), network.init_state(), []
    for t in range(40):
        start = time.perf_counter()
        *_, state = network.step(audio[:, t], pose[:, t], identity, state)
        spent.append(time.perf_counter() - start)
    assert min(spent) < 0.01  # the target is 2 ms; the machine may be shared
    assert sum(p.numel() for p in network.parameters()) * 4 < 10e6


def test_weights_that_do_not_fit_are_named(rig, tmp_path):
    from models.checkpoints import save_tensors
    from models.lite.motion import motion_settings

    other = AudioToMotion(rig, MotionConfig(hidden=16))
    save_tensors("motion", other.state_dict(), motion_settings(MotionConfig()), tmp_path)
    with pytest.raises(ValueError, match="do not fit"):
        load_motion(rig, tmp_path)
