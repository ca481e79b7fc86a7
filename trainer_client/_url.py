"""The one setting: a URL that carries the server, the reward, its parameters and the key.

http://user:KEY@host:8000/score/flip?flip_prob=0.4
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

from trainer_client._errors import BadConfiguration

EXAMPLE = "http://user:KEY@host:8000/score/flip?flip_prob=0.4"


@dataclass(frozen=True)
class RewardUrl:
    """One reward on one server. `root` is what stands before `/score/`; there is no key in any URL made of it."""

    root: str
    reward: str
    query: str
    api_key: str | None = field(repr=False)

    def score(self, suffix: str = "") -> str:
        """Where samples are scored; `suffix` is a dialect's own path below, such as `/verify`."""
        return self._join(f"/score/{self.reward}{suffix}")

    @property
    def explain(self) -> str:
        return self._join(f"/explain/{self.reward}")

    @property
    def rewards(self) -> str:
        return f"{self.root}/rewards"

    @property
    def ready(self) -> str:
        return f"{self.root}/ready"

    @property
    def fallback_reward(self) -> float:
        """The server's parameter of that name: what is paid where a trainer cannot take null. Default 0."""
        return float(parse_qs(self.query).get("fallback_reward", ["0"])[-1])

    def _join(self, path: str) -> str:
        return f"{self.root}{path}?{self.query}" if self.query else f"{self.root}{path}"


def reward_urls(urls: str | Sequence[str] | None, api_key: str | None) -> tuple[RewardUrl, ...]:
    """One, or replicas of one reward. Raises BadConfiguration, also for different rewards or parameters."""
    several = [urls] if isinstance(urls, str) or urls is None else list(urls)
    found = tuple(dict.fromkeys(reward_url(url, api_key) for url in several))
    if not found:
        raise BadConfiguration(f"no reward server: the list of URLs is empty, for example [{EXAMPLE!r}]")
    for url in found[1:]:
        if (url.reward, url.query) != (found[0].reward, found[0].query):
            raise BadConfiguration(
                f"replicas of one reward differ in their host alone, not {found[0].score()!r} and {url.score()!r}"
            )
    return found


def reward_url(url: str | None, api_key: str | None) -> RewardUrl:
    """`url`, by default REWARD_URL. The key: `api_key`, else the one in the URL, else REWARD_API_KEY, else none.

    Raises BadConfiguration.
    """
    given = url or os.environ.get("REWARD_URL", "")  # noqa: TID251 - the client's only two variables are read here
    if not given:
        raise BadConfiguration(f"no reward server: give a URL or set REWARD_URL, for example {EXAMPLE}")
    parsed = _parse(given)
    key = (api_key or parsed.api_key or os.environ.get("REWARD_API_KEY", "")).strip()  # noqa: TID251 - see above
    if not (key.isascii() and key.isprintable()):
        raise BadConfiguration("the API key has characters that no HTTP header can carry")
    return RewardUrl(parsed.root, parsed.reward, parsed.query, key or None)


def _parse(url: str) -> RewardUrl:
    parts = urlsplit(url.strip())  # a variable read from a file ends with a line break
    userinfo, _, host = parts.netloc.rpartition("@")
    before, slashes, reward = parts.path.rstrip("/").rpartition("/score/")
    is_reward = bool(slashes and reward) and "/" not in reward
    if parts.scheme not in ("http", "https") or not host or " " in host or not is_reward:
        shown = urlunsplit(parts._replace(netloc=host))
        raise BadConfiguration(f"{shown!r} is not the URL of a reward; it looks like {EXAMPLE}")
    user, _, password = userinfo.partition(":")
    root = urlunsplit((parts.scheme, host, before, "", ""))
    url_of = RewardUrl(root, reward, parts.query, unquote(password or user) or None)
    try:
        _ = url_of.fallback_reward, parts.port
    except ValueError as error:
        raise BadConfiguration(f"{urlunsplit(parts._replace(netloc=host))!r}: {error}") from None
    return url_of
