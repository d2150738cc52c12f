"""The report as a reader sees it: a real browser, light and dark, on a desk and on a phone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import pytest
import pytest_asyncio
from matplotlib.image import imread
from numpy.typing import NDArray
from playwright.async_api import BrowserContext

from gateway.bench.compare.report import report
from gateway.bench.compare.results import Comparison
from tests.support.browser import chromium, needs_chromium, visit
from tests.support.checkout import ROOT

RECORDED = ROOT / "docs" / "benchmarks" / "compare" / "results.json"
DESK = {"width": 1_000, "height": 800}
PHONE = {"width": 390, "height": 844}
CONTRAST_MIN = 4.5
"""WCAG 2.2, 1.4.3, for text."""
PAINTED_MIN = 30
"""Pixels of a picture in a colour of data; one point has more than a hundred."""

# Every element with text of its own, pictures included, as [text, contrast with the page, font size in CSS pixels].
TEXTS = """() => {
  const channels = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const luminance = colour => {
    const [r, g, b] = channels(colour).map(c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const page = luminance(getComputedStyle(document.body).backgroundColor);
  const found = [];
  for (const element of document.body.querySelectorAll("*")) {
    const text = [...element.childNodes].filter(n => n.nodeType === 3).map(n => n.data).join("").trim();
    if (!text || element.closest("style, metadata, defs")) continue;
    const style = getComputedStyle(element);
    const ink = luminance(element.closest("svg") ? style.fill : style.color);
    const scale = element.closest("svg") ? Math.hypot(element.getScreenCTM().a, element.getScreenCTM().b) : 1;
    const contrast = (Math.max(ink, page) + 0.05) / (Math.min(ink, page) + 0.05);
    found.push([text, contrast, parseFloat(style.fontSize) * scale]);
  }
  return found;
}"""
# Every picture with the box that it takes on the page.
PICTURES = """() => [...document.querySelectorAll("svg")].map(svg => {
  const box = svg.getBoundingClientRect();
  return [box.left + scrollX, box.top + scrollY, box.width, box.height].map(Math.round);
})"""
# The colours of data, as a browser computes them.
PAINTS = """() => [1, 2, 3, 4].map(n => {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = `var(--paint-${n})`;
  const colour = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
  probe.remove();
  return colour;
})"""
WIDTHS = "() => [document.documentElement.scrollWidth, window.innerWidth]"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(60),
    needs_chromium,
]


@pytest.fixture(scope="module")
def recorded() -> Comparison:
    return msgspec.json.decode(RECORDED.read_bytes(), type=Comparison)


@pytest.fixture(scope="module")
def page(recorded: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(report(recorded), encoding="utf-8")
    return file


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BrowserContext]:
    async with chromium(tmp_path_factory.mktemp("profile")) as running:
        yield running


def pixels(screenshot: bytes) -> NDArray[np.int16]:
    """Rows of pixels, each red, green and blue up to 255."""
    rows: NDArray[np.float32] = np.asarray(imread(BytesIO(screenshot)), np.float32)
    return np.rint(rows[:, :, :3] * 255).astype(np.int16)


@pytest.mark.parametrize(
    ("scheme", "size", "text_px_min"),
    [("light", DESK, 12.0), ("dark", DESK, 12.0), ("light", PHONE, 9.0), ("dark", PHONE, 9.0)],
    ids=["light desk", "dark desk", "light phone", "dark phone"],
)
async def test_the_report_is_whole_and_legible(
    browser: BrowserContext,
    recorded: Comparison,
    page: Path,
    tmp_path: Path,
    scheme: Literal["light", "dark"],
    size: dict[str, int],
    text_px_min: float,
) -> None:
    seen = await visit(browser, page.as_uri())
    await seen.page.emulate_media(color_scheme=scheme)
    await seen.page.set_viewport_size({"width": size["width"], "height": size["height"]})
    width, allowed = await seen.page.evaluate(WIDTHS)
    texts = await seen.page.evaluate(TEXTS)
    pictures = await seen.page.evaluate(PICTURES)
    paints = await seen.page.evaluate(PAINTS)
    whole = pixels(await seen.page.screenshot(path=tmp_path / f"{scheme}.png", full_page=True))
    await seen.page.close()

    assert seen.requests == [page.as_uri()]
    assert seen.complaints == []
    assert width <= allowed
    said = {text for text, _, _ in texts}
    assert {claim.claim for claim in recorded.claims} <= said
    assert [text for text, contrast, _ in texts if contrast < CONTRAST_MIN] == []
    assert [text for text, _, px in texts if px < text_px_min] == []
    assert (whole[0, 0].mean() < 64) == (scheme == "dark")
    assert len(pictures) == sum(len(claim.judgement.charts) for claim in recorded.claims)
    for left, top, wide, high in pictures:
        picture = whole[top : top + high, left : left + wide]
        near = [np.abs(picture - np.asarray(paint)).max(axis=2) < 8 for paint in paints]
        assert sum(int(hits.sum()) for hits in near) >= PAINTED_MIN, (left, top)
