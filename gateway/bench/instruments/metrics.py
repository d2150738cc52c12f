"""The figures of one utterance, computed from its timeline when it is over. Each is defined where it is declared.

All are seconds. Nothing here looks at a clock, and what has no meaning for an utterance (a cancel without a barge-in, a
tail without audio) is None rather than zero.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate, pairwise
from statistics import fmean

import msgspec

from gateway.bench.instruments.onset import audible_onset
from gateway.bench.instruments.playout import (
    PREBUFFERS_S,
    Arrival,
    cadence_errors,
    leads,
    play,
    required_delay,
    start_with_prebuffer,
)
from gateway.bench.instruments.sound import Heard, NotAudio, decode
from gateway.bench.instruments.timeline import (
    SAMPLE_BYTES,
    Codec,
    Failure,
    Form,
    Message,
    Payload,
    Timeline,
    Trouble,
    Wire,
)

MP3_DELAY_SAMPLES = 576 + 529
"""What an MP3 encoder and decoder together add in front."""
MP3_FRAMES_PADDED = 2
"""Frames of silence with which an MP3 encoder may end, so that all that was said can be decoded."""


class Stalls(msgspec.Struct, frozen=True):
    """Playback after a prebuffer of `prebuffer_s` of audio: how often, how long and at most how long it stalled."""

    prebuffer_s: float
    count: int
    total_s: float
    longest_s: float
    is_continuous: bool


class Playout(msgspec.Struct, frozen=True):
    """How the audio would have played.

    `required_delay_s` is B*, the smallest delay after the first piece with which playback never stalls. Leads are audio
    received and not yet played by a player without prebuffer, after each arrival. Cadence errors are, per piece, the gap
    before it less the duration of the piece before it.
    """

    stalls: list[Stalls]
    required_delay_s: float
    lead_max_s: float
    lead_mean_s: float
    cadence_errors_s: list[float]


class Completeness(msgspec.Struct, frozen=True):
    """Whether the audio is all there. `announced`: what the server said it sent, None where the protocol has no such word.

    `received`: the samples that its frames claim, None where frames claim nothing. `decoded`: those that a decoder gave;
    `allowance` more than announced are the codec's own doing. `chars_lost`: characters sent that no segment spoke and no
    clear gave back, None over HTTP.
    """

    announced: int | None
    received: int | None
    decoded: int
    allowance: int
    chars_lost: int | None

    @property
    def is_complete(self) -> bool:
        """Whether announced = received = decoded, to the sample where the codec allows it, and no text is lost."""
        promised = {count for count in (self.announced, self.received) if count is not None}
        return (
            not self.chars_lost
            and len(promised) <= 1
            and all(count <= self.decoded <= count + self.allowance for count in promised)
        )


class Cancel(msgspec.Struct, frozen=True):
    """A barge-in. All times are from when it left.

    `acknowledged_s`: to the `cleared` message; None over HTTP, where a cut connection is answered by nothing.
    `last_audio_s`: to the last audio that still came, 0 when none did. `leaked`: payloads after the acknowledgement.
    `unheard_s`: all audio received that had not been played (without prebuffer) when it left. A listener may interrupt
    when all audio has long come; then no message leaves, and this is what is left of it.
    """

    acknowledged_s: float | None
    last_audio_s: float
    leaked: int
    unheard_s: float


class Metrics(msgspec.Struct, frozen=True):
    """One utterance in figures."""

    trouble: Trouble | None
    """Why it failed; figures are given as far as they go."""
    lag_s: float | None = None
    """Intended start to actual start: how late the harness itself was. Every time below contains it, or says from when
    it counts."""
    connect_s: float | None = None
    """For a new connection, over WebSocket up to its `ready`; None on a kept one."""
    ttfb_s: float | None = None
    """Intended start to the first byte of a body or of an audio message: headers and events count for nothing."""
    ttfc_s: float | None = None
    """Intended start to the first audio byte behind a container's header."""
    ttfa_s: float | None = None
    """Intended start to when a player without prebuffer plays the first audible sample."""
    ftts_s: float | None = None
    """First text sent to that same sample."""
    tail_s: float | None = None
    """End of the text to the last audio, where nobody interrupted."""
    rtf: float | None = None
    """First text sent to the last audio, over the duration of the audio: it says something only of unpaced streams."""
    audio_s: float = 0.0
    """What was decoded."""
    commit_s: list[float] = []
    """For each segment: its last character sent to the `segment` message, which comes just before its audio."""
    playout: Playout | None = None
    completeness: Completeness | None = None
    cancel: Cancel | None = None
    """Where somebody interrupted."""


def measure(timeline: Timeline, announced: int | None = None) -> Metrics:
    """All figures of a timeline.

    `announced` is the number of samples that the same text is known to have, for protocols that do not tell. Audio that
    cannot be decoded is a protocol failure; a good end with nothing to hear is an inaudible one, a good end with samples
    missing a truncated one. Who interrupted or left on purpose may have heard nothing.
    """
    try:
        heard = decode([payload.data for payload in timeline.payloads], timeline.form)
    except NotAudio as error:
        trouble = timeline.trouble
        if trouble is None and _is_heard_out(timeline):
            trouble = Trouble(Failure.PROTOCOL, str(error))
        return Metrics(trouble, lag_s=_since(timeline.intended, timeline.begun))
    arrivals, onset = (
        _arrivals(timeline, heard),
        audible_onset(heard.samples, timeline.form.sample_rate),
    )
    audible = _played_at(arrivals, onset, timeline.form) if onset is not None else None
    completeness = _completeness(timeline, heard, announced)
    first_text = timeline.sent[0].at if timeline.sent else timeline.begun
    last_audio = arrivals[-1].at if arrivals else None
    audio_s = len(heard.samples) / timeline.form.sample_rate
    whole = _since(first_text, last_audio)
    return Metrics(
        trouble=timeline.trouble or _judge(timeline, heard, completeness, onset),
        lag_s=_since(timeline.intended, timeline.begun),
        connect_s=_since(timeline.dialled, timeline.connected),
        ttfb_s=_since(timeline.intended, next((p.at for p in timeline.payloads if p.data), None)),
        ttfc_s=_since(timeline.intended, _first_audio(timeline, heard)),
        ttfa_s=_since(timeline.intended, audible),
        ftts_s=_since(first_text, audible),
        tail_s=_since(timeline.text_ended, last_audio) if _is_heard_out(timeline) else None,
        rtf=whole / audio_s if whole is not None and audio_s else None,
        audio_s=audio_s,
        commit_s=commit_delays(timeline),
        playout=playout(arrivals, timeline.finished) if arrivals else None,
        completeness=completeness,
        cancel=_cancel(timeline, arrivals),
    )


def playout(arrivals: Sequence[Arrival], ended: float | None) -> Playout:
    """How these arrivals (at least one) would have played; `ended` is when the client knew of the end."""
    stalls = []
    for prebuffer in PREBUFFERS_S:
        played = play(arrivals, start_with_prebuffer(arrivals, prebuffer, ended))
        stalls.append(
            Stalls(
                prebuffer,
                len(played.stalls),
                played.stalled,
                played.stall_longest,
                played.is_continuous,
            )
        )
    ahead = leads(arrivals)
    return Playout(
        stalls, required_delay(arrivals), max(ahead), fmean(ahead), cadence_errors(arrivals)
    )


def commit_delays(timeline: Timeline) -> list[float]:
    """For each `segment` message: how long after the last character of its text was sent it came."""
    ends = list(accumulate(len(sent.text) for sent in timeline.sent))
    delays = []
    for message in timeline.messages("segment"):
        text_end = message.fields.get("text_end")
        if isinstance(text_end, int) and 0 < text_end <= (ends[-1] if ends else 0):
            delays.append(message.at - timeline.sent[bisect_left(ends, text_end)].at)
    return delays


def _arrivals(timeline: Timeline, heard: Heard) -> list[Arrival]:
    """What each payload added that can be played; what the decoder kept to the end comes with the last one."""
    payloads = timeline.payloads
    if not payloads:
        return []
    ends = [0, *heard.counts[:-1], len(heard.samples)]
    rate = timeline.form.sample_rate
    return [
        Arrival(payload.at, (end - start) / rate)
        for payload, (start, end) in zip(payloads, pairwise(ends), strict=True)
        if end > start
    ]


def _played_at(arrivals: Sequence[Arrival], sample: int, form: Form) -> float:
    """When a player without prebuffer plays this sample."""
    begins = play(arrivals, arrivals[0].at).piece_starts
    position = sample / form.sample_rate
    for (_, duration), begun in zip(arrivals, begins, strict=True):
        if position < duration:
            return begun + position
        position -= duration
    return begins[-1] + arrivals[-1].duration


def _first_audio(timeline: Timeline, heard: Heard) -> float | None:
    """When the first byte behind the container's header came."""
    ends = accumulate(len(payload.data) for payload in timeline.payloads)
    return next(
        (
            payload.at
            for payload, end in zip(timeline.payloads, ends, strict=True)
            if end > heard.header_bytes
        ),
        None,
    )


def _completeness(timeline: Timeline, heard: Heard, announced: int | None) -> Completeness:
    claimed = [p.sample_count for p in timeline.payloads if p.sample_count is not None]
    frame = 1_152 if timeline.form.sample_rate >= 32_000 else 576
    return Completeness(
        announced=timeline.announced if timeline.announced is not None else announced,
        received=sum(claimed) if claimed else None,
        decoded=len(heard.samples),
        allowance=MP3_DELAY_SAMPLES + MP3_FRAMES_PADDED * frame
        if timeline.form.codec is Codec.MP3
        else 0,
        chars_lost=_chars_lost(timeline) if timeline.wire is Wire.WEBSOCKET else None,
    )


def _chars_lost(timeline: Timeline) -> int:
    """What is sent goes into segments one after the other, or comes back with a `cleared`."""
    accounted = lost = 0
    for item in timeline.heard:
        if isinstance(item, Message) and item.type in {"segment", "cleared"}:
            start = item.fields.get("text_start", accounted)
            end = item.fields.get("text_end", accounted)
            assert isinstance(start, int)
            assert isinstance(end, int)
            lost += max(start - accounted, 0)
            accounted = max(accounted, end)
    return lost + sum(len(sent.text) for sent in timeline.sent) - accounted


def _judge(
    timeline: Timeline, heard: Heard, completeness: Completeness, onset: int | None
) -> Trouble | None:
    """What is wrong with an utterance of which nobody complained while it went on."""
    if not all(_is_as_claimed(payload, timeline.form) for payload in timeline.payloads):
        return Trouble(Failure.PROTOCOL, "a frame does not hold the samples that it claims")
    if not _is_heard_out(timeline):
        return None
    if heard.odd_bytes:
        return Trouble(Failure.PROTOCOL, "the audio ends within a sample")
    if not completeness.is_complete:
        return Trouble(Failure.TRUNCATED, f"not whole: {completeness}")
    if onset is None:
        return Trouble(Failure.INAUDIBLE, "a good end, and nothing to hear")
    return None


def _is_as_claimed(payload: Payload, form: Form) -> bool:
    """Whether a frame of PCM has the size of its samples; what claims nothing, or is compressed, cannot be asked."""
    if payload.sample_count is None or form.codec is not Codec.PCM_S16LE:
        return True
    return len(payload.data) == payload.sample_count * SAMPLE_BYTES


def _cancel(timeline: Timeline, arrivals: Sequence[Arrival]) -> Cancel | None:
    if (left := timeline.interrupted) is None:
        return None
    before = [arrival for arrival in arrivals if arrival.at <= left]
    late = arrivals[len(before) :]
    unplayed_s = max(play(before, before[0].at).end - left, 0.0) if before else 0.0
    return Cancel(
        acknowledged_s=_since(left, timeline.silenced),
        last_audio_s=late[-1].at - left if late else 0.0,
        leaked=len(timeline.leaked),
        unheard_s=unplayed_s + sum(arrival.duration for arrival in late),
    )


def _is_heard_out(timeline: Timeline) -> bool:
    """Whether the audio was all sent before anybody interrupted."""
    if timeline.finished is None:
        return False
    return timeline.interrupted is None or timeline.interrupted > timeline.finished


def _since(begin: float | None, end: float | None) -> float | None:
    return None if begin is None or end is None else end - begin
