"""The model loads, is refused, is overloaded, hangs or dies: real processes, no lost or wrong answer."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from running_server import RunningServer, running_server, until
from vllm_stand_in import StandIn, running_stand_in

if TYPE_CHECKING:
    from tiny_models import MakeFolder

PATCHED = Path(__file__).with_name("run_patched_server.py")
VERIFY = {"completions": ["\\boxed{4}"], "ground_truths": ["4"]}
PLAIN = "/score/rm?format=plain"
StartPatched = Callable[..., AbstractContextManager[RunningServer]]


def body(*completions: str) -> dict[str, list[str]]:
    return {"completions": list(completions), "prompts": ["How much is 2 + 3?"] * len(completions)}


def error_of(reply: httpx.Response) -> str:
    return str(reply.json()["error"]["code"])


def options(folder: Path) -> tuple[str, ...]:
    model = ("--rm-model", str(folder), "--rm-dtype", "float32", "--rm-device", "cpu", "--rm-threads", "1")
    return (*model, "--verifier-workers", "1")


def starter(folder: Path, control: Path) -> StartPatched:
    return partial(running_server, control / "log", *options(folder), program=(str(PATCHED), str(control)))


@pytest.fixture
def start_patched(folder: Path, tmp_path: Path) -> StartPatched:
    """A server whose device obeys the files in `tmp_path`."""
    return starter(folder, tmp_path)


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("control")


@pytest.fixture(scope="module")
def patched(folder: Path, control: Path) -> Iterator[RunningServer]:
    """One server for several tests, whose device obeys the files in `control`. Its deadline suits a slow machine."""
    with starter(folder, control)("--rm-max-queued-tokens", "800", "--request-timeout-s", "15") as running:
        running.wait_ready()
        yield running


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(64) as pool:
        yield pool


@pytest.fixture
def vllm() -> Iterator[StandIn]:
    with running_stand_in() as running:
        yield running


def send(threads: ThreadPoolExecutor, server: RunningServer, *completions: str) -> Future[httpx.Response]:
    return threads.submit(server.post, PLAIN, body(*completions))


def test_while_the_model_loads_the_port_is_open_and_the_other_rewards_work(
    start_patched: StartPatched, tmp_path: Path
) -> None:
    (tmp_path / "no-load").touch()
    with start_patched() as server:
        for path in (PLAIN, "/explain/rm?format=plain"):
            reply = server.post(path, body("five"))
            assert (reply.status_code, error_of(reply)) == (503, "loading")
            assert int(reply.headers["Retry-After"]) >= 1
        assert error_of(server.get("/ready")) == "loading"
        assert server.post("/score/verifier", VERIFY).json()["rewards"] == [1.0]
        assert server.post("/score/rm?treshold=1", body("five")).status_code == 422
        assert server.get("/health").status_code == 200
        (tmp_path / "no-load").unlink()
        server.wait_ready()
        assert server.post(PLAIN, body("five")).json()["outcomes"] == ["scored"]
        assert server.stop() == 0


def test_sigterm_while_the_model_loads_ends_it_with_0(start_patched: StartPatched, tmp_path: Path) -> None:
    (tmp_path / "no-load").touch()
    with start_patched() as server:
        assert error_of(server.get("/ready")) == "loading"
        assert server.stop() == 0
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("headless", "lacks weights: score.weight"),
        ("labels without names", "2 labels (score.weight has so many rows), and its config.json names none"),
        ("no template", "no chat template"),
        ("no model", "no config.json"),
        ("no folder", "no config.json"),
    ],
)
def test_a_model_that_cannot_be_right_ends_the_server(
    wrong: str, reason: str, make_folder: MakeFolder, tmp_path: Path
) -> None:
    from tiny_models import make_tokenizer

    makers: dict[str, Callable[[], Path]] = {
        "headless": lambda: headless(make_folder()),
        "labels without names": lambda: make_folder(num_labels=2),
        "no template": lambda: make_folder(tokenizer=make_tokenizer(template=None)),
        "no model": lambda: tmp_path,
        "no folder": lambda: tmp_path / "absent",
    }
    code, said = refused(*options(makers[wrong]()))
    assert (code, reason in said) == (2, True), said


def headless(folder: Path) -> Path:
    """The same model without its head, as a language model is saved."""
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    save_file({k: v for k, v in weights.items() if k != "score.weight"}, folder / "model.safetensors", {"format": "pt"})
    return folder


def refused(*arguments: str) -> tuple[int, str]:
    """The exit code of a server that ends by itself, and what it said."""
    command = [sys.executable, "-m", "reward_server", "serve", "--port", "0", "--verifier-workers", "1", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert "Traceback" not in ended.stderr
    return ended.returncode, ended.stderr.splitlines()[-1]


def test_a_vllm_server_that_ignores_the_switch_ends_ours(vllm: StandIn, folder: Path) -> None:
    vllm.knows_switch = False
    code, said = refused("--rm-engine", "vllm", "--rm-url", vllm.url, "--rm-model", str(folder))
    assert (code, "ignores `use_activation`" in said) == (2, True), said


def test_a_vllm_server_with_a_wrong_url_ends_ours(vllm: StandIn, folder: Path) -> None:
    code, said = refused("--rm-engine", "vllm", "--rm-url", vllm.url + "/nowhere", "--rm-model", str(folder))
    assert (code, "refuses /v1/models: 404" in said) == (2, True), said


def test_a_vllm_server_that_starts_later_is_waited_for(folder: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    vllm = (
        "--rm-engine",
        "vllm",
        "--rm-url",
        f"http://127.0.0.1:{port}",
        "--rm-model",
        str(folder),
        "--verifier-workers",
        "1",
    )
    with running_server(tmp_path / "log", *vllm) as ours:
        until(lambda: "waits for its server" in ours.get("/ready").text)
        assert error_of(ours.post(PLAIN, body("five"))) == "loading"
        with running_stand_in(port):
            ours.wait_ready()
            assert ours.post(PLAIN, body("five")).json()["outcomes"] == ["scored"]
        assert ours.stop() == 0


def test_overload_is_503_at_once_and_what_could_never_fit_413(
    patched: RunningServer, control: Path, threads: ThreadPoolExecutor
) -> None:
    (control / "no-forward-reached").unlink(missing_ok=True)
    (control / "no-forward").touch()
    running = send(threads, patched, "the first")
    until((control / "no-forward-reached").exists)  # it has a batch of its own, and what follows waits
    waiting = [send(threads, patched, f"{'long ' * 50}{n}") for n in range(3)]  # 808 tokens: a fourth is refused
    until(lambda: patched.metric("reward_model_queue_tokens") >= 800)
    full = patched.post(PLAIN, body("one more"))
    assert (full.status_code, error_of(full)) == (503, "overloaded")
    assert int(full.headers["Retry-After"]) >= 1
    (control / "no-forward").unlink()
    for reply in [running.result(), *(each.result() for each in waiting)]:
        assert reply.json()["outcomes"] == ["scored"]
    assert patched.post(PLAIN, body("one more")).json()["outcomes"] == ["scored"]
    never = patched.post(PLAIN, body(*(f"the answer {n}" for n in range(400))))
    assert (never.status_code, error_of(never)) == (413, "too_large")
    assert "rm_max_queued_tokens=800" in never.text


def test_nan_is_an_error_of_its_sample_alone(patched: RunningServer) -> None:
    reply = patched.post(PLAIN, body("five", "Z", "six", "seven " * 1000))
    assert reply.json()["outcomes"] == ["scored", "error", "scored", "too_long"]
    assert [reward is None for reward in reply.json()["rewards"]] == [False, True, False, True]
    assert reply.headers["X-Reward-Unscored"] == "2"
    assert patched.metric("reward_model_not_finite_total") == 1
    assert patched.get("/ready").status_code == 200


def test_a_retry_resumes_and_identical_samples_are_computed_once(
    patched: RunningServer, control: Path, threads: ThreadPoolExecutor
) -> None:
    def scored() -> float:
        return patched.metric("reward_model_queue_seconds_count")

    start = scored()
    (control / "no-forward").touch()
    first = [send(threads, patched, "eight", "nine", "eight") for _ in range(2)]
    for each in first:
        assert (each.result().status_code, error_of(each.result())) == (503, "deadline_exceeded")
    (control / "no-forward").unlink()
    until(lambda: scored() == start + 2)  # of six samples that were sent
    scores = raw_scores(patched.post(PLAIN, body("eight", "nine", "eight")))
    assert scores[0] == scores[2] != scores[1]
    assert scored() == start + 2


def test_sigterm_in_a_burst_loses_nothing_and_another_server_gives_the_same_scores(
    start_patched: StartPatched, patched: RunningServer, threads: ThreadPoolExecutor, tmp_path: Path
) -> None:
    answers = [f"answer {n} {'more ' * (n % 7)}" for n in range(40)]
    with start_patched() as server:
        server.wait_ready()
        (tmp_path / "no-forward").touch()
        waiting = [send(threads, server, answer) for answer in answers]
        until(lambda: server.metric("reward_pending_samples") == 40)
        server.process.send_signal(signal.SIGTERM)
        (tmp_path / "no-forward").unlink()
        scores = [raw_scores(each.result())[0] for each in waiting]
        assert server.process.wait(600) == 0
    for answer, score in list(zip(answers, scores, strict=True))[::-7]:  # alone, and in another order
        assert raw_scores(patched.post(PLAIN, body(answer))) == [score]


def raw_scores(reply: httpx.Response) -> list[float]:
    values: dict[str, Any] = reply.json()["parts"]
    return list(values["model_score"])


@pytest.mark.parametrize(("failure", "reason"), [("die", "launch failure"), ("no-forward", "hangs")])
def test_a_device_that_dies_or_hangs_is_503_for_all_who_wait_and_for_ready(
    failure: str, reason: str, start_patched: StartPatched, threads: ThreadPoolExecutor, tmp_path: Path
) -> None:
    (tmp_path / "hang-early").touch()
    with start_patched() as server:
        server.wait_ready()
        (tmp_path / failure).touch()
        waiting = [send(threads, server, f"answer {n}") for n in range(20)]
        for each in waiting:
            assert (each.result().status_code, reason in each.result().text) == (503, True)
        assert reason in server.get("/ready").text
        assert server.get("/ready").status_code == server.post(PLAIN, body("five")).status_code == 503
        assert server.post("/score/verifier", VERIFY).json()["rewards"] == [1.0]
        assert server.stop() == 0


def test_a_request_whose_samples_all_fail_is_one_line_in_the_log(patched: RunningServer, control: Path) -> None:
    def lines() -> list[str]:
        return [line for line in (control / "log").read_text().splitlines() if "gave no score" in line]

    before = len(lines())
    prompts = [[{"role": "critic", "content": "How much is 2 + 3?"}]] * 300
    reply = patched.post(PLAIN, {"completions": ["five"] * 300, "prompts": prompts}).json()
    assert reply["outcomes"] == ["error"] * 300
    assert len(lines()) == before + 1
    assert "no score for 300 of 300 samples; the first: 'critic' is no role of a message" in lines()[-1]


def test_a_completion_that_is_lost_has_none_of_the_parts(patched: RunningServer) -> None:
    lost = patched.post("/explain/rm?format=plain", {"query": "wait, five", "prompt": "How much is 2 + 3?"}).json()
    assert (lost["value"], lost["outcome"], set(lost["parts"].values())) == (None, "error", {None})
