"""What must not be said, over both protocols: each gets its typed error or its defined answer, and the next request
is served. The server holds afterwards what it held before (see conftest.py)."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
import msgspec
import pytest

from tests.fronts.peers import CLOSE, frame, raw_peer
from tests.support.server import Message, RunningServer, SpeechSocket, speech_socket

pytestmark = [pytest.mark.socket, pytest.mark.asyncio(loop_scope="module")]

MEGABYTE = "Words and words. " * 65_000


@dataclass(frozen=True)
class Refused:
    """A body or message, and the error that it must get: its code, status, field, and a part of what is allowed."""

    sent: str | bytes | Message
    code: str
    status: int
    field: str | None = None
    allowed: str = ""

    @property
    def raw(self) -> bytes:
        if isinstance(self.sent, dict):
            return msgspec.json.encode(self.sent)
        return self.sent.encode() if isinstance(self.sent, str) else self.sent

    def __str__(self) -> str:
        return f"{self.raw[:50].decode('latin-1')} ({len(self.raw)} bytes)"

    def assert_is(self, error: Message) -> None:
        assert error["code"] == self.code
        assert error.get("field") == self.field
        assert self.allowed in str(error.get("allowed", ""))


def speech(**fields: object) -> Message:
    return {"text": "Hello.", **fields}


def configure(**fields: object) -> Message:
    return {"type": "configure", **fields}


NOT_JSON: list[str | bytes] = [
    "",
    "hello",
    "{",
    '{"text": "a"',
    '{"text": "a"} more',
    "[]",
    '"text"',
    "null",
    "NaN",
    '{"text": NaN}',
    "[" * 100_000,
    '{"a":' * 50_000,
    "1" * 5_000,
]

BAD_PARAMETERS: list[tuple[Message, str, int, str, str]] = [
    ({"voice": 7}, "invalid_value", 422, "voice", ""),
    ({"voice": None}, "invalid_value", 422, "voice", ""),
    ({"speed": "fast"}, "invalid_value", 422, "speed", ""),
    ({"speed": 100}, "invalid_value", 422, "speed", "0.5 to 4"),
    ({"timestamps": "yes"}, "invalid_value", 422, "timestamps", ""),
    ({"lead_ms": -1}, "invalid_value", 422, "lead_ms", ""),
    ({"format": "mp3"}, "invalid_value", 422, "format", ""),
    ({"format": {"codec": "ogg"}}, "invalid_value", 422, "format.codec", "pcm_s16le, wav, mulaw"),
    ({"format": {"sample_rate": 7}}, "invalid_value", 422, "format.sample_rate", ""),
    ({"format": {"sample_rate": 8_001}}, "unsupported", 422, "format.sample_rate", "8000"),
    (
        {"format": {"codec": "mp3", "sample_rate": 8_000, "bitrate": 320_000}},
        "unsupported",
        422,
        "format.bitrate",
        "320000 with sample_rate 32000",
    ),
    ({"buffering": {"max_chars": 0}}, "invalid_value", 422, "buffering.max_chars", ""),
    ({"buffering": {"min_chars": 300}}, "invalid_value", 422, "buffering.min_chars", "250"),
    ({"voice": "sine-441"}, "unknown_voice", 404, "voice", "sine-440"),
    ({"voice": "words+whisper"}, "unknown_voice", 404, "voice", ""),
    ({"model": "tony"}, "unknown_model", 404, "model", "did you mean tone?"),
    ({"language": "xx"}, "unsupported", 422, "language", ""),
]


class TestHttp:
    @pytest.mark.parametrize(
        "refused",
        [
            *(Refused(sent, "invalid_message", 400) for sent in NOT_JSON),
            Refused(b"\xff\xfe{}", "invalid_message", 400),
            Refused('{"text": "Hi."}'.encode("utf-16"), "invalid_message", 400),
            Refused(b'{"text": "\xed\xa0\xbd"}', "invalid_message", 400),
            Refused({}, "text_missing", 422, "text"),
            Refused({"text": ""}, "text_missing", 422, "text"),
            Refused({"text": None}, "invalid_value", 422, "text"),
            Refused({"text": 7}, "invalid_value", 422, "text"),
            Refused({"text": ["Hello."]}, "invalid_value", 422, "text"),
            Refused({"text": MEGABYTE}, "text_too_long", 413, "text", "100000"),
            Refused({"text": MEGABYTE * 2}, "message_too_large", 413, None, "2097152"),
            Refused(speech(stream="no"), "invalid_value", 422, "stream"),
            *(
                Refused(speech(**fields), code, status, field, allowed)
                for fields, code, status, field, allowed in BAD_PARAMETERS
            ),
            Refused('{"text": "Hi.", "speed": 1e999}', "invalid_value", 422, "speed"),
            Refused(
                speech(format={"codec": "wav", "bitrate": 64_000}),
                *("unsupported", 422, "format.bitrate", "codec mp3"),
            ),
        ],
        ids=str,
    )
    async def test_is_refused(self, client: httpx.AsyncClient, refused: Refused) -> None:
        answer = await client.post("/v1/speech", content=refused.raw)
        assert answer.status_code == refused.status, answer.text
        refused.assert_is(answer.json()["error"])
        assert (await client.post("/v1/speech", json={"text": "I."})).status_code == 200

    @pytest.mark.parametrize(
        "text",
        [
            '"Half an emoji: \\ud83d"',
            '"\\ude00"',
            '"\\ude00\\ud83d"',
            '"A NUL: \\u0000."',
            '"\\u0000"',
            '"\\ufeff\\u200b\\u2028\\u202e"',
            '"a.b.c.d.a.b.c.d.a.b.c.d."',
            '"<speak>&amp;</speak> [[h@loU]]"',
        ],
    )
    async def test_is_odd_and_spoken(self, client: httpx.AsyncClient, text: str) -> None:
        body = f'{{"text": {text}, "format": {{"codec": "pcm_s16le"}}}}'
        answer = await client.post("/v1/speech", content=body)
        assert answer.status_code == 200
        assert len(answer.content) % 2 == 0


async def exchange(socket: SpeechSocket, *messages: str | bytes | Message) -> list[Message]:
    """What some messages are answered with, up to the pong of a ping behind them; audio left out."""
    received = len(socket.received)
    await socket.send(*messages, {"type": "ping", "id": "behind"})
    await socket.receive_until("pong", id="behind")
    return [new for new in socket.received[received:-1] if isinstance(new, dict)]


class TestWebSocket:
    @pytest.mark.parametrize(
        "refused",
        [
            *(Refused(sent, "invalid_message", 0) for sent in NOT_JSON),
            Refused({}, "invalid_message", 0, "type", "configure, text, flush"),
            Refused({"type": "speak"}, "invalid_message", 0, "type"),
            Refused({"type": ["text"]}, "invalid_message", 0, "type"),
            Refused({"type": "text"}, "text_missing", 0, "text"),
            Refused({"type": "text", "text": ""}, "text_missing", 0, "text"),
            Refused({"type": "text", "text": 7}, "invalid_value", 0, "text"),
            Refused({"type": "text", "text": "a", "context": ""}, "invalid_value", 0, "context"),
            Refused({"type": "text", "text": "a", "context": 1}, "invalid_value", 0, "context"),
            Refused({"type": "ping", "id": "a" * 65}, "invalid_value", 0, "id"),
            Refused({"type": "text", "text": MEGABYTE[:110_000]}, "text_too_long", 0, "text"),
            Refused({"type": "text", "text": MEGABYTE[:300_000]}, "message_too_large", 0),
            Refused({"type": "clear", "played_ms": -1}, "invalid_value", 0, "played_ms"),
            Refused({"type": "clear", "played_ms": "1"}, "invalid_value", 0, "played_ms"),
            Refused({"type": "end"}, "context_unknown", 0, "context"),
            Refused({"type": "clear"}, "context_unknown", 0, "context"),
            *(
                Refused(configure(**fields), code, 0, field, allowed)
                for fields, code, _, field, allowed in BAD_PARAMETERS
            ),
            Refused(b"\x00", "invalid_message", 0, None, "JSON in text messages"),
        ],
        ids=str,
    )
    async def test_is_refused_and_the_connection_lives(
        self, server: RunningServer, refused: Refused
    ) -> None:
        async with speech_socket(server) as socket:
            await socket.receive_until("ready")
            (error,) = await exchange(socket, refused.sent)
            assert error["type"] == "error"
            refused.assert_is(error)
            await self.speaks(socket)
        async with speech_socket(server) as socket:
            await self.speaks(socket)

    async def speaks(self, socket: SpeechSocket) -> None:
        await socket.send({"type": "text", "text": "Hello.", "context": "next"})
        await socket.send({"type": "end", "context": "next"})
        ended = await socket.receive_until("ended", context="next")
        assert ended["samples"] == len(socket.audio("next")) // 2 > 0

    async def test_an_error_names_the_context_and_the_message(self, server: RunningServer) -> None:
        async with speech_socket(server) as socket:
            await socket.receive_until("ready")
            (error,) = await exchange(
                socket, {"type": "text", "text": 7, "context": "c", "id": "i"}
            )
            assert (error["context"], error["id"]) == ("c", "i")

    async def test_unknown_fields_are_ignored_and_named(self, server: RunningServer) -> None:
        async with speech_socket(server) as socket:
            await socket.receive_until("ready")
            await socket.send(configure(colour="blue", format={"depth": 8}, buffering={"x": 1}))
            await socket.receive_until("started")
            warned = [warning["field"] for warning in socket.messages("warning")]
            assert warned == ["colour", "format.depth", "buffering.x"]

    async def test_thousands_of_unknown_fields_are_no_flood(self, server: RunningServer) -> None:
        async with speech_socket(server) as socket:
            await socket.receive_until("ready")
            message = {"type": "ping", **{f"field_{number}": 0 for number in range(10_000)}}
            assert len(await exchange(socket, message)) < 20

    @pytest.mark.parametrize(
        "message",
        [
            '{"type":"ping","id":"\\ud83d"}',
            '{"type":"ping","\\ud83d":1}',
            '{"type":"\\ud83d"}',
            '{"type":"text","text":"a","context":"\\ud83d"}',
            '{"type":"text","text":"a","id":"\\ude00"}',
            '{"type":"configure","voice":"\\ud83d"}',
            '{"type":"configure","format":{"codec":"\\ud83d"}}',
            '{"type":"configure","format":{"\\ud83d":1}}',
        ],
    )
    async def test_half_an_emoji_anywhere_breaks_nothing(
        self, server: RunningServer, message: str
    ) -> None:
        async with speech_socket(server) as socket:
            await socket.receive_until("ready")
            await exchange(socket, message)
            await self.speaks(socket)

    async def test_an_emoji_cut_in_two_is_whole_again(self, server: RunningServer) -> None:
        async with speech_socket(server) as socket:
            await socket.send('{"type":"text","text":"Well \\ud83d"}')
            await socket.send('{"type":"text","text":"\\ude00 done"}', {"type": "clear"})
            cleared = await socket.receive_until("cleared")
            assert cleared["unspoken"] == "Well \N{GRINNING FACE} done"

    async def test_half_an_emoji_that_stays_alone_is_replaced(self, server: RunningServer) -> None:
        async with speech_socket(server) as socket:
            await socket.send('{"type":"text","text":"Well \\ud83d"}', {"type": "end"})
            ended = await socket.receive_until("ended")
            assert ended["chars"] == 6

    @pytest.mark.parametrize("text", ["...", "🙂", "\u0000", " \n ", "—«»"])
    async def test_nothing_speakable_is_said_to_be_so(
        self, server: RunningServer, text: str
    ) -> None:
        async with speech_socket(server) as socket:
            await socket.send({"type": "text", "text": text}, {"type": "flush", "id": "f"})
            flushed = await socket.receive_until("flushed", id="f")
            assert flushed["sample_end"] == 0
            assert [w["code"] for w in socket.messages("warning")] == ["nothing_speakable"]

    async def test_text_needs_no_configure(self, server: RunningServer) -> None:
        async with speech_socket(server) as socket:
            await self.speaks(socket)
            assert socket.messages("error") == []

    async def test_a_flush_without_text_is_answered(self, server: RunningServer) -> None:
        async with speech_socket(server) as socket:
            await socket.send({"type": "flush", "id": "one"}, {"type": "flush", "id": "two"})
            assert (await socket.receive_until("flushed"))["id"] == "one"
            assert (await socket.receive_until("flushed"))["id"] == "two"
            assert socket.audio() == b""

    async def test_a_second_end_is_refused(self, server: RunningServer) -> None:
        async with speech_socket(server) as socket:
            await socket.send({"type": "text", "text": "Hello."})
            await socket.send({"type": "end"}, {"type": "end", "id": "again"})
            error = await socket.receive_until("error", id="again")
            assert error["code"] == "input_ended"
            assert len(socket.messages("ended")) <= 1

    @pytest.mark.parametrize("type", ["text", "flush", "configure"])
    async def test_nothing_more_is_taken_while_the_rest_is_spoken(
        self, server: RunningServer, type: str
    ) -> None:
        async with speech_socket(server) as socket:
            await socket.send(
                {"type": "text", "text": "This takes longer to say than to refuse. " * 10},
                {"type": "end"},
                {"type": type, "id": "late", **({"text": "More."} if type == "text" else {})},
            )
            error = await socket.receive_until("error", id="late")
            assert error["code"] == "input_ended"

    async def test_a_clear_after_the_end_tells_what_was_heard(self, server: RunningServer) -> None:
        async with speech_socket(server) as socket:
            await socket.send({"type": "text", "text": "Hello there."}, {"type": "end"})
            ended = await socket.receive_until("ended")
            await socket.send({"type": "clear", "id": "late", "played_ms": 10_000})
            cleared = await socket.receive_until("cleared", id="late")
            assert (cleared["spoken"], cleared["unspoken"]) == ("Hello there.", "")
            assert cleared["sample_end"] == ended["samples"]

    async def test_a_refused_text_does_not_forget_what_was_heard(
        self, server: RunningServer
    ) -> None:
        async with speech_socket(server) as socket:
            await socket.send({"type": "text", "text": "Hello there."}, {"type": "end"})
            await socket.receive_until("ended")
            (error,) = await exchange(socket, {"type": "text", "text": ""})
            assert error["code"] == "text_missing"
            (cleared,) = await exchange(socket, {"type": "clear", "played_ms": 10_000})
            assert (cleared["type"], cleared.get("spoken")) == ("cleared", "Hello there.")

    @pytest.mark.parametrize(
        "junk",
        [
            b"\x81\x05hello",  # not masked
            b"\xf1\x80\0\0\0\0",  # reserved bits
            b"\x83\x80\0\0\0\0",  # unknown opcode
            frame(0x9, b"a" * 126),  # a ping larger than pings are
            frame(0x1, b"\xff\xfe"),  # text that is not UTF-8
            frame(0x0, b"a"),  # a continuation of nothing
            frame(CLOSE, b"\x00"),  # half a close code
            frame(CLOSE, (1005).to_bytes(2, "big")),  # a close code that must not be sent
            b"\xff" * 200,
        ],
        ids=lambda junk: junk[:7].hex(),
    )
    async def test_frames_that_are_none_close_the_connection(
        self, server: RunningServer, junk: bytes
    ) -> None:
        async with raw_peer(server) as peer:
            await peer.upgrade()
            await peer.send(junk)
            await peer.read_to_end()
        async with speech_socket(server) as socket:
            await self.speaks(socket)

    @pytest.mark.parametrize(
        "request_",
        [
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
            b"hello\r\n\r\n",
            b"POST /v1/speech HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
            b"POST /v1/speech HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
            b"POST /v1/speech HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"GET /v1/speech HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        ],
        ids=["tls", "hello", "length", "two-lengths", "chunk-size", "no-key"],
    )
    async def test_requests_that_are_none_are_refused(
        self, server: RunningServer, request_: bytes
    ) -> None:
        async with raw_peer(server) as peer:
            await peer.send(request_)
            head = await peer.reader.readuntil(b"\r\n")
            assert head.startswith(b"HTTP/1.1 4"), head
        async with speech_socket(server) as socket:
            await self.speaks(socket)
