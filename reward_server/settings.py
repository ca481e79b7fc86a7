"""Every knob of the server, once: name, type, default, unit and meaning.

Each field is the flag `--name-with-dashes` of `reward-server serve` and the variable `REWARD_NAME`; a flag wins over
a variable. This module is the only reader of the environment. A misspelt `REWARD_*` variable is an error, since
a setting that is silently ignored is found after the run.
"""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from reward_server.errors import CommandError
from reward_server.types import Dtype, Packing, WantedEndsAt, WantedHead

PREFIX = "REWARD_"
CLIENT_VARIABLES = frozenset({"REWARD_URL", "REWARD_API_KEY"})
"""Read by `trainer_client`; both sides often share one environment."""


class UnknownSetting(CommandError):
    """A `REWARD_*` variable that no setting reads."""


class Settings(BaseSettings):
    """Settings of one server; immutable."""

    # A value that is refused may be a key: errors name the setting and do not repeat what it was set to.
    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True)

    host: str = Field("127.0.0.1", description="Address to listen on: 0.0.0.0 is every interface, :: is IPv6 too.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on. 0 picks a free one.")
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="Keys, separated by commas. A caller needs one of them. Unset: open to everybody."
    )
    config: Path | None = Field(
        None, description="File (rewards.toml) with named variants, phrase lists and checks of your own."
    )
    verify_reward: str | None = Field(
        None, description="Reward that POST /verify and /seed_session at the root serve (NeMo-Gym, verifiers)."
    )
    max_samples: int = Field(4096, ge=1, description="Samples that a request may hold.")
    max_body_mb: int = Field(64, ge=1, description="Greatest size of a request body, in MiB.")
    max_pending_samples: int = Field(
        65_536, ge=1, description="Samples admitted and not yet answered. A request beyond them gets 503."
    )
    max_pending_mb: int = Field(
        1024, ge=1, description="Size of all bodies not yet answered, in MiB. A request beyond it gets 503."
    )
    request_timeout_s: float = Field(
        170.0, gt=0, description="Seconds until an unfinished request gets 503 (OpenRLHF's client gives up at 180)."
    )
    verifier_workers: int = Field(
        default_factory=lambda: (os.cpu_count() or 1) + 1,
        ge=1,
        description="Processes that run Math-Verify, and as many more where there are Python checks. By default one"
        " more than cores: one is kept free of long jobs.",
    )
    soft_timeout_s: float = Field(2.0, gt=0, description="CPU seconds that grading one answer may take.")
    hard_timeout_s: float = Field(8.0, gt=0, description="Wall seconds after which a worker that hangs is killed.")
    worker_memory_mb: int = Field(1024, ge=128, description="Memory (address space) of one worker, in MiB.")
    verdict_cache_size: int = Field(65_536, ge=0, description="Verdicts of Math-Verify kept for repeated answers.")
    rm_model: Path | None = Field(
        None, description="Folder of the reward model. For vllm and sglang: of its tokenizer."
    )
    rm_engine: Literal["transformers", "vllm", "sglang"] = Field(
        "transformers", description="Run the reward model in this process, or ask a vLLM or SGLang server."
    )
    rm_url: str | None = Field(None, description="vllm, sglang: URL of the server that has the reward model.")
    rm_api_key: SecretStr | None = Field(
        None, description="vllm, sglang: key that its server was started with (`--api-key`)."
    )
    rm_served_name: str | None = Field(
        None, description="vllm, sglang: name of the model on its server. Not needed where there is only one."
    )
    rm_dtype: Dtype = Field(
        "auto", description="transformers: type of the model's body. auto is bfloat16 where the device has it."
    )
    rm_device: str = Field("auto", description="transformers: cpu, cuda, cuda:1, or auto.")
    rm_threads: int | None = Field(
        None, ge=1, description="transformers: CPU threads. Scores are bitwise the same only for the same number."
    )
    rm_packing: Packing = Field(
        "auto",
        description="transformers: many texts in one forward pass, without a change of any bit. auto is on for a GPU.",
    )
    rm_ends_at: WantedEndsAt = Field(
        "auto",
        description="Token at which the score is read: the template's last, or eos. auto: where the model was trained.",
    )
    rm_max_tokens: int | None = Field(
        None,
        ge=1,
        description="Tokens of the longest text that is scored. Unset: the tokenizer's model_max_length, if that is"
        " less than the model has positions.",
    )
    rm_head: WantedHead = Field(
        "auto", description="transformers: head of the model, found by name, or row 0 of lm_head (Nemotron-Reward)."
    )
    rm_max_queued_tokens: int = Field(
        2**26, ge=1, description="Tokens that may wait for the reward model. A request beyond them gets 503."
    )
    record_dir: Path | None = Field(
        None, description="Folder in which every sample is recorded with what it was paid. Unset: nothing is recorded."
    )
    record_share: float = Field(1.0, gt=0, le=1, description="Share of the questions that is recorded, whole ones.")
    record_max_gb: float = Field(
        20.0, gt=0, description="Greatest size of the record, in GiB. The oldest files are deleted first."
    )
    record_text: bool = Field(
        True, description="Record prompts, completions and ground truths. Off: digests, answers and numbers."
    )
    drain_delay_s: float = Field(
        0.0, ge=0, description="Seconds between failing /ready and closing the listener on SIGTERM (Kubernetes: 5)."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest level that is logged.")
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="Shape of a log line. auto is console on a terminal and JSON elsewhere."
    )

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_variables(cls, values: Any) -> Any:
        known = {PREFIX + name.upper() for name in cls.model_fields}
        for name in sorted(os.environ):
            is_ours = name.upper().startswith(PREFIX) and not _is_service_link(name)
            if is_ours and name.upper() not in known | CLIENT_VARIABLES:
                close = difflib.get_close_matches(name.upper(), known, n=1)
                hint = f"; did you mean {close[0]}?" if close else f"; known: {', '.join(sorted(known))}"
                raise UnknownSetting(f"{name} is not a setting{hint}")
        return values

    @field_validator("api_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        keys = tuple(key.strip() for key in value.split(",") if key.strip())
        if not keys:
            raise ValueError("it is set and holds no key; unset it to leave the server open to everybody")
        return keys

    @field_validator("rm_api_key", mode="before")
    @classmethod
    def _strip_key(cls, value: Any) -> Any:
        """A key is sent in a header: what cannot stand in one would be refused later, with the key in the message."""
        if not isinstance(value, str):
            return value
        key = value.strip()
        if not key:
            raise ValueError("it is set and holds no key; unset it where the server was started without one")
        if not re.fullmatch("[!-~]+", key):
            raise ValueError("a key has visible ASCII characters only, without blanks")
        return key

    @model_validator(mode="after")
    def _order_timeouts(self) -> Self:
        if self.hard_timeout_s <= self.soft_timeout_s:
            raise ValueError("hard_timeout_s must be greater than soft_timeout_s: it is the backstop of the other")
        return self

    @model_validator(mode="after")
    def _complete_model(self) -> Self:
        is_remote = self.is_remote
        if is_remote != bool(self.rm_url) or (is_remote and not self.rm_model):
            raise ValueError(
                f"rm_engine={self.rm_engine} needs rm_url, its server, and rm_model, the folder of its tokenizer"
                if is_remote
                else "rm_url is the server of a remote engine: leave it out, or set rm_engine=vllm or sglang"
            )
        if not is_remote and (self.rm_api_key or self.rm_served_name):
            raise ValueError(
                "rm_api_key and rm_served_name are for a remote server: leave them out, or set rm_engine=vllm or sglang"
            )
        if is_remote and self.rm_head != "auto":
            raise ValueError("rm_head is for a model in this process: a remote server has its own settings for it")
        if self.rm_api_key and self.rm_url and urlsplit(self.rm_url).username:
            raise ValueError("rm_url holds a user, whose password would be sent in the place of rm_api_key: give one")
        return self

    @property
    def is_remote(self) -> bool:
        """True when the reward model is on another server."""
        return self.rm_engine != "transformers"

    @property
    def is_loopback(self) -> bool:
        """True when nobody outside this machine can connect."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")


def secret_in(variable: str) -> SecretStr:
    """The key that a variable of the environment holds, which a file names. Raises CommandError where there is none."""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise CommandError(f"the variable {variable} holds no key (api_key_env of rewards.toml names it)")
    if not re.fullmatch("[!-~]+", key):
        raise CommandError(f"the variable {variable} holds a key with blanks, or with what is not ASCII")
    return SecretStr(key)


def _is_service_link(name: str) -> bool:
    """Of a Service named reward-server Kubernetes tells every container REWARD_SERVER_PORT and a dozen others."""
    end = "_SERVICE_HOST"
    return any(name.startswith(link.removesuffix(end) + "_") for link in os.environ if link.endswith(end))
