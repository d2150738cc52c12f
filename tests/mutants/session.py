"""Planted bugs of the session."""

from __future__ import annotations

from tests.mutants.planting import Planted

TESTS = ("tests/core/test_session.py", "tests/properties/test_session_machine.py")
SESSION = "gateway/core/session.py"

BUGS = (
    Planted(
        "audio-after-clear",
        "a clear leaves the line as it is",
        SESSION,
        "        self._live.clear()\n        self._line.clear()\n",
        "        self._live.clear()\n",
        TESTS,
    ),
    Planted(
        "late-report-accepted",
        "a worker that has not noticed the clear is still listened to",
        SESSION,
        "        self._live.clear()\n",
        "",
        TESTS,
    ),
    Planted(
        "flush-lost-by-clear",
        "a flush that a clear overtakes is never answered",
        SESSION,
        "            Flushed(entry.id, self._position(), cleared=True)\n            for entry in self._line\n            if isinstance(entry, Flush)\n",
        "            Flushed(entry.id, self._position(), cleared=True)\n            for entry in list(self._line)[:0]\n            if isinstance(entry, Flush)\n",
        TESTS,
    ),
    Planted(
        "flush-answered-early",
        "a flush does not wait for the audio before it",
        SESSION,
        "                self._line.append(command)\n                self._flushes_in_line += 1\n",
        "                self._line.appendleft(command)\n                self._flushes_in_line += 1\n",
        TESTS,
    ),
    Planted(
        "pacing-ignored",
        "frames go out however far ahead of the listener they are",
        SESSION,
        "            if release_at is not None and now < release_at:\n                return None\n",
        "",
        TESTS,
    ),
    Planted(
        "orders-unbounded",
        "segments are ordered without regard to the lookahead",
        SESSION,
        "            or len(self._live) >= self._limits.lookahead\n",
        "",
        TESTS,
    ),
    Planted(
        "audio-unbounded",
        "segments are ordered however much audio nobody pulled",
        SESSION,
        "            or self._unpulled_ms() >= self._limits.audio_ahead_ms\n",
        "",
        TESTS,
    ),
    Planted(
        "refusal-changes-state",
        "a refused text opens the context",
        SESSION,
        "        self.judge_text(len(command.text))\n        self._open()\n",
        "        self._open()\n        self.judge_text(len(command.text))\n",
        TESTS,
    ),
    Planted(
        "progressive-begins-early",
        "a segment of progressive delivery begins with its first audio",
        SESSION,
        "            return self.complete\n        return self.complete or",
        "            pass\n        return self.complete or",
        TESTS,
    ),
    Planted(
        "progressive-heard-half",
        "what failed half-way is heard all the same",
        SESSION,
        "                    self._bytes_unpulled -= segment.drop()\n",
        "                    pass\n",
        TESTS,
    ),
    Planted(
        "two-closed",
        "an abort of a closed session closes it again",
        SESSION,
        "        if self.state is State.CLOSED:\n            return\n",
        "",
        TESTS,
    ),
    Planted(
        "heard-half-a-word",
        "a word counts as heard as soon as it begins",
        "gateway/core/heard.py",
        "        for mark, following in pairwise(begun):\n            if following.sample > mark.sample:\n                heard",
        "        for mark in begun:\n            if mark:\n                heard",
        TESTS,
    ),
    Planted(
        "surrogate-dropped",
        "a half of an emoji is forgotten between two messages",
        "gateway/core/surrogates.py",
        'text, self._held = self._held + text, ""',
        'text, self._held = text, ""',
        TESTS,
    ),
    Planted(
        "idle-while-unread",
        "the idle clock runs on while the client has not read",
        SESSION,
        " or self._line or self._ready:",
        " or self._line:",
        TESTS,
    ),
    Planted(
        "position-in-engine-samples",
        "positions are announced at the engine's rate",
        SESSION,
        "        return samples_out(sample, self.settings.engine_rate, self.settings.format.sample_rate)\n",
        "        return sample\n",
        TESTS,
    ),
)
