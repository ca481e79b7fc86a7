"""`python -m reward_server` and the command `reward-server`.

Light on purpose: worker processes run this file again under another name, and must not load the app.
"""

from __future__ import annotations


def main() -> None:
    """Runs the command line."""
    from reward_server.cli import app

    app()


if __name__ == "__main__":
    main()
