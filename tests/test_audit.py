"""The session `audit` against a service on loopback: it fails for what is known, and says what it could not ask."""

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
FLAW = {
    "id": "GHSA-aaaa-bbbb-cccc",
    "affected": [
        {
            "package": {"name": "yarl", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "999"}]}],
        }
    ],
}


@dataclass
class Service:
    """What knows vulnerabilities: `flawed` has one. It says `status` to all, and remembers of what it was asked."""

    flawed: str = ""
    status: int = 200
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        told = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        self.asked.append(told["package"]["name"])
        body = json.dumps({"vulns": [FLAW]} if self.asked[-1] == self.flawed else {}).encode()
        request.send_response(self.status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


@contextmanager
def serving(service: Service) -> Iterator[Service]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: else each answer waits for an acknowledgement

        def do_POST(self) -> None:
            service.answer(self)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's own name
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        service.url = f"http://127.0.0.1:{server.server_port}/query"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield service
        server.shutdown()


def audit(folder: Path, *arguments: str, code: int) -> list[str]:
    """Call the session; what nox tells, by line."""
    nox: list[str | Path] = [
        sys.executable,
        "-m",
        "nox",
        "-f",
        CHECKOUT / "noxfile.py",
        "--envdir",
        folder,
        "--session",
        "audit",
    ]
    done = subprocess.run(  # noqa: S603 - our own task runner
        [*nox, "--", "--cache-dir", folder / "cache", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return (done.stdout + done.stderr).splitlines()


def test_every_pinned_package_is_asked_for_and_a_vulnerability_fails_the_audit(tmp_path: Path) -> None:
    pins = (path.read_text().splitlines() for path in (CHECKOUT / "requirements").glob("*.txt"))
    pinned = {line.partition("==")[0] for lines in pins for line in lines if "==" in line and ";" not in line}
    with serving(Service(flawed="yarl")) as service:
        told = audit(tmp_path, "--osv-url", service.url, code=1)
    assert pinned <= set(service.asked)
    assert len(service.asked) == len(set(service.asked))
    assert [line for line in told if " yarl " in line and line.endswith(f": {FLAW['id']} (mended in 999)")]


def test_packages_without_a_known_vulnerability_pass(tmp_path: Path) -> None:
    with serving(Service()) as service:
        told = audit(tmp_path, "--osv-url", service.url, code=0)
    assert any(line.endswith(" packages audited, no known vulnerabilities") for line in told)


@pytest.mark.parametrize("status", [None, 503])
def test_where_nobody_can_be_asked_the_audit_is_skipped_with_one_line(tmp_path: Path, status: int | None) -> None:
    with serving(Service(status=status or 200)) as service:
        url = service.url if status else "http://127.0.0.1:9/query"
        told = audit(tmp_path, "--osv-url", url, code=0)
    (line,) = (line for line in told if "audit" in line and "Running" not in line)
    assert "Session audit skipped: not audited, the service cannot be asked" in line


def test_an_audit_that_is_called_wrongly_fails(tmp_path: Path) -> None:
    told = audit(tmp_path, "--osv-url", "http://127.0.0.1:9/", "--vulnerability-service", "gone", code=1)
    assert [line for line in told if "Session audit aborted: pip-audit failed: " in line and "'gone'" in line]
