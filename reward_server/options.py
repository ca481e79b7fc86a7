"""Command-line options made from a pydantic model, so that flag, variable, type, default and help are declared once."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, Literal, Optional, TypeVar, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

F = TypeVar("F", bound=Callable[..., Any])


def options_of(*models: type[BaseModel], variables: str | None = None, only: str = "") -> Callable[[F], F]:
    """A decorator: the function's `**options` becomes one option a field of the models, None where not given.

    `variables`: prefix of the environment variable that each help text names. `only`: prefix of the fields taken.
    """
    fields: dict[str, list[FieldInfo]] = {}
    for model in models:
        for name, field in model.model_fields.items():
            if not name.startswith(only):
                continue
            fields.setdefault(name, []).append(field)

    def decorate(function: F) -> F:
        own = [p for p in inspect.signature(function).parameters.values() if p.kind is not p.VAR_KEYWORD]
        made = [_option(name, declared, variables) for name, declared in fields.items()]
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
