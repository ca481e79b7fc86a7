"""A reward as somebody writes it on a command line: a name, a name with parameters, or the whole URL."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from reward_server.errors import CommandError

_PATH = re.compile(r"(?:.*/)?(?:score|explain)/([^/]+)(?:/verify)?/?")


class NoReward(CommandError, ValueError):
    """It names no reward: what it is, and what it should look like."""


def named(text: str, more: str = "") -> tuple[str, str]:
    """Name and query string; `more` is joined to the latter. Nothing is asked of the host. Raises NoReward.

    >>> named("http://host:8000/score/flip?flip_prob=0.4&seed=17")
    ('flip', 'flip_prob=0.4&seed=17')
    >>> named("verifier?check=string", "alpha=0.5"), named("rpr")
    (('verifier', 'check=string&alpha=0.5'), ('rpr', ''))
    """
    name, _, query = text.partition("?")
    if "/" in name:
        parts = urlsplit(text)
        found = _PATH.fullmatch(parts.path)
        if found is None:
            raise NoReward(f"{text}: no URL of a reward, such as http://host:8000/score/flip?flip_prob=0.4")
        name, query = found[1], parts.query
    return name, "&".join(part for part in (query, more) if part)
