"""An mp4 of a call: H.264 at 25 pictures a second and AAC, on the clock of the received pts.

Nothing is kept: a picture or packet that is written is gone. Runs in one thread, not the loop's.
"""

from __future__ import annotations

import fractions
from pathlib import Path

import av
import numpy as np

RATE = 48000
FRAME_RATE = 25
LONGEST_HOLD = 250
LONGEST_SILENCE = 10 * RATE
PENDING_PACKETS = 250


class Recording:
    """Pictures and sound in step; a missing picture holds the last, missing sound is silence.

    Of a gap longer than 10 s only its last 10 s are filled.
    """

    def __init__(self, path: str) -> None:
        """Open `path` for writing.

        Raises:
            ValueError: it cannot be written.
        """
        try:
            Path(path).touch()  # av opens the file with its first packet only
            self._container = av.open(path, "w", format="mp4")
        except (av.FFmpegError, OSError) as error:
            raise ValueError(f"{path}: cannot be written ({error.strerror})") from None
        self._video: av.VideoStream | None = None
        self._audio: av.AudioStream
        self._last: av.VideoFrame
        self._pending: list[tuple[int, np.ndarray]] = []
        self._next_picture = 0
        self._next_sample = 0

    def picture(self, index: int, frame: av.VideoFrame) -> None:
        """Write picture `index`, [H, W] as the first one; an index that has passed is left out."""
        if self._video is None:
            self._begin(frame.width, frame.height)
            self._last = frame
        for number in range(max(self._next_picture, index - LONGEST_HOLD), index):
            self._encode(self._last, number)
        if index >= self._next_picture:
            self._encode(frame, index)
            self._last, self._next_picture = frame, index + 1

    def sound(self, position: int, samples: np.ndarray) -> None:
        """Write [n] int16 mono samples whose first is number `position`."""
        if self._video is None:
            self._pending = [*self._pending, (position, samples)][-PENDING_PACKETS:]
            return
        self._next_sample = max(self._next_sample, position - LONGEST_SILENCE)
        missing = position - self._next_sample
        if missing > 0:
            samples = np.concatenate((np.zeros(missing, np.int16), samples))
        samples = samples[max(0, -missing) :]
        if len(samples):
            self._encode_sound(samples)

    def close(self) -> None:
        """Finish the file; one without a picture stays empty."""
        if self._video is not None:
            self._container.mux(self._video.encode(None))
            self._container.mux(self._audio.encode(None))
        self._container.close()

    def _begin(self, width: int, height: int) -> None:
        """Add both streams, which mp4 wants before the first packet, and the sound that waited."""
        self._video = self._container.add_stream("libx264", rate=FRAME_RATE)
        self._video.width, self._video.height = width, height
        self._video.pix_fmt = "yuv420p"
        self._video.options = {"preset": "superfast", "crf": "20", "threads": "1"}
        self._audio = self._container.add_stream("aac", rate=RATE, layout="mono")
        pending, self._pending = self._pending, []
        for position, samples in pending:
            self.sound(position, samples)

    def _encode(self, frame: av.VideoFrame, number: int) -> None:
        assert self._video is not None
        picture = frame.reformat(self._video.width, self._video.height, "yuv420p")
        picture.pts, picture.time_base = number, fractions.Fraction(1, FRAME_RATE)
        picture.pict_type = av.video.frame.PictureType.NONE
        self._container.mux(self._video.encode(picture))

    def _encode_sound(self, samples: np.ndarray) -> None:
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE, self._next_sample
        frame.time_base = fractions.Fraction(1, RATE)
        self._next_sample += len(samples)
        self._container.mux(self._audio.encode(frame))
