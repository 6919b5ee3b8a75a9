"""`python -m avatar.join whip --url URL`: the avatar as a participant of somebody else's call.

    python -m avatar.join whip --url https://media.example/whip/me --portrait me.jpg

The engine runs in this process; sound comes from the microphone, a file or the room itself.
Read next: `streaming/rooms/participant.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from avatar.face_options import add_face_arguments, check_face, load_avatar
from avatar.network_options import add_network_arguments, bit_rates, ice_settings

if TYPE_CHECKING:
    from avatar.engine import Avatar
    from streaming.rooms.participant import Room
    from streaming.sound_source import SoundSource

TAIL_S = 0.5
"""Silence after a file, so that its last sound has left with its picture."""

SOUNDS = ("audio", "microphone", "listen", "agent")
"""Options that name what the face speaks, and exclude one another."""

log = logging.getLogger(__name__)


class RoomKind(NamedTuple):
    """One way to join.

    help: a line. schemes: of its --url. needs: the module of the extra `rooms` that it imports.
    add: adds its options. open: makes the room, on the event loop, and gives the sound that the
    face speaks: the one given, or the room's own when that is None.
    """

    help: str
    schemes: tuple[str, ...]
    needs: str | None
    add: Callable[[argparse._ArgumentGroup], None]
    open: Callable[[argparse.Namespace, SoundSource | None], tuple[Room, SoundSource]]


def get_parser() -> argparse.ArgumentParser:
    """The command line of `python -m avatar.join`."""
    parser = argparse.ArgumentParser(
        prog="python -m avatar.join", description="Let the avatar take part in a call."
    )
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="|".join(ROOMS))
    for name, kind in ROOMS.items():
        room = kinds.add_parser(name, help=kind.help, description=kind.help)
        group = room.add_argument_group("room")
        group.add_argument("--url", required=True, help=f"{' or '.join(kind.schemes)} address")
        kind.add(group)
        _add_sound_arguments(room)
        add_face_arguments(room)
        add_network_arguments(room)
    return parser


def _add_sound_arguments(parser: argparse.ArgumentParser) -> None:
    sound = parser.add_argument_group("sound, by default the sound card's input")
    sound.add_argument("--microphone", metavar="DEVICE", help="input, by number or part of name")
    sound.add_argument("--audio", type=Path, metavar="FILE", help="speak this, then leave")
    sound.add_argument("--loop", action="store_true", help="speak the file again and again")
    sound.add_argument("--seed", type=int, help="makes the idle motion repeatable")


def main(argv: Sequence[str] | None = None) -> int:
    """Take part until interrupted or done; 0, or 2 when the user can do something about it."""
    args = get_parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="avatar-join: %(message)s")
    for name in ("streaming.rooms", __name__):
        logging.getLogger(name).setLevel(logging.INFO)
    try:
        open_sound = _check(args)
        avatar = load_avatar(args, "avatar-join")
        avatar.warm_up()
        asyncio.run(_take_part(args, avatar, open_sound))
    except (ValueError, OSError) as error:
        print(f"avatar-join: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0
    return 0


def _check(args: argparse.Namespace) -> Callable[[], SoundSource | None]:
    """Refuse what cannot work before anything slow; the way to open the local sound.

    Raises:
        ValueError: one line for the user.
    """
    check_face(args)
    schemes, needs = ROOMS[args.kind].schemes, ROOMS[args.kind].needs
    if needs is not None and not _is_installed(needs):
        raise ValueError(f"{needs} is not installed: pip install 'emotive-avatar[rooms]'")
    url = urlsplit(args.url)
    if url.scheme not in schemes or not url.hostname:
        raise ValueError(f"--url must be {' or '.join(schemes)}://host..., got {args.url!r}")
    given = [name for name in SOUNDS if getattr(args, name, None) is not None]
    if len(given) > 1:
        raise ValueError(f"choose one of --{' and --'.join(given)}")
    if args.loop and args.audio is None:
        raise ValueError("--loop needs --audio")
    ice_settings(args), bit_rates(args)
    if "listen" in given or "agent" in given:
        return lambda: None
    return _file(args) if args.audio is not None else _microphone(args.microphone)


def _is_installed(module: str) -> bool:
    """Whether a module is there, without importing it."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _file(args: argparse.Namespace) -> Callable[[], SoundSource]:
    """The way to open `--audio`; raises ValueError when it cannot be read."""
    from clients.sound import RATE, SentSound, SoundTrack, read_sound
    from streaming.sound_source import TrackSource

    samples = read_sound(str(args.audio))
    length = None if args.loop else len(samples) + round(TAIL_S * RATE)
    return lambda: TrackSource(SoundTrack(SentSound(samples, args.loop)), length)


def _microphone(wanted: str | None) -> Callable[[], SoundSource]:
    """The way to open an input of the sound card; raises ValueError when there is none."""
    from clients.devices import find_device, load_sounddevice

    device = find_device(load_sounddevice(), "input", wanted)

    def open_() -> SoundSource:
        from clients.sound_card import MicrophoneTrack
        from streaming.sound_source import TrackSource

        return TrackSource(MicrophoneTrack(device))

    return open_


async def _take_part(
    args: argparse.Namespace, avatar: Avatar, open_sound: Callable[[], SoundSource | None]
) -> None:
    """Take part until SIGINT or SIGTERM, or until the sound or the room is over."""
    from clients.connection import is_loopback
    from streaming.ice import bound_gathering, gather_on
    from streaming.peer import set_vp8_bitrate
    from streaming.rooms.participant import take_part

    if is_loopback(args.url):
        gather_on("0.0.0.0")  # aioice leaves loopback out by itself
    bound_gathering(ice_settings(args))
    rates = bit_rates(args)
    set_vp8_bitrate(rates.start, rates.lowest, rates.highest)
    room, source = ROOMS[args.kind].open(args, open_sound())
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, room.left.set)
    stats = await take_part(avatar, room, source, args.seed)
    log.info("Left after %.1f s, %d pictures late", stats["step"] / 25, stats["late_steps"])


def _add_whip(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--token", help="for Authorization: Bearer; or WHIP_TOKEN")


def _open_whip(args: argparse.Namespace, sound: SoundSource | None) -> tuple[Room, SoundSource]:
    from streaming.rooms.whip import WhipRoom

    assert sound is not None, "an endpoint sends no sound"
    token = args.token or os.environ.get("WHIP_TOKEN") or None
    return WhipRoom(args.url, token, ice_settings(args)), sound


def _add_janus(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--room", required=True, metavar="ID", help="of the VideoRoom")
    group.add_argument("--pin", help="of the room; or JANUS_PIN")
    group.add_argument("--api-secret", help="of the server; or JANUS_API_SECRET")
    group.add_argument("--display", default="Avatar", metavar="NAME", help="our name in the room")
    group.add_argument("--listen", metavar="NAME", help="speak this participant's sound; or an id")


def _open_janus(args: argparse.Namespace, sound: SoundSource | None) -> tuple[Room, SoundSource]:
    from streaming.rooms.janus import JanusOptions, JanusRoom

    options = JanusOptions(
        url=args.url,
        room=int(args.room) if args.room.isdecimal() else args.room,
        pin=args.pin or os.environ.get("JANUS_PIN") or None,
        display=args.display,
        bitrate=bit_rates(args).highest,
        api_secret=args.api_secret or os.environ.get("JANUS_API_SECRET") or None,
        listen=args.listen,
    )
    room = JanusRoom(options, ice_settings(args))
    return room, room.source if sound is None else sound


def _add_livekit(group: argparse._ArgumentGroup) -> None:
    token = os.environ.get("LIVEKIT_TOKEN")
    group.add_argument(
        "--token", default=token, required=not token, help="room and identity; or LIVEKIT_TOKEN"
    )
    group.add_argument("--listen", metavar="IDENTITY", help="speak this participant's sound")
    group.add_argument(
        "--agent", metavar="IDENTITY", nargs="?", const="",
        help="be the face of a LiveKit agent; by default the one that the token or the room names",
    )  # fmt: skip


def _open_livekit(args: argparse.Namespace, sound: SoundSource | None) -> tuple[Room, SoundSource]:
    from streaming.rooms.livekit_agent import AgentSource
    from streaming.rooms.livekit_participant import ParticipantSource
    from streaming.rooms.livekit_room import LiveKitOptions, LiveKitRoom

    options = LiveKitOptions(
        args.url, args.token, args.size, bit_rates(args).highest, ice_settings(args)
    )
    if sound is not None:
        return LiveKitRoom(options), sound
    if args.listen is not None:
        participant = ParticipantSource(args.listen)
        return LiveKitRoom(options, participant), participant
    agent = AgentSource(args.agent or None)
    return LiveKitRoom(options, agent, agent.heard), agent


ROOMS = {
    "janus": RoomKind(
        "join a Janus VideoRoom", ("ws", "wss"), "websockets", _add_janus, _open_janus
    ),
    "livekit": RoomKind(
        "join a LiveKit room", ("ws", "wss"), "livekit.rtc", _add_livekit, _open_livekit
    ),
    "whip": RoomKind("publish to a WHIP endpoint", ("http", "https"), None, _add_whip, _open_whip),
}


if __name__ == "__main__":
    sys.exit(main())
