"""The claims, each with its way to be measured and judged, in the order of the report."""

from __future__ import annotations

from gateway.bench.compare.claims import first_byte, whole_text
from gateway.bench.compare.question import Question

QUESTIONS: tuple[Question, ...] = (
    first_byte.SUCCESSIVE,
    first_byte.LENGTH,
    whole_text.QUESTION,
)
