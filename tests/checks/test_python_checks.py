"""Python functions as checks: what they are given, and what becomes of everything that they may do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from running_server import RunningServer, running_server

HERE = str(Path(__file__).parent)
TABLES = """
[checks.words]
python = "my_checks:words"
reads = "turn"
examples = [["one two", {min_words = 4}, 0.5], ["one two", {min_words = 2}, 1]]

[checks.equal]
python = "my_checks:equal"

[checks.given]
python = "my_checks:given"

[checks.odd]
python = "my_checks:odd"

[checks.leaky]
python = "my_checks:leaky"

[worded]
base = "flip"
check = "words"
flip_prob = 1
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("checks")
    (folder / "rewards.toml").write_text(TABLES)
    options = ("--config", str(folder / "rewards.toml"), "--soft-timeout-s", "0.3", "--hard-timeout-s", "12")
    environment = {"PYTHONPATH": HERE, "REWARD_VERIFIER_WORKERS": "2"}
    with running_server(folder / "log", *options, environment=environment) as running:
        yield running


def scored(server: RunningServer, query: str, completions: list[str], truths: list[Any]) -> dict[str, Any]:
    reply = server.post(f"/score/{query}", {"completions": completions, "ground_truths": truths})
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def boxed(answer: str) -> str:
    return rf"so \boxed{{{answer}}}"


DEEDS: dict[str, tuple[str, float | None]] = {
    "one": ("correct", 1.0),
    "half": ("partial", 0.5),
    "NumPy half": ("partial", 0.5),
    "NumPy true": ("correct", 1.0),
    "none": ("ungradable", None),
    "text": ("error", None),
    "list": ("error", None),
    "two": ("error", None),
    "nearly": ("error", None),
    "below": ("error", None),
    "nan": ("error", None),
    "infinite": ("error", None),
    "raise": ("error", None),
    "exit": ("error", None),
    "die": ("error", None),
    "write": ("correct", 1.0),
    "memory": ("timeout", 0.0),
    "loop": ("timeout", 0.0),
    "sleep": ("timeout", 0.0),
}


def test_whatever_a_check_does_costs_its_own_sample_only(server: RunningServer) -> None:
    answers = [*DEEDS, "fine"]
    found = scored(server, "verifier?check=odd", [*map(boxed, answers)], ["x"] * len(answers))
    paid = dict(zip(answers, zip(found["outcomes"], found["rewards"], strict=True), strict=True))
    assert paid == DEEDS | {"fine": ("correct", 1.0)}


@pytest.mark.parametrize("way", ["numpy", "mmap", "pytorch"])
def test_a_check_that_keeps_memory_costs_processes_and_no_right_answer_its_reward(
    server: RunningServer, way: str
) -> None:
    for start in range(0, 12, 2):
        answers = [f"{way} {number}" for number in range(start, start + 2)]
        found = scored(server, "verifier?check=leaky", [*map(boxed, answers)], answers)
        assert found["outcomes"] == ["correct"] * 2


def test_the_log_says_why_without_a_word_of_the_sample(server: RunningServer) -> None:
    scored(server, "verifier?check=odd", [boxed("raise"), boxed("two"), boxed("nearly")], ["x"] * 3)
    log = server.log.read_text()
    assert "KeyError at my_checks.py:" in log
    assert "it gave 2, which is not in 0" in log
    assert "it gave 1.0000001, which is not in 0" in log
    assert "what the policy wrote" not in log
    asked = {"completion": boxed("raise"), "ground_truth": "x"}
    shown = server.post("/explain/verifier?check=odd", asked).json()
    assert shown["verdict"]["check"] == "odd"
    assert "what the policy wrote" in shown["verdict"]["reason"]  # for who asks about this sample
    assert "The check `odd` failed." in shown["why"]


JSON_TRUTHS: dict[str, Callable[[object], object]] = {
    "an object": lambda truth: truth,
    "a text that holds it": json.dumps,
    "the ground truth of a label": lambda truth: {"ground_truth": truth, "group": "q"},
    "that label as a text": lambda truth: json.dumps({"ground_truth": truth, "group": "q"}),
    "a text in a label": lambda truth: {"ground_truth": json.dumps(truth)},
}
TRUTH = {"min_words": 4, "of": [1, {"x": None}], "share": 0.5}


@pytest.mark.parametrize("way", JSON_TRUTHS)
def test_json_arrives_parsed_in_every_dialect_and_stays_ungradable_for_the_built_in_checks(
    server: RunningServer, way: str
) -> None:
    label = JSON_TRUTHS[way](TRUTH)
    url, text = "/score/verifier?check=words", "one two"
    user = {"role": "user", "content": "?"}
    turn = {"role": "assistant", "content": text}
    bodies: dict[str, object] = {
        "native": {"completions": [text], "ground_truths": [label]},
        "OpenRLHF": {"query": [f"? {text}"], "prompts": ["? "], "labels": [label]},
        "slime": {"response": text, "prompt": "?", "label": label},
        "AWS": [{"id": "1", "messages": [user, turn], "metadata": {"reference_answer": label}}],
    }
    for dialect, body in bodies.items():
        assert "0.5" in server.post(url, body).text, dialect
    row = {"response": {"output": [{"type": "message", **turn}]}, "ground_truth": label}
    assert server.post("/score/verifier/verify?check=words", row).json()["reward"] == 0.5
    asked = {"completion": text, "ground_truth": label}
    assert server.post("/explain/verifier?check=words", asked).json()["value"] == 0.5
    if way != "a text in a label":  # that text was mathematics before, and is
        for check in ("math", "string"):
            found = scored(server, f"verifier?check={check}", [boxed("4")], [label])
            assert found["outcomes"] == ["ungradable"], check


@pytest.mark.parametrize(
    ("truth", "kind"),
    [
        ("4", "str"),
        (4, "str"),
        ("[1, 2]", "list"),
        ([[1, 2], [3]], "list"),
        ([{"a": 1}], "list"),
        ({"a": 1}, "dict"),
        (["no", "dict"], "str"),
        ("[1, 2", "str"),
    ],
)
def test_what_a_check_gets_as_the_ground_truth(server: RunningServer, truth: object, kind: str) -> None:
    assert scored(server, "verifier?check=given", [boxed(kind)], [truth])["rewards"] == [1.0]


@pytest.mark.parametrize(
    "label",
    [
        {"ground_truth": {"min_words": 4}, "grup": "q"},
        {"group": "q", "visit": 1},
        {"min_words": None},
        {},
        None,
        "",
        True,
        {"ground_truth": {}},
        {"tests": ["x" * 2**20]},
        {"tests": [[0] * 1000 for _ in range(200)]},
    ],
)
def test_a_misspelt_label_and_nothing_at_all_are_no_ground_truth(server: RunningServer, label: object) -> None:
    reply = scored(server, "verifier?check=given", [boxed("dict")], [label])
    assert (reply["outcomes"], reply["rewards"]) == (["ungradable"], [None])


def test_of_several_ground_truths_the_best_counts(server: RunningServer) -> None:
    found = scored(server, "verifier?check=equal", [boxed("b"), boxed("c")], [["a", "b"], ["a", "b"]])
    assert found["rewards"] == [1.0, 0.0]


def test_where_the_answer_stands_is_the_checks_to_say_unless_the_request_does(server: RunningServer) -> None:
    text = "one two \\boxed{three}"
    assert scored(server, "verifier?check=words", [text], [TRUTH])["rewards"] == [0.75]
    assert scored(server, "verifier?check=words&answer=box", [text], [TRUTH])["rewards"] == [0.25]
    assert scored(server, "verifier?check=words", [" "], [TRUTH])["outcomes"] == ["unanswered"]
    shown = server.post("/explain/verifier?check=words", {"completion": text, "ground_truth": TRUTH}).json()
    assert (shown["parameters"]["answer"], shown["answer"]["text"]) == ("turn", text)
    assert {name: shown["verdict"][name] for name in ("check", "score", "tier")} == {
        "check": "words",
        "score": 0.75,
        "tier": "check:words",
    }


def test_noise_and_a_simulated_judge_ask_it_too(server: RunningServer) -> None:
    body = {"completions": ["one two three"], "ground_truths": [TRUTH], "groups": ["q"]}
    noisy = server.post("/score/worded", body).json()
    assert (noisy["rewards"], noisy["parts"]["clean"], noisy["outcomes"]) == ([0.25], [0.75], ["partial"])
    judged = server.post("/score/rm_sim?check=words&accuracy=0.9", body).json()
    assert judged["parts"]["clean"] == [0.75]


def test_an_unknown_check_names_the_known_ones_which_the_pages_know(server: RunningServer) -> None:
    reply = server.post("/score/verifier?check=word", {"completions": [], "ground_truths": []})
    assert reply.status_code == 422
    assert "math, string, words, equal, given, odd" in reply.json()["error"]["message"]
    (verifier,) = [each for each in server.get("/rewards").json()["rewards"] if each["name"] == "verifier"]
    assert verifier["parameters"]["check"]["enum"] == ["math", "string", "words", "equal", "given", "odd", "leaky"]
    parameters = server.get("/openapi.json").json()["paths"]["/score/worded"]["post"]["parameters"]
    (check,) = [each for each in parameters if each["name"] == "check"]
    assert (check["schema"]["default"], "words" in check["schema"]["enum"]) == ("words", True)


def test_equal_answers_are_graded_once(server: RunningServer) -> None:
    before = server.metric("reward_verdict_cache_total", result="miss")
    for _ in range(2):
        scored(server, "verifier?check=words", ["a text of its own"] * 8, [TRUTH] * 8)
    assert server.metric("reward_verdict_cache_total", result="miss") == before + 1
    assert server.metric("reward_verdicts_total", tier="check:words") >= 16
    assert server.metric("reward_nondeterministic_total", check="words") == 0


def test_a_check_of_ones_own_is_a_second_opinion_and_harms_no_reward_whatever_it_does(server: RunningServer) -> None:
    answers = ["one", "half", "none", "text", "raise", "die", "loop"]
    body = {
        "completions": [boxed(answer) for answer in answers],
        "ground_truths": ["one"] * len(answers),
        "groups": [f"opinion {answer}" for answer in answers],
    }
    reply = server.post("/score/verifier?reference=odd", body).json()
    assert reply["rewards"] == server.post("/score/verifier", body).json()["rewards"]
    assert reply["parts"]["reference"] == [1.0, 0.5, None, None, None, None, None]
    found = server.get("/rewards/verifier/noise?reference=odd").json()["configs"][reply["config"]]
    assert (found["check"]["since_start"]["n"], found["without_opinion"]) == (2, 5)


def test_a_second_opinion_reads_its_own_answer(server: RunningServer) -> None:
    """`words` reads the whole turn, which `math` cannot compare; and the other way round."""
    body = {"completions": [boxed("4")], "ground_truths": ["4"], "groups": ["own"]}
    words = {**body, "ground_truths": [{"ground_truth": {"min_words": 2}, "group": "own"}]}
    assert server.post("/score/verifier?check=math&reference=words", body).json()["parts"]["reference"] != [0.0]
    reply = server.post("/score/verifier?check=words&reference=words", words).json()
    assert (reply["rewards"], reply["parts"]["reference"]) == ([1.0], [1.0])
    mixed = server.post("/score/verifier?check=equal&reference=math", body).json()
    assert (mixed["rewards"], mixed["parts"]["reference"]) == ([1.0], [1.0])
    explained = {"completion": boxed("4"), "ground_truth": "4", "group": "own"}
    assert server.post("/explain/flip?flip_prob=0&check=words&reference=math", explained).json()["reference"] == {
        "check": "math", "asked": True, "outcome": "correct", "tier": "text",
    }  # fmt: skip
