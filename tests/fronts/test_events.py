"""`POST /v1/speech` among events, as NDJSON and as server-sent events: the messages of the WebSocket, line by line."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, MutableMapping, Sequence
from itertools import pairwise

import httpx
import msgspec
import pytest

from gateway.core.errors import EngineTimeout
from gateway.core.synthesis import Finished, Report, Synthesize
from gateway.dialects.native import AudioMessage
from gateway.engines.chaos import ChaosEngine, Delay, Fail
from gateway.engines.tone import ToneEngine
from gateway.fronts.http import SpeechOverHttp
from tests.fronts.peers import chunks, raw_peer, use_engine
from tests.fronts.test_http import EVERY_ANSWER, error_of
from tests.support.leaks import until
from tests.support.memory import memory_house
from tests.support.server import Message, RunningServer, speech_socket

NDJSON, SSE = FORMS = ("application/x-ndjson", "text/event-stream")
RAW = {"format": {"codec": "pcm_s16le"}}
TEXT = "The first sentence is here, with a clause in it. The second one is here too. " * 2
EVENT = re.compile(r"event: (?P<type>[a-z_]+)\ndata: (?P<data>\{.*\})")


def messages(form: str, body: bytes) -> list[Message]:
    """Every message of a body, which must be of whole lines and in nothing but this form."""
    text = body.decode()
    if form == NDJSON:
        assert text.endswith("\n")
        return [msgspec.json.decode(line, type=Message) for line in text[:-1].split("\n")]
    assert text.endswith("\n\n")
    told: list[Message] = []
    for event in text[:-2].split("\n\n"):
        if event == ": keep-alive":
            continue
        match = EVENT.fullmatch(event)
        assert match is not None, event
        told.append(msgspec.json.decode(match["data"], type=Message))
        assert told[-1]["type"] == match["type"]
    return told


def audio(told: Sequence[Message]) -> bytes:
    """All audio of the messages, which must leave no gap."""
    pieces = [msgspec.convert(m, AudioMessage) for m in told if m["type"] == "audio"]
    assert [piece.sequence for piece in pieces] == list(range(len(pieces)))
    at = 0
    for piece in pieces:
        assert piece.sample_start == at
        at += piece.sample_count
    return b"".join(piece.data for piece in pieces)


async def ask(client: httpx.AsyncClient, form: str, **fields: object) -> httpx.Response:
    return await client.post("/v1/speech", json=fields, headers={"accept": form})


@pytest.mark.socket
@pytest.mark.asyncio(loop_scope="module")
class TestOverASocket:
    @pytest.mark.parametrize("form", FORMS)
    async def test_headers(self, client: httpx.AsyncClient, form: str) -> None:
        answer = await ask(client, form, text="Hello.", **RAW, colour="blue")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == form
        assert answer.headers["transfer-encoding"] == "chunked"
        assert answer.headers.items() >= {**EVERY_ANSWER, "x-ignored-fields": "colour"}.items()

    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize("codec", ["pcm_s16le", "wav", "mp3"])
    async def test_the_audio_is_that_of_the_stream_alone(
        self, client: httpx.AsyncClient, form: str, codec: str
    ) -> None:
        asked = {"text": TEXT, "format": {"codec": codec}}
        alone = await client.post("/v1/speech", json=asked)
        told = messages(form, (await ask(client, form, **asked)).content)
        assert audio(told) == alone.content

    @pytest.mark.parametrize("form", FORMS)
    async def test_the_messages_are_those_of_the_websocket(
        self, server: RunningServer, client: httpx.AsyncClient, form: str
    ) -> None:
        untimed = {"max_delay_ms": 0, "idle_ms": 0}
        asked: Message = {"timestamps": True, "buffering": untimed, "lead_ms": None, **RAW}
        answer = await ask(client, form, text=TEXT, **asked, colour="blue")
        async with speech_socket(server, "?audio=base64") as socket:
            await socket.send(
                {"type": "configure", **asked, "colour": "blue"},
                {"type": "text", "text": TEXT},
                {"type": "end"},
            )
            await socket.receive_until("ended")
            heard = [message for message in socket.received if isinstance(message, dict)]
        told = messages(form, answer.content)
        assert [m["type"] for m in told][:2] == ["started", "warning"]
        assert told[-1]["type"] == "ended"
        assert audio(told) == audio(heard)
        for type in ("started", "segment", "segment_end", "ended"):
            assert told_of(type, told) == told_of(type, heard)
        assert words(told) == words(heard)
        assert len(words(told)) == len(TEXT.split())

    @pytest.mark.parametrize("form", FORMS)
    async def test_each_line_leaves_by_itself_and_whole(
        self, server: RunningServer, form: str
    ) -> None:
        async with raw_peer(server) as peer:
            await peer.post(
                msgspec.json.encode({"text": TEXT, "format": {"codec": "wav"}}), accept=form
            )
            raw = await peer.reader.readuntil(b"\r\n0\r\n\r\n")
        parts, complete = chunks(raw)
        assert complete
        assert len(parts) > 5
        told = [messages(form, part) for part in parts]
        assert told[-1][-1]["type"] == "ended"

    @pytest.mark.parametrize("form", FORMS)
    async def test_nothing_to_say_is_said_to_be_so(
        self, client: httpx.AsyncClient, form: str
    ) -> None:
        told = messages(form, (await ask(client, form, text="... 🙂 !", **RAW)).content)
        assert [m["type"] for m in told][-1] == "ended"
        assert told_of("warning", told)[0]["code"] == "nothing_speakable"
        assert audio(told) == b""

    async def test_no_reader_of_lines_sees_one_too_many(self, client: httpx.AsyncClient) -> None:
        """The language of a caller who names a voice is repeated as it is, in lower case."""
        language = "en\u2028\u2029\u0085\x0b\x1c"
        answer = await ask(client, NDJSON, text="Hi.", voice="sine-440", language=language, **RAW)
        lines = answer.text.splitlines()
        assert len(lines) == answer.content.count(b"\n")
        started = msgspec.json.decode(lines[0], type=Message)
        assert msgspec.convert(started["settings"], Message)["language"] == language

    @pytest.mark.parametrize("form", FORMS)
    async def test_early_an_error_is_json_with_the_real_status(
        self, server: RunningServer, client: httpx.AsyncClient, form: str
    ) -> None:
        use_engine(server, ChaosEngine(ToneEngine(), {"fail": [Fail(error=EngineTimeout)]}))
        error_of(await ask(client, form, text="This will fail."), 504, "engine_timeout")
        error_of(await ask(client, form, text=""), 422, "text_missing")

    @pytest.mark.parametrize("form", FORMS)
    async def test_late_it_is_the_last_event_and_nothing_has_ended(
        self, server: RunningServer, client: httpx.AsyncClient, form: str
    ) -> None:
        use_engine(server, ChaosEngine(ToneEngine(), {"fail": [Fail(at_sample=30_000)]}))
        text = "This is made without any trouble at all. And in this we fail. This is never said."
        told = messages(form, (await ask(client, form, text=text, **RAW)).content)
        assert [m["type"] for m in told][-2:] == ["segment_end", "error"]
        assert told[-2]["status"] == "failed"
        assert told[-1].items() >= {"code": "engine_failed", "segment": 1, "text_start": 40}.items()
        assert told_of("ended", told) == []
        assert audio(told)

    @pytest.mark.parametrize("form", FORMS)
    async def test_a_crash_of_ours_is_told_too(
        self,
        server: RunningServer,
        client: httpx.AsyncClient,
        form: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        use_engine(server, Crash(ToneEngine(), {}))
        text = "This is made without any trouble at all. And then there is a crash."
        told = messages(form, (await ask(client, form, text=text, **RAW)).content)
        assert (told[-1]["type"], told[-1]["code"]) == ("error", "internal")
        assert "request_crashed" in caplog.messages

    async def test_what_a_form_cannot_do_is_refused(self, client: httpx.AsyncClient) -> None:
        for form, fields, field in (
            (SSE, {"stream": False}, "stream"),
            (NDJSON, {"stream": False}, "stream"),
            ("audio/mpeg", {"timestamps": True}, "timestamps"),
        ):
            error = error_of(await ask(client, form, text="Hi.", **fields), 422, "unsupported")
            assert error["field"] == field

    @pytest.mark.parametrize(("codec", "type"), [("wav", "audio/wav"), ("mp3", "audio/mpeg")])
    async def test_the_format_decides_and_accept_only_agrees(
        self, client: httpx.AsyncClient, codec: str, type: str
    ) -> None:
        asked: Message = {"text": "Hi.", "format": {"codec": codec}}
        assert (await ask(client, type, **asked)).headers["content-type"] == type
        refused = await ask(client, "audio/flac, application/json", **asked)
        error = error_of(refused, 406, "not_acceptable")
        assert error["field"] == "Accept"
        assert error["allowed"] == f"{type}, {NDJSON}, {SSE}"

    @pytest.mark.parametrize("form", FORMS)
    async def test_a_client_that_leaves_frees_its_worker(
        self, server: RunningServer, client: httpx.AsyncClient, form: str
    ) -> None:
        use_engine(server, ToneEngine(workers=1, realtime_factor=1.0))
        async with raw_peer(server) as peer:
            await peer.post(b'{"text": "%b"}' % (b"Words. " * 1_000), accept=form)
            await peer.reader.readuntil(b'"audio"')
            peer.reset()
            assert (await client.post("/v1/speech", json={"text": "I."})).status_code == 200
        await until(lambda: server.house.admission.contexts == 0)


def told_of(type: str, told: Sequence[Message]) -> list[Message]:
    """The messages of a type, less what depends on the clock or on the protocol."""
    return [
        {name: value for name, value in message.items() if name not in {"timings", "id"}}
        for message in told
        if message["type"] == type
    ]


def words(told: Sequence[Message]) -> list[object]:
    """All words, however they were split into messages."""
    return [word for m in told_of("words", told) for word in msgspec.convert(m["words"], list)]


class Crash(ChaosEngine):
    """An engine with a bug in its second segment."""

    async def synthesize(self, order: Synthesize) -> AsyncGenerator[Report, None]:
        async for report in super().synthesize(order):
            if order.segment == 1 and isinstance(report, Finished):
                raise ZeroDivisionError("a bug")
            yield report


class TestKeepAlive:
    """With a clock of its own: what is sent while an engine is slow."""

    async def comments(self, form: str, text: str, waits_ms: int) -> list[float]:
        """When comments were sent, where one may come after a second and "slow" takes so long."""
        engine = ChaosEngine(ToneEngine(), {"slow": [Delay(delay_ms=waits_ms)]})
        body = msgspec.json.encode({"text": text, **RAW})
        asked: list[Message] = [{"type": "http.request", "body": body}]
        sent: list[tuple[float, bytes]] = []
        clock = asyncio.get_running_loop().time

        async def receive() -> MutableMapping[str, object]:
            if not asked:
                await asyncio.Event().wait()
            return asked.pop()

        async def send(message: MutableMapping[str, object]) -> None:
            sent.append((clock(), msgspec.convert(message.get("body", b""), bytes)))

        async with memory_house(engine, keep_alive_ms=1_000) as house:
            scope = {
                "type": "http",
                "method": "POST",
                "path": "/v1/speech",
                "headers": [(b"accept", form.encode())],
            }
            await SpeechOverHttp(house)(scope, receive, send)
        assert messages(form, b"".join(body for _, body in sent))[-1]["type"] == "ended"
        return [at for at, body in sent if body.startswith(b":")]

    @pytest.mark.virtual_time
    @pytest.mark.parametrize(("waits_ms", "comments"), [(999, 0), (1_001, 1), (60_500, 60)])
    async def test_silence_is_broken_when_it_has_lasted_so_long(
        self, waits_ms: int, comments: int
    ) -> None:
        times = await self.comments(SSE, "This comes at once, I say. A slow one.", waits_ms)
        assert len(times) == comments
        assert all(later - earlier == pytest.approx(1.0) for earlier, later in pairwise(times))

    @pytest.mark.virtual_time
    async def test_ndjson_has_no_comments(self) -> None:
        text = "This comes at once, I say. A slow one."
        assert await self.comments(NDJSON, text, 60_000) == []

    @pytest.mark.virtual_time
    async def test_there_is_none_before_the_status_is_known(self) -> None:
        assert await self.comments(SSE, "A slow one.", 60_000) == []
