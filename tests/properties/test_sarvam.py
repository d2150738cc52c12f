"""Any bytes where a body or a form should be are understood, or refused in the vendor's words; nothing else ever comes of them."""

from __future__ import annotations

import base64

import msgspec
from hypothesis import given, strategies as st

from gateway.core.errors import GatewayError
from gateway.core.formats import SHAPES
from gateway.core.limits import Limits
from gateway.dialects.http import HttpRequest
from gateway.dialects.sarvam import BITRATES, CODECS, SpeechFields
from gateway.dialects.sarvam_dictionaries import SarvamDictionaries
from gateway.dialects.sarvam_errors import SarvamErrorBody, SarvamWords
from gateway.dialects.sarvam_http import InJson, SarvamAudios, SarvamFile, SarvamStream
from tests.dialects.sarvam.catalog import CATALOG
from tests.dialects.sarvam.test_dictionaries import FORM, form, part

LIMITS = Limits()
ID = "req_1f2e3d4c5b6a798887766554"
NAMES = st.sampled_from(
    [
        *CODECS,
        *BITRATES,
        *CATALOG.models,
        "hi-IN",
        "EN-in",
        "shubh",
        "Anushka",
        "p_00000000",
        "24000",
    ]
)
VALUES = st.one_of(
    *(st.none(), st.booleans(), NAMES, st.text(max_size=80)),
    *(st.integers(-(2**70), 2**70), st.sampled_from([8_000, 22_050, 24_000, 48_000])),
    *(st.floats(-3, 3), st.floats(allow_nan=False, allow_infinity=False)),
    *(st.just([]), st.just({})),
)
BODIES = st.one_of(
    st.fixed_dictionaries(
        {"text": st.one_of(st.text(min_size=1, max_size=20), VALUES)},
        optional=dict.fromkeys(SpeechFields.__struct_fields__, VALUES),
    ).map(msgspec.json.encode),
    st.binary(max_size=60),
    st.recursive(VALUES, lambda inner: st.dictionaries(st.text(max_size=5), inner)).map(
        msgspec.json.encode
    ),
)


def assert_said(error: GatewayError) -> None:
    """It is one of the caller's mistakes, and can be told."""
    refusal = SarvamWords().refuse(error.problem, ID, 0.0)
    assert 400 <= refusal.status < 500
    msgspec.json.decode(refusal.body, type=SarvamErrorBody)


@given(BODIES, st.sampled_from([SarvamFile(), SarvamStream()]))
def test_any_body(body: bytes, exchange: SarvamFile | SarvamStream) -> None:
    try:
        agreed = exchange.understand(HttpRequest("POST", "/", {}, {}, body), CATALOG, LIMITS)
    except GatewayError as error:
        assert_said(error)
        return
    # What was agreed on exists.
    format = agreed.settings.format
    bitrates = SHAPES[format.codec].bitrates
    assert not bitrates or format.bitrate in bitrates[format.sample_rate]
    assert agreed.settings.model in CATALOG.models


WHOLE = form(
    part(b'{"pronunciations": {"en-IN": {"SQL": "sequel"}, "hi-IN": {"AI": "\xe0\xa4\x8f"}}}')
)


@st.composite
def forms(draw: st.DrawFn) -> bytes:
    """A good form, in which something is cut out, put in or exchanged."""
    data = WHOLE
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(start + 30, len(data))))
        new = draw(st.one_of(st.binary(max_size=6), st.sampled_from([b"--border", b"\r\n", b'"'])))
        data = data[:start] + new + data[end:]
    return data


TYPES = st.one_of(
    st.just(FORM),
    st.text(st.characters(max_codepoint=255), max_size=40),
    st.text(st.characters(max_codepoint=255), max_size=20).map(
        lambda end: f"multipart/form-data; boundary={end}"
    ),
)


@given(TYPES, st.one_of(forms(), st.binary(max_size=100)))
def test_any_form(content_type: str, body: bytes) -> None:
    words = SarvamDictionaries(CATALOG)
    try:
        rules = words.read(content_type, body, LIMITS)
    except GatewayError as error:
        assert_said(error)
        return
    assert sum(map(len, words.written(rules).values())) == len(rules) > 0


@given(st.lists(st.binary(max_size=40), max_size=12))
def test_any_parts_of_a_file(parts: list[bytes]) -> None:
    wrapping = InJson("20261120_x")
    sent = b"".join([*map(wrapping.take, parts), wrapping.end()])
    (audio,) = msgspec.json.decode(sent, type=SarvamAudios).audios
    assert base64.b64decode(audio, validate=True) == b"".join(parts)
