"""A page in Chromium, driven by Playwright; modules that import this are skipped where one is missing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="make test-browser runs it")
CHROMIUM = (
    os.environ.get("NACRE_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
)
if CHROMIUM is None:
    pytest.skip("no Chromium on the PATH", allow_module_level=True)


@contextmanager
def opened(path: Path, size: tuple[int, int]) -> Iterator[Any]:
    """An open page; the test fails on console errors and on requests to anything else."""
    width, height = size
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": width, "height": height})
        wrong, asked = [], []
        page.on(
            "console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda e: wrong.append(str(e)))
        page.on("request", lambda r: asked.append(r.url))
        page.goto(path.as_uri())
        yield page
        assert wrong == []
        assert [u for u in asked if not u.startswith("data:")] == [path.as_uri()]
        browser.close()
