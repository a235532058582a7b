# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for the pip bootstrap that ansible-test would download from one fixed place on the internet.

ansible-test runs it with the Python of a virtual environment that has no pip yet, and with the arguments of get-pip.py.
The pip that is found in PATH (the one of .venv) installs the same packages from whatever package index the user has set.
"""

from __future__ import annotations

import subprocess
import sys

if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
    sys.exit(subprocess.call(["pip", "--python", sys.executable, "install", "--quiet", *arguments]))
