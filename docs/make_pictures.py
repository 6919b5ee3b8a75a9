"""Makes the README's pictures from the demonstration portrait: `python docs/make_pictures.py`.

The sentence of the talking strip is spoken by espeak-ng.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from avatar.engine import Avatar
from avatar.media import read_sound
from streaming.features import MfccWindows

HERE = Path(__file__).parent / "pictures"
EMOTIONS = ("neutral", "happy", "sad", "angry", "surprised", "fear", "disgusted", "contempt")
TILE = 232
SENTENCE = "My name is Bob and I am home."
FIRST_PICTURE, EVERY, N_PICTURES = 6, 4, 8
"""Which pictures of the sentence the talking strip shows."""
OPEN = 26
"""A picture of the sentence with the mouth open."""


def main() -> None:
    """Write the emotion strip, the interpolation strip and the talking strip."""
    avatar = Avatar.load(pose="none")
    faces = [(name, worn(avatar, {name: 1.0})) for name in EMOTIONS]
    rows = [strip(faces[:4]), strip(faces[4:])]
    Image.fromarray(np.vstack(rows)).save(HERE / "emotions.jpg", quality=88)
    between = [
        ("", worn(avatar, {"happy": 1 - t, "surprised": t})) for t in np.linspace(0, 1, 6).round(2)
    ]
    Image.fromarray(strip(between, 160)).save(HERE / "interpolation.jpg", quality=88)
    Image.fromarray(strip(talking(), 120)).save(HERE / "talking.jpg", quality=88)


def worn(avatar: Avatar, weights: dict[str, float]) -> np.ndarray:
    """The face in an open vowel of the sentence with an emotion, [S, S, 3] uint8."""
    stream = avatar.open_stream(seed=1)
    stream.control({"type": "emotion", "weights": weights, "ease_ms": 0})
    windows = MfccWindows(avatar.lookahead_ms * 16).push(speech(SENTENCE))
    return [stream.step(window) for window in windows[: OPEN + 1]][OPEN]


def talking() -> list[tuple[str, np.ndarray]]:
    """Pictures of a sentence, the head moving as it does when nobody drives it."""
    avatar = Avatar.load()
    stream = avatar.open_stream(seed=1)
    windows = MfccWindows(avatar.lookahead_ms * 16).push(speech(SENTENCE))
    pictures = [stream.step(window) for window in windows]
    return [("", picture) for picture in pictures[FIRST_PICTURE::EVERY][:N_PICTURES]]


def speech(sentence: str) -> np.ndarray:
    """A sentence of espeak-ng, 16 kHz mono float32."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        subprocess.run(["espeak-ng", "-s", "140", "-w", file.name, sentence], check=True)
        return read_sound(Path(file.name), 16000)[0]


def strip(faces: list[tuple[str, np.ndarray]], tile: int = TILE) -> np.ndarray:
    """Faces side by side with their names, [tile, n * tile, 3] uint8."""
    tiles = []
    for name, face in faces:
        edge = face.shape[0] // 8
        middle = Image.fromarray(face[edge:-edge, edge:-edge])
        image = middle.resize((tile, tile), Image.Resampling.LANCZOS)
        label = {"fill": "white", "stroke_width": 1, "stroke_fill": "black"}
        ImageDraw.Draw(image).text((8, tile - 18), name, **label)
        tiles.append(np.asarray(image))
    return np.hstack(tiles)


if __name__ == "__main__":
    main()
