"""The measurements, one function for each kind of figure."""

from __future__ import annotations

import asyncio

from gateway.bench.kept import KeptConnection
from gateway.bench.latency import Latency, latency, ratio
from gateway.bench.load import Window, closed_loops, probing
from gateway.bench.plan import CODECS, LONG, MEDIUM, SHORT, TEXTS, Plan
from gateway.bench.proc import children, memory_of
from gateway.bench.results import Cost, FirstByte, Lag, MemoryUse, Throughput, Vanished
from gateway.bench.streams import ENGINE_RATE, WARM, Count, Stream, Way
from gateway.bench.subjects import Gateway, Layout, run_bare

BARE = "bare engine"
CONTEXTED_CONNECTIONS = 10
LEAD_MS = 4_000
SPEAKING_S = 1.0
"""How long contexts have spoken when their memory is read: their lead is out and the engine is ahead."""


async def first_bytes(
    gateway: Gateway, layout: Layout, plan: Plan, codec: str, text: str
) -> list[FirstByte]:
    """The three ways in turn, so that whatever else the machine does meets all of them alike."""
    bare, _ = await run_bare(
        layout,
        TEXTS[text],
        model=plan.model,
        codec=codec,
        streams=1,
        ramp_s=plan.ramp_s_min,
        window_s=plan.window_s,
    )
    streams = {way: Stream(gateway, way, plan.model, codec) for way in Way}
    for stream in streams.values():
        await stream.open()
    for _ in range(plan.first_bytes_n):
        for stream in streams.values():
            await stream.speak(TEXTS[text])
    for stream in streams.values():
        stream.vanish()
    base = latency(bare.first_ms)
    return [FirstByte(codec, text, BARE, base, None)] + [
        FirstByte(codec, text, way, found, ratio(found.p50_ms, base.p50_ms))
        for way, stream in streams.items()
        for found in (_first_ms(stream.count()),)
    ]


async def throughput(
    gateway: Gateway, layout: Layout, plan: Plan, codec: str, streams: int
) -> list[Throughput]:
    """The bare engine, then each way, with the medium text."""
    output, cpu = await run_bare(
        layout,
        MEDIUM,
        model=plan.model,
        codec=codec,
        streams=streams,
        ramp_s=max(plan.ramp_s_min, streams / 60),
        window_s=plan.window_s,
    )
    bare_rate = output.audio_s / output.seconds
    spent_s = cpu.loop_s + cpu.threads_s + cpu.workers_s
    bare_cpu_ms = 1_000 * spent_s / max(output.audio_s, 1e-9)
    rows = [
        Throughput(
            codec=codec,
            streams=streams,
            way=BARE,
            audio_s_per_s=bare_rate,
            share=None,
            cpu_ms=bare_cpu_ms,
            cpu_ratio=None,
            loop_cores=cpu.loop_s / output.seconds,
            encode_cores=cpu.threads_s / output.seconds,
            worker_cores=cpu.workers_s / output.seconds,
            harness_cores=0.0,
            foreign_cores=max(0.0, cpu.machine_s - spent_s) / output.seconds,
            first=latency(output.first_ms),
        )
    ]
    for way in WARM:
        audio_s_per_byte = await _audio_s_per_byte(gateway, plan.model, codec, way)
        window = await _window(gateway, plan.model, codec, way, MEDIUM, streams, plan)
        rows.append(
            _throughput(codec, streams, way, window, audio_s_per_byte, bare_rate, bare_cpu_ms)
        )
    return rows


def _throughput(
    codec: str,
    streams: int,
    way: Way,
    window: Window,
    audio_s_per_byte: float,
    bare_rate: float,
    bare_cpu_ms: float,
) -> Throughput:
    audio_s = window.bytes * audio_s_per_byte
    cpu, seconds = window.cpu, window.seconds
    cpu_ms = 1_000 * (cpu.loop_s + cpu.threads_s + cpu.workers_s) / max(audio_s, 1e-9)
    return Throughput(
        codec=codec,
        streams=streams,
        way=way,
        audio_s_per_s=audio_s / seconds,
        share=ratio(audio_s / seconds, bare_rate),
        cpu_ms=cpu_ms,
        cpu_ratio=ratio(cpu_ms, bare_cpu_ms),
        loop_cores=cpu.loop_s / seconds,
        encode_cores=cpu.threads_s / seconds,
        worker_cores=cpu.workers_s / seconds,
        harness_cores=window.harness_s / seconds,
        foreign_cores=window.foreign_cores,
        first=window.first,
    )


async def _window(
    gateway: Gateway,
    model: str,
    codec: str,
    way: Way,
    text: str,
    streams: int,
    plan: Plan,
    window_s: float | None = None,
) -> Window:
    return await closed_loops(
        gateway,
        [Stream(gateway, way, model, codec) for _ in range(streams)],
        text,
        ramp_s_min=plan.ramp_s_min,
        window_s=plan.window_s if window_s is None else window_s,
    )


async def _audio_s_per_byte(gateway: Gateway, model: str, codec: str, way: Way) -> float:
    """Seconds of audio per byte of the medium text in a codec, by the length of its PCM at the engine's rate."""
    sizes: dict[str, int] = {}
    for each in ("pcm_s16le", codec):
        sizes[each] = (await _utterances(gateway, model, each, way, MEDIUM, 1)).bytes
    return sizes["pcm_s16le"] / (2 * ENGINE_RATE) / sizes[codec]


async def _utterances(
    gateway: Gateway, model: str, codec: str, way: Way, text: str, count: int
) -> Count:
    stream = Stream(gateway, way, model, codec)
    await stream.open()
    for _ in range(count):
        await stream.speak(text)
    stream.vanish()
    return stream.count()


async def cost(gateway: Gateway, layout: Layout, plan: Plan, model: str, way: Way) -> Cost:
    """The loop's CPU time of short and of long utterances: two equations for the price of each and of each frame."""
    streams = 2 * len(layout.subject)
    short, long = [
        await _window(
            gateway, model, "pcm_s16le", way, text, streams, plan, window_s=plan.cost_window_s
        )
        for text in (SHORT, LONG)
    ]
    # Utterances by their bytes, which are always the same; how many frames carry them depends on the load.
    alone = [
        (await _utterances(gateway, model, "pcm_s16le", way, text, 1)).bytes
        for text in (SHORT, LONG)
    ]
    counts = [
        max(window.bytes, 1) / bytes_ for window, bytes_ in zip((short, long), alone, strict=True)
    ]
    us_short, us_long = 1e6 * short.cpu.loop_s / counts[0], 1e6 * long.cpu.loop_s / counts[1]
    frames_short, frames_long = short.frames / counts[0], long.frames / counts[1]
    frame_us = (us_long - us_short) / (frames_long - frames_short)
    return Cost(
        model,
        way,
        us_short - frames_short * frame_us,
        frame_us,
        short.utterances / short.seconds,
    )


async def lag(gateway: Gateway, plan: Plan, codec: str, streams: int) -> Lag:
    """Beside streams over WebSocket, the way with the most messages."""
    async with probing(gateway) as probe:
        await _window(
            gateway, plan.model, codec, Way.WEBSOCKET_WARM, MEDIUM, streams, plan, plan.lag_window_s
        )
    return Lag(codec, streams, latency(probe.answers_ms), latency(probe.harness_ms))


async def memory(gateway: Gateway, plan: Plan) -> MemoryUse:
    """Of a gateway that nobody else has used. Raises Refused when it refuses a session."""
    for way in WARM:
        for codec in CODECS:
            await _utterances(gateway, plan.model, codec, way, SHORT, 3)

    def grown(since: int, by: int) -> float:
        return (memory_of(gateway.pid).pss - since) / by / 1_024

    def rest() -> int:
        return memory_of(gateway.pid).pss

    sockets = [KeptConnection(gateway, plan.model, LEAD_MS) for _ in range(plan.sessions)]
    before = rest()
    for socket in sockets:
        await socket.open()
    connection_kb = grown(before, len(sockets))
    for socket in sockets:
        await socket.speak_in("first", SHORT)
    session_kb = grown(before, len(sockets))
    crowded, before = sockets[:CONTEXTED_CONNECTIONS], rest()
    for socket in crowded:
        for number in range(plan.contexts):
            await socket.speak_in(f"further-{number}", SHORT)
    context_kb = grown(before, len(crowded) * plan.contexts)
    for socket in sockets:
        socket.vanish()
    speaking = {codec: await _speaking_kb(gateway, plan, codec) for codec in CODECS}
    workers = [
        memory_of(pid) for nursery in children(gateway.pid) for pid in (nursery, *children(nursery))
    ]
    return MemoryUse(
        idle_connection_kb=connection_kb,
        idle_session_kb=session_kb,
        idle_context_kb=context_kb,
        speaking_kb=speaking,
        gateway_mb=memory_of(gateway.pid).pss / 1_048_576,
        worker_mb=sum(worker.pss for worker in workers) / max(len(workers), 1) / 1_048_576,
        worker_rss_mb=max((worker.rss for worker in workers), default=0) / 1_048_576,
        workers=len(workers),
    )


async def _speaking_kb(gateway: Gateway, plan: Plan, codec: str) -> float:
    streams = [
        Stream(gateway, Way.WEBSOCKET_WARM, plan.model, codec, lead_ms=LEAD_MS)
        for _ in range(plan.speaking)
    ]
    for stream in streams:
        await stream.open()
    before = memory_of(gateway.pid).pss
    async with asyncio.TaskGroup() as tasks:
        speaking = [tasks.create_task(stream.speak(LONG)) for stream in streams]
        await asyncio.sleep(SPEAKING_S)
        grown = (memory_of(gateway.pid).pss - before) / len(streams) / 1_024
        for task in speaking:
            task.cancel()
    for stream in streams:
        stream.vanish()
    return grown


async def vanished(gateway: Gateway, plan: Plan, way: Way) -> Vanished:
    """One client speaks a long text and goes away; another, already connected, asks for a short one at once."""
    codec = "pcm_s16le"
    usual = await _utterances(gateway, plan.model, codec, Way.HTTP_WARM, SHORT, plan.vanishings)
    other = Stream(gateway, Way.HTTP_WARM, plan.model, codec)
    await other.open()
    for _ in range(plan.vanishings):
        gone = Stream(gateway, way, plan.model, codec)
        await gone.open()
        await gone.speak_and_vanish(LONG)
        await other.speak(SHORT)
    other.vanish()
    return Vanished(way, _first_ms(usual), _first_ms(other.count()))


def _first_ms(count: Count) -> Latency:
    return latency([first.ms for first in count.firsts])
