"""Festival's own server (Debian's package `festival`), which answers with one RIFF file for each sentence.

It reads expressions in Scheme and answers each with results that begin with `WV` (a wave) or `LP` (a value) and end with a
key, until `OK` or `ER`. The pieces are told as one stream of PCM.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import time
from collections.abc import Coroutine, Iterator
from contextlib import closing, contextmanager
from typing import Any

from gateway.bench.instruments.hearing import sleep_until
from gateway.bench.instruments.timeline import (
    Failure,
    Form,
    Payload,
    Sent,
    Timeline,
    Trouble,
    Wire,
    clock,
)
from gateway.bench.instruments.utterance import PATIENCE_S, Utterance
from gateway.bench.subjects import START_S_MAX, Layout, SubjectFailed, running_process

PROGRAM = "festival"
FORM = Form(sample_rate=16_000)
"""Of Debian's voice kal_diphone."""
CLIENTS_MAX = 64
KEY = b"ft_StUfF_key"
RIFF_HEADER_BYTES = 44
READ_BYTES = 16_384
OK, ERROR, WAVE = b"OK\n", b"ER\n", b"WV\n"
SET_UP = ("(Parameter.set 'Wavefiletype 'riff)", "(tts_return_to_client)")


class FestivalClient:
    """A `Client` of it. The rate and the voice are the server's; of an utterance only the text is asked for."""

    wire = Wire.HTTP

    def __init__(self, port: int) -> None:
        self.timeline: Timeline | None = None
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def speak(self, utterance: Utterance, intended: float, *, cold: bool = False) -> Timeline:
        """See `Client`."""
        timeline = self.timeline = Timeline(self.wire, utterance.form, intended)
        if cold:
            self.close()
        await sleep_until(intended)
        timeline.begun = clock()
        timeline.trouble = await self._attempt(self._say(utterance.text, timeline))
        if timeline.trouble is None:
            timeline.finished = clock()
        return timeline

    async def open(self) -> Trouble | None:
        """See `Client`."""
        return await self._attempt(self._connected())

    async def _attempt(self, doing: Coroutine[Any, Any, object]) -> Trouble | None:
        """Do it, or tell what stands in the way; the connection is then dropped."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await doing
        except TimeoutError:
            trouble = Trouble(Failure.TIMEOUT, f"no end after {PATIENCE_S:g} s")
        except ConnectionRefusedError as error:
            trouble = Trouble(Failure.UNREACHABLE, str(error))
        except (OSError, asyncio.IncompleteReadError) as error:
            trouble = Trouble(Failure.TRUNCATED, str(error))
        except _Refused:
            trouble = Trouble(Failure.REFUSED, "ER")
        else:
            return None
        self.close()
        return trouble

    async def _say(self, text: str, timeline: Timeline) -> None:
        reader, writer = await self._connected()
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        timeline.text_ended = clock()
        timeline.sent.append(Sent(timeline.text_ended, text))
        await _ask(reader, writer, f'(tts_text "{quoted}" nil)', timeline)

    def close(self) -> None:
        """See `Client`."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            for expression in SET_UP:
                await _ask(*self._streams, expression, None)
        return self._streams


class _Refused(Exception):
    """It says that the expression is in error."""


async def _ask(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    expression: str,
    timeline: Timeline | None,
) -> None:
    """Send an expression and read its results; audio goes into the timeline."""
    writer.write(expression.encode() + b"\n")
    while (kind := await reader.readexactly(len(OK))) != OK:
        if kind == ERROR:
            raise _Refused
        if kind != WAVE or timeline is None:
            await reader.readuntil(KEY)
            continue
        header = await reader.readexactly(RIFF_HEADER_BYTES)
        left = int.from_bytes(header[-4:], "little")
        while left:
            data = await reader.read(min(left, READ_BYTES))
            if not data:
                raise asyncio.IncompleteReadError(data, left)
            timeline.heard.append(Payload(clock(), data))
            left -= len(data)
        await reader.readuntil(KEY)


@contextmanager
def running_festival(layout: Layout) -> Iterator[tuple[int, int] | None]:
    """Its port and process id, ended with the block; None where it is not installed. Raises SubjectFailed."""
    if shutil.which(PROGRAM) is None:
        yield None
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = [f"(set! server_port {port})", f"(set! server_max_client {CLIENTS_MAX})"]
    with running_process(layout, [PROGRAM, "--server", *settings]) as (process, _):
        give_up = time.monotonic() + START_S_MAX
        while not _is_there(port):
            if process.poll() is not None or time.monotonic() > give_up:
                raise SubjectFailed("festival does not start its server")
            time.sleep(0.05)
        yield port, process.pid


def _is_there(port: int) -> bool:
    with closing(socket.socket()) as trying:
        return trying.connect_ex(("127.0.0.1", port)) == 0
