"""What GistMag's requests become, and how its answers and errors are worded."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given, strategies as st

from gateway.core.errors import (
    CreditsExhausted,
    GatewayError,
    InvalidMessage,
    InvalidValue,
    RateLimited,
    TextMissing,
    TextTooLong,
    Unauthorized,
    UnknownVoice,
    Unsupported,
    all_errors,
)
from gateway.core.limits import Limits
from gateway.core.params import Format
from gateway.core.vocabulary import Codec, Container, Delivery
from gateway.dialects.gistmag.errors import GistMagErrorBody, GistMagWords
from gateway.dialects.gistmag.keys import FORM_BYTES_MAX, keys_in, shown_keys
from gateway.dialects.gistmag.speech import (
    BATCH_CHARS_MAX,
    CHUNK_CHARS_MAX,
    CHUNK_CHARS_MIN,
    PAUSE_MS_MAX,
    TTS_CHARS_MAX,
    BatchExchange,
    StreamExchange,
    WholeExchange,
)
from gateway.dialects.gistmag.voices import list_voices
from gateway.dialects.http import Agreed, Answering, HttpRequest
from tests.dialects.gistmag.catalog import CATALOG
from tests.limits.borders import border

Exchange = WholeExchange | StreamExchange | BatchExchange
TTS, STREAM, BATCH = WholeExchange(), StreamExchange(), BatchExchange()
ALL = pytest.mark.parametrize("exchange", [TTS, STREAM, BATCH], ids=lambda each: each.name)


def posted(body: object, **headers: str) -> HttpRequest:
    data = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return HttpRequest("POST", "/tts", {}, headers, data)


def agreed(exchange: Exchange, **body: object) -> Agreed:
    return exchange.understand(posted({"text": "Hello.", **body}), CATALOG, Limits())


def described(exchange: Exchange, what: Agreed, **known: object) -> dict[str, str]:
    answering = Answering("req_1", "?", 1.0, 0.0, **known)  # type: ignore[arg-type]
    return dict(exchange.describe(what, answering))


class TestDefaults:
    def test_a_file_is_wav_of_the_engines_own_voice(self) -> None:
        what = agreed(TTS)
        assert (what.settings.voice, what.settings.language) == ("en-us", "en")
        assert what.settings.format == Format(Codec.WAV, 22_050, container=Container.PER_CONTEXT)
        assert (what.settings.speed, what.settings.pitch, what.settings.volume) == (1.0, 0.0, 1.0)
        assert what.whole
        assert (what.ignored, what.adjusted, what.loudness_lufs) == ((), (), None)
        assert described(TTS, what) == {
            "content-type": "audio/wav",
            "content-disposition": "attachment; filename=output.wav",
        }

    def test_a_stream_is_mp3_in_finished_pieces_of_200_characters(self) -> None:
        what = agreed(STREAM)
        assert what.settings.format == Format(Codec.MP3, 22_050, 128_000)
        assert what.settings.delivery is Delivery.PROGRESSIVE
        assert what.settings.segmentation.max_chars == 200
        assert not what.settings.segmentation.auto_flush
        assert not what.whole
        assert described(STREAM, what) == {
            "content-type": "audio/mpeg",
            "content-disposition": "inline",
            "x-chunk-size": "200",
            "x-chunk-size-max": "500",
        }

    def test_a_batch_is_louder_mp3_with_pauses(self) -> None:
        what = agreed(BATCH)
        assert what.settings.format == Format(Codec.MP3, 44_100, 192_000)
        assert what.settings.segmentation.max_chars == 250
        assert not what.settings.segmentation.auto_flush
        assert what.settings.pause_ms == 800
        assert what.loudness_lufs == -23.0
        assert what.whole
        assert described(BATCH, what) == {
            "content-type": "audio/mpeg",
            "content-disposition": "attachment; filename=output.mp3",
        }


class TestChunkSize:
    @border("dialects.gistmag.speech.CHUNK_CHARS_MIN", "dialects.gistmag.speech.CHUNK_CHARS_MAX")
    def test_is_moved_to_the_nearest_that_there_is_and_that_is_told(self, more: int) -> None:
        low, high = CHUNK_CHARS_MIN + more, CHUNK_CHARS_MAX + more
        for asked, got in ((low, max(low, CHUNK_CHARS_MIN)), (high, min(high, CHUNK_CHARS_MAX))):
            what = agreed(STREAM, chunk_size=asked)
            assert what.settings.segmentation.max_chars == got
            assert what.adjusted == (() if asked == got else (f"chunk_size={got}",))
            said = described(STREAM, what)
            assert said["x-chunk-size"] == str(got)
            assert said.get("x-adjusted-parameters") == (
                f"chunk_size={got}" if asked != got else None
            )

    @pytest.mark.parametrize(("asked", "got"), [(1, 20), (1e9, 500), (200.0, 200), (10**15, 500)])
    def test_may_be_any_whole_number_from_one_on(self, asked: float, got: int) -> None:
        assert agreed(STREAM, chunk_size=asked).settings.segmentation.max_chars == got

    @pytest.mark.parametrize("asked", [0, -5, "abc", "200", 0.5, 20.5, True, None, [200], 1e300])
    def test_is_nothing_else(self, asked: object) -> None:
        with pytest.raises(InvalidValue) as refused:
            agreed(STREAM, chunk_size=asked)
        assert refused.value.problem.field == "chunk_size"
        told = STREAM.refuse(refused.value.problem, "req_1", 0.0)
        assert told.status == 400
        assert msgspec.json.decode(told.body)["message"].startswith("chunk_size: ")


class TestPause:
    @border("dialects.gistmag.speech.PAUSE_MS_MAX")
    def test_has_its_longest(self, more: int) -> None:
        what = agreed(BATCH, pause_duration=PAUSE_MS_MAX + more)
        assert what.settings.pause_ms == min(PAUSE_MS_MAX, PAUSE_MS_MAX + more)
        assert what.adjusted == ((f"pause_duration={PAUSE_MS_MAX}",) if more > 0 else ())

    @pytest.mark.parametrize("asked", [-1, "abc", None, 0.5])
    def test_is_a_number_of_milliseconds(self, asked: object) -> None:
        with pytest.raises(InvalidValue) as refused:
            agreed(BATCH, pause_duration=asked)
        assert refused.value.problem.field == "pause_duration"

    def test_may_be_none_at_all(self) -> None:
        assert agreed(BATCH, pause_duration=0).settings.pause_ms == 0


class TestControls:
    @pytest.mark.parametrize(
        ("field", "asked", "got", "told"),
        [
            ("speed", 4, 4.0, ()),
            ("speed", 4.1, 4.0, ("speed=4",)),
            ("speed", 0.1, 0.5, ("speed=0.5",)),
            ("pitch", -9, -9.0, ()),
            ("pitch", 20, 9.0, ("pitch=9",)),
            ("volume_gain_db", 0, 1.0, ()),
            ("volume_gain_db", -20, 0.1, ()),
            ("volume_gain_db", -96, 10**-4.8, ()),
            ("volume_gain_db", 6, 10**0.3, ()),
            ("volume_gain_db", 16, 2.0, ("volume_gain_db=6.0",)),
        ],
    )
    def test_are_moved_to_what_the_engine_can(
        self, field: str, asked: float, got: float, told: tuple[str, ...]
    ) -> None:
        what = agreed(TTS, **{field: asked})
        name = "volume" if field == "volume_gain_db" else field
        assert math.isclose(getattr(what.settings, name), got)
        assert what.adjusted == told
        assert described(TTS, what).get("x-adjusted-parameters", "") == ", ".join(told)

    @pytest.mark.parametrize(
        ("field", "asked"),
        [
            *(("speed", each) for each in (0, -1, "fast", None)),
            *(("pitch", each) for each in ("high", None)),
            *(("volume_gain_db", each) for each in (-96.1, 16.1, "loud")),
        ],
    )
    def test_are_refused_where_they_mean_nothing(self, field: str, asked: object) -> None:
        with pytest.raises(InvalidValue) as refused:
            agreed(TTS, **{field: asked})
        assert refused.value.problem.field == field

    @pytest.mark.parametrize("exchange", [STREAM, BATCH], ids=lambda each: each.name)
    def test_are_left_out_and_named_where_the_vendor_has_them_not(self, exchange: Exchange) -> None:
        what = agreed(exchange, speed=2, voice_name="en-US-Wavenet-D", colour="blue")
        assert what.settings.speed == 1.0
        assert what.ignored == ("speed", "voice_name", "colour")
        assert described(exchange, what)["x-ignored-parameters"] == "speed, voice_name, colour"

    def test_or_refused_where_that_is_configured(self) -> None:
        with pytest.raises(Unsupported) as refused:
            agreed(StreamExchange(refuses=True), speed=2)
        assert refused.value.problem.field == "speed"
        assert agreed(StreamExchange(refuses=True), colour="blue").ignored == ("colour",)


class TestVoices:
    @pytest.mark.parametrize(
        ("name", "voice", "language"),
        [
            ("en-US-Wavenet-D", "en-us", "en-us"),
            ("en-us-wavenet-d", "en-us", "en-us"),
            ("en-US-Standard-C", "en-us+f3", "en-us"),
            ("en-GB-Neural2-B", "en+m3", "en-gb"),
            ("de-DE-Wavenet-F", "de+f4", "de-de"),
            ("es-US-Studio-B", "es-419+m3", "es-us"),
            ("pt-BR-Chirp3-HD-Puck", "pt-br+m1", "pt-br"),
            ("de-DE-Chirp-HD-F", "de+f4", "de-de"),
            ("en-NZ-Wavenet-A", "en-us+f2", "en"),
        ],
    )
    def test_are_a_language_and_a_gender(self, name: str, voice: str, language: str) -> None:
        settings = agreed(TTS, voice_name=name).settings
        assert (settings.voice, settings.language) == (voice, language)

    def test_have_the_gender_that_google_gives_them_in_that_language(self) -> None:
        def is_male(name: str) -> bool:
            return "+m" in agreed(TTS, voice_name=name).settings.voice

        assert is_male("en-US-Standard-A")
        assert not is_male("en-GB-Standard-A")
        assert is_male("it-IT-Wavenet-C")
        assert not is_male("it-IT-Wavenet-B")

    def test_decide_where_another_language_was_asked_for(self) -> None:
        what = agreed(TTS, voice_name="de-DE-Wavenet-B", language="en")
        assert what.settings.language == "de-de"
        assert what.ignored == ("language",)
        assert agreed(TTS, voice_name="de-DE-Wavenet-B", language="de-AT").ignored == ()

    @ALL
    def test_without_one_the_language_has_its_own(self, exchange: Exchange) -> None:
        for language, voice in (("fr", "fr"), ("en-GB", "en"), ("hi", "hi"), ("zh", "cmn")):
            assert agreed(exchange, language=language).settings.voice == voice

    @pytest.mark.parametrize("name", ["", "Bob", "en-US-Wavenet-Q", "en-US", "x" * 65, "en-US-D"])
    def test_others_are_refused(self, name: str) -> None:
        with pytest.raises((UnknownVoice, InvalidValue)) as refused:
            agreed(TTS, voice_name=name)
        assert refused.value.problem.field == "voice_name"

    @ALL
    def test_so_are_languages_that_nobody_speaks(self, exchange: Exchange) -> None:
        with pytest.raises(Unsupported) as refused:
            agreed(exchange, language="xx")
        assert refused.value.problem.field == "language"

    def test_every_listed_one_is_understood_as_it_is_listed(self) -> None:
        listed = list_voices(CATALOG)
        assert len(listed) == len({voice.name for voice in listed}) > 1_000
        for voice in listed:
            settings = agreed(TTS, voice_name=voice.name).settings
            assert settings.language in {voice.language.lower(), "cmn"}
            variant = settings.voice.partition("+")[2]
            assert voice.gender == ("female" if variant[:1] in {"f", "l"} else "male")


class TestText:
    @border("dialects.gistmag.speech.TTS_CHARS_MAX", "dialects.gistmag.speech.BATCH_CHARS_MAX")
    def test_has_its_longest(self, more: int) -> None:
        for exchange, most in ((TTS, TTS_CHARS_MAX), (BATCH, BATCH_CHARS_MAX)):
            text = "é" * (most + more)
            if more > 0:
                with pytest.raises(TextTooLong) as refused:
                    agreed(exchange, text=text)
                assert exchange.refuse(refused.value.problem, "r", 0.0).status == 400
            else:
                assert agreed(exchange, text=text).text == text

    @ALL
    def test_the_configuration_may_allow_less(self, exchange: Exchange) -> None:
        with pytest.raises(TextTooLong):
            exchange.understand(posted({"text": "Hello."}), CATALOG, Limits(text_chars_max=5))

    @ALL
    @pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": None}, {"text": 7}])
    def test_must_be_there(self, exchange: Exchange, body: object) -> None:
        with pytest.raises((TextMissing, InvalidValue)) as refused:
            exchange.understand(posted(body), CATALOG, Limits())
        assert refused.value.problem.field == "text"

    @ALL
    @pytest.mark.parametrize(
        "body", [b"", b"{", b"[]", b"7", b"\xff", b'{"text": NaN}', b"[" * 9_999]
    )
    def test_must_come_in_json(self, exchange: Exchange, body: bytes) -> None:
        with pytest.raises(InvalidMessage) as refused:
            exchange.understand(posted(body), CATALOG, Limits())
        assert exchange.refuse(refused.value.problem, "r", 0.0).status == 400


class TestKeys:
    FORM = "application/x-www-form-urlencoded"
    MULTIPART = (
        b'--xx\r\nContent-Disposition: form-data; name="text"\r\n\r\nHello\r\n'
        b'--xx\r\nContent-Disposition: form-data; name="api_key"\r\n\r\nk1\r\n--xx--\r\n'
    )

    def test_come_in_json(self) -> None:
        assert list(keys_in(posted({"text": "Hello.", "api_key": "k1"}))) == ["k1"]

    def test_or_in_a_form(self) -> None:
        form = posted(b"text=Hello&api_key=k1", **{"content-type": self.FORM})
        assert list(keys_in(form)) == ["k1"]
        type_ = "multipart/form-data; boundary=xx"
        assert list(keys_in(posted(self.MULTIPART, **{"content-type": type_}))) == ["k1"]

    def test_or_in_the_query_of_a_get(self) -> None:
        asked = HttpRequest("GET", "/usage", {"api_key": "k1"}, {})
        assert list(keys_in(asked)) == ["k1"]
        assert not list(keys_in(HttpRequest("POST", "/tts", {"api_key": "k1"}, {}, b"{}")))

    @pytest.mark.parametrize("key", [7, ["k"], {"a": 1}, True])
    def test_are_text(self, key: object) -> None:
        with pytest.raises(InvalidValue):
            list(keys_in(posted({"text": "Hello.", "api_key": key})))

    @pytest.mark.parametrize("body", [{}, {"api_key": None}, {"api_key": ""}])
    def test_may_be_missing(self, body: object) -> None:
        assert not list(keys_in(posted(body)))

    @pytest.mark.parametrize("name", ["authorization", "x-api-key"])
    def test_one_where_the_native_protocol_has_it_counts_alone(self, name: str) -> None:
        assert shown_keys(posted({"api_key": "k1"})) == ["k1"]
        assert shown_keys(posted({"api_key": "k1"}, **{name: "k2"})) is None
        assert shown_keys(posted({})) is None

    @pytest.mark.parametrize(
        ("type_", "body"),
        [
            ("multipart/form-data", b"--xx"),
            ("multipart/form-data; boundary=xx", b"\xff\x00 nothing"),
            ("multipart/form-data; boundary=\xff", b"--\xff\r\n\r\n"),
            (
                "multipart/form-data; boundary=xx",
                b"--xx\r\nContent-Disposition: ;;=\r\n\r\nk\r\n--xx--",
            ),
            (FORM, b"%%%&&&==\xff"),
        ],
    )
    def test_forms_that_are_none_have_none(self, type_: str, body: bytes) -> None:
        assert not list(keys_in(posted(body, **{"content-type": type_})))

    @border("dialects.gistmag.keys.FORM_BYTES_MAX")
    def test_a_form_has_its_largest(self, more: int) -> None:
        body = b"api_key=k1&text=".ljust(FORM_BYTES_MAX + more, b"x")
        form = posted(body, **{"content-type": self.FORM})
        if more > 0:
            with pytest.raises(InvalidMessage):
                list(keys_in(form))
        else:
            assert list(keys_in(form)) == ["k1"]


class TestErrors:
    @pytest.mark.parametrize("error", all_errors(), ids=lambda error: error.code)
    def test_all_have_two_keys_and_a_status_of_the_vendors(self, error: type[GatewayError]) -> None:
        told = GistMagWords().refuse(error("no", field="text", allowed="yes").problem, "r", 0.0)
        body = msgspec.json.decode(told.body)
        assert set(body) == set(GistMagErrorBody.__struct_fields__) == {"error", "message"}
        assert "no" in body["message"]
        assert told.headers == [("content-type", "application/json")]
        assert told.status in {400, 401, 429, 500, 503} | {404, 405, 408, 409, 501}

    @pytest.mark.parametrize(
        ("error", "status", "title"),
        [
            (InvalidMessage, 400, "Invalid request"),
            (TextTooLong, 400, "Invalid request"),
            (UnknownVoice, 400, "Invalid request"),
            (Unauthorized, 401, "Invalid API key"),
            (RateLimited, 429, "Rate limit exceeded"),
            (CreditsExhausted, 429, "Insufficient credits"),
        ],
    )
    def test_are_what_their_table_says(
        self, error: type[GatewayError], status: int, title: str
    ) -> None:
        told = GistMagWords().refuse(error("no").problem, "r", 0.0)
        assert (told.status, msgspec.json.decode(told.body)["error"]) == (status, title)


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=6,
)
NEAR = {
    "text": st.text(min_size=1, max_size=9),
    "language": st.sampled_from(["en", "en-GB", "xx", ""]),
    "voice_name": st.sampled_from(["en-US-Wavenet-D", "A", "it-IT-B", "xx-XX-Standard-A", "Bob"]),
    "speed": st.floats(-1, 9),
    "pitch": st.floats(-99, 99),
    "volume_gain_db": st.floats(-97, 17),
    "chunk_size": st.integers() | st.floats(-1, 600),
    "pause_duration": st.integers(-1, 20_000),
    "api_key": st.text(max_size=9),
}
BODIES = (
    st.fixed_dictionaries({}, optional=NEAR).map(msgspec.json.encode)
    | st.fixed_dictionaries({}, optional=dict.fromkeys(NEAR, JSONS)).map(msgspec.json.encode)
    | st.binary(max_size=60)
)
TYPES = st.sampled_from(
    [
        "",
        "application/json",
        TestKeys.FORM,
        "multipart/form-data; boundary=x",
        "multipart/form-data",
    ]
) | st.text(st.characters(max_codepoint=255), max_size=40)


@given(BODIES, TYPES, st.sampled_from([TTS, STREAM, BATCH]))
def test_any_body_is_understood_or_the_callers_mistake(
    body: bytes, type_: str, exchange: Exchange
) -> None:
    asked = posted(body, **{"content-type": type_})
    try:
        exchange.credentials(asked)
        what = exchange.understand(asked, CATALOG, Limits())
    except GatewayError as error:
        told = exchange.refuse(error.problem, "req_1", 1.5)
        assert told.status in {400, 401}
        msgspec.json.decode(told.body, type=GistMagErrorBody)
    else:
        assert described(exchange, what)
