"""Who may talk to a page of ours: a browser's websocket is open to every page that it shows, unless the server asks.

On this machine alone (a loopback address) the page's own origin is asked for: a browser says honestly which page a
websocket is opened by. The name must be one of this machine, too, or a page could have its own name resolved to it. At
any other address a token is, which is the path of the address and which the page hands on. viser has no place for such
questions; the server of the package `websockets` underneath it has, and is told there.
"""

import dataclasses
import hmac
import ipaddress
import secrets
import threading
from urllib.parse import urlsplit

_starting = threading.Lock()


def is_loopback(host):
    """Whether an address or a name is this machine's own."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Guard:
    """What a server at `host` asks of a request. token: what its path must begin with; "" on the loopback interface."""

    def __init__(self, host):
        self.token = "" if is_loopback(host) else secrets.token_urlsafe(18)
        self.in_force = False

    def refusal(self, path, headers):
        """Why a request is refused, in words; None: it is not. headers: a mapping that knows no case."""
        if self.token:
            first = path.partition("?")[0].lstrip("/").partition("/")[0]
            good = hmac.compare_digest(first.encode(), self.token.encode())
            return None if good else "the address lacks its token; use the one that was printed"
        if "Upgrade" not in headers:
            return None  # the page itself, which holds nothing
        origins, hosts = headers.get_all("Origin"), headers.get_all("Host")
        if len(origins) != 1 or len(hosts) != 1 or origins[0].lower() != f"http://{hosts[0].lower()}":
            return "another page's websocket"
        try:
            name = urlsplit(origins[0]).hostname
        except ValueError:
            name = None
        return None if name and is_loopback(name) else f"{name} is no name of this machine"

    def before(self, ask):
        """`process_request` of a server: this guard's question, then `ask`, the server's own, without the token."""

        def answer(connection, request):
            why = self.refusal(request.path, request.headers)
            if why is not None:
                return connection.respond(403, f"refused: {why}\n")
            if self.token:
                path = request.path.removeprefix("/").removeprefix(self.token)
                request = dataclasses.replace(request, path=path if path.startswith("/") else f"/{path}")
            return ask(connection, request)

        self.in_force = True
        return answer


class _Host(str):
    """A host name that brings its guard along, through viser, to where the server is made."""

    guard = None


def guarded(start, host):
    """(start(host), Guard): start a viser server that answers as its Guard says.

    Raises RuntimeError where this viser starts its server in another way, which then is stopped.
    """
    import websockets.asyncio.server as module

    plain, guard = module.serve, Guard(host)

    class Serve(plain):
        def __init__(self, handler, at=None, *args, **options):
            # whatever else is started in this process at this moment has a host that brings no guard
            if isinstance(at, _Host) and options.get("process_request") is not None:
                options["process_request"] = at.guard.before(options["process_request"])
            super().__init__(handler, at, *args, **options)

    named = _Host(host)
    named.guard = guard
    with _starting:
        module.serve = Serve
        try:
            server = start(named)
        finally:
            module.serve = plain
    if not guard.in_force:
        server.stop()
        raise RuntimeError(
            "this viser starts its server in another way and cannot be guarded; allowed: viser 1.1, below 2"
        )
    return server, guard
