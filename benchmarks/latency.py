"""`python -m benchmarks.latency --server lite`: from the microphone to the picture, over loopback.

A caller with an emulated microphone (a packet leaves when its 20 ms are over) beeps once a second.
The beeps in the returned sound tell which moment of the microphone each pts stands for, so every
single picture has a delay: its arrival minus the moment when its own sound began. The far end hands
pictures and sound on as soon as they are whole; no display, no loudspeaker.
"""

from __future__ import annotations

import argparse
import asyncio
import json

import numpy as np

from benchmarks.serving import SERVERS, running
from clients.arrival import release_promptly
from streaming.ice import gather_on
from tests.streaming.caller import PACKET, TestCaller

SETTLE_S = 2.0


def get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", choices=[s for s in SERVERS if s != "echo"], default="lite")
    parser.add_argument("--url", help="of a server that runs already")
    parser.add_argument("--seconds", type=float, default=30)
    return parser


async def measure(url: str, seconds: float) -> dict:
    gather_on("127.0.0.1")
    caller = TestCaller(url)
    caller.connection.on("track", lambda t: _release(caller, t.kind))
    await caller.call()
    await asyncio.sleep(seconds)
    await caller.aclose()
    return figures(caller)


def _release(caller: TestCaller, kind: str) -> None:
    for transceiver in caller.connection.getTransceivers():
        if transceiver.kind == kind:
            release_promptly(transceiver.receiver, kind)


def figures(caller: TestCaller) -> dict:
    """All delays in ms, of everything after the first two seconds."""
    start_s = caller.microphone.start_s
    assert start_s is not None
    onsets = [  # in returned sound, seconds of its pts
        (h.pts + h.onset) / 48000
        for before, h in zip(caller.heard, caller.heard[1:], strict=False)
        if before.onset == PACKET and h.onset < PACKET
    ]
    spoken = np.array(caller.microphone.onsets_s) - start_s
    offset_s = float(np.median([s - o for s in spoken for o in onsets if abs(s - o) < 0.5]))
    pictures = [s for s in caller.seen if s.at_s > caller.seen[0].at_s + SETTLE_S]
    sounds = [h for h in caller.heard if h.at_s > caller.heard[0].at_s + SETTLE_S]
    return {
        "pictures": len(pictures),
        "fps": round((len(pictures) - 1) / (pictures[-1].at_s - pictures[0].at_s), 2),
        "mic_to_picture_ms": _spread(
            [s.at_s - start_s - s.pts / 90000 - offset_s for s in pictures]
        ),
        "mic_to_sound_ms": _spread([h.at_s - start_s - h.pts / 48000 - offset_s for h in sounds]),
        "picture_gap_ms": _spread(np.diff([s.at_s for s in pictures])),
    }


def _spread(seconds) -> dict:
    p50, p95, p99 = np.percentile(np.asarray(seconds) * 1000, [50, 95, 99]).round(1).tolist()
    return {"p50": p50, "p95": p95, "p99": p99}


def main(argv: list[str] | None = None) -> None:
    options = get_parser().parse_args(argv)
    if options.url:
        print(json.dumps(asyncio.run(measure(options.url, options.seconds)), indent=2))
        return
    with running(options.server) as url:
        print(json.dumps(asyncio.run(measure(url, options.seconds)), indent=2))


if __name__ == "__main__":
    main()
