"""The way from a caller's text to cuts and back: nothing is lost, and every cut knows which text of the caller it is."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from gateway.core.intake import Cut, Intake
from gateway.core.params import Segmentation, TextSettings
from gateway.core.vocabulary import Cleanup, CutReason, PushBoundary

LLM = (
    "Sure! Here are **three options**:\n\n"
    "1. *Katz Orange*: about $45 per person.\n"
    "2. See [the menu](https://example.com/menu) or https://example.com/more?x=1.\n\n"
    "```python\nprint('not spoken')\n```\n"
    "| when | where |\n|---|---|\n| 8:30 p.m. | here |\n\n"
    "Shall I book it? 👍🏽 It costs 3.5 % more on 12/24."
)
PUSHES = st.lists(
    st.one_of(
        st.sampled_from(
            ["**", "*", "`", "```\n", "\n", "# ", "| a | b |\n", "$5.20 ", "Yes. ", " "]
        ),
        st.text("ab .,*_`#|\n-1€😀", max_size=12),
        st.text(max_size=8).filter(bool),
    ),
    max_size=20,
)
MODES = st.sampled_from(list(Cleanup))


def settings(cleanup: Cleanup, **segmentation: object) -> TextSettings:
    return TextSettings(
        language="en",
        cleanup=cleanup,
        segmentation=Segmentation(**segmentation),  # type: ignore[arg-type]  # any field
    )


def holds(cuts: list[Cut], start: int, text: str) -> None:
    """The cuts cover this text, which begins at `start`, without a gap or overlap."""
    assert "".join(cut.source for cut in cuts) == text
    for cut in cuts:
        assert (cut.start, cut.end) == (start, start + len(cut.source))
        start = cut.end


@given(pushes=PUSHES, mode=MODES, size=st.integers(20, 80))
def test_cuts_cover_the_callers_text(pushes: list[str], mode: Cleanup, size: int) -> None:
    intake = Intake(settings(mode, max_chars=size, first_chars_min=5, first_chars_max=20))
    pushes = [push.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for push in pushes]
    cuts = [cut for push in pushes for cut in intake.push(push, 0.0)]
    cuts += intake.flush(CutReason.END, 0.0)
    holds(cuts, 0, "".join(pushes))
    assert intake.chars_pending == 0
    assert all(len(cut.text) <= size for cut in cuts)
    assert all(any(map(str.isalnum, cut.text)) for cut in cuts if cut.speakable)


@given(pushes=PUSHES, mode=MODES, dropped=st.integers(0, 20))
def test_a_clear_gives_back_what_was_pending(
    pushes: list[str], mode: Cleanup, dropped: int
) -> None:
    intake = Intake(settings(mode))
    before, after = "".join(pushes[:dropped]), "".join(pushes[dropped:])
    cuts = intake.push(before, 0.0) if before else []
    pending = intake.clear()
    holds(cuts, 0, before[: len(before) - len(pending)])
    assert before.endswith(pending)
    cuts = (intake.push(after, 1.0) if after else []) + intake.flush(CutReason.END, 1.0)
    holds(cuts, len(before), after)


@pytest.mark.parametrize("mode", list(Cleanup))
def test_cuts_do_not_depend_on_how_text_was_pushed(mode: Cleanup) -> None:
    def cut(size: int) -> list[tuple[str, str, CutReason]]:
        intake = Intake(settings(mode))
        parts = [LLM[at : at + size] for at in range(0, len(LLM), size)]
        cuts = [cut for part in parts for cut in intake.push(part, 0.0)]
        cuts += intake.flush(CutReason.END, 0.0)
        return [(cut.text, cut.source, cut.reason) for cut in cuts]

    assert all(cut(size) == cut(len(LLM)) for size in range(1, 40))


@given(pushes=PUSHES, mode=MODES)
def test_words_stand_in_their_cut_in_order(pushes: list[str], mode: Cleanup) -> None:
    intake = Intake(settings(mode))
    cuts = intake.push("".join(pushes) or "x", 0.0) + intake.flush(CutReason.END, 0.0)
    for cut in cuts:
        at = 0
        for word in cut.text.split():
            start = cut.text.index(word, at)
            at = start + len(word)
            begin, end = cut.word(start, at)
            assert 0 <= begin < end <= len(cut.source)
            if mode is Cleanup.OFF:
                assert cut.source[begin:end] == word


def test_a_word_that_was_written_out_is_what_was_written() -> None:
    intake = Intake(settings(Cleanup.SPEECH))
    (cut,) = intake.push("It costs **$5** now", 0.0) + intake.flush(CutReason.END, 0.0)
    assert cut.text == "It costs 5 dollars now"
    for word in ("5", "dollars"):
        start = cut.text.index(word)
        begin, end = cut.word(start, start + len(word))
        assert cut.source[begin:end] == "$5"


def test_text_of_which_nothing_is_spoken_is_still_accounted_for() -> None:
    intake = Intake(settings(Cleanup.MARKDOWN))
    cuts = intake.push("```\nx = 1\n```\n", 0.0) + intake.flush(CutReason.FLUSH, 0.0)
    assert [cut.speakable for cut in cuts] == [False] * len(cuts)
    holds(cuts, 0, "```\nx = 1\n```\n")


def test_held_text_does_not_wait_for_ever() -> None:
    intake = Intake(settings(Cleanup.MARKDOWN, max_delay_ms=400, idle_ms=0))
    assert intake.push("and [this", 0.0) == []
    said: list[Cut] = []
    now = 0.0
    for _ in range(5):
        due = intake.deadline(None)
        if due is None:
            break
        now = due
        said += intake.tick(now, None)
    assert "".join(cut.text for cut in said) == "and [this"
    assert now <= 3 * 0.4 + 1e-9  # once for the mark, once for its text, once more for half a word


def test_no_time_passes_between_the_slices_of_a_push() -> None:
    intake = Intake(settings(Cleanup.OFF, idle_ms=100, max_delay_ms=400))
    intake.push("This is done. ", 0.0, more=True)
    assert intake.deadline(None) is None
    assert intake.tick(9.0, None) == []
    intake.push("And this goes on", 9.0)
    assert intake.deadline(None) is not None


def test_released_pushes_leave_whole() -> None:
    intake = Intake(settings(Cleanup.MARKDOWN, push_boundary=PushBoundary.RELEASE))
    (cut,) = intake.push("and **this", 0.0)
    assert cut.source == "and **this"


@pytest.mark.parametrize(
    "segmentation",
    [
        Segmentation(),
        Segmentation(push_boundary=PushBoundary.RELEASE),
        Segmentation(push_boundary=PushBoundary.AFTER_TERMINATOR),
        Segmentation(release_chars=30),
    ],
    ids=["none", "release", "after_terminator", "release_chars"],
)
@pytest.mark.parametrize("mode", list(Cleanup))
def test_a_push_in_slices_is_one_push(segmentation: Segmentation, mode: Cleanup) -> None:
    def cut(size: int) -> list[tuple[str, CutReason]]:
        intake = Intake(TextSettings(language="en", cleanup=mode, segmentation=segmentation))
        cuts: list[Cut] = []
        for push in (LLM, "And one more. ", "The end"):
            for at in range(0, len(push), size):
                part = push[at : at + size]
                cuts += intake.push(part, 0.0, more=at + size < len(push))
        return [(cut.text, cut.reason) for cut in cuts + intake.flush(CutReason.END, 0.0)]

    assert cut(7) == cut(1) == cut(len(LLM))
