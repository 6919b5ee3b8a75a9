"""A microphone for call programs that is there while it is used, by PulseAudio or PipeWire."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from clients.devices import PACTL_TIMEOUT_S, pulse_names

NAME, LABEL = "avatar", "Avatar"


@contextmanager
def virtual_microphone(name: str = NAME) -> Iterator[str]:
    """What is played to the output `name` is what the microphone *Avatar* hears.

    An output of this name that is already there is used as it is, and left.

    Yields:
        The output's name, for `find_device`.

    Raises:
        ValueError: there is no PulseAudio or PipeWire to make it; says what to do.
    """
    label = f"device.description={LABEL}"
    with ExitStack() as cleanup:
        if name not in pulse_names("output"):
            for module in (
                f"module-null-sink sink_name={name} sink_properties={label}",
                f"module-remap-source source_name={name}_mic master={name}.monitor "
                f"source_properties={label}",
            ):
                cleanup.callback(_unload, _load(module))
        yield name


def _load(module: str) -> str:
    """Load a module, given with its arguments; its number."""
    if shutil.which("pactl") is None:
        raise ValueError(
            "a virtual microphone is made by pactl (Debian: apt install pulseaudio-utils); on "
            "Windows and macOS give --output the name of VB-Cable or BlackHole"
        )
    try:
        return _pactl("load-module", *module.split())
    except subprocess.CalledProcessError as error:
        reason = " ".join(error.stderr.split())
    except (subprocess.SubprocessError, OSError) as error:
        reason = str(error)
    raise ValueError(f"no virtual microphone ({reason}); is PulseAudio or PipeWire running?")


def _unload(number: str) -> None:
    """Take a module away; a sound server that has ended has none."""
    with suppress(subprocess.SubprocessError, OSError):
        _pactl("unload-module", number)


def _pactl(*command: str) -> str:
    return subprocess.run(
        ("pactl", *command), capture_output=True, text=True, timeout=PACTL_TIMEOUT_S, check=True
    ).stdout.strip()
