"""Planted bugs of what stands before a message: bounds that are one off, and peers that nobody lets go of."""

from __future__ import annotations

from tests.mutants.planting import Planted

TRANSPORT = ("tests/limits/test_transport.py",)
TIMES = ("tests/limits/test_times.py",)
RESUMING = ("tests/limits/test_resuming.py",)
REQUESTS, MESSAGES = "gateway/guard/requests.py", "gateway/guard/messages.py"

BUGS = (
    Planted(
        "close-amid-message-is-an-error",
        "a close in the middle of a message is answered with 1002",
        MESSAGES,
        "            self.current_size = None\n",
        "            pass\n",
        ("tests/guard/test_frames.py",),
    ),
    Planted(
        "one-fragment-more",
        "a message may have one frame more than it may",
        MESSAGES,
        "len(self.frames) >= self.limits.fragments_max",
        "len(self.frames) > self.limits.fragments_max",
        TRANSPORT,
    ),
    Planted(
        "empty-frames-are-free",
        "frames are counted by their bytes",
        MESSAGES,
        "        cost_s = len(self.conn.events) / self.limits.frames_per_second_max\n",
        "        cost_s = (\n            sum(len(getattr(each, 'data', b'')) > 0 for each in self.conn.events)\n"
        "            / self.limits.frames_per_second_max\n        )\n",
        (*TRANSPORT, "tests/guard/test_frames.py"),
    ),
    Planted(
        "line-ends-are-free",
        "the headers' colons and line ends are not counted",
        REQUESTS,
        "len(name) + len(value) + FIELD_EXTRA_BYTES",
        "len(name) + len(value)",
        TRANSPORT,
    ),
    Planted(
        "one-request-more-ahead",
        "one request more may be sent ahead",
        REQUESTS,
        "len(self.pipeline) >= AHEAD_MAX",
        "len(self.pipeline) > AHEAD_MAX",
        TRANSPORT,
    ),
    Planted(
        "trailers-are-headers",
        "what comes behind the body changes the request's headers",
        REQUESTS,
        "        if self._phase is Phase.HEAD:\n            super().on_header(name, value)\n",
        "        super().on_header(name, value)\n",
        ("tests/guard/test_requests.py",),
    ),
    Planted(
        "old-chunks",
        "chunks are taken from who speaks HTTP/1.0",
        REQUESTS,
        " or not newest):\n            self._reject(\n",
        "):\n            self._reject(\n",
        ("tests/guard/test_requests.py",),
    ),
    Planted(
        "closed-is-a-crash",
        "speech for a connection that was closed for its frames is a mistake of the application's",
        MESSAGES,
        "        if self.close_sent and self.initial_response is None:\n            raise ClientDisconnected\n",
        "",
        ("tests/guard/test_frames.py",),
    ),
    Planted(
        "only-the-newest-hears",
        "of several requests of a client that has gone, the newest is told",
        REQUESTS,
        "(self._answering, *(cycle for cycle, _ in self.pipeline))",
        "()",
        ("tests/guard/test_requests.py", "tests/guard/test_vanishing.py"),
    ),
    Planted(
        "refused-for-ever",
        "a refused peer is listened to for as long as it likes",
        REQUESTS,
        "            self._wait(LINGER_S * 1_000)\n",
        "",
        (*TIMES, "tests/guard/test_vanishing.py"),
    ),
    Planted(
        "closing-for-ever",
        "what was written before a close may take for ever to leave",
        "gateway/guard/closing.py",
        "            self.transport.abort()\n",
        "            pass\n",
        TIMES,
    ),
    Planted(
        "a-read-at-once",
        "a read is taken apart without a turn of the loop",
        "gateway/guard/slices.py",
        "            piece = bytes(self._unread[:SLICE_BYTES])\n            del self._unread[:SLICE_BYTES]\n",
        "            piece = bytes(self._unread)\n            self._unread.clear()\n",
        (*TRANSPORT, "tests/guard/test_requests.py"),
    ),
    Planted(
        "sub-domains-are-friends",
        "a page of a host that ends like an allowed one may come",
        "gateway/fronts/origins.py",
        "page in self._allowed",
        "any(each and page.host.endswith(each.host) for each in self._allowed)",
        ("tests/guard/test_origins.py",),
    ),
    Planted(
        "null-is-of-this-machine",
        "a page without an origin is taken for one of this machine",
        "gateway/fronts/origins.py",
        "        if page is None:\n            return self._any\n",
        "        if page is None:\n            return self._any or self._on_loopback\n",
        ("tests/guard/test_origins.py",),
    ),
    Planted(
        "http-never-lets-go",
        "sending a body that is there already takes no turn of the loop",
        "gateway/fronts/http.py",
        "            if events:\n                # A send that is taken at once does not suspend; others must get their turn all the same.\n"
        "                await asyncio.sleep(0)\n",
        "",
        ("tests/guard/test_turns.py",),
    ),
    Planted(
        "file-never-lets-go",
        "sending a whole file takes no turn of the loop",
        "gateway/fronts/answer.py",
        "            await bound(self._stream(block))\n            await asyncio.sleep(0)\n",
        "            await bound(self._stream(block))\n",
        ("tests/guard/test_turns.py",),
    ),
    Planted(
        "writer-never-lets-go",
        "nor does a connection's writer",
        "gateway/runtime/mux.py",
        "                # A send that is taken at once does not suspend; others must get their turn all the same.\n"
        "                await asyncio.sleep(0)\n",
        "",
        ("tests/guard/test_turns.py",),
    ),
    Planted(
        "one-more-waits",
        "one session more than may be parked waits for its client",
        "gateway/runtime/lobby.py",
        "len(self._parked) >= self._limits.sessions_parked_max",
        "len(self._parked) > self._limits.sessions_parked_max",
        RESUMING,
    ),
    Planted(
        "a-ring-of-almost-its-size",
        "a ring that is full to the byte forgets its oldest",
        "gateway/runtime/ring.py",
        "self._bytes > self._bytes_max or",
        "self._bytes >= self._bytes_max or",
        RESUMING,
    ),
    Planted(
        "others-forget",
        "rings count what each of them has, and not what all have",
        "gateway/runtime/ring.py",
        " or self._total.bytes > self._total.bytes_max",
        "",
        RESUMING,
    ),
    Planted(
        "lost-text-stays",
        "text that was lost is remembered until there is too much of it",
        "gateway/runtime/lobby.py",
        "oldest.until > now and ",
        "",
        RESUMING,
    ),
    Planted(
        "goodbye-for-ever",
        "a close frame may take for ever to leave",
        "gateway/fronts/websocket.py",
        "asyncio.timeout(CLOSE_MS_MAX / 1_000)",
        "asyncio.timeout(None)",
        TIMES,
    ),
)
