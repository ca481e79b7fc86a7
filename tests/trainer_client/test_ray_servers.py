"""One server a node: the process that keeps it, on real processes; on Ray, under Ray's own code (tests/trainers)."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from running_server import SERVER_PYTHON, until
from trainer_programs import printed

from trainer_client import BadConfiguration
from trainer_client.ray_servers import keeper, ports
from trainer_client.ray_servers.identity import asked, differences
from trainer_client.ray_servers.node import Order, Report, ServerNode
from trainer_client.ray_servers.options import checked

STAND_IN = """
import http.server, os, signal, sys, time
port = int(sys.argv[sys.argv.index("--port") + 1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), http.server.BaseHTTPRequestHandler)
signal.signal(signal.SIGTERM, {on_sigterm})
if os.fork() == 0:  # a worker of its own
    time.sleep(60)
print("reward-server 0 listens on http://127.0.0.1:%d" % server.server_port, flush=True)
server.serve_forever()
"""
"""A `reward_server` that is up in a moment, for what does not depend on what a server answers."""
SAMPLES = 3000
StartServer = Callable[..., AbstractContextManager[tuple[str, "subprocess.Popen[str]"]]]


class Keeper:
    """The keeper as an actor starts it."""

    def __init__(self, folder: Path, *options: str, python: str = sys.executable, port: int = 0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-I", keeper.__file__, python, str(port), str(folder / "log"), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(folder)},
            cwd=folder,
        )

    def event(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        event: dict[str, Any] = json.loads(self.process.stdout.readline())
        return event

    def listening(self) -> dict[str, Any]:
        """Goes on until it says that its server listens."""
        while (event := self.event())["event"] != "listening":
            assert event["event"] in ("found", "ended"), event
        return event

    def forget(self) -> None:
        """What the end of the actor is: nobody holds the pipe any more."""
        assert self.process.stdin is not None
        self.process.stdin.close()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder with a stand-in for the package `reward_server`."""
    (tmp_path / "reward_server").mkdir()
    (tmp_path / "reward_server" / "__main__.py").write_text(STAND_IN.format(on_sigterm="lambda *_: os._exit(0)"))
    (tmp_path / "reward_server" / "__init__.py").touch()
    return tmp_path


@contextmanager
def kept(folder: Path, *options: str, **arguments: Any) -> Iterator[Keeper]:
    it = Keeper(folder, *options, **arguments)
    with it.process:
        try:
            yield it
        finally:
            it.process.kill()


def fields(process: int | str) -> list[str]:
    """State, parent, group, … of a process; empty when it is gone or only waits to be collected."""
    try:
        found = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
    return [] if found[0] == "Z" else found


def is_alive(pid: int) -> bool:
    return bool(fields(pid))


def is_left(group: int) -> bool:
    """Whether a process of the server's group lives."""
    return any(found and int(found[2]) == group for found in map(fields, filter(str.isdecimal, os.listdir("/proc"))))


@pytest.mark.parametrize("on_sigterm", ["lambda *_: os._exit(0)", "signal.SIG_IGN"])
def test_when_the_actor_is_gone_no_process_of_the_server_is_left(package: Path, on_sigterm: str) -> None:
    (package / "reward_server" / "__main__.py").write_text(STAND_IN.format(on_sigterm=on_sigterm))
    with kept(package) as it:
        server = it.listening()
        it.forget()
        assert it.process.wait(600) == 0
        until(lambda: not is_left(server["pid"]))  # also where it would not end by itself, nor its worker


def test_a_server_does_not_outlive_its_keeper_that_was_killed(package: Path) -> None:
    with kept(package) as it:
        pid = it.listening()["pid"]
        it.process.kill()
        until(lambda: not is_alive(pid))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_that_dies_is_started_again_on_its_port_and_its_workers_are_not_left(
    package: Path, number: signal.Signals
) -> None:
    with kept(package) as it:
        first = it.listening()
        os.kill(first["pid"], number)
        ended = it.event()
        assert ended["event"] == "ended"
        assert ended["reason"] == {9: "the server was killed (SIGKILL)", 15: "the server ended with 0"}[number]
        until(lambda: not is_left(first["pid"]))
        second = it.listening()
        assert (second["url"], second["pid"] != first["pid"]) == (first["url"], True)


def test_a_server_whose_code_or_files_have_changed_is_not_started_again(package: Path) -> None:
    config = package / "rewards.toml"
    config.write_text("[a]")
    for changed in (config, package / "reward_server" / "__init__.py"):
        with kept(package, f"--config={config}") as it:
            pid = it.listening()["pid"]
            changed.write_text("# now it pays otherwise")
            os.kill(pid, signal.SIGKILL)
            it.event()
            refused = it.event()
        assert refused["event"] == "refused"
        assert "its code or its files are not what they were" in refused["reason"]


def test_a_python_without_the_server_is_named_with_what_to_do(tmp_path: Path) -> None:
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    bare.chmod(0o755)
    for python, reason in ((bare, f"{bare} has no reward_server: "), (tmp_path / "none", "cannot run ")):
        with kept(tmp_path, python=str(python)) as it:
            event = it.event()
        assert event["event"] == "refused"
        assert event["reason"].startswith(reason)


def test_a_server_that_cannot_start_is_refused_with_its_own_words(tmp_path: Path) -> None:
    with kept(tmp_path, "--no-such-option", python=SERVER_PYTHON) as it:
        assert it.event()["event"] == "found"
        refused = it.event()
    assert "the server ended with 2 before it listened" in refused["reason"]
    assert "No such option" in refused["reason"]


def test_who_has_a_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert not ports.is_free(port)
        assert ports.listener(port).startswith(f"pid {os.getpid()} (")
    assert ports.is_free(port)
    assert ports.listener(port) == "a process that cannot be seen from here"


def test_servers_of_the_same_configuration_say_the_same_of_themselves_and_others_do_not(
    server: str, start_server: StartServer, tmp_path: Path
) -> None:
    config = tmp_path / "rewards.toml"
    config.write_text('[noisy]\nbase = "flip"\nflip_prob = 0.4\n')
    with start_server() as (same, _), start_server(config=config) as (other, _):
        one, two, three = asked(server, None), asked(same, None), asked(other, None)
    assert one is not None and two is not None and three is not None
    assert {"version", "rewards", "config of verifier", "config of rpr", "config of rm"} <= one.keys()
    assert differences({"a": one, "b": two}) == []
    assert [text.partition(" is ")[0] for text in differences({"a": one, "b": two, "c": three})] == [
        "rewards",
        "config of noisy",
    ]
    assert "config of noisy is none on a and b, " in differences({"a": one, "b": two, "c": three})[1]
    assert asked("http://127.0.0.1:9", None) is None


def test_a_server_that_wants_a_key_is_asked_with_it(keyed_server: str) -> None:
    assert asked(keyed_server, "sesame") is not None
    with pytest.raises(ValueError, match="/rewards: 401"):
        asked(keyed_server, None)


@pytest.mark.parametrize("option", ["--port", "--host=0.0.0.0", "--api-keys"])
def test_options_that_are_not_the_servers_are_refused(option: str) -> None:
    assert checked(["--config", "x.toml"]) == ("--config", "x.toml")
    with pytest.raises(BadConfiguration, match=option.partition("=")[0]):
        checked([option, "1"])


def order(package: Path, port: int) -> Order:
    return Order(port, sys.executable, str(package), (), {"PYTHONPATH": str(package)})


@contextmanager
def node(given: Order, agreed: dict[str, str] | None = None) -> Iterator[ServerNode]:
    """The actor, without Ray."""
    it = ServerNode(given, f"{given.folder}/log", agreed)
    try:
        yield it
    finally:
        it.stop()


def looked(it: ServerNode, wanted: Callable[[Report], object]) -> Report:
    """The first report that is as wanted."""
    while not wanted(report := it.look()):
        assert report.state != "refused", report
        time.sleep(0.02)  # polling, not guessing
    return report


def test_a_port_that_another_program_has_is_an_error_that_names_it(package: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, node(order(package, taken.getsockname()[1])) as it:
        report, port = it.look(), taken.getsockname()[1]
    assert report.state == "refused"
    assert report.reason.startswith(f"port {port} is in use by pid {os.getpid()} (")


def test_a_port_of_a_server_that_is_ending_is_waited_for(package: Path) -> None:
    with kept(package) as former:
        url = former.listening()["url"]
        with node(order(package, int(url.rpartition(":")[2]))) as it:
            report = it.look()
            assert report.state == "starting"
            assert "is still in use by pid" in report.reason
            former.forget()
            assert looked(it, lambda report: report.url).url == url


def test_a_process_that_is_ending_is_waited_for_whatever_it_was(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        subprocess.Popen([sys.executable, "-c", ""]) as ended,
        node(order(package, taken.getsockname()[1])) as it,
    ):
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)  # its memory is gone, with its command line
        monkeypatch.setattr(ports, "_processes_with", lambda _inode: iter([ended.pid]))
        report = it.look()
        assert report.state == "starting"
        assert report.reason.endswith(f"is still in use by process {ended.pid}, which is ending")


def test_a_node_whose_code_is_not_what_was_agreed_gets_no_server(package: Path) -> None:
    with node(order(package, 0), {"code": "another", "files": "another"}) as it:
        report = looked(it, lambda report: report.state == "refused")
        assert "it might pay other rewards: code is another on the other servers, " in report.reason
        assert it.look() == report  # and stays so


def test_a_server_has_the_drivers_variables_and_none_of_the_trainers_gpus(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REWARD_SEED_OF_THE_NODE", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    for gpus, visible in ((0, ""), (1, "3")):
        given = order(package, 0)
        given.environment["REWARD_OF_THE_DRIVER"] = "2"
        with node(replace(given, gpus=gpus)) as it:
            pid = looked(it, lambda report: report.url).pid
            pairs = Path(f"/proc/{pid}/environ").read_text().split("\0")
        environment = dict(pair.split("=", 1) for pair in pairs if pair)
        assert environment["CUDA_VISIBLE_DEVICES"] == visible
        assert environment["REWARD_OF_THE_DRIVER"] == "2"
        assert "REWARD_SEED_OF_THE_NODE" not in environment


def test_a_keeper_that_is_killed_gets_a_successor_with_another_server(package: Path) -> None:
    with node(order(package, 0)) as it:
        first = looked(it, lambda report: report.url)
        os.kill(int(fields(first.pid)[1]), signal.SIGKILL)
        killed = looked(it, lambda report: report.notes)
        assert "the keeper of the server was killed (-9)" in killed.notes[0]
        second = looked(it, lambda report: report.url)
        until(lambda: not is_alive(first.pid))
        assert second.pid != first.pid


def test_three_ray_nodes_pay_as_one_server_whatever_is_killed_and_nothing_is_left(server: str, tmp_path: Path) -> None:
    (found,) = printed("TRAINERS_PYTHON", "ray_servers.py", SERVER_PYTHON, str(tmp_path), str(SAMPLES), url=server)
    assert (found["started"], found["urls"], found["later"]) == (2, 2, 3)
    assert found["scored"]["samples"] == SAMPLES
    assert found["scored"]["differences"] == 0  # one server was killed on the way
    assert 0 < found["scored"]["paid"] < SAMPLES
    assert found["actor"] == {"kept": 2, "now": 3}
    assert found["raylet"] == {"kept": 2, "now": 2}
    assert "it might pay other rewards: code is " in found["other"]
    assert "the nodes would pay different rewards: code is " in found["differ"]
    assert found["ended"] == [2, 0]
    assert found["killed"] == [2, -signal.SIGKILL]


SRUN = """#!/bin/bash
while [[ $1 == --* ]]; do shift; done
exec "$@"
"""
"""In SLURM's place: the command on one node, its options dropped."""
AFTER = """
{same}
servers=$(jobs -p)
reward-server serve --port {port} 2>&1 | grep -o 'address already in use'
echo "${{PIPESTATUS[0]}}"
kill -TERM $servers
wait $servers
echo "$?"
"""


def test_the_lines_for_slurm_start_wait_compare_and_end(tmp_path: Path) -> None:
    page = (Path(keeper.__file__).parents[2] / "docs" / "trainers" / "cluster.md").read_text()
    start, same = (block for block in re.findall(r"```text\n(.*?)```", page, re.DOTALL) if "srun" in block)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (tmp_path / "srun").write_text(SRUN)
    (tmp_path / "srun").chmod(0o755)
    (tmp_path / "reward-server").write_text(f'#!/bin/sh\nexec {SERVER_PYTHON} -m reward_server "$@"\n')
    (tmp_path / "reward-server").chmod(0o755)
    script = (start + AFTER.format(same=same, port=8000)).replace("8000", str(port))
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_NNODES": "1"}
    run = subprocess.run(["bash", "-uc", script], capture_output=True, text=True, env=environment, cwd=tmp_path)
    lines = run.stdout.splitlines()
    agreed = next(place for place, line in enumerate(lines) if '"config": "' in line)
    assert lines[agreed].split()[0] == "1"
    assert lines[agreed + 1 :] == ["address already in use", "3", "0"], run.stderr
