import numpy as np
import pytest

from avatar.pose import BLINK, GAZE_X, PITCH, ROLL, YAW, ClipPose, EasedPose, IdlePose, NoPose
from avatar.pose import open_pose as open_source
from models.talking_head import POSE_DIMS, FaceTrack

MINUTE = 1500


def run(source, n, energy=0.0):
    return np.stack([source.step(energy) for _ in range(n)])


def blinks_in(rows):
    closed = rows[:, BLINK] > 0.5
    return int((closed[1:] & ~closed[:-1]).sum())


def a_track(pose, scores=None):
    if scores is None:
        scores = np.zeros((len(pose), 52), np.float32)
    return FaceTrack(scores, np.asarray(pose, np.float32))


def test_rows_are_float32_of_the_contract():
    for source in (IdlePose(1), NoPose(1), ClipPose(a_track(np.zeros((3, 6))))):
        pose = source.step()
        assert pose.shape == (POSE_DIMS,) and pose.dtype == np.float32


@pytest.mark.parametrize("seed", range(4))
def test_idle_head_stays_near_the_portrait_and_moves(seed):
    rows = run(IdlePose(seed), 2 * MINUTE)
    assert np.abs(rows[:, [YAW, PITCH, ROLL]]).max(0) == pytest.approx([5.5, 3.3, 2.5], abs=0.4)
    assert np.abs(rows[:, 3:6]).max() < 0.05
    assert 5 < np.ptp(np.percentile(rows[:, YAW], [5, 95])) < 13


def test_idle_head_never_jerks():
    rows = run(IdlePose(5), 4 * MINUTE, energy=0.5)
    speed = np.abs(np.diff(rows[:, :3], axis=0)) / 0.04
    assert speed.max() < 55
    assert 2 < np.median(np.linalg.norm(rows[5:, :3] - rows[:-5, :3], axis=1) / 0.2) < 10


@pytest.mark.parametrize("source", [IdlePose, NoPose])
@pytest.mark.parametrize("seed", range(3))
def test_blinks_per_minute_are_human_for_ten_minutes(source, seed):
    rows = run(source(seed), 10 * MINUTE)
    per_minute = [blinks_in(rows[k : k + MINUTE]) for k in range(0, len(rows), MINUTE)]
    assert min(per_minute) >= 6 and max(per_minute) <= 45
    assert 15 <= np.mean(per_minute) <= 30


@pytest.mark.parametrize("seed", range(20))
def test_first_blink_comes_within_four_seconds_and_closes_the_lids(seed):
    rows = run(NoPose(seed), 110)
    assert rows[:100, BLINK].max() > 0.4 and rows[:, BLINK].max() > 0.9


def test_lids_close_faster_than_they_open():
    blink = run(NoPose(3), MINUTE)[:, BLINK]
    change = np.diff(blink)
    assert (change > 0.01).sum() < (change < -0.01).sum()


def test_no_pose_keeps_the_head_still():
    assert not run(NoPose(0), MINUTE)[:, :BLINK].any()


def test_the_same_seed_gives_the_same_motion_and_another_another():
    assert np.array_equal(run(IdlePose(7), 500), run(IdlePose(7), 500))
    assert not np.array_equal(run(IdlePose(7), 500), run(IdlePose(8), 500))


def test_speech_makes_the_head_livelier():
    beats = 0.5 + 0.5 * np.sin(np.arange(3000) / 3)
    quiet, loud = IdlePose(2), IdlePose(2)
    still = np.stack([quiet.step(0.0) for _ in beats])
    lively = np.stack([loud.step(float(b)) for b in beats])
    assert lively[:, PITCH].std() > still[:, PITCH].std()


def test_clip_is_played_relative_to_its_median_and_without_a_jump():
    t = np.linspace(0, 1, 60)
    pose = np.stack([20 + 8 * t, 5 - 3 * t, 2 * t, 0 * t, 0 * t, -4 + 0 * t], axis=1)
    rows = run(ClipPose(a_track(pose)), 400)
    assert np.abs(np.median(rows[:, :6], axis=0)).max() < 0.5
    assert np.abs(np.diff(rows[:, YAW])).max() < 0.2


def test_clip_blinks_and_looks_when_its_face_does():
    scores = np.full((50, 52), 0.1, np.float32)
    scores[20:24, 9:11] = 0.8
    scores[30:40, [15, 14]] = 0.6
    rows = run(ClipPose(a_track(np.zeros((50, 6)), scores)), 50)
    assert rows[20:24, BLINK].min() > 0.9 and rows[:18, BLINK].max() == 0
    assert rows[32:38, GAZE_X].min() > 0.3


def test_a_still_as_pose_clip_holds_its_one_row():
    rows = run(ClipPose(a_track(np.ones((1, 6)))), 5)
    assert not rows.any()


def test_switching_sources_is_eased():
    turned = a_track(np.r_[np.zeros((30, 6)), np.full((29, 6), 10.0)])
    eased = EasedPose(NoPose(0))
    before = run(eased, 10)
    eased.switch(ClipPose(turned), steps=10)
    eased_rows = np.concatenate([before, run(eased, 100)])
    eased.switch(NoPose(1), steps=10)
    eased_rows = np.concatenate([eased_rows, run(eased, 30)])
    assert np.abs(np.diff(eased_rows[:, YAW])).max() < 4
    assert eased_rows[-1, YAW] == 0


def test_unknown_source_is_named_in_the_error():
    with pytest.raises(ValueError, match=r"'dance'.*idle, none"):
        open_source("dance", 0)
