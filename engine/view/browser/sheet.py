"""What an HTML file says beside its scene: a title, a legend, and curves whose cursor goes with the playback bar."""

import html

from engine.view.browser.curves import LEFT, RIGHT, WIDTH, names, svg
from engine.view.browser.overlays import COLOURS, FORCE_LENGTH, FORCES, HIDDEN_AT_FIRST, layers_of

_STYLE = """
#sheet { position: fixed; z-index: 5; top: 10px; right: 10px; width: 300px; max-width: 45vw; box-sizing: border-box;
  max-height: calc(100vh - 70px); overflow: auto; padding: 8px 12px; border-radius: 6px; background: #ffffffd9;
  color: #1f2d3a; font: 13px/1.45 system-ui, sans-serif }
#sheet h1 { margin: 0; font-size: 15px } #sheet p { margin: 2px 0 } #sheet summary { cursor: pointer; font-weight: 600 }
#sheet select { max-width: 100%; font: inherit } #sheet .dot { display: inline-block; width: 9px; height: 9px;
  border-radius: 5px; margin-right: 6px } #sheet .area { position: relative } #sheet .names { font-size: 11px }
#cursor { position: absolute; top: 0; bottom: 12%; width: 1px; background: #1f2d3a; pointer-events: none }
"""
# The bar's slider holds the time; where it is, is no promise of viser's, so a page without it stays without a cursor.
_SCRIPT = """
(() => {
  const plots = [...document.querySelectorAll('#sheet .plot')], pick = document.querySelector('#sheet select');
  const cursor = document.querySelector('#cursor'), clock = document.querySelector('#clock');
  const show = () => plots.forEach((plot, k) => {
    plot.style.display = k == pick.value ? 'block' : 'none';
    if (k == pick.value) plot.firstChild.appendChild(cursor);
  });
  if (pick) { pick.addEventListener('change', show); show(); }
  if (innerWidth < 760) document.querySelectorAll('#sheet details').forEach(d => d.open = false);
  const tick = () => {
    const bar = document.querySelector('[role=slider]');
    if (bar) {
      const now = +bar.getAttribute('aria-valuenow'), end = +bar.getAttribute('aria-valuemax');
      clock.textContent = 't = ' + (BEGIN + now).toFixed(2) + ' s';
      if (cursor) cursor.style.left = 'calc(LEFT% + ' + (end > 0 ? now / end : 0) + ' * SPAN%)';
    }
    requestAnimationFrame(tick);
  };
  tick();
})();
"""

ARROWS = f"An arrow of {FORCE_LENGTH} robot lengths outside of what it pushes is the weight."


def with_sheet(page, film):
    """viser's page (HTML) with the words and curves of a Film."""
    title = html.escape(film.title or "Pullback")
    labels = [html.escape(label) for label in film.labels if label]
    pale = " (pale: the others)" if film.stage["ghosts"] else " (the last in front)" if len(labels) > 1 else ""
    found = [f"<h1>{title}</h1>", f'<p>{", ".join(labels)}{pale if labels else ""} <span id="clock"></span></p>']
    found += [_legend(film), _curves(film)]
    script = _SCRIPT
    shares = {"BEGIN": film.times[0], "LEFT": 100.0 * LEFT / WIDTH, "SPAN": 100.0 * (WIDTH - LEFT - RIGHT) / WIDTH}
    for word, number in shares.items():
        script = script.replace(word, f"{number:.4f}")
    sheet = f'<style>{_STYLE}</style><div id="sheet">{"".join(found)}</div><script>{script}</script>'
    before, end, after = page.rpartition("</body>")
    before = before.replace("<title>Viser</title>", f"<title>{title}</title>", 1)
    return before + sheet + end + after


def _legend(film):
    layers, rows = layers_of(film.model, film.stage["pushes"]), []
    for name in layers:
        off = ", switched off" if name in HIDDEN_AT_FIRST else ""
        dot = f'<span class="dot" style="background:rgb{COLOURS[name]}"></span>'
        rows.append(f"<p>{dot}{html.escape(name.partition(' (')[0])}{off}</p>")
    rows.append(f"<p>{ARROWS if FORCES in layers else ''} Lengths are in m.</p>")
    return f"<details open><summary>legend</summary>{''.join(rows)}</details>"


def _curves(film):
    plots = film.curves if len(film.times) > 1 else []
    if not plots:
        return ""
    options = "".join(f'<option value="{k}">{html.escape(plot.title)}</option>' for k, plot in enumerate(plots))
    drawn = "".join(
        f'<div class="plot"><div class="area">{svg(plot)}</div><div class="names">{names(plot)}</div></div>'
        for plot in plots
    )
    return (
        f"<details open><summary>curves</summary><select>{options}</select>{drawn}"
        '<div id="cursor"></div></details>'
    )
