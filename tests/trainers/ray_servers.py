"""Our servers on three Ray nodes of this machine, and what becomes of them when something is killed. Prints JSON.

Arguments: the Python that has the server, a folder for logs and files, how many samples. REWARD_URL: a server to
compare with.
"""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import ray
from ray.cluster_utils import Cluster
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from trainer_client import RewardClient
from trainer_client.ray_servers import NoServers, ray_servers

SERVER_PYTHON, LOGS, SAMPLES = sys.argv[1], sys.argv[2], int(sys.argv[3])
ROOT = Path(__file__).parents[2]
NODE = {"num_cpus": 1, "object_store_memory": 2**27}
QUERY = "/score/flip?flip_prob=0.4&seed=5"
HANG_S = 240
LEFT_S = 30
"""In which an orphan has to be gone."""
READY = re.compile(r"node \S+ \(\S+, (\w+)\): ready at (\S+),")


def until(condition, what, seconds=HANG_S):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, what
        time.sleep(0.05)
    return found


def servers() -> "dict[int, psutil.Process]":
    """Of this test, by pid: their command line has its folder."""
    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            line = process.cmdline()
            if line[1:4] == ["-m", "reward_server", "serve"] and LOGS in " ".join(line):
                found[process.pid] = process
    return found


class Job:
    """The command as a process, and what it says."""

    def __init__(self, address: str, *options: str) -> None:
        command = [sys.executable, "-m", "trainer_client.ray_servers", "--address", address, "--log-dir", LOGS]
        command += ["--python", SERVER_PYTHON, *options, "--", "--config", f"{LOGS}/rewards.toml"]
        environment = os.environ | {"REWARD_VERIFIER_WORKERS": "1"}  # for every server
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.lines: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()
        assert self.process.stdout.readline().startswith("http://127.0.0.1:"), self.lines

    def _read(self) -> None:
        for line in self.process.stderr:
            self.lines.append(line.rstrip())
            print(line, file=sys.stderr, end="", flush=True)

    def ended(self, number: signal.Signals) -> "list[int]":
        """How many servers there were, the exit code, and that no server is left."""
        before = len(servers())
        self.process.send_signal(number)
        code = self.process.wait(HANG_S)
        until(lambda: not servers(), "a server outlived the driver", LEFT_S)
        return [before, code]

    def urls(self) -> "dict[str, str]":
        """By the beginning of the node's id, as last said."""
        return {found[1]: found[2] for line in list(self.lines) if (found := READY.search(line))}


def says(job: Job, text: str, since: int = 0) -> bool:
    return any(text in line for line in job.lines[since:])


def main() -> None:
    Path(LOGS, "rewards.toml").write_text('[noisy]\nbase = "flip"\nflip_prob = 0.4\n')
    cluster = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    cluster.add_node(**NODE)
    ray.init(address=cluster.address, log_to_driver=False)
    job = Job(cluster.address, "--port", "0")
    found = {"started": len(servers()), "urls": len(job.urls())}
    late = cluster.add_node(**NODE)
    until(lambda: len(job.urls()) == 3, "the node that came later has no server")
    found["later"] = len(servers())
    found["scored"] = scored(job)
    found["actor"] = actor_killed(job)
    found["raylet"] = raylet_killed(job, late)
    found["ended"] = job.ended(signal.SIGINT)

    job = Job(cluster.address, "--port", "0")
    found["other"] = other_code(job, cluster)
    found["killed"] = job.ended(signal.SIGKILL)
    found["differ"] = differing()
    print(json.dumps(found))
    ray.shutdown()
    cluster.shutdown()


def scored(job: Job) -> "dict[str, int]":
    """Batches from tasks on random nodes, each asking its own node's server; one server is killed on the way."""
    chosen = random.Random(1)
    urls, nodes = job.urls(), [node["NodeID"] for node in ray.nodes() if node["Alive"]]

    @ray.remote(num_cpus=1)
    def rewards(url: str, rows: "list[int]") -> "list[float]":
        with RewardClient(url) as client:
            return client.score(**batch(rows)).rewards

    tasks, victim = [], min(servers())
    for start in range(0, SAMPLES, 20):
        node = chosen.choice(nodes)
        here = rewards.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False))
        tasks.append(here.remote(urls[node[:8]] + QUERY, list(range(start, start + 20))))
        if start == SAMPLES // 2 // 20 * 20:
            os.kill(victim, signal.SIGKILL)
    got = [reward for batch in ray.get(tasks) for reward in batch]
    with RewardClient(os.environ["REWARD_URL"] + QUERY) as client:
        wanted = client.score(**batch(list(range(SAMPLES)))).rewards
    until(lambda: says(job, "SIGKILL"), "nobody said that a server was killed")
    until(lambda: len(servers()) == 3 and victim not in servers(), "it was not started again")
    return {
        "samples": len(got),
        "paid": sum(map(bool, got)),
        "differences": sum(one != other for one, other in zip(got, wanted, strict=True)),
    }


def batch(rows: "list[int]") -> "dict[str, list[str]]":
    answers = [rf"so \boxed{{{row % 7}}}" if row % 3 else rf"\boxed{{\frac{{{row}}}{{{row % 5 + 1}}}}}" for row in rows]
    return {
        "completions": answers,
        "ground_truths": [str(row % 7) if row % 2 else f"{row}/{row % 5 + 1}" for row in rows],
        "groups": [f"q{row}" for row in rows],
    }


def actor_killed(job: Job) -> "dict[str, int]":
    """Its server goes, and another comes; the others' stay."""
    before, said = set(servers()), len(job.lines)
    victim = min(before)
    keeper = servers()[victim].parent()
    keeper.parent().kill()
    until(lambda: victim not in servers(), "a server outlived its actor", LEFT_S)
    until(lambda: says(job, "ready at", said), "it was not started again")
    return {"kept": len(before & set(servers())), "now": len(servers())}


def other_code(job: Job, cluster: Cluster) -> str:
    """A node that has another checkout of the server first on its path; it stays for what comes next."""
    shutil.copytree(ROOT / "reward_server", Path(LOGS, "other", "reward_server"))
    Path(LOGS, "other", "reward_server", "another_commit.py").touch()
    path = os.pathsep.join([f"{LOGS}/other", str(ROOT)])
    cluster.add_node(**NODE, env_vars={"PYTHONPATH": path})
    text = "it might pay other rewards"
    return until(lambda: [line for line in list(job.lines) if text in line], "nobody said that its code differs")[0]


def differing() -> str:
    """Of servers that are started where one node has other code."""
    try:
        with ray_servers(0, python=SERVER_PYTHON, log_dir=LOGS):
            return ""
    except NoServers as error:
        until(lambda: not servers(), "a server was left", LEFT_S)
        return str(error)


def raylet_killed(job: Job, late) -> "dict[str, int]":
    before = set(servers())
    raylet = late.all_processes["raylet"][0].process
    os.kill(raylet.pid, signal.SIGKILL)
    until(lambda: len(servers()) == 2, "a server outlived its raylet", LEFT_S)
    until(lambda: says(job, "is gone, and its server with it"), "nobody said that the node is gone")
    return {"kept": len(before & set(servers())), "now": len(servers())}


if __name__ == "__main__":
    main()
