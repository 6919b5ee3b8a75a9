"""The options that say how media travels: the same for every command that opens connections."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streaming.bit_rates import BitRates
    from streaming.ice import IceSettings

USER_VARIABLE, PASSWORD_VARIABLE = "AVATAR_TURN_USER", "AVATAR_TURN_PASSWORD"


def add_network_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ICE servers and bit rates to a command line."""
    network = parser.add_argument_group("network")
    network.add_argument(
        "--ice-server",
        action="append",
        default=[],
        metavar="URL",
        help=f"stun:host:port or turn:host:port, with {USER_VARIABLE} and {PASSWORD_VARIABLE}",
    )
    network.add_argument(
        "--ice-policy", choices=("all", "relay"), default="all", help="relay: through TURN only"
    )
    for name, meaning in (
        ("bitrate", "of the picture at the start; default: 1500 at 512 px"),
        ("min-bitrate", "that a bad network may force; default: a quarter of it"),
        ("max-bitrate", "that a good network may reach; default: twice of it"),
    ):
        network.add_argument(f"--{name}", type=int, metavar="KBIT", help=f"kbit/s {meaning}")


def ice_settings(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> IceSettings:
    """The ICE servers and the policy that the options describe.

    Raises:
        ValueError: one line for the user: a URL that cannot be read, TURN without credentials,
            relaying without TURN.
    """
    from streaming.ice import IceSettings, ice_server

    user, password = env.get(USER_VARIABLE), env.get(PASSWORD_VARIABLE)
    servers = tuple(ice_server(url, user, password) for url in args.ice_server)
    return IceSettings(servers, relay_only=args.ice_policy == "relay")


def bit_rates(args: argparse.Namespace) -> BitRates:
    """The bit rates that the options describe, for pictures of `args.size` px.

    Raises:
        ValueError: one line for the user: a rate that is no rate, or not in order.
    """
    from streaming.bit_rates import BitRates

    given = (args.bitrate, args.min_bitrate, args.max_bitrate)
    start, lowest, highest = (None if kbit is None else kbit * 1000 for kbit in given)
    return BitRates.of_picture(args.size, start, lowest, highest)
