"""The avatar as a camera and a microphone for any video-call program.

    python -m clients.virtual_camera --start --portrait me.jpg --emotion happy --virtual-microphone

The microphone goes to the server, its picture to a virtual camera and its sound to an output that
the call program takes for a microphone. The output's clock rules both: sound is resampled to it and
a picture is shown when its own sound is heard. What to install: docs/virtual-camera.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clients.camera import CameraPlayer
    from clients.connection import Call
    from clients.hotkeys import Hotkeys
    from clients.sound_card import MicrophoneTrack, SoundOutput

PICTURE_CLOCK = 90000


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m clients.virtual_camera",
        description="Be the avatar in any video-call program: a virtual camera with its sound.",
    )
    server = parser.add_argument_group("server")
    server.add_argument("--url", default="http://127.0.0.1:8080", help="the server's address")
    server.add_argument("--token", help="the server's token")
    server.add_argument("--start", action="store_true", help="start a server here, end it after")
    server.add_argument("--portrait", help="with --start: image of one person")
    server.add_argument("--size", type=int, help="with --start: side of the picture in px")
    server.add_argument(
        "--emotion",
        action="append",
        default=[],
        help="worn at first; with --start as of avatar.serve, and may be given several times",
    )
    devices = parser.add_argument_group("devices")
    devices.add_argument("--microphone", metavar="NAME|NUMBER", help="sound input")
    devices.add_argument(
        "--output", metavar="NAME|NUMBER", help="where the returned sound goes; default: nowhere"
    )
    devices.add_argument(
        "--virtual-microphone", action="store_true",
        help="the returned sound is the microphone Avatar while it runs (PulseAudio, PipeWire)",
    )  # fmt: skip
    devices.add_argument("--camera", metavar="NAME", help="such as /dev/video4; default: the first")
    devices.add_argument("--camera-backend", metavar="NAME", help="as pyvirtualcam names them")
    devices.add_argument("--list-devices", action="store_true", help="list the sound devices")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Call until q or Ctrl-C; return the exit status, 1 when the server has ended the call."""
    args = get_parser().parse_args(argv)
    from clients.connection import RefusedError
    from clients.devices import describe_sound_devices, load_sounddevice

    try:
        sounddevice = load_sounddevice()
        if args.list_devices:
            print(describe_sound_devices(sounddevice))
            return 0
        _check(args)
        return _call(args, sounddevice)
    except (ValueError, RefusedError) as error:
        print(f"clients.virtual_camera: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130


def _call(args: argparse.Namespace, sounddevice: Any) -> int:
    """Find the sound devices, or make one, and call."""
    from clients.devices import find_device
    from clients.virtual_microphone import virtual_microphone

    with contextlib.ExitStack() as cleanup:
        microphone = find_device(sounddevice, "input", args.microphone)
        if args.virtual_microphone:
            args.output = cleanup.enter_context(virtual_microphone())
        output = None if args.output is None else find_device(sounddevice, "output", args.output)
        return asyncio.run(_run(args, microphone, output))


def _check(args: argparse.Namespace) -> None:
    """Refuse options that do not go together.

    Raises:
        ValueError: one line for the user.
    """
    if not args.start and (args.portrait or args.size):
        raise ValueError("--portrait and --size need --start: a running server has its own")
    if not args.start and len(args.emotion) > 1:
        raise ValueError("one --emotion can be worn; several need --start")
    if args.virtual_microphone and args.output is not None:
        raise ValueError("--virtual-microphone is an output by itself: leave out --output")


async def _run(args: argparse.Namespace, input_device: int, output_device: int | None) -> int:
    """Open everything, converse, close everything; the exit status."""
    from clients.connection import Call
    from clients.local_server import local_server
    from clients.sound_card import MicrophoneTrack, SoundOutput

    _end_on_signals()
    async with contextlib.AsyncExitStack() as cleanup:
        camera = _open_camera(args, args.size or 512, cleanup) if args.start else None
        if args.start:
            print("Starting the server.", flush=True)
            args.url = await cleanup.enter_async_context(local_server(_server_options(args)))
        call = Call(args.url, args.token)
        cleanup.push_async_callback(call.close)
        about = await call.request("GET", "/api/v1/avatar")
        camera = camera or _open_camera(args, int(about["size"]), cleanup)
        output = None if output_device is None else SoundOutput(output_device)
        if output is not None:
            cleanup.callback(output.close)
        microphone = MicrophoneTrack(input_device)
        cleanup.callback(microphone.stop)
        await call.open(microphone)
        if args.emotion and not args.start:
            await call.control({"type": "emotion", "name": args.emotion[0]})
        return await _converse(call, microphone, output, camera, about["emotions"])


def _end_on_signals() -> None:
    """Let SIGTERM and a closed terminal end the call as Ctrl-C does, where the system can."""
    task = asyncio.current_task()
    assert task is not None
    for name in ("SIGTERM", "SIGHUP"):
        with contextlib.suppress(NotImplementedError, AttributeError):
            asyncio.get_running_loop().add_signal_handler(getattr(signal, name), task.cancel)


def _open_camera(args: argparse.Namespace, size: int, cleanup: contextlib.AsyncExitStack) -> Any:
    from clients.camera import open_camera

    camera = open_camera(size, args.camera, args.camera_backend)
    cleanup.callback(camera.close)
    return camera


def _server_options(args: argparse.Namespace) -> list[str]:
    """The options of `avatar.serve` that the user has given."""
    options = [] if args.portrait is None else ["--portrait", args.portrait]
    options += [] if args.size is None else ["--size", str(args.size)]
    return options + [part for emotion in args.emotion for part in ("--emotion", emotion)]


async def _converse(
    call: Call,
    microphone: MicrophoneTrack,
    output: SoundOutput | None,
    camera: Any,
    emotions: list[str],
) -> int:
    """Pass on sound and pictures until either end leaves."""
    from clients.camera import CameraPlayer
    from clients.connection import cancel
    from clients.hotkeys import Hotkeys
    from clients.sound_card import play_sound

    player = CameraPlayer(camera, None if output is None else output.buffer.heard_at)
    hotkeys = Hotkeys(emotions)
    print(f"Camera {camera.device}. Keys: {hotkeys.legend()}", flush=True)
    sound = asyncio.create_task(play_sound(call.audio, output))
    pictures = asyncio.create_task(_show_pictures(call.video, player))
    keys = asyncio.create_task(_follow_keys(call, hotkeys))
    ended = asyncio.create_task(call.ended.wait())
    try:
        await asyncio.wait((pictures, keys, ended), return_when=asyncio.FIRST_COMPLETED)
        if pictures.done():
            pictures.result()
        by_user = keys.done()
    finally:
        for task in (sound, pictures, keys, ended):
            await cancel(task)
        await asyncio.to_thread(player.close)
        print(_summary(microphone, output, player), flush=True)
    if not by_user:
        print("clients.virtual_camera: the server ended the call", file=sys.stderr)
    return int(not by_user)


async def _show_pictures(track: Any, player: CameraPlayer) -> None:
    """Hand every picture on with the place of its own sound.

    Raises:
        ValueError: the camera has failed.
    """
    from clients.connection import frames_of
    from clients.sound import RATE

    async for pts, frame in frames_of(track):
        player.put(pts * RATE / PICTURE_CLOCK, frame)


async def _follow_keys(call: Call, hotkeys: Hotkeys) -> None:
    """Do what the pressed keys say until it is to leave; a refusal is told and forgotten."""
    from clients.connection import RefusedError
    from clients.hotkeys import pressed_keys

    async with contextlib.aclosing(pressed_keys()) as keys:
        async for key in keys:
            if key == "q":
                return
            if (message := hotkeys.message(key)) is None:
                continue
            try:
                settings = await call.control(message)
                print(f"emotion {settings['emotion']}, mute {settings['mute']}", flush=True)
            except RefusedError as error:
                print(f"clients.virtual_camera: {error}", file=sys.stderr)


def _summary(microphone: MicrophoneTrack, output: SoundOutput | None, player: CameraPlayer) -> str:
    """What was counted in the call, for people."""
    seen = player.counters
    lines = [
        f"pictures: {seen.sent} sent, {seen.dropped} dropped, {seen.overtaken} overtaken, "
        f"{seen.unheard} without sound, {seen.late} too late",
        f"microphone: {microphone.dropped_packets} packets dropped",
    ]
    if output is not None:
        heard, buffer = output.buffer.counters, output.buffer
        lines.append(
            f"sound: {heard.underruns} underruns, {heard.skipped_samples // 48} ms skipped, "
            f"{heard.missing_samples // 48} ms missing, {heard.late_packets} packets late, "
            f"{output.device_underflows} device underflows; "
            f"drift {(buffer.arrivals.rate / buffer.device.rate - 1) * 1e6:+.0f} ppm"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
