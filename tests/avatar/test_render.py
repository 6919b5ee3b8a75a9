import signal
import subprocess
import sys
import wave

import av
import numpy as np
import pytest

from avatar import render

SPEECH_SECONDS = 1.0


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    """A second of buzz at 44.1 kHz in two channels with a click in the middle."""
    path = tmp_path_factory.mktemp("speech") / "speech.wav"
    t = np.arange(int(44100 * SPEECH_SECONDS)) / 44100
    samples = 0.2 * np.sign(np.sin(2 * np.pi * 120 * t)) * (t < 0.3)
    samples[22050:22150] = 0.9
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44100)
        file.writeframes(np.repeat(samples * 32767, 2).astype("<i2").tobytes())
    return path


@pytest.fixture(scope="module")
def rendered(speech, tracker, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "out.mp4"
    arguments = ["--audio", str(speech), "--out", str(out), "--size", "256", "--emotion", "happy"]
    assert render.main(arguments) == 0
    return out


def pictures_of(path):
    with av.open(str(path)) as file:
        return np.stack([f.to_ndarray(format="rgb24") for f in file.decode(video=0)])


def test_help_answers_without_loading_anything_heavy():
    code = (
        "import sys; from avatar.render import get_parser; get_parser().format_help();"
        "heavy = {'torch', 'mediapipe', 'cv2', 'av', 'tqdm'} & set(sys.modules);"
        "sys.exit(f'loads {heavy}' if heavy else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_mp4_has_25_pictures_a_second_and_the_sound_in_sync(rendered):
    from avatar.media import SOUND_RATE, read_sound

    with av.open(str(rendered)) as file:
        video = file.streams.video[0]
        assert video.codec_context.name == "h264" and video.average_rate == 25
        assert (video.width, video.height, video.frames) == (256, 256, 25)
    heard = read_sound(rendered, SOUND_RATE)[0]
    assert int(np.argmax(np.abs(heard) > 0.5)) / SOUND_RATE == pytest.approx(0.5, abs=0.005)


def test_the_face_is_alive(rendered):
    pictures = pictures_of(rendered).astype(int)
    assert np.abs(np.diff(pictures, axis=0)).mean(axis=(1, 2, 3)).max() > 0.2


def test_the_same_seed_renders_the_same_pictures(rendered, speech, tmp_path):
    out = tmp_path / "again.mp4"
    arguments = ["--audio", str(speech), "--out", str(out), "--size", "256", "--emotion", "happy"]
    assert render.main(arguments) == 0
    assert np.array_equal(pictures_of(out), pictures_of(rendered))


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--portrait", "absent.jpg", "absent.jpg"),
        ("--audio", "absent.wav", "absent.wav"),
        ("--audio", "empty.wav", "no samples"),
        ("--emotion", "hapy", "hapy"),
        ("--emotion", "empty.mp4", "empty.mp4"),
        ("--size", "2000", "2000"),
        ("--size", "257", "257"),
        ("--strength", "nan", "nan"),
        ("--strength", "2", "2"),
        ("--out", "missing/out.mp4", "missing"),
        ("--out", "out.avi", "out.avi"),
        ("--pose", "absent.mp4", "absent.mp4"),
    ],
)
def test_mistakes_end_in_one_line_and_code_2(
    option, value, said, speech, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.mp4").touch()
    with wave.open("empty.wav", "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
    before = set(tmp_path.rglob("*.mp4"))
    arguments = {"--audio": str(speech), "--out": "out.mp4", option: value}
    assert render.main([part for pair in arguments.items() for part in pair]) == 2
    shown = capsys.readouterr().err.strip()
    assert said in shown and "\n" not in shown
    assert set(tmp_path.rglob("*.mp4")) == before


def test_ctrl_c_leaves_nothing(speech, tmp_path, monkeypatch, capsys):
    from avatar.engine import AvatarStream

    steps = []

    def interrupted_step(self, features, render=True):
        if len(steps) == 3:
            signal.raise_signal(signal.SIGINT)
        steps.append(features)
        return np.zeros((256, 256, 3), np.uint8)

    monkeypatch.setattr(AvatarStream, "step", interrupted_step)
    out = tmp_path / "out.mp4"
    assert render.main(["--audio", str(speech), "--out", str(out), "--size", "256"]) == 130
    assert len(steps) == 3 and list(tmp_path.glob("*.mp4")) + list(tmp_path.glob(".*")) == []


def test_model_eamm_renders_with_an_emotion_from_a_picture(speech, face_file, tracker, tmp_path):
    from tests.models.tiny_eamm import write_tiny

    out, weights = tmp_path / "out.mp4", write_tiny(tmp_path / "eamm")
    arguments = ["--model", "eamm", "--weights", str(weights), "--device", "cpu", "--size", "256"]
    arguments += ["--portrait", str(face_file), "--emotion", f"fear={face_file}"]
    assert render.main([*arguments, "--audio", str(speech), "--out", str(out)]) == 0
    pictures = pictures_of(out).astype(int)
    assert pictures.shape == (25, 256, 256, 3)
    assert np.abs(np.diff(pictures, axis=0)).max() > 5


def test_model_eamm_without_weights_is_one_line(speech, tmp_path, capsys):
    arguments = ["--model", "eamm", "--audio", str(speech), "--out", str(tmp_path / "out.mp4")]
    assert render.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "ships no weights" in error
