"""What caching the portrait's encoding is worth, and where a picture's time goes, at full size.

    python -m benchmarks.eamm --rounds 8

Weights are random: they do not change the time. All stages take turns and figures are medians. On a
CPU the time is the processor time of the process, which a busy machine changes little; with one
thread it is the time on the clock of an idle machine.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence


def get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.eamm", description="Time model eamm by stage."
    )
    parser.add_argument("--rounds", type=int, default=8, help="samples of each figure")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument(
        "--require",
        type=float,
        help="exit 1 when `generator as published` / `cached step` is below this",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = get_parser().parse_args(argv)
    import torch

    torch.set_num_threads(args.threads)
    with torch.inference_mode():
        stages = build_stages(args.device)
        times = time_stages(stages, args.rounds, args.device)
    result = {**times, "ratio": times["generator as published"] / times["cached step"]}
    result["pictures_per_second"] = 1000 / times["cached step"]
    if args.json:
        print(json.dumps({name: round(value, 2) for name, value in result.items()}))
    else:
        show(result)
    return int(args.require is not None and result["ratio"] < args.require)


def build_stages(device: str) -> dict[str, Callable[[], object]]:
    """What is timed, by name: the parts of a cached step, and the ways of drawing a picture."""
    import torch

    from models.eamm.device import place, prepared, resting_inputs
    from models.eamm.options import EammOptions
    from models.eamm.sizes import EammSizes
    from models.eamm.weights import build_a2fd, build_emotion, build_fomm

    sizes, options = EammSizes(), EammOptions()
    networks = build_fomm(sizes, options), build_a2fd(sizes, 1.6), build_emotion(sizes)
    for network in (n for group in networks for n in group):
        network.eval()
    there = torch.device(device)
    published = copy.deepcopy(networks[0].generator).to(there)
    fomm, a2fd, emotion = place(*networks, device)
    audio, generator = a2fd.audio_feature, fomm.generator
    image = torch.rand(1, 3, 256, 256, device=there)
    sound, pose = torch.rand(1, 28, 12, device=there), torch.zeros(1, 6, device=there)
    feature = torch.rand(1, sizes.emotion_dims, device=there)
    shown, identity = prepared(image, generator), audio.encode_identity(image)
    source, points = resting_inputs(generator, sizes.fomm)
    plain_source = published.encode(image, points)
    flow, occlusion = generator.dense_motion_network(source.motion, points)

    def motion() -> None:
        face_map, _ = audio.step(sound, pose, identity, audio.init_state())
        emotion.predictor(feature, a2fd.kp_detector_a(face_map))

    def step() -> None:
        motion()
        generator.drive(source, points)

    return {
        "portrait: E_k": lambda: fomm.kp_detector(image),
        "portrait: encode source": lambda: generator.encode(shown, points),
        "portrait: identity": lambda: audio.encode_identity(image),
        "emotion picture: E_e": lambda: emotion.extractor(image),
        "step: sound to key points": motion,
        "step: dense motion": lambda: generator.dense_motion_network(source.motion, points),
        "step: warp and decode": lambda: generator.decode(source.features, flow, occlusion),
        "cached step": step,
        "generator as published, cached": lambda: published.drive(plain_source, points),
        "generator as published": lambda: published(image, points, points),
    }


def time_stages(
    stages: dict[str, Callable[[], object]], rounds: int, device: str
) -> dict[str, float]:
    """Median time of every stage in ms; the stages take turns."""
    for run in stages.values():
        run()
    samples: dict[str, list[float]] = {name: [] for name in stages}
    for _ in range(rounds):
        for name, run in stages.items():
            samples[name].append(_time(run, device))
    return {name: statistics.median(times) for name, times in samples.items()}


def _time(run: Callable[[], object], device: str) -> float:
    import torch

    on_gpu = torch.device(device).type == "cuda"
    clock = time.perf_counter if on_gpu else time.process_time
    start = clock()
    run()
    if on_gpu:
        torch.cuda.synchronize()
    return 1000 * (clock() - start)


def show(result: dict[str, float]) -> None:
    for name, value in result.items():
        unit = "" if name in ("ratio", "pictures_per_second") else " ms"
        print(f"{name:32s} {value:8.2f}{unit}")


if __name__ == "__main__":
    sys.exit(main())
