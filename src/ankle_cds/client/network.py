"""From a URL we may contact to a connection: names resolved once and checked, no proxy, no redirect, no cookie."""

from __future__ import annotations

import asyncio
import socket
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import httpx

from ankle_cds.client.access import Base, is_loopback, may_connect
from ankle_cds.errors import ServerError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    Resolver = Callable[[str, int], Awaitable[list[str]]]


async def resolve(host: str, port: int) -> list[str]:
    """Give every address a host name has; raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
    )
    return [str(entry[4][0]) for entry in found]


async def checked_address(base: Base, resolver: Resolver, *, loopback: bool) -> str | None:
    """Resolve a host once and check what came back; the connection then goes to the address that was checked.

    None where the name needs no check (this machine in development mode). Raises ServerError.
    """
    if loopback and is_loopback(base):
        return None
    try:
        addresses = await resolver(base.host, base.port)
    except (OSError, UnicodeError):  # a label that is too long is no name
        raise ServerError("The server's name cannot be resolved; check its URL.", cause="name") from None
    if not addresses or not may_connect(base, addresses, loopback=loopback):
        raise ServerError("The server's address may not be contacted; list it as a private network.", cause="address")
    return addresses[0]


def aimed(url: str, base: Base, address: str | None) -> tuple[httpx.URL, dict[str, str], dict[str, Any]]:
    """Turn a URL into what is sent: to the checked address, with the host's name for routing and certificate."""
    named = httpx.URL(url)
    if address is None or address == base.host:
        return named, {}, {}
    return named.copy_with(host=address), {"Host": named.netloc.decode("ascii")}, {"sni_hostname": base.host}


def certificates(ca_file: str | None) -> ssl.SSLContext:
    """Read the certificates of the public authorities and, if given, those of the site's own."""
    tls = httpx.create_ssl_context(trust_env=False)
    if ca_file is not None:
        tls.load_verify_locations(cafile=ca_file)
    return tls


def pool(tls: ssl.SSLContext, transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
    """Give a connection pool that keeps to the URL it is given; `transport` replaces the network in tests."""
    return httpx.AsyncClient(
        verify=tls,
        transport=transport,
        trust_env=False,
        follow_redirects=False,
        # A cookie set for one patient's read must never travel with another's.
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
    )
