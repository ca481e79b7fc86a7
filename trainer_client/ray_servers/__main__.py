"""The command: the URL to stdout when all servers are ready, everything else to stderr."""

from __future__ import annotations

import logging
import signal
import sys
import threading

from trainer_client._errors import RewardClientError
from trainer_client.ray_servers import ray_servers
from trainer_client.ray_servers.options import parse


def main() -> int:
    """Stays until Ctrl-C or SIGTERM; 0 then, 2 when the servers could not be started."""
    logging.basicConfig(format="ray_servers: %(message)s", level=logging.WARNING)
    logging.getLogger("trainer_client").setLevel(logging.INFO)
    try:
        options = parse(sys.argv[1:])
        with ray_servers(
            options.port,
            options.server,
            address=options.address,
            python=options.python,
            gpus=options.gpus,
            log_dir=options.log_dir,
        ) as servers:
            signal.signal(signal.SIGTERM, signal.default_int_handler)  # Ray has one of its own, which exits with 15
            sys.stdout.write("".join(f"{url}\n" for url in sorted(set(servers.urls.values()))))
            sys.stdout.flush()
            threading.Event().wait()
    except KeyboardInterrupt:
        return 0
    except (RewardClientError, ConnectionError) as error:
        sys.stderr.write(f"ray_servers: error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
