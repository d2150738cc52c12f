"""Planted bugs of what compares results and peers, and of the report as it is seen."""

from __future__ import annotations

from tests.mutants.planting import Planted

DIFF_TESTS = ("tests/bench/test_diff.py",)
PEERS_TESTS = ("tests/bench/test_peers.py",)
PAGE_TESTS = ("tests/bench/test_report_in_a_browser.py",)
TROUBLE_TESTS = ("tests/bench/test_compare_in_trouble.py",)

BUGS = (
    Planted(
        "more-audio-is-worse",
        "the direction of a figure is forgotten",
        "gateway/bench/diff/changes.py",
        "        return Judged.BETTER if direction > 0 else Judged.WORSE\n",
        "        return Judged.WORSE\n",
        DIFF_TESTS,
    ),
    Planted(
        "pooled-repeats",
        "values are drawn without their repeats being drawn first",
        "gateway/bench/instruments/stats.py",
        "    runs = chance.integers(len(repeats), size=(rounds, len(repeats)))\n",
        "    runs = np.tile(np.arange(len(repeats)), (rounds, 1))\n",
        DIFF_TESTS,
    ),
    Planted(
        "header-is-audio",
        "a WAV header counts as the first byte of audio",
        "gateway/bench/peers/measure.py",
        '        header = wav_header_bytes(b"".join(payload.data for payload in payloads))\n',
        "        header = 0\n",
        PEERS_TESTS,
    ),
    Planted(
        "ratio-upside-down",
        "the table says how many times slower instead of quicker",
        "gateway/bench/peers/table.py",
        "short(ratio if one.quantity == THROUGHPUT else 1 / ratio)",
        "short(ratio)",
        PEERS_TESTS,
    ),
    Planted(
        "dark-page-stays-white",
        "light text on a white page",
        "gateway/bench/compare/report.py",
        "--page: #14171b",
        "--page: #ffffff",
        PAGE_TESTS,
    ),
    Planted(
        "tables-wider-than-a-phone",
        "wide tables make the whole page scroll",
        "gateway/bench/compare/report.py",
        ".wide { overflow-x: auto; } ",
        "",
        PAGE_TESTS,
    ),
    Planted(
        "ctrl-c-for-the-gateway",
        "the benchmark's own gateway is in the terminal's process group",
        "gateway/bench/subjects.py",
        "                process_group=0,",
        "                # process_group=0,",
        TROUBLE_TESTS,
    ),
)
