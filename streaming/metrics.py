"""What Prometheus is told. One registry per server, so several can live in one process."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

_STEP_BUCKETS = (0.001, 0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.03, 0.04, 0.08, 0.2)
_DELAY_BUCKETS = (0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2)


class Metrics:
    """The counters of all sessions of one server."""

    def __init__(self) -> None:
        """All at zero."""
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.sessions = Gauge("avatar_sessions", "Callers at present", registry=registry)
        self.viewers = Gauge("avatar_viewers", "WHEP viewers at present", registry=registry)
        self.steps = Counter("avatar_steps", "Steps of 40 ms made", registry=registry)
        self.step_seconds = Histogram(
            "avatar_step_seconds",
            "Time of one step by stage",
            ["stage"],
            buckets=_STEP_BUCKETS,
            registry=registry,
        )
        self.late_steps = Counter(
            "avatar_late_steps", "Steps made without a picture to catch up", registry=registry
        )
        self.dropped_pictures = Counter(
            "avatar_dropped_pictures", "Pictures left out or not sent in time", registry=registry
        )
        self.concealed_samples = Counter(
            "avatar_concealed_samples", "Missing microphone samples at 48 kHz", registry=registry
        )
        self.late_packets = Counter(
            "avatar_late_packets", "Microphone packets that came too late", registry=registry
        )
        self.queue_depth = Histogram(
            "avatar_queue_steps",
            "Steps that were waiting when the engine came to them",
            buckets=(0, 1, 2, 3, 5, 10, 25),
            registry=registry,
        )
        self.ingest_delay = Histogram(
            "avatar_ingest_delay_seconds",
            "From the arrival of a step's last packet to the finished step",
            buckets=_DELAY_BUCKETS,
            registry=registry,
        )

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)
