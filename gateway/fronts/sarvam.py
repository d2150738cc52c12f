"""The routes of Sarvam's protocol."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import cast

from starlette.types import ASGIApp

from gateway.audio.registry import MEDIA_TYPES
from gateway.core import errors as e
from gateway.core.params import Catalog
from gateway.core.vocabulary import Route
from gateway.dialects.sarvam import (
    BITRATES,
    CODECS,
    FILE_RATES,
    OPUS_RATES,
    PACE_MIN,
    TEMPERATURE_MAX,
    TEMPERATURE_MIN,
)
from gateway.dialects.sarvam_dictionaries import (
    SarvamDictionaries,
    SarvamDictionary,
    SarvamDictionaryCreated,
    SarvamDictionaryDeleted,
    SarvamDictionaryList,
    SarvamDictionaryUpdated,
)
from gateway.dialects.sarvam_errors import SarvamErrorBody, SarvamWords
from gateway.dialects.sarvam_http import (
    KEY_HEADER,
    SarvamAudios,
    SarvamFile,
    SarvamSpeech,
    SarvamStream,
    shown_keys,
)
from gateway.fronts.described.operation import (
    ACCOUNT,
    IDEMPOTENCY_KEY,
    JSON,
    SECURITY,
    SPEECH,
    Dialect,
    Operation,
    every_base,
)
from gateway.fronts.described.schemas import Json
from gateway.fronts.http import SpeechOverHttp
from gateway.fronts.sarvam_dictionaries import Dictionaries
from gateway.fronts.sarvam_sockets import sarvam_sockets
from gateway.fronts.traced import traced
from gateway.fronts.vendor import READ, Front, VendorJson, vendor_routes
from gateway.runtime.house import House

NAME = "sarvam"
FILE = "/text-to-speech"
STREAM = f"{FILE}/stream"
DICTIONARIES = f"{FILE}/pronunciation-dictionary"
DICTIONARY = f"{DICTIONARIES}/{{dict_id}}"
HEADERS = ("X-Ignored-Parameters", "X-Adjusted-Parameters", "X-Speech-Warnings", "X-Replay-Of")
EXAMPLES: tuple[Json, ...] = (
    {"text": "Good morning.", "target_language_code": "en-IN"},
    {
        "text": "Good morning.",
        "language_code": "en-IN",
        "model": "bulbul:v2",
        "speaker": "anushka",
        "pitch": 0.25,
        "output_audio_codec": "mp3",
        "output_audio_bitrate": "64k",
    },
)
_UPLOAD = (*(e.InvalidMessage, e.InvalidValue, e.MessageTooLarge, e.Unsupported), *ACCOUNT)
_ID: Json = {
    "description": "As the list of dictionaries has it.",
    "schema": {"type": "string", "pattern": "^p_[0-9a-f]{8}$"},
}
_FORM: Mapping[str, Json] = {
    "multipart/form-data": {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "contentMediaType": JSON}},
    }
}
OPERATIONS = (
    Operation(
        *("post", FILE, "sarvam_file", "Speak a text into one file."),
        gives={JSON: SarvamAudios},
        refuses=SPEECH,
        takes=SarvamSpeech,
        examples=EXAMPLES,
        headers=HEADERS,
        asks={("header", "Idempotency-Key"): IDEMPOTENCY_KEY},
    ),
    Operation(
        *("post", STREAM, "sarvam_stream", "Speak a text as it is made."),
        gives=dict.fromkeys(MEDIA_TYPES.values()),
        refuses=SPEECH,
        takes=SarvamSpeech,
        examples=EXAMPLES,
        headers=HEADERS,
        asks={("header", "Idempotency-Key"): IDEMPOTENCY_KEY},
    ),
    Operation(
        *("get", DICTIONARIES, "sarvam_dictionaries", "List the dictionaries of the account."),
        gives={JSON: SarvamDictionaryList},
        refuses=ACCOUNT,
    ),
    Operation(
        *("post", DICTIONARIES, "sarvam_add_dictionary", "Make a dictionary."),
        gives={JSON: SarvamDictionaryCreated},
        refuses=(*_UPLOAD, e.TooManyLexicons),
        also_takes=_FORM,
    ),
    Operation(
        *("put", DICTIONARIES, "sarvam_change_dictionary", "Add words to a dictionary."),
        gives={JSON: SarvamDictionaryUpdated},
        refuses=(*_UPLOAD, e.UnknownLexicon),
        also_takes=_FORM,
        asks={("query", "dict_id"): {**_ID, "required": True}},
    ),
    Operation(
        *("delete", DICTIONARIES, "sarvam_remove_dictionary", "Forget a dictionary."),
        gives={JSON: SarvamDictionaryDeleted},
        refuses=(*ACCOUNT, e.UnknownLexicon, e.InvalidValue),
        asks={("query", "dict_id"): {**_ID, "required": True}},
    ),
    Operation(
        *("get", DICTIONARY, "sarvam_dictionary", "Show a dictionary."),
        gives={JSON: SarvamDictionary},
        refuses=(*ACCOUNT, e.UnknownLexicon),
        asks={("path", "dict_id"): _ID},
    ),
)


def sarvam(house: House, *, refuses: bool) -> Front:
    """All routes. With `refuses`, a control that a model has not is an error."""
    catalog = house.vendors[NAME]
    dialect = Dialect(
        *(NAME, OPERATIONS, SarvamErrorBody, SarvamWords()),
        bases=every_base(NAME),
        security={
            "subscription": {"type": "apiKey", "in": "header", "name": KEY_HEADER},
            "bearer": SECURITY["bearer"],
        },
        refine=partial(_refine, catalog=catalog),
    )
    apps: dict[str, ASGIApp] = {
        path: traced(SpeechOverHttp(house, exchange, catalog), house)
        for path, exchange in (
            (FILE, SarvamFile(refuse_unsupported=refuses)),
            (STREAM, SarvamStream(refuse_unsupported=refuses)),
        )
    }
    dictionaries = Dictionaries(house, SarvamDictionaries(catalog))
    apps[DICTIONARIES] = VendorJson(
        *(house, dialect.words, dictionaries.tell),
        methods=(*READ, "POST", "PUT", "DELETE"),
        shown=shown_keys,
        takes_body=True,
        after_key=True,
    )
    apps[DICTIONARY] = VendorJson(house, dialect.words, dictionaries.tell_one, shown=shown_keys)
    routes = [
        *sarvam_sockets(house, dialect.bases, refuses=refuses),
        *vendor_routes(dialect, apps, own=(FILE,)),
    ]
    return Front(routes, dialect)


def _refine(schemas: Json, *, catalog: Catalog) -> None:
    """What may be said, as far as it does not depend on something else that is said."""
    model = catalog.models[catalog.default_model]
    paces = [model.controls[Route.HTTP].speed for model in catalog.models.values()]
    pace_max = max((pace.maximum for pace in paces if pace is not None), default=1.0)
    rates = sorted({*FILE_RATES, *OPUS_RATES})
    languages = _one_of(*model.voices[model.default_voice].languages)
    struct = cast(Json, schemas[SarvamSpeech.__name__])
    fields = cast(dict[str, Json], struct["properties"])
    fields["text"]["minLength"] = 1
    fields["text"]["maxLength"] = max(
        chars for model in catalog.models.values() for chars in model.text_chars_max.values()
    )
    for name, schema in (
        ("model", _one_of(*catalog.models)),
        ("language_code", languages),
        ("target_language_code", languages),
        ("output_audio_codec", _one_of(*CODECS)),
        ("output_audio_bitrate", _one_of(*BITRATES)),
        ("speech_sample_rate", _one_of(*rates, *map(str, rates))),
        ("pace", _between(PACE_MIN, pace_max)),
        ("temperature", _between(TEMPERATURE_MIN, TEMPERATURE_MAX)),
    ):
        fields[name] = {**schema, "default": None}


def _one_of(*values: object) -> Json:
    return {"enum": [*values, None]}


def _between(lowest: float, highest: float) -> Json:
    return {"anyOf": [{"type": "number", "minimum": lowest, "maximum": highest}, {"type": "null"}]}
