"""A replay as one HTML file that opens without a server or a network.

viser's own client is one self-contained page, and a recorded scene can be written into it: the file plays, pauses,
scrubs, changes its speed, and switches layers on and off in its scene tree, with nothing but a browser. A sheet of our
own (sheet.py) has title, legend and curves. What the page lacks against the replay viewer are buttons that change the
scene, so that it is decided here whether the camera follows.
"""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from engine.files import write_text
from engine.view.browser.film import film
from engine.view.browser.server import stop, viser_server
from engine.view.browser.sheet import with_sheet
from engine.view.browser.stage import Stage


def save_html(
    path: Any, model: Any, seen: Any, *, labels: Sequence[str] | None = None, pushes: Any = None,
    camera: dict[str, Any] | None = None, fps: float = 30.0, follow: bool = True, title: str | None = None,
    ghosts: bool = False, names: bool = False,
) -> Path:  # fmt: skip
    """Write a replay as one HTML file (about 0.8 MB, and 1 kB for each robot and frame); returns its path.

    seen: a Replay (`engine.replay.replay`) or a list of them, which stand side by side. labels: a word for each.
    pushes: (rows, nbody, 3) of each (`engine.replay.pushes`). camera: keywords of engine.view.Camera. follow: whether
    the camera goes with the last robot. title: by default the model's name. ghosts: all but the last are pale, in the
    place of the last. names: whether those of the bodies stand at them, of the last robot (a saved page does not know
    what is clicked). Raises ImportError, which names the extra, without viser.
    """
    if not isinstance(path, (str, PathLike)):
        raise TypeError(f"path: got {type(path).__name__}, allowed: a file's name that ends in .html")
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"path={str(path)!r} must end in .html")
    look = {"labels": labels, "pushes": pushes, "camera": camera, "fps": fps, "title": title, "ghosts": ghosts,
            "names": names}  # fmt: skip
    write_text(path, html_of(model, seen, follow=follow, **look))
    return path


def html_of(
    model: Any, seen: Any, *, labels: Sequence[str] | None = None, pushes: Any = None,
    camera: dict[str, Any] | None = None, fps: float = 30.0, follow: bool = True, title: str | None = None,
    ghosts: bool = False, names: bool = False,
) -> str:  # fmt: skip
    """The text of the file that `save_html` writes."""
    shown = film(model, seen, labels, pushes, camera, fps, title=title, ghosts=ghosts, names=names)
    server = viser_server()
    try:
        return with_sheet(_page(server, shown, follow), shown)
    finally:
        stop(server)


def _page(server, shown, follow):
    stage = Stage(server.scene, shown.model, shown.labels, shown.low, shown.high, **shown.stage)
    stage.start_at(shown.track[0] + [0.0, 0.0, shown.low[2] + 0.5 * (shown.high - shown.low)[2]])
    stage.aim(server, shown.camera)
    moved = shown.track - shown.track[0]
    stage.show(shown.frames[0])
    recorder = server.get_scene_serializer()
    for k in range(1, len(shown.times)):
        recorder.insert_sleep(float(shown.times[k] - shown.times[k - 1]))
        stage.show(shown.frames[k], moved[k] if follow else None)
    return recorder.as_html()
