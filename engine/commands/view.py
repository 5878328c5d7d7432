"""`pullback view`: a run, a scene or a robot file in the browser, live, as a replay, or as one HTML file."""

import socket
import time
import webbrowser
from pathlib import Path

import numpy as np

from engine.commands.common import DONE, add_wishes, positive, robot, wishes
from engine.commands.recorded import end_adjoint, is_recorded, recording, world_of

_FRAME = 1.0 / 60.0


def add(commands):
    p = commands.add_parser("view", help="look at a run, a scene or a robot file in the browser")
    p.add_argument("what", help="run folder, run file (.npz), built-in scene, or an MJCF or URDF file")
    p.add_argument("--html", type=Path, help="write one HTML file that needs neither server nor network, and end")
    p.add_argument("--world", help="of a run: only the world of this label (default all, side by side)")
    p.add_argument("--pushes", action="store_true", help="of a run: which push at each body gains distance")
    p.add_argument("--ghosts", action="store_true", help="of a run: its other worlds pale, in the place of the last")
    p.add_argument("--seconds", type=float, default=5.0, help="with --html, of a scene or file (default 5)")
    p.add_argument("--still", action="store_true", help="with --html: the camera does not follow the robot")
    p.add_argument("--names", action="store_true", help="with --html: the bodies' names stand at them")
    p.add_argument("--keyframe", help="of a scene or file: start from this one, by name or number")
    p.add_argument("--host", default="127.0.0.1", help="address to serve at (default 127.0.0.1, this machine only; at "
                   "others, as 0.0.0.0, who looks needs the token in the address that is printed)")  # fmt: skip
    p.add_argument("--port", type=int, default=8080, help="port to serve at, or the next free one (default 8080)")
    p.add_argument("--no-browser", action="store_true", help="print the address, open nothing")
    add_wishes(p)
    p.set_defaults(run=run)


def run(args):
    _ready(args)
    given = [name for name in ("names", "still") if getattr(args, name)]
    if given and not args.html:
        raise ValueError(f"--{', --'.join(given)}: with --html, a page that is written; in the browser click a robot")
    if not is_recorded(args.what):
        given = [name for name in ("pushes", "ghosts", "world") if getattr(args, name) not in (None, False)]
        if given:
            raise ValueError(f"--{', --'.join(given)}: for a run, not for a scene or a robot file")
        return lively(args)
    if args.keyframe is not None:
        raise ValueError("--keyframe: for a scene or a robot file, not for a run, which has its own start")
    if wishes(args):
        raise ValueError(f"--{', --'.join(wishes(args))}: for a robot file, not for a run, whose robot is in it")
    return replayed(args)


def _ready(args):
    """Refuse at once what would be refused after a robot has been compiled and run."""
    from engine.view.browser.server import checked_port, imported

    positive(args, "seconds")
    checked_port(args.port)
    if args.html and args.html.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"--html: {str(args.html)!r} must end in .html")
    if args.html and not args.html.parent.is_dir():
        raise ValueError(f"--html: there is no folder {str(args.html.parent)!r}")
    imported()


def replayed(args):
    """A recorded run: to a file, or served until Ctrl-C."""
    from engine.replay import pushes, replay
    from engine.view import play, save_html

    found = recording(args.what)
    worlds = range(found.worlds) if args.world is None else [world_of(found, args.world)]
    seen = [replay(found.model, found, world=w) for w in worlds]
    arrows = None
    if args.pushes:
        # the gradient of the distance: what would gain, not what would lose
        rows = found.record_every
        bars = [-end_adjoint(found, w)[0].qvel[::rows, 0] for w in worlds]
        arrows = [pushes(found.model, s, bar) for s, bar in zip(seen, bars, strict=True)]
    look = {"labels": [found.labels[w] for w in worlds], "pushes": arrows, "camera": camera_of(found.name),
            "title": found.name, "ghosts": args.ghosts}  # fmt: skip
    if args.html:
        return written(save_html(args.html, found.model, seen, follow=not args.still, names=args.names, **look))
    page = play(found.model, seen, host=args.host, port=args.port, **look)
    return served(args, page, lambda: time.sleep(0.2))


def lively(args):
    """A scene or a robot file: a passive rollout to a file, or the simulation itself, in real time, until Ctrl-C."""
    from engine.simulator import Simulator
    from engine.view import live
    from engine.view.browser.panel import Panel

    subject = robot(args.what, wishes(args))
    sim = Simulator(subject.model)
    start = start_of(subject, args.keyframe)
    start(sim)
    camera = view_of(subject.camera)
    if args.html:
        return written(_passive(args, sim, camera))
    page = live(sim, camera=camera, host=args.host, port=args.port)
    panel = Panel(page.server.gui, sim, start, page.hand)
    return served(args, page, panel.advance)


def _passive(args, sim, camera):
    from engine.diff.tape import Tape
    from engine.replay import replay
    from engine.view import save_html

    skip = max(1, round(_FRAME / sim.model.opt.timestep))
    steps = max(1, round(args.seconds / (skip * sim.model.opt.timestep)))
    path = Tape(sim, steps, frame_skip=skip).rollout(np.tile(sim.data.ctrl, (steps, 1)))
    return save_html(args.html, sim.model, replay(sim.model, path), camera=camera, follow=not args.still,
                     names=args.names)  # fmt: skip


def start_of(subject, keyframe):
    """start(sim): the Robot's own start, or a keyframe, by name or number."""
    if keyframe is None:
        return lambda sim: sim.reset(subject.qpos0, subject.qvel0)
    number = keyframe.isdecimal() and keyframe not in subject.model.key_names
    return lambda sim: sim.reset(keyframe=int(keyframe) if number else keyframe)


def served(args, page, wait):
    """Until Ctrl-C, which is how a person ends it."""
    try:
        print(f"look at {page.address} (Ctrl-C ends)", flush=True)
        if args.host in ("", "0.0.0.0", "::"):
            from engine.view.browser.server import address

            print(f"from other machines {address(page.server, socket.gethostname())}", flush=True)
        if not args.no_browser:
            webbrowser.open(page.address)
        while True:
            wait()
    except KeyboardInterrupt:
        print()
    finally:
        page.close()
    return DONE


def written(path):
    print(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB)")
    return DONE


def view_of(camera):
    """The keywords of engine.view.Camera among a scene's."""
    return {k: v for k, v in camera.items() if k in ("azimuth", "elevation", "width", "lookat")}


def camera_of(name):
    """A built-in scene's camera, for a run of it."""
    import scenes

    return view_of(scenes.load(name).camera) if name in scenes.names() or ":" in name else {}
