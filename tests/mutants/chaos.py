"""Planted bugs of what engines and clients are suspected of when they die, hang or rave."""

from __future__ import annotations

from tests.mutants.planting import Planted

POOL = ("tests/engines/test_pool.py",)
ODD = ("tests/chaos/test_odd_engines.py",)
KILLED = ("tests/chaos/test_killed_gateway.py",)
CLEARS = ("tests/chaos/test_clears.py",)
SOAK = ("tests/chaos/test_soak.py",)
OVERLOAD = ("tests/runtime/test_overload.py",)
WORKERS = ("tests/chaos/test_killed_workers.py",)

BUGS = (
    Planted(
        "a-byte-is-progress",
        "a worker that says a byte at a time may do so for ever",
        "gateway/engines/worker.py",
        "        latest = min(self._progress_at, self._paced_at)\n",
        "        latest = self._progress_at\n",
        (*POOL, *ODD),
    ),
    Planted(
        "nonsense-is-speech",
        "what a worker says is not looked at",
        "gateway/engines/espeak.py",
        "    if len(batch.notes) % WORD.size or len(batch.pcm) % SAMPLE_BYTES:\n",
        "    if False:\n",
        ODD,
    ),
    Planted(
        "orphans",
        "workers outlive a nursery and a server that were killed",
        "gateway/engines/nursery.py",
        "    die_with_parent = functools.partial(ctypes.CDLL(None).prctl, _PR_SET_PDEATHSIG, signal.SIGKILL)\n",
        "    die_with_parent = functools.partial(ctypes.CDLL(None).prctl, _PR_SET_PDEATHSIG, 0)\n",
        KILLED,
    ),
    Planted(
        "killed-once-is-dead",
        "a segment that has lost one worker is given up",
        "gateway/engines/pool.py",
        "ATTEMPTS_MAX = 2\n",
        "ATTEMPTS_MAX = 1\n",
        WORKERS,
    ),
    Planted(
        "downloads-starve",
        "downloads get nothing while listeners take all",
        "gateway/core/fairness.py",
        "        if self._downloads.share(now) >= DOWNLOAD_SHARE:\n",
        "        if True:\n",
        OVERLOAD,
    ),
    Planted(
        "downloads-flood",
        "every download that has waited goes before all listeners",
        "gateway/core/fairness.py",
        "        if self._downloads.share(now) >= DOWNLOAD_SHARE:\n",
        "        if False:\n",
        OVERLOAD,
    ),
    Planted(
        "streams-starve",
        "what is streamed without a pace is served like a file, whoever listens",
        "gateway/core/fairness.py",
        "        if stream is not None and stream.needed_by <= now + near_s:\n",
        "        if stream is not None and stream.needed_by <= now:\n",
        (*OVERLOAD, "tests/core/test_fairness.py"),
    ),
    Planted(
        "crowd-by-need",
        "streams that can wait are served by need, so that a crowd of them ends and begins all at once",
        "gateway/core/fairness.py",
        "        if stream is not None and stream.needed_by <= now + near_s:\n",
        "        if stream is not None:\n",
        ("tests/core/test_fairness.py",),
    ),
    Planted(
        "slow-engine-asked-late",
        "how long a turn takes is not learnt, so that a stream is served when it has run dry",
        "gateway/core/fairness.py",
        "        self.turn_s += (took_s - self.turn_s) * TURN_WEIGHT\n",
        "",
        (*OVERLOAD, "tests/core/test_fairness.py"),
    ),
    Planted(
        "downloads-fill-the-house",
        "who asks for one file after the other counts as so many newcomers",
        "gateway/runtime/forecast.py",
        "        if eager or not audio_s:\n            self._came.take_back",
        "        if not audio_s:\n            self._came.take_back",
        ("tests/runtime/test_forecast.py",),
    ),
    Planted(
        "streams-promised-nothing",
        "newcomers are judged as if streams without a pace needed nothing",
        "gateway/runtime/speaker.py",
        "        listens = self.session.has_speech_to_come and not self._outlet.is_whole\n",
        "        listens = self.session.has_speech_to_come and not self.session.is_eager\n",
        OVERLOAD,
    ),
    Planted(
        "promises-forgotten",
        "newcomers are judged by what listeners had lately, not by what they will need",
        "gateway/runtime/turns.py",
        "        return (self.listeners + newcomers) * cost / self._workers\n",
        "        return 0.0\n",
        OVERLOAD,
    ),
    Planted(
        "waits-for-no-core",
        "an event loop that other programs keep from a core does not count as busy",
        "gateway/telemetry/loop_lag.py",
        "int(waited) / 1e9",
        "0.0",
        ("tests/telemetry/test_loop_share.py",),
    ),
    Planted(
        "listeners-never-leave",
        "who has heard everything counts as a listener for ever",
        "gateway/runtime/speaker.py",
        "            self._listens_to.listeners -= 1\n",
        "",
        OVERLOAD,
    ),
    Planted(
        "late-audio-on-a-socket",
        "audio of before a clear comes after its answer",
        "gateway/core/session.py",
        "        self._live.clear()\n        self._line.clear()\n",
        "        self._live.clear()\n",
        CLEARS,
    ),
    Planted(
        "handles-leak",
        "the handle of each worker that has ended stays open",
        "gateway/engines/worker.py",
        "        os.close(self._pidfd)\n",
        "",
        SOAK,
    ),
)
