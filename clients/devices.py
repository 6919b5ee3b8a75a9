"""Which sound devices there are, and the one that the user means.

PortAudio sees one device `pulse` for everything that PulseAudio and PipeWire offer; their own names
(`pactl list short sinks`) are accepted here too, and chosen by the environment of this process.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Any, Literal

Kind = Literal["input", "output"]
PULSE_KINDS: dict[Kind, tuple[str, str]] = {
    "input": ("sources", "PULSE_SOURCE"),
    "output": ("sinks", "PULSE_SINK"),
}
PACTL_TIMEOUT_S = 5.0
NO_DEVICES = (
    "no sound devices: PortAudio found none; on Linux start PulseAudio or PipeWire, and install "
    "libasound2-plugins (PulseAudio) or pipewire-alsa (PipeWire)"
)


def load_sounddevice() -> Any:
    """The module that reaches the sound card.

    Raises:
        ValueError: it or the PortAudio library is not installed; says what to do.
    """
    try:
        import sounddevice
    except ModuleNotFoundError:
        raise ValueError(
            "sounddevice is not installed: pip install 'emotive-avatar[camera]'"
        ) from None
    except OSError:
        raise ValueError(
            "the PortAudio library is missing (Debian: apt install libportaudio2)"
        ) from None
    return sounddevice


def find_device(sounddevice: Any, kind: Kind, wanted: str | None) -> int:
    """The number of the device to use; None is the system's own choice.

    For a name that only PulseAudio or PipeWire knows, this process's PULSE_SOURCE or PULSE_SINK is
    set and the number is that of `pulse`.

    Raises:
        ValueError: there is no such device.
    """
    key = int(wanted) if wanted is not None and wanted.isdecimal() else wanted
    try:
        return int(sounddevice.query_devices(key, kind)["index"])
    except (ValueError, sounddevice.PortAudioError):
        pass
    if wanted in pulse_names(kind):
        os.environ[PULSE_KINDS[kind][1]] = str(wanted)
        return find_device(sounddevice, kind, "pulse")
    if not sounddevice.query_devices():
        raise ValueError(NO_DEVICES)
    named = f"no sound {kind} was found" if wanted is None else f"no sound {kind} {wanted!r}"
    raise ValueError(f"{named}; --list-devices shows what is there")


def pulse_names(kind: Kind) -> list[str]:
    """Names of the sources or sinks of PulseAudio or PipeWire; empty where neither runs."""
    if shutil.which("pactl") is None:
        return []
    command = ["pactl", "list", "short", PULSE_KINDS[kind][0]]
    try:
        listed = subprocess.run(
            command, capture_output=True, text=True, timeout=PACTL_TIMEOUT_S, check=True
        ).stdout
    except (subprocess.SubprocessError, OSError):
        return []
    return [line.split("\t")[1] for line in listed.splitlines() if "\t" in line]


def describe_sound_devices(sounddevice: Any) -> str:
    """All sound devices, for people."""
    lines = [str(sounddevice.query_devices()) or NO_DEVICES]
    for kind, title in (("input", "PulseAudio inputs"), ("output", "PulseAudio outputs")):
        names = pulse_names(kind)  # type: ignore[arg-type]
        lines += [f"{title}: {', '.join(names)}"] if names else []
    return "\n".join(lines)
