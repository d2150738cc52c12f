"""Charts as SVG that takes its colours from the page: matplotlib draws, CSS variables paint."""

from __future__ import annotations

import io
import re
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from gateway.bench.compare.results import Chart, Claim, Figure

mpl.use("svg")

WIDTH_IN = 5.0
"""As wide as a phone, so that text of the page's size is legible there."""
POINT_IN = 0.3
MARGIN_IN = 0.8
LINES_IN = 3.0
LINE_STYLES: tuple[Any, ...] = (("o", "-"), ("s", "--"), ("^", "-."), ("D", ":"))
"""Marker and dashes of each line, so that one on top of another hides no more than half of it."""
INK = "#010203"
"""Stands for the page's text colour, and is replaced by it."""
PAINTS = ("#0a0b01", "#0a0b02", "#0a0b03", "#0a0b04")
"""Stand for the page's `--paint-1` and so on."""
STYLE: Any = {  # Its keys are typed one by one, all three hundred.
    "svg.fonttype": "none",  # Text stays text, in the page's font.
    "svg.hashsalt": "speech",  # The same figures give the same picture.
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK
    ),
}


def svg(claim: Claim, chart: Chart) -> str:
    """The picture as an `<svg>` element, without width and height of its own."""
    figures = [one for one in claim.judgement.figures if one.quantity == chart.quantity]
    height = LINES_IN if chart.lines else MARGIN_IN + POINT_IN * max(len(figures), 1)
    with mpl.rc_context(STYLE):
        canvas = Canvas(figsize=(WIDTH_IN, height), layout="constrained")
        axes = canvas.subplots()
        if chart.lines:
            _draw_lines(axes, chart)
        else:
            _draw_points(axes, figures)
        axes.set_xlabel(chart.x)
        axes.grid(alpha=0.2, color=INK)
        drawn = io.StringIO()
        canvas.savefig(
            drawn, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
        )
    return _painted(drawn.getvalue(), chart.title)


def _draw_points(axes: Axes, figures: list[Figure]) -> None:
    for number, one in enumerate(figures):
        axes.plot([one.low, one.high], [number, number], color=PAINTS[0], linewidth=3, alpha=0.5)
        axes.plot([one.value], [number], "o", color=PAINTS[0])
    axes.set_yticks(range(len(figures)), [one.way for one in figures])
    axes.set_ylim(len(figures) - 0.5, -0.5)
    axes.axvline(0.0, color=INK, linewidth=1)
    axes.spines.left.set_visible(False)
    axes.tick_params(axis="y", length=0)


def _draw_lines(axes: Axes, chart: Chart) -> None:
    for number, line in enumerate(chart.lines):
        paint = PAINTS[number % len(PAINTS)]
        marker, dashes = LINE_STYLES[number % len(LINE_STYLES)]
        axes.plot(
            line.x, line.y, dashes, marker=marker, color=paint, label=line.name, clip_on=False
        )
        if line.low:
            axes.fill_between(line.x, line.low, line.high, color=paint, alpha=0.2, linewidth=0)
    axes.set_ylabel(chart.y)
    axes.set_ylim(bottom=0)
    if chart.is_log:
        axes.set_xscale("log", base=2)
        axes.set_xticks(chart.lines[0].x, [f"{x:g}" for x in chart.lines[0].x])
    axes.legend(frameon=False)


def _painted(drawn: str, title: str) -> str:
    """Without prologue and size, the stand-ins replaced, with a title for those who do not see it."""
    element = drawn[drawn.index("<svg") :]
    element = re.sub(r' (width|height)="[\d.]+pt"', "", element, count=2)
    element = element.replace("<svg", f'<svg role="img" aria-label="{title}"', 1)
    element = element.replace(INK, "var(--ink)")
    for number, paint in enumerate(PAINTS, 1):
        element = element.replace(paint, f"var(--paint-{number})")
    return _own_ids(element, title)


def _own_ids(element: str, title: str) -> str:
    """Several pictures share a page, and their ids must not."""
    prefix = re.sub(r"\W+", "-", title.lower())
    element = re.sub(r'\bid="', f'id="{prefix}-', element)
    element = re.sub(r"url\(#", f"url(#{prefix}-", element)
    return re.sub(r'href="#', f'href="#{prefix}-', element)
