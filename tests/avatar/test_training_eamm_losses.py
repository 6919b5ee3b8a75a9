"""The losses of EAMM's training have the published terms, weights and constants."""

import math

import pytest
import torch
from torch import nn

from avatar.training import eamm_base, eamm_deform, eamm_feeling
from avatar.training.eamm_clips import find_clips
from avatar.training.eamm_deform import Deformation, random_deformation
from avatar.training.eamm_feeling import EmotionStage
from avatar.training.eamm_loop import Batches
from avatar.training.eamm_perceptual import PerceptualLoss, random_trunk
from avatar.training.eamm_stage import Stage
from avatar.training.eamm_talk import HEAT_WEIGHTS, TalkStage
from models.eamm.options import EammOptions
from models.eamm.weights import build_a2fd, build_fomm
from models.fomm.key_points import KeyPoints
from tests.avatar.eamm_runs import fresh_stage, run_options
from tests.models.tiny_eamm import TINY, shake

CPU = torch.device("cpu")


@pytest.fixture
def batch_of(random_eamm_clips, tmp_path):
    def first(stage: Stage) -> dict[str, torch.Tensor]:
        clips = find_clips(random_eamm_clips, held_out=False)
        return Batches(stage, clips, run_options(random_eamm_clips, tmp_path), rank=0)[0]

    return first


def speaker():
    networks = build_a2fd(TINY)
    for seed, network in enumerate(networks):
        shake(network, seed)
    return networks


def mean_apart(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a - b).abs().mean()


@torch.no_grad()
def test_the_base_model_weighs_the_drawn_picture_by_ten(batch_of):
    stage = fresh_stage().eval()
    batch = batch_of(stage)
    detector, generator = stage.networks
    source, driving = batch["source"], batch["driving"]
    made = generator(source, detector(source), detector(driving))
    expected = 10 * PerceptualLoss(random_trunk())(made, driving)
    torch.testing.assert_close(stage(batch)["perceptual"], expected)


class Unmoved(nn.Module):
    """A detector that finds the same key points in every picture."""

    def forward(self, images: torch.Tensor) -> KeyPoints:
        n = len(images)
        return KeyPoints(torch.full((n, 10, 2), 0.25), torch.eye(2).expand(n, 10, 2, 2))


def test_key_points_that_do_not_follow_a_deformation_cost_ten_times_their_lag(
    batch_of, monkeypatch
):
    linear = torch.tensor([[1.2, 0.1], [0.0, 0.7]])
    affine = torch.cat([linear, torch.tensor([[0.3], [-0.1]])], dim=1)
    deformation = Deformation(affine.expand(2, 2, 3), torch.zeros(2, 1, 25))
    monkeypatch.setattr(eamm_base, "random_deformation", lambda *_: deformation)
    stage = fresh_stage().eval()
    batch = batch_of(stage)
    stage.networks = stage.networks._replace(kp_detector=Unmoved())
    losses = stage(batch)
    at = torch.tensor([0.25, 0.25])
    lag = mean_apart(linear @ at + affine[:, 2], at)
    torch.testing.assert_close(losses["equivariance value"], 10 * lag)
    torch.testing.assert_close(
        losses["equivariance jacobian"], 10 * mean_apart(linear, torch.eye(2))
    )


def test_deformations_have_the_published_spread_and_kernel():
    many = random_deformation(4000, torch.Generator().manual_seed(0), CPU)
    assert (many.affine - torch.eye(2, 3)).std().item() == pytest.approx(0.05, rel=0.02)
    assert many.pulls.std().item() == pytest.approx(0.005, rel=0.02)
    assert many.pulls.shape == (4000, 1, 5 * 5)
    assert eamm_deform.N_CONTROL == 5
    pulls = torch.zeros(1, 1, 25)
    pulls[0, 0, 0] = 1.0  # the control point at (-1, -1)
    one = Deformation(torch.eye(2, 3)[None], pulls)
    moved = one.points(torch.tensor([[[0.5, 0.2]]]))[0, 0]
    distance = 1.5 + 1.2  # the published kernel measures along the axes
    bend = distance**2 * math.log(distance + 1e-6)
    torch.testing.assert_close(moved, torch.tensor([0.5 + bend, 0.2 + bend]))


def test_the_critic_and_its_feature_maps_have_the_weights_of_vox_adv(batch_of):
    stage = fresh_stage(adversarial=True).eval()
    source, real = (batch_of(stage)[name] for name in ("source", "driving"))
    detector, _ = stage.networks
    points = detector(real)
    with torch.no_grad():
        losses = stage._adversarial_losses(source, real, points)
        made_maps, made = stage._critic(source, points.value)
        real_maps, scores = stage._critic(real, points.value)
        own = stage._critic_losses(source, real, points)["critic"]
    matching = sum(mean_apart(a, b) for a, b in zip(made_maps, real_maps, strict=True))
    torch.testing.assert_close(losses["adversarial"], ((1 - made) ** 2).mean())
    torch.testing.assert_close(losses["feature matching"], 10 * matching)
    torch.testing.assert_close(own, ((1 - scores) ** 2).mean() + (made**2).mean())


@torch.no_grad()
@pytest.mark.parametrize("recipe, weight", [("paper", 10), ("code", 1000)])
def test_talking_is_held_to_the_key_points_heat_maps_and_every_fourth_picture(
    batch_of, recipe, weight
):
    torch.manual_seed(0)
    teacher, learner = build_fomm(TINY, EammOptions()), speaker()
    perceptual, seen = PerceptualLoss(random_trunk()), []
    perceptual.register_forward_hook(lambda _, inputs, loss: seen.append((inputs, loss)))
    heat_weight = HEAT_WEIGHTS[recipe]
    stage = TalkStage(TINY, EammOptions(), teacher, learner, heat_weight, perceptual).eval()
    batch = batch_of(stage)
    losses = stage(batch)
    identity = learner.audio_feature.encode_identity(batch["example"])
    maps = learner.audio_feature(batch["windows"], batch["pose"], identity)
    found, heat = learner.kp_detector_a.read(maps.flatten(0, 1))
    real, real_heat = teacher.kp_detector.detect(batch["driving"].flatten(0, 1))
    torch.testing.assert_close(losses["value"], 10 * mean_apart(found.value, real.value))
    torch.testing.assert_close(losses["jacobian"], 10 * mean_apart(found.jacobian, real.jacobian))
    torch.testing.assert_close(losses["heat"], weight * mean_apart(heat, real_heat))
    (((_, drawn), loss),) = seen
    assert torch.equal(drawn, batch["driving"][:, [0, 4, 8, 12]].flatten(0, 1))
    torch.testing.assert_close(losses["perceptual"], 0.1 * loss)


@torch.no_grad()
def test_emotion_is_held_to_the_displacements_of_four_points_and_its_name(batch_of):
    torch.manual_seed(0)
    teacher, talking = build_fomm(TINY, EammOptions()), speaker()
    stage = EmotionStage(TINY, EammOptions(points=(1, 4, 6, 8)), teacher, talking).eval()
    batch = batch_of(stage)
    losses = stage(batch)
    identity = talking.audio_feature.encode_identity(batch["example"])
    maps = talking.audio_feature(batch["windows"], batch["pose"], identity)
    neutral = talking.kp_detector_a(maps.flatten(0, 1))
    real = teacher.kp_detector(batch["driving"].flatten(0, 1))
    feature = stage.learner.extractor(batch["transformed"].flatten(0, 1))
    added = stage.learner.predictor(feature, neutral)
    for name in ("value", "jacobian"):
        own, here, there = (getattr(points, name) for points in (added, neutral, real))
        expected = sum(
            10 * mean_apart(own[:, row], there[:, point] - here[:, point])
            for row, point in enumerate((1, 4, 6, 8))
        )
        torch.testing.assert_close(losses[name], expected)
    scores = stage._classifier(feature).log_softmax(1)
    names = batch["emotion"].repeat_interleave(16)
    torch.testing.assert_close(
        losses["classification"], -scores[torch.arange(len(names)), names].mean()
    )
    assert eamm_feeling.N_DISPLACED == 4


def test_the_perceptual_loss_sums_five_layers_at_four_scales(monkeypatch):
    loss = PerceptualLoss(random_trunk())
    maps = [torch.full((1, 1), float(i)) for i in (1, 2, 3, 4, 5)]
    sides = []

    def look(images: torch.Tensor) -> list[torch.Tensor]:
        sides.append(images.shape[-1])
        return [m * images.mean() for m in maps]

    monkeypatch.setattr(loss.trunk, "forward", look)
    total = loss(torch.zeros(1, 3, 256, 256), torch.full((1, 3, 256, 256), 0.5)).item()
    assert sides == [256, 256, 128, 128, 64, 64, 32, 32]
    assert total == pytest.approx(4 * 15 * 0.5, rel=0.15)  # blurs darken the border


def test_the_trunk_sees_colours_as_imagenet_has_them(monkeypatch):
    trunk = random_trunk()
    seen = []
    trunk.features[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    trunk(torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1).expand(1, 3, 16, 16))
    trunk(torch.tensor([0.714, 0.68, 0.631]).view(1, 3, 1, 1).expand(1, 3, 16, 16))
    torch.testing.assert_close(seen[0], torch.zeros(1, 3, 16, 16))
    torch.testing.assert_close(seen[1], torch.ones(1, 3, 16, 16))
