"""An OpenAI Responses object and its request, as the NeMo-Gym family sends them: what was asked, what was written last.

A rollout is a list of items: messages, reasoning, calls of tools and what the tools gave back. The completion is the
assistant's last turn, its messages joined, the reasoning of that turn before them: what stands before a tool call or
before somebody else's message is context. A rollout that ends with a call or with a tool's output ends with the turn
that made the call. So a box of an earlier turn pays nobody who gives up in the last one. (Gym's own mathematics server
joins the messages of all turns.)
"""

from __future__ import annotations

from reward_server.dialects.messages import without_media
from reward_server.errors import InvalidRequest

Item = dict[str, object]


def completion_of(response: object) -> str:
    """The last turn: its messages, after its reasoning in think tags. Raises InvalidRequest."""
    output = response.get("output") if isinstance(response, dict) else None
    if not isinstance(output, list):
        raise InvalidRequest("response: expected an OpenAI Responses object with a list `output`")
    turn = _last_turn([item for item in output if isinstance(item, dict)])
    reasoning = "".join(_reasoning(item) for item in turn if item.get("type") == "reasoning")
    answer = "".join(_texts(item.get("content")) for item in turn if item.get("type") != "reasoning")
    return f"<think>{reasoning}</think>{answer}" if reasoning else answer


def prompt_of_params(params: object) -> str | list[dict[str, object]] | None:
    """The input as a text, or as messages of role and content: what else a row carries does not change its group."""
    given = params.get("input") if isinstance(params, dict) else None
    if isinstance(given, list):
        turns = without_media([item for item in given if isinstance(item, dict) and "role" in item])
        return [{"role": turn["role"], "content": _text_or_parts(turn.get("content"))} for turn in turns]
    return given if isinstance(given, str) else None


def _last_turn(items: list[Item]) -> list[Item]:
    end = len(items)
    while end and _is_foreign(items[end - 1]):
        end -= 1
    while end and not _is_text(items[end - 1]) and not _is_foreign(items[end - 1]):
        end -= 1  # the calls that the turn made
    begin = end
    while begin and _is_text(items[begin - 1]):
        begin -= 1
    return items[begin:end]


def _is_text(item: Item) -> bool:
    """What the policy wrote to be read: its messages and its reasoning."""
    is_message = item.get("type", "message") == "message"
    return item.get("type") == "reasoning" or (is_message and item.get("role", "assistant") == "assistant")


def _is_foreign(item: Item) -> bool:
    """What the policy did not write: a tool's output, or the message of somebody else."""
    kind = item.get("type", "message")
    return str(kind).endswith(("_output", "_response")) or (kind == "message" and not _is_text(item))


def _reasoning(item: Item) -> str:
    """The reasoning itself (gpt-oss, vLLM), or else its summary."""
    return _texts(item.get("content")) or _texts(item.get("summary"))


def _texts(parts: object) -> str:
    """A text, or the joined `text` of a list of content parts."""
    if isinstance(parts, str):
        return parts
    several = parts if isinstance(parts, list) else []
    texts = [part.get("text") if isinstance(part, dict) else part for part in several]
    return "".join(text for text in texts if isinstance(text, str))


def _text_or_parts(content: object) -> str | list[object]:
    return content if isinstance(content, str | list) else ""
