# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark behind ``make bench``; tests/bench/README.md says what it measures and how."""
