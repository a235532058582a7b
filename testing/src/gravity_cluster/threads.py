# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocking work for coroutines, with an end that can be relied on."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


class Stopped(Exception):
    """Raised by work that has ended because it was told to."""


async def in_thread(work: Callable[[threading.Event], Result], *, stoppable: bool = True) -> Result:
    """Run ``work(stop)`` in a thread.

    As ``asyncio.to_thread``, but when the task is cancelled, ``stop`` is set and the end of ``work`` awaited, so that nothing goes on
    behind the caller's back. Work that is not ``stoppable`` is not even told: it runs to its end, however often the task is cancelled.
    Then ``CancelledError`` goes on.
    """
    stop = threading.Event()
    # A future and no task: a loop that closes cancels all its tasks, and would forget the thread.
    future = asyncio.get_running_loop().run_in_executor(None, contextvars.copy_context().run, work, stop)
    interrupted: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait({future})
        except asyncio.CancelledError as exc:
            interrupted = exc
            if stoppable:
                stop.set()
    if interrupted is None:
        return future.result()
    # What it failed with is known to the log; asking for it here keeps asyncio from reporting it once more.
    future.exception()
    raise interrupted
