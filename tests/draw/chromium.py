"""A Chromium without a window, told what to do over a pair of pipes (Chrome DevTools Protocol)."""

import base64
import json
import os
import shutil
import subprocess

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--hide-scrollbars", "--remote-debugging-pipe"),
]


def installed():
    """Return the program, or None."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


class Chromium:
    """One browser with one page."""

    def __init__(self, folder):
        commands, self._out = os.pipe()
        self._in, answers = os.pipe()

        def connect():  # the browser reads file 3 and writes file 4
            high = os.dup2(commands, 100), os.dup2(answers, 101)
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self._process = subprocess.Popen(
            [installed(), *FLAGS, f"--user-data-dir={folder}", "about:blank"],
            preexec_fn=connect,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self._read = b""
        self._number = 0
        self._session = None
        self.problems = []
        pages = self.tell("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in pages if target["type"] == "page")
        attached = self.tell("Target.attachToTarget", targetId=page, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.tell(f"{domain}.enable")

    def send(self, method, **parameters):
        """Send a command without waiting for its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")

    def tell(self, method, **parameters):
        """Send a command and return its result."""
        self.send(method, **parameters)
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return answer["result"]

    def evaluate(self, expression):
        """Return the value of a JavaScript expression, awaited if it is a promise."""
        result = self.tell(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def until(self, condition):
        """Wait for a JavaScript condition, ten seconds at most."""
        self.evaluate(
            "new Promise((done, fail) => { const end = performance.now() + 10000;"
            f" const look = () => {{ if ({condition}) done(); else if (performance.now() > end)"
            " fail(new Error('in vain')); else setTimeout(look, 10); }; look(); })"
        )

    def open(self, address, ready="document.body.dataset.ready"):
        """Open a page and wait until its script has run."""
        self.tell("Page.navigate", url=address)
        self.until(f"document.readyState === 'complete' && {ready}")

    def show(self, width, height=900, *, dark=False, touch=False):
        """Set the size of the window and the colour scheme."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": touch}
        self.tell("Emulation.setDeviceMetricsOverride", **size)
        self.tell("Emulation.setTouchEmulationEnabled", enabled=touch)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.tell("Emulation.setEmulatedMedia", features=[scheme])

    def drag(self, points):
        """Press the mouse, move it along points of the window, release it."""
        (x, y), *rest = points
        self._mouse("mousePressed", x, y)
        for x, y in rest:
            self._mouse("mouseMoved", x, y)
        self._mouse("mouseReleased", x, y)

    def _mouse(self, kind, x, y):
        tell = self.send if kind == "mouseMoved" else self.tell
        tell(
            "Input.dispatchMouseEvent",
            type=kind,
            x=x,
            y=y,
            button="left",
            buttons=0 if kind == "mouseReleased" else 1,
            clickCount=1,
            pointerType="pen",
        )

    def press(self, key, code=None, text=None):
        """Press and release a key."""
        codes = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Tab": 9}
        number = codes.get(key, 32 if key == " " else ord(key[0].upper()))
        same = {"key": key, "code": code or key, "windowsVirtualKeyCode": number}
        down = {"type": "keyDown", "text": text} if text else {"type": "rawKeyDown"}
        self.tell("Input.dispatchKeyEvent", **down, **same)
        self.tell("Input.dispatchKeyEvent", type="keyUp", **same)

    def screenshot(self, path):
        """Write the whole page as PNG."""
        size = self.tell("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self.tell("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self):
        """End the browser."""
        try:
            self._session = None
            self.tell("Browser.close")
            self._process.wait(timeout=10)
        except (OSError, ValueError, AssertionError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        finally:
            os.close(self._out)
            os.close(self._in)

    def _next(self):
        """Read one message; keep what went wrong on the page."""
        while b"\0" not in self._read:
            data = os.read(self._in, 1 << 20)
            if not data:
                raise OSError("the browser has ended")
            self._read += data
        line, _, self._read = self._read.partition(b"\0")
        message = json.loads(line)
        parameters = message.get("params", {})
        is_error = parameters.get("entry", {}).get("level") == "error"
        if message.get("method") == "Runtime.exceptionThrown" or is_error:
            self.problems.append(parameters)
        return message
