import wave
from pathlib import Path

import av
import numpy as np
import pytest

from avatar.clip_track import track_clip
from avatar.media import SOUND_RATE, ClipWriter, read_pictures, read_sound


def write_wav(path, samples, rate, width=2):
    """samples [N, channels] float -1..1."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(width)
        file.setframerate(rate)
        if width == 1:
            data = np.rint(samples * 127 + 128).astype(np.uint8)
        else:
            data = np.rint(samples * 32767).astype("<i2")
        file.writeframes(data.tobytes())
    return path


def tone(seconds, rate, hz=440, channels=1):
    t = np.arange(int(seconds * rate)) / rate
    return np.repeat(0.4 * np.sin(2 * np.pi * hz * t)[:, None], channels, axis=1)


@pytest.mark.parametrize(
    ("rate", "width", "channels"),
    [(16000, 2, 1), (44100, 2, 2), (8000, 1, 1), (48000, 2, 6), (22050, 1, 2)],
)
def test_any_wav_becomes_16_khz_mono(tmp_path, rate, width, channels):
    path = write_wav(tmp_path / "a.wav", tone(1.0, rate, channels=channels), rate, width)
    sound = read_sound(path, 16000)
    assert sound.shape[0] == 1 and sound.dtype == np.float32
    assert sound.shape[1] == pytest.approx(16000, abs=20)
    spectrum = np.abs(np.fft.rfft(sound[0][:16000]))
    assert abs(int(spectrum.argmax()) - 440) <= 1


def test_sound_is_not_shifted_by_conversion(tmp_path):
    click = np.zeros((44100, 1))
    click[22050] = 0.9
    sound = read_sound(write_wav(tmp_path / "a.wav", click, 44100), 16000)[0]
    assert int(np.abs(sound).argmax()) == pytest.approx(8000, abs=1)


def test_no_samples_no_sound_and_no_file_end_in_one_line(tmp_path, grey_picture):
    empty = write_wav(tmp_path / "empty.wav", np.zeros((0, 1)), 16000)
    nothing, noise = tmp_path / "nothing.wav", tmp_path / "noise.wav"
    nothing.touch()
    noise.write_bytes(b"RIFFnoise" * 30)
    for path in (empty, nothing, noise, grey_picture, tmp_path / "absent.wav", tmp_path):
        with pytest.raises(ValueError, match=str(path)) as error:
            read_sound(path, 16000)
        assert "\n" not in str(error.value)


def numbered_pictures(n, size=256):
    """Pictures whose brightness counts them."""
    return [np.full((size, size, 3), 20 + 4 * k, np.uint8) for k in range(n)]


def write_clip(path, pictures, sound, rate=25):
    with ClipWriter(path, pictures[0].shape[0], sound, rate) as clip:
        for picture in pictures:
            clip.write(picture)
    return path


def test_written_clip_is_h264_and_aac_at_25_frames_a_second(tmp_path):
    path = write_clip(
        tmp_path / "a.mp4", numbered_pictures(50), tone(2.0, SOUND_RATE).T.astype(np.float32)
    )
    with av.open(str(path)) as file:
        video, audio = file.streams.video[0], file.streams.audio[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (video.average_rate, video.frames) == (25, 50)
        assert (audio.codec_context.name, audio.rate) == ("aac", SOUND_RATE)


def test_picture_k_is_shown_at_40_k_ms_with_its_sound(tmp_path):
    sound = np.zeros((1, 2 * SOUND_RATE), np.float32)
    sound[0, 30 * 1920 : 30 * 1920 + 200] = 0.9
    path = write_clip(tmp_path / "a.mp4", numbered_pictures(50), sound)
    times, levels = zip(*((t, rgb.mean()) for t, rgb in read_pictures(path)), strict=True)
    assert times == pytest.approx(np.arange(50) * 0.04, abs=1e-6)
    assert np.array(levels) == pytest.approx(20 + 4 * np.arange(50), abs=3)
    heard = read_sound(path, SOUND_RATE)[0]
    assert int(np.argmax(np.abs(heard) > 0.3)) / SOUND_RATE == pytest.approx(30 * 0.04, abs=0.005)


def test_sound_keeps_its_two_channels(tmp_path):
    sound = np.stack([tone(1, SOUND_RATE)[:, 0], 0 * tone(1, SOUND_RATE)[:, 0]])
    path = write_clip(tmp_path / "a.mp4", numbered_pictures(25), sound.astype(np.float32))
    left, right = read_sound(path, SOUND_RATE, "stereo")
    assert left.std() > 0.2 and right.std() < 0.01


def test_an_interrupted_writer_leaves_nothing(tmp_path):
    out = tmp_path / "a.mp4"
    with pytest.raises(KeyboardInterrupt), ClipWriter(out, 256, np.zeros((1, 9600), "f")) as clip:
        clip.write(numbered_pictures(1)[0])
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_an_old_file_stays_until_the_new_one_is_complete(tmp_path):
    out = tmp_path / "a.mp4"
    out.write_text("old")
    with ClipWriter(out, 256, np.zeros((1, 1920), "f")) as clip:
        clip.write(numbered_pictures(1)[0])
        assert out.read_text() == "old"
    assert out.stat().st_size > 500 and list(tmp_path.iterdir()) == [out]


def test_large_pictures_are_scaled_down_and_long_clips_cut(tmp_path):
    path = write_clip(
        tmp_path / "a.mp4", numbered_pictures(50, size=1024), np.zeros((1, 96000), np.float32)
    )
    pictures = list(read_pictures(path, max_side=256, max_seconds=1.0))
    assert pictures[0][1].shape == (256, 256, 3) and len(pictures) == 26


def test_fast_clips_are_thinned_out(tmp_path):
    path = write_clip(tmp_path / "a.mp4", numbered_pictures(50), np.zeros((1, 48000), "f"), rate=50)
    times = [t for t, _ in read_pictures(path)]
    assert np.diff(times).min() > 0.03 and len(times) == 25


def test_unreadable_clips_end_in_one_line(tmp_path):
    wav = write_wav(tmp_path / "a.wav", tone(0.1, 16000), 16000)
    empty = tmp_path / "b.mp4"
    empty.touch()
    for path in (wav, empty, tmp_path / "absent.mp4", tmp_path):
        with pytest.raises(ValueError, match=str(path)) as error:
            list(read_pictures(path))
        assert "\n" not in str(error.value)


def test_half_a_clip_is_read_as_far_as_it_goes(tmp_path, face_clip):
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(face_clip.read_bytes()[:-800])
    assert 1 < len(list(read_pictures(cut))) < 25


class CountingTracker:
    """Follows faces for another tracker and counts the clips."""

    name = "counting"

    def __init__(self, tracker):
        self.tracker, self.clips = tracker, 0

    def follow_face(self, pictures):
        self.clips += 1
        return self.tracker.follow_face(pictures)


def test_tracks_are_kept_by_content_and_a_damaged_one_is_made_again(tmp_path, tracker, face_clip):
    counting = CountingTracker(tracker)
    first = track_clip(face_clip, counting)
    renamed = tmp_path / "other.mp4"
    renamed.write_bytes(face_clip.read_bytes())
    again = track_clip(renamed, counting)
    assert counting.clips == 1 and np.array_equal(first.blendshapes, again.blendshapes)
    (kept,) = (tmp_path / "cache").rglob("*.npz")
    for damage in (b"", b"junk", kept.read_bytes()[:-300]):
        kept.write_bytes(damage)
        assert np.array_equal(track_clip(face_clip, counting).pose, first.pose)
    assert counting.clips == 4


def test_a_track_is_interpolated_where_the_face_is_lost(tracker, face_picture, tmp_path):
    blank = np.full_like(face_picture, 128)
    pictures = [face_picture] * 10 + [blank] * 5 + [face_picture] * 10
    path = write_clip(tmp_path / "a.mp4", pictures, np.zeros((1, 48000), np.float32))
    track = track_clip(Path(path), tracker)
    assert track.blendshapes.shape == (25, 52) and np.isfinite(track.pose).all()
    assert track.landmarks.shape == (25, 478, 3) and np.isfinite(track.landmarks).all()
    assert np.abs(track.pose[12] - track.pose[9]).max() < 2
