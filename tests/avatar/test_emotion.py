import math
import shutil

import numpy as np
import pytest

from avatar.emotion import read_emotion, split_spec
from avatar.emotion_blend import EmotionBlend
from avatar.ping_pong import PingPong, ping_pong
from avatar.presets import PRESETS, SHAPE_NAMES, face_scores
from avatar.speech_free import without_speech
from models.talking_head import FaceTrack


class Tracker:
    """A tracker that sees no face anywhere."""

    name = "blind"

    def find_faces(self, rgb):
        return []

    def settle_face(self, rgb):
        return None

    def follow_face(self, pictures):
        return (None for _ in pictures)


def worn(blend, steps):
    return [blend.step() for _ in range(steps)]


def index(name):
    return SHAPE_NAMES.index(name)


def test_presets_are_rows_of_scores_and_neutral_is_nothing():
    assert list(PRESETS) == [
        "neutral", "happy", "sad", "angry", "surprised", "fear", "disgusted", "contempt",
    ]  # fmt: skip
    for track in PRESETS.values():
        assert track.blendshapes.shape == (1, 52) and track.pose.shape == (1, 6)
        assert track.blendshapes.min() >= 0 and track.blendshapes.max() <= 1
    assert not PRESETS["neutral"].blendshapes.any()


def test_presets_are_symmetric_but_for_contempt():
    for name, track in PRESETS.items():
        row = track.blendshapes[0]
        left = [row[i] for i, s in enumerate(SHAPE_NAMES) if s.endswith("Left")]
        right = [row[i] for i, s in enumerate(SHAPE_NAMES) if s.endswith("Right")]
        symmetric = row[index("mouthSmileLeft")] == row[index("mouthSmileRight")]
        assert symmetric == (name != "contempt")
        assert (sorted(left) == sorted(right)) or name == "contempt"


def test_unknown_shape_is_refused():
    with pytest.raises(ValueError, match="eyeBrowse"):
        face_scores({"eyeBrowse": 1.0})


@pytest.mark.parametrize("spec", ["hapy", "joy=", "=x", "clip=missing.mp4", ""])
def test_bad_specs_end_in_one_line(spec):
    with pytest.raises(ValueError) as error:
        split_spec(spec)
    assert "\n" not in str(error.value)


def test_unknown_name_lists_the_presets():
    with pytest.raises(ValueError, match=r"hapy.*neutral, happy, sad"):
        read_emotion("hapy", Tracker())


def test_presets_can_be_renamed():
    name, track = read_emotion("calm=neutral", Tracker())
    assert name == "calm" and not track.blendshapes.any()


def test_files_are_named_by_their_stem_or_before_the_equals_sign(tmp_path):
    file = tmp_path / "big=smile.png"
    file.write_bytes(b"x")
    assert split_spec(str(file)) == ("big=smile", str(file))
    assert split_spec(f"grin={file}") == ("grin", str(file))


def test_empty_and_unreadable_files_end_in_one_line(tmp_path):
    empty, noise = tmp_path / "a.mp4", tmp_path / "b.mp4"
    empty.touch()
    noise.write_bytes(b"no video at all" * 50)
    for file in (empty, noise):
        with pytest.raises(ValueError, match=str(file)) as error:
            read_emotion(str(file), Tracker())
        assert "\n" not in str(error.value)


def test_files_without_a_face_end_in_one_line(tmp_path, grey_clip, grey_picture):
    for file in (grey_clip, grey_picture):
        copy = shutil.copy(file, tmp_path)
        with pytest.raises(ValueError, match="face was found") as error:
            read_emotion(str(copy), Tracker())
        assert "\n" not in str(error.value)


def test_a_still_gives_its_scores_unsmoothed(tracker, face_file):
    name, track = read_emotion(str(face_file), tracker)
    assert name == face_file.stem and track.blendshapes.shape == (1, 52)
    assert track.blendshapes[0, index("mouthSmileLeft")] > 0.5


def test_a_clip_gives_a_track_at_25_frames_a_second(tracker, face_clip):
    _, track = read_emotion(f"joy={face_clip}", tracker)
    assert track.blendshapes.shape == (25, 52)
    assert track.blendshapes[:, index("mouthSmileLeft")].min() > 0.4


def test_speech_is_taken_out_and_the_face_is_kept():
    t = np.arange(150)
    scores = np.zeros((150, 52), np.float32)
    scores[:, index("mouthSmileLeft")] = 0.7
    scores[:, index("browInnerUp")] = 0.5
    scores[:, index("jawOpen")] = 0.25 + 0.25 * np.sin(2 * np.pi * t / 8)
    kept = without_speech(FaceTrack(scores, np.zeros((150, 6), np.float32))).blendshapes
    assert kept[:, index("mouthSmileLeft")] == pytest.approx(0.7, abs=1e-4)
    assert kept[:, index("browInnerUp")] == pytest.approx(0.5, abs=1e-4)
    assert kept[:, index("jawOpen")].max() < 0.08


def test_a_mouth_that_stays_open_is_kept():
    scores = np.zeros((100, 52), np.float32)
    scores[:, index("jawOpen")] = 0.5
    kept = without_speech(FaceTrack(scores, np.zeros((100, 6), np.float32))).blendshapes
    assert kept[:, index("jawOpen")] == pytest.approx(0.5, abs=1e-4)


def test_blinks_of_the_clip_are_not_emotion():
    scores = np.zeros((100, 52), np.float32)
    scores[50:56, index("eyeBlinkLeft")] = 1.0
    kept = without_speech(FaceTrack(scores, np.zeros((100, 6), np.float32))).blendshapes
    assert kept[:, index("eyeBlinkLeft")].max() < 0.05


@pytest.mark.parametrize("length", [1, 2, 3, 7, 40])
def test_ping_pong_never_jumps_nor_rests(length):
    place = PingPong(length)
    frames = np.array([place.step() for _ in range(200)])
    assert frames.min() == 0 and frames.max() == length - 1
    assert set(np.abs(np.diff(frames))) == ({0} if length == 1 else {1})


def test_ping_pong_of_nothing_is_refused():
    with pytest.raises(ValueError, match="0 frames"):
        ping_pong(0, 0)


def test_the_first_emotion_is_worn_at_once():
    blend = EmotionBlend(["neutral", "happy", "sad"], "happy", strength=1.2)
    assert blend.step() == {"happy": pytest.approx(1.2)}
    assert EmotionBlend(["happy"]).step() == {}


def test_a_change_is_eased_and_arrives():
    blend = EmotionBlend(["happy", "sad"], "happy")
    blend.set({"sad": 0.6, "happy": 0.1}, ease_steps=10)
    steps = worn(blend, 12)
    happy = np.array([1.0] + [s.get("happy", 0.0) for s in steps])
    assert np.all(np.diff(happy) <= 0) and np.abs(np.diff(happy)).max() < 1.5 * 0.9 / 10 + 1e-9
    assert steps[9] == {"happy": pytest.approx(0.1), "sad": pytest.approx(0.6)} == steps[11]


def test_a_change_in_the_middle_of_another_does_not_jump():
    blend = EmotionBlend(["happy", "sad"], "happy")
    blend.set({"sad": 1.0}, ease_steps=10)
    levels = [s.get("sad", 0.0) for s in worn(blend, 5)]
    blend.set({"happy": 1.0}, ease_steps=10)
    levels += [s.get("sad", 0.0) for s in worn(blend, 10)]
    assert np.abs(np.diff(levels)).max() <= 0.15 + 1e-9 and levels[-1] == 0


def test_strength_is_a_factor_of_all():
    blend = EmotionBlend(["happy", "sad"])
    blend.set({"happy": 0.5, "sad": 0.5}, ease_steps=0)
    blend.set_strength(1.5, ease_steps=0)
    assert blend.step() == {"happy": pytest.approx(0.75), "sad": pytest.approx(0.75)}


@pytest.mark.parametrize(
    "weights",
    [
        {"glee": 0.5},
        {"happy": -0.1},
        {"happy": math.nan},
        {"happy": math.inf},
        {"happy": 0.7, "sad": 0.7},
        {"happy": "much"},
        {"happy": True},
        {"happy": None},
        ["happy"],
    ],
    ids=repr,
)
def test_bad_weights_are_refused_and_change_nothing(weights):
    blend = EmotionBlend(["happy", "sad"], "sad")
    with pytest.raises(ValueError) as error:
        blend.set(weights)
    assert "\n" not in str(error.value)
    assert blend.weights == {"sad": 1.0} and blend.step() == {"sad": 1.0}


@pytest.mark.parametrize("strength", [math.nan, -1, 1.6, "1", None, True], ids=repr)
def test_bad_strength_is_refused_and_changes_nothing(strength):
    blend = EmotionBlend(["happy"], "happy")
    with pytest.raises(ValueError, match="strength"):
        blend.set_strength(strength)
    assert blend.strength == 1.0 and blend.step() == {"happy": 1.0}
