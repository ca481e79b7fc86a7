"""What `docker compose up` promises, seen on a real engine. Run by `make docker-test`; it needs an engine and compose.

Each test prints what it saw, for the note in docs/deploy.md.
"""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from docker.load import Sample, post_singles, samples
from docker.stack import ROOT, Stack, address, build, health, inspect, run, stack, until
from tiny_models import make_tokenizer, new_model

from reward_server import __version__
from trainer_client import RewardClient

IMAGE = f"reward-server:{__version__}"
PROMETHEUS = "reward-server-test-prometheus"


@pytest.fixture(scope="module", autouse=True)
def images() -> None:
    """The images, built as they are now."""
    build(IMAGE, "docker/Dockerfile")
    build(f"reward-server-proxy:{__version__}", "docker/proxy/Dockerfile", "docker/proxy")
    build(PROMETHEUS, "tests/docker/prometheus.Dockerfile", "tests/docker")


@pytest.fixture(scope="module")
def one(images: None) -> Iterator[Stack]:
    """The server with Prometheus, as `docker compose --profile monitoring up reward-server prometheus` has them."""
    files = ("docker-compose.yml", "tests/docker/compose.prometheus.yml")
    with stack("rewardone", *files, up=("reward-server", "prometheus"), options=("--profile", "monitoring")) as project:
        yield project


@pytest.fixture(scope="module")
def with_model(images: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The server with a tiny random reward model in its process."""
    tag = f"reward-server-rm:{__version__}"
    if not run("docker", "images", "--quiet", tag):
        pytest.skip(f"needs the image {tag}, some gigabytes: docker build -f docker/Dockerfile.rm -t {tag} .")
    folder = tmp_path_factory.mktemp("model")
    new_model().save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    readable(folder)
    files = ("docker-compose.yml", "tests/docker/compose.prometheus.yml")
    options = ("--profile", "rm", "--profile", "monitoring")
    services, variables = ("reward-server-rm", "prometheus"), {"RM_FOLDER": str(folder), "REWARD_RM_THREADS": "1"}
    with stack("rewardmodel", *files, up=services, options=options, server=services[0], variables=variables) as project:
        yield project


@pytest.fixture(scope="module")
def three(images: None) -> Iterator[Stack]:
    """Three replicas behind the proxy."""
    with stack(
        "rewardthree", "docker-compose.scale.yml", up=("--scale", "reward-server=3", "reward-server", "proxy")
    ) as (project):
        until(lambda: ready(project.url), "the proxy sees a replica")
        yield project


def test_the_image_is_small_and_has_nothing_to_build_with() -> None:
    found = inspect(IMAGE)
    base = inspect("python:3.11-slim")["Size"]
    print(f"\nimage {found['Size'] / 1e6:.0f} MB, of which the base is {base / 1e6:.0f} MB")
    assert found["Size"] < 700e6
    assert found["Config"]["User"] == "10001:10001"
    assert found["Config"]["Labels"]["org.opencontainers.image.version"] == __version__
    missing = "import shutil, importlib.util as u; print([n for n in ('gcc', 'cc', 'make', 'git') if shutil.which(n)]"
    script = missing + ", [n for n in ('pip', 'setuptools', 'torch') if u.find_spec(n)])"
    assert run("docker", "run", "--rm", "--entrypoint", "python", IMAGE, "-c", script).strip() == "[] []"


def test_the_image_tokenises_for_vllm_without_torch(tmp_path: Path) -> None:
    make_tokenizer().save_pretrained(tmp_path)
    readable(tmp_path)
    script = (
        "from pathlib import Path; from reward_server.workers.model_folder import load_tokenizer; "
        "from reward_server.workers.tokenizer import ChatTokenizer; "
        "tokenizer = ChatTokenizer(load_tokenizer(Path('/model')), max_tokens=4096); "
        "print(repr(tokenizer.encode([{'role': 'user', 'content': 'hi'}], 'there').text))"
    )
    command = ["docker", "run", "--rm", "--read-only", "--tmpfs", "/tmp", "--volume", f"{tmp_path}:/model:ro"]
    text = run(*command, "--entrypoint", "python", IMAGE, "-c", script)
    assert "user\\nhi<|im_end|>\\n<|im_start|>assistant\\nthere<|im_end|>" in text


def test_the_server_is_process_1_and_may_do_nothing_but_serve(one: Stack) -> None:
    (server,) = one.containers("reward-server")
    status = inside(server, "print(open('/proc/1/status').read(), open('/proc/1/cmdline').read())")
    assert re.search(r"^Uid:\t10001\t", status, re.M)
    assert re.search(r"^CapEff:\t0+$", status, re.M)
    assert re.search(r"^CapBnd:\t0+$", status, re.M)
    assert re.search(r"^NoNewPrivs:\t1$", status, re.M)
    assert "/opt/reward-server/bin/reward-server\0serve" in status
    writable = "import os; print([path for path in ('/', '/opt', '/etc', '/tmp') if os.access(path, os.W_OK)])"
    assert inside(server, writable).strip() == "['/tmp']"
    limits = "import resource as r; print(r.getrlimit(r.RLIMIT_NOFILE)[1], open('/proc/sys/net/core/somaxconn').read())"
    files, backlog = map(int, inside(server, limits).split())
    assert (files, backlog) >= (16_384 + 512, 16_384)


def test_the_readmes_curl_lines_are_answered_from_the_host(one: Stack) -> None:
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("curl") and "8000" in line]
    assert len(lines) >= 6
    for line in lines:
        script = "cd $(mktemp -d); printf 'so \\\\boxed{4}' > out.txt; "
        reply = run("bash", "-euc", script + line.replace("http://127.0.0.1:8000", one.url))
        assert reply
        assert '{"error"' not in reply, reply
    print(f"\n{len(lines)} curl lines answered")


def test_prometheus_scrapes_the_server_and_every_panel_has_an_answer(one: Stack) -> None:
    exercise(one)
    until(lambda: number(one, 'up{job="reward-server"}') == 1, "the server is scraped")
    until(lambda: number(one, 'sum(reward_samples_total{reward="flip"})') >= 2048, "the load is scraped")
    exercise(one)  # a rate needs a series before and after
    until(lambda: number(one, 'sum(reward_samples_total{reward="flip"})') >= 4096, "the second load is scraped")
    expressions = dashboard_expressions()
    empty = {expression for expression in expressions if not query(one, expression)}
    print(f"\n{len(expressions) - len(empty)} of {len(expressions)} expressions of the dashboard have an answer")
    assert all("reward_model_" in expression for expression in empty)  # this server has none


def test_the_rules_are_loaded_and_promtool_accepts_everything(one: Stack) -> None:
    until(lambda: all(rule["health"] == "ok" for rule in loaded_rules(one)), "every rule was evaluated")
    mounts = [
        "-v",
        f"{ROOT}/docker/prometheus:/etc/prometheus:ro",
        "-v",
        f"{ROOT}/docker/prometheus/alerts.yml:/t/alerts.yml:ro",
    ]
    mounts += ["-v", f"{ROOT}/tests/docker/alerts_test.yml:/t/alerts_test.yml:ro"]
    tool = ["docker", "run", "--rm", *mounts, "--entrypoint", "promtool", PROMETHEUS]
    run(*tool, "check", "config", "/etc/prometheus/prometheus.yml")
    run(*tool, "check", "rules", "/t/alerts.yml")
    run(*tool, "test", "rules", "/t/alerts_test.yml")
    firing = [rule["name"] for rule in loaded_rules(one) if rule["state"] == "firing"]
    print(f"\n{len(loaded_rules(one))} rules loaded; firing: {firing or 'none'}")


def test_a_stop_in_the_middle_of_a_load_loses_nothing_that_was_accepted(one: Stack) -> None:
    (server,) = one.containers("reward-server")
    load = samples(5000)
    with ThreadPoolExecutor(1) as thread:
        before = len(answered_ids(server))
        pending = thread.submit(post_singles, one.url, load, tries=1)
        until(lambda: len(answered_ids(server)) - before > 1500, "a third is answered")
        run("docker", "stop", server)
        outcomes = pending.result()
    state = inspect(server)["State"]
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
    got = {f"sample-{n}" for n, outcome in enumerate(outcomes) if outcome.reward is not None}
    accepted = answered_ids(server)
    print(f"\naccepted {len(accepted)} of 5000, answered {len(got)}, lost {len(accepted - got)}; exit code 0")
    assert accepted == got
    assert 1500 < len(got) < 5000
    assert all(outcome.reward in (None, sample.reward) for outcome, sample in zip(outcomes, load, strict=True))
    run("docker", "start", server)
    until(lambda: ready(one.url), "it is up again")


def test_three_replicas_give_the_same_bytes(three: Stack) -> None:
    load = samples(400)
    body = {
        "completions": ["wait, let me check: " + sample.completion for sample in load],
        "ground_truths": [sample.ground_truth for sample in load],
        "groups": [n // 8 for n in range(len(load))],
    }
    for path in ("/score/verifier?alpha=0.1", "/score/flip?flip_prob=0.4&seed=17", "/score/rpr"):
        urls = [*map(address, three.containers("reward-server")), three.url]
        replies = [httpx.post(url + path, json=body, timeout=170) for url in urls]
        assert [reply.status_code for reply in replies] == [200] * 4
        assert len({reply.content for reply in replies}) == 1, path
    print(f"\n{len(load)} samples, 3 rewards, 3 replicas and the proxy: the same bytes")


def test_a_replica_killed_under_load_costs_retries_only_to_one_sample_requests(three: Stack) -> None:
    load = samples(3000)
    with killed_under_load(three):
        outcomes = post_singles(three.url, load)
    assert [outcome.reward for outcome in outcomes] == [sample.reward for sample in load]
    print(f"\n3000 rewards right; sent again by the caller: {sum(outcome.retries for outcome in outcomes)}")


def test_a_replica_killed_under_load_costs_retries_only_to_trainer_client(
    three: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    load = samples(3000)
    batches = [load[start : start + 20] for start in range(0, len(load), 20)]
    caplog.set_level(logging.DEBUG, "trainer_client")
    with RewardClient(three.url + "/score/verifier") as client, ThreadPoolExecutor(8) as threads:

        def score(rows: list[Sample]) -> list[float | None]:
            texts = ["Let me think. " * 300 + row.completion for row in rows]  # 84 KB: over the proxy's buffer
            return client.score(texts, ground_truths=[row.ground_truth for row in rows]).rewards

        with killed_under_load(three):
            rewards = [reward for batch in threads.map(score, batches) for reward in batch]
    assert rewards == [sample.reward for sample in load]
    again = sum("again" in record.getMessage() for record in caplog.records)
    print(f"\n150 batches of 20 right; sent again by trainer_client: {again}")


def test_a_reward_model_is_served_from_a_mounted_folder_and_its_panels_have_answers(with_model: Stack) -> None:
    completions = [f"wait, so it is {n}.</think><answer>The answer is {n}.</answer>" for n in range(16)]
    body = {"completions": completions, "prompts": ["User: What is 2 + 3?\nAssistant: <think>"] * 16}
    for times in (1, 2):  # a rate needs a series before and after
        reply = with_model.post("/score/rm?threshold=100&alpha=0.5&phrases=math", body).json()
        assert reply["outcomes"] == ["scored"] * 16
        until(partial(is_scraped, with_model, 16 * times), "it is scraped")
    of_the_model = [expression for expression in dashboard_expressions() if "reward_model_" in expression]
    assert [expression for expression in of_the_model if not query(with_model, expression)] == []
    print(f"\n16 samples scored by a tiny model; its {len(of_the_model)} expressions have an answer")


def readable(folder: Path) -> None:
    """pytest's folders are for their owner only; the server is somebody else."""
    for path in (folder.parent, folder, *folder.iterdir()):
        path.chmod(0o755)


@contextmanager
def killed_under_load(project: Stack) -> Iterator[None]:
    """While the body sends its load, one replica is killed with SIGKILL; the engine starts it again."""
    victim = project.containers("reward-server")[0]
    before, restarts = len(requests(victim)), inspect(victim)["RestartCount"]

    def kill() -> None:
        until(lambda: len(requests(victim)) > before + 20, "the victim is at work")
        os.kill(inspect(victim)["State"]["Pid"], signal.SIGKILL)  # needs root; `docker kill` would keep it down

    with ThreadPoolExecutor(1) as thread:
        killed = thread.submit(kill)
        yield
        killed.result()
    until(lambda: inspect(victim)["RestartCount"] > restarts and health(victim) == "healthy", "it is started again")


def requests(container: str) -> list[dict[str, Any]]:
    """The server's own log lines of scoring requests it answered with 200."""
    logs = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in (logs.stdout + logs.stderr).splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("route") == "/score/verifier" and line.get("status") == 200]


def answered_ids(container: str) -> set[str]:
    return {line["request_id"] for line in requests(container) if line["request_id"].startswith("sample-")}


def ready(url: str) -> bool:
    try:
        return httpx.get(url + "/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def inside(container: str, script: str) -> str:
    return run("docker", "exec", container, "python", "-c", script)


def exercise(project: Stack) -> None:
    """Something of every kind that the dashboard shows of a server without a model."""
    load = samples(2048)
    columns = {
        "completions": ["wait, let me check: " + sample.completion for sample in load],
        "ground_truths": [sample.ground_truth for sample in load],
        "groups": list(range(len(load))),
    }
    for path in ("/score/verifier?alpha=0.1", "/score/flip?flip_prob=0.4&seed=17", "/score/rpr"):
        assert project.post(path, columns).status_code == 200


def query(project: Stack, expression: str) -> list[Any]:
    reply = httpx.get(project.prometheus_url + "/api/v1/query", params={"query": expression}).json()
    assert reply["status"] == "success", (expression, reply)
    found: list[Any] = reply["data"]["result"]
    return found


def number(project: Stack, expression: str) -> float:
    return sum(float(series["value"][1]) for series in query(project, expression))


def is_scraped(project: Stack, samples_of_rm: int) -> bool:
    return number(project, 'sum(reward_samples_total{reward="rm"})') == samples_of_rm


def loaded_rules(project: Stack) -> list[dict[str, Any]]:
    groups = httpx.get(project.prometheus_url + "/api/v1/rules").json()["data"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard_expressions() -> list[str]:
    """Every query of the dashboard, with Grafana's variables as Grafana would fill them in for `All`."""
    dashboard = json.loads((ROOT / "docker/grafana/dashboards/reward-server.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    filled = {"$reward": ".*", "$instance": ".*", "$__rate_interval": "1m", "$__range": "1h"}
    return [re.sub(r"\$\w+", lambda found: filled[found[0]], expression) for expression in expressions]
