"""What do two versions of the server answer to the same requests? For changes that must not change a reward.

    python tests/run_comparison.py record after.jsonl
    python tests/run_comparison.py record before.jsonl --source ../before   # another checkout, the same environment
    python tests/run_comparison.py compare before.jsonl after.jsonl

`record` starts a server with a tiny reward model. It sends the repository's corpora (labelled pairs, labelled cases,
tricks of a policy) through every reward, many parameter sets and every dialect, and asks `/explain`. It writes one line
a request and prints one digest over all. `compare` lists what differs and exits 1 where something does. Times and the
version of the package are left out of the comparison, and so is `mode=throughput`, which promises no repeated bits.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import torch
from running_server import RunningServer, running_server
from tiny_models import make_tokenizer, new_model

DATA = Path(__file__).parent / "data"
URLS = (
    "verifier", "verifier?alpha=0.5", "verifier?alpha=1&repetition=coverage", "verifier?check=string&alpha=1",
    "flip?flip_prob=0.4&seed=17", "flip?flip_prob=0.4&flip_scope=sample&alpha=0.3",
    "flip?false_positive_prob=0.1&false_negative_prob=0.3&flip_unanswered=true",
    "flip?false_positive_prob=0.1&false_negative_prob=0.3&correction=backward", "flip?flip_prob=1&check=string",
    "rpr", "rpr?saturation=40&require_answer=false&rpr_scope=think&phrases=open_ended",
    "rm", "rm?format=plain&alpha=0.3&monotone=true", "rm?format=think&transform=sigmoid&threshold=0.6",
    "rm?format=plain&transform=affine&mean=0.1&sigma=2&too_long=right",
)  # fmt: skip
PHRASES = ("Wait, ", "let me check. ", "Alternatively, ", "so we verify. ", "the the the ", "\nUser: again? ", "")
ENDINGS = ("", "<|im_end|>", "</s> more", "\n")
Row = dict[str, Any]


def rows() -> list[Row]:
    """Some 3,000 samples; each column is a function of the row's place, so two checkouts agree on them."""
    lines = [
        json.loads(line)
        for name in ("verifier_pairs", "verifier_cases_dev2", "abuse")
        for line in (DATA / f"{name}.jsonl").read_text("utf-8").splitlines()
    ]
    return [_row(place, line) for place, line in enumerate(lines)]


def _row(place: int, line: Row) -> Row:
    completion = line.get("completion") or f"\\boxed{{{line.get('answer', '')}}}"
    phrases = "".join(PHRASES[(place * step) % len(PHRASES)] for step in (1, 3, 5))
    if place % 3 == 0:
        completion = f"<think>{phrases}</think> <answer>{completion}</answer>"
    elif place % 3 == 1:
        completion = phrases + completion + ENDINGS[place % len(ENDINGS)]
    prompt: object = f"Question {place // 4}?"
    if place % 5 == 0:
        prompt = [{"role": "user", "content": prompt}]
    return {
        "completion": completion,
        "prompt": prompt,
        "ground_truth": line["ground_truth"],
        "visit": place % 3,
        "flip": place % 7 != 0,
    }


def requests(samples: list[Row]) -> Iterator[tuple[str, object]]:
    """(path, body) of everything that is asked."""
    for url in URLS:
        for start in range(0, len(samples), 256):
            part = samples[start : start + 256]
            yield f"/score/{url}", {f"{name}s": [row[name] for row in part] for name in part[0]}
        for row in samples[::40]:
            yield f"/explain/{url}", row
            yield from _in_dialects(url, row)
    yield "/rewards", None


def _in_dialects(url: str, row: Row) -> Iterator[tuple[str, object]]:
    prompt = row["prompt"] if isinstance(row["prompt"], str) else row["prompt"][0]["content"]
    label = {key: row[key] for key in ("ground_truth", "visit", "flip")}
    yield f"/score/{url}", {"query": [prompt + row["completion"]], "prompts": [prompt], "labels": [label]}
    yield f"/score/{url}", {"prompt": row["prompt"], "response": row["completion"], "label": json.dumps(label)}
    message = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": row["completion"]}]}
    asked = {"input": [{"role": "user", "content": prompt}]}
    path, _, query = url.partition("?")
    yield (
        f"/score/{path}/verify?{query}",
        {"responses_create_params": asked, "response": {"output": [message]}, **label},
    )


def ask(server: RunningServer, path: str, body: object) -> Row:
    reply = server.get(path) if body is None else server.post(path, body)
    config = reply.headers.get("X-Reward-Config")
    return {"path": path, "status": reply.status_code, "config": config, "answer": _timeless(_json(reply))}


def _json(reply: httpx.Response) -> object:
    try:
        return reply.json()
    except ValueError:
        return reply.text


def _timeless(answer: object) -> object:
    if isinstance(answer, dict):
        return {key: _timeless(value) for key, value in answer.items() if key not in {"ms", "milliseconds", "version"}}
    return [_timeless(item) for item in answer] if isinstance(answer, list) else answer


def _model_in(folder: Path) -> str:
    torch.manual_seed(0)
    model = new_model("qwen2")
    for parameter in model.base_model.parameters():
        parameter.data.mul_(2.0)  # else all scores are nearly equal
    model.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return str(folder)


def record(output: Path, source: Path) -> None:
    with tempfile.TemporaryDirectory() as folder, output.open("w") as file:
        options = ("--rm-model", _model_in(Path(folder) / "model"), "--rm-threads", "1", "--log-level", "error")
        # `python -m` looks into the current folder first, which would be this checkout
        environment = {"PYTHONPATH": str(source.resolve()), "PYTHONSAFEPATH": "1"}
        with running_server(Path(folder) / "log", *options, environment=environment) as server:
            server.wait_ready()
            lines = [json.dumps(ask(server, *request), sort_keys=True) + "\n" for request in requests(rows())]
        file.writelines(lines)
    print(len(lines), "answers, SHA-256", sha256("".join(lines).encode()).hexdigest())


def compare(before: Path, after: Path) -> int:
    old, new = (path.read_text().splitlines() for path in (before, after))
    differences = [(json.loads(one), json.loads(other)) for one, other in zip(old, new, strict=True) if one != other]
    counts = Counter(one["path"] for one, _ in differences)
    for path, count in counts.most_common():
        print(f"{count:6} {path}")
    for one, other in differences[:10]:
        print(json.dumps(one)[:600], json.dumps(other)[:600], sep="\n", end="\n\n")
    print(len(differences), "of", len(old), "answers differ")
    return int(bool(differences))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record", help="ask a server of this checkout, or of --source")
    recording.add_argument("output", type=Path)
    recording.add_argument("--source", type=Path, default=Path(__file__).parents[1], help="the checkout to ask")
    comparing = commands.add_parser("compare", help="list what two recordings answer otherwise")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    options = parser.parse_args()
    if options.command == "compare":
        return compare(options.before, options.after)
    record(options.output, options.source)
    return 0


if __name__ == "__main__":
    sys.exit(main())
