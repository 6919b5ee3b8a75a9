"""The microphone that the virtual camera makes for itself, by a real PulseAudio."""

from __future__ import annotations

import pytest

from clients.devices import pulse_names
from clients.virtual_microphone import virtual_microphone
from tests.clients.pulse import is_installed, pulse_audio

pytestmark = pytest.mark.skipif(not is_installed(), reason="needs PulseAudio")


@pytest.fixture
def sound_server(tmp_path, monkeypatch):
    with pulse_audio(tmp_path) as environment:
        for name in ("XDG_RUNTIME_DIR", "HOME"):
            monkeypatch.setenv(name, environment[name])
        yield


def test_it_is_there_while_it_is_used(sound_server):
    with virtual_microphone("face") as output:
        assert output == "face"
        assert "face" in pulse_names("output")
        assert "face_mic" in pulse_names("input")
    assert "face" not in pulse_names("output")
    assert "face_mic" not in pulse_names("input")


def test_an_output_that_is_there_is_used_and_left(sound_server):
    before = pulse_names("output"), pulse_names("input")
    with virtual_microphone("avatar") as output:
        assert output == "avatar"
        assert (pulse_names("output"), pulse_names("input")) == before
    assert (pulse_names("output"), pulse_names("input")) == before


def test_without_a_sound_server_it_says_what_to_start(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ValueError, match="is PulseAudio or PipeWire running"):
        virtual_microphone().__enter__()
