"""Every channel against a real receiver."""

from __future__ import annotations

import asyncio
import email
import email.policy
import logging
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from fastcore.monitor import Alert, CallableChannel, EmailChannel, LogChannel, SlackChannel, WebhookChannel
from tests.monitor.receivers import HttpReceiver, SmtpReceiver, served
from tests.tls import trusting

pytestmark = pytest.mark.backend_independent

ALERT = Alert(
    "memory",
    "firing",
    "critical",
    "86 % of <memory> & more",
    (("host", "a<b"),),
    0.86,
    datetime(2024, 1, 1, tzinfo=UTC),
    "f00",
    {"evidence": 3},
)


@pytest.fixture
def hook() -> Iterator[HttpReceiver]:
    with served(HttpReceiver()) as server:
        yield server


def resolved() -> Alert:
    return Alert(ALERT.rule, "resolved", *list(ALERT.__dict__.values())[2:])


class TestWebhook:
    def test_the_alert_as_json(self, hook: HttpReceiver) -> None:
        WebhookChannel(f"{hook.url}/hook?k=v", headers={"authorization": "Bearer secret"}).send(ALERT)
        assert hook.bodies == [ALERT.to_dict()]
        assert hook.paths == ["/hook?k=v"]
        assert hook.headers[0]["content-type"] == "application/json"
        assert hook.headers[0]["authorization"] == "Bearer secret"

    @pytest.mark.parametrize(
        ("status", "permanent"), [(500, False), (503, False), (408, False), (429, False), (400, True), (404, True)]
    )
    def test_any_other_status_is_a_failure(self, hook: HttpReceiver, status: int, permanent: bool) -> None:
        hook.statuses.append(status)
        with pytest.raises(ConnectionError, match=f"webhook: expected a status of 2xx, got {status}") as raised:
            WebhookChannel(hook.url).send(ALERT)
        assert raised.value.permanent is permanent  # type: ignore[attr-defined]

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_redirects_are_not_followed(self, hook: HttpReceiver, status: int) -> None:
        hook.statuses.append(status)
        with pytest.raises(ConnectionError, match=f"got {status}"):
            WebhookChannel(f"{hook.url}/first").send(ALERT)
        assert hook.paths == ["/first"]

    def test_a_receiver_that_does_not_answer(self, hook: HttpReceiver) -> None:
        hook.hold.clear()
        with pytest.raises(OSError, match="timed out"):
            WebhookChannel(hook.url, timeout=0.05).send(ALERT)

    def test_an_unreachable_receiver(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        with pytest.raises(OSError):
            WebhookChannel(f"http://127.0.0.1:{port}", timeout=5).send(ALERT)

    def test_values_without_json_form_are_sent_as_text(self, hook: HttpReceiver) -> None:
        WebhookChannel(hook.url).send(Alert(*list(ALERT.__dict__.values())[:-1], {"at": ALERT.since}))
        assert hook.bodies[0]["details"] == {"at": "2024-01-01 00:00:00+00:00"}

    @pytest.mark.parametrize(
        "url", ["ftp://secret/", "file:///etc/secret", "secret", "", "http://", "https://u:secret@h/", "http://[secret"]
    )
    def test_wrong_urls_are_refused_and_not_shown(self, url: str) -> None:
        with pytest.raises(ValueError) as raised:
            WebhookChannel(url)
        assert "secret" not in str(raised.value)

    def test_wrong_arguments_are_refused(self) -> None:
        with pytest.raises(ValueError, match="timeout: expected a number above 0, got 0"):
            WebhookChannel("http://h/", timeout=0)
        with pytest.raises(ValueError, match="headers: x-key: expected a str of one line") as raised:
            WebhookChannel("http://h/", headers={"x-key": "secret\r\nx: y"})
        assert "secret" not in str(raised.value)
        with pytest.raises(ValueError, match="url: expected one of http or https with a host, got int"):
            WebhookChannel(3)  # type: ignore[arg-type]


def test_slack_messages_have_their_text(hook: HttpReceiver) -> None:
    channel = SlackChannel(f"{hook.url}/services/T/B/secret")
    channel.send(ALERT)
    channel.send(resolved())
    first, second = hook.bodies
    assert first["text"] == "*CRITICAL* 86 % of &lt;memory&gt; &amp; more"
    attachment = first["attachments"][0]
    assert attachment["fields"] == [{"title": "host", "value": "a&lt;b", "short": True}]
    assert (attachment["footer"], attachment["ts"]) == ("fastcore: memory", 1704067200)
    assert second["text"].startswith("*RESOLVED*")
    assert second["attachments"][0]["color"] != attachment["color"]


class TestEmail:
    CONTEXT = trusting()

    def channel(self, server: SmtpReceiver, **more: Any) -> EmailChannel:
        told = {"sender": "a@example.com", "recipients": ["b@example.com", "c@example.com"], "timeout": 30.0}
        return EmailChannel("localhost", server.port, **{**told, "tls": server.tls, "context": self.CONTEXT, **more})

    @pytest.mark.parametrize("tls", ["none", "starttls", "tls"])
    def test_a_mail_has_subject_and_text(self, tls: str) -> None:
        with served(SmtpReceiver(tls=tls)) as server:
            self.channel(server).send(ALERT)
        assert server.envelopes == [("a@example.com", ["b@example.com", "c@example.com"], tls != "none")]
        mail = email.message_from_string(server.mails[0], policy=email.policy.default)
        assert mail["subject"] == "[CRITICAL] 86 % of <memory> & more"
        assert mail["x-fastcore-fingerprint"] == "f00"
        text = mail.get_content().replace("\r\n", "\n")
        assert text.startswith("86 % of <memory> & more\n\nrule: memory\nstate: firing\n")
        assert '"evidence": 3' in text

    @pytest.mark.parametrize("tls", ["starttls", "tls"])
    def test_logging_in(self, tls: str) -> None:
        with served(SmtpReceiver(tls=tls, user="u", password="p w")) as server:
            self.channel(server, user="u", password="p w").send(ALERT)
            assert len(server.mails) == 1
            with pytest.raises(smtplib.SMTPAuthenticationError):
                self.channel(server, user="u", password="wrong").send(ALERT)

    @pytest.mark.parametrize("tls", ["starttls", "tls"])
    def test_an_untrusted_certificate(self, tls: str) -> None:
        with served(SmtpReceiver(tls=tls)) as server:
            with pytest.raises(ssl.SSLCertVerificationError):
                self.channel(server, context=None).send(ALERT)
        assert server.mails == []

    def test_a_server_without_starttls_gets_no_mail(self) -> None:
        with served(SmtpReceiver()) as server:
            with pytest.raises(smtplib.SMTPNotSupportedError):
                self.channel(server, tls="starttls").send(ALERT)
        assert server.mails == []

    def test_a_line_break_in_a_summary_adds_no_header(self) -> None:
        alert = Alert("r", "firing", "info", "first\r\nBcc: d@example.com\n\nbody", (), 0.0, ALERT.since, "f")
        with served(SmtpReceiver()) as server:
            self.channel(server).send(alert)
        mail = email.message_from_string(server.mails[0], policy=email.policy.default)
        assert mail["subject"] == "[INFO] first Bcc: d@example.com body"
        assert mail["bcc"] is None
        assert server.envelopes[0][1] == ["b@example.com", "c@example.com"]

    @pytest.mark.parametrize(
        ("told", "text"),
        [
            ({"recipients": []}, "recipients: expected addresses"),
            ({"recipients": "b@example.com"}, "recipients: expected addresses, got 'b@example.com'"),
            ({"tls": "ssl"}, "tls: expected 'starttls', 'tls' or 'none', got 'ssl'"),
            ({"tls": "none", "user": "u", "password": "secret"}, "because a password is sent, got 'none'"),
        ],
    )
    def test_wrong_arguments_are_refused(self, told: dict[str, Any], text: str) -> None:
        with pytest.raises(ValueError, match=text):
            EmailChannel("h", **{"sender": "a@example.com", "recipients": ["b@example.com"], **told})


def test_the_log_channel_logs_alerts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "fastcore.alerts")
    LogChannel().send(ALERT)
    LogChannel().send(resolved())
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("ERROR", "firing [memory] 86 % of <memory> & more"),
        ("INFO", "resolved [memory] 86 % of <memory> & more"),
    ]


def test_plain_and_async_callables_are_called() -> None:
    got: list[Any] = []

    async def later(alert: Alert) -> None:
        await asyncio.sleep(0)
        got.append((alert, threading.current_thread()))

    CallableChannel(got.append).send(ALERT)
    CallableChannel(later).send(ALERT)
    assert got == [ALERT, (ALERT, threading.current_thread())]
    with pytest.raises(TypeError, match="function: expected a callable, got int"):
        CallableChannel(3)  # type: ignore[arg-type]
