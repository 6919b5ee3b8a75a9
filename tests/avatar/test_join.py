"""The command: mistakes end in one line and code 2 before anything slow, help comes at once."""

from __future__ import annotations

import subprocess
import sys
import wave

import pytest

from avatar.join import ROOMS, main

HEAVY = ("torch", "mediapipe", "aiortc", "aiohttp", "av", "cv2", "numba", "websockets", "livekit")


@pytest.fixture
def talk(tmp_path):
    path = tmp_path / "talk.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(32000))
    return str(path)


WHIP = ["whip", "--url", "http://127.0.0.1:1/whip"]
JANUS = ["janus", "--url", "ws://127.0.0.1:1", "--room", "1234"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["whip", "--url", "ftp://host"], "ftp://host"),
        (["whip", "--url", "http:///nowhere"], "http:///nowhere"),
        (["janus", "--url", "http://host", "--room", "1"], "ws or wss"),
        ([*JANUS, "--listen", "Ann", "--audio", "a.wav"], "choose one"),
        ([*WHIP, "--audio", "no.wav"], "no.wav"),
        ([*WHIP, "--audio", __file__], "test_join.py"),
        ([*WHIP, "--loop"], "--audio"),
        ([*WHIP, "--audio", "a.wav", "--microphone", "1"], "choose one"),
        ([*WHIP, "--ice-server", "http://x"], "http://x"),
        ([*WHIP, "--size", "100"], "100"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_a_mistake_ends_in_one_line(arguments, reason, capsys):
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert reason in message and message.count("\n") == 1


@pytest.mark.parametrize("arguments", [WHIP, JANUS], ids=["whip", "janus"])
def test_a_room_that_cannot_be_reached_ends_in_one_line(arguments, talk, capsys):
    assert main([*arguments, "--audio", talk, "--size", "256"]) == 2
    message = capsys.readouterr().err
    assert f"{arguments[2]}: cannot be reached" in message and message.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [[], ["zoom"], ["whip"], ["janus", "--url", "ws://host"], [*WHIP, "--colour", "blue"]],
)
def test_unknown_rooms_and_options_exit_with_2(arguments):
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2


@pytest.mark.parametrize("kind", ROOMS)
def test_help_loads_nothing_heavy(kind):
    code = (
        "import sys, avatar.join as j\n"
        f"try: j.main(['{kind}', '--help'])\n"
        f"except SystemExit: print([m for m in {HEAVY} if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"
