"""The catalog of the dialect, spoken by an engine that has all of its voices and says nothing."""

from __future__ import annotations

from gateway.catalogs import build_vendor, read_vendor
from gateway.core.params import Catalog, Model, Voice
from gateway.engines.base import EngineInfo

_VENDOR = read_vendor("gistmag")
INFO = EngineInfo(
    name="espeak",
    sample_rate=22_050,
    voices=tuple(
        Voice(id, id, id, (id, id.partition("-")[0]))
        for id in sorted(set(_VENDOR.languages.values()))
    ),
    default_voice="en-us",
    text_chars_max=500,
    variants=frozenset(name.variant for name in _VENDOR.voices.values() if name.variant),
)
OWN = Model(
    id="own",
    engine="espeak",
    description="",
    engine_rate=INFO.sample_rate,
    sample_rates=(22_050, 44_100),
    voices={voice.id: voice for voice in INFO.voices},
    default_voice=INFO.default_voice,
    controls={},
)
CATALOG = build_vendor(_VENDOR, Catalog({"own": OWN}, "own"), {"espeak": INFO})
