"""Each figure reads what was planted, within a stated error, and each way to fail is seen for what it is.

A read is never earlier than the write it reads, and of `REPEATS` readings the median is at most `ERROR_S` later.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

import msgspec
import pytest

from gateway.bench.instruments.http import HttpClient
from gateway.bench.instruments.metrics import Metrics, Playout, measure
from gateway.bench.instruments.timeline import Codec, Failure, Form, Timeline, Trouble, clock
from gateway.bench.instruments.utterance import (
    Client,
    Consumer,
    Piece,
    Utterance,
    whole,
)
from gateway.bench.instruments.websocket import WebSocketClient
from gateway.bench.workload.drive import speak_in_requests
from gateway.bench.workload.tokens import Gather, gathered, trickled
from tests.support.calibration import (
    RETRY_AFTER_S,
    CalibrationServer,
    Fault,
    Planted,
    Record,
    calibration_server,
    gaps,
    lateness,
)

pytestmark = pytest.mark.socket

ERROR_S = 0.005
REPEATS = 5
ONSET_EARLY_S = 0.010
"""The onset rule's window."""
PATIENCE_S = 0.2
TEXT = "Twelve characters and some more."
MP3 = Form(Codec.MP3, 24_000, 64_000)
WIRES = ["http", "websocket", "base64"]

Reading = Callable[[Metrics, Timeline, Record], tuple[float | None, float]]
"""What was measured, and what the server knows about it."""


def client_of(server: CalibrationServer, wire: str, patience_s: float = 5.0) -> Client:
    if wire == "http":
        return HttpClient(server.http_url, patience_s=patience_s)
    query = "?audio=base64" if wire == "base64" else ""
    return WebSocketClient(server.ws_url + query, patience_s=patience_s)


async def read(
    planted: Planted, wire: str, *readings: Reading, utterance: Utterance | None = None
) -> list[list[float]]:
    """For each reading, its errors in seconds over some utterances."""
    errors: list[list[float]] = [[] for _ in readings]
    async with calibration_server(planted) as server:
        client = client_of(server, wire)
        for _ in range(REPEATS):
            timeline = await client.speak(utterance or whole(TEXT, planted.form), clock())
            metrics = measure(timeline)
            assert metrics.trouble is None
            for reading, found in zip(readings, errors, strict=True):
                measured, known = reading(metrics, timeline, server.record)
                assert measured is not None
                found.append(measured - known)
        client.close()
    return errors


def assert_right(errors: list[float], *, early_s: float = 0.0) -> None:
    assert min(errors) >= -early_s - 1e-6, errors
    assert median(errors) <= ERROR_S, errors


@pytest.mark.parametrize("wire", WIRES)
async def test_the_first_byte_and_the_first_audio(wire: str) -> None:
    ttfb, ttfc, ttfa = await read(
        Planted(delay_s=0.03, silence_s=0.05, piece_s=0.1),
        wire,
        lambda m, t, r: (m.ttfb_s, r.written[0] - t.intended),
        lambda m, t, r: (m.ttfc_s, r.written[0] - t.intended),
        lambda m, t, r: (m.ttfa_s, r.written[0] + 0.05 - t.intended),
    )
    assert_right(ttfb)
    assert_right(ttfc)
    assert_right(ttfa, early_s=ONSET_EARLY_S)


@pytest.mark.parametrize("wire", WIRES)
async def test_silence_that_stalls_makes_the_audible_sample_later(wire: str) -> None:
    # The third piece, in which sound begins after 12 ms, is 40 ms late.
    (errors,) = await read(
        Planted(silence_s=0.052, pieces=4, every_s=0.02, stalls={2: 0.04}),
        wire,
        lambda m, t, r: (m.ttfa_s, r.written[2] + 0.012 - t.intended),
    )
    assert_right(errors, early_s=ONSET_EARLY_S)


async def test_a_container_header_is_a_byte_and_not_audio() -> None:
    def first_byte(m: Metrics, t: Timeline, r: Record) -> tuple[float | None, float]:
        assert r.header_written is not None
        return m.ttfb_s, r.header_written - t.intended

    header, audio = await read(
        Planted(form=Form(Codec.WAV), header_early_s=0.03),
        "http",
        first_byte,
        lambda m, t, r: (m.ttfc_s, r.written[0] - t.intended),
    )
    assert_right(header)
    assert_right(audio)


@pytest.mark.parametrize("wire", WIRES)
async def test_the_first_token_to_speech_and_the_tail(wire: str) -> None:
    def tail(m: Metrics, t: Timeline, r: Record) -> tuple[float | None, float]:
        assert t.text_ended is not None
        return m.tail_s, r.written[-1] - t.text_ended

    pieces = tuple(Piece(n * 0.01, f"token{n} ") for n in range(5))
    first, last = await read(
        Planted(delay_s=0.06, every_s=0.02),
        wire,
        lambda m, t, r: (m.ftts_s, r.written[0] - t.sent[0].at),
        tail,
        utterance=Utterance(pieces),
    )
    assert_right(first, early_s=ONSET_EARLY_S)
    assert_right(last)


@pytest.mark.parametrize("wire", WIRES)
async def test_stalls_and_cadence_and_the_delay_that_would_have_hidden_them(wire: str) -> None:
    def playout(m: Metrics) -> Playout:
        assert m.playout is not None
        assert m.playout.stalls[-1].count == 0  # Half a second is more than there is.
        return m.playout

    def cadence(number: int) -> Reading:
        return lambda m, t, r: (
            playout(m).cadence_errors_s[number],
            gaps(r.written)[number] - 0.02,
        )

    errors = await read(
        Planted(pieces=8, every_s=0.02, stalls={3: 0.06, 6: 0.05}),
        wire,
        lambda m, t, r: (playout(m).required_delay_s, lateness(r.written, [0.02] * 8)),
        lambda m, t, r: (playout(m).stalls[0].total_s, lateness(r.written, [0.02] * 8)),
        *(cadence(number) for number in range(7)),
    )
    # Both ends of these intervals are read a little late, so they may come out either way.
    for of_one_figure in errors:
        assert abs(median(of_one_figure)) <= ERROR_S, errors


@pytest.mark.parametrize("wire", WIRES)
async def test_lead_and_real_time_factor_of_a_burst(wire: str) -> None:
    planted = Planted(pieces=50, piece_s=0.02)
    async with calibration_server(planted) as server:
        client = client_of(server, wire)
        metrics = measure(await client.speak(whole(TEXT), clock()))
        client.close()
    assert metrics.audio_s == pytest.approx(1.0)
    assert metrics.playout is not None
    assert 0.8 <= metrics.playout.lead_max_s <= 1.0
    assert metrics.playout.required_delay_s <= 0.05
    assert metrics.rtf is not None
    assert 0.02 <= metrics.rtf <= 0.2


async def test_the_commit_delay() -> None:
    def commit(m: Metrics, t: Timeline, r: Record) -> tuple[float | None, float]:
        assert r.segment_written is not None
        assert len(m.commit_s) == 1
        return m.commit_s[0], r.segment_written - t.sent[-1].at

    pieces = tuple(Piece(n * 0.01, f"token{n} ") for n in range(3))
    planted = Planted(commit_s=0.03)
    (errors,) = await read(planted, "websocket", commit, utterance=Utterance(pieces))
    assert_right(errors)


async def test_the_time_to_connect() -> None:
    async with calibration_server(Planted(accept_s=0.03)) as server:
        client = WebSocketClient(server.ws_url)
        cold = measure(await client.speak(whole(TEXT), clock()))
        warm = measure(await client.speak(whole(TEXT), clock()))
        again = measure(await client.speak(whole(TEXT), clock(), cold=True))
        client.close()
        assert server.record.connections == 2
    for metrics in (cold, again):
        assert metrics.connect_s is not None
        assert metrics.connect_s >= 0.03
    assert warm.connect_s is None


@pytest.mark.parametrize("wire", WIRES)
async def test_a_kept_connection_is_used_again(wire: str) -> None:
    async with calibration_server(Planted()) as server:
        client = client_of(server, wire)
        timelines = [await client.speak(whole(TEXT), clock()) for _ in range(3)]
        cold = await client.speak(whole(TEXT), clock(), cold=True)
        client.close()
        assert server.record.connections == 2
    assert [timeline.connected is not None for timeline in timelines] == [True, False, False]
    assert cold.connected is not None


@pytest.mark.parametrize("wire", WIRES)
async def test_a_late_harness_is_seen_in_its_lag_and_in_every_figure(wire: str) -> None:
    async with calibration_server(Planted()) as server:
        client = client_of(server, wire)
        metrics = measure(await client.speak(whole(TEXT), clock() - 0.1))
        client.close()
    assert metrics.lag_s is not None
    assert metrics.lag_s >= 0.1
    assert metrics.ttfb_s is not None
    assert metrics.ttfb_s >= 0.1 + 0.02
    assert metrics.ttfa_s == metrics.ttfb_s  # Sound begins with the first sample.
    assert metrics.ftts_s is not None
    assert metrics.ftts_s <= metrics.ttfb_s - 0.1


@pytest.mark.parametrize(("how", "requests"), [(Gather.ALL, 1), (Gather.SENTENCE, 2)])
async def test_requests_for_each_sentence_are_timed_from_the_first_token(
    how: Gather, requests: int
) -> None:
    utterance = Utterance(trickled("It is ten past nine. You have time.", 200.0))
    firsts: list[float] = []
    async with calibration_server(Planted()) as server:
        client = client_of(server, "http")
        begin = clock()
        timeline = await speak_in_requests(client, utterance, begin, how)
        firsts = server.record.written
        client.close()
        assert server.record.connections == 1
    metrics = measure(timeline)
    assert metrics.trouble is None
    assert metrics.audio_s == pytest.approx(0.2 * requests)
    assert metrics.lag_s is not None
    assert metrics.ftts_s is not None
    assert metrics.tail_s is not None
    known = gathered(utterance.pieces, how)
    assert metrics.ftts_s >= known[0].at_s + 0.02  # The text gathered, and the server's delay.
    assert metrics.ttfb_s == pytest.approx(metrics.ftts_s, abs=ONSET_EARLY_S)
    # The last request's first piece, read no earlier than it was written.
    assert timeline.payloads[-1].at >= firsts[0] >= begin + known[-1].at_s


# --- completeness ---


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("form", [Form(), MP3], ids=lambda form: form.codec)
async def test_complete_audio_is_complete(wire: str, form: Form) -> None:
    planted = Planted(form=form, pieces=25)
    async with calibration_server(planted) as server:
        client = client_of(server, wire)
        timeline = await client.speak(whole(TEXT, form), clock())
        client.close()
    metrics = measure(timeline, announced=planted.samples)
    assert metrics.trouble is None
    assert metrics.completeness is not None
    assert metrics.completeness.is_complete
    assert metrics.completeness.announced == planted.samples
    if form.codec is Codec.PCM_S16LE:
        assert metrics.completeness.decoded == planted.samples
    if wire != "http":
        assert metrics.completeness.received == planted.samples


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("form", [Form(), MP3], ids=lambda form: form.codec)
async def test_a_lost_last_piece_is_truncation(wire: str, form: Form) -> None:
    # The piece is longer than all that an MP3 may add.
    planted = Planted(form=form, pieces=5, piece_s=0.2, fault=Fault.LOSE_LAST)
    async with calibration_server(planted) as server:
        client = client_of(server, wire)
        timeline = await client.speak(whole(TEXT, form), clock())
        client.close()
    assert timeline.trouble is None
    trouble = measure(timeline, announced=planted.samples).trouble
    assert trouble is not None
    assert trouble.failure is Failure.TRUNCATED


async def test_base64_costs_a_third_more_bytes() -> None:
    read_bytes = {}
    async with calibration_server(Planted(pieces=20, piece_s=0.1)) as server:
        for wire in WIRES:
            client = client_of(server, wire)
            read_bytes[wire] = (await client.speak(whole(TEXT), clock(), cold=True)).bytes_read
            client.close()
    audio = 20 * 4_800
    assert audio < read_bytes["http"] < audio * 1.02
    assert audio < read_bytes["websocket"] < audio * 1.02
    assert audio * 4 / 3 < read_bytes["base64"] < audio * 1.4


# --- cancels ---


def acknowledged(m: Metrics, t: Timeline, r: Record) -> tuple[float | None, float]:
    assert m.cancel is not None
    assert t.interrupted is not None
    assert r.cleared_written is not None
    return m.cancel.acknowledged_s, r.cleared_written - t.interrupted


@pytest.mark.parametrize("wire", ["websocket", "base64"])
async def test_a_clear_is_timed_and_its_leaks_are_counted(wire: str) -> None:
    planted = Planted(pieces=50, every_s=0.02, clear_s=0.03, late=2, leaked=3)
    utterance = msgspec.structs.replace(whole(TEXT), barge_in_s=0.05)

    def leaked(m: Metrics, t: Timeline, r: Record) -> tuple[float | None, float]:
        assert m.cancel is not None
        assert m.cancel.last_audio_s >= 0.03 - 0.001  # Timers may be a little early.
        return m.cancel.leaked, 3

    errors, leaks = await read(planted, wire, acknowledged, leaked, utterance=utterance)
    assert_right(errors)
    assert leaks == [0] * REPEATS


async def test_who_interrupts_reads_on_at_once() -> None:
    planted = Planted(pieces=20, piece_s=0.5, every_s=0.01, clear_s=0.01)
    listener = Consumer(rate=1.0, ahead_s=0.0)
    utterance = msgspec.structs.replace(whole(TEXT), barge_in_s=0.05, consumer=listener)
    (errors,) = await read(planted, "websocket", acknowledged, utterance=utterance)
    assert_right(errors)


async def test_audio_before_the_acknowledgement_is_late_and_no_leak() -> None:
    planted = Planted(pieces=50, every_s=0.02, clear_s=0.03, late=2)
    utterance = msgspec.structs.replace(whole(TEXT), barge_in_s=0.05)
    async with calibration_server(planted) as server:
        client = client_of(server, "websocket")
        metrics = measure(await client.speak(utterance, clock()))
        server.planted = Planted()
        after = measure(await client.speak(whole(TEXT), clock()))
        client.close()
    assert metrics.cancel is not None
    assert metrics.cancel.leaked == 0
    assert metrics.cancel.acknowledged_s is not None
    assert 0 < metrics.cancel.last_audio_s < metrics.cancel.acknowledged_s
    assert metrics.cancel.unheard_s >= 2 * 0.02
    assert after.trouble is None
    assert after.cancel is None


@pytest.mark.parametrize("wire", WIRES)
async def test_audio_made_and_not_heard(wire: str) -> None:
    # A second arrives at once; the listener interrupts after a fifth of it.
    planted = Planted(pieces=10, piece_s=0.1)
    utterance = msgspec.structs.replace(whole(TEXT), barge_in_s=0.2)

    def unheard(m: Metrics, t: Timeline, r: Record) -> tuple[float | None, float]:
        assert m.cancel is not None
        assert t.interrupted is not None
        return m.cancel.unheard_s, 1.0 - (t.interrupted - t.payloads[0].at)

    (errors,) = await read(planted, wire, unheard, utterance=utterance)
    assert abs(median(errors)) <= ERROR_S, errors


async def test_over_http_a_barge_in_is_a_disconnect() -> None:
    planted = Planted(pieces=500, every_s=0.02)
    async with calibration_server(planted) as server:
        client = client_of(server, "http")
        timeline = await client.speak(
            msgspec.structs.replace(whole(TEXT), barge_in_s=0.05), clock()
        )
        metrics = measure(timeline)
        after = measure(
            await client.speak(msgspec.structs.replace(whole(TEXT), barge_in_s=0.0), clock())
        )
        client.close()
        assert server.record.connections == 2
    assert metrics.trouble is None
    assert timeline.finished is None
    assert metrics.cancel is not None
    assert metrics.cancel.acknowledged_s is None
    assert after.connect_s is not None


async def test_a_frame_after_the_end_is_a_stray() -> None:
    async with calibration_server(Planted(fault=Fault.STRAY)) as server:
        client = WebSocketClient(server.ws_url)
        assert measure(await client.speak(whole(TEXT), clock())).trouble is None
        await client.speak(whole(TEXT), clock())
        client.close()
        assert client.strays >= 1


@pytest.mark.parametrize("wire", WIRES)
async def test_who_vanishes_is_gone_and_has_not_failed(wire: str) -> None:
    async with calibration_server(Planted(pieces=500, every_s=0.02)) as server:
        client = client_of(server, wire)
        timeline = await client.speak(msgspec.structs.replace(whole(TEXT), vanish_s=0.05), clock())
    assert timeline.vanished
    assert timeline.finished is None
    assert measure(timeline).trouble is None


@pytest.mark.parametrize("wire", WIRES)
async def test_a_slow_reader_makes_the_server_wait(wire: str) -> None:
    # Eight seconds of audio, taken at twenty times real time.
    planted = Planted(pieces=400, piece_s=0.02)
    slow = msgspec.structs.replace(whole(TEXT), consumer=Consumer(rate=20.0, ahead_s=0.5))
    async with calibration_server(planted) as server:
        client = client_of(server, wire)
        timeline = await client.speak(slow, clock())
        greedy = await client.speak(whole(TEXT), clock())
        client.close()
    assert measure(timeline).trouble is None
    payloads = timeline.payloads
    # What the last read brought is not waited for any more, nor is what may be ahead.
    assert payloads[-1].at - payloads[0].at >= (8.0 - 0.5 - 3.0) / 20
    assert measure(greedy).trouble is None


async def test_patience_does_not_run_while_the_client_itself_does_not_read() -> None:
    planted = Planted(pieces=2, piece_s=0.4, every_s=0.05)
    listener = msgspec.structs.replace(whole(TEXT), consumer=Consumer(rate=1.0, ahead_s=0.0))
    async with calibration_server(planted) as server:
        client = client_of(server, "websocket", patience_s=PATIENCE_S)
        timeline = await client.speak(listener, clock())
        client.close()
    assert measure(timeline).trouble is None
    assert timeline.payloads[1].at - timeline.payloads[0].at >= 0.39


# --- failures ---


def failing(timeline: Timeline) -> Trouble:
    trouble = measure(timeline).trouble
    assert trouble is not None
    return trouble


@pytest.mark.parametrize(
    ("wires", "fault", "failure"),
    [
        (WIRES, Fault.REFUSE, Failure.REFUSED),
        (WIRES, Fault.HANG_UP, Failure.TRUNCATED),
        (WIRES, Fault.SAY_NOTHING, Failure.TIMEOUT),
        (WIRES, Fault.STOP, Failure.TIMEOUT),
        (WIRES, Fault.TRUNCATE, Failure.TRUNCATED),
        (WIRES, Fault.RESET, Failure.TRUNCATED),
        (WIRES, Fault.HALF_SAMPLE, Failure.PROTOCOL),
        (WIRES, Fault.GARBAGE, Failure.PROTOCOL),
        (["http"], Fault.SHORT, Failure.TRUNCATED),
        (["websocket"], Fault.REFUSE_HANDSHAKE, Failure.REFUSED),
        (["websocket", "base64"], Fault.SKIP, Failure.PROTOCOL),
        (["websocket", "base64"], Fault.REPEAT, Failure.PROTOCOL),
        (["websocket"], Fault.OLD_FRAME, Failure.PROTOCOL),
        (["base64"], Fault.NO_BASE64, Failure.PROTOCOL),
        (["websocket"], Fault.FAIL_SEGMENT, Failure.TRUNCATED),
        (["websocket"], Fault.END_EARLY, Failure.TRUNCATED),
        (["websocket"], Fault.LOSE_TEXT, Failure.TRUNCATED),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_every_failure_is_seen_for_what_it_is(
    wires: list[str], fault: Fault, failure: Failure
) -> None:
    for wire in wires:
        async with calibration_server(Planted(fault=fault)) as server:
            client = client_of(server, wire, PATIENCE_S)
            trouble = failing(await client.speak(whole(TEXT), clock()))
            assert trouble.failure is failure, wire
            if failure is Failure.REFUSED:
                assert trouble.retry_after_s == RETRY_AFTER_S
            # The client gets over it.
            server.planted = Planted()
            timeline = await client.speak(whole(TEXT), clock())
            assert measure(timeline).trouble is None, wire
            client.close()


async def test_a_context_that_ends_while_text_is_sent_is_over() -> None:
    pieces = tuple(Piece(n * 0.001, "word ") for n in range(200))
    planted = Planted(fault=Fault.END_AMID_TEXT, delay_s=0.0, pieces=1)
    async with calibration_server(planted) as server:
        client = client_of(server, "websocket")
        for _ in range(REPEATS):
            timeline = await client.speak(Utterance(pieces), clock(), cold=True)
            assert timeline.finished is not None
            assert len(timeline.sent) < len(pieces)
        client.close()


@pytest.mark.parametrize("wire", WIRES)
async def test_nothing_to_hear_is_a_failure(wire: str) -> None:
    async with calibration_server(Planted(is_silent=True)) as server:
        client = client_of(server, wire)
        timeline = await client.speak(whole(TEXT), clock())
        client.close()
    assert timeline.finished is not None
    assert failing(timeline).failure is Failure.INAUDIBLE


@pytest.mark.parametrize("wire", WIRES)
async def test_nobody_there_is_a_failure(wire: str) -> None:
    async with calibration_server(Planted()) as server:
        client = client_of(server, wire)
    assert failing(await client.speak(whole(TEXT), clock())).failure is Failure.UNREACHABLE


@pytest.mark.parametrize("wire", WIRES)
async def test_patience_begins_with_the_utterance_and_not_with_the_wait_for_it(wire: str) -> None:
    async with calibration_server(Planted()) as server:
        client = client_of(server, wire, patience_s=PATIENCE_S)
        timeline = await client.speak(whole(TEXT), clock() + 1.5 * PATIENCE_S)
        client.close()
    assert timeline.trouble is None


async def test_a_kept_connection_is_read_when_its_slow_listener_has_all() -> None:
    planted = Planted(pieces=50, piece_s=0.1)
    utterance = msgspec.structs.replace(whole(TEXT), consumer=Consumer(rate=10.0, ahead_s=4.9))
    async with calibration_server(planted) as server:
        client = HttpClient(server.http_url)
        timeline = await client.speak(utterance, clock())
        assert timeline.trouble is None
        assert client._connection is not None
        assert client._connection.transport.is_reading()
        client.close()
