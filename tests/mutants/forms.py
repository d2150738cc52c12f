"""Planted bugs of the other forms of the wire: events over HTTP, MessagePack, the descriptions for machines."""

from __future__ import annotations

from tests.mutants.planting import Planted

EVENT_TESTS = ("tests/fronts/test_events.py",)
ACCEPT_TESTS = ("tests/fronts/test_accept.py",)
MSGPACK_TESTS = ("tests/dialects", "tests/fronts/test_websocket.py")
DESCRIBED_TESTS = ("tests/fronts/test_described.py",)
FUZZED_TESTS = ("tests/fronts/test_fuzzed.py::test_where_keys_are_asked_for_nothing_goes_without",)
SOCKET_TESTS = ("tests/fronts/test_fuzzed_socket.py",)

BUGS = (
    Planted(
        "lines-break-inside",
        "what some readers of lines take for a line break is left in a line",
        "gateway/dialects/lines.py",
        "        if not line.isascii():\n",
        "        if line is None:\n",
        EVENT_TESTS,
    ),
    Planted(
        "status-before-audio",
        "events leave before anybody knows whether there will be audio",
        "gateway/fronts/event_body.py",
        '            if not isinstance(event, Audio | SegmentFinished | Closed):\n                return b""\n',
        "",
        EVENT_TESTS,
    ),
    Planted(
        "failure-without-a-word",
        "events end without the error that ended them",
        "gateway/fronts/answer.py",
        "            await self._end(self._events.take(event, self._clock()))\n",
        '            await self._end(b"")\n',
        EVENT_TESTS,
    ),
    Planted(
        "silence-is-not-broken",
        "a comment is due only once",
        "gateway/fronts/event_body.py",
        '        self._sent(now)\n        return self._lines.keep_alive or b""\n',
        '        self.silent_until = None\n        return self._lines.keep_alive or b""\n',
        EVENT_TESTS,
    ),
    Planted(
        "least-precise-range",
        "`*/*` outdoes a type that was named",
        "gateway/dialects/accept.py",
        "        best = max(covering",
        "        best = min(covering",
        ACCEPT_TESTS,
    ),
    Planted(
        "msgpack-undecodable-text",
        "bytes that are no UTF-8 end the connection",
        "gateway/dialects/wire.py",
        "    except (msgspec.DecodeError, UnicodeError) as error:\n        reason",
        "    except msgspec.DecodeError as error:\n        reason",
        MSGPACK_TESTS,
    ),
    Planted(
        "subprotocol-by-our-taste",
        "of several subprotocols the first of ours is taken",
        "gateway/dialects/native_websocket.py",
        "    for name in offered:\n",
        "    for name in sorted(offered):\n",
        MSGPACK_TESTS,
    ),
    Planted(
        "schema-without-limits",
        "the descriptions do not know how long a text may be",
        "gateway/fronts/described/schemas.py",
        "            text.update(minLength=1, maxLength=limits.text_chars_max)\n",
        "            text.update(minLength=1)\n",
        DESCRIBED_TESTS,
    ),
    Planted(
        "float-for-integer",
        "a whole number written as 236.0 is refused",
        "gateway/dialects/wire.py",
        "        if not _FLOAT_FOR_INTEGER.match(str(error)):\n",
        "        if type_:\n",
        DESCRIBED_TESTS,
    ),
    Planted(
        "answer-undescribed",
        "a field of an answer has a type that is not the described one",
        "gateway/dialects/native.py",
        "return [FlushedMessage(context, event.sample_end, event.id, event.cleared)]",
        "return [FlushedMessage(context, str(event.sample_end), event.id, event.cleared)]",
        SOCKET_TESTS,
    ),
    Planted(
        "wrong-type-unanswered",
        "a message that is no object ends the connection",
        "gateway/dialects/wire.py",
        "    if not isinstance(value, dict):\n        raise InvalidMessage",
        "    if value is None:\n        raise InvalidMessage",
        SOCKET_TESTS,
    ),
    Planted(
        "list-without-a-key",
        "one list that is described to need a key is given without",
        "gateway/app.py",
        '            Route("/v1/speech/models", JsonAnswer(lambda: models, house)),\n',
        '            Route("/v1/speech/models", JsonAnswer(lambda: models)),\n',
        FUZZED_TESTS,
    ),
)
