"""Planted bugs of YourVoic's dialect, and of what vendors' dialects share."""

from __future__ import annotations

from tests.mutants.planting import Planted

PAGES = ("tests/dialects/test_exchanges.py",)
TRANSLATION = ("tests/dialects/yourvoic/test_yourvoic.py",)
STREAMS = ("tests/dialects/yourvoic/test_streams.py",)
SPEECH = "gateway/dialects/yourvoic/speech.py"
CATALOG = "gateway/catalogs/yourvoic.toml"

BUGS = (
    Planted(
        "pages-get-pcm",
        "a page that says nothing gets what no browser can decode",
        SPEECH,
        'Format.MP3 if "origin" in request.headers else Format.PCM',
        "Format.PCM",
        PAGES,
    ),
    Planted(
        "steps-are-semitones",
        "a step of pitch is a semitone, and those beyond 9 are refused",
        SPEECH,
        "UNSET if pitch is None else pitch * SEMITONES_PER_STEP",
        "UNSET if pitch is None else pitch",
        TRANSLATION,
    ),
    Planted(
        "ignored-in-silence",
        "nobody is told what was left out",
        SPEECH,
        "ignored=(*ignored, *unknown_fields(value, self.body)),",
        "ignored=unknown_fields(value, self.body),",
        PAGES,
    ),
    Planted(
        "one-character-more",
        "a text may have one character more than the vendor takes",
        SPEECH,
        "len(text) > most",
        "len(text) > most + 1",
        TRANSLATION,
    ),
    Planted(
        "pitch-while-aura-streams",
        "a model can while it streams what it can in a file",
        "gateway/catalogs/__init__.py",
        "Route.HTTP: controls_of(model.http),",
        "Route.HTTP: controls_of(model.http_file or model.http),",
        TRANSLATION,
    ),
    Planted(
        "flash-is-like-the-others",
        "a piece is sent while it is made",
        CATALOG,
        'delivery = "progressive"\n',
        "",
        STREAMS,
    ),
    Planted(
        "wrong-price",
        "a model costs what another one does",
        CATALOG,
        "millicredits_per_char = 15\n",
        "millicredits_per_char = 10\n",
        TRANSLATION,
    ),
    Planted(
        "begun-without-credits",
        "a stream that cannot be paid for breaks off instead of being refused",
        "gateway/fronts/http.py",
        "        if quote > balance.available:\n",
        "        if quote < 0:\n",
        PAGES,
    ),
    Planted(
        "varies-twice",
        "two headers say what an answer depends on",
        "gateway/fronts/origins.py",
        '    if b"origin" in vary.lower():\n        return headers\n',
        "",
        PAGES,
    ),
    Planted(
        "native-nowhere",
        "what is below a vendor's paths and is nothing is refused in other words",
        "gateway/fronts/vendor.py",
        "    return [*routes, *(Mount(path, nowhere) for path in (*own, ",
        "    return [*routes, *(Mount(path, nowhere) for path in (",
        PAGES,
    ),
    Planted(
        "lists-for-everybody",
        "small answers ask nobody for a key",
        "gateway/fronts/vendor.py",
        "        if not (self._for_everybody or self._after_key):\n            await asked.admit()\n",
        "",
        PAGES,
    ),
    Planted(
        "breath-by-the-clock",
        "some variants of voices depend on when the engine was started",
        "gateway/engines/espeak_ffi.py",
        "        lib.espeak_ng_SetRandSeed(_RANDOM_SEED)\n",
        "",
        ("tests/engines/test_espeak_voices.py",),
    ),
    Planted(
        "crashes-in-other-words",
        "a bug in a list of a vendor's is worded by the server",
        "gateway/fronts/vendor.py",
        "        except Exception:\n",
        "        except ExceptionGroup:\n",
        STREAMS,
    ),
)
