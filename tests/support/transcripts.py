"""Golden transcripts: a WebSocket dialogue as a text file that holds what is said and what must be answered.

    # why this dialogue matters
    ! limits {"contexts_max": 2}        an option, see `Options`
    @ connect                           steps: the connection opens,
    > {"type":"flush","id":"f1"}        the client says this, letter by letter («a×3» stands for aaa),
    >> 00ff                             or these bytes,
    @ drain                             the server begins to go away,
    @ 150 ms                            or that much time goes by (with `! time true` only)
    < {"type":"flushed", …}             and then this comes, until the next step

Playing a file gives the file again with what really came (`Page` says in which words); a difference is a failure, shown
as a diff. The same files are played in memory, against the mux on virtual time, and over a real socket.
"""

from __future__ import annotations

import asyncio
import difflib
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import NamedTuple, Protocol, cast
from urllib.parse import parse_qsl

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol as Offer

from gateway.accounts.caller import LOCAL
from gateway.accounts.lexicons import KeptLexicon, LexiconKind
from gateway.app import open_house
from gateway.config import (
    Config,
    ControlsConfig,
    DialectsConfig,
    EnginesConfig,
    ModelConfig,
    ServerConfig,
    ToneConfig,
)
from gateway.core.errors import all_errors
from gateway.core.lexicon import Lexicon, Rule
from gateway.core.limits import Limits
from gateway.core.params import Catalog
from gateway.dialects.base import Conversation, Frame, Verdict
from gateway.dialects.handshake import Handshake
from gateway.dialects.http import HttpRequest
from gateway.dialects.native import AudioForm, Subprotocol
from gateway.dialects.native_websocket import NativeHandshake
from gateway.dialects.sarvam_ws import SarvamHandshake
from gateway.engines.base import Engine
from gateway.engines.chaos import ChaosEngine, Fail
from gateway.runtime.house import House
from gateway.runtime.mux import Mux
from gateway.runtime.wire import Wire
from tests.support.memory import MemoryConnection
from tests.support.pages import Page, SarvamPage
from tests.support.retold import Retold, in_msgpack
from tests.support.server import running_server

RATE = 8_000
"""The tone engine's rate: 80 samples are 10 ms. Its voice sine-440 takes 60 ms per character, in whole 100 ms."""
CONNECT = "@ connect"
DRAIN = "@ drain"
DRAIN_S = 8.0
SETTLE_S = 0.000_01
"""Virtual time that a step takes, so that all that is ready has run."""
ANSWER_S = 3.0
"""Real time after which an answer over a socket is missing; only failures wait for it."""

_REPEATED = re.compile("«(.)×([0-9]+)»")


class Shown(Protocol):
    """What came, as lines."""

    def write(self, frame: Frame) -> None: ...

    def close(self, code: int, reason: str) -> None: ...

    def lines(self) -> list[str]: ...

    def turn(self) -> list[str]: ...


class Tongue(NamedTuple):
    """What differs between dialects: where they are spoken, how they begin, how answers are shown, and a message whose answer
    comes after whatever there was still to come."""

    path: str
    handshake: Handshake
    page: Callable[[Options], Shown]
    last: str
    last_answer: re.Pattern[str]


TONGUES = {
    "native": Tongue(
        "/v1/speech",
        NativeHandshake(),
        lambda options: Page(options.full, options.time),
        '{"type":"ping","id":"the end"}',
        re.compile(re.escape('< {"type":"pong","id":"the end"}')),
    ),
    # Nothing is answered that says nothing, but for what is no message, after which all is over.
    "sarvam": Tongue(
        "/text-to-speech/ws",
        SarvamHandshake(),
        lambda _: SarvamPage(),
        '{"type":"the end"}',
        re.compile("< close 1000 refused"),
    ),
}
"""By the folder of their transcripts."""


Perform = Callable[[list[str], list[str]], Awaitable[None]]
"""Perform the lines of one step; the expected answers tell one who cannot see the end of it when to stop listening."""


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A segment fails with this error code after so many samples."""

    error: str
    at_sample: int = 0


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `!` lines may say.

    `time`: the dialogue depends on time, so it is played in memory only; `full`: `ready` is shown as it is; `faults`:
    what befalls the segments that contain a text, one after the other; `query`: what the address of a vendor's dialect says;
    `lexicons`: the rules of those that there are. Of HTTP only: `credits` that an account has, where keys are asked for;
    `dialects` as the configuration has them.
    """

    limits: dict[str, int] = {}
    tone: dict[str, int | float] = {}
    faults: dict[str, list[Fault]] = {}
    lexicons: dict[str, tuple[Rule, ...]] = {}
    audio: AudioForm = AudioForm.BINARY
    time: bool = False
    full: bool = False
    credits: float | None = None
    dialects: DialectsConfig = DialectsConfig()
    query: str = ""


@dataclass(frozen=True, slots=True)
class Transcript:
    """A file, taken apart."""

    path: Path
    options: Options
    lines: list[str]

    @classmethod
    def read(cls, path: Path) -> Transcript:
        """Raises msgspec's errors for an option that does not exist or has a wrong value."""
        lines = path.read_text(encoding="utf-8").splitlines()
        said = (line[2:].partition(" ") for line in lines if line.startswith("! "))
        options = {key: msgspec.json.decode(value) for key, _, value in said}
        return cls(path, msgspec.convert(options, Options), lines)

    def diff(self, played: list[str]) -> str:
        """How the dialogue differed from the file; empty = it did not."""
        return "\n".join(
            difflib.unified_diff(self.lines, played, "expected", "played", lineterm="")
        )

    def write(self, played: list[str]) -> None:
        """Make what was played the expectation."""
        self.path.write_text("\n".join(played) + "\n", encoding="utf-8")

    def sections(self) -> Iterator[tuple[str, list[str]]]:
        """The lines in runs of one kind: ">" said, "<" answered, "" neither; and each "@" by itself."""

        def kind(numbered: tuple[int, str]) -> tuple[str, int]:
            number, line = numbered
            sign = line[:1] if line[:1] in {">", "@", "<"} else ""
            return sign, number if sign == "@" else 0

        for (sign, _), run in groupby(enumerate(self.lines), kind):
            yield sign, [line for _, line in run]

    def config(self) -> Config:
        """Two models of the tone engine: `tone` can do everything, `plain` has no pitch or volume over WebSocket."""
        tone = ModelConfig(engine="tone", default_voice="sine-440")
        plain = msgspec.structs.replace(tone, websocket=ControlsConfig(speed=(0.5, 2.0)))
        settings = msgspec.convert({"sample_rate": RATE, **self.options.tone}, ToneConfig)
        return Config(
            server=ServerConfig(port=0),
            limits=msgspec.structs.replace(Limits(resume_window_ms=0), **self.options.limits),
            engines=EnginesConfig(tone=settings),
            dialects=self.options.dialects,
            models={"tone": tone, "plain": plain},
            default_model="tone",
        )

    @property
    def tongue(self) -> Tongue:
        """That of its folder."""
        return TONGUES[self.path.parent.name]

    @property
    def query(self) -> str:
        """What the address of the connection says."""
        native = self.path.parent.name == "native"
        return f"audio={self.options.audio}" if native else self.options.query

    def catalog(self, house: House) -> Catalog:
        """What its dialect offers."""
        return house.vendors.get(self.path.parent.name, house.catalog)

    async def plant(self, house: House) -> None:
        """Let the faults befall the tone engine, and the lexicons be there."""
        for id, rules in self.options.lexicons.items():
            kept = KeptLexicon(
                LOCAL.account,
                LexiconKind.NATIVE,
                "",
                Lexicon(id, 1, rules),
                created_ms=0,
                changed_ms=0,
            )
            await house.lexicons.add_lexicon(kept, lexicons_max=10)
        errors = {error.code: error for error in all_errors()}
        plan = {
            text: [Fail(fault.at_sample, errors[fault.error]) for fault in faults]
            for text, faults in self.options.faults.items()
        }
        engines = cast("dict[str, Engine]", house.engines)
        engines["tone"] = ChaosEngine(engines["tone"], plan)


class _Wire:
    """The words of a transcript as they go over the wire, and back."""

    def __init__(self, subprotocol: Subprotocol) -> None:
        self._subprotocol = subprotocol
        self._retold = Retold()

    def said(self, line: str) -> Frame:
        """What the client sends for a line."""
        frame = _frame(line)
        return frame if self._subprotocol is Subprotocol.JSON else in_msgpack(frame)

    def heard(self, frame: Frame) -> Frame:
        """What came, as the transcript tells it."""
        return frame if self._subprotocol is Subprotocol.JSON else self._retold.in_json(frame)

    def conversation(self, transcript: Transcript, house: House) -> Conversation:
        """What its handshake comes to."""
        query = dict(parse_qsl(transcript.query))
        request = HttpRequest("GET", transcript.tongue.path, query, {})
        offered = (self._subprotocol,)
        catalog = transcript.catalog(house)
        return transcript.tongue.handshake.agree(
            request, offered, catalog, house.limits
        ).conversation


async def play_in_memory(
    transcript: Transcript, subprotocol: Subprotocol = Subprotocol.JSON
) -> list[str]:
    """The file with what came from the mux alone. Needs the loop with virtual time."""
    wire = _Wire(subprotocol)
    clock = asyncio.get_running_loop().time
    async with (
        open_house(transcript.config(), clock) as house,
        asyncio.TaskGroup() as tasks,
    ):
        await transcript.plant(house)
        page = transcript.tongue.page(transcript.options)
        connection = MemoryConnection(0)

        async def write(frame: Frame) -> None:
            page.write(wire.heard(frame))

        async def serve() -> None:
            conversation = wire.conversation(transcript, house)
            catalog = transcript.catalog(house)
            try:
                verdict = await Mux(house, conversation, "session", catalog=catalog).run(
                    Wire(connection.take, write)
                )
                if verdict is not Verdict.PEER_GONE:
                    page.close(conversation.close_code(verdict), verdict.name.lower())
            finally:
                connection.close()

        async def perform(lines: list[str], expected: list[str]) -> None:
            for line in lines:
                if line.startswith(">"):
                    await connection.send(wire.said(line))
                elif line == CONNECT:
                    tasks.create_task(serve())
                elif line == DRAIN:
                    house.admission.drain.begin(DRAIN_S)
                else:
                    await asyncio.sleep(_wait_ms(line) / 1_000)
            await asyncio.sleep(SETTLE_S)

        played = await _play(transcript, page, perform)
        connection.leave()
        return played


async def play_over_socket(
    transcript: Transcript, subprotocol: Subprotocol = Subprotocol.JSON
) -> list[str]:
    """The file with what came from the real server."""
    wire = _Wire(subprotocol)
    assert not transcript.options.time
    async with running_server(transcript.config()) as server:
        await transcript.plant(server.house)
        tongue = transcript.tongue
        url = f"ws://127.0.0.1:{server.port}{tongue.path}?{transcript.query}"
        offered = [Offer(subprotocol)] if tongue is TONGUES["native"] else None
        async with connect(url, subprotocols=offered, proxy=None) as connection:
            page = tongue.page(transcript.options)

            async def perform(lines: list[str], expected: list[str]) -> None:
                for line in lines:
                    if line.startswith(">"):
                        await connection.send(wire.said(line))
                    elif line == DRAIN:
                        server.house.admission.drain.begin(DRAIN_S)
                await _hear(connection, wire, page, lambda: page.lines() == expected)

            played = await _play(transcript, page, perform)
            if any(line.startswith("< close ") for line in played):
                return played
            # What should not have come is here before the answer to this, and is shown at the end.
            await connection.send(wire.said(f"> {tongue.last}"))
            await _hear(connection, wire, page, lambda: bool(_last(tongue, page.lines())))
            rest = page.turn()
            assert _last(tongue, rest), rest
            return [*played, *rest[: -_last(tongue, rest)]]


def _last(tongue: Tongue, lines: list[str]) -> int:
    """How many lines the answer to the last message has, if they are there."""
    if not lines or not tongue.last_answer.fullmatch(lines[-1]):
        return 0
    return 2 if lines[-1].startswith("< close") else 1


async def _play(transcript: Transcript, page: Shown, perform: Perform) -> list[str]:
    """Perform each step and put what came in the place of what was expected."""
    played: list[str] = []
    sections = list(transcript.sections())
    for (kind, lines), (next_kind, next_lines) in pairwise([*sections, ("", [])]):
        if kind == "<":
            continue
        played += lines
        if kind:
            await perform(lines, next_lines if next_kind == "<" else [])
            played += page.turn()
    return played


async def _hear(
    connection: ClientConnection, wire: _Wire, page: Shown, complete: Callable[[], bool]
) -> None:
    """Write down what comes until it is complete, or the connection ends, or nothing more comes."""
    try:
        async with asyncio.timeout(ANSWER_S):
            while not complete():
                page.write(wire.heard(await connection.recv()))
    except ConnectionClosed:
        page.close(connection.close_code or 0, connection.close_reason or "")
    except TimeoutError:
        return


def _frame(line: str) -> Frame:
    if line.startswith(">> "):
        return bytes.fromhex(line[3:])
    return repeated(line[2:])


def repeated(text: str) -> str:
    """The text with what is said to stand in it so many times."""
    return _REPEATED.sub(lambda match: match[1] * int(match[2]), text)


def _wait_ms(line: str) -> int:
    number, unit = line.removeprefix("@ ").split()
    assert unit == "ms", line
    return int(number)
