"""What OpenRLHF is pointed at: the reward's URL, or a file that asks it."""

from __future__ import annotations

import os
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from trainer_client import BadConfiguration, RewardClient
from trainer_client.openrlhf_grpo.options import Options

REWARD_FILE = '''"""The reward of this run, which OpenRLHF loads; the URL may hold a key."""

from functools import partial

from trainer_client.adapters.openrlhf import reward_from

reward_func = partial(reward_from, {url!r})
'''


def reward_url(options: Options) -> str:
    """The server's URL with the reward and its parameters. Raises BadConfiguration."""
    name, *parameters = options.reward
    pairs = [parameter.partition("=") for parameter in parameters]
    for key, equals, _ in pairs:
        if not equals:
            raise BadConfiguration(f"--reward {name}: {key!r} is no PARAMETER=VALUE")
    query = urlencode([(key, value) for key, _, value in pairs])
    return f"{options.server_url.rstrip('/')}/score/{quote(name)}{'?' if query else ''}{query}"


def url_with_key(client: RewardClient) -> str:
    """The client's URL as OpenRLHF takes it, with the key in it."""
    parts = urlsplit(client.url.score())
    key = f"key:{quote(client.url.api_key, safe='')}@" if client.url.api_key else ""
    return urlunsplit(parts._replace(netloc=key + parts.netloc))


def written(options: Options, url: str) -> str:
    """The value of `--reward.remote_url`: the URL, or a file that holds it, readable by its owner only."""
    if options.reward_client == "url":
        return url
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / "reward.py"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(REWARD_FILE.format(url=url))
    return str(path)
