"""The check `ifeval` of docs/checks.md on the rules of if-verifiable. Argument: its folder. Prints JSON."""

import importlib
import json
import sys

SEVERAL = {
    "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"],
    "kwargs": [{"num_words": None}, {"relation": "at least", "num_words": 2}],
}
GERMAN = {"instruction_id_list": ["language:response_language"], "kwargs": [{"language": "de"}]}


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    ifeval = importlib.import_module("ifeval_check").ifeval
    asked = [("one, two", SEVERAL), ("one two", SEVERAL), ("Das ist ein deutscher Satz.", GERMAN)]
    print(json.dumps({"scores": [ifeval(answer, ground_truth) for answer, ground_truth in asked]}))


if __name__ == "__main__":
    main()
