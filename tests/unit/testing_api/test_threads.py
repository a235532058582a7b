# SPDX-License-Identifier: GPL-3.0-or-later
"""Work in threads ends before the caller goes on, whatever happens to the caller."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest
from gravity_cluster.threads import Stopped, in_thread


class Work:
    """Waits until it is told to stop, or to end; notes what happened."""

    def __init__(self) -> None:
        self.begun, self.end, self.ended = threading.Event(), threading.Event(), threading.Event()
        self.told = False

    def __call__(self, stop: threading.Event) -> str:
        self.begun.set()
        while not self.end.wait(0.01):
            if stop.is_set():
                self.told = True
                self.ended.set()
                raise Stopped
        self.ended.set()
        return "done"


async def begun(work: Work, stoppable: bool = True) -> asyncio.Task[str]:
    task = asyncio.create_task(in_thread(work, stoppable=stoppable))
    await asyncio.to_thread(work.begun.wait)
    return task


def test_the_result_and_the_error_come_through() -> None:
    assert asyncio.run(in_thread(lambda _stop: 7)) == 7
    with pytest.raises(ZeroDivisionError):
        asyncio.run(in_thread(lambda _stop: 1 // 0))


def test_a_cancelled_task_tells_the_work_and_waits_for_its_end() -> None:
    work = Work()

    async def scenario() -> None:
        task = await begun(work)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert work.ended.is_set()

    asyncio.run(scenario())
    assert work.told


@pytest.mark.parametrize("times", [1, 3])
def test_work_that_cannot_be_stopped_is_awaited_however_often_its_task_is_cancelled(times: int) -> None:
    work = Work()

    async def scenario() -> None:
        task = await begun(work, stoppable=False)
        for _number in range(times):
            task.cancel()
            await asyncio.sleep(0.02)
            assert not task.done()
        work.end.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert work.ended.is_set()
    assert not work.told


def test_a_loop_that_is_closed_under_it_waits_too() -> None:
    work = Work()

    async def scenario() -> None:
        await begun(work, stoppable=False)
        threading.Timer(0.2, work.end.set).start()
        # asyncio.run cancels every task that is left, as it does when Ctrl-C is pressed twice.

    asyncio.run(scenario())
    assert work.ended.is_set()


def test_a_timeout_is_a_timeout() -> None:
    work = Work()

    async def scenario() -> None:
        async with asyncio.timeout(0.1):
            await in_thread(work)

    with pytest.raises(TimeoutError):
        asyncio.run(scenario())
    assert work.told


def test_the_context_of_the_caller_is_seen() -> None:
    variable = contextvars.ContextVar("variable", default="none")

    async def scenario() -> str:
        variable.set("the caller's")
        return await in_thread(lambda _stop: variable.get())

    assert asyncio.run(scenario()) == "the caller's"
