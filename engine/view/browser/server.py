"""The viser server: started where it is needed, without a word on the terminal but ours, for nobody but our page."""

import contextlib
import errno
import io
import os
import socket

from engine.view.browser.guard import guarded

_TRIED = 1000  # ports, from the one that is asked for


def viser_server(host="127.0.0.1", port=0):
    """A viser.ViserServer at the first free port from `port` on; 0: from 8080. Names the extra where viser is missing.

    At a loopback address it answers the page's own websockets, elsewhere those that have the token in `address`.
    Raises ValueError where `host` is no address of this machine, or no port is free.
    """
    viser = imported()
    # viser, which starts in a thread, waits for ever where no port is free
    free = _free_port(host, checked_port(port) or 8080)

    def start(at):
        return viser.ViserServer(host=at, port=free, label="Pullback", verbose=False)

    with contextlib.redirect_stdout(io.StringIO()):
        server, server.pullback_guard = guarded(start, host)
    # without the button that would send the scene through a server on the internet
    server.gui.configure_theme(control_width="small", show_logo=False, show_share_button=False)
    return server


def imported():
    """The module viser; ImportError, which names the extra, where it is missing."""
    try:
        import viser
    except ImportError:
        raise ImportError('pictures in the browser need viser: pip install "pullback[view]"') from None
    return viser


def checked_port(port):
    """A port that can be asked for, 0 among them; else ValueError."""
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port < 65536:
        raise ValueError(f"port: got {port!r}, allowed: a whole number from 1 to 65535, or 0 for the first free one")
    return port


def _free_port(host, port):
    """The first port from `port` on that can be listened at."""
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for tried in range(port, min(port + _TRIED, 65536)):
            if all(_is_free(family, (at[0], tried, *at[2:])) for family, *_, at in found):
                return tried
    except (OSError, UnicodeError) as error:
        raise ValueError(f"host: got {host!r} ({error}), allowed: a name or an address of this machine") from error
    raise ValueError(f"port: got {port}, and none of it and those after it is free; allowed: another one")


def _is_free(family, at):
    """Whether it can be listened at this address; OSError where it is another machine's."""
    with socket.socket(family, socket.SOCK_STREAM) as s:
        if os.name == "posix":  # as asyncio, by which viser listens
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            s.bind(at)
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def stop(server):
    with contextlib.redirect_stdout(io.StringIO()):
        server.stop()


def address(server, name=None):
    """Where to look, with the token if it needs one. name: of this machine, in place of the server's host."""
    host = name or {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.get_host(), server.get_host())
    host = f"[{host}]" if ":" in host else host
    token = server.pullback_guard.token
    return f"http://{host}:{server.get_port()}" + (f"/{token}/" if token else "")
