"""One server for all tests of a module that ask for no limits of their own: stopping one takes a tenth of a second."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from gateway.engines.tone import ToneEngine
from tests.fronts.peers import http_client, use_engine
from tests.support.leaks import held, settled
from tests.support.server import RunningServer, running_server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_server() -> AsyncIterator[RunningServer]:
    async with running_server() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def server(shared_server: RunningServer) -> AsyncIterator[RunningServer]:
    """The module's server with an undisturbed engine. After each test it must hold what it held before."""
    use_engine(shared_server, ToneEngine())
    before = held(shared_server.house)
    yield shared_server
    await settled(shared_server.house, before)


@pytest_asyncio.fixture(loop_scope="module")
async def client(server: RunningServer) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(server) as client:
        yield client
