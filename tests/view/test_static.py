"""What is shipped beside the code: uPlot as its authors published it, and little JavaScript of our own."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import reward_server.view

STATIC = Path(reward_server.view.__file__).parent / "static"
UPLOT = {  # of the npm tarball uplot-1.6.32.tgz: `npm pack uplot@1.6.32`
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    "LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
}


def test_uplot_is_what_its_authors_published() -> None:
    assert {path.name: sha256(path.read_bytes()).hexdigest() for path in (STATIC / "uplot").iterdir()} == UPLOT


def test_our_own_javascript_is_short_and_makes_no_html() -> None:
    script = (STATIC / "view.js").read_text()
    assert len(script.splitlines()) <= 80
    assert not any(word in script for word in ("innerHTML", "insertAdjacent", "document.write", "eval(", "fetch("))
