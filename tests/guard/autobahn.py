"""The WebSocket layer under the Autobahn test suite: `python -m tests.guard.autobahn PYTHON2.7 SITE`.

The suite runs on Python 2.7 only: PYTHON2.7 -m pip install --target SITE autobahntestsuite. Its client wants its messages
back, so an echo stands in for the gateway, on the same protocols. Exits with 1 when a case fails.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import tempfile
from pathlib import Path

import msgspec
import uvicorn
from starlette.types import Receive, Scope, Send

from gateway.core.limits import Limits
from gateway.guard import protocols

CASES = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"]
"""All but the timings of large messages (9) and compression (12, 13), which is off."""
CLIENT = """
import site, sys
site.addsitedir(sys.argv[1])
from autobahntestsuite.wstest import run
sys.argv = ["wstest", "-m", "fuzzingclient", "-s", "spec.json"]
run()
"""


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Send every message back."""
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        kind = "text" if message.get("text") is not None else "bytes"
        await send({"type": "websocket.send", kind: message[kind]})


async def run(python: str, site: str) -> int:
    """How many cases failed."""
    http, websocket = protocols(Limits())
    config = uvicorn.Config(
        echo,
        http=http,
        ws=websocket,
        ws_max_size=Limits().frame_bytes_max,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
    )
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(config)
    with tempfile.TemporaryDirectory() as folder:
        spec = {
            "outdir": "reports",
            "servers": [{"url": f"ws://127.0.0.1:{listener.getsockname()[1]}"}],
            "cases": CASES,
            "exclude-cases": [],
            "exclude-agent-cases": {},
        }
        _write(folder, "spec.json", spec)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve([listener]))
            client = await asyncio.create_subprocess_exec(python, "-c", CLIENT, site, cwd=folder)
            await client.wait()
            server.should_exit = True
        (cases,) = _read(folder, "reports/index.json").values()
    failed = {
        case
        for case, result in cases.items()
        if "FAILED" in str(result["behavior"]) or result["behaviorClose"] == "WRONG CODE"
    }
    sys.stdout.write(f"{len(cases)} cases, failed: {sorted(failed)}\n")
    return len(failed)


def _write(folder: str, name: str, content: object) -> None:
    Path(folder, name).write_bytes(msgspec.json.encode(content))


def _read(folder: str, name: str) -> dict[str, dict[str, dict[str, object]]]:
    content = Path(folder, name).read_bytes()
    return msgspec.json.decode(content, type=dict[str, dict[str, dict[str, object]]])


if __name__ == "__main__":
    sys.exit(bool(asyncio.run(run(*sys.argv[1:]))))
