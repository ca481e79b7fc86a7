"""A record that the tests of this folder share, and what it holds."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from view.made_record import Course, cut_off, in_words, record


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four runs of 60 steps: completions cut off, a notation that is not paid, a restart with another rate, no steps.

    Tests that write use a copy.
    """
    folder = tmp_path_factory.mktemp("record")
    asyncio.run(
        record(
            folder,
            Course(run="cut", fault=cut_off),
            Course(run="notation", fault=in_words),
            Course(run="restarted", steps=30),
            Course(run="restarted", steps=30, first_step=30, query="flip_prob=0.1&seed=17"),
            Course(run="stale", has_visits=False, has_steps=False, evaluate=0),
            Course(run="judge", reward="rm_sim", query="seed=3", has_steps=False),
        )
    )
    return folder
