"""What has to hold of any input, of every pure function that reads what others wrote."""

from __future__ import annotations

import json
import string
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from linear import assert_linear

from reward_server.catalog.catalog import Catalog
from reward_server.dialects import aws_rft, llama_factory, native, nemo_gym, openrlhf, recognise, slime
from reward_server.dialects.completion import without_prompt
from reward_server.dialects.json_body import JsonBody
from reward_server.dialects.label import labelled
from reward_server.dialects.reply import Reply
from reward_server.dialects.row import parse_explain
from reward_server.errors import InvalidRequest, UnknownReward
from reward_server.grading.answer import last_box
from reward_server.grading.numbers.exact_number import read_number
from reward_server.grading.numbers.units import split_unit
from reward_server.grading.reading import Reading
from reward_server.grading.string_check import is_same_string, last_box_string, string_form
from reward_server.grading.symbolic import algebra
from reward_server.grading.text.damaged import repaired
from reward_server.grading.text.normalise import normalise
from reward_server.grading.tiers import MAX_ANSWER_CHARS, judge_cheaply
from reward_server.rewards.flip import FlipReward
from reward_server.rewards.found import Found
from reward_server.rewards.grid import to_grid
from reward_server.rewards.noise import flip_draw
from reward_server.rewards.table import REWARDS
from reward_server.settings import Settings
from reward_server.types import Outcome, Sample, Score, Verdict
from reward_server.web.auth import is_authorised

PIECES = [
    *"0123456789{}()[]^_=<>,.:;|$%&!?+-*/abxABC~ \n\0", "\\boxed{", "\\fbox{", "\\frac{", "\\sqrt", "\\text{", "\\pm",
    "\\cup ", "\\infty", "\\pi", "^\\circ", "\\{", "\\}", "\\%", "\\$", "\\begin{pmatrix}", "\\end{pmatrix}", "\\\\",
    "\\overline{", "<|im_end|>", "\nUser: ", "</think>", "<answer>", "10^{", " or ", "million", "cm", "_{", "\ud800",
    "\u0661", "\u202e",
]  # fmt: skip
latex = st.lists(st.sampled_from(PIECES), max_size=40).map("".join) | st.text(max_size=40)
names = st.text(string.ascii_letters, max_size=12)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | latex,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
FIELDS = [*native.COLUMNS, "query", "queries", "prompts", "labels", "response", "prompt", "label", "messages", "x"]
QUERY_VALUES = latex | st.integers().map(str) | st.floats().map(str)
CHEAP = {Outcome.CORRECT, Outcome.INCORRECT, Outcome.UNPARSEABLE, Outcome.UNGRADABLE}
EXCLUSIVE = ("17", "-17", r"\frac{3}{7}", r"2\sqrt{3}", "x^2+1", "3i", "(6,-5)", r"\{6,-5\}", "(6,8]", "B", "310_7",
             r"\text{odd}", "y = 2x+3", "5:8", r"\begin{pmatrix} 1 \\ -3 \end{pmatrix}")  # fmt: skip
modest = settings(max_examples=150, deadline=None)  # a loaded machine is no failure


@modest
@given(latex)
def test_a_box_is_a_part_of_its_text_and_what_follows_without_a_box_changes_nothing(text: str) -> None:
    box = last_box(text)
    assert box is None or text[box.start : box.end] == box.text
    assert last_box(text + " and so on.") == box
    assert last_box_string(text) is None or str(last_box_string(text)) in text


@modest
@given(latex, latex)
def test_the_content_of_a_box_comes_back(before: str, content: str) -> None:
    found = last_box(f"{before} \\boxed{{{content}}}")
    if not set("{}\\") & set(before + content):
        assert found is not None and found.text == content


@modest
@given(latex)
def test_a_text_is_its_own_answer(text: str) -> None:
    meant = repaired(text)
    verdict = judge_cheaply(text, text if meant is None else meant)
    assert verdict is not None and verdict.outcome in {Outcome.CORRECT, Outcome.UNGRADABLE, Outcome.UNPARSEABLE}
    if meant is not None and normalise(meant) and len(meant) <= MAX_ANSWER_CHARS:
        assert repaired(meant) is not None
        assert verdict.outcome is Outcome.CORRECT


@modest
@given(latex, latex)
def test_any_pair_has_a_cheap_verdict_or_none(ground_truth: str, answer: str) -> None:
    verdict = judge_cheaply(ground_truth, answer)
    assert verdict is None or verdict.outcome in CHEAP
    assert is_same_string(ground_truth, answer) == is_same_string(answer, ground_truth)
    assert is_same_string(answer, answer) and isinstance(string_form(answer), str)


@modest
@given(latex)
def test_no_answer_is_right_for_two_unlike_ground_truths(answer: str) -> None:
    verdicts = [judge_cheaply(truth, answer) for truth in EXCLUSIVE]
    assert sum(verdict is not None and verdict.outcome is Outcome.CORRECT for verdict in verdicts) < 2


@modest
@given(latex)
def test_normalising_again_changes_no_number(text: str) -> None:
    form = normalise(text)
    number = read_number(form)
    assert number is None or read_number(normalise(form)) == number
    value, unit = split_unit(form)
    assert not unit or len(value) < len(form)
    found = algebra.reading(form)
    assert found is None or all(part >= 0 for part in (*found.top, *found.bottom))


@pytest.mark.parametrize("piece", PIECES)
def test_reading_is_linear(piece: str) -> None:
    """200,000 characters of any piece. What is longer than a ground truth or an answer may be is not read on."""

    def read(size: int) -> None:
        text = piece * (size // len(piece))
        last_box(text)
        last_box("\\boxed{" + text + "}")
        last_box_string(text)
        judge_cheaply("17", text)
        judge_cheaply(text[: size // 20], "17")

    assert_linear(read, 100_000, rounds=2)


@modest
@given(st.floats(-1e6, 1e6))
def test_the_grid_is_near_and_stays(value: float) -> None:
    on_grid = to_grid(value)
    assert abs(on_grid - value) <= 1 / 2048
    assert to_grid(on_grid) == on_grid


@modest
@given(st.sampled_from(Outcome), st.floats(0, 1), st.floats(0, 1), st.booleans(), st.booleans(), latex, st.integers())
def test_a_noisy_reward_is_a_reward_and_follows_its_draw(
    outcome: Outcome, low: float, high: float, wanted: bool, corrected: bool, group: str, visit: int
) -> None:
    if corrected and low + high >= 1:
        return
    reward = FlipReward(
        false_positive_prob=low, false_negative_prob=high, correction="backward" if corrected else "none", seed=3
    )
    draw = flip_draw(seed=3, group=group, visit=visit)
    assert 0 <= draw < 1
    verdict = Verdict(outcome, "text", "", "", score=0.25 if outcome is Outcome.PARTIAL else None)
    found = Found(Reading("", None, has_eaten_escape=False), verdict)
    score = reward.settle(Sample("", group=group, visit=visit, flip=wanted), found)
    assert score.noise and score.noise.draw == draw
    assert (score.reward is None) == (verdict.clean is None)
    assert score.reward is None or corrected or score.reward in (0.0, 0.25, 0.75, 1.0)
    assert wanted or score.reward == verdict.clean


@modest
@given(latex, latex)
def test_a_prompt_that_begins_the_query_is_dropped(prompt: str, completion: str) -> None:
    assert without_prompt(prompt + completion, prompt) == completion
    found = without_prompt(completion, prompt)
    assert found is None or completion.endswith(found)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog(Settings())


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["completions", "query", "response", "messages"]),
    st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=6),
)
def test_any_json_is_parsed_into_samples_or_refused(catalog: Catalog, key: str, fields: dict[str, Any]) -> None:
    raw = json.dumps({key: ["a", "b"] if key != "response" else "a", **fields}).encode()
    with suppress(InvalidRequest):
        body = JsonBody(raw)
        dialect = recognise(body)
        samples, echo = dialect.parse(body)
        for sample in samples:
            assert isinstance(sample.completion, str) and isinstance(sample.visit, int | None)
            assert sample.group is None or isinstance(sample.group, str)
        scores = [Score(Outcome.ERROR, None, None, {"clean": None}) for _ in samples]
        plan = catalog.resolve("verifier", "fallback_reward=0")
        assert json.loads(dialect.render(Reply(plan, scores), echo)) is not None


@modest
@given(json_values, json_values, json_values)
def test_any_row_of_the_nemo_gym_family_is_read_or_refused(response: object, params: object, truth: object) -> None:
    row = {"response": response, "responses_create_params": params, "ground_truth": truth, "group": truth}
    with suppress(InvalidRequest):
        (sample,), _ = nemo_gym.parse(JsonBody(json.dumps(row).encode()))
        assert isinstance(sample.completion, str)


@modest
@given(json_values, json_values, json_values, st.sampled_from(["reference_answer", "group", "visit", "flip", "x"]))
def test_any_list_of_awss_is_read_or_refused(content: object, value: object, entry: object, key: str) -> None:
    messages = [{"role": "user", "content": value}, {"role": "assistant", "content": content}]
    metadata: Any = {key: value} if key != "x" else value
    for rows in ([{"id": value, "messages": messages, "metadata": metadata}], [entry], [{"messages": value}]):
        with suppress(InvalidRequest):
            samples, echo = aws_rft.parse(JsonBody.of_any(json.dumps(rows).encode(), 4096))
            assert len(samples) == len(rows) == len(echo["ids"])
            assert all(isinstance(sample.completion, str) for sample in samples)


@modest
@given(st.binary(max_size=200), st.sampled_from(["application/json", "text/plain", ""]), st.binary(max_size=60))
def test_any_bytes_are_explained_or_refused(raw: bytes, kind: str, query: bytes) -> None:
    with suppress(InvalidRequest):
        sample = parse_explain(raw, kind, query.decode("utf-8", "replace")).sample
        assert isinstance(sample.completion, str)


@modest
@given(json_values)
def test_any_label_gives_ground_truths_or_none_or_is_refused(label: object) -> None:
    with suppress(InvalidRequest):
        truths = labelled(Sample("x"), label).ground_truths
        assert truths is not None and all(text.strip() for text in truths)


@modest
@given(
    st.sampled_from([*REWARDS, "nobody"]),
    st.dictionaries(st.sampled_from([*FlipReward.model_fields, "x"]), QUERY_VALUES),
)
def test_any_query_string_is_a_plan_or_refused(catalog: Catalog, name: str, query: dict[str, str]) -> None:
    with suppress(InvalidRequest, UnknownReward):
        plan = catalog.resolve(name, urlencode(query, errors="surrogatepass"))
        assert len(plan.config) == 12


@modest
@given(st.binary(max_size=60))
def test_no_header_opens_a_server_but_one_with_the_key(header: bytes) -> None:
    assert not is_authorised(header, [b"a-key-of-24-characters-00"])


def test_every_module_that_reads_what_others_wrote_is_here_or_has_tests_of_its_own() -> None:
    tested = {"label", "messages", "reply", "completion", "prompt_ending", "rollout", "row", "whole_text"}
    tested |= {"__init__", "json_body", "json_outline", "json_text"}
    assert {module.NAME for module in (native, openrlhf, slime, nemo_gym, llama_factory, aws_rft)} == {
        path.stem for path in Path(nemo_gym.__file__).parent.glob("*.py")
    } - tested
