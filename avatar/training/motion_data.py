"""Who the motion network learns from and who it is tested on, in memory.

Spectra are made per voice and kept in the run folder; whole voices are held out, never sentences.
Read next: `takes.py`, `variation.py`.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avatar.evaluation.lips import mouth_measures as tracked_measures
from avatar.training.corpus import load_utterances
from avatar.training.mouth_shapes import Range
from avatar.training.music import played
from avatar.training.recordings import TrackedClip, recognised, recorded_speakers, tracked_clips
from avatar.training.spectra import MIDDLE, RATE, ROWS_PER_SECOND, log_mel
from avatar.training.takes import PAD, Said, heard_utterances, load_said, save_heard
from avatar.training.variation import Voices
from avatar.training.visemes import MEASURES, Timing

HELD_OUT = (
    "flite-slt",
    "festival-ked_diphone",
    "espeak-en-us+f2",
    "kokoro-held-out",
    "real-vctk_p287",
    "real-librivox_sonnet",
    "music-held-out",
)
"""Beginnings of the names of voices that are never trained on: early stopping looks at them."""
HELD_OUT_CLIPS = ("grid_lbbc2a", "grid_pwij3p")
"""Tracked clips of speakers who are never trained on either."""
SHARES = {
    "kokoro": 1.0, "espeak": 2.0, "flite": 6.0, "festival": 5.0, "piper": 8.0, "real": 12.0,
    "prompts": 16.0, "tracked": 4.0, "music": 1.0,
}  # fmt: skip
"""How often a voice of each kind speaks; a Kokoro speaker is one of hundreds."""
FULL_ROWS = 5 * 60 * ROWS_PER_SECOND
"""Rows of a real speaker, through all channels, from which on it speaks as often as its kind."""
BANDS, HELD_OUT_BANDS, PIECES, PIECE_SECONDS = 24, 3, 6, 5.0
"""Bands that play and that are held out, how many pieces each plays, and for how long."""


@dataclass(frozen=True)
class TakeOptions:
    """How spectra are made of a corpus.

    variants, real_variants: channels, beside none at all, that each utterance goes through, of
        voices and of real speakers.
    data: folder with a manifest, real speech and tracked clips; None for synthetic voices only.
    seed: of every choice.
    """

    variants: int = 2
    real_variants: int = 4
    data: Path | None = None
    seed: int = 0


def voices_of(
    corpus: list[Path], folder: Path, options: TakeOptions, timing: Timing, span: Range
) -> tuple[Voices, Voices]:
    """Training and held-out voices; what `folder` has is not made again.

    Raises:
        ValueError: none of the voices to hold out is there.
    """
    said = {path.stem: load_said(path, timing) for path in spectra_files(corpus, folder, options)}
    if options.data is not None:
        for name, clip in tracked_clips(options.data).items():
            said[f"tracked-{name}"] = [tracked_said(clip, span, timing)]
    said |= bands(np.random.default_rng(options.seed))
    held_out = (*HELD_OUT, *(f"tracked-{name}" for name in HELD_OUT_CLIPS))
    unknown = {name: said.pop(name) for name in list(said) if name.startswith(held_out)}
    if not unknown:
        raise ValueError(f"none of the voices to hold out was made: {', '.join(HELD_OUT)}")
    return _shared(said), _shared(unknown)


def _shared(said: dict[str, list[Said]]) -> Voices:
    """Voices that speak as often as their kind shall."""
    shares = np.array([SHARES[name.split("-")[0]] * _fullness(name, said[name]) for name in said])
    return Voices(list(said.values()), shares / shares.sum())


def _fullness(name: str, said: list[Said]) -> float:
    """Below 1 for a real speaker of whom there is little, who would be learnt by heart."""
    rows = sum(len(one.spectra) for one in said)
    return min(1.0, (rows / FULL_ROWS) ** 0.5) if name.startswith("real") else 1.0


def spectra_files(corpus: list[Path], folder: Path, options: TakeOptions) -> list[Path]:
    """Make the spectra of every voice that has none yet, and return all files."""
    from tqdm import tqdm

    folder.mkdir(parents=True, exist_ok=True)
    real = recorded_speakers(options.data) if options.data else {}
    sources: dict[str, Path | list[Path]] = {path.stem: path for path in corpus}
    babble = load_utterances(corpus[0])[0].samples
    for name, source in tqdm((sources | real).items(), desc="spectra", unit="voice"):
        path = folder / f"{name}.npz"
        if path.exists():
            continue
        utterances = load_utterances(source) if isinstance(source, Path) else recognised(source)
        rng = np.random.default_rng(zlib.crc32(name.encode()) + options.seed)
        variants = options.real_variants if name.startswith("real") else options.variants
        save_heard(path, heard_utterances(utterances, babble, variants, rng))
        babble = np.concatenate([u.samples for u in utterances[:8]])
    return [folder / f"{name}.npz" for name in sources | real]


def bands(rng: np.random.Generator) -> dict[str, list[Said]]:
    """Music by the name of who plays it, as something said with closed lips."""
    names = [f"music-{i}" for i in range(BANDS)]
    names += [f"music-held-out-{i}" for i in range(HELD_OUT_BANDS)]
    return {name: [_piece(rng) for _ in range(PIECES)] for name in names}


def _piece(rng: np.random.Generator) -> Said:
    samples = played(int(PIECE_SECONDS * RATE), rng)
    spectra = log_mel(samples / np.abs(samples).max())
    T = len(spectra)
    return Said(spectra, np.zeros((T, len(MEASURES)), np.float32), np.full(T, -1))


def tracked_said(clip: TrackedClip, span: Range, timing: Timing) -> Said:
    """A tracked clip as something said: the mouth is the face's own, relative to its rest."""
    aperture, width, jaw = tracked_measures(clip.landmarks).T
    gap = (aperture - np.percentile(aperture, 3)).clip(0) / span.gap
    open_jaw = (jaw - np.percentile(jaw, 10)).clip(0) / (0.305 * span.jaw)
    spread = (width - np.median(width)) / span.width
    still = np.zeros_like(gap)
    motion = np.stack([gap, open_jaw.clip(0, 1.2), spread.clip(-1.3, 1), still, still], axis=1)
    spectra = log_mel(np.pad(clip.samples / (np.abs(clip.samples).max() + 1e-6), int(PAD * RATE)))
    times = np.arange(len(spectra)) / ROWS_PER_SECOND + MIDDLE - PAD + timing.lead
    frames = np.arange(len(motion)) / 25
    measures = np.stack([np.interp(times, frames, column) for column in motion.T], axis=1)
    return Said(spectra, measures.astype(np.float32), np.full(len(spectra), -1))
