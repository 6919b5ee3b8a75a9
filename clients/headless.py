"""A caller without a face or a window: sends a file as its microphone, records what returns.

    python -m clients.headless --url http://127.0.0.1:8080 --audio speech.wav --out out.mp4 \
        --stats stats.json --seconds 60

What the figures contain: sound counts as heard when a microphone would have heard it, so a delay
includes the 20 ms in which a packet fills, the network, all of the server and the decoding here;
display and loudspeaker are not part of it. Exit status: 0, 1 when the call broke or nothing came,
2 for a mistake of the user or a refusal of the server, 130 after Ctrl-C (figures are written).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clients.connection import Call
    from clients.listening import Listener
    from clients.sound import SentSound, SoundTrack

TAIL_S = 1.0
PROGRESS_S = 1.0


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m clients.headless",
        description="Call an avatar server with a sound file as the microphone.",
    )
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="the server's address")
    parser.add_argument("--audio", required=True, help="any sound file; decoded to mono")
    parser.add_argument("--out", required=True, help="mp4 to write")
    parser.add_argument("--stats", required=True, help="JSON file to write")
    parser.add_argument(
        "--seconds", type=_seconds, help="length of the call, the sound looped (default: its end)"
    )
    parser.add_argument("--emotion", help="an emotion of the server, at full weight")
    parser.add_argument("--token", help="the server's token")
    return parser


def _seconds(text: str) -> float:
    value = float(text)
    if not 1.0 <= value <= 86400.0:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and 86400")
    return value


def main(argv: list[str] | None = None) -> int:
    """Make one call and return the exit status."""
    args = get_parser().parse_args(argv)
    from clients.connection import RefusedError
    from clients.sound import SentSound, read_sound

    try:
        samples = read_sound(args.audio)
        _check_writable(args.stats)
        sound = SentSound(samples, looped=args.seconds is not None)
        seconds = args.seconds or len(samples) / 48000 + TAIL_S
        return asyncio.run(run_call(args, sound, seconds))
    except (ValueError, RefusedError) as error:
        print(f"clients.headless: {error}", file=sys.stderr)
        return 2


def _check_writable(path: str) -> None:
    """Find out before the call that the statistics have a place.

    Raises:
        ValueError: the file cannot be written.
    """
    try:
        Path(path).touch()
    except OSError as error:
        raise ValueError(f"{path}: cannot be written ({error.strerror})") from None


async def run_call(args: argparse.Namespace, sound: SentSound, seconds: float) -> int:
    """Call, listen for `seconds`, write recording and figures.

    Raises:
        ValueError: the recording cannot be written.
        RefusedError: the server did not take the call.
    """
    from clients.connection import Call
    from clients.listening import Listener
    from clients.recording import Recording
    from clients.sound import SoundTrack

    interrupted = asyncio.Event()
    _on_signals(interrupted)
    microphone = SoundTrack(sound)
    listener = Listener(sound, microphone, Recording(args.out))
    call = Call(args.url, args.token)
    offered = asyncio.get_running_loop().time()
    try:
        await call.open(microphone)
        listener.start(call.video, call.audio)
        if args.emotion:
            await call.control({"type": "emotion", "name": args.emotion})
        reason = await _wait(call, listener, interrupted, seconds)
    finally:
        await listener.finish()
        await call.close()
    figures = figures_of(listener, microphone, offered) | {"server": call.server_stats}
    await asyncio.to_thread(Path(args.stats).write_text, json.dumps(figures, indent=2) + "\n")
    return _report(figures, reason, listener.failure)


def _on_signals(interrupted: asyncio.Event) -> None:
    """Let Ctrl-C and SIGTERM end the call instead of the program."""
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, interrupted.set)


async def _wait(
    call: Call, listener: Listener, interrupted: asyncio.Event, seconds: float
) -> str | None:
    """Wait for the end of the call; return why it ended early, "interrupted" or "lost"."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    waits = [asyncio.create_task(call.ended.wait()), asyncio.create_task(interrupted.wait())]
    try:
        while (left := end - loop.time()) > 0 and not any(wait.done() for wait in waits):
            pause = min(PROGRESS_S, left)
            await asyncio.wait(waits, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            _show_progress(listener, seconds - max(0.0, end - loop.time()), seconds)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    if interrupted.is_set():
        return "interrupted"
    return "lost" if call.ended.is_set() else None


def _show_progress(listener: Listener, passed_s: float, seconds: float) -> None:
    """One line that is written over, for people only."""
    if sys.stderr.isatty():
        frames = len(listener.arrivals.pictures)
        print(f"\r{passed_s:5.0f} of {seconds:.0f} s, {frames} pictures", end="", file=sys.stderr)


def figures_of(listener: Listener, microphone: SoundTrack, offered: float) -> dict[str, Any]:
    """Everything that `--stats` writes but the server's own word.

    Args:
        listener: after `finish`.
        microphone: what was sent.
        offered: loop time in seconds at which the call began; first_frame_ms counts from here.
    """
    from clients.measure import statistics

    arrivals = listener.arrivals
    figures = statistics(arrivals, listener.offsets, microphone.started or offered)
    first = arrivals.picture_times[0] - offered if len(arrivals.picture_times) else None
    return figures | {
        "first_frame_ms": None if first is None else round(first * 1e3, 1),
        "frozen_frames": listener.frozen_frames,
        "unrecorded_frames": listener.unrecorded_frames,
        "unheard_packets": listener.lost_sounds,
        "offset_windows": len(listener.offsets.values),
    }


def _report(figures: dict[str, Any], reason: str | None, failure: str | None) -> int:
    """Say how the call went and return the exit status."""
    picture = figures["mic_to_picture_ms"] or {"p50": "?", "p95": "?"}
    print(
        f"{figures['frames']} pictures at {figures['fps']} a second, microphone to picture "
        f"p50 {picture['p50']} ms, p95 {picture['p95']} ms, skew {figures['av_skew_ms']} ms"
    )
    if reason == "interrupted":
        return 130
    if reason == "lost":
        failure = "the server ended the call"
    elif not figures["frames"]:
        failure = "no picture came"
    if failure:
        print(f"clients.headless: {failure}", file=sys.stderr)
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
