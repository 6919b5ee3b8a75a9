"""Reading clips and sound from files and writing the talking face to one, by PyAV."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from av.video.frame import VideoFrame

SOUND_RATE = 48000
"""Sample rate of the sound in written files, Hz."""


def read_pictures(
    path: Path, max_side: int = 960, max_seconds: float = 60.0, max_rate: float = 31.0
) -> Iterator[tuple[float, np.ndarray]]:
    """The pictures of a clip, upright and no larger than needed.

    Args:
        path: a file with a video stream.
        max_side: larger pictures are scaled down to this, px.
        max_seconds: what comes later is not read.
        max_rate: pictures that follow the one before sooner than this rate allows are left out, Hz.

    Yields:
        Time since the first picture in s, and [H, W, 3] uint8 RGB.

    Raises:
        ValueError: the file is missing, unreadable, or has no video.
    """
    first, last = None, float("-inf")
    with _open_input(path) as container:
        if not container.streams.video:
            raise ValueError(f"{path} has no video stream")
        container.streams.video[0].thread_type = "AUTO"
        for frame in _decode(container, path, "video"):
            time = float(frame.time or 0.0)
            first = time if first is None else first
            if time - first > max_seconds:
                return
            if time - last < 1 / max_rate:
                continue
            last = time
            yield time - first, _to_rgb(frame, max_side)


def read_sound(path: Path, rate: int, layout: str = "mono") -> np.ndarray:
    """The sound of any file with an audio stream.

    Args:
        path: WAV, MP3, a video, anything FFmpeg reads, at any sample rate, depth and layout.
        rate: sample rate wanted, Hz.
        layout: `mono` or `stereo`.

    Returns:
        [channels, N] float32, -1..1, N >= 1.

    Raises:
        ValueError: the file is missing, unreadable, or has no samples.
    """
    resampler = AudioResampler(format="fltp", layout=layout, rate=rate)
    parts = []
    with _open_input(path) as container:
        if not container.streams.audio:
            raise ValueError(f"{path} has no sound")
        for frame in _decode(container, path, "audio"):
            frame.pts = None
            parts += [part.to_ndarray() for part in resampler.resample(frame)]
    if parts:
        parts += [part.to_ndarray() for part in resampler.resample(None)]
    if not any(part.shape[1] for part in parts):
        raise ValueError(f"{path} has no samples of sound")
    return np.clip(np.concatenate(parts, axis=1), -1, 1)


class ClipWriter:
    """Writes H.264 pictures and AAC sound into an mp4 that appears only when it is complete.

    Use as a context manager: on an exception, Ctrl-C included, nothing is left behind.
    """

    def __init__(self, path: Path, size: int, sound: np.ndarray, frame_rate: int = 25) -> None:
        """Open the file.

        Args:
            path: the file to be.
            size: side of the square pictures, px, even.
            sound: [channels, N] float32 at SOUND_RATE; starts with the first picture.
            frame_rate: pictures a second.

        Raises:
            ValueError: the folder cannot be written to.
        """
        self._path = path
        try:
            descriptor, part = tempfile.mkstemp(suffix=".mp4", prefix=".", dir=path.parent)
        except OSError as error:
            raise ValueError(f"cannot write {path}: {error.strerror}") from None
        os.close(descriptor)
        self._part = Path(part)
        self._container = av.open(part, "w", options={"movflags": "+faststart"})
        self._video = self._container.add_stream("libx264", rate=frame_rate)
        self._video.width = self._video.height = size
        self._video.pix_fmt = "yuv420p"
        self._video.options = {"crf": "18"}
        self._layout = "mono" if len(sound) == 1 else "stereo"
        self._audio = self._container.add_stream("aac", rate=SOUND_RATE, layout=self._layout)
        self._samples_per_frame = SOUND_RATE // frame_rate
        self._picture_time = Fraction(1, frame_rate)
        self._sound, self._n_pictures = sound, 0

    def write(self, picture: np.ndarray) -> None:
        """Append one picture, [S, S, 3] uint8 RGB, and the sound that goes with it."""
        frame = VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = self._n_pictures, self._picture_time
        self._container.mux(self._video.encode(frame))
        self._write_sound(self._n_pictures * self._samples_per_frame)
        self._n_pictures += 1

    def _write_sound(self, start: int) -> None:
        part = self._sound[:, start : start + self._samples_per_frame]
        if not part.shape[1]:
            return
        part = np.ascontiguousarray(part, np.float32)
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=self._layout)
        frame.sample_rate, frame.pts = SOUND_RATE, start
        frame.time_base = Fraction(1, SOUND_RATE)
        self._container.mux(self._audio.encode(frame))

    def __enter__(self) -> Self:
        """The writer itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Finish the file and give it its name, or remove what there is of it."""
        try:
            if kind is None:
                self._container.mux(self._video.encode(None))
                self._container.mux(self._audio.encode(None))
            self._container.close()
            if kind is None:
                self._part.chmod(0o644)
                os.replace(self._part, self._path)
        finally:
            self._part.unlink(missing_ok=True)


@contextmanager
def _open_input(path: Path) -> Iterator[InputContainer]:
    if not path.is_file():
        raise ValueError(f"no such file: {path}")
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        raise ValueError(f"cannot read {path}: {_reason(error)}") from None
    with container:
        yield container


def _decode(container: InputContainer, path: Path, kind: str) -> Iterator:
    """Decode to the end; damage after the first frame ends the clip there, as players do."""
    n_frames = 0
    try:
        for frame in container.decode(**{kind: 0}):
            n_frames += 1
            yield frame
    except (av.FFmpegError, OSError) as error:
        if not n_frames:
            raise ValueError(f"cannot decode {path}: {_reason(error)}") from None


def _to_rgb(frame: VideoFrame, max_side: int) -> np.ndarray:
    scale = min(1.0, max_side / max(frame.width, frame.height))
    width, height = (max(2, round(side * scale)) for side in (frame.width, frame.height))
    rgb = frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
    quarter_turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(rgb, quarter_turns)) if quarter_turns else rgb


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
