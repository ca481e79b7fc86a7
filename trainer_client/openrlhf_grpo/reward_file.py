"""What OpenRLHF is pointed at: the reward's URL, a file that asks it, or an agent that does."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from trainer_client import BadConfiguration, RewardClient
from trainer_client.openrlhf_grpo.options import Options

MODULE = "openrlhf_agent"
REWARD_FILE = '''"""The reward of this run, which OpenRLHF loads; the URL may hold a key."""

from functools import partial

from trainer_client.adapters.openrlhf import reward_from

reward_func = partial(reward_from, {url!r})
'''


AGENT_FILE = '''"""The agent of this run, which OpenRLHF loads; the URL may hold a key."""

import importlib.util
import sys
from pathlib import Path

from trainer_client.adapters import openrlhf_agent as module
from trainer_client.adapters.openrlhf_agent import RewardServerExecutor

FILE = Path({file!r})
if not FILE.samefile(module.__file__):
    sys.path.append(str(FILE.parent))  # at the end: a file there may be called as a package is
    spec = importlib.util.spec_from_file_location("agent_of_this_run", FILE)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


class AgentExecutor(module.AgentExecutor):
    url = {url!r}


if not issubclass(AgentExecutor, RewardServerExecutor):
    raise TypeError(f"AgentExecutor of {{FILE}} is no RewardServerExecutor, so nobody would ask the reward server")
'''


def reward_url(options: Options) -> str:
    """The server's URL with the reward, its parameters, and the run's name for the server's record. Raises
    BadConfiguration."""
    name, *parameters = options.reward
    pairs = [parameter.partition("=") for parameter in parameters]
    for key, equals, _ in pairs:
        if not equals:
            raise BadConfiguration(f"--reward {name}: {key!r} is no PARAMETER=VALUE")
    given = [(key, value) for key, _, value in pairs]
    run = [] if "run" in dict(given) else [("run", run_name(options.output))]
    return f"{options.server_url.rstrip('/')}/score/{quote(name)}?{urlencode([*given, *run])}"


def run_name(output: Path) -> str:
    """The folder's name as the server takes it: at most 100 letters, digits, `.`, `_` and `-`.

    >>> run_name(Path("/runs/noisy 40%")), run_name(Path("/"))
    ('noisy_40_', 'run')
    """
    return re.sub(r"[^A-Za-z0-9._-]", "_", output.name).lstrip(".-")[:100] or "run"


def url_with_key(client: RewardClient) -> str:
    """The client's URL as OpenRLHF takes it, with the key in it."""
    parts = urlsplit(client.url.score())
    key = f"key:{quote(client.url.api_key, safe='')}@" if client.url.api_key else ""
    return urlunsplit(parts._replace(netloc=key + parts.netloc))


def written(options: Options, url: str) -> str:
    """The URL, or a file that holds it, readable by its owner only: a reward function, or with `--agent` an agent."""
    if options.agent is not None:
        return _private(options.output / "agent.py", AGENT_FILE.format(url=url, file=str(options.agent)))
    if options.reward_client == "url":
        return url
    return _private(options.output / "reward.py", REWARD_FILE.format(url=url))


def _private(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return str(path)


def agent_problems(options: Options) -> Iterator[str]:
    """What is wrong with the agent's file, as far as its text shows: importing it may need a GPU."""
    if options.agent is None:
        return
    if options.agent.suffix != ".py" or not options.agent.is_file():
        yield f"--agent {options.agent}: no such file FILE.py"
    elif "AgentExecutor" not in (text := options.agent.read_text(encoding="utf-8")) or MODULE not in text:
        yield (
            f"--agent {options.agent}: expected a class AgentExecutor built on RewardServerExecutor of "
            f"trainer_client.adapters.{MODULE}, which asks the reward server"
        )
    if options.reward_client == "url":
        yield "--reward-client url: an agent asks with our client"
