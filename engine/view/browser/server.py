"""The viser server: started where it is needed, without a word on the terminal but ours, for nobody but our page."""

import contextlib
import io

from engine.view.browser.guard import guarded


def viser_server(host="127.0.0.1", port=0):
    """A viser.ViserServer; port 0 takes the first free one from 8080. Names the extra where viser is missing.

    At a loopback address it answers the page's own websockets, elsewhere those that have the token in `address`.
    """
    try:
        import viser
    except ImportError:
        raise ImportError('pictures in the browser need viser: pip install "pullback[view]"') from None

    def start(at):
        return viser.ViserServer(host=at, port=port or 8080, label="Pullback", verbose=False)

    with contextlib.redirect_stdout(io.StringIO()):
        server, server.pullback_guard = guarded(start, host)
    # without the button that would send the scene through a server on the internet
    server.gui.configure_theme(control_width="small", show_logo=False, show_share_button=False)
    return server


def stop(server):
    with contextlib.redirect_stdout(io.StringIO()):
        server.stop()


def address(server, name=None):
    """Where to look, with the token if it needs one. name: of this machine, in place of the server's host."""
    host = name or {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.get_host(), server.get_host())
    host = f"[{host}]" if ":" in host else host
    token = server.pullback_guard.token
    return f"http://{host}:{server.get_port()}" + (f"/{token}/" if token else "")
