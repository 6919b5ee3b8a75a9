"""`python -m avatar.serve --portrait me.jpg --emotion happy.mp4`: the avatar on http://127.0.0.1:8080.

Joins the engine (`avatar/engine.py`) and the server (`streaming/server.py`).
Read next: `streaming/session.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import logging
import os
import signal
import socket
import ssl
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from avatar.face_options import add_face_arguments, check_face, load_avatar
from avatar.network_options import add_network_arguments, bit_rates, ice_settings

if TYPE_CHECKING:
    from avatar.engine import Avatar
    from streaming.server import ServerOptions


def get_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(prog="avatar-serve", description="Serve a talking avatar.")
    add_face_arguments(parser)
    _add_server_options(parser)
    add_network_arguments(parser)
    return parser


def _add_server_options(parser: argparse.ArgumentParser) -> None:
    server = parser.add_argument_group("server")
    server.add_argument("--seed", type=int, help="makes the idle motion repeatable")
    server.add_argument("--host", default="127.0.0.1", help="other than loopback needs --token")
    server.add_argument("--port", type=int, default=8080)
    server.add_argument("--max-sessions", type=int, default=4, metavar="N")
    server.add_argument("--token", help="needed from every caller; or AVATAR_TOKEN")
    server.add_argument("--cert", type=Path, help="certificate for https, PEM")
    server.add_argument("--key", type=Path, help="key of the certificate, PEM")
    server.add_argument(
        "--log-level", choices=("debug", "info", "warning", "error"), default="warning"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted; 0, or 2 after a mistake of the user."""
    options = get_parser().parse_args(argv)
    logging.basicConfig(
        level=options.log_level.upper(), format="%(levelname)s %(name)s: %(message)s"
    )
    try:
        _check(options)
        server = _server_options(options)
        avatar = load_avatar(options, "avatar-serve")
        avatar.warm_up()
        asyncio.run(_serve(avatar, server))
    except (ValueError, OSError) as error:
        print(f"avatar-serve: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0
    return 0


def _check(options: argparse.Namespace) -> None:
    """Refuse options that cannot work, before anything slow.

    Raises:
        ValueError: one line for the user.
        OSError: the port cannot be bound.
    """
    check_face(options)
    if not 0 <= options.port <= 65535:
        raise ValueError(f"--port must be 0 to 65535, got {options.port}")
    if options.max_sessions < 1:
        raise ValueError(f"--max-sessions must be at least 1, got {options.max_sessions}")
    if bool(options.cert) != bool(options.key):
        raise ValueError("--cert and --key go together")
    if not _is_loopback(options.host) and not _token(options):
        raise ValueError(f"--host {options.host} lets others in: give --token or set AVATAR_TOKEN")
    _check_free(options.host, options.port)


def _check_free(host: str, port: int) -> None:
    """Bind the port for a moment: loading takes seconds, and a busy port should say so at once.

    Raises:
        OSError: it cannot be bound.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise OSError(f"cannot listen on {host}:{port}: {error.strerror}") from None


def _is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`.

    Raises:
        ValueError: `host` is neither an IP address nor localhost.
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        raise ValueError(f"--host must be an IP address or localhost, got {host!r}") from None


def _token(options: argparse.Namespace) -> str | None:
    return options.token or os.environ.get("AVATAR_TOKEN") or None


def _server_options(options: argparse.Namespace) -> ServerOptions:
    """The server's share of the options.

    Raises:
        ValueError: an ICE server or a bit rate that cannot be used.
        OSError: the certificate cannot be read.
    """
    from streaming.server import ServerOptions

    context = None
    if options.cert:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options.cert, options.key)
    return ServerOptions(
        host=options.host,
        port=options.port,
        max_sessions=options.max_sessions,
        token=_token(options),
        ssl=context,
        ice=ice_settings(options),
        bit_rates=bit_rates(options),
        page=Path(str(files("clients"))) / "browser",
        seed=options.seed,
    )


async def _serve(avatar: Avatar, options: ServerOptions) -> None:
    """Serve until SIGINT or SIGTERM."""
    from streaming.server import serve

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(avatar, options, stop, lambda url: _announce(url, options))


def _announce(url: str, options: ServerOptions) -> None:
    print(f"Serving on {url}", flush=True)
    if options.ssl is None and not _is_loopback(options.host):
        print(
            "Browsers give the microphone only to https or localhost: add --cert and --key.",
            file=sys.stderr,
        )


if __name__ == "__main__":
    sys.exit(main())
