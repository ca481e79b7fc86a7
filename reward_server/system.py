"""What grading needs of the operating system."""

from __future__ import annotations

import sys

from reward_server.errors import CommandError


def check_system() -> None:
    """Raises CommandError where answers would be graded under no budget, or under another one.

    Elsewhere the time and the memory of a worker cannot be told or bounded in the same way, so that an answer that
    hangs would be `error`, and not `timeout`: another reward, for no reason that a researcher could see.
    """
    if sys.platform != "linux":
        raise CommandError(
            f"grading needs Linux, and this is {sys.platform}: elsewhere an answer that hangs would get another reward."
            " Try a container (`docker compose up`). The client, trainer_client, runs anywhere"
        )
