"""HTTP graders and judges that work, hang, lie, answer garbage and die: a real small server in this process."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from graders import Grader, grading
from running_server import HANG_S

from reward_server.catalog.catalog import Catalog
from reward_server.catalog.tables import Tables
from reward_server.checks.checks import Checks
from reward_server.checks.events import CheckEvents
from reward_server.checks.running_check import AGAIN_EVERY
from reward_server.checks.spec import AnyCheck
from reward_server.errors import CommandError, InvalidRequest
from reward_server.grading.reading import read
from reward_server.processes.pool import ProcessPool
from reward_server.settings import Settings
from reward_server.types import JsonTruth, Message, Sample, Verdict

JUDGE = "Q: {prompt}\nR: {ground_truth}\nA: {answer}\nIs it right? Say YES or NO."


@pytest.fixture
def grader() -> Iterator[Grader]:
    with grading() as running:
        yield running


def tables(folder: Path, text: str) -> Settings:
    (folder / "rewards.toml").write_text(text)
    (folder / "judge.txt").write_text(JUDGE)
    return Settings(config=folder / "rewards.toml")


def sandbox(folder: Path, grader: Grader, more: str = "") -> Settings:
    return tables(folder, f'[checks.sandbox]\nurl = "{grader.url}/grade"\nreads = "turn"\n{more}')


def judge(folder: Path, grader: Grader, more: str = "") -> Settings:
    asked = f'url = "{grader.url}/v1"\nmodel = "m"\nprompt = "judge.txt"\nscores = {{"YES" = 1, "NO" = 0}}'
    return tables(folder, f'[checks.judge]\n{asked}\nreads = "turn"\n{more}')


def graded(
    settings: Settings, requests: Sequence[Sequence[Sample]], seen: list[str] | None = None
) -> list[list[Verdict]]:
    """What the one check of the settings says of each request, one after the other."""
    own: dict[str, AnyCheck] = dict(Tables.read(settings).checks)
    (name,) = own
    told = CheckEvents(on_difference=seen.append) if seen is not None else CheckEvents()

    async def run() -> list[list[Verdict]]:
        checks = Checks(own, settings, told)
        async with checks.running(ProcessPool(workers=1, hard_timeout_s=1)):
            found = []
            for samples in requests:
                checks.refuse_incomplete(name, samples, range(len(samples)))
                found.append(await checks.grade(name, samples, read([s.completion for s in samples], name, "turn")))
            await asyncio.gather(*checks._running[name]._again)
            return found

    return asyncio.run(run())


def samples(answers: Sequence[str], truth: str = "x", prompt: str | list[Message] | None = "?") -> list[Sample]:
    return [Sample(answer, prompt=prompt, ground_truths=(truth,)) for answer in answers]


GRADED: dict[str, tuple[str, float | None, str]] = {
    "x": ("correct", 1.0, "because"),
    "y": ("incorrect", 0.0, "because"),
    "half": ("partial", 0.5, "half of it"),
    "true": ("correct", 1.0, ""),
    "null": ("ungradable", None, "no such task"),
    "twice": ("incorrect", 0.0, "because"),
    "garbage": ("error", None, "its answer is no JSON: <html>secret</html>"),
    "deep": ("error", None, "its answer is no JSON"),
    "no score": ("error", None, 'no object with a "score"'),
    "a list": ("error", None, 'no object with a "score"'),
    "two": ("error", None, "it gave 2, which is not in 0 … 1"),
    "text": ("error", None, "a value of type str"),
    "nan": ("error", None, "it gave nan"),
    "huge": ("error", None, "over 1048576 bytes"),
    "gzip": ("error", None, "compressed"),
    "redirect": ("error", None, "status 307: it redirects"),
    "404": ("error", None, "status 404: secret"),
    "500": ("error", None, "status 500"),
    "503": ("error", None, "it failed 6 times: status 503"),
    "429": ("error", None, "it failed 6 times: status 429"),
    "close": ("error", None, "it failed 6 times: RemoteProtocolError"),
    "hang": ("error", None, "it failed 6 times: no answer within 2 s"),
}


def test_what_a_grader_answers_is_a_verdict_or_an_error_and_never_a_0_for_a_failure(
    grader: Grader, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        ((*found,),) = graded(sandbox(tmp_path, grader, "timeout_s = 2"), [samples([*GRADED])])
    for (answer, (outcome, clean, reason)), verdict in zip(GRADED.items(), found, strict=True):
        assert (verdict.outcome, verdict.clean) == (outcome, clean), answer
        assert reason in verdict.reason, answer
    assert "status 307: it redirects" in caplog.text
    assert "no answer within 2 s" in caplog.text
    assert "secret" not in caplog.text
    assert grader.tries["twice"] == 3 and grader.tries["503"] == 6 and grader.tries["404"] == 1


def test_a_grader_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with grading() as gone:
        settings = sandbox(tmp_path, gone)
    ((verdict,),) = graded(settings, [samples(["x"])])
    assert (verdict.outcome, "ConnectError" in verdict.reason) == ("error", True)


def test_a_grader_gets_all_of_the_question(grader: Grader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADER_KEY", "sesame-17")
    messages: list[Message] = [{"role": "user", "content": "2+2?"}]
    asked = [
        *samples(["\ud800 é"], JsonTruth.of({"tests": [1, None]}), messages),
        *samples(["4"], "4", None),
    ]
    settings = sandbox(tmp_path, grader, 'api_key_env = "GRADER_KEY"')
    graded(settings, [asked])
    by_answer = {body["answer"]: body for body in grader.asked}
    assert by_answer["\ud800 é"] == {"answer": "\ud800 é", "ground_truth": {"tests": [1, None]}, "prompt": messages}
    assert by_answer["4"] == {"answer": "4", "ground_truth": "4", "prompt": None}
    assert grader.headers[0]["Authorization"] == "Bearer sesame-17"
    config = Catalog(settings).resolve("verifier", "check=sandbox").config
    monkeypatch.setenv("GRADER_KEY", "another")
    assert Catalog(settings).resolve("verifier", "check=sandbox").config == config
    monkeypatch.delenv("GRADER_KEY")
    with pytest.raises(CommandError, match="the variable GRADER_KEY holds no key"):
        graded(settings, [asked])


def test_equal_questions_are_asked_once_and_so_many_at_a_time(grader: Grader, tmp_path: Path) -> None:
    asked = [*samples(["a"] * 50), *samples([f"{number}" for number in range(12)]), *samples(["a"], prompt="other")]
    grader.pairs = threading.Barrier(2, timeout=HANG_S)  # none is answered before another one is there
    graded(sandbox(tmp_path, grader, "max_in_flight = 2"), [asked, asked])
    assert len(grader.asked) == 14
    assert grader.greatest == 2


def test_one_kept_verdict_in_a_thousand_is_computed_again(
    grader: Grader, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []
    with caplog.at_level(logging.WARNING):
        first, again = graded(sandbox(tmp_path, grader), [samples(["liar"]), samples(["liar"] * AGAIN_EVERY)], seen)
    assert (seen, len(grader.asked)) == (["sandbox"], 2)
    assert {verdict.clean for verdict in [*first, *again]} == {1.0}  # what was said first stays
    assert "check sandbox is not deterministic: asked the same again it said 0, and before 1" in caplog.text
    graded(sandbox(tmp_path, grader), [samples(["x"]), samples(["x"] * AGAIN_EVERY)], seen)
    assert (seen, len(grader.asked)) == (["sandbox"], 4)


JUDGED = {
    "right": ("correct", 1.0, "YES"),
    "wrong": ("incorrect", 0.0, "NO"),
    "short": ("correct", 1.0, "YES"),
    "mute": ("error", None, "none of the words YES, NO"),
    "cut off": ("error", None, "cut off"),
    "empty": ("error", None, "no text"),
    "no shape": ("error", None, "chat completions"),
    "streamed": ("error", None, "no JSON"),
    "trailing": ("error", None, "no JSON"),
    "error with 200": ("error", None, "a success status and an error"),
    "{ground_truth}": ("incorrect", 0.0, "NO"),
}


def test_the_last_word_of_a_judge_counts(grader: Grader, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = judge(tmp_path, grader, "body = {max_tokens = 64, chat_template_kwargs = {enable_thinking = false}}")
    with caplog.at_level(logging.WARNING):
        ((*found,),) = graded(settings, [samples([*JUDGED], "the {answer}")])
    for (answer, (outcome, clean, reason)), verdict in zip(JUDGED.items(), found, strict=True):
        assert (verdict.outcome, verdict.clean) == (outcome, clean), answer
        assert reason in verdict.reason, answer
    assert "none of the words" in caplog.text and "YESSIR" not in caplog.text
    asked = next(body for body in grader.asked if "{ground_truth}" in body["messages"][0]["content"])
    assert asked["messages"][0]["content"] == JUDGE.replace("{prompt}", "?").replace(
        "{ground_truth}\nA: {answer}", "the {answer}\nA: {ground_truth}"
    )
    assert (asked["temperature"], asked["model"], asked["max_tokens"]) == (0, "m", 64)
    with pytest.raises(InvalidRequest, match="check=judge reads the prompt: row 0 has none"):
        graded(settings, [samples(["right"], prompt=None)])


def verdict_files(folder: Path) -> list[Path]:
    return sorted((folder / "kept").glob("*/*.jsonl"))


def test_kept_verdicts_are_not_asked_again_by_a_rerun_or_another_replica(grader: Grader, tmp_path: Path) -> None:
    settings = judge(tmp_path, grader, 'keep = "kept"')
    first = graded(settings, [samples(["right", "wrong", "mute"])])
    assert len(grader.asked) == 3
    (file,) = verdict_files(tmp_path)
    assert {json.loads(line)["outcome"] for line in file.read_text().splitlines()} == {"correct", "incorrect"}
    again = graded(settings, [samples(["right", "wrong", "mute"])])
    assert (again, len(grader.asked)) == (first, 4)  # an error is asked again
    with file.open("a") as torn:
        torn.write('not ours\n{"key": "aa", "outcome": "partial", "score": 7, "reason": ""}\n{"key": "bb", "outc')
    assert graded(settings, [samples(["right", "wrong"])]) == [first[0][:2]]
    assert len(grader.asked) == 4
    other = judge(tmp_path, grader, 'keep = "kept"\nbody = {max_tokens = 5}')  # another question
    graded(other, [samples(["right"])])
    assert len(grader.asked) == 5


def test_two_replicas_on_one_folder_see_each_others_verdicts(grader: Grader, tmp_path: Path) -> None:
    settings = judge(tmp_path, grader, 'keep = "kept"')
    own = dict(Tables.read(settings).checks)

    async def run() -> list[Any]:
        replicas = [Checks(own, settings, CheckEvents()) for _ in range(2)]
        pool = ProcessPool(workers=1, hard_timeout_s=1)
        async with replicas[0].running(pool), replicas[1].running(pool):
            several = samples(["right", "wrong"])
            readings = read([each.completion for each in several], "judge", "turn")
            return [await replica.grade("judge", several, readings) for replica in replicas]

    first, second = asyncio.run(run())
    assert (first, len(grader.asked)) == (second, 2)


def test_a_folder_that_cannot_be_used_refuses_the_start(grader: Grader, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file")
    with pytest.raises(CommandError, match="verdicts cannot be kept in"):
        graded(judge(tmp_path, grader, 'keep = "kept"'), [samples(["right"])])
