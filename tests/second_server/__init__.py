"""A second server: plain dictionaries behind synchronous grpcio, written from the contract's pages alone.

It shares no code with the reference server. Where both agree under the conformance suite, the suite is not merely a
description of one implementation. `DEFECTS` lists what can be planted in it, `CHOICES` what it may do otherwise.
"""

from tests.second_server.defects import CHOICES, DEFECTS
from tests.second_server.server import RunningServer, start

__all__ = ["CHOICES", "DEFECTS", "RunningServer", "start"]
