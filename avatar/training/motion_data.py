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
from avatar.training.channel import Channel
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
from avatar.training.channel import transmitted
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
        count = max(4, round(options.variants * seconds / 6.5))
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


def clip_examples(options: TakeOptions, rig: Rig, span: Range) -> Examples | None:
    """Examples whose targets are tracked faces, None without data; clips are strung with silence between."""
    if options.data is None or options.clip_takes == 0:
        return None
    clips = [_clip_targets(clip, rig, span) for clip in tracked_clips(options.data).values()]
    rng = np.random.default_rng(options.seed)
    rows, weights = [], []
    for _ in range(options.clip_takes * len(clips)):
        sound = np.zeros(SAMPLES, np.float32)
        target = np.zeros((FRAMES, clips[0][1].shape[1]), np.float32)
        frame = int(rng.integers(0, 20))
        while frame < FRAMES:
            samples, wanted = clips[rng.integers(len(clips))]
            room = min(len(wanted), FRAMES - frame)
            target[frame : frame + room] = wanted[:room]
            sound[frame * 640 : (frame + room) * 640] = samples[: room * 640]
            frame += room + int(rng.integers(0, 20))
        rows.append(mfcc_rows(transmitted(sound, np.roll(sound, 40000), rng, Channel())))
        weights.append(target)
    return Examples(np.stack(rows), np.stack(weights))


def _clip_targets(clip: TrackedClip, rig: Rig, span: Range) -> tuple[np.ndarray, np.ndarray]:
    """Sound [640 T] and target weights [T, S] of a tracked clip, relative to its face at rest."""
    aperture, width, jaw = tracked_measures(clip.landmarks).T
    gap = (aperture - np.percentile(aperture, 3)).clip(0) / span.gap
    open_jaw = (jaw - np.percentile(jaw, 10)).clip(0) / (0.305 * span.jaw)
    spread = (width - np.median(width)) / span.width
    still = np.zeros_like(gap)
    measures = np.stack([gap, open_jaw.clip(0, 1.2), spread.clip(-1.3, 1), still, still], axis=1)
    return clip.samples, shape_weights(measures, rig, span)
