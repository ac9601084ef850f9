"""Latencies as HDR histograms: all of them, in some kilobytes, merged without loss, exact to three digits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from hdrh.histogram import HdrHistogram

LOWEST_US, HIGHEST_US, DIGITS = 1, 600_000_000, 3
"""From a microsecond to ten minutes."""
PERCENTILES = (50.0, 90.0, 99.0, 99.9, 99.99)


def encoded(values_us: Iterable[float]) -> str:
    """Return the histogram of latencies, in its own V2 encoding, compressed and in base64."""
    histogram = _new()
    for value, count in Counter(max(LOWEST_US, min(HIGHEST_US, round(value))) for value in values_us).items():
        histogram.record_value(value, count)
    text: bytes = histogram.encode()
    return text.decode("ascii")


def merged(histograms: Sequence[str]) -> HdrHistogram:
    """Return one histogram of all that were encoded."""
    whole = _new()
    for one in histograms:
        whole.decode_and_add(one.encode("ascii"))
    return whole


def percentile_us(histogram: HdrHistogram, percentile: float) -> float:
    """Return the latency that so many percent of the calls stayed within."""
    return float(histogram.get_value_at_percentile(percentile))


def _new() -> HdrHistogram:
    return HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
