"""A chromium without a window, steered over its own debugging port: it opens a page and tells what a promise of that page became. All that
it does by itself in the background is switched off, and no name but the loopback address leads anywhere."""
import contextlib
import itertools
import json
import os
import shutil
import tempfile

from meshtest.process import Program
from meshtest.wait import wait_for

ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
    "--no-default-browser-check", "--no-proxy-server", "--disable-background-networking", "--disable-component-update",
    "--disable-client-side-phishing-detection", "--disable-default-apps", "--disable-domain-reliability", "--disable-extensions",
    "--disable-sync", "--metrics-recording-only", "--disable-features=OptimizationHints,MediaRouter,Translate,NetworkTimeServiceQuerying",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--remote-debugging-port=0")


def program():
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Browser:
    def __init__(self):
        from websockets.sync.client import connect  # of the peers; who has none skips before
        self._steered = contextlib.ExitStack()
        self._home = tempfile.mkdtemp(prefix="weft-browser-")
        self._numbers = itertools.count(1)
        self._process = Program([program(), *ARGUMENTS, f"--user-data-dir={self._home}", "about:blank"], name="chromium",
                                env={"HOME": self._home, "XDG_CONFIG_HOME": self._home, "XDG_CACHE_HOME": self._home})
        try:
            port, path = wait_for(self._debugging_address, "the browser's debugging port", deadline=60)
            self._steering = self._steered.enter_context(connect(f"ws://127.0.0.1:{port}{path}", max_size=None, proxy=None))
            self._steered.callback(self._end)
        except BaseException:
            self.close()
            raise

    def _debugging_address(self):
        self._process.require_alive()
        with open(os.path.join(self._home, "DevToolsActivePort"), encoding="ascii") as file:
            return file.read().split("\n")[:2] if os.path.getsize(file.name) else None

    def _call(self, method, session=None, **params):
        """One command and its result; what the browser tells in between is passed over."""
        identity = next(self._numbers)
        self._steering.send(json.dumps({"id": identity, "method": method, "params": params, **({"sessionId": session} if session else {})}))
        while True:
            told = json.loads(self._steering.recv(60))
            if told.get("id") == identity:
                if "error" in told:
                    raise AssertionError(f"{method}: {told['error']}")
                return told["result"]

    def open(self, url, promise):
        """What `promise`, an expression in the page at `url`, is fulfilled with."""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        failed = self._call("Page.navigate", session, url=url).get("errorText")
        if failed:
            raise AssertionError(f"{url}: {failed}")
        # The answer of `navigate` comes when the new document is in its place; its scripts may still have to run.
        loaded = "new Promise(done => document.readyState === 'complete' ? done() : addEventListener('load', () => done()))"
        told = self._call("Runtime.evaluate", session, expression=f"{loaded}.then(() => {promise})", awaitPromise=True, returnByValue=True)
        self._call("Target.closeTarget", targetId=target)
        if "exceptionDetails" in told:
            raise AssertionError(json.dumps(told["exceptionDetails"])[:2000])
        return told["result"].get("value")

    def _end(self):
        """It ends its own processes, of which it has several."""
        self._call("Browser.close")
        self._process.wait()

    def close(self):
        with contextlib.suppress(Exception):  # it may be gone already
            self._steered.close()
        self._process.stop()
        shutil.rmtree(self._home, ignore_errors=True)
