import ast
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = {page.name: page.read_text() for page in sorted((ROOT / "docs" / "trainers").glob("*.md"))}
MODULES = [ROOT / "trainer_client" / "__init__.py", *sorted((ROOT / "trainer_client" / "adapters").glob("[a-z]*.py"))]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_every_snippet_of_a_docstring_stands_in_one_page_word_for_word(module: Path) -> None:
    doc = ast.get_docstring(ast.parse(module.read_text()))
    assert doc is not None
    snippets = [textwrap.indent(textwrap.dedent(part), "    ") for part in doc.split("\n\n") if part.startswith("    ")]
    assert snippets
    assert any(all(snippet in page for snippet in snippets) for page in PAGES.values())


@pytest.mark.parametrize("page", sorted(PAGES.keys() - {"index.md"}))
def test_every_page_stands_in_the_table_of_trainers_and_in_the_site(page: str) -> None:
    assert f"]({page})" in PAGES["index.md"]
    assert f"trainers/{page}" in (ROOT / "mkdocs.yml").read_text()
