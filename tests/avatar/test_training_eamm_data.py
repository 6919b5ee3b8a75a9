"""What EAMM is trained on: examples, augmentation, features, deformations, preparation."""

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch

from avatar import train
from avatar.training import eamm_augment as augment
from avatar.training import eamm_prepare
from avatar.training.eamm_clips import find_clips
from avatar.training.eamm_deform import random_deformation
from avatar.training.eamm_samples import draw_emotional_talk, draw_talk, smooth_pose


def test_clips_are_split_once_and_for_all(random_eamm_clips):
    trained = {c.name for c in find_clips(random_eamm_clips, held_out=False)}
    held_out = {c.name for c in find_clips(random_eamm_clips, held_out=True)}
    assert trained.isdisjoint(held_out)
    assert len(trained | held_out) == 8
    with pytest.raises(ValueError, match="no training clips"):
        find_clips(random_eamm_clips / "nowhere", held_out=False)


def test_a_talking_example_is_a_picture_and_the_sixteen_after_it(random_eamm_clips):
    example = draw_talk(find_clips(random_eamm_clips, held_out=False), np.random.default_rng(0))
    assert {k: v.shape for k, v in example.items()} == {
        "example": (3, 64, 64),
        "driving": (16, 3, 64, 64),
        "windows": (16, 28, 12),
        "pose": (16, 6),
    }


def test_an_emotional_example_has_its_name_and_a_covered_mouth(random_eamm_clips):
    some = [c for c in find_clips(random_eamm_clips, held_out=False) if c.name.startswith("happy")]
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


def test_a_keystone_moves_the_lower_corners_by_20_to_29_px(monkeypatch):
    squares, targets = [], []

    def note(corners, moved):
        squares.append(corners)
        targets.append(moved)
        return np.eye(3)

    monkeypatch.setattr(augment.cv2, "getPerspectiveTransform", note)
    augment.perspective(np.zeros((200, 256, 256, 3), np.uint8), np.random.default_rng(0))
    outwards = -np.array(squares)[:, 0, 0]
    moved = np.array(targets) - squares
    assert not moved[:, :2].any() and not moved[..., 1].any()
    np.testing.assert_array_equal(moved[:, 2, 0], -moved[:, 3, 0])
    for span, values in (((20, 39), outwards), ((20, 29), moved[:, 3, 0])):
        assert (np.abs(values).min(), np.abs(values).max()) == span
        assert 0.3 < (values > 0).mean() < 0.7


def test_a_clip_is_turned_as_a_whole_by_up_to_30_degrees():
    picture = np.zeros((1, 65, 65, 3), np.uint8)
    picture[0, 32, 56] = 255  # right of the middle
    angles = []
    for seed in range(60):
        turned = augment.turn(picture.repeat(2, 0), np.random.default_rng(seed))
        np.testing.assert_array_equal(turned[0], turned[1])
        y, x = np.unravel_index(turned[0, ..., 0].argmax(), (65, 65))
        angles.append(np.degrees(np.arctan2(32 - y, x - 32)))
    assert -32 < min(angles) < -25 and 25 < max(angles) < 32


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


VIDEOS = {
    "voxceleb": ("id1/abc/00001.mp4", "id1/abc/00002.mp4"),
    "lrw": ("HELLO/train/HELLO_1.mp4", "HELLO/train/HELLO_2.mp4"),
    "mead": ("M003/video/front/sad/level_1/001.mp4", "M003/video/front/sad/level_1/002.mp4"),
}
"""A video with a face and one without, as each data set names them."""


def film(path: Path, picture: np.ndarray, loudness: float) -> None:
    """A second of a still, with noise for sound."""
    from avatar.media import SOUND_RATE, ClipWriter

    path.parent.mkdir(parents=True, exist_ok=True)
    sound = np.random.default_rng(0).normal(size=(1, SOUND_RATE)).astype(np.float32)
    with ClipWriter(path, picture.shape[0], loudness * sound) as writer:
        for _ in range(25):
            writer.write(picture)


def film_data_set(videos: Path, layout: str) -> None:
    """The VIDEOS of a layout; those of MEAD are silent and have their sound beside them."""
    from avatar.portrait import demonstration_picture

    mead = layout == "mead"
    face, nobody = demonstration_picture(), np.zeros((64, 64, 3), np.uint8)
    for path, picture in zip(VIDEOS[layout], (face, nobody), strict=True):
        film(videos / path, picture, 0.0 if mead else 0.1)
        if mead:
            sound = videos / path.replace("video/front", "audio")
            film(sound, nobody, 0.1)
            sound.rename(sound.with_suffix(".m4a"))


@pytest.mark.slow
@pytest.mark.parametrize("layout", VIDEOS)
def test_preparing_goes_on_where_it_stopped_and_lists_what_it_skips(tmp_path, monkeypatch, layout):
    videos, out = tmp_path / "videos", tmp_path / "out"
    film_data_set(videos, layout)
    good, empty = (next(_take(layout, videos, path)) for path in VIDEOS[layout])
    argv = ["eamm-prepare", "--videos", str(videos), "--layout", layout, "--out", str(out)]
    argv += ["--image-size", "64"]
    assert train.main(argv) == 0
    (clip,) = [c for held in (True, False) for c in _clips(out, held)]
    assert (clip.person, clip.name, clip.n_pictures) == (good.person, good.name, 24)
    assert clip.pictures([0, 23]).shape == (2, 64, 64, 3)
    assert clip.pose().shape == (24, 6)
    assert np.abs(clip.pose()[:, :3]).max() < 25
    assert np.abs(clip.windows()[:, 14:]).max(axis=(1, 2)).min() > 0.1
    assert eamm_prepare.read_skipped(out) == {(empty.person, empty.name)}
    windows = clip.windows()
    (out / "mfcc" / good.person / f"{good.name}.npy").unlink()  # as if killed while writing it
    assert train.main(argv) == 0
    np.testing.assert_array_equal(clip.windows(), windows)
    monkeypatch.setattr(eamm_prepare, "prepare", None)  # would fail if anything were left to do
    assert train.main(argv) == 0


def _take(layout: str, videos: Path, path: str):
    return (t for t in eamm_prepare.LAYOUTS[layout](videos) if t.video == videos / path)


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
