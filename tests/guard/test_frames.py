"""WebSocket frames that are malformed, too large or too many, on real sockets; floods in virtual time, where they wait."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import msgspec
import pytest

from gateway.guard.messages import BURST_S, BoundsMessages
from gateway.guard.slices import SLICE_BYTES
from tests.fronts.peers import CLOSE, PING, TEXT, RawPeer, frame, raw_peer
from tests.support.leaks import held, settled, until
from tests.support.server import running_server, speech_socket, tone_config

pytestmark = pytest.mark.socket

CONTINUATION, PONG = 0x0, 0xA
FLOOD = 100_000


def now() -> float:
    return asyncio.get_running_loop().time()


async def close_code(peer: RawPeer) -> tuple[int, str]:
    """The code and reason of the close frame that ends what the server sends."""
    everything = await peer.read_to_end()
    for start in range(max(0, len(everything) - 127), len(everything)):
        head, size = everything[start], everything[start + 1] if start + 1 < len(everything) else -1
        if head == 0x80 | CLOSE and start + 2 + size == len(everything):
            payload = everything[start + 2 :]
            return int.from_bytes(payload[:2]), payload[2:].decode()
    raise AssertionError(everything[-200:])


class TestMalformed:
    @pytest.mark.parametrize(
        ("junk", "code"),
        [
            (b"\x81\x05hello", 1002),
            (b"\xc1\x80\0\0\0\0", 1002),
            (b"\xa1\x80\0\0\0\0", 1002),
            (b"\x91\x80\0\0\0\0", 1002),
            (b"\x83\x80\0\0\0\0", 1002),
            (b"\x8b\x80\0\0\0\0", 1002),
            (frame(PING, b"a" * 126), 1002),
            (frame(PONG, b"a" * 126), 1002),
            (frame(CLOSE, b"\x03\xe8" + b"a" * 124), 1002),
            (frame(PING, b"a", final=False), 1002),
            (frame(CONTINUATION, b"a"), 1002),
            (frame(TEXT, b"a", final=False) + frame(TEXT, b"a"), 1002),
            (frame(TEXT, b"\xff\xfe"), 1007),
            (frame(TEXT, b'"\xed\xa0\xbd"'), 1007),
            (frame(TEXT, b'"\xe2\x82', final=False) + frame(CONTINUATION, b'"'), 1007),
            (frame(CLOSE, b"\x00"), 1002),
            (frame(CLOSE, (1005).to_bytes(2)), 1002),
            (frame(CLOSE, b"\x03\xe8\xff"), 1007),
        ],
        ids=[
            *("unmasked", "rsv1", "rsv2", "rsv3", "opcode-3", "opcode-b", "long-ping", "long-pong"),
            *("long-close", "ping-in-parts", "continuation-of-nothing", "text-within-text"),
            *("not-utf8", "surrogate", "cut-utf8", "half-a-code", "reserved-code", "bad-reason"),
        ],
    )
    async def test_closes_with_the_code_for_it(self, junk: bytes, code: int) -> None:
        async with running_server() as server, raw_peer(server) as peer:
            await peer.upgrade()
            await peer.send(junk)
            assert (await close_code(peer))[0] == code

    async def test_a_close_in_the_middle_of_a_message_is_a_close(self) -> None:
        """And whatever comes behind it is not looked at."""
        async with running_server() as server, raw_peer(server) as peer:
            await peer.upgrade()
            close = frame(CLOSE, (1000).to_bytes(2) + b"bye")
            await peer.send(frame(TEXT, b"{", final=False) + close + frame(CONTINUATION, b"}"))
            assert await close_code(peer) == (1000, "bye")

    @pytest.mark.virtual_time
    @pytest.mark.parametrize("junk", [frame(TEXT, b"\xff"), b"\xff\xff"], ids=["text", "frame"])
    async def test_it_is_no_crash_of_ours_in_the_middle_of_speech(
        self, junk: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Whatever the writer is about in that very turn of the loop: it is for nobody any more."""
        pings = b"".join(frame(TEXT, b'{"type":"ping"}') for _ in range(5))
        async with running_server() as server:
            for turns in range(0, 40, 3):
                async with raw_peer(server) as peer:
                    await peer.upgrade()
                    await peer.say({"type": "configure", "lead_ms": None})
                    await peer.say({"type": "text", "text": "Hello there. " * 20})
                    await peer.send(pings)
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    await peer.send(junk)
                    assert b"\x88" in await peer.read_to_end()
        assert [each for each in caplog.records if each.levelname == "ERROR"] == []

    async def test_a_character_may_be_cut_by_frames(self) -> None:
        async with running_server() as server, raw_peer(server) as peer:
            await peer.upgrade()
            message = '{"type":"ping","id":"€"}'.encode()
            for at in range(len(message)):
                opcode = CONTINUATION if at else TEXT
                await peer.send(frame(opcode, message[at : at + 1], final=at + 1 == len(message)))
            await peer.reader.readuntil('"id":"€"'.encode())

    @pytest.mark.parametrize(
        "handshake",
        [
            b"Sec-WebSocket-Version: 12\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
            b"Sec-WebSocket-Version: 13\r\n",
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n",
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Cookie: " + b"a" * 10_000 + b"\r\n",
        ],
        ids=["old", "no-key", "short-key", "long-line"],
    )
    async def test_a_bad_handshake_is_refused_in_our_words(self, handshake: bytes) -> None:
        upgrade = b"Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        async with running_server() as server, raw_peer(server) as peer:
            await peer.send(b"GET /v1/speech HTTP/1.1\r\n" + upgrade + handshake + b"\r\n")
            status, body = await peer.answer()
            assert status == 400
            assert msgspec.json.decode(body)["error"]["code"] == "invalid_message"
            assert await peer.read_to_end() == b""

    async def test_compression_is_declined_and_so_no_bomb_is_unpacked(self) -> None:
        upgrade = b"Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        key = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        offer = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
        async with running_server() as server, raw_peer(server) as peer:
            await peer.send(b"GET /v1/speech HTTP/1.1\r\n" + upgrade + key + offer + b"\r\n")
            head = await peer.reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101 ")
            assert b"extensions" not in head.lower()
            bomb = frame(TEXT, b"\xaa" * 1_000)
            await peer.send(bytes([bomb[0] | 0x40]) + bomb[1:])
            assert (await close_code(peer))[0] == 1002


@pytest.mark.virtual_time
class TestFloods:
    """What is small is counted, nothing is heaped up, and who sends too fast waits."""

    RATE = 500

    async def test_frames_are_read_at_their_rate_and_in_slices(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However they come: all at once, without a byte in them."""
        at_once: list[int] = []
        honest = BoundsMessages.handle_events

        def noting(protocol: BoundsMessages) -> None:
            at_once.append(len(protocol.conn.events))
            honest(protocol)

        monkeypatch.setattr(BoundsMessages, "handle_events", noting)
        config = tone_config(frames_per_second_max=self.RATE)
        async with running_server(config) as server, raw_peer(server) as peer:
            await peer.upgrade()
            begun = now()
            await peer.send(frame(PING, b"") * 5_000)
            await peer.say({"type": "ping", "id": "behind"})
            await peer.reader.readuntil(b"behind")
            assert 5_000 / self.RATE - 2 * BURST_S < now() - begun < 5_000 / self.RATE + 1
        assert sum(at_once) >= 5_000
        assert max(at_once) <= SLICE_BYTES / len(frame(PING, b"")) + 1

    async def test_a_usual_pace_is_never_slowed(self) -> None:
        async with running_server() as server, speech_socket(server) as socket:
            begun = now()
            for number in range(1_000):
                await socket.send({"type": "ping", "id": str(number)})
                await socket.receive_until("pong", id=str(number))
            assert now() - begun < 1

    async def test_others_are_served_during_a_flood(self) -> None:
        async with (
            running_server() as server,
            raw_peer(server) as peer,
            speech_socket(server) as other,
        ):
            await peer.upgrade()
            async with asyncio.TaskGroup() as tasks:
                flooding = tasks.create_task(peer.send(frame(PING, b"") * FLOOD))
                await other.send({"type": "text", "text": "One two."}, {"type": "end"})
                ended = await other.receive_until("ended")
                assert ended["samples"] == len(other.audio()) // 2 > 0
                flooding.cancel()
            peer.reset()

    async def test_empty_continuations_are_no_endless_message(self) -> None:
        async with running_server(tone_config(fragments_max=10)) as server:
            before = held(server.house)
            async with raw_peer(server) as peer:
                await peer.upgrade()
                await peer.send(
                    frame(TEXT, b"", final=False) + frame(CONTINUATION, b"", final=False) * 10
                )
                assert await close_code(peer) == (1008, "too_many_fragments")
            async with raw_peer(server) as peer:
                await peer.upgrade()
                with suppress(ConnectionError):
                    await peer.send(frame(TEXT, b"", final=False))
                    await peer.send(frame(CONTINUATION, b"", final=False) * FLOOD)
                await peer.read_to_end()
            await settled(server.house, before)

    async def test_pongs_are_not_heaped_up_for_who_does_not_read(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        heaped: list[int] = []
        honest = BoundsMessages.handle_ping

        def noting(protocol: BoundsMessages) -> None:
            honest(protocol)
            heaped.append(protocol.transport.get_write_buffer_size())

        monkeypatch.setattr(BoundsMessages, "handle_ping", noting)
        config = tone_config(send_buffer_bytes=8_192)
        async with running_server(config) as server, raw_peer(server) as peer:
            await peer.upgrade()
            peer.stop_reading()
            await peer.send(frame(PING, b"a" * 125) * 4_000)
            await until(lambda: len(heaped) == 4_000)
            peer.reset()
        assert 0 < max(heaped) <= SLICE_BYTES

    async def test_who_reads_again_gets_the_pong_for_his_last_ping(self) -> None:
        """Clients hang up on a server that never answers, also while audio is all that they take."""
        config = tone_config(send_buffer_bytes=8_192)
        async with running_server(config) as server, raw_peer(server) as peer:
            await peer.upgrade()
            await peer.say({"type": "configure", "lead_ms": None})
            await peer.say({"type": "text", "text": "Hello there. " * 20}, {"type": "flush"})
            await peer.reader.readuntil(b'"segment"')
            peer.stop_reading()
            (protocol,) = server.connections
            await until(lambda: not protocol.writable.is_set())
            await peer.send(frame(PING, b"early1") + frame(PING, b"late1"))
            await until(lambda: protocol._late_pong.endswith(b"late1"))
            await peer.send(frame(PING, b"early2") + frame(PING, b"late2"))
            await until(lambda: protocol._late_pong.endswith(b"late2"))
            peer.go_on_reading()
            received = await peer.reader.readuntil(b"\x8a\x05late2")
            assert b"late1" not in received
            await peer.reader.readuntil(b'"flushed"')
