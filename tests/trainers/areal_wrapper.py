"""AReaL's wrapper runs the reward function in its process pool. Argument: how many rows. Prints JSON."""

import asyncio
import json
import sys
import time

from areal.api.reward_api import AsyncRewardWrapper
from areal.utils.dynamic_import import import_from_string

ROWS = [(r"so \boxed{4}<|im_end|>", "4"), (r"\boxed{5}", "4"), (r"\boxed{4}", None)]


async def main() -> None:
    wrapper = AsyncRewardWrapper(import_from_string("trainer_client.adapters.areal.reward_fn"), max_retries=0)
    started = time.monotonic()
    try:
        calls = (
            wrapper("2+2?", text, [1, 2], [3], answer=answer, visit=1) for text, answer in ROWS[: int(sys.argv[1])]
        )
        result = await asyncio.gather(*calls)
    except ConnectionError as error:
        result = type(error).__name__
    print(json.dumps({"result": result, "seconds": time.monotonic() - started}))


if __name__ == "__main__":
    asyncio.run(main())
