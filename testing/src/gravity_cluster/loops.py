# SPDX-License-Identifier: GPL-3.0-or-later
"""Coroutines for code that is none, whatever runs in its thread."""

from __future__ import annotations

import asyncio
import contextlib
import queue
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """As ``asyncio.run``, also where a loop runs already.

    Fixtures of others leave one: synchronous Playwright, for example, until its session ends. There, ``work`` gets a thread; when this
    one is interrupted, ``work`` is cancelled and its end awaited, as ``asyncio.run`` does.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    begun: queue.SimpleQueue[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any] | None]] = queue.SimpleQueue()

    async def noted() -> Result:
        begun.put((asyncio.get_running_loop(), asyncio.current_task()))
        return await work

    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(lambda: asyncio.run(noted()))
        try:
            return ended.result()
        except BaseException:
            if not ended.done():
                loop, task = begun.get()
                # It may end just now.
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(task.cancel if task else loop.stop)
                ended.exception()
            raise
