"""The comparison as one HTML file that needs nothing else: no script, no network, light and dark by the reader's choice."""

from __future__ import annotations

import re
from html import escape
from itertools import groupby

from gateway.bench.compare.glossary import DEFINITIONS, defined
from gateway.bench.compare.plots import svg
from gateway.bench.compare.results import Claim, Comparison, Figure, Verdict
from gateway.bench.compare.samples import short
from gateway.bench.compare.table import warnings

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --page: #fff; --faint: #59636e; --line: #d5dae0;
  --paint-1: #0757b8; --paint-2: #b4410b; --paint-3: #1a7032; --paint-4: #7a35a8;
  --holds: #1a7032; --when: #8a5a00; --fails: #b3261e; --open: #59636e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ed; --page: #14171b; --faint: #a0a9b4; --line: #363d46;
    --paint-1: #6cb2ff; --paint-2: #ff9a62; --paint-3: #5cd07d; --paint-4: #cf9bff;
    --holds: #5cd07d; --when: #e8b84a; --fails: #ff8a80; --open: #a0a9b4; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 54rem; color: var(--ink); background: var(--page);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1, h2 { line-height: 1.25; } h2 { font-size: 1.15rem; margin: 0 0 .3rem; }
section { border-top: 1px solid var(--line); padding: 1.2rem 0; }
.verdict { font-weight: 700; } .holds { color: var(--holds); } .when { color: var(--when); }
.fails { color: var(--fails); } .open { color: var(--open); }
.faint { color: var(--faint); font-size: .9rem; } .warning { border-left: 4px solid var(--fails); padding-left: .8rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .85rem; width: 100%; overflow-wrap: normal; }
th, td { text-align: left; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th.n, td.n { text-align: right; } td.n, .verdict { white-space: nowrap; } td.n { font-variant-numeric: tabular-nums; }
tbody th { padding-top: .7rem; }
svg { width: 100%; max-width: 38rem; height: auto; display: block; }
figure { margin: 1.2rem 0; } figcaption { font-weight: 600; margin-bottom: .3rem; }
a { color: var(--paint-1); }
"""
MEDIAN = "p50"
"""The percentile that has a column of its own."""
CLASSES = {
    Verdict.HOLDS: "holds",
    Verdict.HOLDS_WHEN: "when",
    Verdict.DOES_NOT_HOLD: "fails",
    Verdict.UNDECIDED: "open",
}


def report(result: Comparison) -> str:
    """The page."""
    machine = result.machine
    about = (
        f"{machine.cpu}, {machine.cores} cores, {machine.memory_mb} MB, {machine.system}, Python {machine.python}; "
        f"gateway {machine.gateway} ({machine.git or 'no checkout'}); target: {result.target}; plan {result.plan.name}, "
        f"seed {result.plan.seed}, {result.plan.repeats} repeats, model {result.plan.model}; "
        f"begun {result.started}, {result.seconds:.0f} s."
    )
    warned = "".join(f'<p class="warning">{escape(text)}</p>' for text in warnings(result))
    rows = "".join(
        f'<tr><td>{claim.number}</td><td><a href="#claim-{claim.number}">{escape(claim.claim)}</a></td>'
        f"<td>{_verdict(claim)}</td></tr>"
        for claim in result.claims
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>HTTP against WebSocket for speech</title><style>{STYLE}</style></head><body>"
        f'<h1>HTTP against WebSocket for speech</h1><p class="faint">{escape(about)}</p>{warned}'
        f'<div class="wide"><table><tr><th></th><th>claim</th><th>verdict</th></tr>{rows}</table></div>'
        "<p>Values are medians, of stalls and shares means; the interval behind each is its 95 % bootstrap interval over "
        "repeats. A verdict needs intervals that are apart. A percentile is given from 10/(1−p) values on. Times count from the intended start.</p>"
        f"{''.join(map(_section, result.claims))}{_glossary(result)}</body></html>\n"
    )


def _verdict(claim: Claim) -> str:
    verdict = claim.judgement.verdict
    return f'<span class="verdict {CLASSES[verdict]}">{escape(verdict)}</span>'


def _section(claim: Claim) -> str:
    judgement = claim.judgement
    pictures = "".join(
        f"<figure><figcaption>{escape(chart.title)}</figcaption>{svg(claim, chart)}</figure>"
        for chart in judgement.charts
    )
    return (
        f'<section id="claim-{claim.number}"><h2>{claim.number}. {escape(claim.claim)}</h2><p>{_verdict(claim)}<br>'
        f'{escape(judgement.answer)}</p>{pictures}{_figures(claim)}<p class="faint">Claimed: '
        f"{escape(claim.made_in)}<br>Method: {_prose(claim.method)}<br>Rule: {_prose(claim.rule)}{_health(claim)}</p></section>"
    )


def _glossary(result: Comparison) -> str:
    """A sentence for each figure that the page has."""
    named = {defined(one.quantity) for claim in result.claims for one in claim.judgement.figures}
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{_prose(meaning)}</td></tr>'
        for name, meaning in DEFINITIONS.items()
        if name in named
    )
    return f'<section id="figures"><h2>The figures</h2><div class="wide"><table>{rows}</table></div></section>'


def _prose(text: str) -> str:
    """With what stands between backticks as code."""
    return re.sub("`(.+?)`", r"<code>\1</code>", escape(text))


def _figures(claim: Claim) -> str:
    """A table of the figures, those of one quantity under its name."""
    if not claim.judgement.figures:
        return ""
    rows = "".join(
        f'<tbody><tr><th colspan="5" scope="rowgroup">{escape(quantity)}</th></tr>{"".join(map(_row, group))}</tbody>'
        for quantity, group in groupby(claim.judgement.figures, lambda one: one.quantity)
    )
    return (
        f'<div class="wide" tabindex="0" role="group" aria-label="Figures of claim {claim.number}"><table><thead><tr>'
        '<th>way</th><th class="n">value</th><th class="n">95 %</th><th class="n">n</th><th>percentiles</th>'
        f"</tr></thead>{rows}</table></div>"
    )


def _row(one: Figure) -> str:
    percentiles = ", ".join(
        f"{name} {short(value)}" for name, value in one.percentiles.items() if name != MEDIAN
    )
    return (
        f'<tr><td>{escape(one.way)}</td><td class="n">{short(one.value)} {escape(one.unit)}</td>'
        f'<td class="n">{short(one.low)} to {short(one.high)}</td><td class="n">{one.n}</td><td>{percentiles}</td></tr>'
    )


def _health(claim: Claim) -> str:
    health = claim.health
    if health is None:
        return ""
    failed = ", ".join(f"{count} {what}" for what, count in claim.failures.items()) or "none"
    return (
        f"<br>Harness: lag p99 {health.lag_p99_ms:.2f} ms, at most {health.lag_max_ms:.1f} ms, "
        f"{health.cpu_share:.0%} of a core{'' if health.is_valid else '; INVALID'}. "
        f"Utterances: {claim.utterances}, failed: {failed}."
    )
