"""The comparison: what is said of HTTP and WebSocket for speech, each claim with its figures and a verdict.

    Plan ──► harness ──► repeats of samples ──► judge ──► Claim ──► Comparison ──► table, results.json, report.html
               │  └─ claims/*: how a claim is measured (async, speaks the wire), how it is judged (a pure function)
               └─ Lab: the target, the clients, and the harness's own lateness meanwhile

A claim is measured `Plan.repeats` times. One repeat gives a `Sample`: for each way (a protocol and how it is used) and
each quantity its values. `judge` sees nothing but these samples, so verdicts are tested with plain numbers. A verdict needs
intervals that are apart: what they do not decide is `undecided`. Each claim has its rule written down, in the report and in
docs/benchmarks/method.md, and so has each figure its meaning (`glossary`).
"""
