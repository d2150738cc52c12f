"""Whichever protocol, however the text is split, whoever else speaks: equal text gives equal segments and equal PCM."""

from __future__ import annotations

import asyncio
import io
import random
import re
import wave
from collections.abc import AsyncIterator, Sequence

import httpx
import msgspec
import numpy as np
import pytest
import pytest_asyncio

from gateway.core.events import Word
from gateway.core.synthesis import VoiceSettings
from gateway.core.vocabulary import Codec
from gateway.runtime.outlet import TELEPHONY
from tests.audio.listening import decode, decode_mp3, delay_of, format_of
from tests.equivalence.speaking import (
    UNTIMED,
    Cut,
    Gate,
    by_the_engine,
    over_http,
    over_websocket,
    texts,
)
from tests.fronts.peers import http_client
from tests.support.server import (
    Message,
    RunningServer,
    espeak_config,
    running_server,
    speech_socket,
    tone_config,
)

pytestmark = [pytest.mark.socket, pytest.mark.asyncio(loop_scope="module")]

TEXTS = {
    "en": (
        "Dr. Smith paid $3.50 at 9 a.m. in St. Louis. It wasn't cheap! Was it? Well, version 1.2.3 of"
        " the U.S. edition (the one with e.g. maps, tables, and 1,000 photos) costs more… "
        "And a last line without an end"
    ),
    "de": (
        "Am 3. Mai kostete das z. B. 3,50 €. Der Zug kommt um 12.30 Uhr; er hält nicht! "
        "Wer weiß, was „danach“ geschieht? Niemand."
    ),
    "hi": "नमस्ते। आप कैसे हैं? मैं ठीक हूँ, धन्यवाद। आज का दिन बहुत अच्छा है। फिर मिलेंगे!",
    "cmn": "你好。今天天气很好!我们去公园吧?好的,谢谢你。明天见。",
    "fr": "Bonjour ! Comment allez-vous ? M. Dupont a payé 3,50 €, c’est cher… N’est-ce pas ?",
    "ru": "Привет! Как дела? Сегодня 3 мая 2024 г., и погода, т. е. солнце, хорошая. До свидания.",
}


def split_at_random(text: str, seed: int) -> list[str]:
    """Pieces of one to eight characters, as an LLM gives them, or of any length."""
    dice = random.Random(seed)
    longest = dice.choice([1, 8, 60, len(text)])
    pieces: list[str] = []
    while text:
        size = dice.randint(1, longest)
        pieces.append(text[:size])
        text = text[size:]
    return pieces


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["tone", "espeak"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[RunningServer]:
    config = {"tone": tone_config, "espeak": espeak_config}[request.param]()
    async with running_server(config) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def gate(server: RunningServer) -> AsyncIterator[Gate]:
    engines = server.house.engines
    assert isinstance(engines, dict)
    ((name, engine),) = engines.items()
    engines[name] = gate = Gate(engine)
    yield gate
    engines[name] = engine


@pytest_asyncio.fixture(loop_scope="module")
async def client(server: RunningServer) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(server) as client:
        yield client


def language_on(server: RunningServer, language: str) -> str:
    """The tone engine speaks all texts in its one language."""
    return "en" if server.house.catalog.default_model == "tone" else language


@pytest.mark.parametrize("preset", ["latency", "balanced", "quality"])
@pytest.mark.parametrize("language", TEXTS)
async def test_http_is_websocket_is_the_engine(
    server: RunningServer, client: httpx.AsyncClient, gate: Gate, language: str, preset: str
) -> None:
    text, spoken = TEXTS[language], language_on(server, language)
    buffering = {"preset": preset, "max_delay_ms": 0, "idle_ms": 0}
    fields: Message = {"language": spoken, "buffering": buffering}
    http = await over_http(client, text, **fields)
    ways = [
        await over_websocket(server, split_at_random(text, seed), gate=gate, **fields)
        for seed in range(4)
    ]
    for audio, cuts in ways:
        assert cuts == ways[0][1]
        assert audio == http
    assert_conserved(text, ways[0][1])
    catalog = server.house.catalog
    model = catalog.models[catalog.default_model]
    voice = next(
        voice
        for voice in [model.voices[model.default_voice], *model.voices.values()]
        if spoken in {voice.language, *voice.languages}
    )
    alone = await by_the_engine(
        server.house.engines[model.engine], text, ways[0][1], VoiceSettings(voice.id, spoken)
    )
    assert alone == http
    assert np.abs(np.frombuffer(http, "<i2").astype(int)).max() > 1_000


def assert_conserved(text: str, cuts: Sequence[Cut]) -> None:
    """The segments are the text, in order and without a gap."""
    assert [cut.text_start for cut in cuts] == [0, *(cut.text_end for cut in cuts[:-1])]
    assert cuts[-1].text_end == len(text)


async def test_a_long_text_is_cut_alike_in_one_message_and_in_many(
    server: RunningServer, client: httpx.AsyncClient, gate: Gate
) -> None:
    """Long texts are taken in slices, so that they hold nobody up; that must not be heard."""
    text = (TEXTS["en"] + ". ") * 12
    http = await over_http(client, text)
    for pieces in ([text], split_at_random(text, 1)):
        audio, cuts = await over_websocket(server, pieces, gate=gate)
        assert_conserved(text, cuts)
        assert audio == http


async def test_controls_mean_the_same_on_both(
    server: RunningServer, client: httpx.AsyncClient, gate: Gate
) -> None:
    text = TEXTS["en"]
    heard = set()
    asked: list[Message] = [
        {"speed": 1.5},
        {"pitch": 4},
        {"volume": 0.5},
        {"format": {"codec": "pcm_s16le", "sample_rate": 8_000}},
        {"format": {"codec": "wav", "sample_rate": 24_000}},
        {"format": {"codec": "pcm_s16le", "sample_rate": 48_000}, "speed": 0.8},
    ]
    for fields in asked:
        http = await over_http(client, text, **fields)
        audio, _ = await over_websocket(server, split_at_random(text, 7), gate=gate, **fields)
        assert audio == http
        heard.add(http)
    assert len(heard) == len(asked)


async def test_delivery_changes_no_sample(
    server: RunningServer, client: httpx.AsyncClient, gate: Gate
) -> None:
    text = TEXTS["en"]
    native = await over_http(client, text)
    for lead_ms in (None, 60_000):
        fields: Message = {"delivery": "progressive", "lead_ms": lead_ms}
        assert await over_http(client, text, **fields) == native
        audio, _ = await over_websocket(server, split_at_random(text, 3), gate=gate, **fields)
        assert audio == native


async def test_nobody_hears_anybody_else(server: RunningServer, client: httpx.AsyncClient) -> None:
    """Two dozen at once, each with its own text, over both protocols: each hears what it would hear alone."""
    texts = [f"Listener number {number} has this text. " * (1 + number % 3) for number in range(12)]
    alone = [await over_http(client, text) for text in texts]
    assert len(set(alone)) == len(texts)

    async def by_websocket(number: int) -> bytes:
        return (await over_websocket(server, split_at_random(texts[number], number)))[0]

    together = await asyncio.gather(
        *(over_http(client, text) for text in texts),
        *(by_websocket(number) for number in range(len(texts))),
    )
    assert together == alone * 2


async def test_codecs_carry_the_same_samples(
    server: RunningServer, client: httpx.AsyncClient
) -> None:
    """WAV to the sample; MP3 with its declared delay before them and no more than two frames behind."""
    text = TEXTS["en"]
    pcm = await over_http(client, text)
    streamed = await over_http(client, text, format={"codec": "wav"})
    whole = await over_http(client, text, stream=False, format={"codec": "wav"})
    assert streamed[44:] == whole[44:] == pcm
    with wave.open(io.BytesIO(whole)) as file:
        assert file.getnframes() == len(pcm) // 2
    mp3 = await over_http(client, text, format={"codec": "mp3"})
    heard, _, _ = decode_mp3(mp3)
    assert 0 <= len(heard) - (len(pcm) // 2 + 1_105) <= 2 * 1_152


@pytest.mark.parametrize("codec", Codec)
async def test_all_codecs_are_alike_on_both(
    server: RunningServer, client: httpx.AsyncClient, gate: Gate, codec: Codec
) -> None:
    """To the byte, whatever the sizes of what is sent; and as long as the samples that PCM has at that rate."""
    rate = 8_000 if codec in TELEPHONY else 24_000
    format = {"codec": codec, "sample_rate": rate}
    http = await over_http(client, TEXTS["en"], format=format)
    pieces = split_at_random(TEXTS["en"], 3)
    websocket, _ = await over_websocket(server, pieces, gate=gate, format=format)
    assert websocket == http
    raw = {"codec": Codec.PCM_S16LE, "sample_rate": rate}
    pcm = await over_http(client, TEXTS["en"], format=raw)
    whole = await over_http(client, TEXTS["en"], format=format, stream=False)
    for data in (http, whole):
        more = len(decode(format_of(codec, rate), data)) - len(pcm) // 2
        if codec in {Codec.MP3, Codec.AAC}:
            assert delay_of(codec) <= more <= delay_of(codec) + 2 * 1_152
        else:
            assert more == 0


async def test_words_are_where_they_would_be_in_one_piece(
    server: RunningServer, gate: Gate
) -> None:
    """Each mark is a written word of the text, in order, and at the same sample however the text came."""
    text = "Hello there, this is the first one. And this one is the second."
    told: list[list[tuple[object, str]]] = []
    for seed in range(3):
        async with speech_socket(server) as socket:
            gate.opened.clear()
            await socket.send(
                {"type": "configure", "lead_ms": None, "timestamps": True, "buffering": UNTIMED},
                *texts(split_at_random(text, seed)),
                {"type": "end"},
                {"type": "ping"},
            )
            await socket.receive_until("pong")
            gate.opened.set()
            await socket.receive_until("ended")
            words = [
                msgspec.convert(word, Word)
                for message in socket.messages("words")
                for word in msgspec.convert(message["words"], list[object])
            ]
            told.append([(word.sample, text[word.text_start : word.text_end]) for word in words])
    assert told[0] == told[1] == told[2]
    # espeak-ng says some pairs of words as one.
    assert len(told[0]) >= 12
    assert {word.strip(",.") for _, word in told[0]} <= set(re.findall(r"\w+", text))
