"""Every limit has a test at its border, and the table that says which; a new limit without one fails.

Sizes and numbers are tried one below, at and one above; times by the very moment at which they strike, in virtual time.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import ExitStack

import pytest

from gateway.core.limits import Limits
from gateway.runtime.wire import Verdict
from tests.fronts.peers import TEXT, frame, http_client, raw_peer
from tests.support.checkout import ROOT
from tests.support.memory import memory_house, memory_socket
from tests.support.server import running_server, tone_config

HERE = "limits/test_boundaries.py"
GUARD = "guard/test_requests.py"
BORDERS = {
    "text_chars_max": f"{HERE}::test_text_and_whole_chars",
    "whole_chars_max": f"{HERE}::test_text_and_whole_chars",
    "chars_pending_max": "core/test_session.py",
    "history_chars_max": "properties/test_session_machine.py",
    "audio_ahead_ms": "core/test_session.py",
    "lookahead": "runtime/test_speaker.py::test_orders_never_exceed_the_lookahead",
    "events_pending_max": "core/test_session.py",
    "replies_pending_max": "runtime/test_mux_bounds.py",
    "contexts_max": f"{HERE}::test_contexts",
    "contexts_total_max": f"{HERE}::test_contexts",
    "contexts_ended_kept": "runtime/test_mux.py",
    "context_idle_ms": "core/test_session.py",
    "context_idle_warning_ms": "core/test_session.py",
    "first_message_ms": f"{HERE}::test_the_first_message",
    "connection_idle_ms": f"{HERE}::test_silence_between_messages",
    "ping_interval_ms": f"{HERE}::test_pings",
    "ping_timeout_ms": f"{HERE}::test_pings",
    "head_read_ms": f"{GUARD}::test_a_head_in_drops_is_refused_when_its_time_is_over",
    "next_request_ms": f"{GUARD}::test_a_connection_waits_so_long_for_its_next_request",
    "url_bytes_max": f"{HERE}::test_urls",
    "header_bytes_max": f"{HERE}::test_header_bytes",
    "headers_max": f"{HERE}::test_headers",
    "body_bytes_max": "fronts/test_http.py::test_size_is_bounded",
    "message_bytes_max": "fronts/test_websocket.py",
    "frame_bytes_max": "fronts/test_websocket.py",
    "fragments_max": f"{HERE}::test_fragments",
    "frames_per_second_max": "guard/test_frames.py",
    "send_stall_ms": "runtime/test_mux_bounds.py",
    "body_read_ms": f"{GUARD}::test_so_is_a_body",
    "keep_alive_ms": "fronts/test_events.py",
    "resume_window_ms": "runtime/test_resume.py",
    "resume_ring_bytes": "runtime/test_resume.py",
    "resume_rings_bytes_max": "runtime/test_resume.py",
    "sessions_parked_max": "runtime/test_resume.py",
    "lost_text_ms": "runtime/test_resume.py",
    "lost_text_chars_max": "runtime/test_resume.py",
    "token_open_ms": "accounts/test_gate.py::test_a_token_opens_in_time_or_not_at_all",
    "token_session_ms": "accounts/test_access.py::test_a_connection_by_token_has_its_time",
    "tokens_pending_max": "accounts/test_gate.py::test_waiting_tokens_are_bounded",
    "send_buffer_bytes": "guard/test_slow_readers.py",
    "connections_max": f"{HERE}::test_connections",
    "sockets_max": f"{HERE}::test_sockets",
    "load_percent_max": "runtime/test_forecast.py",
    "wait_ms_max": "runtime/test_forecast.py",
}
AROUND = pytest.mark.parametrize("more", [-1, 0, 1])
LIMIT = 200


def test_every_limit_has_its_test() -> None:
    assert set(BORDERS) == set(Limits.__struct_fields__)


@pytest.mark.parametrize("name", BORDERS)
def test_it_is_there(name: str) -> None:
    file, _, test = BORDERS[name].partition("::")
    source = (ROOT / "tests" / file).read_text(encoding="utf-8")
    assert re.search(rf"\b{name}\b", source)
    assert not test or re.search(rf"def {test}\(", source)


@AROUND
@pytest.mark.socket
async def test_text_and_whole_chars(more: int) -> None:
    asked = {"text": "a" * (LIMIT + more)}
    for whole in (False, True):
        limits = {"text_chars_max": 300 if whole else LIMIT, "whole_chars_max": LIMIT}
        async with running_server(tone_config(**limits)) as server, http_client(server) as client:
            answer = await client.post("/v1/speech", json={**asked, "stream": not whole})
            assert answer.status_code == (413 if more > 0 else 200)


@AROUND
@pytest.mark.virtual_time
@pytest.mark.parametrize("name", ["contexts_max", "contexts_total_max"])
async def test_contexts(name: str, more: int) -> None:
    async with memory_house(None, **{name: 3}) as house, memory_socket(house) as socket:
        for number in range(3 + more):
            await socket.send({"type": "configure", "context": str(number)})
        await socket.send({"type": "ping"})
        await socket.receive_until("pong")
        assert len(socket.messages("error")) == max(0, more)


@AROUND
@pytest.mark.socket
async def test_connections(more: int) -> None:
    async with (
        running_server(tone_config(connections_max=3)) as server,
        http_client(server) as client,
    ):
        with ExitStack() as others:
            for _ in range(2 + more):
                others.enter_context(server.house.admission.connection())
            answer = await client.post("/v1/speech", json={"text": "I."})
            assert answer.status_code == (503 if more > 0 else 200)


@pytest.mark.virtual_time
async def test_the_first_message() -> None:
    async with memory_house(first_message_ms=5_000) as house, memory_socket(house) as silent:
        assert await silent.verdict is Verdict.FIRST_MESSAGE_LATE
        assert asyncio.get_running_loop().time() == pytest.approx(5.0)


@pytest.mark.virtual_time
async def test_silence_between_messages() -> None:
    async with (
        memory_house(first_message_ms=5_000, connection_idle_ms=8_000) as house,
        memory_socket(house) as socket,
    ):
        await asyncio.sleep(4.999)
        await socket.send({"type": "ping"})
        await asyncio.sleep(7.999)
        await socket.send({"type": "ping"})
        assert await socket.verdict is Verdict.IDLE
        assert asyncio.get_running_loop().time() == pytest.approx(4.999 + 7.999 + 8.0)


@pytest.mark.virtual_time
async def test_an_open_context_is_no_silence() -> None:
    async with (
        memory_house(connection_idle_ms=1_000, context_idle_ms=50_000) as house,
        memory_socket(house) as socket,
    ):
        await socket.send({"type": "configure"})
        await asyncio.sleep(40)
        assert not socket.verdict.done()
        assert await socket.verdict is Verdict.IDLE
        assert asyncio.get_running_loop().time() > 50


@pytest.mark.socket
@pytest.mark.virtual_time
async def test_pings() -> None:
    limits = {"ping_interval_ms": 3_000, "ping_timeout_ms": 2_000}
    async with running_server(tone_config(**limits)) as server, raw_peer(server) as peer:
        loop = asyncio.get_running_loop()
        await peer.upgrade()
        begun = loop.time()
        await peer.reader.readuntil(b"\x89\x04")
        assert loop.time() - begun == pytest.approx(3, abs=0.01)
        await peer.read_to_end()
        assert loop.time() - begun == pytest.approx(5, abs=0.01)


async def answered(limits: dict[str, int], request: bytes) -> int:
    async with running_server(tone_config(**limits)) as server, raw_peer(server) as peer:
        await peer.send(request)
        return (await peer.answer())[0]


@AROUND
@pytest.mark.socket
async def test_urls(more: int) -> None:
    url = b"/" + b"a" * (1_023 + more)
    status = await answered({"url_bytes_max": 1_024}, b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % url)
    assert status == (414 if more > 0 else 404)


@AROUND
@pytest.mark.socket
async def test_header_bytes(more: int) -> None:
    fields = b"Host: a\r\n"
    fields += b"x: " + b"a" * (1_024 + more - len(fields) - 5) + b"\r\n"
    assert len(fields) == 1_024 + more
    status = await answered(
        {"header_bytes_max": 1_024}, b"GET /healthz HTTP/1.1\r\n%b\r\n" % fields
    )
    assert status == (431 if more > 0 else 200)


@AROUND
@pytest.mark.socket
async def test_headers(more: int) -> None:
    fields = b"Host: a\r\n" + b"x: y\r\n" * (9 + more)
    status = await answered({"headers_max": 10}, b"GET /healthz HTTP/1.1\r\n%b\r\n" % fields)
    assert status == (431 if more > 0 else 200)


@AROUND
@pytest.mark.socket
async def test_fragments(more: int) -> None:
    message = b'{"type":"ping","id":"whole"}'
    parts = [frame(0x0, b"", final=False)] * (10 + more - 2)
    async with running_server(tone_config(fragments_max=10)) as server, raw_peer(server) as peer:
        await peer.upgrade()
        first, last = frame(TEXT, message, final=False), frame(0x0, b"")
        await peer.send(first + b"".join(parts) + last)
        await peer.reader.readuntil(b"too_many_fragments" if more > 0 else b'"pong"')


@AROUND
@pytest.mark.socket
async def test_sockets(more: int) -> None:
    async with (
        running_server(tone_config(sockets_max=2 - more)) as server,
        raw_peer(server) as first,
        raw_peer(server) as second,
    ):
        served = 0
        for peer in (first, second):
            await peer.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            served += b" 200 " in await peer.read_to_end()
        assert served == min(2, 2 - more)
