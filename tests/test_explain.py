"""`/explain`: the same reward as `/score`, with everything that led to it."""

from __future__ import annotations

from typing import get_args

import httpx
import pytest
from running_server import RunningServer

from reward_server.explaining.why import BAD_FORMAT
from reward_server.reward_model.answer_format import AnswerFormat

THINKING = "Wait, let me check. Hence \\boxed{\\frac{8}{2}}"


def test_it_shows_the_whole_derivation(server: RunningServer) -> None:
    body = {"completion": THINKING + "<|im_end|>", "ground_truth": "4", "group": "q1"}
    reply = server.post("/explain/flip?flip_prob=0.2&alpha=0.5", body)
    derived = reply.json()
    assert derived["value"] == 77 / 1024  # flipped to 0; topped up with 0.5 · 3/20 = 0.075, and 76.8/1024 on the grid
    assert derived["outcome"] == "correct"
    assert derived["parts"] == {"clean": 1.0, "flipped": 1.0, "flip_draw": 0.13348106209414912, "rpr": 0.15}
    start = THINKING.index("\\frac")
    assert derived["answer"] == {"text": "\\frac{8}{2}", "start": start, "end": start + 11}
    assert derived["verdict"]["tier"] == "number"
    assert derived["noise"] == {
        "seed": 0,
        "group": "q1",
        "visit": 0,
        "scope": "question",
        "draw": 0.13348106209414912,
        "threshold": 0.2,
        "exposed": True,
        "flipped": True,
    }
    assert [hit["phrase"] for hit in derived["rpr"]["phrases"]] == ["wait", "let me check", "hence"]
    assert derived["rpr"]["phrases"][1] == {"phrase": "let me check", "start": 6, "end": 18}
    assert derived["turn"] == {"characters": len(THINKING), "ignored_characters": 10}
    assert set(derived["milliseconds"]) == {"extract", "judge", "grade", "rpr"}
    assert derived["config"] == reply.headers["x-reward-config"]


def test_plain_text_is_the_completion_and_the_rest_is_in_the_query(server: RunningServer) -> None:
    for content_type in ("text/plain; charset=utf-8", "application/x-www-form-urlencoded", None):
        reply = httpx.post(
            server.url + "/explain/flip?ground_truth=4&group=q1&visit=1&flip=false&flip_prob=1",
            content=b"so \\boxed{4}",
            headers={"content-type": content_type} if content_type else {},
        )
        assert reply.json()["value"] == 1.0
        assert reply.json()["noise"]["draw"] == 0.875899998593988  # noise_golden.jsonl: seed 0, q1, visit 1


def test_a_part_called_flip_has_its_weight_in_the_query_too(server: RunningServer) -> None:
    for weight, flip in (("1", "&flip=false"), ("8e-1", "")):
        query = f"flip={weight}&flip.flip_prob=1&rpr=0.2&ground_truth=4&group=q{flip}"
        derived = server.post(f"/explain/mix?{query}", b"so \\boxed{4}", headers={"content-type": "text/plain"}).json()
        assert derived["mix"]["weights"] == {"flip": float(weight), "rpr": 0.2}
        assert derived["parts"]["flip"] == float(flip != "")
    regex = "/explain/flip?flip_prob=1&flip_if=regex:a+&ground_truth=4&group=q"
    assert server.post(regex, b"a", headers={"content-type": "text/plain"}).status_code == 422


def test_json_is_recognised_under_curls_default_content_type(server: RunningServer) -> None:
    reply = httpx.post(
        server.url + "/explain/verifier",
        content=b'{"completion": "\\\\boxed{4}", "ground_truth": 4}',
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert reply.json()["value"] == 1.0


@pytest.mark.parametrize("eaten", [b'"\\boxed{4}"', b'"\\frac12"', b'"\\text{a}"', b'"2\\times 2"'])
def test_an_eaten_backslash_is_a_warning_here_and_a_metric_in_score(server: RunningServer, eaten: bytes) -> None:
    before = server.metric("reward_escapes_eaten_total")
    reply = server.post("/explain/verifier", b'{"ground_truth": "4", "completion": ' + eaten + b"}")
    assert "a JSON escape ate a backslash; write \\\\boxed" in reply.json()["warnings"]
    server.post("/score/verifier", b'{"ground_truths": ["4"], "completions": [' + eaten + b"]}")
    assert server.metric("reward_escapes_eaten_total") == before + 2


def test_a_repaired_ground_truth_is_a_warning_here_and_a_metric_in_score(server: RunningServer) -> None:
    before = server.metric("reward_ground_truths_repaired_total")
    derived = server.post(
        "/explain/verifier", b'{"ground_truth": "\\frac{1}{4}", "completion": "\\\\boxed{0.25}"}'
    ).json()
    assert derived["value"] == 1.0
    (warning,) = derived["warnings"]
    assert warning == r"the ground truth is damaged (a backslash lost to JSON, or the like); read as \frac{1}{4}"
    server.post("/score/verifier", {"ground_truths": ["\frac{1}{4}", "4"], "completions": [r"\boxed{0.25}"] * 2})
    assert server.metric("reward_ground_truths_repaired_total") == before + 2


def test_it_warns_of_text_after_the_turn_of_an_open_box_and_of_a_tiny_alpha(server: RunningServer) -> None:
    body = {"completion": "so \\boxed{4\nUser: and now? Assistant: the answer is \\boxed{5}", "ground_truth": "5"}
    derived = server.post("/explain/verifier?alpha=0.001", body).json()
    assert derived["outcome"] == "unanswered"
    warnings = " ".join(derived["warnings"])
    for part in ("alpha below 0.01", "after the end of the turn", "never closed"):
        assert part in warnings


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"ground_truth": "4"}, "completion"),
        ({"completion": 4, "ground_truth": "4"}, "completion: missing, or not a text"),
        ({"completion": "x", "ground_truths": ["4"]}, "ground_truths: no such field"),
        ({"completion": "x"}, "needs a ground truth"),
        ({"completion": "x", "ground_truth": "4", "visit": "one"}, "visit: expected an integer"),
        ({"completion": "x", "ground_truth": "4", "visit": 2**63}, "visit: expected an integer"),
        ({"completion": "x", "ground_truth": "4", "flip": "no"}, "flip: expected true or false"),
        ({"completion": "x", "ground_truth": "4", "group": 1.5}, "group"),
        ({"completion": "x", "ground_truth": "4", "prompt": 7}, "prompt: expected a text or a list"),
    ],
)
def test_a_wrong_request_is_a_422(server: RunningServer, body: object, complaint: str) -> None:
    reply = server.post("/explain/verifier", body, headers={"content-type": "application/json"})
    assert reply.status_code == 422
    assert complaint in reply.json()["error"]["message"]


def test_the_place_of_an_answer_is_its_box_though_its_text_comes_again(server: RunningServer) -> None:
    body = {"completion": "so \\boxed{4}, and 4 it is", "ground_truth": "4"}
    for check in ("math", "string"):
        derived = server.post(f"/explain/verifier?check={check}", body).json()
        assert derived["answer"] == {"text": "4", "start": 10, "end": 11}


def test_a_query_is_explained_as_the_completion_in_it(server: RunningServer) -> None:
    asked = {"query": "What is 3+4?\nA: so \\boxed{7}", "prompt": "What is 3 + 4 ?\nA:", "ground_truth": "7"}
    found = server.post("/explain/verifier", asked).json()
    assert (found["value"], found["answer"]["start"], found["outcome"]) == (1.0, 11, "correct")
    lost = server.post("/explain/verifier", asked | {"prompt": "What is 4 + 4?\nA:"}).json()
    assert (lost["value"], lost["outcome"]) == (None, "error")
    assert lost["meaning"].startswith("the completion cannot be told from its prompt")
    for wrong in (
        {"query": "x"},
        {"query": "x", "prompt": []},
        {"query": 5, "prompt": "x"},
        {"completion": "", **asked},
    ):
        assert server.post("/explain/verifier", {"ground_truth": "7", **wrong}).status_code == 422


NO_VISIT = "no visit: this noise is fixed for each question; for more than one epoch send visits"


@pytest.mark.parametrize(
    ("query", "beside", "expected"),
    [
        ("flip_prob=0.4", {}, [NO_VISIT]),
        ("false_positive_prob=0.1&false_negative_prob=0", {}, [NO_VISIT]),
        ("flip_prob=0.4&flip_scope=sample", {}, [NO_VISIT.replace("each question", "each completion of a question")]),
        ("flip_prob=0.4", {"visit": 0}, []),
        ("flip_prob=0.4", {"ground_truth": {"ground_truth": "4", "visit": 0}}, []),
        ("flip_prob=0.4", {"flip": False}, []),
        ("flip_prob=0", {}, []),
    ],
)
def test_noise_without_a_visit_is_a_warning(
    server: RunningServer, query: str, beside: dict[str, object], expected: list[str]
) -> None:
    body = {"completion": "\\boxed{4}", "ground_truth": "4", "group": "q"} | beside
    derived = server.post(f"/explain/flip?{query}", body).json()
    assert derived["warnings"] == expected
    assert derived["noise"]["visit"] == 0


BOX = {"completion": "Wait, so \\boxed{4}", "ground_truth": "4", "group": "q1", "visit": 0}
WRONG = {**BOX, "completion": "Wait, so \\boxed{5}"}
NUMBER = "The ground truth is a plain number, `4`, and the answer `5` is another one."
SAME = "Answer and ground truth are the same text once both are written in one way: `4`."


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("verifier", BOX, SAME),
        ("verifier?alpha=1", WRONG, f"{NUMBER} What earned 0 is paid for its reasoning, where RPR is 0.05."),
        ("verifier", {**BOX, "ground_truth": ["6", "7"]}, "One of 2 ground truths has to be met."),
        ("verifier", {**BOX, "ground_truth": None}, "So there is no reward, instead of a 0."),
        ("flip?flip_prob=0.4", BOX, f"{SAME} Noise inverts it: the draw 0.1335 is below 0.4."),
        ("flip?flip_prob=0.1", BOX, f"{SAME} Noise leaves it: the draw 0.1335 is not below 0.1."),
        ("flip?flip_prob=0.4", {**BOX, "flip": False}, f"{SAME} Noise leaves it, as an evaluation row."),
        (
            "flip?flip_prob=0.4",
            {**BOX, "completion": "4"},
            "Noise leaves it: only what was answered and graded may be inverted.",
        ),
        ("flip?flip_prob=0.4&correction=backward", BOX, "Under correction=backward 0 is paid as -2."),
        (
            "flip?label_noise=1",
            {**BOX, "ground_truth": {"ground_truth": "4", "wrong_ground_truth": "5"}},
            "wrong label",
        ),
        ("rpr", BOX, "The turn has 1 of the phrases, and 20 of them earn all."),
        ("rpr", {**BOX, "completion": "wait"}, "There is no answer, and require_answer pays 0 then."),
        ("rm_sim?threshold=0", BOX, "It is paid as it is."),
        ("rm_sim?threshold=9", BOX, "Below the threshold of 9 RPR lifts it to "),
    ],
)
def test_it_says_why_in_a_sentence(server: RunningServer, path: str, body: dict[str, object], sentence: str) -> None:
    derived = server.post(f"/explain/{path}", body).json()
    assert sentence in derived["why"], derived["why"]
    assert len(derived["why"]) < 400


def test_it_is_indented_for_people_and_ends_its_last_line(server: RunningServer) -> None:
    text = server.post("/explain/verifier", BOX).text
    assert text.startswith('{\n  "reward": "verifier",\n') and text.endswith("\n}\n")


@pytest.mark.parametrize(
    ("query", "ground_truth", "is_warned"),
    [
        ("ground_truth=1+1", "1 1", True),
        ("check=math&ground_truth=x+1", "x 1", True),
        ("ground_truth=1%2B1", "1+1", False),
        ("ground_truth=1%201", "1 1", False),
        ("ground_truth=1&group=a+b", "1", False),
        ("ground_truth=1&prompt=1+1", "1", False),
    ],
)
def test_a_plus_in_the_query_string_is_a_warning(
    server: RunningServer, query: str, ground_truth: str, is_warned: bool
) -> None:
    derived = server.post(f"/explain/verifier?{query}", b"so \\boxed{2}", headers={"content-type": "text/plain"}).json()
    assert derived["ground_truths"] == [ground_truth]
    warned = [warning for warning in derived["warnings"] if warning.startswith("a + in a query string is a blank")]
    assert bool(warned) == is_warned
    assert all(repr(ground_truth) in warning and "%2B" in warning for warning in warned)
    told = server.post("/explain/verifier", {"completion": "so \\boxed{2}", "ground_truth": ground_truth}).json()
    assert told["warnings"] == []  # in JSON a blank is meant


def test_every_format_has_its_sentence() -> None:
    assert set(BAD_FORMAT) == set(get_args(AnswerFormat))
