"""What the pages of docs/trainers say to paste, run with the trainers' own code where it installs (`make trainers`)."""

from __future__ import annotations

import asyncio
import importlib
import re
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import yaml
from trainer_programs import ROOT, printed

from reward_server.rewards.noise import flip_draw
from trainer_client import RequestRefused, RewardClient
from trainer_client.adapters import _shared

PAGES = ROOT / "docs" / "trainers"
FLIP = "/score/flip?flip_prob=0.5&seed=3"
HERE = "http://127.0.0.1:8000"


def snippets(page: str, heading: str = "") -> list[str]:
    """The indented blocks of a page, or of what stands below one heading; a blank line within a block is part of it."""
    text = (PAGES / page).read_text().partition(f"\n## {heading}\n")[2] if heading else (PAGES / page).read_text()
    text = text.partition("\n## ")[0] if heading else text
    return [textwrap.dedent(block) for block in re.findall(r"(?:^(?: {4}.*)?\n)*^ {4}.*\n", text, re.MULTILINE)]


def starting(page: str, start: str) -> str:
    (found,) = (snippet for snippet in snippets(page) if snippet.strip().startswith(start))
    return found.strip("\n") + "\n"


def expected(url: str) -> list[float | None]:
    with RewardClient(url) as client:
        return client.score([r"\boxed{4}", r"\boxed{5}"], prompts=["2+2?"] * 2, ground_truths=["4"] * 2).rewards


def test_axolotl_loads_and_calls_what_its_recipe_names(server: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(starting("axolotl.md", "rl: grpo"))
    program, config = "recipe_axolotl.py", str(tmp_path / "config.yaml")
    (result,) = printed("RECIPES_PYTHON", program, config, url=server + FLIP)
    assert result["direct"] == result["worker"] == [*expected(server + FLIP), None]


def test_oumis_registry_gives_out_what_its_recipe_registers(server: str, tmp_path: Path) -> None:
    (tmp_path / "oumi_rewards.py").write_text(starting("oumi.md", "from oumi"))
    (name,) = re.findall(r"reward_functions: \[(\w+)\]", (PAGES / "oumi.md").read_text())
    (result,) = printed("RECIPES_PYTHON", "recipe_oumi.py", str(tmp_path), name, url=server + FLIP)
    assert result == {"rewards": expected(server + FLIP), "error": "Unscored"}


def test_tunix_sums_none_as_0_so_its_recipe_raises(server: str, tmp_path: Path) -> None:
    (tmp_path / "snippet.py").write_text(starting("tunix.md", "from trainer_client").replace(HERE, server))
    (result,) = printed("RECIPES_PYTHON", "recipe_tunix.py", str(tmp_path / "snippet.py"), url="")
    assert result == {
        "rewards": expected(f"{server}/score/flip?flip_prob=0.4"),
        "none": [1.0, 0.0],
        "error": "Unscored",
    }


@pytest.mark.parametrize(
    ("heading", "python"),
    [
        ("TRL environments", "TRAINERS_PYTHON"),
        ("OpenEnv", "RECIPES_PYTHON"),
        ("tinker-cookbook", "RECIPES_PYTHON"),
        ("ART", "RECIPES_PYTHON"),
        ("Agent Lightning", "TRAINERS_PYTHON"),
        ("rLLM", "TRAINERS_PYTHON"),
    ],
)
def test_an_environment_of_ones_own_pays_what_the_server_says(
    server: str, tmp_path: Path, heading: str, python: str
) -> None:
    (tmp_path / "snippet.py").write_text("\n".join(snippets("environments.md", heading)))
    name = heading.lower().replace(" environments", "").replace("-", "_").replace(" ", "_")
    url = f"{server}{FLIP}&unscored=error"
    (result,) = printed(python, "recipe_environments.py", name, str(tmp_path / "snippet.py"), url=url)
    assert result["rewards"] == expected(url)


def test_slimes_data_sets_of_evaluation_are_paid_clean(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (dataset,) = yaml.safe_load(starting("slime.md", "eval:"))["eval"]["datasets"]
    module, _, name = dataset["custom_rm_path"].rpartition(".")
    function = getattr(importlib.import_module(module), name)
    monkeypatch.setenv("REWARD_URL", server + FLIP)
    _shared.async_client.cache_clear()

    def paid(metadata: object) -> list[float]:
        samples = [
            SimpleNamespace(prompt=f"{row}?", response=r"\boxed{4}", label="4", metadata=metadata) for row in range(16)
        ]
        rewards: list[float] = asyncio.run(function(SimpleNamespace(reward_key=None), samples))
        return rewards

    assert paid(dataset["metadata_overrides"]) == [1.0] * 16 != paid(None)
    _shared.async_client.cache_clear()


def test_xtuners_judger_is_paid_what_the_server_says(server: str) -> None:
    """The call of its NativeJudger (git b934f46). It wants a dict, and trains on `score`."""
    made: dict[str, Any] = {}
    exec(starting("xtuner.md", "from trainer_client").replace(HERE, server), made)
    label = {"ground_truth": "4", "group": "q-1", "visit": 3}

    def judged(response: str, **changes: object) -> dict[str, float]:
        given = {"response": response, "label": label | changes, "extra_info": {}}
        paid: dict[str, float] = asyncio.run(made["reward_server"](**given))
        return paid

    with RewardClient(f"{server}/score/flip?flip_prob=0.4") as client:
        answers = [r"\boxed{4}", r"\boxed{5}", "none"]
        rewards = client.score(answers, ground_truths=[label] * 3).rewards
    assert [judged(answer)["score"] for answer in answers] == rewards
    drawn = flip_draw(seed=0, group="q-1", visit=3)
    assert judged(r"\boxed{4}", flip=False) == {"clean": 1.0, "flipped": 0.0, "flip_draw": drawn, "score": 1.0}
    with pytest.raises(RequestRefused, match="the ground truth is unusable"):
        judged(r"\boxed{4}", ground_truth="")


def test_the_score_that_xtuner_would_take_from_a_url_is_the_outcome_and_no_corrected_reward(server: str) -> None:
    body = {"response": r"\boxed{4}", "label": {"ground_truth": "4", "group": "q"}, "extra_info": {"score": 1}}
    reply = httpx.post(f"{server}/score/flip?flip_prob=0.25&correction=backward&reply=object", json=body).json()
    assert (reply["reward"], reply["score"]) in [(1.5, 1.0), (-0.5, 0.0)]


def test_verifiers_takes_prime_rls_toml(tmp_path: Path) -> None:
    recipe = starting("verifiers.md", "[[orchestrator")
    (tmp_path / "rl.toml").write_text(recipe)
    (result,) = printed("VERIFIERS_PYTHON", "recipe_prime_rl.py", str(tmp_path / "rl.toml"), url="")
    task = {"resources_url": f"{HERE}/score/math-noisy", "headers": {"Authorization": "Bearer KEY"}}
    assert result == {"class": "NeMoGymConfig", "task": task | {"request_timeout": 60.0}}


def test_nemo_gym_installs_and_configures_our_server_as_its_recipe_says(tmp_path: Path) -> None:
    folder = tmp_path / "resources_servers" / "reward_server"
    folder.mkdir(parents=True)
    (folder / "app.py").write_text(starting("nemo-gym.md", "from trainer_client"))
    (folder / "requirements.txt").write_text(starting("nemo-gym.md", "-e nemo-gym"))
    (tmp_path / "config.yaml").write_text(starting("nemo-gym.md", "reward_server:"))
    (result,) = printed("NEMO_GYM_PYTHON", "recipe_nemo_gym.py", str(tmp_path), url="")
    assert "Missing" in result["without"]
    assert result["installed"] == ["nemo-gym==0.4.0", "reward-server @ file:///opt/reward-server"]
    assert result["references"] == [{"type": "resources_servers", "name": "reward_server"}]
