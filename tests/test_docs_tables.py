"""The tables that declarations make are in the documentation as the declarations have them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.tables import MARKED, PAGES, tables, written
from reward_server.rewards.table import REWARDS
from reward_server.settings import Settings


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_the_tables_of_the_declarations(page: Path) -> None:
    text = page.read_text()
    assert text == written(text), f"`python docs/tables.py` writes {page.name} anew"


def test_every_table_stands_on_a_page() -> None:
    marks = [mark for page in PAGES for _, mark, _ in MARKED.findall(page.read_text())]
    assert sorted(marks) == sorted(tables())


def test_every_setting_and_every_parameter_is_documented() -> None:
    made = tables()
    assert set(re.findall(r"^\| `(\w+)` \|", made["settings"], re.MULTILINE)) == set(Settings.model_fields)
    for name, kind in REWARDS.items():
        both = made["parameters of all"] + made[f"parameters of {name}"]
        assert set(re.findall(r"^\| `(\w+)` \|", both, re.MULTILINE)) == set(kind.model_fields)


def test_a_table_says_which_values_there_are() -> None:
    assert "| `flip_prob` |  | 0 … 1 | Probability" in tables()["parameters of flip"]
    assert "| `check` | `math` | `math`, `string` |" in tables()["parameters of verifier"]
    assert "| `sigma` | `1.0` | a number > 0 |" in tables()["parameters of rm"]
