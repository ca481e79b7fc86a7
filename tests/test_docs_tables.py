"""The tables that declarations make are in the documentation as the declarations have them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.tables import MARKED, PAGES, tables, written
from reward_server.rewards.reward import Reward
from reward_server.rewards.table import REWARDS
from reward_server.settings import Settings

ROWS = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_the_tables_of_the_declarations(page: Path) -> None:
    text = page.read_text()
    assert text == written(text), f"`make reference` writes the tables of {page.name} anew"


def test_every_table_stands_on_a_page() -> None:
    marks = [mark for page in PAGES for _, mark, _ in MARKED.findall(page.read_text())]
    assert sorted(marks) == sorted(tables())


def test_every_setting_and_every_parameter_has_a_row() -> None:
    made = tables()
    settings = ROWS.findall(made["settings of the server"]) + ROWS.findall(made["settings of the reward model"])
    assert sorted(settings) == sorted(Settings.model_fields)
    for name, kind in REWARDS.items():
        assert sorted(ROWS.findall(made[f"parameters of {name}"])) == sorted(kind.model_fields)


def test_every_row_says_what_it_means() -> None:
    for name, table in tables().items():
        rows = table.splitlines()[2:]
        assert rows and all(row.split(" | ")[-1].rstrip(" |") for row in rows), name


def test_a_table_says_which_values_there_are_and_which_is_the_default() -> None:
    made = tables()
    assert "| `flip_prob` |  | 0 … 1 | " in made["parameters of flip"]
    assert "| `check` | `math` | `math`, `string`, … | " in made["parameters of verifier"]
    assert "| `sigma` | `1` | number > 0 | " in made["parameters of rm"]
    assert "| `verifier_workers` | cores + 1 | integer ≥ 1 | " in made["settings of the server"]
    assert "| 503 | `loading` | yes | " in made["errors"]


def test_a_reward_s_own_parameters_come_first() -> None:
    assert ROWS.findall(tables()["parameters of flip"])[:2] == ["flip_prob", "false_positive_prob"]
    assert ROWS.findall(tables()["parameters of rm"])[-1] in Reward.model_fields
