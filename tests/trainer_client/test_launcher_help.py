"""What `--help` teaches."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from trainer_programs import ROOT, printed

from trainer_client.openrlhf_grpo import checks, flags, passed_on
from trainer_client.openrlhf_grpo.arguments import parse
from trainer_client.openrlhf_grpo.command import Files, command
from trainer_client.openrlhf_grpo.help_examples import EXAMPLES

PROGRAM = re.compile(r"python -m trainer_client\.openrlhf_grpo ((?:.*\\\n)*.*)")
PAGE = ROOT / "docs" / "trainers" / "openrlhf-grpo.md"


def lines(text: str) -> list[list[str]]:
    """Every command line in it, as words behind the program."""
    return [shlex.split(found.replace("\\\n", " ")) for found in PROGRAM.findall(text)]


def test_openrlhf_takes_every_command_line_of_the_help_and_of_the_page() -> None:
    commands = []
    for words in [*lines(EXAMPLES), *lines(PAGE.read_text())]:
        options = parse(words)
        given, unknown = flags.read(options.extra)
        assert [*checks.problems(options), *passed_on.problems(options, given), *unknown] == []
        commands.append(command(options, Files(Path("/t"), Path("/e"), "http://h"), given)[3:])
    assert len(commands) >= 7
    (parsed,) = printed("TRAINERS_PYTHON", "openrlhf_parser.py", url="", given=json.dumps(commands))
    assert [arguments for arguments in parsed if isinstance(arguments, str)] == []


def test_the_help_says_each_option_once_and_fits_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    shown = capsys.readouterr().out
    assert EXAMPLES.strip() in shown
    assert max(map(len, shown.splitlines())) <= 120
    assert shown.count("\n  --dataset TEXT") == 1
    assert "MISSING" not in shown and "object at" not in shown
