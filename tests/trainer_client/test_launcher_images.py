"""Images of a data set, from its rows to the model that sees them."""

from __future__ import annotations

import base64
import json
import os
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any

import pytest
from trainer_programs import ROOT, printed, python_of

from trainer_client.openrlhf_grpo import checks
from trainer_client.openrlhf_grpo.arguments import parse
from trainer_client.openrlhf_grpo.command import Files, command
from trainer_client.openrlhf_grpo.dataset import Prepared, prepare
from trainer_client.openrlhf_grpo.examples import example
from trainer_client.openrlhf_grpo.mixture import Part
from trainer_client.openrlhf_grpo.options import Options
from trainer_client.openrlhf_grpo.rows import BadDataset, Source
from trainer_client.openrlhf_grpo.sources import source

NEEDED = ["--model", "m", "--dataset", "d", "--output", "/o", "--server-url", "http://h", "--reward", "verifier"]


def options(*words: str) -> Options:
    return parse([*NEEDED, "--template", "chat", "--max-images", "2", *words])


def png(width: int, height: int) -> bytes:
    """A grey image."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\x80" * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def prepared(folder: Path, rows: list[dict[str, Any]], *words: str) -> Prepared:
    folder.mkdir(exist_ok=True)
    (folder / "vlm.jsonl").write_text("\n".join(map(json.dumps, rows)))
    part = Part(source(str(folder / "vlm.jsonl"), size=0, seed=0), 1)
    return prepare([part], folder / "data" / "train.jsonl", options(*words), flip=True)


def records(made: Prepared) -> list[dict[str, Any]]:
    return [json.loads(line) for line in made.path.read_text().splitlines()]


def test_openrlhf_shows_the_model_every_image_of_every_form(tmp_path: Path, server: str) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "a.png").write_bytes(png(3, 5))
    part = {"type": "text", "text": "compare"}
    rows: list[dict[str, Any]] = [
        {"question": "Without a picture, 2+2?", "answer": "4"},
        {"question": "Find x.", "answer": "4", "images": ["figures/a.png"]},
        {"problem": "Find <image> x.", "answer": "4", "image": base64.b64encode(png(40, 90) + b" " * 400).decode()},
        {
            "prompt": [{"role": "user", "content": [{"type": "image"}, part, {"type": "image"}]}],
            "answer": "4",
            "images": [f"data:image/png;base64,{base64.b64encode(png(7, 8)).decode()}", {"path": "figures/a.png"}],
        },
    ]
    made = prepared(tmp_path, rows)
    results = printed("TRAINERS_PYTHON", "openrlhf_images.py", f"{server}/score/verifier", str(made.path), url="")
    found = {result["prompt"].split("user\n")[1].split("<|im_end|>")[0]: result for result in results}
    assert {question: result["sizes"] for question, result in found.items()} == {
        "<|image|>Find x.": [[3, 5]],
        "Find<|image|>x.": [[40, 90]],
        "<|image|>compare<|image|>": [[7, 8], [3, 5]],
        "Without a picture, 2+2?": [],
    }
    assert [result["reward"] for result in results] == [1.0] * 4
    assert len({result["label"]["group"] for result in results}) == 4


def test_openrlhf_takes_the_command_for_images() -> None:
    given = options()
    words = command(given, Files(Path("/o/train.jsonl"), None, "http://h"))[3:]
    ((arguments,),) = printed("TRAINERS_PYTHON", "openrlhf_parser.py", url="", given=json.dumps([words]))
    assert not isinstance(arguments, str), arguments
    assert (arguments["data"]["image_key"], arguments["data"]["max_images_per_prompt"]) == ("images", 2)
    assert arguments["ds"]["packing_samples"] is arguments["train"]["dynamic_batch_enable"] is False


def test_questions_that_differ_in_their_images_alone_are_two(tmp_path: Path) -> None:
    for name, size in (("a.png", 3), ("b.png", 4), ("copy of a.png", 3)):
        (tmp_path / name).write_bytes(png(size, size))
    here = Source("s", 0, lambda: iter(()), tmp_path)

    def group(**row: Any) -> str:
        return example({"question": "Find x.", "answer": "4", **row}, options(), here).group

    assert group(image="a.png") == group(image="copy of a.png") == group(image=png(3, 3)) != group(image="b.png")
    assert group() not in (group(image="a.png"), group(image="b.png"))
    assert group() == example({"question": "Find x.", "answer": "4"}, parse(NEEDED), here).group


def test_bytes_become_files_once(tmp_path: Path) -> None:
    image = f"data:image/png;base64,{base64.b64encode(png(3, 3)).decode()}"
    made = prepared(tmp_path, [{"question": f"{n}?", "answer": "4", "image": image} for n in range(3)])
    assert [path.read_bytes() for path in (tmp_path / "data" / "images").iterdir()] == [png(3, 3)]
    (path,) = {image for record in records(made) for image in record["images"]}
    assert Path(path).is_absolute()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"images": ["gone.png"]}, r"line 2: no image .*gone\.png"),
        ({"images": [5]}, "an image is 5; expected a path, a URL, base64 or bytes"),
        ({"images": ["https://h/1", "https://h/2", "https://h/3"]}, r"3 images: --max-images 3 shows them .*now 2"),
        ({"question": "<image> and <image>", "images": ["https://h/1"]}, "<image> 2 times, and the row 1 images"),
        ({"question": "See <image>"}, "<image> 1 times, and the row 0 images"),
        ({"image": "data:image/png;base64,%%"}, "base64 that cannot be read"),
        ({"question": [{"role": "user", "content": [{"type": "audio"}]}]}, "neither text nor image"),
    ],
)
def test_an_image_that_cannot_be_shown_is_named(row: dict[str, Any], message: str, tmp_path: Path) -> None:
    rows = [{"question": "q", "answer": "4", "images": ["https://h/1"]}, {"question": "q", "answer": "4", **row}]
    with pytest.raises(BadDataset, match=message):
        prepared(tmp_path, rows)
    assert list((tmp_path / "data").glob("*.jsonl")) == []


def test_images_are_refused_until_they_are_asked_for(tmp_path: Path) -> None:
    row = {"question": "q", "answer": "4", "images": ["https://h/1"]}
    with pytest.raises(BadDataset, match="1 images: --max-images 1 shows them to the policy"):
        prepared(tmp_path, [row], "--max-images", "0")
    with pytest.raises(BadDataset, match="no row has an image"):
        prepared(tmp_path, [{"question": "q", "answer": "4", "images": []}])
    assert "images" not in records(prepared(tmp_path, [{"question": "q", "answer": "4"}], "--max-images", "0"))[0]


@pytest.mark.parametrize(
    ("words", "problem"), [(["--template", "paper"], "chat-user"), (["--estimator", "gae"], "critic")]
)
def test_what_openrlhf_cannot_do_with_images_is_refused(words: list[str], problem: str) -> None:
    (found,) = checks.problems(options(*words))
    assert problem in found


def test_a_broken_image_is_found_where_pillow_is(tmp_path: Path, server: str) -> None:
    (tmp_path / "broken.png").write_bytes(png(30, 30)[:40])
    rows = [{"question": "q", "answer": "4", "image": "broken.png"}]
    (tmp_path / "vlm.jsonl").write_text("\n".join(map(json.dumps, rows)))
    words = ["--model", "m", "--template", "chat", "--max-images", "1", "--dry-run", "--prompts", "8"]
    words += ["--dataset", str(tmp_path / "vlm.jsonl"), "--output", str(tmp_path / "run"), "--server-url", server]
    words += ["--reward", "verifier"]
    ran = subprocess.run(
        [python_of("TRAINERS_PYTHON"), "-m", "trainer_client.openrlhf_grpo", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, "line 1: an image that cannot be read" in ran.stderr) == (2, True), ran.stderr
