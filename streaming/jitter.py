"""How evenly packets arrive: the fastest way through the network and the spread above it.

    transit = arrival - position    |....x..x.x....x.....x..|   seconds, one x per packet
                                    base ^           ^ spread above which 2 % of packets lie

Read next: `streaming/receive_buffer.py`.
"""

from __future__ import annotations

from collections import deque

import numpy as np

WINDOW_PACKETS = 128
"""About 2.5 s of 20 ms packets: after a change of the network the estimate is new within that."""


class Jitter:
    """The transit times of the latest packets of one stream."""

    def __init__(self, shortest_s: float, longest_s: float) -> None:
        """An estimate that has seen no packet.

        Args:
            shortest_s: the least patience, seconds.
            longest_s: the greatest patience, seconds.
        """
        self._shortest_s, self._longest_s = shortest_s, longest_s
        self._transits: deque[float] = deque(maxlen=WINDOW_PACKETS)
        self.base_s = 0.0
        """Transit of the fastest packet, seconds on an arbitrary origin."""
        self.patience_s = shortest_s
        """How long after `base_s` a packet is still waited for, seconds."""

    def restart(self, transit_s: float) -> None:
        """Forget everything and take `transit_s` for the fastest way."""
        self._transits.clear()
        self.base_s, self.patience_s = transit_s, self._shortest_s

    def add(self, transit_s: float) -> None:
        """Learn from one packet that took `transit_s` seconds."""
        self._transits.append(transit_s)
        self.base_s = min(self._transits)
        spread_s = float(np.quantile(self._transits, 0.98)) - self.base_s
        self.patience_s = min(max(1.1 * spread_s + 0.01, self._shortest_s), self._longest_s)
