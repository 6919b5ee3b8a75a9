import asyncio
import sys
import threading
import time
import types

import numpy as np
import pytest

from clients import microphone
from tests.clients.echo import Echo
from tests.clients.test_headless import serving


class FakeStream:
    """A sound card that hears noise in a thread of its own."""

    def __init__(self, callback, blocksize, **options):
        self.callback, self.blocksize = callback, blocksize
        self.running = False

    def start(self):
        self.running = True
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        random = np.random.default_rng(0)
        while self.running:
            block = random.integers(-3000, 3000, (self.blocksize, 1)).astype(np.int16)
            self.callback(block, self.blocksize, None, None)
            time.sleep(self.blocksize / 48000)

    def abort(self):
        self.running = False

    def close(self):
        self.running = False


def fake_sounddevice(inputs: int) -> types.ModuleType:
    module = types.ModuleType("sounddevice")

    class PortAudioError(Exception):
        pass

    def query_devices(device=None, kind=None):
        if device is kind is None:
            return ["a sound card"]
        if not inputs:
            raise PortAudioError("no device")
        return {"index": 0}

    module.PortAudioError, module.query_devices = PortAudioError, query_devices
    module.InputStream = FakeStream
    return module


@pytest.fixture
def sound_card(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", fake_sounddevice(inputs=1))
    monkeypatch.delitem(sys.modules, "clients.sound_card", raising=False)


@pytest.mark.slow
async def test_microphone_is_sent_until_the_server_ends_the_call(sound_card, monkeypatch, capsys):
    shown = []
    cv2 = types.SimpleNamespace(
        imshow=lambda name, picture: shown.append(picture.shape),
        waitKey=lambda ms: -1,
        error=RuntimeError,
    )
    monkeypatch.setitem(sys.modules, "cv2", cv2)
    echo = Echo()
    async with serving(echo) as url:
        run = asyncio.create_task(asyncio.to_thread(microphone.main, ["--url", url]))
        await asyncio.sleep(3)
        await asyncio.gather(*[peer.close() for peer in echo.peers])
        status = await asyncio.wait_for(run, 20)
    assert status == 1
    assert "ended the call" in capsys.readouterr().err
    assert len(shown) > 20
    assert set(shown) == {(256, 256, 3)}


def test_missing_sound_input_is_one_line_and_status_2(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sounddevice", fake_sounddevice(inputs=0))
    assert microphone.main(["--device", "7"]) == 2
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert "--list-devices" in errors


def test_missing_port_audio_is_one_line_and_status_2(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert microphone.main([]) == 2
    assert capsys.readouterr().err.count("\n") == 1
