"""One server a node: the process that keeps it, on real processes; on Ray, under Ray's own code (tests/trainers)."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from running_server import SERVER_PYTHON, until
from trainer_programs import ROOT, printed

from trainer_client import BadConfiguration
from trainer_client.ray_servers import keeper, ports
from trainer_client.ray_servers.identity import asked, differences
from trainer_client.ray_servers.options import checked

STAND_IN = """
import http.server, os, signal, sys, time
port = int(sys.argv[sys.argv.index("--port") + 1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), http.server.BaseHTTPRequestHandler)
signal.signal(signal.SIGTERM, {on_sigterm})
if os.fork() == 0:  # a worker of its own
    time.sleep(600)
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


def is_left(group: int) -> bool:
    """Whether a process of the server's group lives; those that wait to be collected do not."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, pgrp = path.read_text().rpartition(")")[2].split()[:3]
            if int(pgrp) == group and state != "Z":
                return True
    return False


@pytest.mark.parametrize("on_sigterm", ["lambda *_: os._exit(0)", "signal.SIG_IGN"])
def test_when_the_actor_is_gone_no_process_of_the_server_is_left(package: Path, on_sigterm: str) -> None:
    (package / "reward_server" / "__main__.py").write_text(STAND_IN.format(on_sigterm=on_sigterm))
    with kept(package) as it:
        server = it.listening()
        it.forget()
        assert it.process.wait(60) == 0
        until(lambda: not is_left(server["pid"]))  # also where it would not end by itself, nor its worker


def test_a_server_does_not_outlive_its_keeper_that_was_killed(package: Path) -> None:
    with kept(package) as it:
        pid = it.listening()["pid"]
        it.process.kill()
        until(lambda: not Path(f"/proc/{pid}").exists() or "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text())


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
    with kept(ROOT, "--no-such-option", python=SERVER_PYTHON) as it:
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
    assert f" is in use by pid {found['pid']} (" in found["taken"]
    assert found["left"] == 0
