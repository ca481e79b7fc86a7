"""Debian's Chromium over a page, and all that must not happen while it shows one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WHY_NOT = "a browser is needed: `make test-view` installs Playwright, and Debian's chromium where it may"
AXE = Path(__file__).parents[2] / ".venv-view" / "axe.min.js"


def playwright() -> Any:
    """Playwright's module for programs without asyncio. Skips the module where it or the browser is missing."""
    if CHROMIUM is None:
        pytest.skip(WHY_NOT, allow_module_level=True)
    return pytest.importorskip("playwright.sync_api", reason=WHY_NOT)


class Watched:
    """A tab: the page, and what went wrong in it: requests that leave the loopback, errors, violations, dialogs."""

    def __init__(self, context: Any, url: str) -> None:
        self.url = url
        self.problems: list[str] = []
        self.page = context.new_page()
        self.page.set_default_timeout(180_000)  # no test fails because the machine is slow
        self.page.add_init_script(
            "addEventListener('securitypolicyviolation',"
            " (event) => console.error('violation ' + event.violatedDirective + ' ' + event.blockedURI))"
        )
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self._note(str(error)))
        self.page.on("dialog", self._asked)
        self.page.on("request", self._requested)

    def open(self, path: str) -> Any:
        """Goes there, and returns the page."""
        self.page.goto(self.url + path)
        return self.page

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self._note(message.text)

    def _asked(self, dialog: Any) -> None:
        self._note(dialog.message)
        dialog.dismiss()

    def _requested(self, request: Any) -> None:
        if not request.url.startswith((self.url, "data:")):
            self._note(f"request {request.url}")

    def _note(self, problem: str) -> None:
        self.problems.append(problem)


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser."""
    with playwright().sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()
