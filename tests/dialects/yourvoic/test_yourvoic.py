"""What YourVoic's clients ask for, understood: borders, the tables of the document, and any bodies."""

from __future__ import annotations

import re
from collections import Counter

import msgspec
import pytest
from hypothesis import given, strategies as st

from gateway.catalogs import build_vendor, read_vendor
from gateway.core.errors import GatewayError, TextTooLong, all_errors
from gateway.core.limits import Limits
from gateway.core.params import Catalog, Model, Range, Voice
from gateway.core.vocabulary import Delivery, Route
from gateway.dialects.http import HttpRequest
from gateway.dialects.yourvoic.errors import SAID, YourVoicErrorBody, YourVoicWords
from gateway.dialects.yourvoic.speech import TEXT_CHARS_MAX, Generate, Stream
from gateway.engines.tone import ToneEngine
from gateway.fronts.described.yourvoic import OPERATIONS
from tests.limits.borders import border
from tests.support.checkout import ROOT
from tests.support.documents import named, table

DOCUMENT = ROOT / "docs" / "dialects" / "yourvoic.md"
INFO = ToneEngine(sample_rate=24_000).info
OWN = Catalog(
    {
        "tone": Model(
            id="tone",
            engine="tone",
            description="",
            engine_rate=INFO.sample_rate,
            sample_rates=(INFO.sample_rate,),
            voices={voice.id: voice for voice in INFO.voices},
            default_voice=INFO.default_voice,
            controls={},
        )
    },
    "tone",
)
VENDOR = read_vendor("yourvoic")
CATALOG = build_vendor(VENDOR, OWN, {"tone": INFO})
# As an engine with a voice for each language would have it.
ESPEAK = build_vendor(
    VENDOR,
    OWN,
    {
        "tone": msgspec.structs.replace(
            INFO,
            voices=tuple(
                Voice(id, code.lower(), code.lower()) for code, id in VENDOR.languages.items()
            ),
            variants=frozenset(voice.variant for voice in VENDOR.voices.values()),
        )
    },
)
ROUTES = (Generate(refuses=False), Stream(refuses=False))


def request(body: object, **headers: str) -> HttpRequest:
    encoded = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return HttpRequest("POST", "/", {}, headers, encoded)


class TestText:
    @border("dialects.yourvoic.speech.TEXT_CHARS_MAX")
    @pytest.mark.parametrize("route", ROUTES)
    def test_has_so_many_characters_at_most(self, route: Generate | Stream, more: int) -> None:
        asked = request({"text": "a" * (TEXT_CHARS_MAX + more), "voice": "Peter"})
        if more <= 0:
            assert len(route.understand(asked, CATALOG, Limits()).text) == TEXT_CHARS_MAX + more
            return
        with pytest.raises(TextTooLong) as refused:
            route.understand(asked, CATALOG, Limits())
        assert refused.value.problem.limit == TEXT_CHARS_MAX

    def test_an_operator_may_want_less(self) -> None:
        limits = Limits(whole_chars_max=10, text_chars_max=20)
        for route, most in zip(ROUTES, (10, 20), strict=True):
            with pytest.raises(TextTooLong) as refused:
                route.understand(request({"text": "a" * 21, "voice": "Peter"}), CATALOG, limits)
            assert refused.value.problem.limit == most


class TestTables:
    """The document's, which are the vendor's."""

    def test_models(self) -> None:
        rows = {named(row): row for row in table(DOCUMENT, "Models")}
        assert list(rows) == list(CATALOG.models)
        for id, row in rows.items():
            model = CATALOG.models[id]
            stream, file = model.controls[Route.HTTP], model.controls[Route.HTTP_FILE]
            assert (
                int(row["credits per 1,000 characters"]) == VENDOR.models[id].millicredits_per_char
            )
            assert VENDOR.models[id].price_step_chars == 1
            progressive = row["while it streams"] == "piece by piece"
            assert (model.delivery is Delivery.PROGRESSIVE) == progressive
            assert stream.speed == file.speed == Range(0.5, 2.0)
            assert (stream.pitch is not None) == (row["`pitch` in a stream"] == "yes")
            assert file.pitch == Range(-9.0, 9.0)
        assert CATALOG.default_model == "aura-prime"

    def test_errors(self) -> None:
        described = {
            (status.strip(), code)
            for row in table(DOCUMENT, "Errors")
            for code in re.findall(r"`(\w+)`", row["`code`"])
            for status in row["status"].split(",")
        }
        assert {code for _, code in described} >= {said.code for said in SAID.values()}
        for said in SAID.values():
            assert (str(said.status), said.code) in described

    def test_every_error_that_can_happen_has_its_words(self) -> None:
        can_happen = {error for operation in OPERATIONS for error in operation.refuses}
        assert {error.code for error in can_happen} <= set(SAID)
        for error in all_errors():
            refusal = YourVoicWords().refuse(error("As planned.").problem, "req_1", 1.5)
            body = msgspec.json.decode(refusal.body, type=YourVoicErrorBody)
            assert (body.request_id, body.timestamp) == ("req_1", 1.5)
            assert 400 <= refusal.status < 600


def test_every_language_has_a_voice_of_each_gender() -> None:
    has = Counter((voice.language, voice.gender) for voice in VENDOR.voices.values())
    assert set(has) == {
        (code, gender) for code in VENDOR.languages for gender in ("male", "female")
    }
    assert {"Peter", "Deepika"} <= set(VENDOR.voices)


def test_steps_of_pitch_fill_what_the_engine_has() -> None:
    def pitch(steps: float) -> float:
        asked = request({"text": "Hi.", "voice": "Peter", "pitch": steps})
        return ROUTES[0].understand(asked, CATALOG, Limits()).settings.pitch

    assert [pitch(steps) for steps in (-20, 0, 20)] == [-9.0, 0.0, 9.0]
    assert len({pitch(steps) for steps in range(-20, 21)}) == 41


@pytest.mark.parametrize(
    ("asked", "spoken"),
    [({}, "en-us"), ({"language": "hi"}, "hi-in"), ({"language": "EN-gb"}, "en-gb")],
)
def test_a_language_is_a_code_or_its_beginning(asked: dict[str, str], spoken: str) -> None:
    body = {"text": "Hi.", "voice": "Deepika", **asked}
    agreed = ROUTES[0].understand(request(body), ESPEAK, Limits())
    assert agreed.settings.language == spoken


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=6,
)
NEAR = {
    "text": st.text(min_size=1, max_size=9),
    "voice": st.sampled_from([*VENDOR.voices, "Bob"]),
    "model": st.sampled_from([*CATALOG.models, "best"]),
    "language": st.sampled_from([*VENDOR.languages, "en", "xx"]),
    "speed": st.floats(0.4, 2.1),
    "pitch": st.floats(-21, 21),
    "format": st.sampled_from(["pcm", "wav", "mp3", "ogg", "flac", "tape"]),
    "sample_rate": st.integers(7_999, 48_001),
}
BODIES = (
    st.fixed_dictionaries({}, optional=NEAR).map(msgspec.json.encode)
    | st.fixed_dictionaries({}, optional=dict.fromkeys(NEAR, JSONS)).map(msgspec.json.encode)
    | st.binary(max_size=60)
)


@given(BODIES, st.text(st.characters(max_codepoint=255), max_size=40), st.sampled_from(ROUTES))
def test_any_body_is_understood_or_the_callers_mistake(
    body: bytes, accept: str, route: Generate | Stream
) -> None:
    try:
        route.understand(request(body, accept=accept), CATALOG, Limits())
    except GatewayError as error:
        refusal = route.refuse(error.problem, "req_1", 1.5)
        assert 400 <= refusal.status < 500
        msgspec.json.decode(refusal.body, type=YourVoicErrorBody)
