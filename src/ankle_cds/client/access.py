"""May we read this from there? The rules that stand between a URL someone sent us and a connection.

Nothing here opens a connection. A base URL is compared part by part after parsing, never as a string prefix, because
a credential sent to a look-alike host is a credential lost.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

_VISIBLE = re.compile(r"[!-\[\]-~]+")  # printable ASCII without blank and backslash
_DEFAULT_PORTS = {"http": 80, "https": 443}
_ABOUT_RESOURCES = ("patient/", "user/", "system/")
_SCOPE = re.compile(r"[a-z]+/(\*|[A-Z][A-Za-z]+)\.(read|write|\*|(?=[cruds])c?r?u?d?s?)(\?\S*)?")


@dataclass(frozen=True, slots=True)
class Base:
    """A FHIR base URL in parts that can be compared: scheme and host in lower case, path without a final slash."""

    scheme: str
    host: str
    port: int
    path: str
    private_network: bool = False

    @property
    def url(self) -> str:
        """The base as text, without a final slash."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"

    def is_same(self, other: Base) -> bool:
        """Tell whether both name the same place, whatever was said about its network."""
        return (self.scheme, self.host, self.port, self.path) == (other.scheme, other.host, other.port, other.path)


def parse_base(text: str, *, private_network: bool = False) -> Base | None:
    """Parse a base URL; None unless it is http(s) with a host and without user, query, fragment or odd characters."""
    if not _VISIBLE.fullmatch(text) or "?" in text or "#" in text:
        return None
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    host = (parts.hostname or "").lower()
    if scheme not in _DEFAULT_PORTS or not host or "@" in parts.netloc or host.endswith(".") or "%" in host:
        return None
    path = parts.path.rstrip("/")
    if any(segment in {".", ".."} or "%" in segment for segment in path.split("/")):
        return None
    return Base(scheme, host, _DEFAULT_PORTS[scheme] if port is None else port, path, private_network)


def next_page(base: Base, current: str, link: str) -> str | None:
    """Resolve the `next` link of a page read from `current`; None when it leads outside the base.

    Same scheme, host, port, and a path below that of the base on a segment boundary.
    """
    if not _VISIBLE.fullmatch(link):
        return None
    try:
        target = urljoin(current, link)
        parts = urlsplit(target)
        port = _DEFAULT_PORTS.get(parts.scheme) if parts.port is None else parts.port
    except ValueError:
        return None
    same_origin = (parts.scheme, (parts.hostname or "").lower(), port) == (base.scheme, base.host, base.port)
    below = parts.path == base.path or parts.path.startswith(f"{base.path}/")
    plain = "@" not in parts.netloc and not parts.fragment and ".." not in parts.path and "%2" not in parts.path
    return target if same_origin and below and plain else None


def is_loopback(base: Base) -> bool:
    """Tell whether the host is this machine, written in its usual form."""
    return base.host in {"localhost", "127.0.0.1", "::1"}


def is_address(host: str) -> bool:
    """Tell whether a host is written as an IP address, in any form a resolver would take for one."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return bool(re.fullmatch(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+))*", host))
    return True


def is_public(address: str) -> bool:
    """Tell whether a resolved address is a host of the public internet.

    False for loopback, link-local, private, shared (CGNAT), multicast, reserved and unspecified addresses, also where
    they are wrapped into IPv6.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            ip = inner
    site_local = isinstance(ip, ipaddress.IPv6Address) and ip.is_site_local
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or site_local)


@dataclass(frozen=True, slots=True)
class Policy:
    """Which FHIR servers may be contacted: the listed bases and, in development mode, this machine over http."""

    bases: tuple[Base, ...] = ()
    loopback: bool = False

    def allowed(self, url: str) -> Base | None:
        """Give the base to use for a `fhirServer` value; None means that it is never contacted."""
        asked = parse_base(url)
        if asked is None:
            return None
        for base in self.bases:
            if base.is_same(asked) and (base.scheme == "https" or self.loopback):
                return base
        return asked if self.loopback and is_loopback(asked) else None


def may_connect(base: Base, addresses: Iterable[str], *, loopback: bool) -> bool:
    """Tell whether every address a host name resolved to may be contacted for this base."""
    if base.private_network or is_address(base.host) or (loopback and is_loopback(base)):
        return True
    found = list(addresses)
    return bool(found) and all(is_public(address) for address in found)


class Reach(Enum):
    """How much of a resource type an access token lets us see."""

    NOTHING = "nothing"
    PART = "part"  # some of the resources, by their category or the like: what is not among them may yet exist
    ALL = "all"  # or it cannot be told, and trying tells


def scope_reach(scope: str | None, resource_type: str, *, search: bool) -> Reach:
    """Tell how much of a type a SMART scope string lets us read, or search where `search`.

    Version 1 (`user/Patient.read`) and version 2 (`user/Observation.rs`, where `r` alone reads and `s` alone searches,
    and `?category=...` narrows): https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html
    """
    parts = [part for part in (scope or "").split() if part.startswith(_ABOUT_RESOURCES)]
    grants = [match for part in parts if (match := _SCOPE.fullmatch(part))]
    needed = "s" if search else "r"
    found = {
        Reach.PART if narrowed else Reach.ALL
        for kind, rights, narrowed in (grant.groups() for grant in grants)
        if kind in {"*", resource_type} and (rights in {"read", "*"} or (rights != "write" and needed in rights))
    }
    unclear = not parts or len(grants) < len(parts)
    if Reach.ALL in found or (unclear and not found):
        return Reach.ALL
    return Reach.PART if found else Reach.NOTHING
