"""Settings of the test run that every room shares."""

from __future__ import annotations

from hypothesis import settings

# How long an example takes depends on what else the machine does; a slow one is no failure. Nothing hangs all the
# same: each test has a timeout.
settings.register_profile("parity", deadline=None)
settings.load_profile("parity")
