"""Other ways to cut streamed text, each in its own streaming class and with its own defaults, as our `Cutter`s.

None of them is needed by anything here: `make peers` installs them in an environment of their own, and what is not
installed is left out of the table by name. Two splitters that ship no streaming class (ICU, pySBD) and the judge itself
stream the way most people do it: split what has come again at each token, and hold the last sentence back.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from importlib import import_module
from typing import Any, TypeVar

import sentencex

from tests.segmentation.measure import Cutter

T = TypeVar("T")
Split = Callable[[str, str], list[str]]
"""A whole text in a language → its sentences, which join to the text."""

_SENTENCE = re.compile(r".*?(?:[.!?…।؟۔։።]+[\"'”’»)]*\s|[。！？]+[”」』]?)", re.DOTALL)


def regex() -> Cutter:
    """What is written in an afternoon: a terminator and a blank."""

    def cut(tokens: Iterator[str], _: str) -> Iterator[str]:
        pending = ""
        for token in tokens:
            pending += token
            while found := _SENTENCE.match(pending):
                yield found.group()
                pending = pending[found.end() :]
        yield pending

    return cut


def judge_alone() -> Cutter:
    """Our judge without the scanner."""
    return _all_but_last(lambda text, language: sentencex.segment(language, text))


def icu() -> Cutter:
    """ICU's sentence rules, UAX 29 with the locale's own."""
    breakers = import_module("icu4py.breakers")
    return _all_but_last(lambda text, language: list(breakers.SentenceBreaker(text, language)))


def pysbd() -> Cutter:
    """The authors of the golden rules; languages that they do not have are cut as English."""
    library = import_module("pysbd")
    known = import_module("pysbd.languages").LANGUAGE_CODES
    segmenters: dict[str, Any] = {}

    def split(text: str, language: str) -> list[str]:
        code = language if language in known else "en"
        if code not in segmenters:
            segmenters[code] = library.Segmenter(language=code, clean=False)
        found: list[str] = segmenters[code].segment(text)
        return found

    return _all_but_last(split)


def pipecat() -> Cutter:
    """`SimpleTextAggregator`."""
    aggregator = import_module("pipecat.utils.text.simple_text_aggregator").SimpleTextAggregator

    def cut(tokens: Iterator[str], language: str) -> Iterator[str]:
        aggregating = aggregator(language=language)
        for token in tokens:
            yield from (found.text for found in _drained(aggregating.aggregate(token)))
        rest = _at_once(aggregating.flush())
        if rest is not None:
            yield rest.text

    return cut


def livekit_basic(chars_min: int) -> Cutter:
    """The default tokenizer of its pipelines; `chars_min` is `min_sentence_len`."""
    tokenize = import_module("livekit.agents.tokenize.basic")
    return _livekit(tokenize.SentenceTokenizer(min_sentence_len=chars_min))


def livekit_blingfire(chars_min: int) -> Cutter:
    """Its tokenizer with a model behind it."""
    tokenize = import_module("livekit.agents.tokenize.blingfire")
    return _livekit(tokenize.SentenceTokenizer(min_sentence_len=chars_min))


def stream2sentence(**options: object) -> Cutter:
    """`generate_sentences` with its rule-based tokenizer."""
    generate = import_module("stream2sentence").generate_sentences

    def cut(tokens: Iterator[str], language: str) -> Iterator[str]:
        found: Iterator[str] = generate(tokens, language=language, **options)
        return found

    return cut


PEERS: dict[str, Callable[[], Cutter]] = {
    "regex, terminator and blank": regex,
    "livekit basic (20)": lambda: livekit_basic(20),
    "livekit basic (1)": lambda: livekit_basic(1),
    "livekit blingfire (20)": lambda: livekit_blingfire(20),
    "livekit blingfire (1)": lambda: livekit_blingfire(1),
    "stream2sentence": stream2sentence,
    "stream2sentence, auto_context": lambda: stream2sentence(
        auto_context=True, minimum_sentence_length=1, minimum_first_fragment_length=1
    ),
    "pipecat": pipecat,
    "all but last, ICU": icu,
    "all but last, sentencex": judge_alone,
    "all but last, pySBD": pysbd,
}
"""Name in the table → what makes the cutter. Raises ImportError where it is not installed."""


def _all_but_last(split: Split) -> Cutter:
    def cut(tokens: Iterator[str], language: str) -> Iterator[str]:
        pending = ""
        for token in tokens:
            pending += token
            *whole, pending = split(pending, language) or [""]
            yield from whole
        yield pending

    return cut


def _livekit(tokenizer: Any) -> Cutter:
    """Its stream hands tokens over through a channel; they are taken out as soon as they are in."""
    asyncio.set_event_loop(asyncio.new_event_loop())  # its channels want one, and never use it here

    def cut(tokens: Iterator[str], _: str) -> Iterator[str]:
        stream = tokenizer.stream()
        channel = stream._event_ch
        for token in tokens:
            stream.push_text(token)
            while not channel.empty():
                yield channel.recv_nowait().token
        stream.flush()
        while not channel.empty():
            yield channel.recv_nowait().token

    return cut


def _at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits: a loop would only add its own time."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise AssertionError("it waits")


def _drained(items: AsyncGenerator[T, None]) -> Iterator[T]:
    while True:
        try:
            yield _at_once(items.__anext__())
        except StopAsyncIteration:
            return
