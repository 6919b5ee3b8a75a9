"""Where emotions come from: presets, stills and videos.

Presets: `avatar/presets.py`; what of a clip is emotion and what is speech: `avatar/speech_free.py`;
wearing them live: `avatar/emotion_blend.py`, `avatar/ping_pong.py`.
"""

from __future__ import annotations

from pathlib import Path

from avatar.clip_track import track_clip
from avatar.images import is_still, read_image
from avatar.portrait import find_faces
from avatar.presets import PRESETS
from avatar.speech_free import without_speech
from avatar.tracking import FaceTracker
from models.talking_head import FaceTrack


def read_emotion(spec: str, tracker: FaceTracker) -> tuple[str, FaceTrack]:
    """The emotion that an `--emotion` value describes.

    Args:
        spec: a preset's name, a still image, a video, or `name=` before any of these.
        tracker: who finds the face.

    Returns:
        Its name, and its track; one row for presets and stills.

    Raises:
        ValueError: the name is unknown, or the file cannot be read or shows no face; one line.
    """
    name, source = split_spec(spec)
    if source in PRESETS and not Path(source).is_file():
        return name, PRESETS[source]
    return name, read_face_file(Path(source), tracker)._replace(name=name)


def split_spec(spec: str) -> tuple[str, str]:
    """Name and source of an `--emotion` value; the name of a bare file is its stem.

    Raises:
        ValueError: there is neither such a file nor such a preset.
    """
    name, equals, source = spec.partition("=")
    if not equals or Path(spec).is_file():
        name, source = Path(spec).stem, spec
    if not name or not source:
        raise ValueError(f"--emotion {spec!r}: write name=file")
    if source not in PRESETS and not Path(source).is_file():
        raise ValueError(
            f"unknown emotion {source!r}: give an image, a video or one of {', '.join(PRESETS)}"
        )
    return name, source


def read_face_file(path: Path, tracker: FaceTracker) -> FaceTrack:
    """The emotion in an image or video.

    Raises:
        ValueError: the file cannot be read or shows no face; one line for the user.
    """
    if not path.stat().st_size:
        raise ValueError(f"{path} is empty")
    if not is_still(path):
        return without_speech(track_clip(path, tracker))
    faces = find_faces(read_image(path), tracker)
    if not faces:
        raise ValueError(f"{path}: no face was found")
    face = faces[0]
    return FaceTrack(face.blendshapes[None], face.pose[None], landmarks=face.landmarks[None])
