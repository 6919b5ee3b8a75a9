"""Where media may come from and go to: local addresses, candidates of the peer, ICE servers."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

import aioice.ice
from aiortc import RTCIceCandidate, RTCIceServer
from aiortc.sdp import candidate_from_sdp

_host_addresses = aioice.ice.get_host_addresses


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


def without_mdns(sdp: str) -> str:
    """The description without `.local` candidates.

    Looking such a name up blocks for a second and asks the local network; the peer is found through
    its own checks anyway.
    """
    return re.sub(r"(?m)^a=candidate:.*\.local .*\r?\n?", "", sdp)


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


def ice_server(url: str) -> RTCIceServer:
    """An ICE server from a URL, `stun:host:port` or `turn:user:password@host:port`.

    Raises:
        ValueError: the scheme is none of stun, stuns, turn, turns.
    """
    scheme, _, rest = url.partition(":")
    if scheme not in ("stun", "stuns", "turn", "turns") or not rest:
        raise ValueError(f"an ICE server is stun:host or turn:user:password@host, got {url!r}")
    parts = urlsplit(f"//{rest}")
    address = rest.rpartition("@")[2]
    return RTCIceServer(f"{scheme}:{address}", parts.username, parts.password)
