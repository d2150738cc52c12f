"""Bugs worth having tests against: each is one change of one place, in words and in code.

The code is quoted as it stands, so that a refactoring that moves it fails `test_planted.py` at once and the bug is
planted anew in the new code, instead of silently testing nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

SESSION_TESTS = ("tests/core/test_session.py", "tests/properties/test_session_machine.py")
RUNTIME_TESTS = ("tests/runtime",)
ENCODER_TESTS = ("tests/audio",)


@dataclass(frozen=True)
class Planted:
    """`old` in `file` becomes `new`, and one of `tests` must fail."""

    name: str
    what: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


SESSION = "gateway/core/session.py"

PLANTED = (
    Planted(
        "audio-after-clear",
        "a clear leaves the line as it is",
        SESSION,
        "        self._live.clear()\n        self._line.clear()\n",
        "        self._live.clear()\n",
        SESSION_TESTS,
    ),
    Planted(
        "late-report-accepted",
        "a worker that has not noticed the clear is still listened to",
        SESSION,
        "        self._live.clear()\n",
        "",
        SESSION_TESTS,
    ),
    Planted(
        "flush-lost-by-clear",
        "a flush that a clear overtakes is never answered",
        SESSION,
        "            Flushed(entry.id, self._position(), cleared=True)\n            for entry in self._line\n            if isinstance(entry, Flush)\n",
        "            Flushed(entry.id, self._position(), cleared=True)\n            for entry in list(self._line)[:0]\n            if isinstance(entry, Flush)\n",
        SESSION_TESTS,
    ),
    Planted(
        "flush-answered-early",
        "a flush does not wait for the audio before it",
        SESSION,
        "                self._line.append(command)\n                self._flushes_in_line += 1\n",
        "                self._line.appendleft(command)\n                self._flushes_in_line += 1\n",
        SESSION_TESTS,
    ),
    Planted(
        "pacing-ignored",
        "frames go out however far ahead of the listener they are",
        SESSION,
        "            if release_at is not None and now < release_at:\n                return None\n",
        "",
        SESSION_TESTS,
    ),
    Planted(
        "orders-unbounded",
        "segments are ordered without regard to the lookahead",
        SESSION,
        "            or len(self._live) >= self._limits.lookahead\n",
        "",
        SESSION_TESTS,
    ),
    Planted(
        "audio-unbounded",
        "segments are ordered however much audio nobody pulled",
        SESSION,
        "            or self._unpulled_ms() >= self._limits.audio_ahead_ms\n",
        "",
        SESSION_TESTS,
    ),
    Planted(
        "refusal-changes-state",
        "a refused text opens the context",
        SESSION,
        "        self.judge_text(len(command.text))\n        self._open()\n",
        "        self._open()\n        self.judge_text(len(command.text))\n",
        SESSION_TESTS,
    ),
    Planted(
        "two-closed",
        "an abort of a closed session closes it again",
        SESSION,
        "        if self.state is State.CLOSED:\n            return\n",
        "",
        SESSION_TESTS,
    ),
    Planted(
        "heard-half-a-word",
        "a word counts as heard as soon as it begins",
        "gateway/core/heard.py",
        "        for mark, following in pairwise(begun):\n            if following.sample > mark.sample:\n                heard",
        "        for mark in begun:\n            if mark:\n                heard",
        SESSION_TESTS,
    ),
    Planted(
        "surrogate-dropped",
        "a half of an emoji is forgotten between two messages",
        "gateway/core/surrogates.py",
        'text, self._held = self._held + text, ""',
        'text, self._held = text, ""',
        SESSION_TESTS,
    ),
    Planted(
        "idle-while-unread",
        "the idle clock runs on while the client has not read",
        SESSION,
        " or self._line or self._ready:",
        " or self._line:",
        SESSION_TESTS,
    ),
    Planted(
        "position-in-engine-samples",
        "positions are announced at the engine's rate",
        SESSION,
        "        return samples_out(sample, self.settings.engine_rate, self.settings.format.sample_rate)\n",
        "        return sample\n",
        SESSION_TESTS,
    ),
    Planted(
        "no-drain-at-flush",
        "what the encoder still holds does not leave before the answer to a flush",
        "gateway/runtime/outlet.py",
        "                return [*await self._drain(deadline), event]\n",
        "                return [event]\n",
        RUNTIME_TESTS,
    ),
    Planted(
        "encoder-survives-clear",
        "old audio stays in the encoder over a clear",
        "gateway/runtime/outlet.py",
        "        self._announced = self._given\n        self._encoder = None\n",
        "        self._announced = self._given\n",
        RUNTIME_TESTS,
    ),
    Planted(
        "tail-lost-at-end",
        "the resampler is not drained at the end",
        "gateway/runtime/outlet.py",
        "            tail = resampler.drain()\n            return len(tail), encoder.encode(tail) + encoder.finish()\n",
        "            return 0, encoder.finish()\n",
        RUNTIME_TESTS,
    ),
    Planted(
        "reader-waits",
        "the reader stops when the writer is stuck",
        "gateway/runtime/mux.py",
        "            await self._hear(message, tasks)\n",
        "            await self._hear(message, tasks)\n            while self._replies:\n                await asyncio.sleep(0.01)\n",
        RUNTIME_TESTS,
    ),
    Planted(
        "place-never-given-back",
        "contexts that were open when the peer went stay counted",
        "gateway/runtime/mux.py",
        "            for _ in self._contexts:\n                self._house.admission.close_context()\n",
        "            pass\n",
        RUNTIME_TESTS,
    ),
    Planted(
        "engine-works-on",
        "an abandoned segment is made to its end",
        "gateway/runtime/speaker.py",
        "                        task_.cancel()\n",
        "                        pass\n",
        RUNTIME_TESTS,
    ),
    Planted(
        "audio-before-acknowledgement",
        "contexts take turns without regard to answers",
        "gateway/runtime/mux.py",
        "                    not context.speaker.session.has_answers,\n",
        "",
        RUNTIME_TESTS,
    ),
    Planted(
        "header-twice",
        "WAV writes its header before each piece of audio",
        "gateway/audio/raw.py",
        '        header, self._header = self._header, b""\n        return header\n',
        "        return self._header\n",
        ENCODER_TESTS,
    ),
    Planted(
        "mp3-no-drain",
        "an MP3 stream keeps its last frames at a drain",
        "gateway/audio/mp3.py",
        '        return b"" if lame is None else bytes(lame.flush())\n',
        '        return b""\n',
        ENCODER_TESTS,
    ),
    Planted(
        "resampler-per-piece",
        "the resampler forgets its history at a drain",
        "gateway/audio/pcm.py",
        "        self._given += missing\n        return out\n",
        "        self._given += missing\n        self._history = self._history[-2:]\n        return out\n",
        ENCODER_TESTS,
    ),
    Planted(
        "farm-first-come",
        "encoding jobs run in the order in which they came",
        "gateway/audio/farm.py",
        "        job = _Job(deadline, next(self._arrivals), work, result)\n",
        "        job = _Job(0.0, next(self._arrivals), work, result)\n",
        ENCODER_TESTS,
    ),
    Planted(
        "retry-speaks-twice",
        "a segment that is made again is heard again from its start",
        "gateway/engines/pool.py",
        "            notes_known, pcm_known = notes_done, pcm_done\n",
        "            notes_known, pcm_known = 0, 0\n",
        ("tests/engines",),
    ),
    Planted(
        "newcomer-as-download",
        "a frame counts as handed out before it is asked how urgent it is",
        "gateway/runtime/speaker.py",
        "        event = self.session.next_event(now)\n",
        "        event = self.session.next_event(now)\n        deadline = self._deadline(now)\n",
        RUNTIME_TESTS,
    ),
)
