"""Model `eamm` behind the contract: live equals offline, nothing leaks, emotions blend, 175 ms."""

import numpy as np
import pytest
import torch

from models.eamm.head import EammTalkingHead
from models.eamm.options import EammOptions
from models.eamm.weights import build_a2fd
from models.talking_head import POSE_DIMS, FaceTrack
from streaming.features import windows_of
from tests.models.tiny_eamm import TINY, paint_clip, paint_face, textbook, write_tiny

T = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("eamm"))


@pytest.fixture(scope="module")
def head(folder):
    return EammTalkingHead(folder)


@pytest.fixture(scope="module")
def portrait(head):
    return head.encode_portrait(paint_face())


@pytest.fixture(scope="module")
def inputs(head):
    random = torch.Generator().manual_seed(0)
    sound = torch.randn(1, T, 28, 12, generator=random)
    pose = 5 * torch.randn(1, T, POSE_DIMS, generator=random)
    emotion = head.encode_emotion(paint_clip(T))[None]
    return sound, pose, emotion


def flat(motions) -> torch.Tensor:
    return torch.stack([torch.cat([m.x.flatten(1), m.jacobian.flatten(1)], 1) for m in motions])


def play(head, inputs, portrait):
    return flat(head.forward(*inputs, portrait))


@torch.inference_mode()
def test_the_network_step_by_step_equals_the_whole_clip_in_one_call(head, inputs):
    network = head.a2fd.audio_feature
    sound, pose, _ = inputs
    identity = torch.randn(1, TINY.identity_dims)
    state, maps = network.init_state(), []
    for t in range(T):
        face_map, state = network.step(sound[:, t], pose[:, t, :6], identity, state)
        maps.append(face_map)
    whole = network(sound, pose[:, :, :6], identity)
    torch.testing.assert_close(torch.stack(maps, 1), whole, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_at_full_size_step_by_step_equals_the_whole_clip():
    from models.eamm.sizes import EammSizes

    torch.manual_seed(0)
    network = build_a2fd(EammSizes(), 1.6).audio_feature.eval()
    sound, pose, identity = torch.randn(1, 4, 28, 12), torch.randn(1, 4, 6), torch.randn(1, 512)
    state, maps = network.init_state(), []
    for t in range(4):
        face_map, state = network.step(sound[:, t], pose[:, t], identity, state)
        maps.append(face_map)
    whole = network(sound, pose, identity)
    torch.testing.assert_close(torch.stack(maps, 1), whole, atol=1e-5, rtol=0)


def test_the_same_stream_twice_is_the_same(head, inputs, portrait):
    assert torch.equal(play(head, inputs, portrait), play(head, inputs, portrait))


def test_a_step_leaves_the_state_it_was_given(head, inputs, portrait):
    sound, pose, emotion = (x[:, 0] for x in inputs)
    state = head.init_state()
    first, _ = head.step(sound, pose, emotion, portrait, state)
    again, _ = head.step(sound, pose, emotion, portrait, state)
    assert torch.equal(flat([first]), flat([again]))


@torch.inference_mode()
def test_a_picture_computes_nothing_again_of_the_portrait_or_the_emotion(folder, inputs):
    head = EammTalkingHead(folder)
    portrait = head.encode_portrait(paint_face())
    once = {
        "E_k": head.fomm.kp_detector,
        "source": head.fomm.generator.first,
        "source in F": head.fomm.generator.dense_motion_network.down,
        "identity": head.a2fd.audio_feature.down_blocks[0],
        "E_e": head.emotion.extractor,
    }
    ran = []
    for name, network in once.items():
        network.register_forward_hook(lambda *_, name=name: ran.append(name))
    for motion in head.forward(*inputs, portrait):
        head.render(portrait, motion)
    assert ran == []
    head.encode_portrait(paint_face())
    head.encode_emotion(paint_clip(1))
    assert set(ran) == set(once)


def test_callers_in_one_batch_do_not_hear_each_other(head, inputs, portrait):
    sound, pose, emotion = inputs
    other = torch.randn(1, T, 28, 12, generator=torch.Generator().manual_seed(9))
    both = [torch.cat([sound, other]), pose.expand(2, -1, -1), emotion.expand(2, -1, -1)]
    together = play(head, both, portrait)
    alone = play(head, inputs, portrait)
    torch.testing.assert_close(together[:, :1], alone, atol=1e-5, rtol=0)


def test_a_motion_hears_175_ms_ahead_and_no_further(head, portrait):
    assert head.lookahead_ms == 175
    assert head.frame_rate == 25
    lookahead = head.lookahead_ms * head.sample_rate // 1000
    sound = np.random.default_rng(0).normal(size=640 * 8).astype(np.float32) * 0.1
    k = 3
    end = k * head.samples_per_frame + lookahead

    def motion_of(samples: np.ndarray) -> torch.Tensor:
        windows = torch.from_numpy(windows_of(samples, lookahead, head.first_coefficient))[None]
        n = windows.shape[1]
        rest = torch.zeros(1, n, POSE_DIMS), torch.zeros(1, n, head.emotion_dims)
        return play(head, (windows, *rest), portrait)[k]

    before = motion_of(sound)
    for sample, hears in ((end - 1, True), (end, False)):
        other = sound.copy()
        other[sample] += 0.5
        assert torch.equal(motion_of(other), before) is not hears


def test_no_emotion_adds_nothing_and_half_adds_half(folder, inputs, portrait):
    sound, pose, emotion = inputs
    rough = EammTalkingHead(folder, options=EammOptions(smooth_points=False))
    none, half, full = (play(rough, (sound, pose, w * emotion), portrait) for w in (0.0, 0.5, 1.0))
    assert (full - none).abs().max() > 1e-3
    torch.testing.assert_close(half - none, (full - none) / 2, atol=1e-5, rtol=1e-4)


def test_emotion_moves_the_published_points_only(head, inputs, portrait):
    sound, pose, emotion = inputs
    with_it = head.forward(sound, pose, emotion, portrait)[2].x
    without = head.forward(sound, pose, 0 * emotion, portrait)[2].x
    moved = (with_it - without)[0].abs().amax(1).nonzero()[:, 0].tolist()
    assert moved == [1, 4, 6]


def test_the_key_points_are_composed_as_published(head, inputs, portrait):
    """P_d sees unsmoothed points; smoothed displacements 0, 1, 2 join smoothed points 1, 4, 6."""
    sound, pose, emotion = inputs
    motion = flat(head.forward(sound, pose, emotion, portrait))[:, 0]
    network, state = head.a2fd.audio_feature, head.a2fd.audio_feature.init_state()
    neutral, added = [], []
    turns = textbook((portrait.person.pose + head_turn(pose[0])).numpy(), 0.004, 0.7, 1, True)
    with torch.inference_mode():
        for t in range(T):
            turn = torch.from_numpy(turns[t : t + 1]).float()
            identity = portrait.person.identity
            face_map, state = network.step(sound[:, t], turn, identity, state)
            points = head.a2fd.kp_detector_a(face_map)
            feature = emotion[:, t, : TINY.emotion_dims]
            neutral.append(points.flat().numpy()[0])
            added.append(head.emotion.predictor(feature, points).flat().numpy()[0])
    expected = textbook(np.stack(neutral), 0.05, 8.0, 10, False)
    added = textbook(np.stack(added), 1.0, 0.2, 100, False)
    for point, row, gain in ((1, 0, 0.2), (4, 1, 1.0), (6, 2, 1.0)):
        expected[:, point] += gain * added[:, row]
    np.testing.assert_allclose(motion[:, :20], expected[..., :2].reshape(T, 20), atol=1e-4)
    np.testing.assert_allclose(motion[:, 20:], expected[..., 2:].reshape(T, 40), atol=1e-4)


def head_turn(pose: torch.Tensor) -> torch.Tensor:
    return torch.cat([pose[:, :3] * torch.tensor([-1.0, 1, 1]), torch.zeros(len(pose), 3)], 1)


def test_clips_of_surprise_and_fear_lie_higher(head, folder):
    track = paint_clip(1)
    level = head.encode_emotion(track)
    for name in ("surprised", "fear"):
        assert not torch.equal(head.encode_emotion(track._replace(name=name)), level)
    assert torch.equal(head.encode_emotion(track._replace(name="happy")), level)
    never = EammTalkingHead(folder, options=EammOptions(raised=()))
    assert torch.equal(never.encode_emotion(track._replace(name="fear")), level)


def test_the_mouth_of_an_emotion_clip_is_not_looked_at(head, folder):
    track = paint_clip(2)
    speaking = track.pictures.copy()
    speaking[1] = speaking[0]
    same = np.stack([track.landmarks[0]] * 2)
    lips = same[1, [13, 14], :2].mean(0).astype(int)
    speaking[1, lips[1] - 3 : lips[1] + 3, lips[0] - 3 : lips[0] + 3] = 0
    still = track._replace(pictures=speaking, landmarks=same)
    covered = head.encode_emotion(still)
    assert torch.equal(covered[0], covered[1])
    seeing = EammTalkingHead(folder, options=EammOptions(mouth="open")).encode_emotion(still)
    assert not torch.equal(seeing[0], seeing[1])


def test_an_emotion_without_pictures_is_refused_in_one_line(head):
    preset = FaceTrack(np.zeros((1, 52), np.float32), np.zeros((1, 6), np.float32))
    with pytest.raises(ValueError, match="give a video or an image"):
        head.encode_emotion(preset)


def test_relative_motion_starts_at_the_portraits_own_key_points(folder, inputs):
    options = EammOptions(relative=True, adapt_scale=True, smooth_points=False)
    head = EammTalkingHead(folder, options=options)
    portrait = head.encode_portrait(paint_face())
    sound, pose, emotion = inputs
    first = head.forward(sound, pose, 0 * emotion, portrait)[0]
    torch.testing.assert_close(first.x, portrait.person.points.value, atol=1e-5, rtol=0)
    torch.testing.assert_close(
        first.jacobian, portrait.person.points.jacobian, atol=1e-4, rtol=1e-4
    )


def test_the_audio_gain_is_that_of_the_options(head, folder, inputs, portrait):
    assert head.options.audio_gain == 1.6
    quiet = EammTalkingHead(folder, options=EammOptions(audio_gain=1.0))
    assert not torch.equal(play(quiet, inputs, portrait), play(head, inputs, portrait))


def test_smoothing_makes_the_key_points_move_less(head, folder, inputs, portrait):
    rough = EammTalkingHead(folder, options=EammOptions(smooth_points=False, smooth_pose=False))
    speed = [play(h, inputs, portrait).diff(dim=0).abs().mean() for h in (head, rough)]
    assert speed[0] < speed[1]


def test_a_picture_has_the_size_of_the_portrait(head, inputs, portrait):
    motion = head.forward(*inputs, portrait)[0]
    picture = head.render(portrait, motion)
    assert picture.shape == (96, 96, 3)
    assert picture.dtype == np.uint8


def test_weights_that_do_not_fit_are_named(tmp_path):
    from models.checkpoints import load_tensors, save_tensors

    folder = write_tiny(tmp_path)
    tensors, settings = load_tensors("a2fd", folder)
    del tensors["audio_feature.lstm.bias_ih_l1"]
    save_tensors("a2fd", tensors, settings, folder)
    with pytest.raises(ValueError, match=r"lstm\.bias_ih_l1 should be \[64\], is missing"):
        EammTalkingHead(folder)


def test_missing_weights_and_devices_are_one_line(folder, tmp_path):
    with pytest.raises(ValueError, match=r"eamm\.json"):
        EammTalkingHead(tmp_path)
    with pytest.raises(ValueError, match="device"):
        EammTalkingHead(folder, device="cuda:77")
