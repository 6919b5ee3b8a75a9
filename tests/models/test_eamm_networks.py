"""The networks are those of the published checkpoints: names, shapes, parameters, arithmetic."""

import hashlib
import json
import re
from math import prod
from pathlib import Path

import pytest
import torch

from models.eamm.emotion import EmotionClassifier
from models.eamm.options import EammOptions
from models.eamm.sizes import EammSizes
from models.eamm.weights import build_a2fd, build_emotion, build_fomm, tensors_of
from models.fomm.discriminator import Discriminator
from tests.models.macs import macs

SHARED = Path(__file__).parents[2].parent / "shared" / "reference" / "eamm_state_dicts.json"
SIZES = EammSizes()
UNUSED = {"audio_feature": 38_757_243 - 35_290_339, "emo_detector": 27_888_092 - 27_805_570}
"""Parameters of the published files that nothing reads: see docs/eamm.md."""


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    fomm, a2fd = build_fomm(SIZES, EammOptions()), build_a2fd(SIZES)
    emotion = build_emotion(SIZES)
    for network in (*fomm, *a2fd, *emotion):
        network.eval()
    return fomm, a2fd, emotion


def shapes_of(networks) -> dict[str, list[int]]:
    return {key: list(value.shape) for key, value in tensors_of(networks).items()}


def parameters(*networks) -> int:
    return sum(p.numel() for network in networks for p in network.parameters())


def test_parameter_counts_are_the_published_ones(networks):
    fomm, a2fd, emotion = networks
    assert parameters(fomm.kp_detector) == 14_215_368
    assert parameters(fomm.generator) == 45_575_391
    assert parameters(fomm.generator.dense_motion_network) == 37_730_268
    assert parameters(a2fd.kp_detector_a) == 85_800
    assert parameters(a2fd.audio_feature) + UNUSED["audio_feature"] == 38_757_243
    assert parameters(emotion.extractor) == 25_316_832
    assert parameters(emotion.predictor) == 2_488_738
    assert parameters(*emotion) + UNUSED["emo_detector"] == 27_888_092


@pytest.mark.skipif(not SHARED.is_file(), reason="needs the published names and shapes")
@pytest.mark.parametrize(
    "name, count",
    [
        ("kp_detector", 14_215_368),
        ("generator", 45_575_391),
        ("audio_feature", 38_757_243),
        ("emo_detector", 27_888_092),
    ],
)
def test_what_is_read_and_what_is_left_out_make_up_the_published_files(networks, name, count):
    buffers = r"running_mean|running_var|num_batches_tracked|\bdown\.weight|noises\.|\.kernel$"
    published = json.loads(SHARED.read_text())[name]
    sizes = {k: prod(v) for k, v in published.items() if not re.search(buffers, k)}
    assert sum(sizes.values()) == count
    read = {key for own in map(shapes_of, networks) for key in own}
    left_out = sum(n for key, n in sizes.items() if f"{name}.{key}" not in read)
    assert left_out == UNUSED.get(name, 0)


def test_the_discriminators_are_the_published_ones():
    assert parameters(Discriminator()) == 2_758_849
    adversarial = Discriminator(spectral=False, n_points=10)
    assert list(adversarial.state_dict()["discs.1.down_blocks.0.conv.weight"].shape) == [
        64,
        13,
        4,
        4,
    ]
    maps, scores = adversarial(torch.rand(1, 3, 256, 256), torch.zeros(1, 10, 2))
    assert len(maps) == 4
    assert scores.shape == (1, 1, 26, 26)


@pytest.mark.parametrize(
    "kind, digest",
    [(0, "f99c2a7fa29ab293"), (1, "51f3ee374a7cf505"), (2, "3e04e6f9906e09c4")],
    ids=["fomm", "a2fd", "emotion"],
)
def test_names_and_shapes_have_not_changed(networks, kind, digest):
    lines = [f"{key} {shape}" for key, shape in sorted(shapes_of(networks[kind]).items())]
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16] == digest


@pytest.mark.skipif(not SHARED.is_file(), reason="needs the published names and shapes")
def test_every_tensor_is_in_the_published_files_in_its_shape(networks):
    published = json.loads(SHARED.read_text())
    n_unused = {"generator": 0, "kp_detector": 0, "kp_detector_a": 71, "audio_feature": 99}
    n_unused["emo_detector"] = 16
    for own in map(shapes_of, networks):
        for name in {key.split(".")[0] for key in own}:
            expected = {f"{name}.{key}": shape for key, shape in published[name].items()}
            mine = {key: shape for key, shape in own.items() if key.startswith(name + ".")}
            assert mine.items() <= expected.items()
            assert len(expected) - len(mine) == n_unused[name]


@pytest.mark.skipif(not SHARED.is_file(), reason="needs the published names and shapes")
@pytest.mark.parametrize(
    "name, network",
    [
        ("discriminator", lambda: Discriminator()),
        ("fomm_vox_adv_discriminator", lambda: Discriminator(spectral=False, n_points=10)),
    ],
)
def test_discriminator_names_and_shapes_are_published(name, network):
    own = {key: list(value.shape) for key, value in network().state_dict().items()}
    assert own == json.loads(SHARED.read_text())[name]


def test_the_classifier_is_the_published_one():
    own = {key: list(value.shape) for key, value in EmotionClassifier(SIZES).state_dict().items()}
    assert own == {"last_fc.weight": [8, 512], "last_fc.bias": [8]}


@torch.inference_mode()
def test_multiply_accumulates_are_those_of_the_specification():
    with torch.device("meta"):  # shapes without numbers are enough to count
        check_macs()


def check_macs():
    detector, generator = build_fomm(SIZES, EammOptions())
    (audio, heads), (extractor, predictor) = build_a2fd(SIZES), build_emotion(SIZES)
    image = torch.rand(1, 3, 256, 256)
    points = detector(image)
    source, identity = generator.encode(image, points), audio.encode_identity(image)
    memory, sound, pose = audio.init_state(), torch.rand(1, 28, 12), torch.zeros(1, 6)
    face_map, feature = torch.rand(1, 35, 64, 64), torch.rand(1, 512)
    motion = generator.dense_motion_network
    table = [
        (1.277, macs(detector, lambda: detector(image))),
        (10.280, macs(generator, lambda: generator.encode(image, points))),
        (0.040, macs(audio, lambda: audio.encode_identity(image))),
        (1.625, macs(extractor, lambda: extractor(image))),
        (0.489, macs(audio, lambda: audio.step(sound, pose, identity, memory))),
        (0.288, macs(heads, lambda: heads(face_map))),
        (0.0025, macs(predictor, lambda: predictor(feature, points))),
        (4.092, macs(motion, lambda: motion(source.motion, points))),
        (4.092 + 39.271, macs(generator, lambda: generator.drive(source, points))),
        (53.64, macs(generator, lambda: generator(image, points, points))),
    ]
    for expected, counted in table:
        assert counted / 1e9 == pytest.approx(expected, rel=0.01)
    counts = [counted for _, counted in table]
    per_picture = sum(counts[i] for i in (4, 5, 6, 8))  # what is not kept of a portrait or emotion
    assert per_picture / 1e9 == pytest.approx(44.1, rel=0.01)


@torch.inference_mode()
def test_the_heads_of_a_fresh_network_turn_nothing(networks):
    points = networks[0].kp_detector(torch.rand(2, 3, 256, 256))
    assert points.value.abs().max() < 1
    torch.testing.assert_close(points.jacobian, torch.eye(2).expand(2, 10, 2, 2))
