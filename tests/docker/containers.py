"""What `docker compose up` promises, seen on a real engine. Run by `make docker-test`; it needs an engine and compose.

Each test prints what it saw, for the note in docs/deploy.md.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from docker.load import post_singles, samples
from docker.seen import (
    answered_ids,
    dashboard_expressions,
    exercise,
    inside,
    is_scraped,
    loaded_rules,
    number,
    query,
    readable,
    ready,
)
from docker.stack import IMAGE, PROMETHEUS, ROOT, Stack, compose_command, inspect, run, until

from reward_server import __version__


def test_compose_accepts_every_profile() -> None:
    profiles = [part for name in ("rm", "vllm", "monitoring") for part in ("--profile", name)]
    for file in ("docker-compose.yml", "docker-compose.scale.yml"):
        run(*compose_command(), "-f", file, *profiles, "config", "--quiet")


def test_the_image_is_small_and_has_nothing_to_build_with(images: None) -> None:
    found = inspect(IMAGE)
    base = inspect("python:3.11-slim")["Size"]
    print(f"\nimage {found['Size'] / 1e6:.0f} MB, of which the base is {base / 1e6:.0f} MB")
    assert found["Size"] < 700e6
    assert found["Config"]["User"] == "10001:10001"
    assert found["Config"]["Labels"]["org.opencontainers.image.version"] == __version__
    missing = "import shutil, importlib.util as u; print([n for n in ('gcc', 'cc', 'make', 'git') if shutil.which(n)]"
    script = missing + ", [n for n in ('pip', 'setuptools', 'torch') if u.find_spec(n)])"
    assert run("docker", "run", "--rm", "--entrypoint", "python", IMAGE, "-c", script).strip() == "[] []"


def test_the_image_tokenises_for_vllm_without_torch(images: None, tmp_path: Path) -> None:
    from tiny_models import make_tokenizer

    make_tokenizer().save_pretrained(tmp_path)
    readable(tmp_path)
    script = (ROOT / "tests" / "docker" / "tokenise.py").read_text()  # a file, so that its imports are checked
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
    asking = [block for block in blocks if "curl" in block]
    assert len(asking) >= 3
    for block in asking:
        reply = run("bash", "-euc", "cd $(mktemp -d); " + block.replace("http://127.0.0.1:8000", one.url))
        assert reply.count('"version"') == block.count("curl"), reply
        assert '{"error"' not in reply, reply
    print(f"\n{len(asking)} blocks of curl answered")


def test_prometheus_scrapes_the_server_and_every_panel_has_an_answer(one: Stack) -> None:
    exercise(one)
    until(lambda: number(one, 'up{job="reward-server"}') == 1, "the server is scraped")
    until(lambda: number(one, 'sum(reward_samples_total{reward="flip"})') >= 2048, "the load is scraped")
    exercise(one)  # a rate needs a series before and after
    until(lambda: number(one, 'sum(reward_samples_total{reward="flip"})') >= 4096, "the second load is scraped")
    expressions = dashboard_expressions()
    empty = {expression for expression in expressions if not query(one, expression)}
    print(f"\n{len(expressions) - len(empty)} of {len(expressions)} expressions of the dashboard have an answer")
    unasked = ("reward_model_", "reward_confusion_")  # this server has no model, and no reward asks a second opinion
    assert all(any(name in expression for name in unasked) for expression in empty)


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
