"""Channels of alerts: the log, a webhook, Slack, e-mail, a callable. Each sends one alert and raises if it cannot."""

from __future__ import annotations

import asyncio
import json
import logging
import smtplib
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Mapping
from email.message import EmailMessage
from typing import Any, Protocol
from urllib.parse import urlsplit

from fastcore._version import __version__
from fastcore.memory.wrapping import is_async
from fastcore.monitor.alerts import Alert

__all__ = ["CallableChannel", "Channel", "EmailChannel", "LogChannel", "SlackChannel", "WebhookChannel"]

_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "critical": logging.ERROR}
_COLOURS = {"info": "#439fe0", "warning": "#daa038", "critical": "#a30200"}


class Channel(Protocol):
    """Sends alerts. `send` may block, within a timeout of its own, and is called on a thread.

    An attribute ``secrets``, strings, is left out of what is logged where sending fails; an error whose attribute
    ``permanent`` is true is not tried again.

    Examples
    --------
    >>> from fastcore.monitor import AlertManager
    >>> class Console:
    ...     name = "console"
    ...     def send(self, alert):
    ...         print(alert.summary)
    >>> manager = AlertManager(channels=[Console()])
    """

    name: str

    def send(self, alert: Alert) -> None: ...


class Refused(ConnectionError):
    """The receiver answered with a refusal."""

    def __init__(self, text: str, *, permanent: bool) -> None:
        super().__init__(text)
        self.permanent = permanent


class LogChannel:
    """The logger ``fastcore.alerts``.

    Examples
    --------
    >>> from fastcore.monitor import AlertManager, LogChannel
    >>> manager = AlertManager(channels=[LogChannel()])    # what a manager has without any
    """

    def __init__(self, name: str = "log") -> None:
        self.name = name
        self._log = logging.getLogger("fastcore.alerts")

    def send(self, alert: Alert) -> None:
        level = _LEVELS.get(alert.severity, logging.WARNING) if alert.state == "firing" else logging.INFO
        self._log.log(level, "%s [%s] %s", alert.state, alert.rule, alert.summary)


class CallableChannel:
    """A function of an :class:`Alert`, plain or async; an async one runs on a separate loop.

    Examples
    --------
    >>> from fastcore.monitor import AlertManager, CallableChannel
    >>> channel = CallableChannel(lambda alert: print(alert.summary), name="console")
    >>> manager = AlertManager(channels=[channel])
    """

    def __init__(self, function: Callable[[Alert], Any], name: str = "callable") -> None:
        if not callable(function):
            raise TypeError(f"function: expected a callable, got {type(function).__name__}")
        self.name = name
        self._function = function

    def send(self, alert: Alert) -> None:
        if is_async(self._function):
            asyncio.run(self._function(alert))
        else:
            self._function(alert)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None  # what it was told to send to is where it sends


class WebhookChannel:
    """POSTs the alert as JSON. Anything but a status of 2xx is a failure; redirects are not followed.

    A status of 4xx other than 408 and 429 is not tried again.

    Parameters
    ----------
    url : str
        ``http`` or ``https``; it may hold a secret, and is not logged.
    headers : mapping, optional
        Values are not logged.
    timeout : float, default 5.0
        Seconds for connecting, and for each reading.

    Examples
    --------
    >>> from fastcore.monitor import AlertManager, WebhookChannel
    >>> hook = WebhookChannel("https://duty.example.com/alerts", headers={"Authorization": "Bearer secret"})
    >>> manager = AlertManager(channels=[hook])
    """

    def __init__(
        self, url: str, *, headers: Mapping[str, str] | None = None, timeout: float = 5.0, name: str = "webhook"
    ) -> None:
        parts = urlsplit(url) if isinstance(url, str) else None
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
            got = type(url).__name__ if parts is None else f"one of {parts.scheme!r}"  # the rest may be a secret
            raise ValueError(f"url: expected one of http or https with a host, got {got}")
        if parts.username is not None:
            raise ValueError("url: expected one without user and password: they belong in headers")
        for key, value in (headers or {}).items():
            if not isinstance(value, str) or not value.isprintable():
                raise ValueError(f"headers: {key}: expected a str of one line")
        if not timeout > 0:
            raise ValueError(f"timeout: expected a number above 0, got {timeout!r}")
        self.name = name
        self._url, self._timeout = url, timeout
        self._headers = {"content-type": "application/json", "user-agent": f"fastcore/{__version__}", **(headers or {})}
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        self.secrets = tuple(
            secret for secret in (url, path, parts.query, *(headers or {}).values()) if len(secret) > 3
        )
        self._opener = urllib.request.build_opener(_NoRedirects)

    def send(self, alert: Alert) -> None:
        self._post(self._body(alert))

    def _body(self, alert: Alert) -> Any:
        return alert.to_dict()

    def _post(self, body: Any) -> None:
        data = json.dumps(body, default=str).encode()
        request = urllib.request.Request(self._url, data=data, headers=self._headers, method="POST")
        try:
            with self._opener.open(request, timeout=self._timeout):
                pass  # the status says all: a body could go on forever
        except urllib.error.HTTPError as error:
            with error:
                permanent = 300 <= error.code < 500 and error.code not in (408, 429)
                text = f"{self.name}: expected a status of 2xx, got {error.code}"
                raise Refused(text, permanent=permanent) from None


class SlackChannel(WebhookChannel):
    """A Slack incoming webhook.

    Examples
    --------
    >>> from fastcore.monitor import AlertManager, SlackChannel
    >>> manager = AlertManager(channels=[SlackChannel("https://hooks.example.com/services/T0/B0/secret")])
    """

    def __init__(self, url: str, *, timeout: float = 5.0, name: str = "slack") -> None:
        super().__init__(url, timeout=timeout, name=name)

    def _body(self, alert: Alert) -> Any:
        mark = "RESOLVED" if alert.state == "resolved" else alert.severity.upper()
        colour = "#2eb886" if alert.state == "resolved" else _COLOURS.get(alert.severity, "#daa038")
        fields = [{"title": _slack(name), "value": _slack(value), "short": True} for name, value in alert.labels]
        text = f"*{mark}* {_slack(alert.summary)}"
        return {
            "text": text,
            "attachments": [
                {
                    "color": colour,
                    "fallback": f"{mark} {_slack(alert.summary)}",
                    "fields": fields,
                    "footer": f"fastcore: {_slack(alert.rule)}",
                    "ts": int(alert.since.timestamp()),
                }
            ],
        }


def _slack(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class EmailChannel:
    """Mail by SMTP.

    Parameters
    ----------
    host, port : str, int
    sender : str
    recipients : collection of str
    user, password : str, optional
        Logs in, which asks for `tls`.
    tls : {'starttls', 'tls', 'none'}, default 'starttls'
        Certificates are verified.
    timeout : float, default 10.0

    Examples
    --------
    >>> from fastcore.monitor import AlertManager, EmailChannel
    >>> mail = EmailChannel("smtp.example.com", sender="desk@example.com", recipients=["duty@example.com"])
    >>> manager = AlertManager(channels=[mail])
    """

    def __init__(
        self,
        host: str,
        port: int = 587,
        *,
        sender: str,
        recipients: Collection[str],
        user: str = "",
        password: str = "",
        tls: str = "starttls",
        timeout: float = 10.0,
        context: ssl.SSLContext | None = None,
        name: str = "email",
    ) -> None:
        if isinstance(recipients, str) or not recipients:
            raise ValueError(f"recipients: expected addresses, got {recipients!r}")
        if tls not in ("starttls", "tls", "none"):
            raise ValueError(f"tls: expected 'starttls', 'tls' or 'none', got {tls!r}")
        if user and tls == "none":
            raise ValueError("tls: expected 'starttls' or 'tls', because a password is sent, got 'none'")
        self.name = name
        self._host, self._port, self._sender, self._recipients = host, port, sender, tuple(recipients)
        self._user, self._password, self._tls, self._timeout = user, password, tls, timeout
        self._context = context
        self.secrets = tuple(secret for secret in (password,) if secret)

    def send(self, alert: Alert) -> None:
        message = EmailMessage()
        mark = "RESOLVED" if alert.state == "resolved" else alert.severity.upper()
        message["Subject"] = " ".join(f"[{mark}] {alert.summary}".split())[:200]  # a line break would end the header
        message["From"] = self._sender
        message["To"] = ", ".join(self._recipients)
        message["X-Fastcore-Fingerprint"] = alert.fingerprint
        lines = [alert.summary, "", f"rule: {alert.rule}", f"state: {alert.state}", f"since: {alert.since.isoformat()}"]
        lines += [f"{name}: {value}" for name, value in alert.labels]
        if alert.details is not None:
            lines += ["", json.dumps(alert.details, indent=1, default=str)]
        message.set_content("\n".join(lines) + "\n")
        if self._tls == "tls":
            context = self._context or ssl.create_default_context()
            with smtplib.SMTP_SSL(self._host, self._port, timeout=self._timeout, context=context) as server:
                self._deliver(server, message)
            return
        with smtplib.SMTP(self._host, self._port, timeout=self._timeout) as server:
            if self._tls == "starttls":
                server.starttls(context=self._context or ssl.create_default_context())
            self._deliver(server, message)

    def _deliver(self, server: smtplib.SMTP, message: EmailMessage) -> None:
        if self._user:
            server.login(self._user, self._password)
        server.send_message(message)
