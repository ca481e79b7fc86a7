"""AReaL's wrapper runs the reward function in its process pool, on one worker. Prints JSON.

Arguments: how many calls at once, how many retries; AReaL's own number is 3.
"""

import asyncio
import itertools
import json
import sys
import time

from areal.api.reward_api import AsyncRewardWrapper
from areal.utils.dynamic_import import import_from_string

ROWS = [(r"so \boxed{4}<|im_end|>", "4"), (r"\boxed{5}", "4"), (r"\boxed{4}", None)]


async def main(calls: int, retries: int) -> None:
    reward_fn = import_from_string("trainer_client.adapters.areal.reward_fn")
    wrapper = AsyncRewardWrapper(reward_fn, max_workers=1, max_retries=retries)
    started = time.monotonic()
    rows = itertools.islice(itertools.cycle(ROWS), calls)
    rewards = (wrapper("2+2?", text, [1, 2], [3], answer=answer, visit=1) for text, answer in rows)
    results = await asyncio.gather(*rewards, return_exceptions=True)
    shown = [type(result).__name__ if isinstance(result, Exception) else result for result in results]
    print(json.dumps({"result": shown, "seconds": time.monotonic() - started}))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
