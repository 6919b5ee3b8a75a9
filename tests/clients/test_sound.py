import wave

import numpy as np
import pytest

from clients.sound import SentSound, read_sound


def write_wav(path, rate: int, channels: int, width: int, seconds: float) -> None:
    times = np.arange(int(rate * seconds)) / rate
    tone = np.sin(2 * np.pi * 440 * times)[:, None].repeat(channels, axis=1)
    samples = (tone * 8000).astype("<i2") if width == 2 else (tone * 60 + 128).astype(np.uint8)
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        file.writeframes(samples.tobytes())


@pytest.mark.parametrize(
    ("rate", "channels", "width"), [(48000, 1, 2), (8000, 1, 1), (44100, 2, 2), (22050, 6, 2)]
)
def test_any_wav_becomes_48_khz_mono_of_the_same_length_and_pitch(tmp_path, rate, channels, width):
    path = tmp_path / "tone.wav"
    write_wav(path, rate, channels, width, 1.0)
    sound = read_sound(str(path))
    assert sound.dtype == np.int16
    assert abs(len(sound) - 48000) <= 100
    spectrum = np.abs(np.fft.rfft(sound[:48000].astype(float)))
    assert abs(int(spectrum[1:].argmax()) + 1 - 440) <= 1


def test_what_is_not_sound_is_refused_with_its_name(tmp_path):
    empty, text = tmp_path / "empty.wav", tmp_path / "text.wav"
    write_wav(empty, 48000, 1, 2, 0.0)
    text.write_text("this is no sound")
    for path in (empty, text, tmp_path / "missing.wav"):
        with pytest.raises(ValueError, match=path.name):
            read_sound(str(path))


def test_sound_is_silent_before_its_start_and_after_its_end():
    sound = SentSound(np.arange(1, 11, dtype=np.int16))
    assert sound.take(-2, 5).tolist() == [0, 0, 1, 2, 3]
    assert sound.take(8, 4).tolist() == [9, 10, 0, 0]


def test_looped_sound_repeats_after_at_least_two_and_a_half_seconds():
    sound = SentSound(np.ones(48000, np.int16), looped=True)
    assert sound.take(120000, 48000).tolist() == sound.take(0, 48000).tolist()
    assert not sound.take(48000, 72000).any()
