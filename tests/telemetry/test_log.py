"""A log line about an exception says what it was and where, and nothing that it says itself."""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncGenerator

import msgspec
import pytest

from gateway.core.synthesis import Begun, Report, Synthesize
from gateway.engines.tone import ToneEngine
from gateway.telemetry.log import ExcInfo, JsonFormatter
from tests.fronts.peers import http_client, use_engine
from tests.support.server import running_server, speech_socket

CANARY = "canary5f1d"


def fail(error: BaseException) -> None:
    raise error


def told(error: BaseException) -> str:
    """The line's `exception`."""
    info: ExcInfo = (None, None, None)
    try:
        fail(error)
    except BaseException:  # noqa: BLE001
        info = sys.exc_info()
    log = logging.getLogger("gateway")
    record = log.makeRecord(log.name, logging.ERROR, "here", 1, "crashed", (), info)
    line = msgspec.json.decode(JsonFormatter().format(record), type=dict[str, str])
    assert CANARY not in str(line)
    return line["exception"]


def test_what_it_is_and_where() -> None:
    lines = told(ValueError(CANARY)).splitlines()
    assert lines[-1] == "builtins.ValueError"
    assert any("test_log.py" in line and "in fail" in line for line in lines)


def test_what_the_system_says_is_told() -> None:
    error = FileNotFoundError(2, "No such file or directory", f"/home/{CANARY}")
    assert told(error).endswith("builtins.FileNotFoundError: No such file or directory")


def test_what_led_to_it_and_what_is_in_it() -> None:
    group = ExceptionGroup(CANARY, [ValueError(CANARY), KeyError(CANARY)])
    group.__cause__ = LookupError(CANARY)
    kinds = [line for line in told(group).splitlines() if not line.startswith(" ")]
    assert kinds == [
        f"builtins.{n}" for n in ("LookupError", "ExceptionGroup", "ValueError", "KeyError")
    ]


def test_a_circle_ends() -> None:
    one, two = ValueError(CANARY), KeyError(CANARY)
    one.__cause__, two.__cause__ = two, one
    assert told(one).count("KeyError") == 1


class Raving(ToneEngine):
    """Says what it could not say."""

    begun = 0

    async def synthesize(self, order: Synthesize) -> AsyncGenerator[Report, None]:
        async for report in super().synthesize(order):
            yield report
            self.begun += isinstance(report, Begun)
            if self.begun:
                raise RuntimeError(f"cannot say {order.text!r}")


@pytest.mark.socket
async def test_a_crash_tells_no_text(caplog: pytest.LogCaptureFixture) -> None:
    async with running_server() as server:
        use_engine(server, Raving())
        async with http_client(server) as client:
            answer = await client.post("/v1/speech", json={"text": CANARY})
            assert (answer.status_code, CANARY in answer.text) == (500, False)
        async with speech_socket(server) as socket:
            await socket.send({"type": "text", "text": CANARY}, {"type": "flush"})
            error = await socket.receive_until("error")
            assert CANARY not in str(error)
    crashes = [record for record in caplog.records if record.exc_info]
    assert {record.message for record in crashes} >= {"request_crashed", "connection_crashed"}
    for record in caplog.records:
        assert CANARY not in JsonFormatter().format(record)
