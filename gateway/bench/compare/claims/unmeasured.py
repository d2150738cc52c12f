"""Claims 6 and 9, which need a progressive delivery beside the native one."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.bench.compare.question import Question
from gateway.bench.compare.results import Judgement, Verdict
from gateway.bench.compare.samples import Sample

NO_PROGRESSIVE = (
    "Not measured: the gateway delivers as its engine streams, and has no progressive delivery (audio cut into chunks of a "
    "size that is asked for) to compare with."
)


def judge(_repeats: Sequence[Sample]) -> Judgement:
    """Undecided, with the reason."""
    return Judgement(Verdict.UNDECIDED, NO_PROGRESSIVE)


CHUNK_SIZE = Question(
    6,
    "Smaller chunks respond faster, at more overhead.",
    "Parameters of hosted services (GistMag: chunk_size).",
    "None yet.",
    None,
    judge,
)
PROGRESSIVE = Question(
    9,
    "Native streaming is heard sooner than progressive streaming.",
    "Best practices of hosted services (YourVoic: progressive delivery of whole syntheses).",
    "None yet.",
    None,
    judge,
)
