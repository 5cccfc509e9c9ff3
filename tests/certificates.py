"""Certificates for a test: of a server, of a client whose authority the server knows, and of one it does not know."""

from __future__ import annotations

import ipaddress
import socket
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


class Certificates:
    """Writes server.pem, {known,unknown}-client.pem, each with its key, and clients.pem, the known authority."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._write("server", _issued("localhost", None))
        for name in ("known", "unknown"):
            authority = _issued(f"{name} authority", None)
            self._write(f"{name}-client", _issued(f"{name} client", authority))
            if name == "known":
                self.file("clients.pem").write_bytes(authority[0].public_bytes(serialization.Encoding.PEM))

    def file(self, name: str) -> Path:
        return self._folder / name

    def _write(self, name: str, pair: Pair) -> None:
        certificate, key = pair
        self.file(f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self.file(f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )


def _issued(name: str, authority: Pair | None) -> Pair:
    """Make a certificate signed by an authority, or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signer = (authority[0].subject, authority[1]) if authority else (subject, key)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(signer, hashes.SHA256())
    )
    return certificate, key


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
