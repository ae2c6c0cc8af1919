"""Certificates for servers of tests, generated in each process: no key is kept in the repository."""

from __future__ import annotations

import functools
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import trustme

__all__ = ["server_certificate", "trusting"]


@functools.cache
def _authority() -> trustme.CA:
    import trustme

    return trustme.CA()


@functools.cache
def server_certificate() -> trustme.LeafCert:
    """Return the certificate and key of localhost and 127.0.0.1."""
    return _authority().issue_cert("localhost", "127.0.0.1")


def trusting() -> ssl.SSLContext:
    """Return what a client needs to believe that certificate."""
    context = ssl.create_default_context()
    _authority().configure_trust(context)
    return context
