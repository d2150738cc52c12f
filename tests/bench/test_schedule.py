"""Schedules: the same from the same seed, Poisson in an open loop, and started on time whatever happens."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import msgspec
import numpy as np
import pytest

from gateway.bench.instruments.hearing import sleep_until
from gateway.bench.instruments.timeline import Form, Payload, Timeline, Wire, clock
from gateway.bench.instruments.utterance import Utterance
from gateway.bench.workload import drive
from gateway.bench.workload.corpus import load
from gateway.bench.workload.schedule import (
    GREEDY,
    LISTENER,
    SLOW_READER,
    Mix,
    Phase,
    Session,
    arrivals,
    closed_loop,
    open_loop,
    phased,
)

LINES = load()
MIX = Mix()
EARLY_S = 0.001
"""Timers may fire so much early."""


def plan(seed: int = 1, duration_s: float = 60.0, mix: Mix = MIX) -> tuple[Session, ...]:
    return open_loop(mix, LINES, sessions_per_s=5.0, duration_s=duration_s, seed=seed)


def test_the_same_seed_gives_the_same_schedule_to_the_byte() -> None:
    assert msgspec.json.encode(plan(1)) == msgspec.json.encode(plan(1))
    assert plan(1) != plan(2)


def test_a_longer_schedule_begins_with_the_shorter_one() -> None:
    short, long = plan(duration_s=10), plan(duration_s=30)
    assert long[: len(short)] == short
    assert all(session.at_s >= 10 for session in long[len(short) :])


def test_another_rate_changes_when_sessions_come_and_not_what_they_say() -> None:
    fast = open_loop(MIX, LINES, sessions_per_s=50.0, duration_s=1.0, seed=1)
    for one, other in zip(fast, plan(1), strict=False):
        assert one.turns == other.turns


def test_arrivals_are_a_poisson_process() -> None:
    rate, duration = 20.0, 500.0
    moments = arrivals(rate, duration, seed=11)
    gaps = np.diff([0.0, *moments])
    count = len(gaps)
    # The count of a Poisson process is normal enough here: within three standard deviations.
    assert abs(count - rate * duration) < 3 * np.sqrt(rate * duration)
    # Kolmogorov and Smirnov: gaps are exponential, at the 5 % level.
    expected = 1 - np.exp(-rate * np.sort(gaps))
    steps = np.arange(count + 1) / count
    distance = max(np.max(steps[1:] - expected), np.max(expected - steps[:-1]))
    assert distance < 1.36 / np.sqrt(count)
    # As many in each second as a Poisson count varies, and no gap knows the one before it.
    per_second = np.histogram(moments, bins=int(duration), range=(0, duration))[0]
    assert per_second.var() / per_second.mean() == pytest.approx(1, abs=3 * np.sqrt(2 / duration))
    assert abs(np.corrcoef(gaps[:-1], gaps[1:])[0, 1]) < 3 / np.sqrt(count)


def test_phases_have_their_rates_and_begin_like_one_phase() -> None:
    phases = (Phase(20.0, 30.0), Phase(40.0, 30.0), Phase(10.0, 30.0))
    sessions = phased(MIX, LINES, phases, seed=3)
    moments = [session.at_s for session in sessions]

    assert moments == sorted(moments)
    for number, phase in enumerate(phases):
        count = sum(30 * number <= at < 30 * (number + 1) for at in moments)
        expected = phase.sessions_per_s * phase.seconds
        assert abs(count - expected) < 3 * np.sqrt(expected)
    alone = open_loop(MIX, LINES, sessions_per_s=20.0, duration_s=30.0, seed=3)
    assert sessions[: len(alone)] == alone


def test_over_http_each_text_is_there_at_once() -> None:
    mix = Mix(http_share=0.3, tokens_per_s=(70.0,))
    sessions = open_loop(mix, LINES, sessions_per_s=20, duration_s=50, seed=4)
    http = [session for session in sessions if session.wire is Wire.HTTP]

    assert len(http) / len(sessions) == pytest.approx(0.3, abs=0.05)
    assert all(len(turn.utterance.pieces) == 1 for session in http for turn in session.turns)
    without = open_loop(Mix(tokens_per_s=(70.0,)), LINES, sessions_per_s=20, duration_s=50, seed=4)
    assert [s.at_s for s in sessions] == [s.at_s for s in without]
    said = [[t.utterance.text for t in session.turns] for session in sessions]
    assert said == [[t.utterance.text for t in session.turns] for session in without]


def test_shares_and_ranges_are_kept() -> None:
    mix = Mix(barge_in_share=0.3, vanish_share=0.2, listener_share=0.5, slow_reader_share=0.1)
    sessions = open_loop(mix, LINES, sessions_per_s=20, duration_s=100, seed=4)
    turns = [turn for session in sessions for turn in session.turns]

    def share(values: list[bool]) -> float:
        return sum(values) / len(values)

    consumers = [session.turns[0].utterance.consumer for session in sessions]
    assert share([c == LISTENER for c in consumers]) == pytest.approx(0.5, abs=0.05)
    assert share([c == SLOW_READER for c in consumers]) == pytest.approx(0.1, abs=0.03)
    assert share([c == GREEDY for c in consumers]) == pytest.approx(0.4, abs=0.05)
    barged = [turn.utterance.barge_in_s for turn in turns]
    assert share([at is not None for at in barged]) == pytest.approx(0.3, abs=0.03)
    assert all(mix.barge_in_s[0] <= at <= mix.barge_in_s[1] for at in barged if at is not None)
    lasts = [session.turns[-1].utterance.vanish_s for session in sessions]
    assert share([at is not None for at in lasts]) == pytest.approx(0.2, abs=0.04)
    assert all(t.utterance.vanish_s is None for s in sessions for t in s.turns[:-1])
    assert {len(session.turns) for session in sessions} == {2, 3, 4, 5, 6}
    thinks = [turn.think_s for turn in turns]
    assert np.mean(thinks) == pytest.approx(1.0, abs=0.05)


def test_token_rates_and_pauses_are_those_of_the_mix() -> None:
    mix = Mix(tokens_per_s=(20.0, 150.0), pause_share=1.0, pause_s=(2.0, 2.0))
    for session in plan(mix=mix, duration_s=20):
        for turn in session.turns:
            gaps = [b.at_s - a.at_s for a, b in pairwise(turn.utterance.pieces)]
            steady = pytest.approx(min(gaps))
            assert min(gaps) == pytest.approx(1 / 20) or min(gaps) == pytest.approx(1 / 150)
            assert len([gap for gap in gaps if gap != steady]) <= 1
    at_once = Mix(tokens_per_s=(0.0,))
    for session in plan(mix=at_once, duration_s=5):
        assert [len(turn.utterance.pieces) for turn in session.turns] == [1] * len(session.turns)


def test_a_closed_loop_has_a_session_for_each_client() -> None:
    sessions = closed_loop(MIX, LINES, clients=7, seed=1)
    assert [session.at_s for session in sessions] == [0.0] * 7
    assert [session.turns for session in sessions] == [session.turns for session in plan(1)[:7]]


def bare(number: int, at_s: float) -> Session:
    return Session(number, at_s, ())


async def test_an_open_loop_waits_for_nobody() -> None:
    sessions = [bare(n, n * 0.005) for n in range(20)]
    all_began = asyncio.Event()
    began: list[float] = []

    async def run(session: Session, intended: float) -> None:
        began.append(clock() - intended)
        if session.number == 19:
            all_began.set()
        await all_began.wait()  # Nobody ends before the last one has begun.

    lost: list[Session] = []
    await drive.open_loop(sessions, run, in_flight_max=20, on_lost=lost.append)
    assert lost == []
    assert len(began) == 20
    assert min(began) >= -EARLY_S


async def test_a_full_house_loses_sessions_and_delays_none() -> None:
    sessions = [*(bare(n, n * 0.005) for n in range(9)), bare(9, 0.6)]
    ran: list[int] = []

    async def run(session: Session, intended: float) -> None:
        ran.append(session.number)
        if session.number < 9:
            await sleep_until(intended + 0.4)

    lost: list[Session] = []
    await drive.open_loop(sessions, run, in_flight_max=3, on_lost=lost.append)
    assert ran == [0, 1, 2, 9]
    assert [session.number for session in lost] == [3, 4, 5, 6, 7, 8]


class Parrot:
    """A client that has said everything at once, `audio_s` long."""

    wire = Wire.WEBSOCKET
    timeline: Timeline | None = None

    def __init__(self, audio_s: float = 0.0, *, vanishes: bool = False) -> None:
        self.intended: list[float] = []
        self.closed = 0
        self._audio_s = audio_s
        self._vanishes = vanishes

    async def speak(self, utterance: Utterance, intended: float, *, cold: bool = False) -> Timeline:
        self.intended.append(intended)
        samples = round(self._audio_s * 24_000)
        return Timeline(
            self.wire,
            Form(),
            intended,
            heard=[Payload(intended, b"", 0, samples)],
            vanished=self._vanishes,
        )

    async def open(self) -> None:
        """Always open."""

    def close(self) -> None:
        self.closed += 1


async def test_a_turn_comes_when_the_last_was_heard_and_thought_about() -> None:
    (session,) = closed_loop(Mix(turns=(3, 3)), LINES, clients=1, seed=2)
    client, seen = Parrot(audio_s=100.0), []
    begin = clock()
    await drive.converse(client, session, begin, lambda turn, _: seen.append(turn))
    first, second, third = client.intended
    assert first == begin
    assert second == pytest.approx(first + 100.0 + session.turns[0].think_s)
    assert third == pytest.approx(second + 100.0 + session.turns[1].think_s)
    assert tuple(seen) == session.turns
    assert client.closed == 1


async def test_who_vanished_says_no_more() -> None:
    (session,) = closed_loop(Mix(turns=(3, 3)), LINES, clients=1, seed=2)
    client = Parrot(vanishes=True)
    await drive.converse(client, session, clock(), lambda *_: None)
    assert len(client.intended) == 1
    assert client.closed == 1
