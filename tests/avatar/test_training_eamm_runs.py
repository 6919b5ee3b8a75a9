"""Runs of EAMM's training: what a kill, a second process and mixed precision change, and do not."""

import os
import random
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from avatar import train
from avatar.training.eamm_base import FommStage
from avatar.training.eamm_clips import find_clips
from avatar.training.eamm_loop import Batches
from avatar.training.eamm_networks import SMALL
from avatar.training.eamm_perceptual import PerceptualLoss, open_trunk, random_trunk
from avatar.training.eamm_run import Record, RunOptions, rate_at, read_record
from avatar.training.eamm_talk import TalkStage
from models.checkpoints import load_tensors
from models.eamm.options import EammOptions
from models.eamm.weights import build_a2fd, build_fomm
from tests.avatar.eamm_runs import fresh_stage, run_options, train_quietly
from tests.models.tiny_eamm import TINY

ROOT = Path(__file__).parents[2]
DRAWS = 2 * (6 + 3)
"""Examples that a run of `run_options` draws: two for each step and evaluation."""


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """As many as the processes that are killed have: sums depend on it in their last bits."""
    n = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n)


@pytest.fixture
def clips(random_eamm_clips) -> Path:
    return random_eamm_clips


@pytest.fixture(scope="module")
def whole_run(random_eamm_clips, tmp_path_factory) -> list[dict]:
    options = run_options(random_eamm_clips, tmp_path_factory.mktemp("whole"))
    train_quietly(fresh_stage(), options)
    return read_record(options.out / "fomm.csv")


@pytest.mark.parametrize("drawn", range(1, DRAWS, 2))
def test_a_run_stopped_in_any_step_goes_on_to_the_same_losses(
    clips, whole_run, tmp_path, monkeypatch, drawn
):
    class Stopped(Exception):
        """In the middle of a batch."""

    options, stage, seen = run_options(clips, tmp_path), fresh_stage(), []
    draw = stage.draw

    def draw_until_stopped(*args):
        if len(seen) == drawn:
            raise Stopped
        seen.append(1)
        return draw(*args)

    monkeypatch.setattr(stage, "draw", draw_until_stopped)
    with pytest.raises(Stopped):
        train_quietly(stage, options)
    train_quietly(fresh_stage(), options)
    assert read_record(tmp_path / "fomm.csv") == whole_run


STAGES = {
    "fomm": "--size small --trunk random",
    "a2fd": "--trunk random",
    "a2fd-finetune": "--trunk random",
    "eamm-emotion": "",
}
FILES = {"fomm": ("fomm",), "a2fd": ("a2fd",), "a2fd-finetune": ("a2fd", "fomm")}
STEPS = "--steps 6 --batch 1 --save-every 2 --evaluate-every 3".split()
KILLED = """
import importlib, os, signal, sys
from avatar import train

module, name, calls, argv = *sys.argv[1].split(":"), int(sys.argv[2]), sys.argv[3:]
module = importlib.import_module(module)
original = getattr(module, name)

def until_killed(*args):
    global calls
    calls -= 1
    if calls < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*args)

setattr(module, name, until_killed)
train.main(argv)
"""
PLACES = {
    "avatar.training.eamm_loop:_lower": 6,
    "avatar.training.eamm_loop:evaluate": 3,
    "avatar.training.eamm_loop:_save": 3,
    "avatar.training.eamm_loop:replace_file": 3,
    "avatar.training.eamm_networks:save_networks": 3,
    "models.checkpoints:save_file": 3,
}
"""Where a kill may strike, and how often at least a run comes by."""


@pytest.fixture(scope="module")
def start(random_eamm_clips, tmp_path_factory) -> Path:
    """Weights of a moment's training of the first two stages."""
    out = tmp_path_factory.mktemp("start")
    common = ["--data", str(random_eamm_clips), "--out", str(out), "--steps", "1", "--batch", "1"]
    for stage in ("fomm", "a2fd"):
        assert train.main([stage, *common, *STAGES[stage].split()]) == 0
    for record in [*out.glob("*.csv"), *out.glob("*.state.pt")]:
        record.unlink()
    return out


def begin(start: Path, out: Path, stage: str, clips: Path) -> list[str]:
    """A folder with what a stage starts from, and the command that trains in it."""
    if stage == "fomm":
        out.mkdir()
    else:
        shutil.copytree(start, out)
    return [stage, "--data", str(clips), "--out", str(out), *STEPS, *STAGES[stage].split()]


def tensors_in(folder: Path, stage: str) -> dict[str, torch.Tensor]:
    found = {}
    for name in FILES.get(stage, ("emotion",)):
        found |= load_tensors(name, folder)[0]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_process_killed_at_random_goes_on_to_the_same_losses(start, clips, tmp_path, stage):
    whole = begin(start, tmp_path / "whole", stage, clips)
    assert train.main(whole) == 0
    chance = random.SystemRandom()
    where = chance.choice(list(PLACES))
    calls = chance.randrange(PLACES[where])
    torn = begin(start, tmp_path / "torn", stage, clips)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, where, str(calls), *torn],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        timeout=300,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert train.main(torn) == 0
    place = f"killed at call {calls} of {where}"
    records = [read_record(tmp_path / name / f"{stage}.csv") for name in ("whole", "torn")]
    assert records[0] == records[1], place
    assert len([r for r in records[0] if r["name"] == "total"]) == 6 + 3
    ours, theirs = (tensors_in(tmp_path / name, stage) for name in ("torn", "whole"))
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs), place


def test_frozen_networks_do_not_change(clips, tmp_path):
    torch.manual_seed(0)
    teacher, speaker = build_fomm(TINY, EammOptions()), build_a2fd(TINY)
    before = {k: v.clone() for n in teacher for k, v in n.state_dict().items()}
    stage = TalkStage(TINY, EammOptions(), teacher, speaker, 10.0, PerceptualLoss(random_trunk()))
    train_quietly(stage, run_options(clips, tmp_path, steps=2, batch=1))
    after = {k: v for n in teacher for k, v in n.state_dict().items()}
    assert all(torch.equal(before[k], after[k]) for k in before)
    assert not teacher.kp_detector.training
    assert speaker.audio_feature.training


def test_a_critic_plays_against_the_networks(clips, tmp_path):
    stage = fresh_stage(adversarial=True)
    critic = {k: v.clone() for k, v in stage._critic.state_dict().items()}
    train_quietly(stage, run_options(clips, tmp_path, steps=1))
    assert any(not torch.equal(v, critic[k]) for k, v in stage._critic.state_dict().items())
    names = {row["name"] for row in read_record(tmp_path / "fomm.csv")}
    assert {"critic", "adversarial", "feature matching"} <= names


def test_mixed_precision_keeps_the_losses(clips, tmp_path):
    totals = []
    for precision in ("float32", "bfloat16"):
        options = run_options(clips, tmp_path / precision, steps=1, precision=precision)
        train_quietly(fresh_stage(), options)
        rows = read_record(options.out / "fomm.csv")
        totals += [r["value"] for r in rows if r["kind"] == "train" and r["name"] == "total"]
    assert totals[0] != totals[1]
    assert totals[0] == pytest.approx(totals[1], rel=0.05)


def small_stage() -> FommStage:
    """What `fomm --size small --trunk random` trains, as its process makes it."""
    torch.manual_seed(0)
    perceptual = PerceptualLoss(open_trunk("random"))
    return FommStage(SMALL, EammOptions(), perceptual)


def mean_gradients(clips: Path, n_processes: int) -> list[torch.Tensor]:
    """Gradients of the first step of each of the processes, averaged, from one process."""
    stage = small_stage().train()
    options = RunOptions(clips, Path(), steps=1, batch=1)
    for rank in range(n_processes):
        batch = Batches(stage, find_clips(clips, held_out=False), options, rank)[0]
        (sum(stage(batch).values()) / n_processes).backward()
    return [p.grad for p in stage.players()["networks"]]


@pytest.mark.slow
def test_two_processes_train_on_the_mean_of_their_gradients(clips, tmp_path):
    if not torch.distributed.is_available():
        pytest.skip("this torch has no distributed part")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "-m", "avatar.train", "fomm", "--data", str(clips)]
    command += ["--out", str(tmp_path), "--size", "small", "--steps", "1", "--batch", "1"]
    command += ["--trunk", "random"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(command, cwd=ROOT, check=True, timeout=300, env=environment)
    rows = read_record(tmp_path / "fomm.csv")
    assert [r["step"] for r in rows if r["name"] == "total"] == [0, 0, 1]  # one process records
    state = torch.load(tmp_path / "fomm.state.pt", weights_only=True)
    momenta = state["optimizers"]["networks"]["state"]
    expected = mean_gradients(clips, 2)
    assert len(momenta) == len(expected)
    for i, gradient in enumerate(expected):
        found = 2 * momenta[i]["exp_avg"]  # Adam's beta is 0.5
        torch.testing.assert_close(found, gradient, atol=2e-4 * gradient.abs().max(), rtol=0)


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
