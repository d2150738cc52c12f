"""Planted bugs of what engines and clients are suspected of when they die, hang or rave."""

from __future__ import annotations

from tests.mutants.planting import Planted

POOL = ("tests/engines/test_pool.py",)
ODD = ("tests/chaos/test_odd_engines.py",)
KILLED = ("tests/chaos/test_killed_gateway.py",)
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
)
