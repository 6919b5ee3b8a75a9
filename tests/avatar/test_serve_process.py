"""The command as a process: announces itself in one line, serves, and ends cleanly on a signal."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request

import pytest


@pytest.fixture(scope="module")
def process():
    command = [sys.executable, "-m", "avatar.serve", "--port", "0", "--size", "256"]
    server = subprocess.Popen(
        [*command, "--max-sessions", "3"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    yield server
    server.kill()
    server.wait()


@pytest.fixture(scope="module")
def url(process):
    line = process.stdout.readline()
    assert line.startswith("Serving on http://127.0.0.1:"), process.stderr.read()
    return line.removeprefix("Serving on ").strip()


def read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as response:
        return response.read()


def test_it_serves_the_page_and_the_avatar(url):
    assert b"<html" in read(f"{url}/").lower()
    avatar = json.loads(read(f"{url}/api/v1/avatar"))
    assert (avatar["model"], avatar["size"]) == ("lite", 256)
    assert {"neutral", "happy", "angry", "surprised"} <= set(avatar["emotions"])
    assert avatar["sessions"] == {"active": 0, "max": 3}
    assert avatar["lookahead_ms"] <= 80


def test_it_ends_on_a_signal_with_status_0_and_no_traceback(process, url):
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert "Traceback" not in process.stderr.read()
