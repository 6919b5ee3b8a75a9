import numpy as np
import pytest

from avatar.engine import Avatar
from streaming.features import MfccWindows
from tests.turning_head import turned_picture

SAMPLE_RATE = 16000


@pytest.fixture(scope="module")
def avatar():
    return Avatar.load(size=256, emotions=["happy"])


@pytest.fixture(scope="module")
def sound():
    """Bursts of voiced noise with pauses, 1.2 s mono in -1..1."""
    t = np.arange(int(1.2 * SAMPLE_RATE)) / SAMPLE_RATE
    buzz = np.sign(np.sin(2 * np.pi * 130 * t)) * (np.sin(2 * np.pi * 3 * t) > 0)
    return (0.2 * buzz + 0.01 * np.random.default_rng(0).normal(size=len(t))).astype(np.float32)


def windows_in_chunks(avatar, sound, chunk):
    features = MfccWindows(avatar.lookahead_ms * SAMPLE_RATE // 1000)
    for start in range(0, len(sound), chunk):
        yield from features.push(sound[start : start + chunk])


def pictures(avatar, sound, chunk=640, seed=3):
    stream = avatar.open_stream(seed)
    return [stream.step(w) for w in windows_in_chunks(avatar, sound, chunk)]


@pytest.mark.parametrize("chunk", [160, 320, 1000, 19200])
def test_every_chunking_of_the_sound_gives_the_same_pictures(avatar, sound, chunk):
    whole = pictures(avatar, sound)
    assert len(whole) > 20
    for a, b in zip(whole, pictures(avatar, sound, chunk), strict=True):
        assert np.array_equal(a, b)


def test_two_interleaved_callers_equal_each_alone(avatar, sound):
    windows = list(windows_in_chunks(avatar, sound, 640))
    other = [w[::-1].copy() for w in windows]
    first, second = avatar.open_stream(1), avatar.open_stream(2)
    together = [(first.step(a), second.step(b)) for a, b in zip(windows, other, strict=True)]
    for seed, heard, side in ((1, windows, 0), (2, other, 1)):
        alone = avatar.open_stream(seed)
        for window, pair in zip(heard, together, strict=True):
            assert np.array_equal(alone.step(window), pair[side])


def test_a_picture_left_out_does_not_change_the_next(avatar, sound):
    windows = list(windows_in_chunks(avatar, sound, 640))
    whole, skipping = avatar.open_stream(5), avatar.open_stream(5)
    for k, window in enumerate(windows):
        picture = whole.step(window)
        if k % 3 == 0:
            assert skipping.step(window, render=False) is None
        else:
            assert np.array_equal(skipping.step(window), picture)


def settle(stream, steps=15):
    silence = np.zeros((28, 12), np.float32)
    return [stream.step(silence) for _ in range(steps)][-1].astype(int)


def test_an_emotion_changes_the_face_within_its_ease_time(avatar):
    worn, changed = avatar.open_stream(1), avatar.open_stream(1)
    settle(worn), settle(changed)
    changed.control({"type": "emotion", "name": "sad", "ease_ms": 300})
    assert np.abs(settle(worn, 8) - settle(changed, 8)).mean() > 0.3


def test_strength_zero_is_neutral(avatar):
    neutral, faint = avatar.open_stream(1), avatar.open_stream(1)
    neutral.control({"type": "emotion", "name": "neutral"})
    faint.control({"type": "strength", "value": 0})
    assert np.array_equal(settle(neutral), settle(faint))


def test_the_head_turns_with_the_head_in_the_camera_and_back_when_it_is_left(avatar):
    stream = avatar.open_stream(1)
    assert not stream.wants_camera
    assert stream.control({"type": "pose", "source": "camera"})["pose"] == "camera"
    assert stream.wants_camera
    shown = []
    for yaw in [0] * 12 + [15] * 12 + [-15] * 12:
        assert stream.look(turned_picture(avatar, yaw))
        shown.append(settle(stream, 2))
    assert not stream.look(np.zeros((240, 320, 3), np.uint8))
    stream.stop_looking()
    stream.control({"type": "pose", "source": "none"})
    assert not stream.wants_camera
    shown.append(settle(stream, 25))
    right, left, straight = (yaw_of(avatar, shown[k]) for k in (23, 35, -1))
    assert right - straight > 4 and straight - left > 4


def yaw_of(avatar, picture):
    return avatar.tracker.settle_face(picture.astype(np.uint8)).pose[0]


def test_a_portrait_is_replaced_between_two_steps(avatar, demonstration_face):
    mirrored = demonstration_face.image[:, ::-1]
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(mirrored)).save(file, "PNG")
    encoded = avatar.encode_portrait(file.getvalue())
    stream, same = avatar.open_stream(1), avatar.open_stream(1)
    settle(stream), settle(same)
    stream.set_portrait(encoded)
    assert np.abs(settle(stream, 1) - settle(same, 1)).mean() > 3


@pytest.mark.parametrize(
    "message, reason",
    [
        ({"type": "emotion", "name": "bored"}, "unknown emotion 'bored'"),
        ({"type": "emotion", "weights": {"happy": -1}}, "0 to 1"),
        ({"type": "emotion", "weights": {"happy": 0.8, "sad": 0.8}}, "sum"),
        ({"type": "emotion"}, "name or weights"),
        ({"type": "emotion", "name": "sad", "ease_ms": float("inf")}, "ease_ms"),
        ({"type": "strength", "value": float("nan")}, "strength"),
        ({"type": "strength", "value": 1.6}, "1.5"),
        ({"type": "strength", "value": "much"}, "strength"),
        ({"type": "pose", "source": "clip"}, "unknown pose"),
        ({"type": "pose", "source": ["idle"]}, "unknown pose"),
        ({"type": "dance"}, "unknown message type"),
        ({}, "unknown message type"),
    ],
)
def test_a_bad_message_is_refused_and_changes_nothing(avatar, message, reason):
    stream, untouched = avatar.open_stream(1), avatar.open_stream(1)
    before = stream.settings()
    with pytest.raises(ValueError, match=reason):
        stream.control(message)
    assert stream.settings() == before
    assert np.array_equal(settle(stream, 3), settle(untouched, 3))


def test_a_portrait_without_a_face_is_refused(avatar):
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (300, 300), "grey").save(file, "PNG")
    with pytest.raises(ValueError, match="face"):
        avatar.encode_portrait(file.getvalue())


def test_the_description_names_what_can_be_asked_for(avatar):
    described = avatar.describe()
    assert {"neutral", "happy", "sad"} <= set(described["emotions"])
    assert described["poses"] == ["idle", "none", "camera"]
    assert described["settings"]["emotion"] == {"happy": 1.0}
