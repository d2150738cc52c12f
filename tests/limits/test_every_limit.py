"""Every bound of the gateway has a name, and a test one below, at and one above it; who adds one without fails here.

A limit has a key and is described. A bound without a key is a constant of a module, and described with its reason. A
number that bounds nothing is listed here for what it is.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache

import msgspec
import pytest

from gateway.core.limits import Limits
from tests.limits.borders import AROUND
from tests.support.checkout import ROOT
from tests.support.documents import named, table

CONFIGURATION, PROTOCOL = ROOT / "docs" / "configuration.md", ROOT / "docs" / "protocol.md"
FILE = ROOT / "config" / "gateway.toml"
NO_SERVER = {
    "bench",
    "bare",
    "say",
    "encoding",
    "rehearsal",
    "cli",
    "doctor",
    "administration",
    "lexicon_commands",
}
"""What measures or speaks without a server, and bounds only itself."""

ELSEWHERE = {
    # Whether a real process hangs is told in real time, in which a millisecond says nothing.
    "engines.pool.STALL_MS_MAX": "engines/test_pool.py::test_trouble_has_a_type_and_does_not_spread",
    "engines.pool.END_MS_MAX": "engines/test_espeak_faults.py::test_no_process_is_left_when_one_will_not_end",
    # The kernel counts.
    "engines.nursery.ADDRESS_SPACE_BYTES_MAX": "limits/test_pool.py::test_the_kernel_bounds_a_worker",
    "engines.nursery.CPU_SECONDS_MAX": "limits/test_pool.py::test_the_kernel_bounds_a_worker",
    "engines.worker.PCM_BYTES_PER_S_MIN": "engines/test_pool.py::test_trouble_has_a_type_and_does_not_spread",
    # SQLite counts.
    "accounts.threads.BUSY_MS": "limits/test_accounts.py::test_how_long_another_process_may_hold_the_database",
    # uvicorn waits, by whole seconds.
    "server.LAST_S": "fronts/test_drain.py",
    # Python counts.
    "server.YOUNG_COLLECTIONS_MAX": "fronts/test_garbage.py::test_nor_often_where_somebody_always_speaks",
}
"""Bounds that nobody can try at three points, and what is tried instead."""

NO_BOUNDS = (
    # What is done in one go; more of it is done in two, and the same comes out.
    *("runtime.speaker.SLICE_CHARS", "engines.espeak_worker.*", "engines.worker.RECEIVE_BYTES"),
    "fronts.answer.WRAPPED_BYTES",
    # Lengths of audio in one event, and the rhythm of pacing.
    *("*.FRAME_MS", "*.FRAME_MS_*", "*.TELEPHONY_FRAME_MS", "core.session.*_S", "core.segmenter.*"),
    # Rules of language: how far text is looked at. That the work grows with the text and no faster is one property.
    *(
        "core.boundaries.*",
        "core.nesting.*",
        "core.dots.*",
        "core.phrase_border.*",
        "core.scripts.*",
    ),
    *("core.cleanup.inline.*", "core.cleanup.locales.*", "core.cleanup.markdown.*"),
    *("core.cleanup.speech.*", "core.cleanup.cleaner.LEFT_CHARS"),
    # Parts of formats and foreign interfaces, and codes of protocols.
    *("audio.frames.*", "audio.mp3.*", "audio.muxed.*", "audio.pcm.*", "audio.raw.*"),
    *("dialects.sarvam.*", "dialects.sarvam_http._GROUP", "fronts.sarvam_dictionaries.ID_DIGITS"),
    *("dialects.yourvoic.speech.SAMPLE_RATE", "dialects.yourvoic.speech.PITCH_STEPS"),
    "dialects.yourvoic.speech.CREDITS_UNLIMITED",
    *("core.formats.*", "config.RATES", "*.SAMPLE_BYTES", "dialects.native.AUDIO_VERSION"),
    # Which numbers a message may write as floats, and how deep in it they lie.
    *("dialects.wire.INTEGER_MAX", "dialects.wire.VALUES_DEEP_MAX"),
    *(
        "engines.espeak_ffi.*",
        "engines.nursery._PR_SET_PDEATHSIG",
        "guard.requests.FIELD_EXTRA_BYTES",
    ),
    *(
        "*.POLICY_VIOLATION",
        "guard.messages.INVALID_DATA",
        "guard.losing.ABNORMAL",
        "fronts.websocket.INTERNAL_ERROR",
        "dialects.native.SERVICE_RESTART",
        "dialects.sarvam_ws.*",
        "fronts.traced.*",
    ),
    # How engines speak.
    *(
        "engines.tone.*",
        "engines.espeak.RATE_*",
        "engines.espeak.PITCH_*",
        "engines.espeak.SAMPLE_RATE",
    ),
    # What is measured and moved a block at a time.
    *("audio.loudness.*", "runtime.mastering.BLOCK_S", "runtime.spool.BLOCK_BYTES"),
    # What a vendor's files are.
    *("dialects.gistmag.speech.BATCH_*", "dialects.gistmag.speech.STREAM_*"),
    "dialects.gistmag.speech.GAIN_*",
    # Measuring, estimating, and what is advised and paid.
    *(
        "telemetry.*",
        "core.occupancy.*",
        "core.fairness.*",
        "runtime.forecast.*",
        "runtime.turns.*",
        "audio.farm.LISTENED_SHARE",
        "audio.farm.NICENESS",
    ),
    *("*.RETRY_AFTER_MS", "runtime.lobby.*", "runtime.ring.FRAME_BYTES", "core.resolve.*"),
    *("engines.pool.NURSERIES", "engines.pool.RESTART_MS_MIN", "open_files.*"),
    "server.YOUNG_COLLECTIONS",
    *(
        "accounts.credentials.*",
        "accounts.gate.USE_NOTED_MS",
        "accounts.ledger_sql.DAY_MS",
        "accounts.quotas.*_S",
        "app.RECOVER_S",
    ),
)
"""Patterns of numbers that bound no buffer, queue, wait or loop of the server."""


@cache
def tried() -> frozenset[str]:
    """What some test is run one below, at and one above, in whatever folder."""
    found: set[str] = set()
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        if "tests.limits.borders" not in file.read_text(encoding="utf-8"):
            continue
        name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        module = importlib.import_module(name)
        holders = [module, *(each for each in vars(module).values() if isinstance(each, type))]
        for test in (each for holder in holders for each in vars(holder).values()):
            marks = {mark.name: mark for mark in getattr(test, "pytestmark", ())}
            at = [
                mark.args for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"
            ]
            if "border" in marks and ("more", AROUND) in at:
                found.update(marks["border"].args)
    return frozenset(found)


def untried(limits: type[msgspec.Struct]) -> set[str]:
    return set(limits.__struct_fields__) - tried()


def undescribed(limits: type[msgspec.Struct]) -> set[str]:
    """Limits that are missing in a document or in the file with all keys."""
    documents = [
        {named(row).removeprefix("limits.") for row in table(document, heading)}
        for document, heading in ((CONFIGURATION, "limits"), (PROTOCOL, "Limits"))
    ]
    documents.append(
        set(re.findall(r"^#? ?(\w+) = ", FILE.read_text(encoding="utf-8"), re.MULTILINE))
    )
    return {
        name for name in limits.__struct_fields__ if not all(name in each for each in documents)
    }


def numbers() -> Iterator[tuple[str, str]]:
    """Every constant of a module that is a number, or several, as "guard.requests.AHEAD_MAX", with how it is written."""
    package = ROOT / "gateway"
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package).with_suffix("").parts
        if parts[0] in NO_SERVER:
            continue
        for statement in ast.parse(file.read_text(encoding="utf-8")).body:
            for name, value in _assigned(statement):
                if all(isinstance(node, _NUMERIC) for node in ast.walk(value)):
                    yield ".".join([*parts, name]), ast.unparse(value)


_NUMERIC = (ast.Constant, ast.Tuple, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.Load)


def _assigned(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    match statement:
        case (
            ast.Assign(targets=[ast.Name(id=name)], value=ast.expr() as value)
            | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
        ) if not _is_text(value):
            yield name, value
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
            for target, each in zip(names, values, strict=True):
                if isinstance(target, ast.Name) and not _is_text(each):
                    yield target.id, each
        case _:
            pass


def _is_text(value: ast.expr) -> bool:
    constants = [node.value for node in ast.walk(value) if isinstance(node, ast.Constant)]
    return not constants or not all(type(each) in {int, float} for each in constants)


def unexplained(found: set[str]) -> set[str]:
    """Numbers that nobody has called a bound, or anything else."""
    described = {named(row) for row in table(CONFIGURATION, "Bounds without a key")}
    rest = found - described
    return {name for name in rest if not any(fnmatchcase(name, each) for each in NO_BOUNDS)}


def test_every_limit_is_tried_and_described() -> None:
    assert untried(Limits) == set()
    assert undescribed(Limits) == set()


def test_a_new_one_is_noticed() -> None:
    new = msgspec.defstruct("New", [("shoes_max", int, 2)], bases=(Limits,), frozen=True)
    assert untried(new) == undescribed(new) == {"shoes_max"}


def test_a_border_has_three_sides() -> None:
    assert AROUND == (-1, 0, 1)
    assert {"server.shutdown_ms", "audio.threads"} <= tried(), "keys beside those of limits"


def test_every_number_is_a_bound_that_is_described_or_something_else() -> None:
    found = {name for name, _ in numbers()}
    assert unexplained(found) == set()
    assert unexplained({*found, "guard.shoes.SHOES_MAX"}) == {"guard.shoes.SHOES_MAX"}
    assert [each for each in NO_BOUNDS if not any(fnmatchcase(name, each) for name in found)] == []


def test_bounds_without_a_key_are_tried_and_described_as_they_are() -> None:
    written = dict(numbers())
    for row in table(CONFIGURATION, "Bounds without a key"):
        name = named(row)
        assert row["value"] == _in_words(written[name]), name
        assert row["why"].endswith(".")
        assert (name in tried()) != (name in ELSEWHERE), name


def _in_words(source: str) -> str:
    left, shift, right = source.partition(" << ")
    return f"`{int(left) << int(right) if shift else source}`"


@pytest.mark.parametrize("name", ELSEWHERE)
def test_the_other_tests_are_there(name: str) -> None:
    file, _, test = ELSEWHERE[name].partition("::")
    source = (ROOT / "tests" / file).read_text(encoding="utf-8")
    assert not test or re.search(rf"def {test}\(", source)
