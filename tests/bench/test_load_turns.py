"""What a load makes of each turn: faults that are planted in a server are put into their classes, and figures add up."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import pytest

from gateway.bench.compare.target import Target
from gateway.bench.instruments.http import HttpClient
from gateway.bench.instruments.objectives import Objectives
from gateway.bench.instruments.timeline import (
    NATIVE_WIRES,
    Message,
    Payload,
    Sent,
    Timeline,
    Wire,
    clock,
)
from gateway.bench.instruments.utterance import PATIENCE_S, Consumer, Piece, Utterance, whole
from gateway.bench.instruments.websocket import WebSocketClient
from gateway.bench.sessions.access import Access
from gateway.bench.sessions.caller import Caller
from gateway.bench.sessions.capacity import bottleneck, failed, next_rate, recovery_s
from gateway.bench.sessions.figures import figures
from gateway.bench.sessions.heard import Heard, Outcome, Place, first_text_due_s, judge
from gateway.bench.sessions.plan import Load, Search
from gateway.bench.sessions.profile import top
from gateway.bench.sessions.results import CpuShares, Figures, Harness
from gateway.bench.sessions.run import Run
from gateway.bench.workload.schedule import GREEDY, SLOW_READER, Mix, Phase, Session, Turn
from tests.support.calibration import (
    RETRY_AFTER_S,
    CalibrationServer,
    Fault,
    Planted,
    calibration_server,
)

TEXT = "Twelve characters and some more."
BOTH = NATIVE_WIRES
LENIENT = Objectives(ttfa_s_max=1.0)
"""A busy machine keeps it all the same."""
NOBODY = Target("127.0.0.1", 1)


@dataclass(frozen=True, slots=True)
class Calibrated(Access):
    """A calibration server has an address for each protocol."""

    server: CalibrationServer | None = None
    patience_s: float = PATIENCE_S

    def client(self, wire: Wire, patience_s: float = PATIENCE_S) -> HttpClient | WebSocketClient:
        assert self.server is not None
        if wire is Wire.HTTP:
            return HttpClient(self.server.http_url, patience_s=self.patience_s)
        return WebSocketClient(self.server.ws_url, patience_s=self.patience_s)


async def heard_of(
    planted: Planted,
    wire: Wire,
    *,
    turns: int = 1,
    barge_in_s: float | None = None,
    consumer: Consumer = GREEDY,
    patience_s: float = PATIENCE_S,
) -> list[Heard]:
    """The turns of one session with a server that does what is planted."""
    utterance = msgspec.structs.replace(
        whole(TEXT, planted.form), barge_in_s=barge_in_s, consumer=consumer
    )
    session = Session(0, 0.0, (Turn("line", 0.0, utterance),) * turns, wire)
    heard: list[Heard] = []

    def take(timeline: Timeline, utterance: Utterance, place: Place) -> None:
        heard.append(judge(timeline, utterance, place, LENIENT))

    async with calibration_server(planted) as server:
        begin = clock()
        await Caller(
            Calibrated(NOBODY, server=server, patience_s=patience_s), session, begin, take
        ).call(begin)
    return heard


@pytest.mark.socket
@pytest.mark.parametrize("wire", BOTH)
async def test_a_good_turn_is_good(wire: Wire) -> None:
    turns = await heard_of(Planted(piece_s=0.1), wire, turns=2)

    assert [turn.outcome for turn in turns] == [Outcome.GOOD] * 2
    assert [turn.place.turn for turn in turns] == [0, 1]
    for turn in turns:
        assert (turn.is_good, turn.is_continuous, turn.is_complete) == (True, True, True)
        assert turn.ttfa_s is not None
        assert turn.audio_s == pytest.approx(1.0)
    assert turns[0].connect_s is not None
    assert turns[1].connect_s is None


@pytest.mark.socket
@pytest.mark.parametrize("wire", BOTH)
@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Fault.REFUSE, Outcome.REFUSED),
        (Fault.SAY_NOTHING, Outcome.TIMEOUT),
        (Fault.STOP, Outcome.TIMEOUT),
        (Fault.TRUNCATE, Outcome.TRUNCATED),
        (Fault.RESET, Outcome.TRUNCATED),
        (Fault.GARBAGE, Outcome.PROTOCOL),
    ],
)
async def test_a_planted_fault_is_put_into_its_class(
    wire: Wire, fault: Fault, outcome: Outcome
) -> None:
    patience_s = 0.3 if outcome is Outcome.TIMEOUT else PATIENCE_S
    (turn,) = await heard_of(Planted(piece_s=0.1, fault=fault), wire, patience_s=patience_s)

    assert turn.outcome is outcome, turn.detail
    assert turn.is_good is False
    assert turn.detail
    if outcome is Outcome.REFUSED:
        assert turn.retry_after_s == RETRY_AFTER_S
        assert turn.refused_s is not None
        assert 0 <= turn.refused_s < PATIENCE_S
    else:
        assert turn.refused_s is None


@pytest.mark.socket
@pytest.mark.parametrize("wire", BOTH)
async def test_silence_is_a_class_of_its_own(wire: Wire) -> None:
    (turn,) = await heard_of(Planted(is_silent=True), wire)
    assert turn.outcome is Outcome.INAUDIBLE


@pytest.mark.socket
async def test_what_is_lost_on_the_way_is_truncation() -> None:
    (turn,) = await heard_of(Planted(fault=Fault.LOSE_LAST), Wire.WEBSOCKET)
    assert turn.outcome is Outcome.TRUNCATED
    assert turn.is_complete is False


@pytest.mark.socket
async def test_audio_after_the_answer_to_a_barge_in_is_a_leak() -> None:
    planted = Planted(pieces=50, every_s=0.02, leaked=2)
    (turn,) = await heard_of(planted, Wire.WEBSOCKET, barge_in_s=0.05)

    assert turn.outcome is Outcome.LEAKED
    assert turn.leaked == 2
    assert turn.is_good is False


@pytest.mark.socket
async def test_a_barge_in_that_leaks_nothing_is_good() -> None:
    planted = Planted(pieces=50, every_s=0.02)
    (turn,) = await heard_of(planted, Wire.WEBSOCKET, barge_in_s=0.05)

    assert (turn.outcome, turn.leaked) == (Outcome.GOOD, 0)
    assert turn.cancel_ack_s is not None
    assert turn.is_complete is None  # Nobody wanted the rest.


@pytest.mark.socket
async def test_audio_of_a_context_that_had_ended_is_a_leak() -> None:
    turns = await heard_of(Planted(fault=Fault.STRAY), Wire.WEBSOCKET, turns=3)
    assert sum(turn.leaked for turn in turns) >= 2
    assert turns[-1].outcome is Outcome.LEAKED


@pytest.mark.socket
@pytest.mark.parametrize("wire", BOTH)
async def test_late_sound_and_stalls_are_not_good_and_no_error(wire: Wire) -> None:
    (late,) = await heard_of(Planted(delay_s=1.1), wire)
    (torn,) = await heard_of(Planted(pieces=8, piece_s=0.02, stalls={6: 0.28}), wire)

    assert (late.outcome, late.is_good, late.is_continuous) == (Outcome.GOOD, False, True)
    assert (torn.outcome, torn.is_good, torn.is_continuous) == (Outcome.GOOD, False, False)


@pytest.mark.socket
async def test_a_slow_reader_makes_its_own_stalls() -> None:
    planted = Planted(pieces=8, piece_s=0.02, stalls={6: 0.28})
    (turn,) = await heard_of(planted, Wire.WEBSOCKET, consumer=SLOW_READER)
    assert turn.is_continuous is None
    assert turn.is_good is True


@pytest.mark.socket
@pytest.mark.parametrize("wire", BOTH)
async def test_who_is_turned_away_does_not_ask_on(wire: Wire) -> None:
    assert len(await heard_of(Planted(fault=Fault.REFUSE), wire, turns=3)) == 1
    assert len(await heard_of(Planted(fault=Fault.TRUNCATE), wire, turns=3)) == 3


def test_the_clock_starts_when_the_first_segment_was_due() -> None:
    utterance = Utterance((Piece(0.0, "One "), Piece(0.5, "two. "), Piece(1.0, "Three.")))
    timeline = Timeline(Wire.WEBSOCKET, utterance.form, 10.0)
    timeline.heard = [Message(10.6, "segment", {"text_start": 0, "text_end": 9})]

    assert first_text_due_s(timeline, utterance) == 0.5
    timeline.heard = []
    assert first_text_due_s(timeline, utterance) == 1.0


def test_a_turn_that_is_cut_off_is_judged_as_far_as_it_came() -> None:
    utterance = whole(TEXT)
    timeline = Timeline(Wire.WEBSOCKET, utterance.form, 10.0, begun=10.0)
    timeline.sent = [Sent(10.0, TEXT)]

    def cut(over_s: float) -> Heard:
        place = Place(0, 0, Wire.WEBSOCKET, 0.0, over_s, is_cut=True)
        return judge(timeline, utterance, place, Objectives())

    assert (cut(0.1).outcome, cut(0.1).is_good) == (Outcome.GOOD, None)
    assert (cut(0.3).outcome, cut(0.3).is_good) == (Outcome.UNFINISHED, False)
    timeline.heard = [Payload(10.05, (b"\x00\x40" * 12 + b"\x00\xc0" * 12) * 100, 0, 2_400)]
    assert (cut(0.3).outcome, cut(0.3).is_good) == (Outcome.GOOD, True)


@pytest.mark.socket
@pytest.mark.slow
async def test_arrivals_beyond_the_cap_are_errors_and_delay_nobody() -> None:
    mix = Mix(turns=(1, 1), tokens_per_s=(0.0,), vanish_share=0.0, barge_in_share=0.0)
    load = Load(100.0, 0.1, mix=mix, in_flight_max=2, drain_s=0.05)
    async with calibration_server(Planted(delay_s=5.0)) as server:
        run = Run(load, (Phase(100.0, 0.1),), Calibrated(NOBODY, server=server))
        await run.run(lambda line: None)
    found = run.figures()

    assert len(run.heard) == len(run.sessions) > 4
    assert found.errors["capped"].count == len(run.sessions) - 2
    assert found.good_share == 0.0
    assert found.in_flight_max <= 2


def turn(session: int, due_s: float, *, ttfa_s: float | None = 0.1, good: bool = True) -> Heard:
    """A judged turn."""
    place = Place(session, 0, Wire.WEBSOCKET, due_s, due_s + 1)
    outcome = Outcome.GOOD if ttfa_s is not None else Outcome.REFUSED
    return Heard(place, outcome, ttfa_s=ttfa_s, is_good=good, is_continuous=good, audio_s=2.0)


QUIET = Harness(0.1, 0.2, 0.1, is_valid=True)


def summed(heard: list[Heard], cpu: CpuShares | None = None) -> Figures:
    return figures(
        heard,
        Load(1.0),
        sessions={one.place.session for one in heard},
        stretch=(0.0, 10.0),
        in_flight=(1.0, 1),
        harness=QUIET,
        cpu=cpu,
    )


def test_a_percentile_needs_ten_beyond_it_and_failures_count_as_late() -> None:
    few = summed([turn(n, n / 100) for n in range(199)])
    enough = summed([turn(n, n / 100) for n in range(200)])
    refused = summed([turn(n, 1.0, ttfa_s=None if n < 5 else 0.1, good=n >= 5) for n in range(50)])

    assert "p95" not in few.times["ttfa"].summary.percentiles_ms
    assert "p95" in enough.times["ttfa"].summary.percentiles_ms
    assert refused.ttfa_share == 0.9
    assert refused.error_share == 0.1
    assert refused.errors["refused"].count == 5
    assert refused.good_turns_per_s == 4.5


def test_a_session_is_good_when_all_its_turns_are_and_rates_are_of_the_stretch() -> None:
    found = summed(
        [turn(0, 1.0), turn(0, 2.0), turn(1, 1.0), turn(1, 2.0, good=False), turn(2, 11.0)]
    )

    assert found.good_sessions_per_s == pytest.approx(0.2)  # The first and the last.
    assert found.turns == 5
    assert found.turns_per_s == pytest.approx(0.4)
    assert found.audio_s_per_s == pytest.approx(0.8)


def test_the_search_doubles_and_then_halves_the_interval() -> None:
    assert next_rate(4.0, None, 1.1) == 8.0
    assert next_rate(None, 4.0, 1.1) == 2.0
    assert next_rate(4.0, 9.0, 1.1) == pytest.approx(6.0)
    assert next_rate(4.0, 4.4, 1.1) is None
    assert next_rate(None, 0.06, 1.1) is None


def test_a_step_fails_for_the_objective_that_it_does_not_keep() -> None:
    late = [turn(n, 1.0, ttfa_s=0.1 if n < 94 else 0.3) for n in range(100)]
    in_time = [turn(n, 1.0, ttfa_s=0.1 if n < 95 else 0.3) for n in range(100)]
    torn = msgspec.structs.replace(in_time[0], is_continuous=False)

    assert failed(summed(in_time), Search()) == ""
    assert "sound in time" in failed(summed(late), Search())
    assert "continuous" in failed(summed([torn, *in_time[1:]]), Search())


def test_recovered_is_when_no_five_seconds_together_are_too_slow_any_more() -> None:
    shares = [0.2, 1.0, 0.9, 1.0, 0.9, 1.0, 1.0, 0.9, 1.0, 1.0]
    seconds = [(float(second), 20, share) for second, share in enumerate(shares)]
    assert recovery_s(seconds, 0.95) == 1.0
    assert recovery_s(seconds[1:], 0.95) == 0.0
    assert recovery_s([*seconds, (10.0, 20, 0.7)], 0.95) is None
    assert recovery_s([*seconds, (10.0, 1, 0.7), (12.0, 20, 1.0)], 0.95) == 1.0


def test_the_bottleneck_is_named() -> None:
    parts = {"encoders": 0.0, "nurseries": 0.0, "others": 0.0}

    assert "event loop: event loop 0.95" in bottleneck(
        summed([turn(0, 1.0)], CpuShares(loop=0.95, workers=0.1, **parts)), 2
    )
    assert "the server's 2 cores: workers 1.50" in bottleneck(
        summed([turn(0, 1.0)], CpuShares(loop=0.4, workers=1.5, **parts)), 2
    )
    assert bottleneck(summed([turn(0, 1.0)]), None).startswith("not known")


def test_a_profile_counts_the_main_thread_only() -> None:
    stacks = (
        'thread (1): "MainThread";main (m.py);send (s.py) 6\n'
        'thread (1): "MainThread";main (m.py) 2\n'
        'thread (2): "encoder";encode (e.py) 90\n'
        "no stack at all\n"
    )
    assert [(f.name, f.own, f.total) for f in top(stacks)] == [
        ("send (s.py)", 0.75, 0.75),
        ("main (m.py)", 0.25, 1.0),
    ]
