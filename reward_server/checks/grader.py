"""An HTTP grader: `POST {"answer", "ground_truth", "prompt"}`, `{"score": 0 … 1 or null, "reason": …}` back."""

from __future__ import annotations

from reward_server.checks.http import Endpoint
from reward_server.checks.question import CheckFailed, Finding, Question, finding_of, parsed, shortened


async def grader_says(endpoint: Endpoint, question: Question, seed: bytes) -> Finding:
    """The grader's verdict. Raises CheckFailed."""
    truth = parsed(question.ground_truth)
    body = {"answer": question.answer, "ground_truth": truth, "prompt": question.prompt}
    answer = await endpoint.post(body, seed)
    if not isinstance(answer, dict) or "score" not in answer:
        raise CheckFailed('its answer is no object with a "score"')
    reason = answer.get("reason")
    return finding_of(answer["score"], shortened(reason) if isinstance(reason, str) else "")
