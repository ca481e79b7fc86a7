"""The command line of the launcher: our options, and what follows `--` for OpenRLHF."""

from __future__ import annotations

from argparse import Action, ArgumentParser, BooleanOptionalAction, HelpFormatter, RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import MISSING, Field, fields
from difflib import get_close_matches
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from trainer_client.openrlhf_grpo.flags import kinds
from trainer_client.openrlhf_grpo.help_examples import EXAMPLES
from trainer_client.openrlhf_grpo.old_flags import new_name
from trainer_client.openrlhf_grpo.options import Options
from trainer_client.openrlhf_grpo.passed_on import SET_BY


def parse(arguments: Sequence[str]) -> Options:
    """The options of a command line; what follows `--` is for OpenRLHF. Exits with a message for a wrong one."""
    ours, extra = list(arguments), []
    if "--" in ours:
        at = ours.index("--")
        ours, extra = ours[:at], ours[at + 1 :]
    parser = _parser()
    known, unknown = parser.parse_known_args(ours)
    if unknown:
        parser.error("; ".join(map(_hint, [word for word in unknown if word.startswith("-")] or unknown[:1])))
    given: dict[str, Any] = vars(known)
    missing = [_flag(option) for option in fields(Options) if given.get(option.name, option.default) is MISSING]
    if missing:
        parser.error(f"these are missing: {', '.join(missing)}")
    values: dict[str, Any] = {name: tuple(it) if isinstance(it, list) else it for name, it in given.items()}
    for name in ("output", "agent"):  # Ray's workers run in other folders
        values[name] = values[name].resolve() if values[name] else None
    return Options(**values, extra=tuple(extra))


def _flag(option: Field[Any]) -> str:
    return f"--{option.name.rstrip('_').replace('_', '-')}"


def _hint(word: str) -> str:
    """What was perhaps meant by a word that is no option of ours."""
    name = word.lstrip("-").partition("=")[0]
    theirs = name if name in kinds() else new_name(name, kinds())
    near = get_close_matches(f"--{name}", [_flag(option) for option in fields(Options)], n=1)
    if theirs is None:
        return f"no option {word}" + (f"; perhaps {near[0]}" if near else "")
    was = "" if theirs == name else f" was renamed, it is now --{theirs}, which"
    if theirs in SET_BY:
        return f"--{name}{was} is set by {SET_BY[theirs]}"
    return f"--{name}{was} is an option of OpenRLHF: put it behind --"


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="python -m trainer_client.openrlhf_grpo",
        usage="%(prog)s --model M --dataset D --output O --server-url URL --reward R\n"
        "    [OPTION …] [-- OPTIONS OF OPENRLHF] (--help shows every option and examples)",
        description="GRPO with OpenRLHF 0.11.2 against a reward server. A default without a source is our choice.",
        epilog=EXAMPLES,
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    hints = get_type_hints(Options)
    for option in fields(Options):
        if option.metadata["help"] is not None:
            parser.add_argument(
                _flag(option),
                dest=option.name,
                default=option.default,  # MISSING where there is none: a mistyped name is to be named first
                help=option.metadata["help"].replace("%", "%%"),
                **_kind(hints[option.name], option.metadata["metavar"]),
            )
    return parser


class _Formatter(RawDescriptionHelpFormatter):
    """Names of options on lines of their own, as wide as a terminal that shows the examples whole."""

    def __init__(self, prog: str) -> None:
        HelpFormatter.__init__(self, prog, max_help_position=6, width=120)


def _kind(hint: Any, metavar: Any) -> dict[str, Any]:
    """What argparse needs to know of a type."""
    if hint is bool:
        return {"action": BooleanOptionalAction}
    if get_origin(hint) is Literal:
        return {"choices": get_args(hint)}
    kind = next(each for each in (get_args(hint) or (hint,)) if each is not NoneType)
    named = {"type": kind, "metavar": metavar or {int: "N", float: "X"}.get(kind, "TEXT")}
    return {**named, "nargs": "+", "action": _Several} if get_origin(hint) is tuple else named


class _Several(Action):
    """Notes values; refuses the option a second time, of which argparse would forget the first."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        if isinstance(getattr(namespace, self.dest), list):
            parser.error(f"{option_string} is given twice: put all values behind one")
        setattr(namespace, self.dest, values)
