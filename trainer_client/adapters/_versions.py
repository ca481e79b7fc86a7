"""Which version of a trainer is installed, where its versions differ in what a reward function may do."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def older_version(package: str, major: int, minor: int) -> str:
    """The installed version of `package` where it is older than that; "" where it is not, and where there is none."""
    try:
        installed = version(package)
        first, second, *_ = installed.split(".")
        return installed if (int(first), int(second)) < (major, minor) else ""
    except (PackageNotFoundError, ValueError):
        return ""
