"""What each codec costs: CPU time per second of audio, beside PyAV as it comes.

`python -m gateway.encoding` encodes the same speech by each encoder and by PyAV with default options, in pieces of
200 ms, resampled beforehand. The two take turns, so that their ratio means something on a machine that is not quiet.
"""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing

import av
import click
import msgspec
from av.audio.stream import AudioStream

from gateway.app import open_house
from gateway.audio.frames import SAMPLE_BYTES, pcm_frame
from gateway.audio.pcm import Resampler
from gateway.audio.registry import new_encoder
from gateway.config import RATES, Config
from gateway.core.formats import judge_format
from gateway.core.params import HTTP_DEFAULTS, Format, Parameters
from gateway.core.resolve import resolve
from gateway.core.synthesis import Produced, Synthesize, VoiceSettings
from gateway.core.vocabulary import Codec

PIECE_MS = 200
SENTENCES = (
    "The flight leaves at nine, so there is time for dinner, if you like, and for a walk along the harbour.",
    "What was said about the weather was wrong: it rained all day, and nobody had thought of umbrellas!",
    "Would you mind if we took the earlier train, which is slower, but stops near the old market hall?",
    "Then let me read the list again, slowly, with all seven names on it and the times that go with them.",
)
BARE = {
    Codec.PCM_S16LE: ("s16le", "pcm_s16le"),
    Codec.WAV: ("wav", "pcm_s16le"),
    Codec.MULAW: ("mulaw", "pcm_mulaw"),
    Codec.ALAW: ("alaw", "pcm_alaw"),
    Codec.MP3: ("mp3", "libmp3lame"),
    Codec.OPUS: ("ogg", "libopus"),
    Codec.AAC: ("adts", "aac"),
    Codec.FLAC: ("flac", "flac"),
}
"""FFmpeg's names of a codec's container and coder."""


class Cost(msgspec.Struct, frozen=True):
    """What one codec costs: CPU ms per second of audio by the gateway's encoder and by PyAV as it comes, and kbit/s."""

    format: Format
    ours_ms: float
    bare_ms: float
    kbit_s: float


def measure(codec: Codec, pcm: bytes, engine_rate: int, *, rounds: int) -> Cost:
    """The least of some rounds each. `pcm` is mono s16le at `engine_rate` Hz."""
    format = judge_format(codec, None, None, None, engine_rate=engine_rate, sample_rates=RATES)
    resampler = Resampler(engine_rate, format.sample_rate)
    pcm = resampler.convert(pcm) + resampler.drain()
    seconds = len(pcm) / SAMPLE_BYTES / format.sample_rate
    pairs = [(_timed(_ours, format, pcm), _timed(_bare, format, pcm)) for _ in range(rounds)]
    return Cost(
        format,
        ours_ms=min(ours for (ours, _), _ in pairs) / seconds,
        bare_ms=min(bare for _, (bare, _) in pairs) / seconds,
        kbit_s=pairs[0][0][1] * 8 / seconds / 1_000,
    )


async def speech() -> tuple[bytes, int]:
    """Some sentences by the default voice, and their rate in Hz."""
    async with open_house(Config()) as house:
        settings = resolve(Parameters(), house.catalog, HTTP_DEFAULTS)
        voice = VoiceSettings(settings.voice, settings.language)
        parts: list[bytes] = []
        for number, text in enumerate(SENTENCES):
            order = Synthesize(segment=number, text=text, voice=voice, pause_after=True)
            async with aclosing(house.engines[settings.engine].synthesize(order)) as reports:
                parts += [report.pcm async for report in reports if isinstance(report, Produced)]
        return b"".join(parts), settings.engine_rate


def _timed(encode: Callable[[Format, bytes], int], format: Format, pcm: bytes) -> tuple[float, int]:
    """CPU ms, and the bytes that came."""
    begun = time.process_time()
    size = encode(format, pcm)
    return (time.process_time() - begun) * 1_000, size


def _ours(format: Format, pcm: bytes) -> int:
    encoder = new_encoder(format)
    return sum(len(encoder.encode(piece)) for piece in _pieces(format, pcm)) + len(encoder.finish())


def _bare(format: Format, pcm: bytes) -> int:
    container_name, coder = BARE[format.codec]
    file = io.BytesIO()
    with av.open(file, "w", format=container_name) as container:
        stream = container.add_stream(coder, rate=format.sample_rate)
        assert isinstance(stream, AudioStream)
        stream.layout = "mono"
        if format.bitrate:
            stream.bit_rate = format.bitrate
        at = 0
        for piece in _pieces(format, pcm):
            frame = pcm_frame(piece, format.sample_rate)
            frame.pts = at
            at += frame.samples
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return len(file.getvalue())


def _pieces(format: Format, pcm: bytes) -> Iterator[bytes]:
    size = format.sample_rate * PIECE_MS // 1_000 * SAMPLE_BYTES
    return (pcm[at : at + size] for at in range(0, len(pcm), size))


@click.command()
@click.option("--rounds", type=click.IntRange(1, 100), default=7, show_default=True)
def main(rounds: int) -> None:
    """Print what each codec costs."""
    pcm, engine_rate = asyncio.run(speech())
    click.echo("| codec | Hz | kbit/s | ms CPU per s of audio | PyAV as it comes | ratio |")
    click.echo("|---|---|---|---|---|---|")
    for codec in Codec:
        cost = measure(codec, pcm, engine_rate, rounds=rounds)
        click.echo(
            f"| `{codec}` | {cost.format.sample_rate} | {cost.kbit_s:.0f} | {cost.ours_ms:.2f} |"
            f" {cost.bare_ms:.2f} | {cost.ours_ms / cost.bare_ms:.2f} |"
        )


if __name__ == "__main__":
    main()
