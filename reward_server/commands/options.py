"""Command-line options made from a pydantic model, so that flag, variable, type, default and help are declared once.

And back: what was given becomes settings and a query string.
"""

import inspect
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, TypeVar, get_args, get_origin
from urllib.parse import urlencode

import typer
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from reward_server.commands.terminal import fail
from reward_server.rewards.table import REWARDS
from reward_server.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])
MODEL = "rm_"
"""What the names of the reward model's settings begin with."""
RECORDED = ("run", "step")
"""Parameters that only a server has a use for."""
REWARD_HELP = f"{', '.join(REWARDS)}, or a variant of --config; 'mix?rpr=1' too."
RewardOption = Annotated[str, typer.Option("--reward", "-r", help=REWARD_HELP)]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="rewards.toml with variants and phrase lists.")]


def options_of(
    *models: type[BaseModel], variables: str | None = None, only: str = "", without: Collection[str] = ()
) -> Callable[[F], F]:
    """A decorator: the function's `**options` becomes one option a field of the models, None where not given.

    `variables`: prefix of the environment variable that each help text names. `only`: prefix of the fields taken.
    `without`: fields that are none of the command's. A field of a name that the function has itself makes no option.
    """
    fields: dict[str, list[FieldInfo]] = {}
    for model in models:
        for name, field in model.model_fields.items():
            if not name.startswith(only) or name in without:
                continue
            fields.setdefault(name, []).append(field)

    def decorate(function: F) -> F:
        own = [p for p in inspect.signature(function).parameters.values() if p.kind is not p.VAR_KEYWORD]
        taken = {p.name for p in own}
        made = [_option(name, declared, variables) for name, declared in fields.items() if name not in taken]
        function.__signature__ = inspect.Signature([*own, *made])  # type: ignore[attr-defined]
        function.__annotations__ = {p.name: p.annotation for p in [*own, *made]}
        return function

    return decorate


def _option(name: str, fields: list[FieldInfo], variables: str | None) -> inspect.Parameter:
    """The option of a field that one or several models declare."""
    field = fields[0]
    values = list(dict.fromkeys(_text(each.get_default(call_default_factory=True)) for each in fields))
    default = f" (default {' or '.join(values)})" if all(values) else ""
    variable = f" [{variables}{name.upper()}]" if variables else ""
    flag = f"--{name.replace('_', '-')}"
    kind = _command_line_type(field.annotation)
    flags = [f"{flag}/--no-{flag[2:]}"] if kind is bool else [flag]
    annotation: Any = Annotated[
        Optional[kind],  # noqa: UP045 - made at run time, for any type
        typer.Option(*flags, help=f"{field.description}{default}{variable}", show_default=False),
    ]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _command_line_type(annotation: Any) -> Any:
    """The type typer parses: of `X | None` the X; what typer does not know arrives as text, the model checks it."""
    choices = [kind for kind in get_args(annotation) if kind is not type(None)]
    if get_origin(annotation) is Literal:
        return annotation
    if type(None) in get_args(annotation):
        annotation = choices[0]
    return annotation if annotation in (int, float, bool) else str


def _text(default: object) -> str:
    """A default for people; empty where there is none."""
    if default in (None, ()):
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)


def model_options(options: dict[str, Any]) -> dict[str, Any]:
    """The settings of the reward model among the options, taken out of them."""
    return {name: options.pop(name) for name in list(options) if name.startswith(MODEL)}


def query_of(options: dict[str, Any]) -> str:
    """The query string that says the same as the options."""
    given = {name: str(value).lower() if isinstance(value, bool) else value for name, value in options.items()}
    return urlencode({name: value for name, value in given.items() if value is not None})


def settings_of(**options: Any) -> Settings:
    """Settings with the options that were given. Ends the command where they are wrong."""
    try:
        return Settings(**{name: value for name, value in options.items() if value is not None})
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_input=False)]
        fail("; ".join(problems))
