"""The examples of checks: what does not come out refuses the start, in a sentence; and the command that shows them."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from graders import grading
from running_server import until

from reward_server.catalog.catalog import Catalog
from reward_server.catalog.tables import BadCatalog, Tables
from reward_server.checks.trials import trials
from reward_server.checks.worker import CannotLoad, Target, load, prepare_for_checks
from reward_server.processes.worker_process import WorkerProcess
from reward_server.settings import Settings

HERE = Path(__file__).parent


def written(folder: Path, text: str) -> Settings:
    (folder / "rewards.toml").write_text(text)
    (folder / "judge.txt").write_text("{answer}?")
    return Settings(config=folder / "rewards.toml")


def problems(settings: Settings) -> list[str]:
    own = Tables.read(settings).checks.values()
    return [trial.problem for check in own for trial in asyncio.run(trials(check, settings))]


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder on the path of this process and of those that it starts, beside this one."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), str(tmp_path)]))
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_examples_come_out_or_say_why_not(importable: Path) -> None:
    settings = written(
        importable,
        """
[checks.words]
python = "my_checks:words"
examples = [
  ["one two", {min_words = 4}, 0.5], ["one", {min_words = 1}, true], ["one", {min_words = 1}, 0],
  ["one", "no table", 1],
]
[checks.odd]
python = "my_checks:odd"
examples = [["none", "x", "ungradable"], ["exit", "x", 1], ["one", "x", 1]]
[checks.counting]
python = "my_checks:counting"
examples = [["a", "x", 1], ["b", "x", 1]]
[checks.by_time]
python = "my_checks:by_time"
examples = [["a", "x", 1]]
""",
    )
    found = problems(settings)
    assert found[:3] == ["", "", "expected 0, got 1"]
    assert found[3].startswith("expected 1, got error (TypeError at my_checks.py:")
    assert (found[4], found[6]) == ("", "")
    assert found[5].startswith("expected 1, got error (SystemExit at my_checks.py:")
    assert all(found[7:9])
    assert "and the second time" in found[9]


def test_a_worker_refuses_a_file_that_is_not_the_one_that_the_server_read(importable: Path) -> None:
    (importable / "changed_since.py").write_text("def f(a, t): return True")
    with pytest.raises(CannotLoad, match="is not the file that the server read when it started"):
        load([Target("changed_since", "f", source="0" * 12)])


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_module", "broken cannot be imported: ModuleNotFoundError at broken.py:1"),
        ("def f(:", "broken cannot be imported: SyntaxError at broken.py:1"),
        ("raise SystemExit(3)", "broken cannot be imported: SystemExit at broken.py:1"),
        ("import os; os._exit(1)", "the process ended while it imported broken"),
        ("def g(a, t): return 1", "broken has no f; its functions: g"),
        ("f = 3", "broken:f is a int, and no function"),
        ("async def f(a, t): return 1", "broken:f is async"),
    ],
)
def test_a_module_that_does_not_load_says_why(importable: Path, source: str, said: str) -> None:
    (importable / "broken.py").write_text(source)
    (problem,) = problems(written(importable, '[checks.mine]\npython = "broken:f"'))
    assert said in problem


def test_a_grader_that_lies_or_is_away_does_not_pass(tmp_path: Path) -> None:
    with grading() as grader:
        table = f'[checks.liar]\nurl = "{grader.url}"\nexamples = [["liar", "x", 1], ["x", "x", 1], ["null", "x", 1]]'
        found = problems(written(tmp_path, table))
        assert "and the second time" in found[0]
        assert found[1:] == ["", "expected 1, got ungradable (no such task)"]
        assert problems(written(tmp_path, f'[checks.liar]\nurl = "{grader.url}"')) == [""]


TABLES = {
    "[checks]\nmath = 3": "[checks.math]: math is a check of the server's own",
    '[checks.string]\npython = "a:b"': "[checks.string]: string is a check of the server's own",
    '[checks.Mine]\npython = "a:b"': "[checks.Mine]: a check needs a name of a-z, 0-9, - and _",
    "[checks]\nmine = 3": "[checks.mine]: expected a table",
    "checks = 3": "[checks]: expected a table a check",
    "[checks.mine]": "expected either python",
    '[checks.mine]\npython = "a:b"\nurl = "http://x"': "expected either python",
    '[checks.mine]\npython = "my_checks"': 'expected "module:function"',
    '[checks.mine]\npython = "no_such_module:f"': "no module is called no_such_module",
    '[checks.mine]\npython = "sys:exit"': "no module is called sys",
    '[checks.mine]\npython = "my_checks:odd"\nread = "box"': "read: no such key",
    '[checks.mine]\npython = "my_checks:odd"\nname = "box"': "name: no such key",
    '[checks.mine]\npython = "my_checks:odd"\nreads = "boxes"': "reads: ",
    '[checks.mine]\npython = "my_checks:odd"\ntimeout_s = 3': "timeout_s: no such key",
    '[checks.mine]\npython = "my_checks:odd"\nexamples = [["a", "b"]]': "examples: 1: expected [",
    '[checks.mine]\npython = "my_checks:odd"\nexamples = [["a", "b", 2]]': "expected a score in 0 … 1, and not 2",
    '[checks.mine]\npython = "my_checks:odd"\nexamples = [["a", "", 1]]': "the ground truth is empty",
    '[checks.mine]\nurl = "grade"': "url: expected a URL",
    '[checks.mine]\nurl = "http://me:secret@h/x"': "url: it holds a user or a password",
    '[checks.mine]\nurl = "http://h/x"\nmax_in_flight = 0': "max_in_flight: ",
    '[checks.mine]\nurl = "http://h/x"\ntimeout_s = 170': "timeout_s = 170 is no less than a whole request may take",
    '[checks.mine]\nurl = "http://h/x"\napi_key_env = "REWARD_KEY"': "api_key_env: expected the name of a variable",
    '[checks.mine]\nurl = "http://h/x"\nkeep = "folder"': "keep: no such key",
    '[checks.mine]\nurl = "http://h/x"\nmodel = "m"': "is missing (a judge has url, model, prompt and scores)",
    '[checks.mine]\nurl="http://h"\nmodel="m"\nprompt="none.txt"\nscores={A=1}': "prompt: cannot read",
    '[checks.mine]\nurl="http://h"\nmodel="m"\nprompt="judge.txt"\nscores={}': "scores: expected words",
    '[checks.mine]\nurl="http://h"\nmodel="m"\nprompt="judge.txt"\nscores={A=2}': "A: expected a score in 0 … 1",
    '[checks.mine]\nurl="http://h"\nmodel="m"\nprompt="asks.txt"\nscores={A=1}\nexamples=[["a", "b", 1]]': "fourth",
    '[checks.mine]\nurl="http://h"\nmodel="m"\nprompt="bad.txt"\nscores={A=1}': "{question} stands for nothing",
    '[checks.mine]\nurl="http://h"\nmodel="m"\nprompt="empty.txt"\nscores={A=1}': "the file has no {answer}",
    '[checks.mine]\nurl="http://h"\nmodel="m"\nprompt="judge.txt"\nscores={A=1}\nbody={n=1}': "n is set by",
}


@pytest.mark.parametrize("table", TABLES)
def test_a_wrong_table_is_refused_in_clear_words(importable: Path, table: str) -> None:
    (importable / "bad.txt").write_text("{question} {answer}")
    (importable / "empty.txt").write_text("Is it right?")
    (importable / "asks.txt").write_text("{prompt} {answer}")
    with pytest.raises(BadCatalog) as refused:
        Catalog(written(importable, table))
    assert str(refused.value).startswith("rewards.toml: ")
    assert TABLES[table] in str(refused.value)
    assert "secret" not in str(refused.value)


def test_the_digest_is_of_the_source_the_prompt_and_the_scores(importable: Path) -> None:
    def config(table: str, query: str) -> str:
        return Catalog(written(importable, table)).resolve("verifier", query).config

    (importable / "mine.py").write_text("def f(a, t): return True\n")
    python = '[checks.mine]\npython = "mine:f"'
    before = config(python, "check=mine")
    assert config(python + '\nexamples = [["a", "b", 1]]', "check=mine") == before
    (importable / "mine.py").write_text("def f(a, t): return False\n")
    assert config(python, "check=mine") != before
    assert config(python, "") == config("", "") == Catalog(Settings()).resolve("verifier", "").config
    judge = '[checks.mine]\nurl = "http://h"\nmodel = "m"\nprompt = "judge.txt"\nscores = {"YES" = 1}'
    several = [judge, judge.replace("YES", "GOOD"), judge.replace('"m"', '"n"'), judge.replace("http://h", "http://i")]
    assert len({config(each, "check=mine") for each in several}) == 4
    assert config(judge, "check=mine&answer=box") == config(judge, "check=mine")
    assert config(judge + '\nreads = "turn"', "check=mine&answer=box") == config(judge, "check=mine")
    assert config(judge + '\nreads = "turn"', "check=mine") == config(judge, "check=mine&answer=turn")
    second = "check=string&reference=mine"
    assert config(judge + '\nreads = "turn"', second) != config(judge, second)


def test_what_a_check_started_ends_with_its_process(importable: Path) -> None:
    child = importlib.import_module("my_checks").child

    async def killed() -> int:
        worker = await WorkerProcess.start(prepare_for_checks, (1024, ()))
        pid: int = await worker.run(child, ())
        await worker.end()
        return pid

    pid = asyncio.run(killed())
    until(lambda: not is_running(pid))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A command in a folder of its own, with nothing else on Python's path."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("REWARD_", "PYTHONPATH"))}
    program = [sys.executable, "-m", "reward_server", *command]
    repository = str(Path(__file__).parents[2])
    environment["PYTHONPATH"] = repository
    return subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_command_shows_what_came_out_and_a_server_with_a_wrong_example_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def f(a, t): return a == t\n")
    table = '[checks.mine]\npython = "mine:f"\nexamples = [["a", "a", 1], ["a", "b", 0]]\n'
    (tmp_path / "rewards.toml").write_text(table)
    shown = run(tmp_path, "checks", "--config", "rewards.toml")
    assert (shown.returncode, shown.stdout.count(" ok ")) == (0, 2), shown.stderr
    (tmp_path / "rows.jsonl").write_text('{"completion": "\\\\boxed{a}", "ground_truth": "a"}\n')
    scored = run(tmp_path, "score", "rows.jsonl", "--config", "rewards.toml", "--check", "mine")
    assert json.loads(scored.stdout)["reward"] == 1.0, scored.stderr
    (tmp_path / "rewards.toml").write_text(table.replace('"b", 0', '"b", 1'))
    shown = run(tmp_path, "checks", "--config", "rewards.toml")
    assert (shown.returncode, "expected 1, got 0" in shown.stdout) == (1, True), shown.stderr
    served = run(tmp_path, "serve", "--port", "0", "--config", "rewards.toml")
    assert served.returncode == 2
    assert served.stderr.splitlines()[-1] == (
        "reward-server: rewards.toml: [checks.mine]: example 2: expected 1, got 0"
    )
    assert "Traceback" not in served.stderr
