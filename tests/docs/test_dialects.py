"""The examples of docs/dialects work: requests by curl, and programs in Python and Node, which say what they saved."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.test_examples import ADDRESS, Example, Request, assert_worth_having, name
from tests.docs.test_programs import NODE, node_environment
from tests.support.checkout import ROOT
from tests.support.documents import blocks
from tests.support.server import espeak_config, running_server

PLAYED_ELSEWHERE = {"yourvoic.md": "tests/dialects/yourvoic/test_samples.py"}
"""Documents whose examples play what they get, by the tests that listen to them."""
DOCUMENTS = [
    document
    for document in sorted((ROOT / "docs" / "dialects").glob("*.md"))
    if document.name not in PLAYED_ELSEWHERE
]
ALL = [Example(document, block) for document in DOCUMENTS for block in blocks(document)]
PROGRAM = re.compile(r"(?:#|//) (\w+\.(?:py|mjs))")
NEEDS = re.compile(r"with `pip install (\w+)`")
SAVES = re.compile(r'"([\w.]+\.(?:wav|mp3|ogg))"')

pytestmark = pytest.mark.socket


@pytest.mark.parametrize(
    "example", [each for each in ALL if each.block.text.startswith("curl ")], ids=name
)
async def test_requests_answer(example: Example, tmp_path: Path) -> None:
    async with running_server(espeak_config()) as server:
        command = example.at(server)
        request = Request.of(command)
        if shutil.which("curl") is None:
            assert_worth_having(request.output, await asyncio.to_thread(request.send))
            pytest.skip("sent by http.client only: there is no curl")
        quiet = command.replace("curl ", "curl -sSf --noproxy '*' ")
        printed = await _run("sh", "-ec", quiet, folder=tmp_path)
        file = None if request.output is None else tmp_path / request.output
        assert_worth_having(request.output, printed if file is None else file.read_bytes())


@pytest.mark.parametrize(
    "example", [each for each in ALL if PROGRAM.match(each.block.text)], ids=name
)
async def test_programs_run(example: Example, tmp_path: Path) -> None:
    match = PROGRAM.match(example.block.text)
    assert match is not None
    needs = NEEDS.search(example.block.text.splitlines()[0])
    if needs is not None and find_spec(needs[1]) is None:
        pytest.skip(f"no {needs[1]} here, which needs an environment of its own")
    command = [sys.executable, "-W", "error"]
    if match[1].endswith(".mjs"):
        if NODE is None:
            pytest.skip("no Node here: apt-get install nodejs")
        command = [NODE]
    async with running_server(espeak_config()) as server:
        text = ADDRESS.sub(f"127.0.0.1:{server.port}", example.block.text)
        (tmp_path / match[1]).write_text(text, encoding="utf-8")
        printed = await _run(*command, match[1], folder=tmp_path)
    assert printed.startswith(b"saved audio/")
    for file in SAVES.findall(text):
        got = (tmp_path / file).read_bytes()
        if file.endswith(".wav"):
            # A stream, whose length its header cannot know.
            assert got[:8] == b"RIFF\xff\xff\xff\xff"
            assert len(got) > 1_000
        else:
            assert_worth_having(file, got)


ELSEWHERE = {"yourvoic.md"}
"""Documents whose programs play what they hear; dialects/yourvoic/test_samples.py runs these."""


def test_every_block_is_tried() -> None:
    tried = [
        each
        for each in ALL
        if PROGRAM.match(each.block.text) or each.block.text.startswith("curl ")
    ]
    here = [each for each in ALL if each.document.name not in ELSEWHERE]
    assert [each for each in here if each.block.info in {"sh", "js", "python"}] == tried
    for document, test in PLAYED_ELSEWHERE.items():
        assert f'"{document}"' in (ROOT / test).read_text(encoding="utf-8")


async def _run(*command: str, folder: Path) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=node_environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0, printed.decode()
    return printed
