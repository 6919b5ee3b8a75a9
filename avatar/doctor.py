"""`python -m avatar.doctor`: what is installed here, and what to do about what is missing."""

from __future__ import annotations

import argparse
import ctypes.util
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import NamedTuple


class Mark(Enum):
    """How a finding is shown, and whether the avatar can run with it."""

    GOOD = "ok     "
    OPTIONAL = "absent "
    MISSING = "MISSING"


class Finding(NamedTuple):
    """One line of the report: what was looked at, what was found, what to do if it is absent."""

    mark: Mark
    what: str
    found: str
    remedy: str = ""


REQUIRED = {
    "torch": "the networks",
    "numpy": "",
    "numba": "the warp on a CPU",
    "safetensors": "weights",
    "aiortc": "WebRTC",
    "aiohttp": "the server",
    "av": "media files",
    "mediapipe": "the face tracker",
    "opencv-contrib-python": "images",
    "pillow": "images",
    "scikit-image": "the demonstration portrait",
    "scipy": "filters",
    "python-speech-features": "sound features",
    "prometheus-client": "metrics",
    "tqdm": "progress bars",
}
OPTIONAL = {
    "face-alignment": ("the second tracker", "landmarks"),
    "sounddevice": ("the microphone client", "camera"),
    "pyvirtualcam": ("the virtual camera", "camera"),
}
SYSTEM_LIBRARIES = {"EGL": "libegl1", "GLESv2": "libgles2", "GL": "libgl1"}
"""Libraries that the tracker and OpenCV load, with the Debian packages that bring them."""


def main(argv: list[str] | None = None) -> int:
    """Print the report; 1 when the avatar cannot run here."""
    args = get_parser().parse_args(argv)
    findings = list(examine(args.host, args.port))
    for finding in findings:
        print(f"{finding.mark.value}  {finding.what:<22} {finding.found}")
        if finding.remedy:
            print(f"{'':9}  -> {finding.remedy}")
    broken = [finding.what for finding in findings if finding.mark is Mark.MISSING]
    print(f"\nCannot run: {', '.join(broken)}." if broken else "\nReady to serve.")
    return 1 if broken else 0


def get_parser() -> argparse.ArgumentParser:
    """The command line of `python -m avatar.doctor`."""
    parser = argparse.ArgumentParser(prog="python -m avatar.doctor", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address the server is to use")
    parser.add_argument("--port", type=int, default=8080, help="port the server is to use")
    return parser


def examine(host: str, port: int) -> Iterator[Finding]:
    """Look at everything; no finding stops the next one."""
    yield python_version()
    for name, purpose in REQUIRED.items():
        yield required_package(name, purpose)
    for name, (purpose, extra) in OPTIONAL.items():
        yield optional_package(name, purpose, extra)
    for name, package in SYSTEM_LIBRARIES.items():
        yield system_library(name, package)
    for look in (
        device,
        weights,
        tracker,
        segmenter,
        encoder,
        virtual_camera,
        microphones,
        browser,
    ):
        yield _guarded(look)
    yield free_port(host, port)


def python_version() -> Finding:
    """Whether this Python is new enough."""
    enough = sys.version_info >= (3, 11)
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding(Mark.GOOD if enough else Mark.MISSING, "Python", found)


def required_package(name: str, purpose: str) -> Finding:
    """A package that the avatar cannot do without."""
    if version := installed_version(name):
        return Finding(Mark.GOOD, name, version)
    return Finding(Mark.MISSING, name, f"not installed {purpose}".strip(), f"pip install {name}")


def optional_package(name: str, purpose: str, extra: str) -> Finding:
    """A package for one more feature."""
    if version := installed_version(name):
        return Finding(Mark.GOOD, name, version)
    remedy = f"for {purpose}: pip install 'emotive-avatar[{extra}]'"
    return Finding(Mark.OPTIONAL, name, "not installed", remedy)


def installed_version(name: str) -> str | None:
    """Version of a distribution, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def system_library(name: str, package: str) -> Finding:
    """A shared library that the tracker loads."""
    what = f"lib{name}"
    if sys.platform != "linux":
        return Finding(Mark.GOOD, what, "not needed on this system")
    if path := ctypes.util.find_library(name):
        return Finding(Mark.GOOD, what, path)
    return Finding(Mark.MISSING, what, "not found", f"apt-get install {package}")


def device() -> Finding:
    """What the networks run on."""
    import torch

    if torch.cuda.is_available():
        return Finding(Mark.GOOD, "device", f"cuda: {torch.cuda.get_device_name()}")
    return Finding(Mark.GOOD, "device", f"cpu, {os.cpu_count()} cores")


def weights() -> Finding:
    """The shipped weights of model `lite`."""
    spec = importlib.util.find_spec("models")
    folders = list(spec.submodule_search_locations or []) if spec else []
    files = sorted(p.name for f in folders for p in Path(f, "weights").glob("*.safetensors"))
    if files:
        return Finding(Mark.GOOD, "weights", ", ".join(files))
    return Finding(Mark.MISSING, "weights", "none", "reinstall, or python -m avatar.train")


def tracker() -> Finding:
    """Whether faces can be found, tried for real on the demonstration portrait."""
    from avatar.mediapipe_models import FACE_LANDMARKER, PACKAGE
    from avatar.portrait import demonstration_picture
    from avatar.tracking import MediaPipeTracker

    model = FACE_LANDMARKER.find()
    faces = MediaPipeTracker(model).find_faces(demonstration_picture())
    if faces:
        return Finding(Mark.GOOD, "tracker", f"mediapipe with {model}")
    return Finding(Mark.MISSING, "tracker", f"{model} finds no face", f"pip install {PACKAGE}")


def segmenter() -> Finding:
    """Whether people can be told from backgrounds, tried on the demonstration portrait."""
    from avatar.mediapipe_models import PACKAGE, SELFIE_SEGMENTER
    from avatar.portrait import demonstration_picture
    from avatar.segmenter import find_person

    likely = find_person(demonstration_picture())
    if 0.1 < likely.mean() < 0.9:
        return Finding(Mark.GOOD, "segmenter", f"mediapipe with {SELFIE_SEGMENTER.find()}")
    return Finding(Mark.MISSING, "segmenter", "finds no person", f"pip install {PACKAGE}")


def encoder() -> Finding:
    """Whether files can be written."""
    import av

    missing = [name for name in ("libx264", "aac", "libvpx") if name not in av.codecs_available]
    if missing:
        remedy = "pip install --force-reinstall av"
        return Finding(Mark.MISSING, "encoders", f"no {', '.join(missing)}", remedy)
    return Finding(Mark.GOOD, "encoders", "libx264, aac, libvpx")


def virtual_camera() -> Finding:
    """A device that video-call programs take for a camera."""
    if sys.platform != "linux":
        return Finding(Mark.OPTIONAL, "virtual camera", "needs OBS's virtual camera")
    names = Path("/sys/devices/virtual/video4linux").glob("*/name")
    cameras = [f"{p.read_text().strip()} (/dev/{p.parent.name})" for p in names]
    if cameras:
        return Finding(Mark.GOOD, "virtual camera", ", ".join(cameras))
    remedy = (
        "apt-get install v4l2loopback-dkms && modprobe v4l2loopback card_label=Avatar "
        "exclusive_caps=1 (docs/virtual-camera.md)"
    )
    return Finding(Mark.OPTIONAL, "virtual camera", "no v4l2loopback device", remedy)


def microphones() -> Finding:
    """Sound devices for the microphone client."""
    import sounddevice

    devices = list(sounddevice.query_devices())
    inputs = sum(d["max_input_channels"] > 0 for d in devices)
    outputs = sum(d["max_output_channels"] > 0 for d in devices)
    if inputs:
        return Finding(Mark.GOOD, "sound devices", f"{inputs} inputs, {outputs} outputs")
    remedy = "the browser page can use its own microphone"
    return Finding(Mark.OPTIONAL, "sound devices", f"no input, {outputs} outputs", remedy)


def browser() -> Finding:
    """A browser on this machine, for the page's tests."""
    for name in ("chromium", "google-chrome", "chromium-browser"):
        if path := shutil.which(name):
            return Finding(Mark.GOOD, "browser", path)
    return Finding(Mark.OPTIONAL, "browser", "no Chromium", "only the page's tests need it")


def free_port(host: str, port: int) -> Finding:
    """Whether the server can listen."""
    what = f"port {port}"
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, OverflowError) as error:
        return Finding(Mark.OPTIONAL, what, f"{host}: {error}", "choose another with --port")
    return Finding(Mark.GOOD, what, f"free on {host}")


def _guarded(look: Callable[[], Finding]) -> Finding:
    """A finding, or what went wrong while looking; only what a picture needs is indispensable."""
    what = look.__name__.replace("_", " ")
    try:
        return look()
    except (ImportError, OSError, ValueError, RuntimeError) as error:
        needed = look in (device, tracker, segmenter, weights, encoder)
        reason = (str(error) or type(error).__name__).splitlines()[0]
        return Finding(Mark.MISSING if needed else Mark.OPTIONAL, what, reason)


if __name__ == "__main__":
    sys.exit(main())
