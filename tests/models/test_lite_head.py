import numpy as np
import pytest
import torch

from models.talking_head import POSE_DIMS
from streaming.features import MfccWindows

STEPS = 20


@pytest.fixture(scope="module")
def inputs():
    rng = np.random.default_rng(0)
    audio = torch.from_numpy(rng.normal(0, 8, (2, STEPS, 28, 12)).astype(np.float32))
    pose = torch.from_numpy(rng.normal(0, 0.2, (2, STEPS, POSE_DIMS)).astype(np.float32))
    emotion = torch.from_numpy(rng.normal(0, 0.02, (2, STEPS, 512)).astype(np.float32))
    return audio, pose.clamp(0, 1), emotion


def windows(lite, sound):
    return MfccWindows(lite.lookahead_ms * lite.sample_rate // 1000).push(sound.astype(np.float32))


def test_a_step_at_a_time_equals_the_whole_clip(lite, lite_portrait, inputs):
    audio, pose, emotion = inputs
    whole = lite.forward(audio, pose, emotion, lite_portrait)
    state = lite.init_state(2)
    for t in range(STEPS):
        motion, state = lite.step(audio[:, t], pose[:, t], emotion[:, t], lite_portrait, state)
        assert torch.allclose(motion.x, whole[t].x, atol=1e-5)
        assert torch.allclose(motion.jacobian, whole[t].jacobian, atol=1e-5)


def test_callers_in_one_batch_do_not_hear_one_another(lite, lite_portrait, inputs):
    audio, pose, emotion = inputs
    both = lite.forward(audio, pose, emotion, lite_portrait)
    for caller in range(2):
        alone = lite.forward(*(x[caller : caller + 1] for x in inputs), lite_portrait)
        assert torch.allclose(both[-1].x[caller], alone[-1].x[0], atol=1e-5)


def test_a_step_leaves_the_state_it_was_given(lite, lite_portrait, inputs):
    audio, pose, emotion = inputs
    state = lite.init_state(2)
    before = [t.clone() for t in state.motion]
    lite.step(audio[:, 0], pose[:, 0], emotion[:, 0], lite_portrait, state)
    assert all(torch.equal(a, b) for a, b in zip(before, state.motion, strict=True))


@pytest.mark.parametrize("frame", [10, 17])
def test_the_measured_lookahead_is_the_declared_one(lite, frame):
    """Sound past `lookahead_ms` after a picture's start cannot change it; earlier sound can."""
    sound = np.random.default_rng(1).normal(0, 0.1, 16000)
    edge = frame * lite.samples_per_frame + lite.lookahead_ms * lite.sample_rate // 1000
    plain = windows(lite, sound)[frame]
    beyond, within = sound.copy(), sound.copy()
    beyond[edge:] += 0.5
    within[edge - 40 : edge] += 0.5
    assert np.array_equal(windows(lite, beyond)[frame], plain)
    assert not np.array_equal(windows(lite, within)[frame], plain)
    assert lite.lookahead_ms <= 80
