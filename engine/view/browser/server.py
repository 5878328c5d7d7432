"""The viser server: started where it is needed, without a word on the terminal but ours."""

import contextlib
import io


def viser_server(host="127.0.0.1", port=0):
    """A viser.ViserServer; port 0 takes the first free one from 8080. Names the extra where viser is missing."""
    try:
        import viser
    except ImportError:
        raise ImportError('pictures in the browser need viser: pip install "pullback[view]"') from None
    with contextlib.redirect_stdout(io.StringIO()):
        server = viser.ViserServer(host=host, port=port or 8080, label="Pullback", verbose=False)
    # without the button that would send the scene through a server on the internet
    server.gui.configure_theme(control_width="small", show_logo=False, show_share_button=False)
    return server


def stop(server):
    with contextlib.redirect_stdout(io.StringIO()):
        server.stop()


def address(server):
    return f"http://{server.get_host()}:{server.get_port()}"
