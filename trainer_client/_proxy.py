"""Which proxy stands between this process and a server: HTTP_PROXY, HTTPS_PROXY and ALL_PROXY name it. No I/O.

The client asks here itself, so that an error can name the proxy, and so that the loopback needs none: a cluster's
image often sets HTTP_PROXY, and no proxy reaches a server on the trainer's own machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass


def proxy_of(url: str) -> str | None:
    """The URL of the proxy for `url`, with its password; None where the way is direct."""
    parts, proxies = urlsplit(url), getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or is_local(parts.hostname or "") or is_exempt(parts, proxies) or proxy_bypass(parts.netloc):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def is_local(host: str) -> bool:
    """This machine: `localhost`, 127.0.0.0/8, ::1, and 0.0.0.0, which reaches it too."""
    address = _address(host)
    if address is None:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def is_exempt(parts: SplitResult, proxies: Mapping[str, str]) -> bool:
    """By an entry of NO_PROXY that Python's own rule (`proxy_bypass`) does not know: 10.0.0.0/8 and *.cluster.local."""
    host = parts.hostname or ""
    entries = [entry.strip().lower() for entry in proxies.get("no", "").split(",")]
    return any(_covers(entry, host) for entry in entries)


def without_password(proxy: str) -> str:
    """The proxy's URL as it may stand in a log."""
    parts = urlsplit(proxy)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def host_of(url: str) -> str:
    """As NO_PROXY names it."""
    return urlsplit(url).hostname or ""


def _covers(entry: str, host: str) -> bool:
    if entry.startswith("*."):
        return host.endswith(entry[1:])
    address = _address(host)
    if address is None or "/" not in entry:
        return False
    try:
        return address in ip_network(entry, strict=False)
    except ValueError:  # not a network
        return False


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
