"""Robots in a browser with viser (extra `view`): live, as a replay, or as one HTML file that needs no server."""

from engine.view.browser.html import save_html
from engine.view.browser.live import live
from engine.view.browser.notebook import Page, show
from engine.view.browser.player import play

__all__ = ["Page", "live", "play", "save_html", "show"]
