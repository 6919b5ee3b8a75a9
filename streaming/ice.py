"""Where media may come from and go to: local addresses, candidates of the peer, ICE servers."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import partialmethod
from typing import Any
from urllib.parse import unquote, urlsplit

import aioice.ice
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCIceCandidate, RTCIceServer
from aiortc.rtcconfiguration import RTCIceTransportPolicy
from aiortc.rtcicetransport import parse_stun_turn_uri
from aiortc.sdp import candidate_from_sdp

STUN_S = 1.0
"""How long a STUN server may take: two tries of aioice's, which themselves would go on for 5 s."""
TURN_S = 2.5
"""How long a TURN server may take: connecting, a refusal, and the answer to the credentials."""

_host_addresses = aioice.ice.get_host_addresses
_gather = aioice.ice.Connection.get_component_candidates


@dataclass(frozen=True)
class IceSettings:
    """How peers of other networks are reached; the default is by their own addresses only."""

    servers: tuple[RTCIceServer, ...] = ()
    relay_only: bool = False
    """Let every packet pass a TURN server; neither end learns the other's address."""

    def __post_init__(self) -> None:
        """Refuse a relay that cannot be.

        Raises:
            ValueError: `relay_only` without a TURN server.
        """
        if self.relay_only and not self.has_turn:
            raise ValueError("relaying only needs a TURN server: --ice-server turn:host:port")

    @property
    def has_turn(self) -> bool:
        """Whether one of the servers is a TURN server."""
        return any(str(server.urls).startswith("turn") for server in self.servers)

    def configuration(self) -> RTCConfiguration:
        """What aiortc is told. It uses the first STUN and the first TURN server."""
        policy = RTCIceTransportPolicy.RELAY if self.relay_only else RTCIceTransportPolicy.ALL
        return RTCConfiguration(
            iceServers=list(self.servers),
            bundlePolicy=RTCBundlePolicy.MAX_BUNDLE,
            iceTransportPolicy=policy,
        )

    def as_json(self) -> dict[str, Any]:
        """What a browser's `RTCPeerConnection` is told, credentials included."""
        servers = [_server_as_json(server) for server in self.servers]
        return {"iceServers": servers, "iceTransportPolicy": "relay" if self.relay_only else "all"}


def _server_as_json(server: RTCIceServer) -> dict[str, Any]:
    if not server.username:
        return {"urls": server.urls}
    return {"urls": server.urls, "username": server.username, "credential": server.credential}


def gather_on(host: str) -> None:
    """Offer only the addresses of `host` as candidates, in the whole process.

    aioice skips 127.0.0.1 always and has no option for the addresses; its function that lists them
    is replaced. On a wildcard address all interfaces are offered, and loopback.

    Args:
        host: the address that the server is bound to.
    """
    if host in ("0.0.0.0", "::", ""):
        aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [
            *_host_addresses(use_ipv4, use_ipv6),
            *(["127.0.0.1"] if use_ipv4 else []),
        ]
        return
    address = "127.0.0.1" if host == "localhost" else host
    is_v6 = ipaddress.ip_address(address).version == 6
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: (
        [address] if (use_ipv6 if is_v6 else use_ipv4) else []
    )


def bound_gathering(settings: IceSettings) -> None:
    """Let no connection of the process wait longer for its ICE servers than they need.

    aioice waits 5 s for a server that does not answer, from each local address, and so long nobody
    gets an answer; it has no option for it. Candidates that came in time are used.
    """
    seconds = TURN_S if settings.has_turn else STUN_S
    bounded = partialmethod(_gather, timeout=seconds)
    aioice.ice.Connection.get_component_candidates = bounded  # type: ignore[assignment,method-assign]


def without_mdns(sdp: str) -> str:
    """The description without `.local` candidates.

    Looking such a name up blocks for a second and asks the local network; the peer is found through
    its own checks anyway.
    """
    return re.sub(r"(?m)^a=candidate:.*\.local .*\r?\n?", "", sdp)


def with_shared_candidates(sdp: str) -> str:
    """The offer with the candidates of its first section in every section that has none.

    Browsers write the candidates of bundled media once, into the first section (RFC 9143); aiortc
    reads those of the last one only.
    """
    head, *sections = re.split(r"(?m)^(?=m=)", sdp.rstrip() + "\r\n")
    found = "".join(re.findall(r"(?m)^a=candidate:.*\n", sections[0] if sections else ""))
    return head + "".join(s if "\na=candidate:" in s else s + found for s in sections)


def mids_of(sdp: str) -> list[str]:
    """The names of the media sections of a description."""
    return re.findall(r"(?m)^a=mid:(\S+)", sdp)


def candidates_of(fragment: str) -> list[RTCIceCandidate]:
    """The candidates of a trickle-ice-sdpfrag (RFC 8840), `.local` ones left out.

    Raises:
        ValueError: a candidate line cannot be read.
    """
    candidates, mid = [], "0"
    for line in without_mdns(fragment).splitlines():
        if line.startswith("a=mid:"):
            mid = line[6:].strip()
        elif line.startswith("a=candidate:"):
            try:
                candidate = candidate_from_sdp(line[len("a=candidate:") :])
            except Exception as error:  # the parser asserts, indexes and converts
                raise ValueError(f"cannot read the candidate {line!r}") from error
            candidate.sdpMid = mid
            candidates.append(candidate)
    return candidates


def ice_server(url: str, user: str | None = None, password: str | None = None) -> RTCIceServer:
    """An ICE server from a URL, `stun:host:port` or `turn:user:password@host:port?transport=tcp`.

    Args:
        url: the address, as in RFC 7064 and RFC 7065; user and password may stand in it.
        user: for a TURN server whose URL names none.
        password: of `user`.

    Raises:
        ValueError: the URL cannot be read, or a TURN server lacks user or password.
    """
    scheme, _, rest = url.partition(":")
    if scheme not in ("stun", "stuns", "turn", "turns") or not rest:
        raise ValueError(f"an ICE server is stun:host or turn:user:password@host, got {url!r}")
    parts, address = urlsplit(f"//{rest}"), f"{scheme}:{rest.rpartition('@')[2]}"
    try:
        parse_stun_turn_uri(address)
    except ValueError as error:
        raise ValueError(f"cannot read the ICE server {address!r}: {error}") from None
    if scheme in ("stun", "stuns"):
        return RTCIceServer(address)
    if parts.username:
        user, password = unquote(parts.username), unquote(parts.password or "")
    if not user or not password:
        raise ValueError(
            f"{address} needs user and password: AVATAR_TURN_USER, AVATAR_TURN_PASSWORD"
        )
    return RTCIceServer(address, user, password)
