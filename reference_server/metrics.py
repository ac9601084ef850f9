"""Metrics for Prometheus: requests by operation and code, their seconds, what the store holds and how it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from protos.kinds import KINDS
from reference_server.store_health import StoreHealth
from stores.contract import Store, StoreError

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


class Metrics:
    """The numbers of one server, in a registry of their own."""

    def __init__(self, store: Store, health: StoreHealth) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "parity_requests", "Requests by operation and gRPC code.", ("operation", "code"), registry=self.registry
        )
        self._seconds = Histogram(
            "parity_request_seconds", "Time per request.", ("operation",), buckets=_SECONDS, registry=self.registry
        )
        in_flight = Gauge("parity_requests_in_flight", "Requests under way.", registry=self.registry)
        self._in_flight = in_flight
        resources = Gauge("parity_resources", "Resources in the store, by kind.", ("kind",), registry=self.registry)
        for kind in (*KINDS, "event"):
            resources.labels(kind).set_function(partial(_count, store, kind))
        self._damage = Counter(
            "parity_store_damage", "Records and indexes that couldn't be read back.", ("kind",), registry=self.registry
        )
        healthy = Gauge(
            "parity_store_healthy", "1 while no damage was met and writes are taken.", registry=self.registry
        )
        healthy.set_function(lambda: float(health.is_healthy))
        health.on_damage.append(lambda kind: self._damage.labels(kind).inc())
        size = Gauge("parity_store_bytes", "Bytes that the store takes on disk.", registry=self.registry)
        size.set_function(partial(_size, store))

    @contextmanager
    def request(self, operation: str) -> Iterator[list[str]]:
        """Count and time one request; the block replaces the one item of the list by the code it answered."""
        code = ["OK"]
        begun = time.perf_counter()
        self._in_flight.inc()
        try:
            yield code
        finally:
            self._in_flight.dec()
            self._seconds.labels(operation).observe(time.perf_counter() - begun)
            self._requests.labels(operation, code[0]).inc()

    def serve(self, listen: str) -> None:
        """Answer `GET /metrics` on host:port, in a thread of its own. Raises OSError when the port is taken."""
        host, _, port = listen.rpartition(":")
        start_http_server(int(port), host, registry=self.registry)


def _count(store: Store, kind: str) -> float:
    try:
        return store.count(kind)
    except StoreError:
        return float("nan")


def _size(store: Store) -> float:
    try:
        return store.size_on_disk().allocated_bytes
    except StoreError:
        return float("nan")
