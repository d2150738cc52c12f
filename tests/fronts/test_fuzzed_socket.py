"""Dialogues made from /asyncapi.json, and broken ones, on a real socket: each message is obeyed or refused by a typed error,
what is told is as described, and the connection lives."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Protocol, cast

import httpx
import msgspec
import pytest
import schemathesis
from hypothesis import given, settings as hypothesis_settings, strategies as st
from jsonschema import Draft202012Validator
from schemathesis import GenerationMode
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol as Offer

from gateway.dialects.native import AUDIO_HEADER, AUDIO_VERSION, MESSAGES, Subprotocol
from tests.support.process import GatewayProcess, gateway_process
from tests.support.server import Message

pytestmark = [pytest.mark.socket, pytest.mark.slow, pytest.mark.timeout(120)]

ANSWER_S_MAX = 3.0
"""Nothing is waited for longer than that, so that a lost answer is found and made small."""
LIMITS = {
    "LIMITS__TEXT_CHARS_MAX": "200",
    "LIMITS__WHOLE_CHARS_MAX": "200",
    "LIMITS__CHARS_PENDING_MAX": "400",
    "LIMITS__CONTEXTS_MAX": "2",
}
CONTEXTS = st.sampled_from(["default", "a", "b"])
"""More than may be open at once."""


@dataclass(frozen=True)
class Described:
    """A server in a process of its own, whose load is not that of the tests, and what it says about itself."""

    runner: asyncio.Runner
    server: GatewayProcess
    spoken: Message
    """/asyncapi.json"""
    errors: Draft202012Validator
    """Of /openapi.json's bodies of errors."""

    def payload(self, kind: str) -> Message:
        messages = cast(dict[str, Message], self.spoken_parts["messages"])
        return cast(Message, messages[kind]["payload"])

    @property
    def spoken_parts(self) -> Message:
        return cast(Message, self.spoken["components"])


@pytest.fixture(scope="module")
def described() -> Iterator[Described]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        server = runner.run(stack.enter_async_context(gateway_process(**LIMITS)))
        spoken = runner.run(document(server, "/asyncapi.json"))
        asked = runner.run(document(server, "/openapi.json"))
        body = {"$ref": "#/components/schemas/ErrorBody", "components": asked["components"]}
        yield Described(runner, server, spoken, Draft202012Validator(body))
        runner.run(stack.aclose())


async def document(server: GatewayProcess, path: str) -> Message:
    async with httpx.AsyncClient(base_url=server.base_url, trust_env=False) as client:
        return cast(Message, (await client.get(path)).json())


class Judge:
    """Says which messages are as described, of either side."""

    def __init__(self, described: Described) -> None:
        self._validators = {
            kind: Draft202012Validator(
                {**described.payload(kind), "components": described.spoken_parts}
            )
            for kind in cast(Message, described.spoken_parts["messages"])
        }

    def takes(self, message: object) -> bool:
        """True for what a client may say."""
        kind = message.get("type") if isinstance(message, dict) else None
        return (
            isinstance(kind, str) and kind in MESSAGES and self._validators[kind].is_valid(message)
        )

    def check(self, message: Message) -> None:
        """Raises ValidationError for what the server may not say."""
        assert message["type"] not in MESSAGES
        self._validators[str(message["type"])].validate(message)


# --- how it is written -----------------------------------------------------------------------------------------------


class Form(Protocol):
    """A subprotocol, from the client's side."""

    name: Subprotocol

    def write(self, message: object) -> str | bytes: ...

    def read(self, frame: str | bytes) -> object | None: ...

    def hear(self, frame: str | bytes) -> Message | None:
        """The server's message; None for audio that is none."""
        ...


class InJson:
    """`speech.v1.json`"""

    name = Subprotocol.JSON

    def write(self, message: object) -> str:
        return msgspec.json.encode(message).decode()

    def read(self, frame: str | bytes) -> object | None:
        """What it says to whoever reads it as it should be read; None = nothing."""
        try:
            return msgspec.json.decode(frame) if isinstance(frame, str) else None
        except (msgspec.DecodeError, UnicodeError):
            return None

    def hear(self, frame: str | bytes) -> Message | None:
        if isinstance(frame, str):
            return msgspec.json.decode(frame, type=Message)
        version, flags, *_, samples = AUDIO_HEADER.unpack_from(frame)
        assert (version, flags) == (AUDIO_VERSION, 0)
        assert samples == 0 or len(frame) > AUDIO_HEADER.size
        return None


class InMessagePack:
    """`speech.v1.msgpack`"""

    name = Subprotocol.MSGPACK

    def write(self, message: object) -> bytes:
        try:
            return msgspec.msgpack.encode(message)
        except OverflowError:  # It has no integers of more than 64 bits.
            return b"\xc1"

    def read(self, frame: str | bytes) -> object | None:
        try:
            return msgspec.msgpack.decode(frame) if isinstance(frame, bytes) else None
        except (msgspec.DecodeError, UnicodeError):
            return None

    def hear(self, frame: str | bytes) -> Message | None:
        assert isinstance(frame, bytes)
        message = msgspec.msgpack.decode(frame, type=Message)
        if message["type"] == "audio":  # Bytes are what AsyncAPI's schema says of JSON: base64.
            message["data"] = base64.b64encode(cast(bytes, message["data"])).decode()
        return message


# --- what is said ----------------------------------------------------------------------------------------------------


def described_messages(described: Described) -> st.SearchStrategy[Message]:
    """What the document allows. schemathesis makes it, which is told of it as of bodies of HTTP."""
    paths = {
        f"/{kind}": {
            "post": {
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": described.payload(kind)}},
                },
                "responses": {"200": {"description": "Said."}},
            }
        }
        for kind in MESSAGES
    }
    bodies = schemathesis.openapi.from_dict(
        {
            "openapi": "3.1.0",
            "info": {"title": "What a client may say", "version": "1"},
            "paths": paths,
            "components": {"schemas": described.spoken_parts["schemas"]},
        }
    )
    return st.one_of(
        [
            bodies[path]["POST"]
            .as_strategy(generation_mode=GenerationMode.POSITIVE)
            .map(lambda case: cast(Message, case.body))
            for path in paths
        ]
    )


PROSE = st.sampled_from(["Hello there. ", "and so on, and so on, ", "...", "🙂", "x" * 201, ""])
TALK = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, PROSE),
    st.sampled_from([{"type": kind} for kind in ("flush", "clear", "end", "configure")]),
)
"""What is likely in a dialogue, and rare among all that a schema allows."""
JUNK = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=80),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
NOISE = st.one_of(st.text(max_size=40), st.binary(max_size=40))


def damaged(message: Message, data: st.DataObject) -> Message:
    """One field is gone, or something else, or of another message."""
    message = dict(message)
    names = [*message, "context", "id", "text", "played_ms", "lead_ms", "format", "token"]
    name = data.draw(st.sampled_from(names))
    if name in message and data.draw(st.booleans()):
        del message[name]
    else:
        message[name] = data.draw(JUNK)
    return message


# --- the dialogue ----------------------------------------------------------------------------------------------------


class Dialogue:
    """One connection. All that is heard is judged; `open` are the contexts that have begun and not ended."""

    def __init__(self, socket: ClientConnection, form: Form, judge: Judge) -> None:
        self._socket = socket
        self._form = form
        self._judge = judge
        self.open: set[str] = set()

    async def say(self, *frames: str | bytes) -> None:
        for frame in frames:
            await self._socket.send(frame)

    async def hear_until(self, is_last: Callable[[Message], bool]) -> list[Message]:
        """Everything up to the first message of which that is true."""
        heard: list[Message] = []
        while not heard or not is_last(heard[-1]):
            async with asyncio.timeout(ANSWER_S_MAX):
                message = self._form.hear(await self._socket.recv())
            if message is not None:
                self._judge.check(message)
                heard.append(message)
                if message["type"] == "started":
                    self.open.add(str(message["context"]))
                elif message["type"] == "ended":
                    self.open.discard(str(message["context"]))
        return heard

    async def end(self, contexts: set[str], *, speak: bool) -> None:
        """Everything is spoken, or forgotten, and these contexts end, as far as they exist."""
        before: Message = {"type": "configure", "lead_ms": None} if speak else {"type": "clear"}
        unanswered = set()
        for number, context in enumerate(sorted(contexts)):
            unanswered.add(f"end {number}")
            for message in (before, {"type": "end", "id": f"end {number}"}):
                await self.say(self._form.write({**message, "context": context}))

        def all_is_over(message: Message) -> bool:
            unanswered.discard(str(message.get("id")))
            return not unanswered and not self.open

        await self.hear_until(all_is_over)


def has_id(id: str, message: Message) -> bool:
    return message.get("id") == id


def is_about_shape(error: Message) -> bool:
    """True for what is said of messages that no schema takes. `resume` is told so when it is not the first."""
    return str(error["message"]).startswith("Expected") or (
        error["code"] == "invalid_message" and not str(error["message"]).startswith("resume is")
    )


async def converse(
    described: Described, form: Form, judge: Judge, frames: Sequence[str | bytes]
) -> None:
    """Say all of this at once, a ping after each, and see what comes back."""
    protocols = [Offer(form.name)]
    async with connect(described.server.ws_url, subprotocols=protocols, proxy=None) as socket:
        dialogue = Dialogue(socket, form, judge)
        await dialogue.hear_until(lambda message: message["type"] == "ready")
        pings = [f"ping {number}" for number in range(len(frames))]
        for frame, ping in zip(frames, pings, strict=True):
            await dialogue.say(frame, form.write({"type": "ping", "id": ping}))
        contexts, is_ending = {"default"}, False
        for frame, ping in zip(frames, pings, strict=True):
            said = form.read(frame)
            heard = await dialogue.hear_until(partial(has_id, ping))
            errors = [message for message in heard if message["type"] == "error"]
            if judge.takes(said):
                assert not [error for error in errors if is_about_shape(error)]
            else:
                assert errors, f"nobody minded {frame!r}"
            if isinstance(said, dict):
                contexts.add(str(said.get("context")))
                is_ending |= said.get("type") == "end"
        await dialogue.end(contexts, speak=not is_ending)
    assert socket.close_code == 1000


@pytest.mark.parametrize("form", [InJson(), InMessagePack()], ids=lambda form: form.name)
def test_a_dialogue_is_obeyed_or_refused_and_never_breaks(described: Described, form: Form) -> None:
    judge = Judge(described)
    valid = st.one_of(TALK, described_messages(described))
    heeded = st.builds(lambda message, context: {**message, "context": context}, valid, CONTEXTS)

    @given(st.data())
    @hypothesis_settings(derandomize=True)
    def run(data: st.DataObject) -> None:
        frames: list[str | bytes] = []
        for kind in data.draw(st.lists(st.sampled_from("vvhhhhddjn"), max_size=10)):
            match kind:
                case "v":
                    frames.append(form.write(data.draw(valid)))
                case "h":
                    frames.append(form.write(data.draw(heeded)))
                case "d":
                    frames.append(form.write(damaged(data.draw(heeded), data)))
                case "j":
                    frames.append(form.write(data.draw(JUNK)))
                case _:
                    frames.append(data.draw(NOISE))
        described.runner.run(converse(described, form, judge, frames))

    run()


@given(
    query=st.one_of(
        st.sampled_from(["audio=binary", "audio=base64", "audio=", "audio=base64&audio=binary"]),
        st.text("audio=&%;+0gbinrys64", max_size=20),
    ),
    offers=st.lists(
        st.sampled_from([*map(str, Subprotocol), "speech.v2.json", "graphql-ws"]), unique=True
    ),
)
@hypothesis_settings(derandomize=True)
def test_a_handshake_is_accepted_or_refused_in_json(
    described: Described, query: str, offers: list[str]
) -> None:
    async def shake_hands() -> None:
        url = f"{described.server.ws_url}?{query}"
        try:
            async with connect(
                url, subprotocols=[Offer(offer) for offer in offers] or None, proxy=None
            ) as socket:
                assert socket.subprotocol in ([*map(str, Subprotocol)] if offers else [None])
        except InvalidStatus as refused:
            refusal = refused.response
        else:
            return
        assert 400 <= refusal.status_code < 500
        assert refusal.headers["content-type"] == "application/json"
        described.errors.validate(msgspec.json.decode(refusal.body or b""))

    described.runner.run(shake_hands())
