"""EAMM's training: what it is fed, what it lowers, and that a killed run goes on unharmed.

The whole chain runs on a set that model `lite` renders, at a width that a CPU can train.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from avatar import train
from avatar.training.eamm_perceptual import PerceptualLoss, Trunk, open_trunk, random_trunk
from avatar.training.eamm_run import read_record
from models.eamm.head import EammTalkingHead
from models.talking_head import POSE_DIMS
from streaming.features import windows_of
from tests.models.tiny_eamm import paint_face


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory) -> Path:
    """Two persons with five emotions each, rendered by model `lite`."""
    root = tmp_path_factory.mktemp("synthetic")
    argv = ["--persons", "2", "--clips", "1", "--pictures", "30"]
    assert train.main(["eamm-synthetic", "--out", str(root), *argv]) == 0
    return root


@pytest.fixture(scope="module")
def trained(synthetic, tmp_path_factory) -> Path:
    """The folder in which all four stages have been trained one after the other."""
    out = tmp_path_factory.mktemp("trained")
    common = ["--data", str(synthetic), "--out", str(out), "--evaluate-every", "1000"]
    for stage, options in STAGES.items():
        assert train.main([stage, *common, *options.split()]) == 0
    return out


STAGES = {
    "fomm": "--size small --steps 50 --batch 3 --trunk random",
    "a2fd": "--steps 60 --batch 2 --trunk random --rate 3e-3",
    "a2fd-finetune": "--steps 15 --batch 2 --trunk random",
    "eamm-emotion": "--steps 25 --batch 2 --rate 1e-3",
}
MOST_LEFT = {
    "fomm": ("total", 0.5),
    "a2fd": ("total", 0.8),
    "a2fd-finetune": ("perceptual", 0.9),
    "eamm-emotion": ("total", 0.85),
}
"""Which held-out loss, and the share of it that may be left after so few steps on so little data.
The fine-tuning is there for the drawn picture."""


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_lowers_its_held_out_loss(trained, stage):
    name, share = MOST_LEFT[stage]
    rows = read_record(trained / f"{stage}.csv")
    losses = [r["value"] for r in rows if r["kind"] == "held-out" and r["name"] == name]
    assert losses[-1] < share * losses[0]


@pytest.mark.slow
def test_trained_weights_talk(trained, synthetic):
    head = EammTalkingHead(trained)
    portrait = head.encode_portrait(paint_face())
    motions = head.forward(
        torch.from_numpy(windows_of(np.zeros(640 * 3, np.float32), 2800, 1))[None],
        torch.zeros(1, 3, POSE_DIMS),
        torch.zeros(1, 3, head.emotion_dims),
        portrait,
    )
    assert head.render(portrait, motions[-1]).shape == (96, 96, 3)
    assert head.options.audio_gain == 1.0
    assert len(set(head.options.points)) == 4


def test_the_trunk_has_the_layers_and_names_of_vgg_19(tmp_path):
    trunk = Trunk()
    shapes = [tuple(v.shape) for k, v in trunk.state_dict().items() if k.endswith("weight")]
    assert [s[0] for s in shapes] == [64, 64, 128, 128, *[256] * 4, *[512] * 5]
    assert list(trunk.state_dict())[-2:] == ["features.28.weight", "features.28.bias"]
    maps = random_trunk()(torch.rand(1, 3, 64, 64))
    assert [m.shape[-1] for m in maps] == [64, 32, 16, 8, 4]
    with pytest.raises(ValueError, match="no VGG-19 weights"):
        open_trunk(str(tmp_path / "missing.pth"))


def test_the_perceptual_loss_is_nothing_for_the_same_picture():
    loss = PerceptualLoss(random_trunk())
    image, other = torch.rand(2, 1, 3, 64, 64)
    assert loss(image, image) == 0
    assert loss(image, other) > loss(image, 0.9 * image + 0.1 * other) > 0
