# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the tests that make up their own input."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Machines are shared and noisy: how long one example takes says nothing.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")
