"""Debian's Chromium, driven by Playwright: pages as a person would see them, and all that they ask for and complain of.

`.ci/run` installs the browser; elsewhere `apt-get install chromium` does, and tests without one are skipped.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, ConsoleMessage, Page, async_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
FLAGS = [
    "--no-sandbox",  # It does not start as root with one.
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LAUNCH_MS_MAX = 30_000
STEP_MS_MAX = 10_000
"""Of any one thing that a page is asked to do."""

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here: apt-get install chromium"
)


@dataclass(slots=True)
class Visit:
    """A page, the addresses of all that it asked for, and its errors and warnings, in order."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@asynccontextmanager
async def chromium(profile: Path) -> AsyncIterator[BrowserContext]:
    """A browser without a window, ended with the block. `profile` is a directory that no browser has used."""
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            profile, executable_path=CHROMIUM, headless=True, args=FLAGS, timeout=LAUNCH_MS_MAX
        )
        context.set_default_timeout(STEP_MS_MAX)
        try:
            yield context
        finally:
            await context.close()


async def visit(browser: BrowserContext, url: str) -> Visit:
    """Open a page of its own and load `url` in it."""
    found = Visit(await browser.new_page())

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            found.complaints.append(message.text)

    found.page.on("request", lambda request: found.requests.append(request.url))
    found.page.on("console", hear)
    found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
    await found.page.goto(url)
    return found
