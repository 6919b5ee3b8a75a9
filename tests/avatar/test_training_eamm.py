"""EAMM's training: what it is fed, what it lowers, and that a killed run goes on unharmed.

The whole chain runs on a set that model `lite` renders, at a width that a CPU can train.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from avatar import train
from avatar.training import eamm_augment as augment
from avatar.training import eamm_prepare
from avatar.training.eamm_base import FommStage
from avatar.training.eamm_clips import find_clips, write_clip
from avatar.training.eamm_deform import random_deformation
from avatar.training.eamm_features import mfcc_windows
from avatar.training.eamm_loop import train as run_stage
from avatar.training.eamm_perceptual import PerceptualLoss, Trunk, open_trunk, random_trunk
from avatar.training.eamm_run import Record, RunOptions, rate_at, read_record
from avatar.training.eamm_samples import draw_emotional_talk, draw_talk, smooth_pose
from models.eamm.head import EammTalkingHead
from models.eamm.options import EammOptions
from models.talking_head import POSE_DIMS
from streaming.features import windows_of
from tests.models.tiny_eamm import TINY, paint_face


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    """Prepared clips of random pictures, for what does not need a face."""
    root, random = tmp_path_factory.mktemp("clips"), np.random.default_rng(0)
    for i in range(8):
        emotion = ("happy", "neutral")[i % 2]
        pictures = random.integers(0, 256, (24, 8, 8, 3), np.uint8).repeat(8, 1).repeat(8, 2)
        mfcc = random.normal(size=(24, 28, 13))
        write_clip(root, "someone", f"{emotion}_{i}", pictures, random.normal(size=(24, 7)), mfcc)
    return root


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
    "a2fd": "--steps 40 --batch 2 --trunk random --rate 3e-3",
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


def run_options(data: Path, out: Path, **changes) -> RunOptions:
    options = RunOptions(data, out, steps=8, batch=2, save_every=3, evaluate_every=4, n_held_out=1)
    return replace(options, **changes)


def fresh_stage(**options) -> FommStage:
    torch.manual_seed(0)
    return FommStage(TINY, EammOptions(), PerceptualLoss(random_trunk()), **options)


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
        torch.from_numpy(windows_of(np.zeros(640 * 3, np.float32), 2800))[None],
        torch.zeros(1, 3, POSE_DIMS),
        torch.zeros(1, 3, head.emotion_dims),
        portrait,
    )
    assert head.render(portrait, motions[-1]).shape == (96, 96, 3)
    assert head.options.audio_gain == 1.0
    assert len(set(head.options.points)) == 4


@pytest.mark.parametrize("killed_at", [1, 4, 7])
def test_a_killed_run_goes_on_to_the_same_losses(clips, tmp_path, monkeypatch, killed_at):
    whole, torn = run_options(clips, tmp_path / "whole"), run_options(clips, tmp_path / "torn")
    run_stage(fresh_stage(), whole, show=False)

    class Killed(Exception):
        """What the kill of the process is here."""

    stage, seen = fresh_stage(), []
    draw = stage.draw

    def draw_until_killed(*args):
        seen.append(1)
        if len(seen) > (killed_at + 1) * torn.batch:  # one more batch: the held-out one at first
            raise Killed
        return draw(*args)

    monkeypatch.setattr(stage, "draw", draw_until_killed)
    with pytest.raises(Killed):
        run_stage(stage, torn, show=False)
    run_stage(fresh_stage(), torn, show=False)
    assert read_record(torn.out / "fomm.csv") == read_record(whole.out / "fomm.csv")


def test_frozen_networks_do_not_change(clips, tmp_path):
    from avatar.training.eamm_talk import TalkStage
    from models.eamm.weights import build_a2fd, build_fomm

    torch.manual_seed(0)
    teacher, speaker = build_fomm(TINY, EammOptions()), build_a2fd(TINY)
    before = {k: v.clone() for n in teacher for k, v in n.state_dict().items()}
    stage = TalkStage(TINY, EammOptions(), teacher, speaker, 10.0, PerceptualLoss(random_trunk()))
    run_stage(stage, run_options(clips, tmp_path, steps=2, batch=1), show=False)
    after = {k: v for n in teacher for k, v in n.state_dict().items()}
    assert all(torch.equal(before[k], after[k]) for k in before)
    assert not teacher.kp_detector.training
    assert speaker.audio_feature.training


def test_a_critic_plays_against_the_networks(clips, tmp_path):
    stage = fresh_stage(adversarial=True)
    critic = {k: v.clone() for k, v in stage._critic.state_dict().items()}
    run_stage(stage, run_options(clips, tmp_path, steps=1), show=False)
    assert any(not torch.equal(v, critic[k]) for k, v in stage._critic.state_dict().items())
    names = {row["name"] for row in read_record(tmp_path / "fomm.csv")}
    assert {"critic", "adversarial", "feature matching"} <= names


def test_mixed_precision_keeps_the_losses(clips, tmp_path):
    totals = []
    for precision in ("float32", "bfloat16"):
        options = run_options(clips, tmp_path / precision, steps=1, precision=precision)
        run_stage(fresh_stage(), options, show=False)
        rows = read_record(options.out / "fomm.csv")
        totals += [r["value"] for r in rows if r["kind"] == "train" and r["name"] == "total"]
    assert totals[0] != totals[1]
    assert totals[0] == pytest.approx(totals[1], rel=0.05)


@pytest.mark.slow
def test_two_processes_train_one_network(clips, tmp_path):
    import os
    import subprocess
    import sys

    if not torch.distributed.is_available():
        pytest.skip("this torch has no distributed part")
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["--master-port", "29533", "-m", "avatar.train", "fomm", "--data", str(clips)]
    command += ["--out", str(tmp_path), "--size", "small", "--steps", "2", "--batch", "1"]
    command += ["--trunk", "random"]
    subprocess.run(command, check=True, timeout=300, env={**os.environ, "OMP_NUM_THREADS": "1"})
    steps = [r["step"] for r in read_record(tmp_path / "fomm.csv") if r["name"] == "total"]
    assert steps == [0, 0, 1, 2]


def test_clips_are_split_once_and_for_all(clips):
    trained = {c.name for c in find_clips(clips, held_out=False)}
    held_out = {c.name for c in find_clips(clips, held_out=True)}
    assert trained.isdisjoint(held_out)
    assert len(trained | held_out) == 8
    with pytest.raises(ValueError, match="no training clips"):
        find_clips(clips / "nowhere", held_out=False)


def test_a_talking_example_is_a_picture_and_the_sixteen_after_it(clips):
    example = draw_talk(find_clips(clips, held_out=False), np.random.default_rng(0))
    assert {k: v.shape for k, v in example.items()} == {
        "example": (3, 64, 64),
        "driving": (16, 3, 64, 64),
        "windows": (16, 28, 12),
        "pose": (16, 6),
    }


def test_an_emotional_example_has_its_name_and_a_covered_mouth(clips):
    some = [c for c in find_clips(clips, held_out=False) if c.name.startswith("happy")]
    example = draw_emotional_talk(some, np.random.default_rng(0))
    assert example["emotion"] == 4
    assert example["transformed"].shape == (16, 3, 64, 64)
    assert not np.array_equal(example["transformed"], example["driving"])


def test_the_same_seed_augments_alike_and_another_does_not():
    pictures = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    same = [augment.emotional(pictures, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(same[0], same[1])
    assert not np.array_equal(same[0], same[2])
    assert augment.jitter_colour(pictures, np.random.default_rng(0)).dtype == np.uint8


def test_every_mouth_of_a_training_clip_has_noise_of_its_own():
    pictures = np.zeros((2, 256, 256, 3), np.uint8)
    covered = augment.cover_mouths(pictures, np.random.default_rng(0))
    assert not np.array_equal(covered[0], covered[1])
    rows, columns = covered[0, ..., 0].nonzero()
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (160, 219, 85, 184)


@pytest.mark.parametrize("seconds, n", [(1.0, 24), (11.31, 282)])
def test_a_recording_has_the_published_number_of_windows(seconds, n):
    assert mfcc_windows(np.zeros(round(16000 * seconds), np.float32)).shape == (n, 28, 13)


def test_training_windows_are_those_of_the_live_stream():
    sound = np.random.default_rng(0).normal(size=16000).astype(np.float32) * 0.1
    live, prepared = windows_of(sound, 2800), mfcc_windows(sound)[:, :, 1:]
    np.testing.assert_allclose(prepared[:20], live[:20], atol=1e-4)


def test_the_pose_of_training_is_smoothed_causally():
    pose = np.random.default_rng(0).normal(size=(20, 6))
    smooth = smooth_pose(pose)
    np.testing.assert_allclose(smooth[0], pose[0], atol=1e-6)
    changed = pose.copy()
    changed[10:] += 5
    np.testing.assert_array_equal(smooth_pose(changed)[:10], smooth[:10])


def test_a_deformation_moves_points_as_it_moves_pictures():
    random = torch.Generator().manual_seed(0)
    deformation = random_deformation(1, random, torch.device("cpu"))
    ys, xs = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    image = torch.stack([xs, ys, xs])[None] / 63
    seen = deformation.images(image)[0, :2, 40, 22]  # there: the coordinates of where it came from
    there = deformation.points(torch.tensor([[[22.0, 40.0]]]) * 2 / 63 - 1)[0, 0]
    torch.testing.assert_close(seen * 2 - 1, there, atol=0.03, rtol=0)


def test_the_jacobian_of_a_deformation_is_its_derivative():
    deformation = random_deformation(1, torch.Generator().manual_seed(0), torch.device("cpu"))
    at, step = torch.tensor([[[0.13, -0.27]]]), 1e-3
    jacobian = deformation.jacobian(at)[0, 0]
    for axis in range(2):
        nudge = step * torch.eye(2)[axis]
        slope = (deformation.points(at + nudge) - deformation.points(at - nudge))[0, 0] / (2 * step)
        torch.testing.assert_close(jacobian[:, axis], slope, atol=1e-3, rtol=1e-3)


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


def test_the_rate_follows_the_recipe():
    paper = run_options(Path(), Path(), steps=100)
    assert rate_at(0, paper, (0.2, 0.3)) == pytest.approx(2e-4)
    assert rate_at(100, paper, (0.2, 0.3)) == pytest.approx(2e-5)
    code = replace(paper, recipe="code")
    rates = [rate_at(step, code, (0.2, 0.3)) for step in (0, 19, 20, 30)]
    assert rates == pytest.approx([2e-4, 2e-4, 2e-5, 2e-6])


def test_a_record_forgets_what_came_after_the_save(tmp_path):
    record = Record(tmp_path / "x.csv", 0)
    for step in range(4):
        record.add(step, "train", {"total": step / 3})
        record.add(step + 1, "held-out", {"total": 1.0})
    Record(tmp_path / "x.csv", 2)
    rows = read_record(tmp_path / "x.csv")
    assert [(r["step"], r["kind"]) for r in rows] == [
        (0, "train"),
        (1, "held-out"),
        (1, "train"),
        (2, "held-out"),
    ]
    assert rows[2]["value"] == 1 / 3


@pytest.mark.parametrize("argv", [["fomm", "--steps", "0"], ["a2fd"], ["eamm-emotion"]])
def test_user_mistakes_are_one_line(clips, tmp_path, capsys, argv):
    options = ["--data", str(clips), "--out", str(tmp_path), "--size", "small"]
    trunk = [] if argv[0] == "eamm-emotion" else ["--trunk", "random"]
    assert train.main([*argv, *options, *trunk]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    "layout, path, person, name",
    [
        ("voxceleb", "id1/abc/00001.mp4", "id1", "abc_00001"),
        ("lrw", "ABOUT/train/ABOUT_00001.mp4", "ABOUT", "ABOUT_00001"),
        ("mead", "M003/video/front/happy/level_1/001.mp4", "M003", "happy_level_1_001"),
    ],
)
def test_layouts_of_the_data_sets_are_read(tmp_path, layout, path, person, name):
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.touch()
    (take,) = eamm_prepare.LAYOUTS[layout](tmp_path)
    assert (take.video, take.person, take.name) == (file, person, name)
    if layout == "mead":
        assert take.sound == tmp_path / "M003/audio/happy/level_1/001.m4a"


@pytest.mark.slow
def test_preparing_goes_on_where_it_stopped_and_lists_what_it_skips(tmp_path, monkeypatch):
    from avatar.media import SOUND_RATE, ClipWriter
    from avatar.portrait import demonstration_picture

    videos, out = tmp_path / "videos", tmp_path / "out"
    folder = videos / "HELLO" / "train"
    folder.mkdir(parents=True)
    sound = np.random.default_rng(0).normal(size=(1, SOUND_RATE)).astype(np.float32) * 0.1
    for name, picture in (
        ("good", demonstration_picture()),
        ("empty", np.zeros((64, 64, 3), np.uint8)),
    ):
        with ClipWriter(folder / f"{name}.mp4", picture.shape[0], sound) as writer:
            for _ in range(25):
                writer.write(picture)
    argv = ["eamm-prepare", "--videos", str(videos), "--layout", "lrw", "--out", str(out)]
    assert train.main([*argv, "--image-size", "64"]) == 0
    (clip,) = [c for held in (True, False) for c in _clips(out, held)]
    assert (clip.person, clip.name, clip.n_pictures) == ("HELLO", "good", 24)
    assert clip.pictures([0, 23]).shape == (2, 64, 64, 3)
    assert clip.pose().shape == (24, 6)
    assert np.abs(clip.pose()[:, :3]).max() < 25
    assert eamm_prepare.read_skipped(out) == {("HELLO", "empty")}
    monkeypatch.setattr(eamm_prepare, "prepare", None)  # would fail if anything were left to do
    assert train.main([*argv, "--image-size", "64"]) == 0


def _clips(root: Path, held_out: bool):
    try:
        return find_clips(root, held_out)
    except ValueError:
        return []


def test_a_folder_without_videos_is_refused(tmp_path):
    parser = argparse.ArgumentParser()
    eamm_prepare.add_arguments(parser)
    argv = ["--videos", str(tmp_path), "--layout", "mead", "--out", str(tmp_path)]
    with pytest.raises(ValueError, match="no video of layout mead"):
        eamm_prepare.run(parser.parse_args(argv))
