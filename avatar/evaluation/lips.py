"""How well the lips follow the voice: the motion network on a clip's sound against the clip's face.

Three distances of the mouth, in inter-ocular distances, are compared at 25 a second: aperture
(inner lips), width (corners) and jaw (nose bridge to chin). Beside them stands a baseline whose
aperture is the log energy. Whole renders are judged elsewhere; no picture is made here.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.lite.motion import AudioToMotion
from models.lite.rig import Rig
from streaming.features import windows_of

FRAME_RATE, SAMPLE_RATE, SAMPLES_PER_FRAME = 25, 16000, 640
MEASURES = ("aperture", "width", "jaw")
PAIRS = ((13, 14), (61, 291), (152, 168))
"""Mesh vertices whose distance each measure is."""
MAX_LAG = 2
"""Pictures by which the best correlation may lag or lead."""
CLOSED_SHARE = 0.1
"""Lips count as closed below this share of the aperture's 5th to 95th percentile."""
CLOSURE_LEAD, CLOSURE_REACH = 0.07, 0.08
"""Seconds: lips close this long before the recogniser's /p b m/ on real footage, give or take."""


class TrackedMouth(NamedTuple):
    """A clip to compare with.

    samples: [640 T] float32, 16 kHz.
    measures: [T, 3] float32, inter-ocular distances.
    """

    samples: np.ndarray
    measures: np.ndarray


class LipScore(NamedTuple):
    """Agreement of one clip.

    r: correlation of each of `MEASURES` at lag 0.
    r_best, lag: the best within +-MAX_LAG pictures, and where (positive: predicted lips later).
    range_ratio: 5th to 95th percentile of the aperture over the real one.
    closure_rate, bilabials: share of /p b m/ with closed lips, and how many were heard.
    energy_r, energy_r_best: of the baseline's aperture.
    """

    r: tuple[float, float, float]
    r_best: tuple[float, float, float]
    lag: tuple[int, int, int]
    range_ratio: float
    closure_rate: float
    bilabials: int
    energy_r: float
    energy_r_best: float


def mouth_measures(landmarks: np.ndarray) -> np.ndarray:
    """`MEASURES` of face landmarks [T, 478, 3] px -> [T, 3] float32."""
    eyes = np.linalg.norm(landmarks[:, 33] - landmarks[:, 263], axis=-1)
    spans = [np.linalg.norm(landmarks[:, a] - landmarks[:, b], axis=-1) for a, b in PAIRS]
    return (np.stack(spans, axis=1) / eyes[:, None]).astype(np.float32)


def tracked_mouth(clip: Path, tracks: Path | None) -> TrackedMouth:
    """Sound and mouth of a clip, from `<tracks>/<clip>.npz` when it is there, else from the video.

    Raises:
        ValueError: the clip cannot be read or shows no face.
    """
    if tracks and (kept := tracks / f"{clip.stem}.npz").is_file():
        with np.load(kept) as file:
            landmarks, samples = file["landmarks"], file["audio"].astype(np.float32)
    else:
        landmarks, samples = _track_video(clip)
    T = min(len(landmarks), len(samples) // SAMPLES_PER_FRAME)
    return TrackedMouth(
        samples[: T * SAMPLES_PER_FRAME], mouth_measures(landmarks[:T].astype(np.float32))
    )


def _track_video(clip: Path) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks [T, 478, 3] on a 25 Hz grid and sound [S] of a video."""
    from avatar.evaluation.footage import track_face
    from avatar.media import read_sound
    from avatar.tracking import open_tracker

    return track_face(clip, open_tracker())[0], read_sound(clip, SAMPLE_RATE)[0]


def predicted_mouth(network: AudioToMotion, rig: Rig, samples: np.ndarray) -> np.ndarray:
    """`MEASURES` of the generic face speaking [640 T] samples, [T, 3] float32."""
    import torch

    windows = torch.from_numpy(windows_of(samples, 80 * SAMPLE_RATE // 1000))[None]
    still = torch.zeros(1, windows.shape[1], 6)
    with torch.inference_mode():
        identity = network.encode_identity(rig.x[None], torch.eye(2).expand(1, rig.n_points, 2, 2))
        dx, _ = network(windows, still, identity)
    points = dx[0].numpy() + rig.x.numpy()  # [T, K, 2]
    a, b = (points[:, [rig.point_of(pair[i]) for pair in PAIRS]] for i in (0, 1))
    at_rest = rig.x[rig.point_of(14)] - rig.x[rig.point_of(13)]
    b[:, 0] -= at_rest.numpy()
    aperture = np.maximum(b[:, 0, 1] - a[:, 0, 1], 0)
    spans = np.linalg.norm(a - b, axis=-1)
    return np.concatenate([aperture[:, None], spans[:, 1:]], axis=1).astype(np.float32)


def energy_aperture(samples: np.ndarray) -> np.ndarray:
    """The baseline: log of the mean power of every picture's own 40 ms, [640 T] -> [T] float64."""
    power = np.square(samples.reshape(-1, SAMPLES_PER_FRAME)).mean(axis=1)
    return np.log(power + 1e-7)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's r of two curves, 0 when either stays within 1e-5 of its mean."""
    if min(a.std(), b.std()) < 1e-5:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def best_lag(predicted: np.ndarray, real: np.ndarray) -> tuple[float, int]:
    """The largest correlation within +-MAX_LAG pictures and its lag (positive: predicted later)."""
    scores = {}
    for lag in range(-MAX_LAG, MAX_LAG + 1):
        late, early = max(lag, 0), max(-lag, 0)
        n = len(real) - late - early
        scores[lag] = correlation(predicted[late : late + n], real[early : early + n])
    lag = max(scores, key=lambda key: scores[key])
    return scores[lag], lag


def aperture_range(aperture: np.ndarray) -> tuple[float, float]:
    """5th and 95th percentile."""
    low, high = np.percentile(aperture, [5, 95])
    return float(low), float(high)


def closure_rate(aperture: np.ndarray, samples: np.ndarray) -> tuple[float, int]:
    """Share of the /p b m/ heard in samples [S] at which the aperture [T] closes; their number."""
    from avatar.training.recogniser import DELAY, recognised_phones

    low, high = aperture_range(aperture)
    times = np.arange(0, len(aperture) / FRAME_RATE, 0.01)
    fine = np.interp(times, np.arange(len(aperture)) / FRAME_RATE, aperture)
    hits = []
    for phone in recognised_phones(samples):
        if phone.symbol in ("p", "b", "m"):
            moment = phone.end + DELAY - CLOSURE_LEAD
            near = fine[np.abs(times - moment) <= CLOSURE_REACH]
            if len(near):
                hits.append(near.min() < low + CLOSED_SHARE * (high - low))
    return (float(np.mean(hits)) if hits else float("nan")), len(hits)


def score_lips(clip: TrackedMouth, predicted: np.ndarray) -> LipScore:
    """Compare a predicted mouth [T, 3] with a clip."""
    columns = list(zip(predicted.T, clip.measures.T, strict=True))
    best = [best_lag(p, real) for p, real in columns]
    energy = energy_aperture(clip.samples)
    low, high = aperture_range(predicted[:, 0])
    real_low, real_high = aperture_range(clip.measures[:, 0])
    rate, bilabials = closure_rate(predicted[:, 0], clip.samples)
    return LipScore(
        r=tuple(correlation(p, real) for p, real in columns),  # type: ignore[arg-type]
        r_best=tuple(r for r, _ in best),  # type: ignore[arg-type]
        lag=tuple(lag for _, lag in best),  # type: ignore[arg-type]
        range_ratio=(high - low) / max(real_high - real_low, 1e-6),
        closure_rate=rate,
        bilabials=bilabials,
        energy_r=correlation(energy, clip.measures[:, 0]),
        energy_r_best=best_lag(energy, clip.measures[:, 0])[0],
    )


def summary(scores: list[LipScore]) -> dict[str, float]:
    """Means, and medians of the correlations, over clips; closures are pooled over all /p b m/."""
    out: dict[str, float] = {"clips": len(scores)}
    for i, name in enumerate(MEASURES):
        for kind in ("r", "r_best"):
            values = [getattr(score, kind)[i] for score in scores]
            out[f"{name}_{kind}_mean"] = float(np.mean(values))
            out[f"{name}_{kind}_median"] = float(np.median(values))
        out[f"{name}_lag_ms"] = float(np.mean([s.lag[i] for s in scores])) * 1000 / FRAME_RATE
    out["range_ratio"] = float(np.median([s.range_ratio for s in scores]))
    heard = sum(s.bilabials for s in scores)
    closed = sum(s.closure_rate * s.bilabials for s in scores if s.bilabials)
    out["closure_rate"] = closed / heard if heard else float("nan")
    out["energy_r_mean"] = float(np.mean([s.energy_r for s in scores]))
    out["energy_r_best_mean"] = float(np.mean([s.energy_r_best for s in scores]))
    return out
