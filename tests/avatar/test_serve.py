"""The command: mistakes end in one line and exit code 2, help and refusals come at once."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from avatar.serve import main

HEAVY = ("torch", "mediapipe", "aiortc", "aiohttp", "av", "cv2", "numba")


@pytest.fixture
def busy_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--size", "100"], "100"),
        (["--size", "2048"], "2048"),
        (["--size", "511"], "511"),
        (["--port", "70000"], "70000"),
        (["--max-sessions", "0"], "max-sessions"),
        (["--host", "0.0.0.0"], "token"),
        (["--host", "192.0.2.1"], "token"),
        (["--host", "example.com"], "example.com"),
        (["--cert", "cert.pem"], "--key"),
        (["--port", "0", "--cert", "no.pem", "--key", "no.pem"], "No such file"),
        (["--port", "0", "--ice-server", "http://x"], "http://x"),
        (["--port", "0", "--ice-server", "turn:x"], "AVATAR_TURN_USER"),
        (["--port", "0", "--ice-server", "stun:x", "--ice-policy", "relay"], "TURN"),
        (["--port", "0", "--bitrate", "10"], "10"),
        (["--port", "0", "--min-bitrate", "900", "--max-bitrate", "800"], "900"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_a_mistake_ends_in_one_line(arguments, reason, capsys, monkeypatch):
    monkeypatch.delenv("AVATAR_TOKEN", raising=False)
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert reason in message and message.count("\n") == 1


def test_a_busy_port_is_said_before_anything_is_loaded(busy_port, capsys):
    assert main(["--port", str(busy_port)]) == 2
    message = capsys.readouterr().err
    assert str(busy_port) in message and message.count("\n") == 1


def test_unknown_options_exit_with_2():
    with pytest.raises(SystemExit) as exit_:
        main(["--colour", "blue"])
    assert exit_.value.code == 2


def test_help_loads_nothing_heavy():
    code = (
        "import sys, avatar.serve as s; s.get_parser().format_help();"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
