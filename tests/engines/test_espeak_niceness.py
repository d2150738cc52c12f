"""Who gets the core first: the server, then what listeners hear, then downloads."""

from __future__ import annotations

import os
from contextlib import aclosing

import msgspec

from gateway.engines.espeak import EspeakEngine
from tests.engines.making import nursery_pids, order, pid_of, workers_at_work

NICENESS, DOWNLOAD_NICENESS = 10, 15
"""As in `espeak_worker`, which a server never loads."""
TEXT = "More words than the sockets hold, so that their worker is still at work. " * 6


async def test_workers_are_nicer_than_the_server_and_those_of_downloads_more_so() -> None:
    engine = EspeakEngine(workers=2)
    try:
        await engine.start()
        ours = os.getpriority(os.PRIO_PROCESS, 0)
        for can_wait, niceness in ((False, NICENESS), (True, DOWNLOAD_NICENESS)):
            wanted = msgspec.structs.replace(order(TEXT, "en-us"), can_wait=can_wait)
            async with aclosing(engine.synthesize(wanted)) as reports:
                await anext(reports)
                await anext(reports)
                (worker,) = workers_at_work(engine)
                theirs = os.getpriority(os.PRIO_PROCESS, pid_of(worker))
                assert theirs == min(19, ours + niceness)
    finally:
        await engine.aclose()


async def test_and_are_compared_with_the_server() -> None:
    """Niceness counts within a session where the kernel has autogroups (sched(7))."""
    engine = EspeakEngine(workers=1)
    try:
        await engine.start()
        assert {os.getsid(pid) for pid in nursery_pids(engine)} == {os.getsid(0)}
        assert os.getpgid(0) not in {os.getpgid(pid) for pid in nursery_pids(engine)}
    finally:
        await engine.aclose()
