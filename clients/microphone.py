"""A caller with a face: sends the sound card's input and shows the avatar in a window.

    python -m clients.microphone --url http://127.0.0.1:8080 --listen

The window lives in the main thread, as most systems demand; the call has its own thread and loop.
Press q or close the window to leave.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import queue
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clients.connection import Call

WINDOW = "avatar"
SHOW_EVERY_S = 0.1


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m clients.microphone",
        description="Call an avatar server with the microphone and watch the picture.",
    )
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="the server's address")
    parser.add_argument("--token", help="the server's token")
    parser.add_argument("--device", help="input, by number or part of its name")
    parser.add_argument("--emotion", help="an emotion of the server, at full weight")
    parser.add_argument("--listen", action="store_true", help="play the returned sound")
    parser.add_argument("--no-window", action="store_true", help="show no picture")
    parser.add_argument("--list-devices", action="store_true", help="list the sound devices")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Call until the window is closed or Ctrl-C; return the exit status."""
    args = get_parser().parse_args(argv)
    from clients.connection import RefusedError
    from clients.devices import describe_sound_devices, find_device, load_sounddevice

    try:
        sounddevice = load_sounddevice()
        if args.list_devices:
            print(describe_sound_devices(sounddevice))
            return 0
        device = find_device(sounddevice, "input", args.device)
        return _converse(args, device)
    except (ValueError, RefusedError) as error:
        print(f"clients.microphone: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _converse(args: argparse.Namespace, device: int) -> int:
    """Run the call in its thread and the window here, until one of them ends."""
    pictures: queue.Queue = queue.Queue(maxsize=1)
    stop = threading.Event()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="call") as executor:
        call = executor.submit(asyncio.run, _call(args, device, pictures, stop))
        call.add_done_callback(lambda _: stop.set())
        try:
            _watch(pictures, stop, shown=not args.no_window)
        finally:
            stop.set()
        lost = call.result()
    if lost:
        print("clients.microphone: the server ended the call", file=sys.stderr)
    return int(lost)


def _watch(pictures: queue.Queue, stop: threading.Event, shown: bool) -> None:
    """Show the newest picture until the user leaves or the call ends.

    Raises:
        ValueError: this system gives no window.
    """
    import cv2

    while not stop.is_set():
        with contextlib.suppress(queue.Empty):
            picture = pictures.get(timeout=SHOW_EVERY_S)
            if shown:
                _show(cv2, picture)
        if shown and cv2.waitKey(1) & 0xFF == ord("q"):
            return


def _show(cv2: Any, picture: Any) -> None:
    """Put a received picture into the window."""
    try:
        cv2.imshow(WINDOW, picture.to_ndarray(format="bgr24"))
    except cv2.error:
        raise ValueError("no window can be opened here; try --no-window") from None


async def _call(
    args: argparse.Namespace, device: int, pictures: queue.Queue, stop: threading.Event
) -> bool:
    """One call: the microphone goes up, the newest picture goes into `pictures`.

    Returns:
        Whether the server ended it.
    """
    from clients.connection import Call, cancel
    from clients.sound_card import MicrophoneTrack, SoundOutput, play_sound

    call = Call(args.url, args.token)
    async with contextlib.AsyncExitStack() as cleanup:
        cleanup.push_async_callback(call.close)
        microphone = MicrophoneTrack(device)
        cleanup.callback(microphone.stop)
        output = SoundOutput() if args.listen else None
        if output is not None:
            cleanup.callback(output.close)
        await call.open(microphone)
        readers = (play_sound(call.audio, output), _take_pictures(call.video, pictures))
        for reader in readers:
            cleanup.push_async_callback(cancel, asyncio.create_task(reader))
        if args.emotion:
            await call.control({"type": "emotion", "name": args.emotion})
        print("Connected. Press q in the window or Ctrl-C to leave.", flush=True)
        return await _until_over(call, stop)


async def _until_over(call: Call, stop: threading.Event) -> bool:
    """Wait for either end to leave; whether it was the server."""
    stopped = asyncio.create_task(asyncio.to_thread(stop.wait))
    ended = asyncio.create_task(call.ended.wait())
    await asyncio.wait({stopped, ended}, return_when=asyncio.FIRST_COMPLETED)
    by_server = not stop.is_set()
    stop.set()
    ended.cancel()
    await asyncio.gather(stopped, ended, return_exceptions=True)
    return by_server


async def _take_pictures(track: Any, pictures: queue.Queue) -> None:
    """Keep the newest picture for the window; the one it has not shown yet is dropped."""
    from clients.connection import frames_of

    async for _, frame in frames_of(track):
        with contextlib.suppress(queue.Empty):
            pictures.get_nowait()
        pictures.put_nowait(frame)


if __name__ == "__main__":
    sys.exit(main())
