"""docs/protocol.md has every field, limit, warning and error, with the type, range and default of the code."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from gateway.audio.mp3 import Mp3Encoder
from gateway.audio.registry import media_type, new_encoder
from gateway.core.errors import GatewayError, all_errors
from gateway.core.formats import (
    AAC_BITRATES,
    MP3_BITRATES,
    OPUS_BITRATES,
    SHAPES,
    default_bitrate,
)
from gateway.core.limits import Limits
from gateway.core.params import (
    HTTP_DEFAULTS,
    PRESETS,
    WEBSOCKET_DEFAULTS,
    BufferingRequest,
    Defaults,
    FormatRequest,
    Parameters,
    Segmentation,
)
from gateway.core.resolve import NEUTRAL
from gateway.core.vocabulary import Codec, CutKind, CutReason, Preset
from gateway.dialects.base import Verdict
from gateway.dialects.native import (
    AUDIO_HEADER,
    AUDIO_VERSION,
    MESSAGES,
    Addressed,
    SpeechBody,
    Subprotocol,
    Tagged,
)
from gateway.fronts.usage import UsageInfo
from gateway.runtime.contexts import FRAME_MS, FRAME_MS_SHARED, FRAME_MS_UNPACED
from gateway.runtime.receipts import RequestReceipt
from gateway.telemetry.receipt import RANGES_MAX, ContextReceipt
from tests.audio.listening import delay_of, format_of
from tests.support.checkout import ROOT
from tests.support.documents import Row, in_words, named, table
from tests.support.spoken_codes import warning_codes

DOCUMENT = ROOT / "docs" / "protocol.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
CONTROLS = set(NEUTRAL)


def rows(heading: str) -> dict[str, Row]:
    return {named(row): row for row in table(DOCUMENT, heading)}


def test_speech_parameters() -> None:
    described = rows("Speech parameters")
    assert list(described) == list(Parameters.__struct_fields__)
    for field in msgspec.structs.fields(Parameters):
        # The outer bounds of the controls are of no interest: each model has narrower ones.
        expected = "number" if field.name in CONTROLS else in_words(field.type)
        assert described[field.name]["type"] == expected
    for name, neutral in NEUTRAL.items():
        assert described[name]["default"] == f"`{neutral:g}`"
    assert described["lead_ms"]["default"] == by_route("lead_ms")
    assert not HTTP_DEFAULTS.timestamps
    assert not WEBSOCKET_DEFAULTS.timestamps


def by_route(name: str) -> str:
    def shown(defaults: Defaults) -> str:
        value = getattr(defaults, name)
        return f"`{'null' if value is None else value}`"

    return f"HTTP {shown(HTTP_DEFAULTS)}, WebSocket {shown(WEBSOCKET_DEFAULTS)}"


def test_format() -> None:
    described = rows("Format")
    assert {
        field.name: in_words(field.type) for field in msgspec.structs.fields(FormatRequest)
    } == {name: row["type"] for name, row in described.items()}
    assert described["codec"]["default"] == by_route("codec")
    mp3 = [default_bitrate(Codec.MP3, rate) for rate in (24_000, 12_000, 32_000)]
    opus = default_bitrate(Codec.OPUS, 48_000)
    assert described["bitrate"]["default"] == (
        f"`{mp3[0]}`; `{mp3[1]}` below 16 kHz, `{mp3[2]}` from 32 kHz on; `opus` `{opus}`"
    )


@pytest.mark.parametrize("codec", Codec)
def test_codecs(codec: Codec) -> None:
    row, shapes = rows("Codecs")[codec], SHAPES[codec]
    rate = shapes.sample_rate or 22_050
    assert row["media type"] == f"`{media_type(format_of(codec, rate))}`".replace("22050", "…")
    assert row["`container`"] == (", ".join(f"`{each}`" for each in shapes.containers) or "none")
    assert row["delay"] == f"{delay_of(codec)} samples".replace("0 samples", "0")
    assert new_encoder(format_of(codec, 24_000)).delay_samples == delay_of(codec)


def test_bitrates() -> None:
    described = rows("Bitrates")
    shown = {
        Codec.MP3: MP3_BITRATES,
        Codec.AAC: AAC_BITRATES,
        Codec.OPUS: OPUS_BITRATES,
    }
    for rate in MP3_BITRATES:
        row = described[f"{rate}"]
        for codec, bitrates in shown.items():
            assert row[f"`{codec}`"] == in_kbit(bitrates.get(rate, ()))


def in_kbit(bitrates: Sequence[int]) -> str:
    if isinstance(bitrates, range):
        return f"{bitrates[0] / 1_000:g} to {bitrates[-1] / 1_000:g}"
    return ", ".join(f"{bitrate // 1_000}" for bitrate in bitrates) or "none"


def test_buffering() -> None:
    described = rows("Buffering")
    assert {
        field.name: in_words(field.type) for field in msgspec.structs.fields(BufferingRequest)
    } == {name: row["type"] for name, row in described.items()}
    assert Segmentation().preset is Preset.BALANCED
    for name in set(described) - {"preset"}:
        for preset, segmentation in PRESETS.items():
            value = msgspec.json.encode(getattr(segmentation, name)).decode().strip('"')
            assert described[name][f"`{preset}`"] == f"`{value}`"


@pytest.mark.parametrize(
    ("heading", "message", "inherited"),
    [
        ("POST /v1/speech", SpeechBody, Parameters),
        ("Client messages", Addressed, None),
        ("text", MESSAGES["text"], Addressed),
        ("clear", MESSAGES["clear"], Addressed),
    ],
)
def test_client_messages(
    heading: str, message: type[msgspec.Struct], inherited: type[msgspec.Struct] | None
) -> None:
    common = inherited.__struct_fields__ if inherited else ()
    described = rows(heading)
    fields = [field for field in msgspec.structs.fields(message) if field.name not in common]
    assert list(described) == [field.name for field in fields]
    for field in fields:
        assert described[field.name]["type"] == in_words(field.type)
        default = "required" if field.required else msgspec.json.encode(field.default).decode()
        assert described[field.name]["default"].strip("`") == default


def test_every_client_message_has_its_heading() -> None:
    for kind, message in MESSAGES.items():
        assert f"\n#### {kind}\n" in TEXT
        more = set(message.__struct_fields__) - {*Addressed.__struct_fields__}
        assert more in (
            set(),
            {"text"},
            {"played_ms"},
            {"token", "contexts"},
            set(Parameters.__struct_fields__),
        )
    assert (
        rows("Client messages")["type"]["meaning"]
        == "`configure`, `text`, `flush`, `clear`, `end`, `ping` or `resume`."
    )


@pytest.mark.parametrize("message", Tagged.__subclasses__(), ids=lambda message: message.__name__)
def test_server_messages(message: type[Tagged]) -> None:
    heading = str(message.__struct_config__.tag)
    described = table(DOCUMENT, heading)
    if heading == "audio":
        described = table(DOCUMENT, "audio, in base64")
    fields = msgspec.structs.fields(message)
    assert [(named(row), row["type"]) for row in described] == [
        (field.name, in_words(field.type)) for field in fields
    ]


@pytest.mark.parametrize(
    ("heading", "struct"),
    [
        ("GET /v1/speech/requests/{id}", RequestReceipt),
        ("request: contexts", ContextReceipt),
        ("GET /v1/speech/usage", UsageInfo),
    ],
)
def test_receipts(heading: str, struct: type[msgspec.Struct]) -> None:
    assert {name: row["type"] for name, row in rows(heading).items()} == {
        field.name: in_words(field.type) for field in msgspec.structs.fields(struct)
    }
    assert f"more than {RANGES_MAX} ranges" in TEXT


def test_the_words_in_messages() -> None:
    segment = rows("segment")
    assert all(f"`{reason}`" in segment["reason"]["meaning"] for reason in CutReason)
    assert all(f"`{kind}`" in segment["kind"]["meaning"] for kind in CutKind)
    assert rows("ready")["protocol"]["meaning"] == " or ".join(
        f"`{subprotocol}`" for subprotocol in Subprotocol
    )


def test_the_header_of_audio_frames() -> None:
    described = table(DOCUMENT, "audio")
    assert [row["offset"] for row in described] == ["0", "1", "2", "4", "8", "16"]
    sizes = {"1": "B", "2": "H", "4": "I", "8": "Q"}
    assert AUDIO_HEADER.format == ">" + "".join(sizes[row["bytes"]] for row in described)
    assert described[0]["meaning"] == str(AUDIO_VERSION)
    assert f"a header of {AUDIO_HEADER.size} bytes" in TEXT
    frames = f"up to {FRAME_MS} ms of audio ({FRAME_MS_UNPACED} ms with `lead_ms` null), or {FRAME_MS_SHARED} ms"
    assert frames in TEXT


def test_limits() -> None:
    described = rows("Limits")
    assert {name: row["default"] for name, row in described.items()} == {
        field.name: f"`{field.default}`" for field in msgspec.structs.fields(Limits)
    }


def test_warnings() -> None:
    assert set(rows("Warnings")) == warning_codes()


@pytest.mark.parametrize("error", all_errors(), ids=lambda error: error.code)
def test_errors(error: type[GatewayError]) -> None:
    row = rows("Errors")[error.code]
    assert row["status"] == str(error.status)
    assert row["fault"] == error.fault
    assert row["retryable"] == ("yes" if error.retryable else "no")
    assert row["when"].endswith(".")


def test_no_error_is_described_that_is_not() -> None:
    assert set(rows("Errors")) == {error.code for error in all_errors()}


def test_close_codes() -> None:
    reasons = {row["reason"].strip("`") for row in table(DOCUMENT, "Close codes")}
    # The native protocol refuses messages, and goes on.
    verdicts = {verdict.name.lower() for verdict in Verdict} - {"peer_gone", "refused"}
    assert verdicts <= reasons


def test_the_delay_of_mp3() -> None:
    delay = Mp3Encoder.delay_samples
    assert f"{delay} samples\ntogether" in TEXT or f"{delay}\nsamples together" in TEXT
    assert f"({delay / 22.05:.0f} ms at 22,050 Hz, {delay / 24:.0f} ms at 24,000 Hz)" in TEXT
