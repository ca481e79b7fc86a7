"""The two pieces of code of docs/trainers/visits.md, given on standard input as a JSON list. Prints JSON."""

import json
import sys

from datasets import Dataset

ROWS = {"question": ["a", "b"], "extra_info": [{"index": 0}, {"index": 1}]}


def main() -> None:
    by_column, by_info = json.load(sys.stdin)
    names = {"rows": Dataset.from_dict(ROWS)}
    exec(by_column, names)
    visits = list(zip(names["rows"]["question"], names["rows"]["visit"], strict=True))
    names["rows"] = Dataset.from_dict(ROWS)
    exec(by_info, names)
    infos = [[info["index"], info["visit"]] for info in names["rows"]["extra_info"]]
    print(json.dumps({"visits": visits, "infos": infos}))


if __name__ == "__main__":
    main()
