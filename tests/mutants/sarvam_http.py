"""Planted bugs of Sarvam's protocol over HTTP."""

from __future__ import annotations

from tests.mutants.planting import Planted

FIELDS = "gateway/dialects/sarvam.py"
FIELDS_TESTS = ("tests/dialects/sarvam/test_fields.py",)
FILE_TESTS = ("tests/dialects/sarvam/test_file.py",)
DICTIONARIES = "gateway/fronts/sarvam_dictionaries.py"
DICTIONARIES_TESTS = ("tests/fronts/test_sarvam_dictionaries.py",)
UPLOAD_TESTS = ("tests/dialects/sarvam/test_dictionaries.py",)

BUGS = (
    Planted(
        "older-name-counts",
        "the older name of the language counts where both are given",
        FIELDS,
        "newer = fields.language_code is not None",
        "newer = fields.target_language_code is None",
        FIELDS_TESTS,
    ),
    Planted(
        "ignored-without-a-word",
        "a control that the model has not is ignored and not named",
        FIELDS,
        "            self._ignored.append(name)\n        return range_\n",
        "        return range_\n",
        FIELDS_TESTS,
    ),
    Planted(
        "streams-at-48-khz",
        "streams have the rates of whole files",
        FIELDS,
        "offered = FILE_RATES if route is Route.HTTP_FILE else STREAMED_RATES",
        "offered = FILE_RATES",
        FIELDS_TESTS,
    ),
    Planted(
        "base64-in-pieces",
        "each part of a file is padded by itself",
        "gateway/dialects/sarvam_http.py",
        "whole = len(data) - len(data) % _GROUP",
        "whole = len(data)",
        FILE_TESTS,
    ),
    Planted(
        "files-as-long-as-streams",
        "the bound of the model is not asked for",
        "gateway/dialects/sarvam_http.py",
        "chars_max = min(own, catalog.models[settings.model].text_chars_max.get(self._route, own))",
        "chars_max = own",
        FILE_TESTS,
    ),
    Planted(
        "a-wrong-key-is-401",
        "who shows a wrong key hears what others hear",
        "gateway/dialects/sarvam_errors.py",
        'e.Unauthorized.code: (403, "invalid_api_key_error")',
        'e.Unauthorized.code: (401, "invalid_api_key_error")',
        ("tests/dialects/sarvam/test_errors.py",),
    ),
    Planted(
        "a-change-forgets",
        "a dictionary has only the words of its last change",
        DICTIONARIES,
        "both = merged(_mine(kept, id).lexicon.rules, rules)",
        "both = merged((), rules)",
        DICTIONARIES_TESTS,
    ),
    Planted(
        "words-in-any-case",
        "a dictionary's word stands for any case",
        DICTIONARIES,
        "lexicon = Lexicon(id, 1, rules, exact=True)",
        "lexicon = Lexicon(id, 1, rules)",
        DICTIONARIES_TESTS,
    ),
    Planted(
        "half-a-form",
        "a form that breaks off is taken for whole",
        "gateway/dialects/sarvam_upload.py",
        "    if not form.is_complete:\n",
        "    if False:\n",
        UPLOAD_TESTS,
    ),
)
