"""A server that does exactly what it was told to, right or wrong, and writes down when it did it.

It speaks the native protocol over HTTP and WebSocket as far as the benchmark's clients hear it, and is what they are
calibrated with: a figure is right when it agrees with what was planted here. Moments are those of the benchmark's own
clock, taken just before bytes are handed to the socket and just after they were taken from it, so that a busy machine
makes planted delays longer but not the comparison worse.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from http import HTTPStatus
from itertools import accumulate, pairwise
from urllib.parse import urlsplit

import msgspec
import numpy as np
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol as Offer

from gateway.audio.mp3 import Mp3Encoder
from gateway.bench.instruments.hearing import sleep_until
from gateway.bench.instruments.timeline import Codec, Form, clock
from gateway.dialects.native import AUDIO_HEADER, AUDIO_VERSION, Subprotocol

SAMPLE_BYTES = 2
RETRY_AFTER_S = 2
NEVER_S = 60.0
"""Longer than any patience in a test."""
RESET = struct.pack("ii", 1, 0)


class Fault(StrEnum):
    """What goes wrong; where both protocols can do it, both do. Most of it happens in the middle of the audio."""

    NONE = "none"
    REFUSE = "refuse"  # an answer that says no, with advice
    HANG_UP = "hang up"  # closed before anything was answered
    SAY_NOTHING = "say nothing"
    STOP = "stop"  # silence in the middle
    TRUNCATE = "truncate"  # closed in the middle
    RESET = "reset"  # broken in the middle
    LOSE_LAST = "lose last"  # the last piece is announced and not sent
    HALF_SAMPLE = "half sample"  # the last piece ends within a sample
    GARBAGE = "garbage"  # what the protocol does not have
    # HTTP only
    SHORT = "short"  # fewer bytes than Content-Length says
    # WebSocket only
    REFUSE_HANDSHAKE = "refuse handshake"
    SKIP = "skip"  # a frame is missing in the middle
    REPEAT = "repeat"  # a frame comes twice
    OLD_FRAME = "old frame"  # an unknown version
    NO_BASE64 = "no base64"
    FAIL_SEGMENT = "fail segment"
    END_EARLY = "end early"  # ended for another reason than being finished
    END_AMID_TEXT = "end amid text"
    LOSE_TEXT = "lose text"  # the last character is in no segment
    STRAY = "stray"  # a frame after the end


class Planted(msgspec.Struct, frozen=True):
    """What the server does.

    After the first text it waits `delay_s`, then sends `pieces` of `piece_s` each, every `every_s`, with `stalls` (before
    the piece of this number) on top. The audio begins with `silence_s`. A WAV header goes ahead by `header_early_s`.
    A `segment` message for all the text comes `commit_s` after the end of it. A clear is answered after
    `clear_s`, in which `late` pieces are sent, and after the answer `leaked` ones.
    """

    form: Form = Form()
    delay_s: float = 0.02
    pieces: int = 10
    piece_s: float = 0.02
    every_s: float = 0.0
    stalls: dict[int, float] = {}
    silence_s: float = 0.0
    is_silent: bool = False
    header_early_s: float = 0.0
    commit_s: float = 0.0
    accept_s: float = 0.0
    clear_s: float = 0.0
    late: int = 0
    leaked: int = 0
    fault: Fault = Fault.NONE

    @property
    def piece_samples(self) -> int:
        return round(self.piece_s * self.form.sample_rate)

    @property
    def samples(self) -> int:
        return self.pieces * self.piece_samples

    def audio(self) -> list[bytes]:
        """The pieces in the codec, without a header; for MP3 they need not be of one length."""
        rate = self.form.sample_rate
        tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(self.samples) / rate)
        tone[: round(self.silence_s * rate)] = 0.0
        pcm = (tone * (0 if self.is_silent else 32_767)).astype("<i2").tobytes()
        size = self.piece_samples * SAMPLE_BYTES
        cut = [pcm[at : at + size] for at in range(0, len(pcm), size)]
        if self.fault is Fault.HALF_SAMPLE:
            cut[-1] = cut[-1][:-1]
        if self.form.codec is not Codec.MP3:
            return cut
        encoder = Mp3Encoder(rate, self.form.bitrate)
        encoded = [encoder.encode(piece) for piece in cut]
        return [*encoded[:-1], encoded[-1] + encoder.finish()]


class Record(msgspec.Struct):
    """When it did what, for the latest utterance; `connections` and `utterances` are of all of them."""

    connections: int = 0
    utterances: int = 0
    text_received: list[float] = []
    written: list[float] = []
    header_written: float | None = None
    segment_written: float | None = None
    end_received: float | None = None
    clear_received: float | None = None
    cleared_written: float | None = None
    ended_written: float | None = None
    gone: float | None = None

    def begin(self) -> None:
        """A new utterance."""
        anew = Record(connections=self.connections, utterances=self.utterances + 1)
        for name, value in msgspec.structs.asdict(anew).items():
            setattr(self, name, value)


class CalibrationServer:
    """Does `planted`, which may be replaced between utterances, and keeps the `record`.

    From the utterance on whose number (the first is 1) is in `later`, it does that instead.
    """

    def __init__(self, planted: Planted) -> None:
        self.planted = planted
        self.later: dict[int, Planted] = {}
        self.record = Record()
        self.http_url = ""
        self.ws_url = ""

    # --- HTTP ---

    async def http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.record.connections += 1
        try:
            while await self._request(reader):
                if not await self._answer(reader, writer):
                    break
            self.record.gone = clock()
        except (ConnectionError, asyncio.IncompleteReadError):
            self.record.gone = clock()
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader) -> bool:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        )
        await reader.readexactly(length)
        self._begin()
        self.record.text_received.append(clock())
        return True

    def _begin(self) -> None:
        self.record.begin()
        self.planted = self.later.get(self.record.utterances, self.planted)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer a request; True where the connection may be kept."""
        planted = self.planted
        match planted.fault:
            case Fault.HANG_UP:
                return False
            case Fault.SAY_NOTHING:
                await reader.read()  # until the client gives up
                return False
            case Fault.GARBAGE:
                writer.write(b"HTPT/1.1 OK maybe\r\n\r\n")
                return False
            case Fault.REFUSE:
                writer.write(
                    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: %d\r\n"
                    b"content-length: 4\r\n\r\nbusy" % RETRY_AFTER_S
                )
                return True
            case _:
                return await self._body(reader, writer)

    async def _body(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        planted, record = self.planted, self.record
        pieces = planted.audio()
        is_sized = planted.fault is Fault.SHORT
        framing = (
            b"content-length: %d" % sum(map(len, pieces))
            if is_sized
            else b"transfer-encoding: chunked"
        )
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: audio/wav\r\n" + framing + b"\r\n\r\n")

        def put(data: bytes) -> None:
            writer.write(data if is_sized else b"%x\r\n%b\r\n" % (len(data), data))

        if planted.form.codec is Codec.WAV:
            record.header_written = clock()
            put(wav_header(planted.form.sample_rate))
            await asyncio.sleep(planted.header_early_s)
        async for number, piece in self._in_time(pieces):
            if number == len(pieces) // 2:
                match planted.fault:
                    case Fault.STOP:
                        await reader.read()
                        return False
                    case Fault.TRUNCATE | Fault.SHORT:
                        return False
                    case Fault.RESET:
                        await writer.drain()
                        reset(writer.transport)
                        return False
                    case _:
                        pass
            if planted.fault is Fault.LOSE_LAST and number == len(pieces) - 1:
                break
            if piece:
                record.written.append(clock())
                put(piece)
            if writer.is_closing():
                raise ConnectionError
        writer.write(b"0\r\n\r\n")
        return True

    async def _in_time(self, pieces: list[bytes]) -> AsyncIterator[tuple[int, bytes]]:
        """The pieces with their numbers, each at its planned moment."""
        planted = self.planted
        moment = clock() + planted.delay_s
        for number, piece in enumerate(pieces):
            moment += planted.stalls.get(number, 0.0)
            await sleep_until(moment)
            yield number, piece
            moment += planted.every_s

    # --- WebSocket ---

    async def handshake(self, connection: ServerConnection, request: Request) -> Response | None:
        await asyncio.sleep(self.planted.accept_s)
        if self.planted.fault is not Fault.REFUSE_HANDSHAKE:
            return None
        response = connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "busy")
        response.headers["retry-after"] = str(RETRY_AFTER_S)
        return response

    async def websocket(self, connection: ServerConnection) -> None:
        self.record.connections += 1
        assert connection.request is not None
        audio_is_text = "audio=base64" in connection.request.path
        with suppress(ConnectionClosed):
            await send(connection, "ready", session="s", protocol=Subprotocol.JSON)
            number = 0
            while await self._utterance(connection, number, audio_is_text=audio_is_text):
                number += 1
        self.record.gone = clock()

    async def _utterance(
        self, connection: ServerConnection, number: int, *, audio_is_text: bool
    ) -> bool:
        """One context; True where the connection may be kept."""
        configure = await receive(connection)
        self._begin()
        speech = _Speech(self, connection, str(configure["context"]), number, audio_is_text)
        return await speech.run()


class _Speech:
    """One context over WebSocket."""

    def __init__(
        self,
        server: CalibrationServer,
        connection: ServerConnection,
        context: str,
        number: int,
        audio_is_text: bool,
    ) -> None:
        self._server = server
        self._planted = server.planted
        self._record = server.record
        self._connection = connection
        self._context = context
        self._number = number
        self._audio_is_text = audio_is_text
        self._sequence = 0
        self._sample = 0
        self._chars = 0
        self._chars_told = 0
        self._text_ended = asyncio.Event()
        self._speaking: asyncio.Task[None] | None = None
        self._may_be_kept = False

    async def run(self) -> bool:
        """Serve the context; True where the connection may be kept."""
        await self._say("started", number=self._number, settings={})
        async with asyncio.TaskGroup() as tasks:
            self._reading = tasks.create_task(self._read(tasks))
        return self._may_be_kept

    async def _read(self, tasks: asyncio.TaskGroup) -> None:
        """Until the client is gone, or the end of a context that was cleared."""
        cleared = False
        with suppress(ConnectionClosed):
            while not (cleared and self._text_ended.is_set()):
                message = await receive(self._connection)
                match message["type"]:
                    case "text":
                        self._record.text_received.append(clock())
                        self._chars += len(str(message["text"]))
                        self._speaking = self._speaking or tasks.create_task(self._speak())
                    case "clear":
                        self._record.clear_received = clock()
                        cleared = True
                        assert self._speaking is not None
                        self._speaking.cancel()
                        await self._clear()
                    case "end":
                        self._record.end_received = clock()
                        self._text_ended.set()
                    case unknown:
                        raise AssertionError(unknown)
            await self._end("finished")
            self._may_be_kept = True
        if self._speaking is not None:
            self._speaking.cancel()

    async def _speak(self) -> None:
        with suppress(ConnectionClosed):
            self._may_be_kept = await self._say_it_all()
        self._reading.cancel()

    async def _say_it_all(self) -> bool:
        """All audio and the end of the context; True where the connection may be kept."""
        planted, connection = self._planted, self._connection
        match planted.fault:
            case Fault.HANG_UP:
                await connection.close()
                return False
            case Fault.SAY_NOTHING:
                await asyncio.sleep(NEVER_S)
            case Fault.GARBAGE:
                await connection.send("no JSON at all")
                await asyncio.sleep(NEVER_S)
            case Fault.REFUSE:
                await self._say(
                    "error",
                    code="busy",
                    message="no",
                    retryable=True,
                    retry_after_ms=RETRY_AFTER_S * 1_000,
                )
                await asyncio.sleep(NEVER_S)
            case _:
                pass
        if planted.commit_s:
            await self._text_ended.wait()
            await asyncio.sleep(planted.commit_s)
        self._record.segment_written = clock()
        await self._say_segment()
        pieces = planted.audio()
        async for number, piece in self._server._in_time(pieces):
            if number == len(pieces) // 2 and not await self._middle():
                return False
            if planted.fault is Fault.LOSE_LAST and number == len(pieces) - 1:
                self._sample += planted.piece_samples
                break
            self._record.written.append(clock())
            await self._send_audio(piece)
        if planted.fault is not Fault.END_AMID_TEXT:
            await self._text_ended.wait()
        await self._say_segment()
        await self._end("aborted" if planted.fault is Fault.END_EARLY else "finished")
        if planted.fault is Fault.STRAY:
            await self._send_audio(pieces[-1])
        return True

    async def _say_segment(self) -> None:
        """All text that has come and was in no segment yet, if there is any."""
        start, end = self._chars_told, self._chars - (self._planted.fault is Fault.LOSE_TEXT)
        if start < end:
            self._chars_told = end
            place = {"text_start": start, "text_end": end, "sample_start": self._sample}
            await self._say("segment", segment=0, reason="end", kind="sentence", **place)

    async def _middle(self) -> bool:
        """The fault in the middle; False where nothing can follow."""
        planted = self._planted
        match planted.fault:
            case Fault.STOP:
                await asyncio.sleep(NEVER_S)
            case Fault.TRUNCATE:
                await self._connection.close()
                return False
            case Fault.RESET:
                reset(self._connection.transport)
                return False
            case Fault.SKIP:
                self._sequence += 1
                self._sample += planted.piece_samples
            case Fault.REPEAT:
                self._sequence -= 1
                self._sample -= planted.piece_samples
            case Fault.OLD_FRAME:
                await self._connection.send(bytes([99]) * 30)
            case Fault.NO_BASE64:
                await self._say("audio", sequence=0, sample_start=0, sample_count=1, data="%%%")
            case Fault.FAIL_SEGMENT:
                await self._say(
                    "error", code="engine_failed", message="no", retryable=True, segment=0
                )
            case _:
                pass
        return True

    async def _clear(self) -> None:
        planted, record = self._planted, self._record
        piece = planted.audio()[-1]
        for _ in range(planted.late):
            await self._send_audio(piece)
        await asyncio.sleep(planted.clear_s)
        record.cleared_written = clock()
        await self._say("cleared", sample_end=self._sample, text_end=self._chars)
        for _ in range(planted.leaked):
            await self._send_audio(piece)

    async def _end(self, reason: str) -> None:
        self._record.ended_written = clock()
        await self._say("ended", reason=reason, samples=self._sample, chars=self._chars)

    async def _send_audio(self, piece: bytes) -> None:
        place = (self._sequence, self._sample, self._planted.piece_samples)
        if self._audio_is_text:
            names = ("sequence", "sample_start", "sample_count")
            await self._say(
                "audio", **dict(zip(names, place, strict=True)), data=b64encode(piece).decode()
            )
        else:
            header = AUDIO_HEADER.pack(AUDIO_VERSION, 0, self._number, *place)
            await self._connection.send(header + piece)
        self._sequence += 1
        self._sample += self._planted.piece_samples

    async def _say(self, type: str, **fields: object) -> None:
        await send(self._connection, type, context=self._context, **fields)


@asynccontextmanager
async def calibration_server(planted: Planted) -> AsyncIterator[CalibrationServer]:
    """Serve until the end of the block."""
    server = CalibrationServer(planted)
    http = await asyncio.start_server(server.http, "127.0.0.1", 0)
    websocket = serve(
        server.websocket,
        "127.0.0.1",
        0,
        process_request=server.handshake,
        subprotocols=[Offer(Subprotocol.JSON)],
        compression=None,
        ping_interval=None,
        close_timeout=0.1,
    )
    async with http, websocket as listening:
        server.http_url = f"http://127.0.0.1:{http.sockets[0].getsockname()[1]}/v1/speech"
        port = next(iter(listening.sockets)).getsockname()[1]
        server.ws_url = f"ws://127.0.0.1:{port}/v1/speech"
        yield server


@asynccontextmanager
async def on_one_port(server: CalibrationServer) -> AsyncIterator[str]:
    """The server's two ports behind one, as a gateway has it: its URL. With the block, all connections end."""
    pumps: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        pumps.add(task)
        first = await reader.read(65_536)
        is_websocket = first.startswith(b"GET /v1/speech")
        url = urlsplit(server.ws_url if is_websocket else server.http_url)
        behind, ahead = await asyncio.open_connection(url.hostname, url.port)
        ahead.write(first)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_pump(reader, ahead))
                tasks.create_task(_pump(behind, writer))
        finally:
            pumps.discard(task)
            writer.transport.abort()
            ahead.transport.abort()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        for task in list(pumps):
            task.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until either side ends; then so does the other."""
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def send(connection: ServerConnection, type: str, **fields: object) -> None:
    """Send a JSON message."""
    await connection.send(msgspec.json.encode({"type": type, **fields}).decode())


async def receive(connection: ServerConnection) -> dict[str, object]:
    """The next message."""
    return msgspec.json.decode(await connection.recv(), type=dict[str, object])


def wav_header(sample_rate: int) -> bytes:
    """Of a stream of unknown length."""
    unknown = 0xFFFFFFFF
    format = struct.pack("<HHIIHH", 1, 1, sample_rate, sample_rate * 2, 2, 16)
    return (
        b"RIFF"
        + struct.pack("<I", unknown)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + format
        + b"data"
        + struct.pack("<I", unknown)
    )


def reset(transport: asyncio.WriteTransport) -> None:
    """Break a connection with RST."""
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    transport.abort()


def lateness(written: list[float], durations: list[float]) -> float:
    """How much later than its turn the latest piece was written: what B* must read."""
    before = [0.0, *accumulate(durations[:-1])]
    return max(at - written[0] - played for at, played in zip(written, before, strict=True))


def gaps(written: list[float]) -> list[float]:
    """Between one piece and the next."""
    return [b - a for a, b in pairwise(written)]
