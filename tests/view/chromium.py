"""Headless Chromium over its DevTools protocol, with the `websockets` package that viser brings: no other driver."""

import base64
import json
import os
import shutil
import subprocess
import time
from io import BytesIO
from itertools import count
from urllib.request import urlopen

import numpy as np
from PIL import Image

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--remote-debugging-port=0", "--remote-allow-origins=*",
)  # fmt: skip


def executable():
    """Path of a Chromium, or None. The variable CHROMIUM names another one."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """One page: its console, its requests, its pictures."""

    def __init__(self, profile, size=(1000, 640), offline=False):
        self.process = subprocess.Popen(
            [executable(), *FLAGS, f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            self._attach(profile, size, offline)
        except BaseException:
            self.process.kill()  # nobody else would
            raise

    def _attach(self, profile, size, offline):
        from websockets.sync.client import connect

        port = _wait(lambda: (profile / "DevToolsActivePort").read_text().split()[0], 60)
        pages = _wait(lambda: json.loads(urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10).read()), 30)
        target = next(p for p in pages if p["type"] == "page")
        self.socket = connect(target["webSocketDebuggerUrl"], max_size=None, open_timeout=60)
        self.ids, self.console, self.errors, self.requests = count(1), [], [], []
        for domain in ("Runtime", "Page", "Network", "Log"):
            self.call(f"{domain}.enable")
        if offline:
            self.call(
                "Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0
            )
        screen = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **screen)

    def call(self, method, **params):
        """Send one command and return its result; what the page reports meanwhile is kept."""
        number = next(self.ids)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv(timeout=300))
            if message.get("id") == number:
                assert "error" not in message, (method, message["error"])
                return message["result"]
            self._note(message)

    def _note(self, message):
        method, params = message.get("method"), message.get("params", {})
        if method == "Runtime.consoleAPICalled":
            text = " ".join(str(a.get("value", a.get("description", ""))) for a in params["args"])
            self.console.append(text)
            if params["type"] in ("error", "assert"):
                self.errors.append(text)
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])

    def open(self, url):
        self.call("Page.navigate", url=url)

    def evaluate(self, expression):
        """Value of a JavaScript expression in the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait_for(self, expression, seconds=60):
        """Until a JavaScript expression is true."""
        return _wait(lambda: self.evaluate(expression) or 1 / 0, seconds)

    def picture(self, path=None):
        """What the page shows, (height, width, 3) bytes; also written to `path`."""
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        if path is not None:
            path.write_bytes(data)
        return np.asarray(Image.open(BytesIO(data)).convert("RGB"))

    def close(self):
        self.process.terminate()
        self.process.wait(60)
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _wait(attempt, seconds):
    """Its first result without an exception."""
    end = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except (OSError, ValueError, IndexError, ZeroDivisionError, StopIteration):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


READY = "[...document.querySelectorAll('canvas')].some(c => c.style.opacity == 1)"
_SCRUB = """(seconds => {
    const field = document.querySelector('input');
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(field, seconds);
    field.dispatchEvent(new Event('input', {bubbles: true}));
})"""


def scrub(page, seconds):
    """Write a time into the field of viser's playback bar, which also pauses, and wait until it is drawn."""
    page.evaluate(f"{_SCRUB}('{seconds}')")
    frames = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 600))))"
    for _ in range(2):
        page.evaluate(frames)
