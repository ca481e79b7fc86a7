import json

import numpy as np
import pytest

from trainer_client import BadBatch
from trainer_client._json import as_column, decode, encode, without_nan


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.float64(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (np.array(3), 3),
        (np.array([[1, 2]]), [[1, 2]]),
        (np.array([{"role": "user"}], dtype=object), [{"role": "user"}]),
        ({"ground_truth": np.int64(4)}, {"ground_truth": 4}),
        (("a", "b"), ["a", "b"]),
    ],
)
def test_numpy_values_are_json(value: object, expected: object) -> None:
    assert json.loads(encode({"x": [value]})) == {"x": [expected]}


def test_a_lone_surrogate_becomes_an_escape() -> None:
    assert encode({"x": "\ud800é"}) == b'{"x": "\\ud800\\u00e9"}'


@pytest.mark.parametrize("value", [object(), float("nan"), np.float32("inf"), {1, 2}])
def test_what_json_cannot_carry_is_refused(value: object) -> None:
    with pytest.raises(BadBatch):
        encode({"x": [value]})


def test_a_missing_ground_truth_of_pandas_is_null() -> None:
    cells = ["4", float("nan"), np.float32("nan"), np.array(np.nan), 4.0, ["a"], None]
    assert without_nan(cells) == ["4", None, None, None, 4.0, ["a"], None]


@pytest.mark.parametrize("values", ["abc", b"abc", {"a": 1}, 7])
def test_one_value_is_no_column(values: object) -> None:
    with pytest.raises(BadBatch, match="groups"):
        as_column("groups", values)  # type: ignore[arg-type]


def test_columns_may_be_any_iterable() -> None:
    assert as_column("visits", np.arange(2)) == as_column("visits", (0, 1)) == as_column("visits", range(2)) == [0, 1]


@pytest.mark.parametrize("body", [b"", b'{"rewards": [1.0', b'{"rewards": [NaN]}', b"\xff"])
def test_half_an_answer_and_nan_are_no_json(body: bytes) -> None:
    with pytest.raises(ValueError):
        decode(body)
