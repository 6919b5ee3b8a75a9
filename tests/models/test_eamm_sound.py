"""The sound path of EAMM, number by number as published, against a reference written out here."""

import numpy as np
import pytest
import torch

from avatar.training.eamm_clips import Clip, write_clip
from avatar.training.eamm_features import mfcc_windows
from models.eamm.head import EammTalkingHead
from models.eamm.sizes import EammSizes
from models.eamm.weights import build_a2fd
from streaming.features import MfccWindows, windows_of
from tests.models.tiny_eamm import TINY

LOOKAHEAD = EammTalkingHead.lookahead_ms * 16


def mel(hz):
    return 2595 * np.log10(1 + np.asarray(hz) / 700)


def published_mfcc(samples: np.ndarray) -> np.ndarray:
    """Rows [n, 12] of padded sound, step by step."""
    emphasised = np.append(samples[0], samples[1:] - 0.97 * samples[:-1])
    n_rows = 1 + int(np.ceil((len(samples) - 400) / 160))
    emphasised = np.pad(emphasised, (0, 160 * (n_rows - 1) + 400 - len(samples)))
    frames = np.stack([emphasised[160 * r : 160 * r + 400] for r in range(n_rows)])
    power = np.abs(np.fft.rfft(frames, 512)) ** 2 / 512
    edges = 700 * (10 ** (np.linspace(mel(0), mel(8000), 28) / 2595) - 1)
    bins = np.floor(513 * edges / 16000)
    filters = np.zeros((26, 257))
    for j in range(26):
        low, middle, high = bins[j : j + 3]
        for i in range(int(low), int(middle)):
            filters[j, i] = (i - low) / (middle - low)
        for i in range(int(middle), int(high)):
            filters[j, i] = (high - i) / (high - middle)
    energies = power @ filters.T
    logs = np.log(np.where(energies == 0, np.finfo(float).eps, energies))
    n, k = np.arange(26), np.arange(1, 13)
    cepstrum = logs @ (np.sqrt(2 / 26) * np.cos(np.pi * np.outer(2 * n + 1, k) / 52))
    return cepstrum * (1 + 11 * np.sin(np.pi * k / 22))


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    return np.random.default_rng(0).normal(size=32000).astype(np.float32) * 0.1


def test_training_and_live_windows_are_those_of_the_written_out_formulas(sound):
    rows = published_mfcc(np.pad(sound.astype(np.float64), 1920))
    count = len(rows) // 4 - 6
    expected = np.stack([rows[4 * k : 4 * k + 28] for k in range(count)])
    prepared = mfcc_windows(sound)
    assert prepared.shape == (count, 28, 13)
    np.testing.assert_allclose(prepared[:, :, 1:], expected, atol=1e-4)
    live = windows_of(sound, LOOKAHEAD, 1)[:count]
    np.testing.assert_allclose(live, expected, atol=1e-4)


@pytest.mark.parametrize("seconds, n", [(1, 24), (2, 49), (10, 249), (11.31, 282)])
def test_there_is_one_window_less_than_25_a_second(seconds, n):
    assert len(mfcc_windows(np.zeros(round(16000 * seconds), np.float32))) == n


def test_the_first_ten_rows_hear_the_silence_before_the_sound(sound):
    first = mfcc_windows(sound)[0, :, 1:]
    np.testing.assert_allclose(first[:10], 0, atol=1e-9)
    assert np.abs(first[10:]).max(axis=1).min() > 0.1


@pytest.mark.parametrize("windows", [mfcc_windows, lambda x: windows_of(x, LOOKAHEAD, 1)])
def test_window_k_hears_from_120_ms_before_to_175_ms_after_picture_k(sound, windows):
    k, before = 10, windows(sound)
    heard = []
    for sample in (640 * k - 1922, 640 * k - 1921, 640 * k + 2799, 640 * k + 2800):
        other = sound.copy()
        other[sample] += 0.5
        heard.append(not np.array_equal(windows(other)[k], before[k]))
    assert heard == [False, True, True, False]


@pytest.mark.parametrize("packet_ms, after_ms", [(20, 180), (40, 200)])
def test_packets_delay_a_window_to_their_own_end(packet_ms, after_ms):
    stream, packets = MfccWindows(LOOKAHEAD), 0
    while not len(stream.push(np.zeros(16 * packet_ms))):
        packets += 1
    assert (packets + 1) * packet_ms == after_ms


def test_digital_silence_is_nothing_and_loudness_does_not_matter(sound):
    np.testing.assert_allclose(mfcc_windows(np.zeros(16000, np.float32))[:, :, 1:], 0, atol=1e-9)
    quiet = mfcc_windows(sound * np.float32(2**-6))[4:, :, 1:]
    np.testing.assert_allclose(quiet[:40], mfcc_windows(sound)[4:44, :, 1:], atol=1e-3)


def test_a_prepared_clip_leaves_out_the_energy_and_the_depth(tmp_path):
    mfcc = np.tile(np.arange(13.0), (3, 28, 1))
    pose = np.tile(np.arange(7.0), (3, 1))
    write_clip(tmp_path, "someone", "happy_0", np.zeros((3, 8, 8, 3), np.uint8), pose, mfcc)
    clip = Clip(tmp_path, "someone", "happy_0", 3)
    assert clip.windows()[0, 0].tolist() == list(range(1, 13))
    assert clip.pose()[0].tolist() == list(range(6))


@torch.inference_mode()
@pytest.mark.parametrize("gain", [1.0, 1.6])
def test_the_gain_multiplies_the_audio_feature_between_identity_and_pose(gain):
    torch.manual_seed(0)
    network = build_a2fd(TINY, gain).audio_feature.eval()
    seen = []
    network.lstm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs))
    windows, pose = torch.randn(2, 28, 12), torch.randn(2, 6)
    identity = torch.randn(2, TINY.identity_dims)
    network.step(windows, pose, identity, network.init_state(2))
    feature = network.audio_eocder_fc(network.audio_eocder(windows))
    assert feature.abs().sum() > 0
    expected = torch.cat([identity, gain * feature, network.pose_encoder(pose)], dim=1)
    ((inputs, memory),) = seen
    torch.testing.assert_close(inputs[:, 0], expected)
    assert not any(part.any() for part in memory)  # h and c are zero at the start


def test_the_audio_encoder_has_the_published_shapes():
    sizes = EammSizes()
    with torch.device("meta"):
        network = build_a2fd(sizes).audio_feature
    windows = torch.empty(1, 28, 12, device="meta")
    maps = windows[:, None]
    for layer, shape in zip(
        network.audio_eocder,
        [(64, 28, 12), (128, 28, 12), (128, 26, 5), (256, 26, 5), (256, 26, 5), (512, 26, 5),
         (512, 12, 2)],
        strict=True,
    ):  # fmt: skip
        maps = layer(maps)
        assert maps.shape[1:] == shape
    assert network.audio_eocder(windows).shape == (1, 12288)
    assert [layer.out_features for layer in list(network.audio_eocder_fc)[::2]] == [2048, 256]
    assert [layer.out_features for layer in list(network.pose_encoder)[::2]] == [128, 256]
    lstm = network.lstm
    assert (lstm.input_size, lstm.hidden_size, lstm.num_layers) == (1024, 256, 3)
    assert not lstm.bidirectional
