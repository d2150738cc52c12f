"""The claims, each with its way to be measured and judged, in the order of the report."""

from __future__ import annotations

from gateway.bench.compare.claims import (
    barge_in,
    first_byte,
    incremental,
    pieces,
    smoothing,
    spending,
    whole_text,
)
from gateway.bench.compare.question import Question

QUESTIONS: tuple[Question, ...] = (
    first_byte.SUCCESSIVE,
    first_byte.LENGTH,
    whole_text.QUESTION,
    incremental.QUESTION,
    incremental.BUFFERING,
    pieces.CHUNK_SIZE,
    spending.QUESTION,
    smoothing.QUESTION,
    pieces.DELIVERY,
    barge_in.QUESTION,
    spending.COST,
)
