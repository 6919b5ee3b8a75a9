"""`python -m avatar.render`: the live engine over files, as fast as the machine allows.

    python -m avatar.render --portrait me.jpg --audio speech.wav --emotion happy.mp4 --out out.mp4

Picture k of the mp4 is shown at 40 ms * k together with the sound from there on.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from avatar.face_options import add_face_arguments, check_face, load_avatar

if TYPE_CHECKING:
    from avatar.engine import Avatar


@dataclass(frozen=True)
class RenderOptions:
    """What to render besides the avatar itself.

    audio: any file with sound. out: the mp4 to write. strength: 0 .. 1.5. seed: of the idle motion.
    """

    audio: Path
    out: Path
    strength: float = 1.0
    seed: int = 0


def get_parser() -> argparse.ArgumentParser:
    """The command line of `python -m avatar.render`."""
    parser = argparse.ArgumentParser(
        prog="python -m avatar.render", description="Render a talking avatar to an mp4 file."
    )
    what = parser.add_argument_group("what")
    what.add_argument("--audio", type=Path, required=True, help="speech, any sound or video file")
    what.add_argument("--out", type=Path, required=True, help="mp4 file to write")
    what.add_argument("--seed", type=int, default=0, help="of the idle motion")
    what.add_argument("--strength", type=float, default=1.0, help="of the emotion, 0 to 1.5")
    add_face_arguments(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Render; 0, 2 after a mistake of the user, 130 when interrupted."""
    args = get_parser().parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _check(args)
        render(
            load_avatar(args, "avatar-render"),
            RenderOptions(args.audio, args.out, args.strength, args.seed),
        )
    except (ValueError, OSError) as error:
        print(f"avatar-render: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("avatar-render: interrupted, nothing was written", file=sys.stderr)
        return 130
    return 0


def render(avatar: Avatar, options: RenderOptions) -> None:
    """Write the mp4.

    Raises:
        ValueError: there is no sound, the strength is outside 0 .. 1.5, or the file cannot be
            written.
    """
    from tqdm import tqdm

    from avatar.media import SOUND_RATE, ClipWriter, read_sound
    from streaming.features import windows_of

    stream = avatar.open_stream(options.seed)
    stream.control({"type": "strength", "value": options.strength})
    rate = avatar.model.sample_rate
    heard = read_sound(options.audio, rate)[0]
    lookahead = avatar.lookahead_ms * rate // 1000
    windows = windows_of(heard, lookahead, avatar.first_coefficient)  # [T, 28, 12]
    sound = _fitted(read_sound(options.audio, SOUND_RATE, "stereo"), len(windows))
    progress = tqdm(windows, desc=options.out.name, unit=" pictures", disable=None)
    with ClipWriter(options.out, avatar.size, sound) as clip:
        for window in progress:
            picture = stream.step(window)
            assert picture is not None, "a step renders unless told not to"
            clip.write(picture)


def _fitted(sound: np.ndarray, n_pictures: int) -> np.ndarray:
    """Sound [2, M] padded with silence to the length of the pictures."""
    from avatar.media import SOUND_RATE

    wanted = n_pictures * SOUND_RATE // 25
    return np.pad(sound[:, :wanted], ((0, 0), (0, max(0, wanted - sound.shape[1]))))


def _check(args: argparse.Namespace) -> None:
    """Refuse what cannot work before anything slow; raises ValueError."""
    check_face(args)
    if not 0 <= args.strength <= 1.5:
        raise ValueError(f"--strength must be 0 to 1.5, got {args.strength}")
    if args.out.suffix.lower() != ".mp4":
        raise ValueError(f"--out must end in .mp4, got {args.out}")
    if args.out.is_dir() or not args.out.absolute().parent.is_dir():
        raise ValueError(f"cannot write {args.out}: no such folder, or a folder itself")
    from avatar.media import SOUND_RATE, read_sound

    read_sound(args.audio, SOUND_RATE)


if __name__ == "__main__":
    sys.exit(main())
