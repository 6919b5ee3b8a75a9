import numpy as np
import pytest

from avatar.camera_pose import LOST_STEPS, MOST_TURN, TAKE_OVER_STEPS, CameraPose, FollowedFace
from avatar.pose import BLINK, PITCH, YAW, IdlePose
from avatar.spring import Spring

STEPS_A_LOOK = 2


def looks(yaws, noise=0.0, seed=0):
    """Poses [N, 6] of a head that only turns, 6 eye distances before the camera."""
    poses = np.zeros((len(yaws), 6))
    poses[:, 0], poses[:, 5] = yaws, -6.0
    return poses + np.random.default_rng(seed).normal(0, noise, poses.shape) * (1, 1, 1, 0, 0, 0)


def follow(camera, poses):
    """The rows of the steps while a camera sees `poses`, every second step one."""
    rows = []
    for pose in poses:
        camera.observe(pose)
        rows += [camera.step() for _ in range(STEPS_A_LOOK)]
    return np.stack(rows)


def idle_rows(n, seed=1):
    idle = IdlePose(seed)
    return np.stack([idle.step() for _ in range(n)])


def test_a_camera_that_sees_nobody_leaves_the_head_idle():
    camera = CameraPose(1)
    assert np.array_equal([camera.step() for _ in range(200)], idle_rows(200))


def test_the_head_turns_as_far_as_the_callers():
    rows = follow(CameraPose(1), looks([0] * 15 + [12] * 20))
    assert rows[-1, YAW] == pytest.approx(12, abs=1.5)
    assert abs(rows[-1, PITCH]) < 0.5


def test_a_turn_is_half_followed_within_a_quarter_of_a_second():
    rows = follow(CameraPose(1), looks([0] * 30 + [10] * 10))
    assert rows[60 + 6, YAW] > 5


def test_however_the_head_is_held_at_first_is_straight_ahead():
    rows = follow(CameraPose(1), looks([17] * 40))
    assert np.abs(rows[-20:, YAW]).max() < 0.5


def test_a_shaky_tracker_does_not_shake_the_head():
    poses = looks([0] * 200, noise=0.8)
    turns = follow(CameraPose(1), poses)[100:, YAW]
    seen = np.repeat(poses[50:, 0], STEPS_A_LOOK)
    assert np.abs(np.diff(turns, 2)).mean() < 0.15 * np.abs(np.diff(seen, 2)).mean()


def test_no_turn_goes_beyond_what_a_portrait_can_show():
    rows = follow(CameraPose(1), looks([0] * 12 + [80, -80] * 20 + [80] * 40))
    assert np.abs(rows[:, :3]).max() <= MOST_TURN
    assert rows[-1, YAW] == pytest.approx(MOST_TURN, abs=0.5)


def test_a_lost_face_hands_over_to_the_idle_head_without_a_jump():
    camera = CameraPose(1)
    seen = follow(camera, looks([0] * 20 + [15] * 20))
    lost = np.stack([camera.step() for _ in range(LOST_STEPS + TAKE_OVER_STEPS + 20)])
    rows = np.concatenate([seen, lost])
    assert np.abs(np.diff(rows[len(seen) - 5 :, :3], axis=0)).max() < 2.0
    assert np.array_equal(rows[-20:], idle_rows(len(rows))[-20:])


def test_blinks_go_on_while_the_head_is_followed():
    rows = follow(CameraPose(1), looks([0] * 500))
    assert np.array_equal(rows[:, BLINK], idle_rows(len(rows))[:, BLINK])


def test_a_spring_arrives_and_never_overshoots():
    spring = Spring(6.5, 2)
    way = np.stack([spring.step(np.array([1.0, -3.0])) for _ in range(100)])
    assert (np.diff(way[:, 0]) > 0).all() and (np.diff(way[:, 1]) < 0).all()
    assert way[-1] == pytest.approx([1, -3], abs=1e-6)


def test_a_face_is_followed_through_pictures_that_come_one_by_one(tracker, face_picture):
    faces = FollowedFace(tracker)
    blank, mirrored = np.zeros_like(face_picture), face_picture[:, ::-1]
    clip = (blank, face_picture, face_picture, mirrored, mirrored, blank)
    found = [faces.look(picture) for picture in clip]
    faces.close()
    assert [face is not None for face in found[:3]] == [False, True, True]
    assert found[-2].pose[0] == pytest.approx(-found[2].pose[0], abs=4)
    assert found[-1] is None
