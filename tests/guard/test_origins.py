"""Which web pages may come, over both protocols, and whose word about the client is taken."""

from __future__ import annotations

import msgspec
import pytest
from starlette.types import Receive, Scope, Send

from gateway.config import Config, ConfigError, load_config
from gateway.fronts.origins import EXPOSED, Origins
from gateway.fronts.proxies import Proxies
from tests.fronts.peers import RawPeer, http_client, raw_peer
from tests.support.server import Message, RunningServer, running_server, tone_config

PAGE = "https://app.example.com"
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
UPGRADE = f"Upgrade: websocket\r\nConnection: Upgrade\r\n{KEY}"


def config(**server: object) -> Config:
    plain = tone_config()
    return msgspec.structs.replace(plain, server=msgspec.structs.replace(plain.server, **server))


async def statuses(server: RunningServer, *fields: str) -> list[int]:
    """What a GET, and what a handshake with these header lines is answered with."""
    found = []
    for path, more in (("/healthz", ""), ("/v1/speech", UPGRADE)):
        async with raw_peer(server) as peer:
            lines = "".join(f"{line}\r\n" for line in fields)
            host = "" if any(line.startswith("Host:") for line in fields) else "Host: gateway\r\n"
            await peer.send(f"GET {path} HTTP/1.1\r\n{host}{more}{lines}\r\n".encode())
            found.append(await status(peer))
    return found


async def status(peer: RawPeer) -> int:
    return int((await peer.reader.readuntil(b"\r\n\r\n")).split()[1])


@pytest.mark.socket
class TestOnLoopback:
    @pytest.mark.parametrize(
        "origin",
        ["http://localhost", "http://localhost:3000", "http://127.0.0.1:1", "https://[::1]:8443"],
    )
    async def test_pages_of_this_machine_may_come(self, origin: str) -> None:
        async with running_server() as server:
            assert await statuses(server, f"Origin: {origin}") == [200, 101]

    @pytest.mark.parametrize(
        "lines",
        [
            [f"Origin: {PAGE}"],
            ["Origin: null"],
            ["Origin: "],
            ["Origin: http://localhost.evil.example"],
            ["Origin: http://127.0.0.1.evil.example"],
            ["Origin: http://evil.example#http://localhost"],
            ["Origin: http://localhost@evil.example"],
            ["Origin: http://localhost\tevil.example"],
            ["Origin: http://localhost, http://localhost"],
            ["Origin: http://evil.example http://localhost"],
            ["Origin: http://sub.localhost"],
            ["Origin: file://"],
            ["Origin: data:text/html,x"],
            ["Host: evil.example:80", "Origin: http://evil.example"],
        ],
        ids=[
            *("foreign", "null", "empty", "prefix", "digits", "hash", "user", "tab", "list", "two"),
            *("sub-domain", "file", "data", "rebinding"),
        ],
    )
    async def test_no_other_may(self, lines: list[str]) -> None:
        async with running_server() as server:
            assert await statuses(server, *lines) == [403, 403]

    async def test_who_is_no_page_may(self) -> None:
        """A browser always says whose page it is: when it opens a WebSocket, and when it sends a POST."""
        async with running_server() as server:
            assert await statuses(server) == [200, 101]

    async def test_a_simple_post_of_a_foreign_page_makes_nothing(self) -> None:
        """One that a browser sends without asking before."""
        head = (
            f"POST /v1/speech HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nOrigin: {PAGE}\r\n"
        )
        body = '{"text": "Hello."}'
        async with running_server() as server, raw_peer(server) as peer:
            await peer.send(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
            assert await status(peer) == 403
            made = server.house.metrics.registry.get_sample_value(
                "gateway_audio_made_seconds_total", {"model": "tone"}
            )
            assert not made

    async def test_nor_one_with_two_origins(self) -> None:
        two = ("Origin: http://localhost", "Origin: https://evil.example")
        async with running_server() as server:
            # `websockets` takes two for no handshake at all.
            assert await statuses(server, *two) == [403, 400]

    async def test_a_refusal_is_ours(self) -> None:
        async with running_server() as server, http_client(server) as client:
            asked = {"text": "I."}
            answer = await client.post("/v1/speech", json=asked, headers={"origin": PAGE})
            assert answer.json()["error"]["code"] == "origin_forbidden"
            assert "access-control-allow-origin" not in answer.headers
            assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.socket
class TestConfigured:
    SERVER = config(allowed_origins=(PAGE,))

    @pytest.mark.parametrize("origin", [PAGE, f"{PAGE}:443", PAGE.upper()])
    async def test_pages_that_are_named_may_come(self, origin: str) -> None:
        async with running_server(self.SERVER) as server:
            assert await statuses(server, f"Origin: {origin}") == [200, 101]

    @pytest.mark.parametrize(
        "origin",
        [
            "http://app.example.com",
            f"{PAGE}:444",
            f"{PAGE}.evil.example",
            f"{PAGE}.",
            f"{PAGE}/",
            "https://example.com",
            "https://a.app.example.com",
            "https://evilapp.example.com",
            "https://app-example.com",
            "https://app.example.com@evil.example",
            "https://app.example.com%00.evil.example",
            "https://app.example.com:443:443",
            "https://app.example.com\\.evil.example",
            "https://xn--pp-example-1vb.com",
            "wss://app.example.com",
            "null",
        ],
    )
    async def test_none_that_looks_like_them_may(self, origin: str) -> None:
        async with running_server(self.SERVER) as server:
            assert await statuses(server, f"Origin: {origin}") == [403, 403]

    async def test_they_may_read_answers_and_their_headers(self) -> None:
        async with running_server(self.SERVER) as server, http_client(server) as client:
            asked = {"text": "...", "nonsense": 1}
            for path, body in (("/v1/speech", asked), ("/v1/speech", {}), ("/nowhere", {})):
                answer = await client.post(path, json=body, headers={"origin": PAGE})
                assert answer.headers["access-control-allow-origin"] == PAGE
                assert answer.headers["vary"] == "origin"
                assert "access-control-allow-credentials" not in answer.headers
                exposed = set(answer.headers["access-control-expose-headers"].split(", "))
                ours = {name for name in answer.headers if name.startswith("x-")}
                assert ours - exposed <= {"x-content-type-options", "x-accel-buffering"}
            plain = await client.get("/healthz")
            assert not [name for name in plain.headers if name.startswith("access-control")]

    async def test_their_browsers_may_ask_before(self) -> None:
        asks = {
            "origin": PAGE,
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type",
        }
        async with running_server(self.SERVER) as server, http_client(server) as client:
            answer = await client.options("/v1/speech", headers=asks)
            assert (answer.status_code, answer.content) == (204, b"")
            assert "POST" in answer.headers["access-control-allow-methods"]
            assert "content-type" in answer.headers["access-control-allow-headers"]
            foreign = await client.options("/v1/speech", headers={**asks, "origin": "null"})
            assert foreign.status_code == 403

    async def test_all_may_come_where_all_are_named(self) -> None:
        async with (
            running_server(config(allowed_origins=("*",))) as server,
            http_client(server) as client,
        ):
            assert await statuses(server, "Origin: null") == [200, 101]
            answer = await client.get("/healthz", headers={"origin": PAGE})
            assert answer.headers["access-control-allow-origin"] == "*"
            assert "access-control-allow-credentials" not in answer.headers


async def seen(
    trusted: tuple[str, ...], peer: str, *headers: tuple[bytes, bytes], on_loopback: bool = False
) -> Scope | None:
    """The scope as it reaches the application; None = it was refused."""
    reached: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append(scope)

    async def send(message: object) -> None:
        pass

    async def receive() -> Message:
        return {}

    scope = {"type": "http", "method": "GET", "scheme": "http", "client": (peer, 1)}
    origins = Origins(app, allowed=(), proxies=Proxies(trusted), on_loopback=on_loopback)
    await origins({**scope, "headers": list(headers)}, receive, send)
    return reached[0] if reached else None


class TestProxies:
    @pytest.mark.parametrize(
        ("peer", "forwarded", "client"),
        [
            ("9.9.9.9", "1.1.1.1", "9.9.9.9"),
            ("10.0.0.1", "1.1.1.1", "1.1.1.1"),
            ("::ffff:10.0.0.1", "1.1.1.1", "1.1.1.1"),
            ("10.0.0.1", "6.6.6.6, 1.1.1.1", "1.1.1.1"),
            ("10.0.0.1", "6.6.6.6, 1.1.1.1, 10.0.0.2", "1.1.1.1"),
            ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
            ("10.0.0.1", "1.1.1.1, unknown", "10.0.0.1"),
            ("10.0.0.1", "[2001:db8::1]:443", "2001:db8::1"),
            ("10.0.0.1", "1.1.1.1:80", "1.1.1.1"),
            ("10.0.0.1", "", "10.0.0.1"),
        ],
    )
    async def test_the_rightmost_that_is_not_trusted_is_the_client(
        self, peer: str, forwarded: str, client: str
    ) -> None:
        scope = await seen(("10.0.0.0/8",), peer, (b"x-forwarded-for", forwarded.encode()))
        assert scope is not None
        assert scope["client"][0].removeprefix("::ffff:") == client

    async def test_nobody_is_trusted_by_default(self) -> None:
        spoofed = (b"x-forwarded-for", b"1.1.1.1"), (b"x-forwarded-proto", b"https")
        scope = await seen(Config().server.trusted_proxies, "127.0.0.1", *spoofed)
        assert scope is not None
        assert (scope["client"][0], scope["scheme"]) == ("127.0.0.1", "http")

    @pytest.mark.parametrize("trusted", [True, False])
    async def test_a_page_of_the_host_behind_tls_needs_a_trusted_proxy(self, trusted: bool) -> None:
        scope = await seen(
            ("127.0.0.1",) if trusted else (),
            "127.0.0.1",
            (b"host", b"tts.example.com"),
            (b"origin", b"https://tts.example.com"),
            (b"x-forwarded-proto", b"https"),
            on_loopback=True,
        )
        assert (scope is not None) == trusted

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("TRUSTED_PROXIES", "10.0.0.0/33"),
            ("TRUSTED_PROXIES", "proxy.local"),
            ("ALLOWED_ORIGINS", "example.com"),
            ("ALLOWED_ORIGINS", "https://example.com/path"),
            ("ALLOWED_ORIGINS", "https://*.example.com"),
            ("ALLOWED_ORIGINS", "null"),
        ],
    )
    def test_nonsense_is_refused_at_the_start(self, key: str, value: str) -> None:
        with pytest.raises(ConfigError, match=f"server.{key.lower()}"):
            load_config({f"GATEWAY_SERVER__{key}": f'["{value}"]'})


def test_what_is_exposed_is_in_order() -> None:
    assert ", ".join(sorted(EXPOSED.split(", "))) == EXPOSED
