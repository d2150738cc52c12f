"""Planted bugs of what surrounds the core: runtime, encoders, engines."""

from __future__ import annotations

from tests.mutants.planting import Planted

RUNTIME_TESTS = ("tests/runtime",)
ENCODER_TESTS = ("tests/audio",)
ENGINE_TESTS = ("tests/engines/test_espeak_faults.py",)

BUGS = (
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
        "        self._is_empty, self._is_open = False, True\n",
        "        self._is_empty = False\n",
        ENCODER_TESTS,
    ),
    Planted(
        "container-never-closed",
        "a drain makes the codec give everything and keeps its container open",
        "gateway/audio/muxed.py",
        "        container.mux(stream.encode(None))\n        return self._close(container)\n",
        "        container.mux(stream.encode(None))\n        return self._sink.take()\n",
        ENCODER_TESTS,
    ),
    Planted(
        "last-page-held-back",
        "the silence at a drain pushes out all but the last page",
        "gateway/audio/muxed.py",
        "self._look_ahead) // self._frame) + 1\n",
        "self._look_ahead) // self._frame)\n",
        ENCODER_TESTS,
    ),
    Planted(
        "short-telephone-frame-lost",
        "what is less than a frame of G.711 does not leave at a flush",
        "gateway/runtime/outlet.py",
        "end = len(data) if all_of_it else ",
        "end = ",
        RUNTIME_TESTS,
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
        ENGINE_TESTS,
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
