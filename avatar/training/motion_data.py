"""What the motion network trains on, in memory: MFCC rows and target weights of every take.

Takes are made per voice and kept in the run folder; whole voices are held out, never sentences.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from avatar.evaluation.lips import mouth_measures as tracked_measures
from avatar.training.channel import Channel, transmitted
from avatar.training.corpus import load_utterances
from avatar.training.mouth_shapes import Range, shape_weights
from avatar.training.recordings import TrackedClip, recorded_speakers, tracked_clips
from avatar.training.takes import (
    FRAMES,
    SAMPLES,
    Takes,
    load_takes,
    make_takes,
    mfcc_rows,
    save_takes,
    silent_takes,
)
from avatar.training.visemes import Timing, mouth_measures
from avatar.training.voices import Utterance
from models.lite.rig import Rig

HELD_OUT = (
    "flite-slt",
    "festival-ked_diphone",
    "espeak-en-us+f2",
    "kokoro-1",
    "kokoro-7",
    "kokoro-11",
    "real-vctk_p287",
)
"""Voices that are never trained on; early stopping looks at nothing else."""


REAL_TAKES = 24
"""Takes of every real speaker at least: they are few, and what the network is for."""


@dataclass(frozen=True)
class TakeOptions:
    """How takes are made of a corpus.

    variants: how many different channels each second of speech goes through.
    data: folder with a manifest, real speech and tracked clips; None for synthetic voices only.
    clip_takes: takes made of each tracked clip.
    seed: of every choice.
    """

    variants: int = 4
    data: Path | None = None
    clip_takes: int = 24
    seed: int = 0


class Examples(NamedTuple):
    """Training examples, N takes of T = 200 pictures.

    rows: [N, 4 T + 24, 12] float32, MFCC.
    weights: [N, T, S] float32, targets of SPEECH_SHAPES.
    """

    rows: np.ndarray
    weights: np.ndarray


def examples_of(
    voices: list[Path],
    folder: Path,
    options: TakeOptions,
    rig: Rig,
    timing: Timing,
    span: Range,
) -> tuple[Examples, Examples]:
    """Examples of training and of held-out voices; what `folder` has is not made again."""
    files = take_files(voices, folder, options)
    known, unknown = ([f for f in files if (f.stem in HELD_OUT) is held] for held in (False, True))
    if not unknown:
        raise ValueError(f"none of the voices to hold out was made: {', '.join(HELD_OUT)}")
    training = speech_examples(known, rig, timing, span)
    if options.data is not None:
        clips = clip_examples(folder / "clips.npz", options, rig, span)
        training = Examples(*map(np.concatenate, zip(training, clips, strict=True)))
    return training, speech_examples(unknown, rig, timing, span)


def take_files(voices: list[Path], folder: Path, options: TakeOptions) -> list[Path]:
    """Make the takes of every voice that has none yet, and return all files."""
    from tqdm import tqdm

    folder.mkdir(parents=True, exist_ok=True)
    real = recorded_speakers(options.data) if options.data else {}
    names = [*(path.stem for path in voices), *real]
    sources = dict(zip(names, [*voices, *real.values()], strict=True))
    babble = _babble(load_utterances(voices[0]))
    files = []
    for name, source in tqdm(sources.items(), desc="takes", unit="voice"):
        path = folder / f"{name}.npz"
        files.append(path)
        if path.exists():
            continue
        utterances = load_utterances(source) if isinstance(source, Path) else source
        rng = np.random.default_rng(zlib.crc32(name.encode()) + options.seed)
        seconds = sum(len(u.samples) for u in utterances) / 16000
        count = max(REAL_TAKES if name in real else 4, round(options.variants * seconds / 6.5))
        save_takes(path, make_takes(utterances, babble, count, rng))
        babble = _babble(utterances)
    quiet = folder / "silence.npz"
    if not quiet.exists():
        save_takes(quiet, silent_takes(babble, 24, np.random.default_rng(options.seed)))
    return [*files, quiet]


def _babble(utterances: list[Utterance]) -> np.ndarray:
    """[SAMPLES] float32 of a voice without pauses."""
    sound = np.concatenate([u.samples for u in utterances])
    return np.resize(sound, SAMPLES)


def speech_examples(files: list[Path], rig: Rig, timing: Timing, span: Range) -> Examples:
    """Examples of takes whose targets come from their phonemes."""
    rows, weights = [], []
    for path in files:
        takes: Takes = load_takes(path)
        rows.append(takes.rows)
        for phones in takes.phones:
            weights.append(shape_weights(mouth_measures(phones, FRAMES, timing), rig, span))
    return Examples(np.concatenate(rows), np.stack(weights))


def clip_examples(path: Path, options: TakeOptions, rig: Rig, span: Range) -> Examples:
    """Examples whose targets are tracked faces; their MFCC is kept in `path`.

    Clips are strung together with silence between, in an order that the seed decides.
    """
    assert options.data is not None
    clips = [_clip_targets(clip, rig, span) for clip in tracked_clips(options.data).values()]
    orders = [_order(clips, options.seed + i) for i in range(options.clip_takes * len(clips))]
    if not path.exists():
        rng = np.random.default_rng(options.seed)
        rows = [_clip_rows(clips, order, rng) for order in orders]
        np.savez(path, rows=np.stack(rows))
    with np.load(path) as file:
        return Examples(file["rows"], np.stack([_laid_out(clips, order)[1] for order in orders]))


def _order(clips: list[tuple[np.ndarray, np.ndarray]], seed: int) -> list[tuple[int, int]]:
    """Which clip starts at which picture of a take, as (clip, picture)."""
    rng = np.random.default_rng(seed)
    frame, order = int(rng.integers(0, 20)), []
    while frame < FRAMES:
        order.append((int(rng.integers(len(clips))), frame))
        frame += len(clips[order[-1][0]][1]) + int(rng.integers(0, 20))
    return order


def _laid_out(
    clips: list[tuple[np.ndarray, np.ndarray]], order: list[tuple[int, int]]
) -> tuple[np.ndarray, np.ndarray]:
    """Sound [SAMPLES] and targets [T, S] of a take."""
    sound = np.zeros(SAMPLES, np.float32)
    target = np.zeros((FRAMES, clips[0][1].shape[1]), np.float32)
    for clip, frame in order:
        samples, wanted = clips[clip]
        room = min(len(wanted), FRAMES - frame)
        target[frame : frame + room] = wanted[:room]
        sound[frame * 640 : (frame + room) * 640] = samples[: room * 640]
    return sound, target


def _clip_rows(
    clips: list[tuple[np.ndarray, np.ndarray]],
    order: list[tuple[int, int]],
    rng: np.random.Generator,
) -> np.ndarray:
    """MFCC rows of a take after a channel."""
    sound, _ = _laid_out(clips, order)
    return mfcc_rows(transmitted(sound, np.roll(sound, SAMPLES // 3), rng, Channel()))


def _clip_targets(clip: TrackedClip, rig: Rig, span: Range) -> tuple[np.ndarray, np.ndarray]:
    """Sound [640 T] and target weights [T, S] of a tracked clip, relative to its face at rest."""
    aperture, width, jaw = tracked_measures(clip.landmarks).T
    gap = (aperture - np.percentile(aperture, 3)).clip(0) / span.gap
    open_jaw = (jaw - np.percentile(jaw, 10)).clip(0) / (0.305 * span.jaw)
    spread = (width - np.median(width)) / span.width
    still = np.zeros_like(gap)
    measures = np.stack([gap, open_jaw.clip(0, 1.2), spread.clip(-1.3, 1), still, still], axis=1)
    return clip.samples, shape_weights(measures, rig, span)
