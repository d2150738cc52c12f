"""Planted bugs of the load: errors that would pass for good turns, rates and recoveries that would flatter."""

from __future__ import annotations

from tests.mutants.planting import Planted

TURNS = ("tests/bench/test_load_turns.py",)
LISTENING = ("tests/bench/test_calibration.py",)

BUGS = (
    Planted(
        "leaks-are-good",
        "audio after the answer to a barge-in is no error",
        "gateway/bench/sessions/heard.py",
        "    if leaked:\n",
        "    if leaked < 0:\n",
        TURNS,
    ),
    Planted(
        "strays-unseen",
        "audio of ended contexts is not counted",
        "gateway/bench/sessions/caller.py",
        "strays=strays - self._strays,",
        "strays=0,",
        TURNS,
    ),
    Planted(
        "failures-are-not-late",
        "who was refused does not count among those without sound in time",
        "gateway/bench/sessions/figures.py",
        "    in_time = [turn.ttfa_s is not None and turn.ttfa_s <= ttfa_s_max for turn in judged]\n",
        "    in_time = [turn.ttfa_s <= ttfa_s_max for turn in judged if turn.ttfa_s is not None]\n",
        TURNS,
    ),
    Planted(
        "one-good-turn-is-enough",
        "a session counts as good when one of its turns was",
        "gateway/bench/sessions/figures.py",
        "number in came and number not in bad for number",
        "number in came for number",
        TURNS,
    ),
    Planted(
        "arrivals-wait",
        "a session that comes while too many go on is put off",
        "gateway/bench/workload/drive.py",
        "                on_lost(session)\n                continue\n",
        "                await asyncio.wait(going_on, return_when=asyncio.FIRST_COMPLETED)\n",
        (*TURNS, "tests/bench/test_schedule.py"),
    ),
    Planted(
        "recovered-at-the-first-good-second",
        "recovery ends before the last slow second",
        "gateway/bench/sessions/capacity.py",
        "slow[-1] + 1\n",
        "slow[0] + 1\n",
        TURNS,
    ),
    Planted(
        "impatient-beforehand",
        "patience with a server begins before its client has asked",
        "gateway/bench/instruments/hearing.py",
        "self._active = max(clock(), timeline.intended)",
        "self._active = clock()",
        LISTENING,
    ),
    Planted(
        "deaf-between-requests",
        "a kept connection is not read while a slow listener still plays",
        "gateway/bench/instruments/http.py",
        "        self.valve.open()  # A kept connection must",
        "        # A kept connection must",
        LISTENING,
    ),
)
