"""What the served pages' panels share: a heading, keys, switches of layers, curves, and names of what is clicked."""

from engine.view.browser.curves import LEFT, RIGHT, WIDTH, names, svg
from engine.view.browser.overlays import FORCES, HIDDEN_AT_FIRST
from engine.view.browser.sheet import ARROWS

_ROOM = "padding:0 12px"
_CURSOR = (
    f'<div style="{_ROOM};height:10px"><div style="margin-left:{{:.2f}}%;width:0;border:5px solid transparent;'
    'border-bottom-color:#1f2d3a"></div></div>'
)


def heading(gui, title):
    """The name on the panel."""
    gui.set_panel_label(title or "Pullback")


def key(gui, letter, label, act):
    """act() when a person presses a letter, or finds `label` among the commands (Ctrl-K)."""
    gui.add_command(label, hotkey=letter).on_trigger(lambda _: act())


def layer_switches(gui, stage, redraw):
    """A check box for each layer of a stage, and what they mean."""
    with gui.add_folder("layers"):
        for name in stage.layers:
            box = gui.add_checkbox(name, name not in HIDDEN_AT_FIRST)

            def switched(event, name=name, box=box):
                stage.shown[name] = box.value
                redraw()

            box.on_update(switched)
        glass = gui.add_checkbox("see through (T)", False)
        glass.on_update(lambda _: stage.see_through(glass.value))
        if FORCES in stage.layers:
            gui.add_html(f'<div style="{_ROOM};font-size:12px">{ARROWS}</div>')

    def turned():
        glass.value = not glass.value

    key(gui, "T", "see through the robots", turned)


def clickable(stage, redraw):
    """A geom that is clicked has its name above its body, until another one is, or the same again."""
    for w, g, node, _ in stage.geoms:

        def clicked(_, w=w, g=g):
            stage.name(w, g)
            redraw()

        node.on_click(clicked)


class CurvesPanel:
    """Curves (curves.py) in a panel of their own, under a cursor."""

    def __init__(self, gui, plots):
        self.plots, self._end = plots, max(float(plots[0].times[-1] - plots[0].times[0]), 1e-9)
        with gui.add_folder("curves"):
            titles = [plot.title for plot in plots]
            self.pick = gui.add_dropdown("quantity", titles, initial_value=titles[0])
            self.picture, self.cursor, self.told = (gui.add_html("") for _ in range(3))
        self.pick.on_update(lambda _: self._draw(titles.index(self.pick.value)))
        self._draw(0)
        self.point(0.0)

    def _draw(self, k):
        self.picture.content = f'<div style="{_ROOM}">{svg(self.plots[k])}</div>'
        self.told.content = f'<div style="{_ROOM};font-size:11px">{names(self.plots[k])}</div>'

    def point(self, seconds):
        """Put the cursor there, seconds from the start."""
        at = (LEFT + seconds / self._end * (WIDTH - LEFT - RIGHT)) / WIDTH
        self.cursor.content = _CURSOR.format(100.0 * at)


