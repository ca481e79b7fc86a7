"""The first three lines to try: the command prints them at its start, and `/` shows them."""

from __future__ import annotations

KEY = " -H 'Authorization: Bearer KEY'"
"""Where the server has keys. KEY stands for one of them."""
TRY_THESE = {
    "/score/verifier": r'{"completions": ["so \\boxed{4}"], "ground_truths": ["4"]}',
    "/score/flip?flip_prob=0.4": r'{"query": ["3+3? \\boxed{6}"], "prompts": ["3+3?"], "labels": ["6"]}',
    "/explain/verifier": r'{"completion": "so \\boxed{\\frac{1}{2}}", "ground_truth": "0.5"}',
}
"""Paths and bodies: our columns, OpenRLHF's, and one sample to explain."""


def try_these(url: str, needs_key: bool = False) -> list[str]:
    """Commands that work as they stand, a line each. `url`: the server's, with nothing that a shell would read."""
    return [f"curl -s{KEY if needs_key else ''} '{url}{path}' -d '{body}'" for path, body in TRY_THESE.items()]
