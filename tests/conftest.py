"""What holds for all tests: which loop runs them, how hard the properties try, and that no secret is told to anybody."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Generator, Mapping

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.support import canaries
from tests.support.virtual_time import VirtualTimeLoop

# A slow machine is no failure, so there is no deadline. A failure prints the line that replays it.
settings.register_profile(
    "default",
    deadline=None,
    max_examples=100,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=3_000)
# Whoever only wants to know whether a bug is noticed need not have it made small.
settings.register_profile(
    "planted",
    settings.get_profile("default"),
    phases=[Phase.explicit, Phase.generate],
    database=None,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


canaries.mark_secrets()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """A test that let a secret out has failed."""
    try:
        result = yield
    except BaseException:
        canaries.seen.clear()
        raise
    canaries.judge()
    return result


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests marked `virtual_time` get the loop that never waits, the others an ordinary one."""
    if item.get_closest_marker("virtual_time"):
        return {"virtual": VirtualTimeLoop}
    return {"ordinary": asyncio.new_event_loop}
