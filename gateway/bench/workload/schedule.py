"""When sessions come and what happens in them, decided beforehand by a seed alone.

Sessions arrive in an open loop: a Poisson process that knows nothing of the server. Inside a session turns are closed:
the next one comes when the last has been heard (or interrupted) and the caller has thought. Each session has its chance
from the seed and its number, so a longer schedule begins with the shorter one of the same seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import msgspec

from gateway.bench.instruments.timeline import Form, Wire
from gateway.bench.instruments.utterance import Consumer, Piece, Utterance
from gateway.bench.workload.corpus import Line
from gateway.bench.workload.tokens import Pause, tokens, trickled

GREEDY = Consumer()
LISTENER = Consumer(rate=1.0)
SLOW_READER = Consumer(rate=0.5)

Range = tuple[float, float]


class Mix(msgspec.Struct, frozen=True):
    """What sessions are like. Shares are probabilities; ranges are drawn from evenly.

    Each session has one consumer: greedy, listening in real time (`listener_share`) or a slow reader
    (`slow_reader_share`). Each turn has its text at one of `tokens_per_s` (0 = all at once), may pause once in the middle
    of it (`pause_share`, `pause_s`), and may be interrupted (`barge_in_share`, `barge_in_s` after its first audio). In
    its last turn the client may vanish (`vanish_share`, `vanish_s` after its first audio). `think_s_mean` is of an
    exponential distribution. Who speaks over HTTP (`http_share`) has each text at once: that is what HTTP is asked with.
    """

    turns: tuple[int, int] = (2, 6)
    think_s_mean: float = 1.0
    tokens_per_s: tuple[float, ...] = (20.0, 70.0, 150.0)
    pause_share: float = 0.1
    pause_s: Range = (0.5, 3.0)
    barge_in_share: float = 0.2
    barge_in_s: Range = (0.2, 3.0)
    listener_share: float = 0.6
    slow_reader_share: float = 0.02
    vanish_share: float = 0.05
    vanish_s: Range = (0.0, 2.0)
    http_share: float = 0.0
    form: Form = Form()
    parameters: dict[str, object] = {}


class Turn(msgspec.Struct, frozen=True):
    """One utterance, and how long its caller thinks when it has been heard. `line` is the id of its text."""

    line: str
    think_s: float
    utterance: Utterance


class Session(msgspec.Struct, frozen=True):
    """One caller, `at_s` after the beginning of the schedule."""

    number: int
    at_s: float
    turns: tuple[Turn, ...]
    wire: Wire = Wire.WEBSOCKET


class Phase(msgspec.Struct, frozen=True):
    """A stretch of an open loop at one rate."""

    sessions_per_s: float
    seconds: float


def arrivals(per_s: float, duration_s: float, seed: int | str) -> list[float]:
    """The moments of a Poisson process of this rate, within the duration."""
    chance = Random(f"arrivals/{seed}")
    moments: list[float] = []
    moment = chance.expovariate(per_s)
    while moment < duration_s:
        moments.append(moment)
        moment += chance.expovariate(per_s)
    return moments


def open_loop(
    mix: Mix, lines: Sequence[Line], *, sessions_per_s: float, duration_s: float, seed: int
) -> tuple[Session, ...]:
    """Sessions that come when they come."""
    moments = arrivals(sessions_per_s, duration_s, seed)
    return tuple(session(mix, lines, number, at_s, seed) for number, at_s in enumerate(moments))


def phased(
    mix: Mix, lines: Sequence[Line], phases: Sequence[Phase], *, seed: int
) -> tuple[Session, ...]:
    """Sessions of one open loop whose rate changes from phase to phase."""
    moments: list[float] = []
    begin_s = 0.0
    for number, phase in enumerate(phases):
        own = seed if number == 0 else f"{seed}/{number}"
        moments += [begin_s + at for at in arrivals(phase.sessions_per_s, phase.seconds, own)]
        begin_s += phase.seconds
    return tuple(session(mix, lines, number, at_s, seed) for number, at_s in enumerate(moments))


def closed_loop(mix: Mix, lines: Sequence[Line], *, clients: int, seed: int) -> tuple[Session, ...]:
    """One session for each of so many clients, all at once."""
    return tuple(session(mix, lines, number, 0.0, seed) for number in range(clients))


def session(mix: Mix, lines: Sequence[Line], number: int, at_s: float, seed: int) -> Session:
    """Session number `number` of this seed."""
    chance = Random(f"session/{seed}/{number}")
    consumer = chance.choices(
        (LISTENER, SLOW_READER, GREEDY),
        (
            mix.listener_share,
            mix.slow_reader_share,
            1 - mix.listener_share - mix.slow_reader_share,
        ),
    )[0]
    count = chance.randint(*mix.turns)
    vanishes = chance.random() < mix.vanish_share
    language = chance.choice(sorted({line.language for line in lines}))
    sayable = [line for line in lines if line.language == language]
    turns = tuple(
        _turn(
            mix, chance, chance.choice(sayable), consumer, vanishes=vanishes and turn == count - 1
        )
        for turn in range(count)
    )
    wire = Wire.HTTP if chance.random() < mix.http_share else Wire.WEBSOCKET
    if wire is Wire.HTTP:
        turns = tuple(map(_at_once, turns))
    return Session(number, at_s, turns, wire)


def _turn(mix: Mix, chance: Random, line: Line, consumer: Consumer, *, vanishes: bool) -> Turn:
    return Turn(
        line=line.id,
        think_s=chance.expovariate(1 / mix.think_s_mean) if mix.think_s_mean else 0.0,
        utterance=Utterance(
            pieces=_pieces(mix, chance, line.text),
            form=mix.form,
            parameters={"language": line.language, **mix.parameters},
            consumer=consumer,
            barge_in_s=_perhaps(chance, mix.barge_in_share, mix.barge_in_s),
            vanish_s=chance.uniform(*mix.vanish_s) if vanishes else None,
        ),
    )


def _at_once(turn: Turn) -> Turn:
    spoken = turn.utterance
    at_once = msgspec.structs.replace(spoken, pieces=(Piece(0.0, spoken.text),))
    return msgspec.structs.replace(turn, utterance=at_once)


def _pieces(mix: Mix, chance: Random, text: str) -> tuple[Piece, ...]:
    tokens_per_s = chance.choice(mix.tokens_per_s)
    pause_s = _perhaps(chance, mix.pause_share, mix.pause_s)
    if not tokens_per_s:
        return (Piece(0.0, text),)
    pauses = [] if pause_s is None else [Pause(chance.randint(1, len(tokens(text))), pause_s)]
    return trickled(text, tokens_per_s, pauses)


def _perhaps(chance: Random, share: float, range: Range) -> float | None:
    """A value of the range, or None; draws the same number of times in both cases."""
    happens, value = chance.random() < share, chance.uniform(*range)
    return value if happens else None
