"""What the site needs beside the pages of `docs/`: those of the root, their links, and no foreign host.

A code host shows README.md, CONTRIBUTING.md, SECURITY.md and CHANGELOG.md beside the folder `docs/`. The site has them
as pages of its own, so links that cross the folder's border are rewritten here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
ROOT_PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
}
ASSET = re.compile(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//[^>]*>")
CANONICAL = 'rel="canonical"'


def on_files(files: Files, config: Any, **_: Any) -> Files:
    """Adds the pages of the root."""
    for name, page in ROOT_PAGES.items():
        files.append(File.generated(config, page, content=as_page((ROOT / name).read_text(encoding="utf-8"))))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Rewrites the links of a page of `docs/` to the pages of the root: on the site those lie in `docs/` too."""
    up = "../" * page.file.src_uri.count("/")
    return re.sub(rf"\]\({re.escape(up)}\.\./([A-Z]+\.md)", lambda found: f"]({up}{ROOT_PAGES[found[1]]}", markdown)


def as_page(text: str) -> str:
    """A text of the root as a page beside those of `docs/`."""
    text = re.sub(r"\]\(docs/", "](", text)
    return re.sub(r"\]\((\w+\.md)", lambda found: f"]({ROOT_PAGES.get(found[1], found[1])}", text)


def on_post_build(config: Any, **_: Any) -> None:
    """Raises where a page would fetch something from another host: the site works offline."""
    for page in Path(config["site_dir"]).rglob("*.html"):
        foreign = [tag for tag in ASSET.findall(page.read_text(encoding="utf-8")) if CANONICAL not in tag]
        if foreign:
            raise PluginError(f"{page.name} fetches from another host: {foreign[0]}")
