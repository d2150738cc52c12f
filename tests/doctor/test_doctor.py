"""`gateway doctor` as a whole: what it sees of ports, engines and running gateways, and what it never says."""

from __future__ import annotations

import asyncio
import http
import socket
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import espeakng_loader
import msgspec
import pytest
from click.testing import CliRunner
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from gateway import __version__
from gateway.audio import registry
from gateway.audio.encoder import Encoder
from gateway.audio.raw import PcmEncoder
from gateway.cli import main
from gateway.config import Config
from gateway.core.errors import EngineFailed
from gateway.core.params import Format
from gateway.core.vocabulary import Codec
from gateway.doctor import speech
from gateway.doctor.finding import Finding, Report, Status, fail, ok, report, warn
from gateway.doctor.port import check_port
from gateway.doctor.target import check_target
from gateway.engines.tone import ToneEngine
from gateway.server import listen
from tests.support.server import RunningServer, running_server, speech_socket, tone_config

pytestmark = pytest.mark.socket
TONE = {"GATEWAY_MODELS__TONE__ENGINE": "tone", "GATEWAY_DEFAULT_MODEL": "tone"}
CANARY = "canary-secret"


def doctor(*words: str, **environment: str) -> tuple[int, str]:
    """Exit code and output."""
    done = CliRunner().invoke(main, ["doctor", "--port", "0", *words], env={**TONE, **environment})
    return done.exit_code, done.output


def judged(*words: str, **environment: str) -> tuple[int, Report]:
    code, output = doctor("--json", *words, **environment)
    return code, msgspec.json.decode(output, type=Report)


def of(found: Report | Sequence[Finding], check: str) -> list[Finding]:
    findings = found.findings if isinstance(found, Report) else found
    return [finding for finding in findings if finding.check == check]


def test_the_worst_decides() -> None:
    good, fair, bad = ok("a", "b"), warn("a", "b", "c"), fail("a", "b", "c")
    assert report([]).status is Status.OK
    assert report([good, fair, good]).status is Status.WARN
    assert report([good, bad, fair]).status is Status.FAIL


def test_a_machine_that_serves_is_well() -> None:
    code, found = judged()
    assert (code, [each for each in found.findings if each.status is Status.FAIL]) == (0, [])
    checks = {finding.check for finding in found.findings}
    assert checks >= {"config", "port", "exposure", "files", "cores", "memory", "clock"}
    (codecs,) = of(found, "codecs")
    assert all(str(codec) in codecs.saw for codec in Codec)
    (speaks,) = of(found, "speech")
    assert speaks.saw.startswith("tone: first audio after ")


@pytest.mark.slow
def test_with_espeak_its_version_and_voices_are_told() -> None:
    _, found = judged(GATEWAY_MODELS__ESPEAK__ENGINE="espeak")
    (library,) = of(found, "espeak")
    assert library.saw.startswith("espeak-ng 1.")
    assert any("espeak: " in voices.saw for voices in of(found, "voices"))
    speaks = of(found, "speech")
    assert [finding.saw.partition(":")[0] for finding in speaks] == ["tone", "espeak"]
    assert {finding.status for finding in speaks} <= {Status.OK, Status.WARN}


@pytest.mark.slow
@pytest.mark.parametrize("content", [None, b"no library"], ids=["missing", "broken"])
def test_without_its_library_espeak_is_not_even_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
) -> None:
    library = tmp_path / "libespeak-ng.so"
    if content is not None:
        library.write_bytes(content)
    monkeypatch.setattr(espeakng_loader, "get_library_path", lambda: str(library))
    code, found = judged(GATEWAY_MODELS__ESPEAK__ENGINE="espeak")
    assert code == 1
    (finding,) = of(found, "espeak")
    assert finding.status is Status.FAIL
    assert ".venv" in finding.advice
    assert of(found, "speech") == []


def test_words_have_a_line_each_and_say_what_to_do() -> None:
    code, output = doctor(GATEWAY_SERVER__HOST="0.0.0.0", GATEWAY_SERVER__INSECURE="true")
    lines = output.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("warn  exposure"))
    assert lines[at + 1].strip().startswith("-> listen on 127.0.0.1")
    assert lines[-1].startswith("warn: ")
    assert code == 0, "a warning is no failure"


def test_with_a_broken_configuration_the_rest_is_still_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text("[server]\nprot = 1\n", encoding="utf-8")
    code, found = judged("--config", str(file), GATEWAY_MODELS='{"tone": {"engine": "tone"}}')
    assert (code, found.status) == (1, Status.FAIL)
    (config,) = of(found, "config")
    assert "server.prot" in config.saw
    assert of(found, "codecs")
    assert of(found, "espeak"), "judged by the defaults"


def at(port: int, host: str = "127.0.0.1") -> Config:
    config = tone_config()
    server = msgspec.structs.replace(config.server, host=host, port=port)
    return msgspec.structs.replace(config, server=server)


async def test_a_port_with_a_gateway_on_it() -> None:
    async with running_server() as server:
        for host in ("127.0.0.1", "0.0.0.0"):
            found = await asyncio.to_thread(check_port, at(server.port, host))
            assert found.status is Status.OK
            assert f"a gateway, version {__version__}" in found.saw


async def test_a_port_with_something_else_on_it() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-other\r\n")
        writer.close()

    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nServer: other/1.0\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    for answer, name in ((hang_up, "does not speak HTTP"), (web, "other/1.0")):
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as other:
            port = other.sockets[0].getsockname()[1]
            found = await asyncio.to_thread(check_port, at(port))
        assert found.status is Status.FAIL
        assert name in found.saw
        assert str(port) in found.advice


def test_an_address_of_another_machine() -> None:
    found = check_port(at(0, "192.0.2.1"))
    assert found.status is Status.FAIL
    assert "server.host" in found.advice


def test_a_free_port_stays_free() -> None:
    with closing(listen(at(0))) as taken:
        port = taken.getsockname()[1]
    assert check_port(at(port)).status is Status.OK
    listen(at(port)).close()


class _Deaf(PcmEncoder):
    """An encoder whose output never comes."""

    def encode(self, pcm: bytes) -> bytes:
        return b""


def test_a_codec_that_gives_nothing_or_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    def new_encoder(format: Format) -> Encoder:
        if format.codec is Codec.MP3:
            raise OSError(CANARY)
        deaf = format.codec is Codec.OPUS
        return _Deaf(format.sample_rate) if deaf else registry.new_encoder(format)

    monkeypatch.setattr(speech, "new_encoder", new_encoder)
    *bad, good = speech.check_codecs()
    assert [finding.status for finding in bad] == [Status.FAIL, Status.FAIL]
    assert bad[0].saw == "mp3: OSError"
    assert "opus" in bad[1].saw
    assert "flac" in good.saw
    assert "mp3" not in good.saw


async def test_an_engine_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(_: ToneEngine) -> None:
        raise EngineFailed("the engine's worker processes do not start")

    monkeypatch.setattr(ToneEngine, "start", refuse)
    found = await speech.check_speech(tone_config())
    assert [finding.status for finding in found] == [Status.FAIL]
    assert "do not start" in found[0].saw


async def seen(url: str) -> dict[str, Finding]:
    found = await asyncio.to_thread(lambda: list(check_target(url)))
    return {finding.check: finding for finding in found}


async def test_a_running_gateway_is_well() -> None:
    async with running_server() as server:
        found = await seen(server.base_url + "/")
        assert {name: each.status for name, each in found.items()} == {
            "target": Status.OK,
            "ready": Status.OK,
            "websocket": Status.OK,
        }


async def test_what_is_secret_in_an_address_is_neither_sent_nor_shown() -> None:
    async with running_server() as server:
        url = f"http://{CANARY}:{CANARY}@127.0.0.1:{server.port}?token={CANARY}"
        found = await seen(url)
        assert found["websocket"].status is Status.OK
        code, output = await asyncio.to_thread(doctor, "--target", url)
    assert code == 0
    assert CANARY not in output
    assert CANARY not in str(found)


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://host", "http://", "http://[", CANARY])
async def test_what_is_no_address(url: str) -> None:
    found = await seen(url)
    assert [each.status for each in found.values()] == [Status.FAIL]
    assert CANARY not in str(found)


async def test_nobody_there() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        found = await seen(f"http://127.0.0.1:{bound.getsockname()[1]}")
    assert [each.status for each in found.values()] == [Status.FAIL]
    assert "refused" in found["target"].saw


async def test_a_gateway_that_goes_away() -> None:
    async with running_server() as server:
        server.house.admission.drain.begin(10)
        found = await seen(server.base_url)
    assert found["target"].status is Status.OK
    assert (found["ready"].status, "draining" in found["ready"].saw) == (Status.FAIL, True)
    assert "draining" in found["websocket"].saw


async def occupied(server: RunningServer) -> dict[str, Finding]:
    async with speech_socket(server) as socket:
        await socket.receive_until("ready")
        return await seen(server.base_url)


async def test_a_gateway_that_is_full() -> None:
    async with running_server(tone_config(connections_max=1)) as server:
        found = await occupied(server)
    assert found["ready"].status is Status.OK
    assert found["websocket"].status is Status.FAIL
    assert "overloaded" in found["websocket"].saw


async def test_a_proxy_that_loses_things_on_the_way() -> None:
    """What answers is as a gateway is, but for what such proxies do."""
    bodies = {
        "/healthz": msgspec.json.encode({"status": "alive", "version": "0.0.0"}),
        "/readyz": b"<html>Bad gateway</html>",
    }

    def answer(connection: ServerConnection, request: Request) -> Response | None:
        if request.path not in bodies:
            return connection.respond(http.HTTPStatus.BAD_GATEWAY, "") if refuses else None
        response = connection.respond(http.HTTPStatus.OK, bodies[request.path].decode())
        response.headers["Date"] = "Sat, 01 Jan 2000 00:00:00 GMT"
        if request.path == "/readyz":
            response.status_code = 502
        return response

    async def talk(connection: ServerConnection) -> None:
        await connection.send("{}")

    for refuses in (False, True):
        async with serve(talk, "127.0.0.1", 0, process_request=answer) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            found = await seen(f"http://127.0.0.1:{port}")
        assert found["target"].status is Status.WARN, "another version"
        assert "0.0.0" in found["target"].saw
        assert found["ready"].status is Status.FAIL
        assert "not as a gateway" in found["ready"].saw
        assert found["websocket"].status is Status.FAIL
        assert ("502" if refuses else "subprotocol") in found["websocket"].saw


async def test_something_else_altogether() -> None:
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nHi.\n")
        writer.close()

    async with await asyncio.start_server(web, "127.0.0.1", 0) as other:
        found = await seen(f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}")
    assert found["target"].status is Status.FAIL
    assert "not as a gateway does" in found["target"].saw
