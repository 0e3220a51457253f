"""Temporary certificates: a CA, a certificate for this machine, and one for another host name."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme

WRONG_NAME = "crm.wrong-name.example"


@dataclass(frozen=True)
class Certificates:
    """Server contexts with certificates of one CA, whose PEM file is `ca_file`."""

    ca_file: Path
    right: ssl.SSLContext
    wrong_name: ssl.SSLContext


def make_certificates(directory: Path) -> Certificates:
    """Create a CA, write its PEM to directory/ca.pem, and issue both certificates."""
    directory.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    ca_file = directory / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    return Certificates(
        ca_file,
        _server_context(authority, "localhost", "127.0.0.1", "::1"),
        _server_context(authority, WRONG_NAME),
    )


def _server_context(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    authority.issue_cert(*names).configure_cert(context)
    return context
