"""Runs in .venv-trainers: OpenRLHF's own client posts every row at once, each on a connection of its own.

Rows (query, prompt, label) come as JSON on stdin. Printed: for each row what the client got (None after its five
tries) and after how many seconds, and how many tries failed, which OpenRLHF logs.
"""

import asyncio
import json
import logging
import resource
import sys
import time

from openrlhf.utils import agent


class Failures(logging.Handler):
    count = 0

    def emit(self, record):
        self.count += "error, please check" in record.getMessage()


async def fetch(executor, row):
    started = time.perf_counter()
    try:
        (got,) = await executor._fetch_rewards_via_http([row["query"]], [row["prompt"]], [row["label"]])
    except RuntimeError:  # five tries failed; the executor would log it and go on without a reward
        got = None
    return got, time.perf_counter() - started


async def main():
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    failures = Failures()
    agent.logger.addHandler(failures)
    executor = agent.SingleTurnAgentExecutor(sys.argv[1])
    rows = json.load(sys.stdin)
    got = await asyncio.gather(*(fetch(executor, row) for row in rows))
    sys.stdout.write("\n" + json.dumps({"answers": got, "failed_tries": failures.count}))


asyncio.run(main())
