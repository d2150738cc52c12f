"""The programs of docs/examples.md run and print what they should: Python, Node, and Chromium where no Node is needed."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from functools import cache, partial
from pathlib import Path
from subprocess import run

import pytest
from playwright.async_api import ConsoleMessage

from tests.docs.test_examples import ADDRESS, assert_worth_having
from tests.support.browser import chromium, needs_chromium
from tests.support.checkout import ROOT
from tests.support.documents import blocks
from tests.support.server import espeak_config, running_server

DOCUMENT = ROOT / "docs" / "examples.md"
PROGRAMS = {
    match[1]: block.text
    for block in blocks(DOCUMENT)
    if (match := re.match(r"(?:#|//) (\w+\.(?:py|mjs))", block.text))
}
WORDS = ["Every", "word", "has", "its", "place."]
NODE = shutil.which("node") or shutil.which("nodejs")
DEBIAN_MODULES = "/usr/share/nodejs"
"""Where Debian's node-ws is, for a Node without a WebSocket of its own."""


def assert_printed(name: str, printed: str, where: Path) -> None:
    """It did what its section says."""
    match name.partition(".")[0]:
        case "save":
            assert printed == "saved audio/mpeg\n"
            assert_worth_having("hello.mp3", (where / "hello.mp3").read_bytes())
        case "words":
            told = re.findall(r"^([0-9.]+) s (.*)$", printed, re.MULTILINE)
            assert " ".join(word for _, word in told) == " ".join(WORDS)
            assert [float(at) for at, _ in told] == sorted(float(at) for at, _ in told)
            assert printed.endswith("whole\n")
        case "agent":
            heard, unheard = re.findall("heard: (.*)", printed)
            assert f"{heard}{unheard}" == "The flight leaves at nine, so there is time for dinner."
            assert heard.startswith("The flight")
        case other:
            raise AssertionError(f"nobody knows what {other} should print")


@cache
def websocket_options() -> tuple[str, ...] | None:
    """What makes this Node have a WebSocket; None = nothing does."""
    assert NODE is not None
    here = "process.exit(typeof WebSocket === 'function' ? 0 : 1)"
    shim = ROOT / "tests" / "docs" / "websocket.cjs"
    for options in ((), ("--experimental-websocket",), ("--require", str(shim))):
        command = [NODE, *options, "-e", here]
        tried = run(command, check=False, env=node_environment(), capture_output=True)
        if tried.returncode == 0:
            return options
    return None


def node_environment() -> dict[str, str]:
    return {**os.environ, "NODE_PATH": DEBIAN_MODULES, "NODE_NO_WARNINGS": "1"}


def test_every_program_has_its_name() -> None:
    assert len(PROGRAMS) == sum(block.info in {"js", "python"} for block in blocks(DOCUMENT)) == 5


@pytest.mark.socket
@pytest.mark.parametrize("name", PROGRAMS)
async def test_programs_run(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error"]
    if name.endswith(".mjs"):
        if NODE is None:
            pytest.skip("no Node here: apt-get install nodejs")
        options = websocket_options() if "WebSocket" in PROGRAMS[name] else ()
        if options is None:
            pytest.skip("this Node has no WebSocket: apt-get install node-ws")
        command = [NODE, *options]
    async with running_server(espeak_config()) as server:
        text = ADDRESS.sub(f"127.0.0.1:{server.port}", PROGRAMS[name])
        (tmp_path / name).write_text(text, encoding="utf-8")
        program = await asyncio.create_subprocess_exec(
            *command,
            name,
            cwd=tmp_path,
            env=node_environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed, _ = await program.communicate()
        assert program.returncode == 0, printed.decode()
        assert_printed(name, printed.decode(), tmp_path)


def _note(printed: list[str], message: ConsoleMessage) -> None:
    printed.append(message.text)


@needs_chromium
@pytest.mark.browser
@pytest.mark.socket
@pytest.mark.timeout(60)
async def test_those_for_browsers_run_in_one(tmp_path: Path) -> None:
    """As a script of the gateway's own origin."""
    names = [name for name, text in PROGRAMS.items() if "browsers" in text.splitlines()[0]]
    assert len(names) == 2
    async with running_server(espeak_config()) as server, chromium(tmp_path) as browser:
        page = await browser.new_page()
        await page.goto(f"{server.base_url}/healthz")
        for name in names:
            printed: list[str] = []
            page.on("console", partial(_note, printed))
            text = ADDRESS.sub(f"127.0.0.1:{server.port}", PROGRAMS[name])
            await page.evaluate(f"async () => {{ {text} }}")
            assert_printed(name, "\n".join([*printed, ""]), tmp_path)
