import ast
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = [ROOT / "trainer_client" / "__init__.py", *sorted((ROOT / "trainer_client" / "adapters").glob("[a-z]*.py"))]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_every_snippet_of_a_docstring_stands_in_the_page_word_for_word(module: Path) -> None:
    page = (ROOT / "docs" / "trainers.md").read_text()
    doc = ast.get_docstring(ast.parse(module.read_text()))
    assert doc is not None
    snippets = [part for part in doc.split("\n\n") if part.startswith("    ")]
    assert snippets
    for snippet in snippets:
        assert textwrap.indent(textwrap.dedent(snippet), "    ") in page
