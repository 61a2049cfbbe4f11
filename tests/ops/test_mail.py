"""A mail by the generated configuration: Debian's Alertmanager, and a mail server with TLS and a password."""

import datetime as dt
import json
import re
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import yaml
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from genesis.connectors.broker import free_port
from tests.monitoring_tools import templates
from tests.system import running
from tests.system.test_called import serving

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery"
ALERT = "GenesisFeedGaps"
BASE = "https://example.com/runbooks/"


class Letterbox:
    """What a mail server has taken, from one user over TLS only."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.logins: list[bool] = []

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert session.ssl is not None
        assert envelope.rcpt_tos == ["operators@example.com"]
        found = message_from_bytes(bytes(envelope.content or b""), policy=policy.default)
        assert isinstance(found, EmailMessage)
        self.letters.append(found)
        return "250 taken"

    def login(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, told: Any
    ) -> AuthResult:
        is_right = told == LoginPassword(b"genesis", PASSWORD.encode())
        self.logins.append(is_right)
        return AuthResult(success=is_right)

    def texts(self, beginning: str) -> list[str]:
        """Return the plain texts of the letters whose subject begins so."""
        found = [letter for letter in self.letters if letter["Subject"].startswith(beginning)]
        return [letter.get_body(("plain",)).get_content() for letter in found]  # type: ignore[union-attr]


def certificate(folder: Path) -> ssl.SSLContext:
    """Make a certificate for localhost, signed by itself, as ``ca.pem``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "ca.pem").write_bytes(made.public_bytes(pem))
    (folder / "server.pem").write_bytes(key.private_bytes(pem, pkcs8, plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "server.pem")
    return context


@contextmanager
def post_office(folder: Path) -> Iterator[tuple[Letterbox, int]]:
    """Run a mail server on loopback; give what it takes and its port."""
    box = Letterbox()
    server = Controller(
        box,
        hostname="127.0.0.1",
        port=free_port(),
        tls_context=certificate(folder),
        require_starttls=True,
        auth_required=True,
        auth_exclude_mechanism=["LOGIN"],  # its prompts are not those that Alertmanager answers
        authenticator=box.login,
    )
    server.start()
    try:
        yield box, server.port
    finally:
        server.stop()


def generated(folder: Path, port: int, password: str) -> Path:
    """Make the rules and routes with short pauses; return their folder."""
    places = yaml.safe_load((ROOT / "ops/places.yaml").read_text(encoding="utf-8"))
    (folder / "password").write_text(password, encoding="utf-8")
    (folder / "chat").write_text(f"http://127.0.0.1:{free_port()}/nobody", encoding="utf-8")
    places["chat"]["url_file"] = str(folder / "chat")
    places["runbooks"] = BASE
    places["mail"] |= {
        "smarthost": f"localhost:{port}",
        "to": "operators@example.com",
        "password_file": str(folder / "password"),
        "ca_file": str(folder / "ca.pem"),
    }
    (folder / "places.yaml").write_text(yaml.safe_dump(places), encoding="utf-8")
    words = ["--speed", "60", "--places", str(folder / "places.yaml"), "--output", str(folder)]
    subprocess.run([sys.executable, ROOT / "ops/generate.py", *words], check=True, capture_output=True)
    return folder / "ops"


@contextmanager
def alertmanager(folder: Path, made: Path, programs: Path) -> Iterator[str]:
    """Run Debian's Alertmanager; give its address."""
    address = f"127.0.0.1:{free_port()}"
    words = (
        str(programs / "prometheus-alertmanager"),
        f"--config.file={made}/alertmanager/alertmanager.yml",
        f"--storage.path={folder}/alertmanager",
        "--cluster.listen-address=",
    )
    with serving(address, folder / "alertmanager.log", templates(programs), *words):
        yield address


def rule(made: Path) -> dict[str, Any]:
    """Return the rule of the alert that is sent."""
    groups = yaml.safe_load((made / "prometheus/rules/failures.yml").read_text(encoding="utf-8"))["groups"]
    return next(each for group in groups for each in group["rules"] if each.get("alert") == ALERT)


def tell(address: str, rule: dict[str, Any], begun: dt.datetime, ended: dt.datetime | None) -> None:
    """Tell Alertmanager of the alert, as Prometheus does."""
    alert = {
        "labels": {"alertname": ALERT, **rule["labels"], "job": "feed"},
        "annotations": rule["annotations"],
        "startsAt": begun.isoformat(),
        "generatorURL": "http://prometheus:9090/graph?g0.expr=gaps",
    }
    if ended is not None:
        alert["endsAt"] = ended.isoformat()
    body = json.dumps([alert]).encode()
    kind = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://{address}/api/v2/alerts", data=body, headers=kind)
    urllib.request.urlopen(request, timeout=10).close()


def lines(text: str) -> dict[str, str]:
    """Return the lines of a letter that have a name."""
    return dict(re.findall(r"^([A-Z][\w ]*):\s+(.+?)\s*$", text, re.MULTILINE))


def test_a_mail_says_what_since_when_what_to_do_and_another_when_it_is_over(
    tmp_path: Path, monitoring: Path
) -> None:
    begun = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    with post_office(tmp_path) as (box, port):
        made = generated(tmp_path, port, PASSWORD)
        wanted = rule(made)["annotations"]
        with alertmanager(tmp_path, made, monitoring) as address:
            tell(address, rule(made), begun, None)
            (told,) = running.wait_for(lambda: box.texts("FIRING"), "the first mail")
            ended = dt.datetime.now(dt.UTC)
            tell(address, rule(made), begun, ended)
            (over,) = running.wait_for(lambda: box.texts("OVER"), "the mail that it is over")
    assert box.letters[0]["Subject"] == f"FIRING {ALERT}: {wanted['summary']}"
    assert box.letters[-1]["Subject"] == f"OVER {ALERT}: {wanted['summary']}"
    assert all(box.logins)
    assert lines(told) == {
        "What": wanted["summary"],
        "Since": "2026-01-02 03:04:05 UTC",
        "Where": f"alertname={ALERT} failure=3 job=feed severity=warning",
        "Do first": wanted["command"],
        "Runbook": f"{BASE}{ALERT}.md",
        "Graph": "http://prometheus:9090/graph?g0.expr=gaps",
    }
    assert wanted["command"].startswith("genesis ")
    assert "A message with OVER in front says when it has ended" in told
    assert lines(over)["Until"] == f"{ended:%Y-%m-%d %H:%M:%S} UTC"
    assert lines(over)["Since"] == lines(told)["Since"]
    assert "Do first" not in over
    assert all(len(line) < 200 for line in told.splitlines())
