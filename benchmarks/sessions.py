"""`python -m benchmarks.sessions`: how many callers are held at 25 pictures a second.

Our server and a bare aiortc echo of a constant picture take turns in the same run, so the machine's
load falls on both. Callers live in a third process and do not decode. A number of callers is held
when the slowest of them gets 24.5 pictures a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing

import numpy as np
from aiortc.rtp import RtpPacket

from benchmarks.serving import SERVERS, running
from streaming.ice import gather_on
from tests.streaming.caller import TestCaller

HELD_FPS, SETTLE_S = 24.5, 2.0


class ArrivalTimes:
    """Stands where the jitter buffer was: notes when a picture is whole, decodes nothing."""

    def __init__(self, counts: bool) -> None:
        """Note times if it `counts`, else only swallow the packets."""
        self.counts = counts
        self.at_s: list[float] = []

    def add(self, packet: RtpPacket) -> tuple[bool, None]:
        """Take one packet; nothing for aiortc to ask for or to decode."""
        if self.counts and packet.marker:
            self.at_s.append(asyncio.get_running_loop().time())
        return False, None


def get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", nargs="+", choices=list(SERVERS), default=["echo", "lite"])
    parser.add_argument("--callers", nargs="+", type=int, default=[1, 2, 3, 4, 5, 6, 8])
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    return parser


async def call_all(url: str, n: int, seconds: float) -> list[list[float]]:
    """Arrival times of the pictures of each of n callers, seconds."""
    gather_on("127.0.0.1")
    callers = [TestCaller(url) for _ in range(n)]
    counters = []
    for caller in callers:
        caller.connection.on("track", lambda t, c=caller: counters.append(count(c, t.kind)))
        await caller.call()
    await asyncio.sleep(seconds + SETTLE_S)
    await asyncio.gather(*(caller.aclose() for caller in callers))
    return [counter.at_s for counter in counters if counter.counts]


def count(caller: TestCaller, kind: str) -> ArrivalTimes:
    arrivals = ArrivalTimes(kind == "video")
    for transceiver in caller.connection.getTransceivers():
        if transceiver.kind == kind:
            transceiver.receiver._RTCRtpReceiver__jitter_buffer = arrivals
    return arrivals


def _call_all(url: str, n: int, seconds: float) -> list[list[float]]:
    return asyncio.run(call_all(url, n, seconds))


def measure(server: str, n: int, seconds: float) -> dict:
    """Pictures a second of the slowest caller, and the gaps of all."""
    with running(server) as url, multiprocessing.get_context("spawn").Pool(1) as process:
        arrivals = process.apply(_call_all, (url, n, seconds))
    settled = [np.array([t for t in at_s if t > at_s[0] + SETTLE_S]) for at_s in arrivals if at_s]
    fps = [(len(t) - 1) / (t[-1] - t[0]) if len(t) > 1 else 0.0 for t in settled]
    gaps_ms = np.concatenate([np.diff(t) for t in settled]) * 1000
    slowest = min(fps) if len(fps) == n else 0.0
    p50, p95 = np.percentile(gaps_ms, [50, 95]).round(1).tolist()
    return {"fps": round(slowest, 2), "gap_p50_ms": p50, "gap_p95_ms": p95}


def held(server: str, options: argparse.Namespace, round_: int) -> int:
    """The greatest number of callers that the server holds, counting up until it does not."""
    best = 0
    for n in options.callers:
        result = measure(server, n, options.seconds)
        print(json.dumps({"round": round_, "server": server, "callers": n, **result}), flush=True)
        if result["fps"] < HELD_FPS:
            break
        best = n
    return best


def main(argv: list[str] | None = None) -> None:
    options = get_parser().parse_args(argv)
    counts: dict[str, list[int]] = {server: [] for server in options.servers}
    for round_ in range(options.rounds):
        for server in options.servers:
            counts[server].append(held(server, options, round_))
    medians = {server: float(np.median(values)) for server, values in counts.items()}
    reference = medians[options.servers[0]]
    ratios = {
        server: round(m / reference, 2) if reference else None for server, m in medians.items()
    }
    print(json.dumps({"held": counts, "median": medians, "ratio_to_first": ratios}))


if __name__ == "__main__":
    main()
