"""The servers, as processes, and the ways to ask them."""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from gateway.bench.instruments.http import HttpClient
from gateway.bench.instruments.timeline import Codec, Form, Wire
from gateway.bench.instruments.utterance import Client, Utterance, whole
from gateway.bench.instruments.websocket import WebSocketClient
from gateway.bench.peers.festival import FORM as FESTIVAL_FORM, FestivalClient, running_festival
from gateway.bench.subjects import (
    EVERYBODY,
    START_S_MAX,
    Layout,
    SubjectFailed,
    running_gateway,
    running_process,
)

PROGRAMS = ("espeak-ng", "ffmpeg")
EVENING = "evening server"
RATE = 22_050
"""Hz: espeak-ng's own."""
MP3_BITRATE = 64_000
LOOK_S = 0.02
_ADDRESS = re.compile(r"running on http://127\.0\.0\.1:(\d+)")


def forms(wire: Wire) -> dict[str, Form]:
    """By codec, what our own servers are asked for. A WebSocket has no use for WAV's header: the same samples without."""
    samples = Codec.WAV if wire is Wire.HTTP else Codec.PCM_S16LE
    return {"wav": Form(samples, RATE), "mp3": Form(Codec.MP3, RATE, MP3_BITRATE)}


@dataclass(frozen=True, slots=True)
class Way:
    """One way to ask for speech, in the forms that it has by codec. `client` makes a client of its own."""

    name: str
    about: str
    forms: Mapping[str, Form]
    client: Callable[[], Client]

    def utterance(self, text: str, codec: str) -> Utterance:
        """An English text, as fast as it can be."""
        return whole(text, self.forms[codec], language="en", lead_ms=None)


def evening_body(utterance: Utterance, *, is_whole: bool) -> bytes:
    """What the evening server is asked with."""
    return msgspec.json.encode(
        {"text": utterance.text, "format": utterance.form.codec, "whole": is_whole}
    )


@contextmanager
def running_evening(layout: Layout) -> Iterator[tuple[str, int]]:
    """The evening server: its URL and process id. Ended with the block. Raises SubjectFailed."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        raise SubjectFailed(
            f"{' and '.join(missing)} not found, which the evening server calls: apt-get install {' '.join(missing)}"
        )
    command = [sys.executable, "-m", "uvicorn", "gateway.bench.peers.evening:app", "--port", "0"]
    with running_process(layout, [*command, "--no-access-log"]) as (process, log):
        give_up = time.monotonic() + START_S_MAX
        while not (found := _ADDRESS.search(log.read_text(errors="replace"))):
            if process.poll() is not None or time.monotonic() > give_up:
                raise SubjectFailed(f"the evening server does not start: {_last_words(log)}")
            time.sleep(LOOK_S)
        yield f"http://127.0.0.1:{found[1]}/speech", process.pid


def _last_words(log: Path) -> str:
    return " ".join(log.read_text(errors="replace").split())[-300:]


@contextmanager
def running_all(layout: Layout) -> Iterator[tuple[list[Way], list[int]]]:
    """All servers, ended with the block: the ways to ask them, the first to compare with, and their process ids.

    Festival is among them where it is installed.
    """
    with (
        running_evening(layout) as (url, evening_pid),
        running_gateway(layout, EVERYBODY) as gateway,  # As the others do.
        running_festival(layout) as festival,
    ):
        address = f"{gateway.host}:{gateway.port}/v1/speech"
        ways = [*_evening_ways(url), *_gateway_ways(address)]
        pids = [evening_pid, gateway.pid]
        if festival is not None:
            port, pid = festival
            ways.append(
                Way(
                    "Festival",
                    "Debian's `festival --server`, voice kal_diphone, 16 kHz, a file for each sentence; another engine.",
                    {"wav": FESTIVAL_FORM},
                    lambda: FestivalClient(port),
                )
            )
            pids.append(pid)
        yield ways, pids


def _evening_ways(url: str) -> list[Way]:
    def client(*, is_whole: bool) -> Client:
        return HttpClient(url, make_body=partial(evening_body, is_whole=is_whole))

    return [
        Way(
            EVENING,
            "Starlette, espeak-ng and ffmpeg as programs, their output streamed; ours.",
            forms(Wire.HTTP),
            partial(client, is_whole=False),
        ),
        Way(
            f"{EVENING}, whole files",
            "The same, answering when all is there, as servers without streaming do.",
            forms(Wire.HTTP),
            partial(client, is_whole=True),
        ),
    ]


def _gateway_ways(address: str) -> list[Way]:
    return [
        Way(
            "gateway, HTTP",
            "With its defaults; kept connections.",
            forms(Wire.HTTP),
            lambda: HttpClient(f"http://{address}"),
        ),
        Way(
            "gateway, WebSocket",
            "With its defaults; kept connections, one context for each text, PCM instead of WAV.",
            forms(Wire.WEBSOCKET),
            lambda: WebSocketClient(f"ws://{address}"),
        ),
    ]
