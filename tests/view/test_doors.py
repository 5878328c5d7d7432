"""Who may talk to a served page: its own websockets, or, beyond this machine, who has the token in the address."""

import socket
import threading
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

viser = pytest.importorskip("viser", reason="viser is not installed (extra `view`)")

import websockets.asyncio.server  # noqa: E402
from websockets.datastructures import Headers  # noqa: E402
from websockets.exceptions import InvalidStatus  # noqa: E402
from websockets.sync.client import connect  # noqa: E402

from engine.view.browser import guard  # noqa: E402
from engine.view.browser.server import address, stop, viser_server  # noqa: E402
from tests.view.chromium import READY, Page, executable  # noqa: E402


@pytest.fixture(scope="module", params=["127.0.0.1", "0.0.0.0"])
def server(request):
    made = viser_server(request.param, port=8260)
    made.scene.add_icosphere("/ball", 0.5)
    yield made
    stop(made)


def talks(server, path="", origin=None, host=None):
    """Whether the server says anything to a websocket of this origin, to which it is known by the name `host`."""
    port = server.get_port()
    sock = socket.create_connection(("127.0.0.1", port), timeout=20)
    url, protocols = f"ws://{host or '127.0.0.1'}:{port}{path}", [f"viser-v{viser.__version__}"]
    try:
        with connect(url, sock=sock, origin=origin, subprotocols=protocols) as c:
            return len(c.recv(timeout=20)) > 100  # the scene
    except InvalidStatus as e:
        assert e.response.status_code == 403 and e.response.body.startswith(b"refused: ")
        return False


def test_a_websocket_of_another_page_is_refused(server):
    port, token = server.get_port(), server.pullback_guard.token
    own, path = f"http://127.0.0.1:{port}", f"/{token}" if token else ""
    assert talks(server, path, own)
    assert talks(server, path, f"http://localhost:{port}", "localhost")
    foreign = [
        ("http://evil.example", None), ("null", None), (None, None), (f"https://127.0.0.1:{port}", None),
        (f"http://127.0.0.1:{port + 1}", None), (f"http://127.0.0.1.evil.example:{port}", None),
        (f"http://127.0.0.1:{port}", "localhost"), ("http://evil.example", "localhost"),
        (f"http://evil.example:{port}", "evil.example"),  # a name that was resolved to this machine
    ]  # fmt: skip
    for origin, host in foreign:
        assert not talks(server, "", origin, host), (origin, host)
    if token:
        for wrong in ("", "/", f"/{token[:-1]}", f"/{token}x", f"//x/{token}", f"/?{token}", "/%00"):
            assert not talks(server, wrong, own), wrong
        assert talks(server, f"/{token}/", "https://proxy.example")  # who has the token is let in


def status(server, path):
    try:
        with urlopen(f"http://127.0.0.1:{server.get_port()}{path}", timeout=20) as answer:
            return answer.status, len(answer.read())
    except HTTPError as e:
        return e.code, len(e.read())


def test_the_page_comes_with_the_token_alone(server):
    token = server.pullback_guard.token
    if not token:
        assert address(server) == f"http://127.0.0.1:{server.get_port()}"
        assert status(server, "/")[0] == 200 and status(server, "/none")[0] == 404
        return
    assert len(token) >= 24 and address(server) == f"http://127.0.0.1:{server.get_port()}/{token}/"
    assert address(server, "box") == f"http://box:{server.get_port()}/{token}/"
    assert status(server, f"/{token}/")[0] == 200 and status(server, f"/{token}/../x")[0] == 404
    assert status(server, "/")[0] == status(server, "/index.html")[0] == status(server, f"/{token}x/")[0] == 403


def test_loopback_addresses():
    for host in ("127.0.0.1", "127.8.0.1", "localhost", "LOCALHOST", "::1", "[::1]"):
        assert guard.is_loopback(host) and not guard.Guard(host).token, host
    for host in ("", "0.0.0.0", "::", "192.168.0.2", "box", "localhost.evil.example", "127.0.0.1.evil.example"):
        assert not guard.is_loopback(host) and guard.Guard(host).token, host
    assert guard.Guard("").token != guard.Guard("").token


@pytest.mark.parametrize("origins, hosts", [
    (["http://["], ["["]), (["http://a@localhost:1"], ["a@evil:1"]), (["http://localhost:1"] * 2, ["localhost:1"]),
    (["http://localhost:1"], ["localhost:1"] * 2), (["http://localhost:1"], []), ([], ["localhost:1"]),
    (["http://localhost:1@evil"], ["localhost:1@evil"]),
])  # fmt: skip
def test_headers_that_no_browser_sends(origins, hosts):
    pairs = [("Upgrade", "websocket"), *(("origin", o) for o in origins), *(("host", h) for h in hosts)]
    assert guard.Guard("127.0.0.1").refusal("/", Headers(pairs))
    assert not guard.Guard("127.0.0.1").refusal(
        "/", Headers([pairs[0], ("Origin", "http://LOCALHOST"), ("Host", "localhost")])
    )


def test_other_servers_of_the_process_stay_as_they_are(monkeypatch):
    """Those of a user, also one that starts in the same moment; the package itself is left as it was."""
    plain, made = websockets.asyncio.server.serve, []

    def start(host):
        thread = threading.Thread(
            target=lambda: made.append(viser.ViserServer(host="127.0.0.1", port=8270, verbose=False))
        )
        thread.start()
        thread.join()
        return viser.ViserServer(host=host, port=8280, verbose=False)

    ours, its_guard = guard.guarded(start, "127.0.0.1")
    try:
        assert websockets.asyncio.server.serve is plain and its_guard.in_force
        assert talks(made[0], "", "http://evil.example") and not talks(ours, "", "http://evil.example")
    finally:
        stop(ours)
        stop(made[0])


def test_a_viser_that_cannot_be_guarded_is_not_served():
    with pytest.raises(RuntimeError, match="cannot be guarded; allowed: viser 1.1"):
        guard.guarded(lambda host: viser.ViserServer(host=str(host) + "", port=8290, verbose=False), "127.0.0.1")


@pytest.mark.skipif(executable() is None, reason="no Chromium here (Debian package chromium, or name one in CHROMIUM)")
def test_a_browser_shows_the_page_and_no_other_page_reaches_it(tmp_path):
    """The address with a token opens as printed and shows the scene; a page from elsewhere gets no websocket.

    (The page of a loopback address opens in tests/view/test_browser.py.)
    """
    shown = viser_server("0.0.0.0", port=8295)
    shown.scene.add_icosphere("/ball", 0.5)
    try:
        with Page(tmp_path, size=(320, 240)) as page:
            page.open(address(shown))
            page.wait_for(READY, 240)
            assert page.errors == []
            stranger = tmp_path / "stranger.html"
            stranger.write_text("<p>another page</p>")
            page.open(stranger.as_uri())
            page.wait_for("document.body && document.body.innerText == 'another page'")
            attempt = f"""new Promise(done => {{
                const s = new WebSocket('ws://127.0.0.1:{shown.get_port()}', ['viser-v{viser.__version__}']);
                s.onopen = () => done('open'); s.onerror = () => done('refused');
            }})"""
            assert page.evaluate(attempt) == "refused"
    finally:
        stop(shown)


@pytest.mark.parametrize("host, port, told", [
    ("127.0.0.1", 65536, "port: got 65536, allowed: a whole number from 1 to 65535"),
    ("127.0.0.1", -1, "port: got -1"), ("127.0.0.1", "8080", "port: got '8080'"),
    ("nowhere.invalid", 8300, "host: got 'nowhere.invalid'"), ("x" * 70 + ".org", 8300, "host: got 'xxx"),
    ("203.0.113.7", 8300, "host: got '203.0.113.7' .*allowed: a name or an address of this machine"),
])  # fmt: skip
def test_where_it_cannot_listen_is_named(host, port, told):
    """viser would wait for ever."""
    with pytest.raises(ValueError, match=told):
        viser_server(host, port)


def test_a_port_in_use_gives_way_to_the_next():
    with socket.create_server(("127.0.0.1", 8310)), socket.create_server(("127.0.0.1", 65535)):
        made = viser_server(port=8310)
        try:
            assert made.get_port() == 8311
        finally:
            stop(made)
        with pytest.raises(ValueError, match="port: got 65535, and none"):
            viser_server(port=65535)
