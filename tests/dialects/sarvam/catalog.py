"""The catalog of the dialect, spoken by an engine with one voice."""

from __future__ import annotations

from gateway.catalogs import build_vendor, read_vendor
from gateway.core.params import Catalog, Model
from gateway.engines.tone import ToneEngine

INFO = ToneEngine().info
OWN = Model(
    id="tone",
    engine="tone",
    description="",
    engine_rate=INFO.sample_rate,
    sample_rates=(INFO.sample_rate,),
    voices={voice.id: voice for voice in INFO.voices},
    default_voice=INFO.default_voice,
    controls={},
)
CATALOG = build_vendor(read_vendor("sarvam"), Catalog({"tone": OWN}, "tone"), {"tone": INFO})
