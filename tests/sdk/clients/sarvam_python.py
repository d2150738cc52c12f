"""What an application does with the vendor's own client, unmodified, in whichever version is installed; run by
tests/sdk/test_sarvam.py in an environment that has it. Tells what it got as one JSON object.

    python sarvam_python.py http://127.0.0.1:8080 KEY WRONG_KEY LATE_KEY sync|async
"""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

from sarvamai import AsyncSarvamAI, SarvamAI
from sarvamai.core.api_error import ApiError
from sarvamai.environment import SarvamAIEnvironment

TEXT = "Hello there. This text has more than fifty characters, so it is spoken at once."
REPORT: dict[str, Any] = {}


def environment(base: str) -> SarvamAIEnvironment:
    hosts = {"base": base, "production": base.replace("http", "ws")}
    if "creative" in inspect.signature(SarvamAIEnvironment.__init__).parameters:
        hosts["creative"] = base  # of no use for speech, and not known to older versions
    return SarvamAIEnvironment(**hosts)


class Flat:
    """Either client as one whose every call is awaited."""

    def __init__(self, base: str, key: str, *, is_async: bool) -> None:
        kind = AsyncSarvamAI if is_async else SarvamAI
        self.client = kind(environment=environment(base), api_subscription_key=key)
        names = inspect.signature(self.client.text_to_speech.convert).parameters
        self.language = "language_code" if "language_code" in names else "target_language_code"

    async def convert(self, text: str, **more: Any) -> Any:
        return await waited(
            self.client.text_to_speech.convert(text=text, **{self.language: "en-IN"}, **more)
        )

    async def stream(self, text: str, **more: Any) -> bytes:
        parts = self.client.text_to_speech.convert_stream(
            text=text, **{self.language: "en-IN"}, **more
        )
        return b"".join([part async for part in each(parts)])


async def waited(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


async def each(values: Any) -> AsyncIterator[Any]:
    values = await waited(values)
    if hasattr(values, "__aiter__"):
        async for value in values:
            yield value
    else:
        for value in values:
            yield value


class Opened:
    """A socket of either client, for a block."""

    def __init__(self, flat: Flat, **query: Any) -> None:
        self._context = flat.client.text_to_speech_streaming.connect(**query)

    async def __aenter__(self) -> Any:
        if hasattr(self._context, "__aenter__"):
            return await self._context.__aenter__()
        return self._context.__enter__()

    async def __aexit__(self, *why: object) -> None:
        if hasattr(self._context, "__aexit__"):
            await self._context.__aexit__(*why)
        else:
            self._context.__exit__(*why)


async def one_shot(flat: Flat) -> None:
    answer = await flat.convert(TEXT, speaker="ritu", model="bulbul:v3")
    (audio,) = answer.audios
    REPORT["file"] = [base64.b64decode(audio)[:4].decode(), bool(answer.request_id)]
    if hasattr(flat.client.text_to_speech, "convert_stream"):
        data = await flat.stream(TEXT, output_audio_codec="wav")
        REPORT["stream"] = [data[:4].decode(), len(data) > 10_000]


async def conversation(flat: Flat) -> None:
    cycles = []
    async with Opened(flat, model="bulbul:v3", send_completion_event=True) as socket:
        await waited(socket.configure(target_language_code="en-IN"))
        for text in (TEXT, "Short."):
            await waited(socket.convert(text))
            await waited(socket.ping())
            await waited(socket.flush())
            kinds: list[str] = []
            while not kinds or kinds[-1] != "event":
                message = await waited(socket.recv())
                kinds.append(message.type)
                if message.type == "audio":
                    base64.b64decode(message.data.audio, validate=True)
                    assert message.data.content_type == "audio/mpeg"
                else:
                    assert message.data.event_type == "final", message
            cycles.append(sorted(set(kinds)))
    REPORT["cycles"] = cycles


async def codecs(flat: Flat) -> None:
    heard = {}
    for codec in ("mp3", "wav", "linear16", "mulaw", "alaw", "opus", "aac", "flac"):
        async with Opened(flat, model="bulbul:v2") as socket:
            await waited(
                socket.configure(
                    target_language_code="hi-IN", speaker="anushka", output_audio_codec=codec
                )
            )
            await waited(socket.convert("Short."))
            await waited(socket.flush())
            async for message in each(socket):
                if message.type == "event":
                    break
                heard[codec] = message.data.content_type
    REPORT["codecs"] = heard


async def dictionaries(flat: Flat) -> None:
    """Words are kept, merged, spoken by either route, and forgotten."""
    kept = flat.client.pronunciation_dictionary
    told: dict[str, Any] = {}

    def file(**words: str) -> tuple[str, bytes]:
        return "words.json", json.dumps({"pronunciations": {"en-IN": words}}).encode()

    id = (await waited(kept.create(file=file(tuktuk="three wheels")))).dictionary_id
    told["listed"] = id in (await waited(kept.list())).dictionaries
    words = {"tuktuk": "auto rickshaw", "SPG": "speech gateway"}
    told["updated"] = (
        await waited(kept.update(dict_id=id, file=file(**words)))
    ).dictionary_id == id
    told["got"] = (await waited(kept.get(id))).pronunciations

    async def spoken(text: str, dict_id: str | None) -> bytes:
        async with Opened(flat, model="bulbul:v3") as socket:
            await waited(
                socket.configure(
                    target_language_code="en-IN",
                    speaker="ritu",
                    output_audio_codec="linear16",
                    dict_id=dict_id,
                )
            )
            await waited(socket.convert(text))
            await waited(socket.flush())
            audio = b""
            while (message := await waited(socket.recv())).type == "audio":
                audio += base64.b64decode(message.data.audio)
            return audio

    told["conversation"] = await spoken("A tuktuk.", id) == await spoken("A auto rickshaw.", None)
    told["file"] = (await flat.convert("A tuktuk.", dict_id=id)).audios == (
        await flat.convert("A auto rickshaw.")
    ).audios
    told["deleted"] = (await waited(kept.delete(dict_id=id))).success
    try:
        await waited(kept.get(id))
    except ApiError as error:
        told["gone"] = [type(error).__name__, error.status_code]
    REPORT["dictionary"] = told


async def refused_config(flat: Flat) -> None:
    async with Opened(flat, model="bulbul:v3") as socket:
        await waited(socket.configure(target_language_code="en-IN", speaker="nobody"))
        messages = [message async for message in each(socket)]
    REPORT["refused_config"] = [[m.type, m.data.code] for m in messages]


async def errors(flat: Flat, wrong: Flat) -> None:
    async def outcome(call: Callable[[], Awaitable[Any]]) -> list[Any]:
        try:
            await call()
        except ApiError as error:
            body = error.body
            said = body["error"] if isinstance(body, dict) else body.error
            code = said["code"] if isinstance(said, dict) else said.code
            return [type(error).__name__, error.status_code, str(code)]
        return ["none"]

    REPORT["errors"] = {
        "key": await outcome(lambda: wrong.convert(TEXT)),
        "speaker": await outcome(lambda: flat.convert(TEXT, speaker="nobody")),
        "schema": await outcome(lambda: flat.convert(TEXT, pace=9.0)),
        "long": await outcome(lambda: flat.convert("a" * 2501)),
    }
    try:
        async with Opened(wrong, model="bulbul:v3") as socket:
            await waited(socket.recv())
    except Exception as error:
        # Which class it is depends on the versions of two libraries.
        REPORT["errors"]["socket"] = "403" in str(error) or getattr(error, "status_code", 0) == 403


async def retries(late: Flat) -> None:
    # While Python began, the key may have got another request.
    for _ in range(10):
        try:
            await late.convert("Now.", request_options={"max_retries": 0})
        except ApiError as error:
            REPORT["too_many"] = [type(error).__name__, error.status_code]
            break
    # The oldest of these versions begins to count at 2.
    answer = await late.convert("A second later.", request_options={"max_retries": 4})
    REPORT["retried"] = len(answer.audios)


async def main(base: str, keys: Iterable[str], mode: str) -> None:
    flat, wrong, late = (Flat(base, key, is_async=mode == "async") for key in keys)
    await retries(late)
    await one_shot(flat)
    await conversation(flat)
    await codecs(flat)
    await refused_config(flat)
    if hasattr(flat.client, "pronunciation_dictionary"):
        await dictionaries(flat)
    await errors(flat, wrong)
    print(json.dumps(REPORT))


asyncio.run(main(sys.argv[1], sys.argv[2:5], sys.argv[5]))
