"""The kinds of servers that have a reward model: what each is asked, and where the score is in its answer."""

from __future__ import annotations

from typing import Any, Protocol

from reward_server.reward_model.engine import NotFinite, RemoteRefused, UnfitModel
from reward_server.reward_model.remote.vllm_switch import PROBES, Classify, refuse_ignorance


class Kind(Protocol):
    """`ENGINE`: its value of the setting `rm_engine`. `NAME`: how people call it."""

    ENGINE: str
    NAME: str

    def body(self, model: str, ids: list[int], use_activation: object) -> dict[str, object]:
        """What is posted to `/classify` for the text `ids` [T]."""
        ...

    def number(self, answer: Any) -> float:
        """The score. Raises KeyError, TypeError or ValueError where there is no single one."""
        ...

    async def try_out(self, classify: Classify) -> None:
        """Raises UnfitModel where the server cannot give right scores."""
        ...


class Vllm:
    """`vllm serve MODEL --runner pooling --convert classify`. Text is never sent: it would add a second BOS."""

    ENGINE, NAME = "vllm", "vLLM"

    def body(self, model: str, ids: list[int], use_activation: object) -> dict[str, object]:
        return {"model": model, "input": [ids], "use_activation": use_activation, "add_special_tokens": False}

    def number(self, answer: Any) -> float:
        (entry,) = answer["data"]
        (number,) = entry["probs"]
        return float(number)

    async def try_out(self, classify: Classify) -> None:
        await refuse_ignorance(classify)


class Sglang:
    """`python -m sglang.launch_server --model-path MODEL --is-embedding`.

    Its own route `/classify` gives the raw score. `/v1/classify`, which is made to look like vLLM's, puts a softmax
    over the labels: 1.0 for every text where there is one. A model that is no classifier answers with a hidden state.
    Read in its source (2026-11), never run: no build for CPUs is on the index.
    """

    ENGINE, NAME = "sglang", "SGLang"

    def body(self, model: str, ids: list[int], use_activation: object) -> dict[str, object]:
        return {"input_ids": ids}

    def number(self, answer: Any) -> float:
        (number,) = answer["embedding"]
        return float(number)

    async def try_out(self, classify: Classify) -> None:
        try:
            for ids in PROBES:
                await classify(ids, False)
        except RemoteRefused as error:
            raise UnfitModel(
                f"the SGLang server does not classify: {error}. Start it with --is-embedding on a model whose class"
                " ends in ForSequenceClassification or ForRewardModel"
            ) from error
        except NotFinite as error:
            raise UnfitModel(f"the SGLang server has no score for a few token ids: {error}") from error


KINDS: dict[str, Kind] = {kind.ENGINE: kind for kind in (Vllm(), Sglang())}
"""By the setting `rm_engine`."""
