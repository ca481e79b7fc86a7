"""What one table of `[checks]` says: the three kinds of check, their keys, and the digest of all that can change a
verdict."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from reward_server.checks.question import CheckFailed, finding_of
from reward_server.checks.source import source_of
from reward_server.checks.template import check_template
from reward_server.checks.worker import Target, file_digest
from reward_server.grading.places import Place
from reward_server.types import JsonTruth

UNGRADABLE = "ungradable"
OPINION_LIMIT_S = 5.0
"""Where a check does not say how long it may take as a second opinion."""
FIXED = frozenset({"model", "messages", "temperature", "stream", "n"})
"""Of a judge's request: what `body` may not set."""


class Example(BaseModel):
    """An answer, a ground truth, and the score that is expected: None for "ungradable". `prompt`: where it is read."""

    model_config = ConfigDict(frozen=True)

    answer: str
    ground_truth: str
    expected: float | None
    prompt: str | None = None


class Check(BaseModel):
    """What all kinds have in common. `name`: what `check=` is set to."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())
    kind: ClassVar[str] = ""

    name: str
    reads: Place = "box"
    examples: tuple[Example, ...] = ()

    @field_validator("examples", mode="before")
    @classmethod
    def _read_examples(cls, value: Any) -> Any:
        if not isinstance(value, list):
            raise ValueError('expected a list of ["answer", "ground truth", score]')
        return tuple(_example(number, each) for number, each in enumerate(value, 1))

    @property
    def wants_prompt(self) -> bool:
        """Can no question be asked without a prompt?"""
        return False

    @property
    def reads_prompt(self) -> bool:
        """Is the prompt a part of the question?"""
        return False

    @property
    def digest(self) -> str:
        """12 hex digits over all that can change a verdict, as far as it is known here."""
        counted = json.dumps({"kind": self.kind, **self.counted()}, sort_keys=True)
        return blake2b(counted.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()

    def counted(self) -> dict[str, object]:
        """What is in the digest."""
        raise NotImplementedError


class PythonCheck(Check):
    """`python = "module:function"`."""

    kind: ClassVar[str] = "python"

    python: str
    _source: str = PrivateAttr("")

    @model_validator(mode="after")
    def _find_source(self) -> Self:
        if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", self.python):
            raise ValueError(f'python = "{self.python}": expected "module:function"')
        file = source_of(self.module)
        if file is None:
            raise ValueError(
                f"no module is called {self.module}: it is looked for where the server starts, {Path.cwd()}, and on"
                " Python's path"
            )
        self._source = file_digest(file.read_bytes())
        return self

    @property
    def module(self) -> str:
        return self.python.partition(":")[0]

    @property
    def target(self) -> Target:
        """What a worker is told."""
        examples = tuple((example.answer, example.ground_truth) for example in self.examples)
        return Target(self.module, self.python.partition(":")[2], self._source, examples)

    def counted(self) -> dict[str, object]:
        """The function's name and its module's file. What that imports is not covered."""
        return {"python": self.python, "source": self._source}


class RemoteCheck(Check):
    """What is asked over HTTP."""

    url: str
    max_in_flight: Annotated[int, Field(ge=1, le=4096)] = 64
    timeout_s: Annotated[float, Field(gt=0)] = 60.0
    reference_timeout_s: Annotated[float, Field(gt=0)] | None = None
    api_key_env: str | None = None

    @property
    def opinion_limit_s(self) -> float:
        """Seconds that a reward waits for it as a second opinion."""
        return self.reference_timeout_s or min(OPINION_LIMIT_S, self.timeout_s)

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("expected a URL, such as http://127.0.0.1:9000/grade")
        if parts.username is not None or parts.password is not None:
            raise ValueError("it holds a user or a password: keys come from the environment (api_key_env)")
        if parts.fragment:
            raise ValueError("a URL with # is not sent as it stands")
        return value

    @field_validator("api_key_env")
    @classmethod
    def _check_variable(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z_]\w*", value) or value.upper().startswith("REWARD_"):
            raise ValueError("expected the name of a variable that does not begin with REWARD_, such as GRADER_KEY")
        return value


class GraderCheck(RemoteCheck):
    """`url` alone: it gets POST {"answer", "ground_truth", "prompt"}."""

    kind: ClassVar[str] = "grader"

    @property
    def reads_prompt(self) -> bool:
        return True

    def counted(self) -> dict[str, object]:
        """The URL: what stands behind it is not known."""
        return {"url": self.url}


class JudgeCheck(RemoteCheck):
    """`url` and `model`: a language model behind an OpenAI-compatible endpoint."""

    kind: ClassVar[str] = "judge"

    model: Annotated[str, Field(min_length=1)]
    prompt: str
    scores: dict[str, float]
    keep: Path | None = None
    body: dict[str, Any] = {}
    folder: Path
    """Of rewards.toml: what `prompt` and `keep` are relative to."""
    _template: str = PrivateAttr("")

    @field_validator("keep", mode="before")
    @classmethod
    def _read_keep(cls, value: Any) -> Any:
        if not isinstance(value, str) or not value.strip():
            raise ValueError("expected the name of a folder")
        return Path(value)

    @field_validator("scores")
    @classmethod
    def _check_scores(cls, value: dict[str, float]) -> dict[str, float]:
        if not value:
            raise ValueError('expected words with their scores, such as {"YES" = 1, "NO" = 0}')
        for word, score in value.items():
            if not word.strip() or word != word.strip():
                raise ValueError(f"{word!r} is no word that could stand in a reply")
            _score_of(score, word)
        return value

    @field_validator("body")
    @classmethod
    def _check_body(cls, value: dict[str, Any]) -> dict[str, Any]:
        if taken := sorted(FIXED & set(value)):
            raise ValueError(f"{taken[0]} is set by the server; body is for what else the endpoint takes")
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"it is no JSON: {error}") from None
        return value

    @model_validator(mode="after")
    def _read_template(self) -> Self:
        try:
            self._template = (self.folder / self.prompt).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"prompt: cannot read {self.folder / self.prompt}: {error}") from None
        check_template(self._template)
        for number, example in enumerate(self.examples, 1):
            if self.wants_prompt and example.prompt is None:
                raise ValueError(f"examples: {number}: the prompt file has {{prompt}}: give one as the fourth")
        return self

    @property
    def template(self) -> str:
        """The text of the prompt file."""
        return self._template

    @property
    def kept_in(self) -> Path | None:
        """The folder of verdicts."""
        return None if self.keep is None else self.folder / self.keep

    @property
    def wants_prompt(self) -> bool:
        return "{prompt}" in self._template

    @property
    def reads_prompt(self) -> bool:
        return self.wants_prompt

    def counted(self) -> dict[str, object]:
        """All of the question. Weights and versions behind the URL are not known."""
        asked: dict[str, object] = {
            "url": self.url,
            "model": self.model,
            "prompt": self._template,
            "scores": self.scores,
        }
        return {**asked, "body": self.body} if self.body else asked


AnyCheck = PythonCheck | GraderCheck | JudgeCheck


def _example(number: int, value: object) -> Example:
    if not isinstance(value, list) or len(value) not in (3, 4) or not isinstance(value[0], str):
        raise ValueError(f'{number}: expected ["answer", "ground truth", score], and a prompt where one is read')
    prompt = value[3] if len(value) == 4 else None
    if prompt is not None and not isinstance(prompt, str):
        raise ValueError(f"{number}: the prompt is not a text")
    return Example(
        answer=value[0], ground_truth=_truth(number, value[1]), expected=_score_of(value[2], str(number)), prompt=prompt
    )


def _truth(number: int, value: object) -> str:
    """As a label would give it."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | dict | list):
        raise ValueError(f"{number}: the ground truth is not a text, a number, a list or a table")
    try:
        text = value if isinstance(value, str) else JsonTruth.of(value)
    except (TypeError, ValueError):
        raise ValueError(f"{number}: the ground truth holds what JSON has not, such as a date") from None
    if not text.strip():
        raise ValueError(f"{number}: the ground truth is empty")
    return text


def _score_of(value: object, where: str) -> float | None:
    if value == UNGRADABLE:
        return None
    if value is not None:
        with suppress(CheckFailed):
            return finding_of(value).value
    raise ValueError(f"{where}: expected a score in 0 … 1, and not {value!r}")
