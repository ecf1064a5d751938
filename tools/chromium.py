"""Chromium without a window, spoken to through a pipe: open a page, wait until all of it is there, print it.

    with Chromium() as chromium:
        chromium.open(Path("book.html"))
        pdf = chromium.print()

Its own `--print-to-pdf` does not wait for the fonts of formulas, and would read the page anew for every printing. The
messages are those of the DevTools protocol, each ended by a zero byte; nothing but the standard library is needed.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = [
    *("--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--allow-file-access-from-files",
]
PATIENCE = 600  # seconds for one answer: a busy machine prints slowly
LEAVE = 10  # seconds that it has to end by itself
READY = """(async () => {
  document.documentElement.getBoundingClientRect();  // lays the page out, which asks for its fonts
  await document.fonts.ready;
  await Promise.all([...document.images].map(image => image.decode().catch(() => null)));
  return JSON.stringify({
    images: [...document.images].filter(image => !image.naturalWidth).map(image => image.src),
    fonts: [...document.fonts].filter(font => font.status === 'error').map(font => font.family),
  });
})()"""


class ChromiumError(Exception):
    """What a reader is told instead of a traceback."""


def find():
    """The path of Chromium. Raises ChromiumError where there is none."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        raise ChromiumError(
            "Chromium was not found: install it (Debian: apt-get install chromium; Mac: brew install --cask chromium) "
            f"and see that one of {', '.join(NAMES)} is on the path"
        )
    return path


def out_of_the_way(pipe):
    """The same pipe under a number that is not 3 or 4, which the browser wants."""
    high = fcntl.fcntl(pipe, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(pipe)
    return high


class Chromium:
    def __enter__(self):
        path = find()
        (read_here, write_there), (read_there, write_here) = (map(out_of_the_way, os.pipe()) for _ in range(2))
        self.reading, self.writing = read_here, write_here
        self.rest, self.number, self.session = b"", 0, None
        self.profile, self.said = tempfile.TemporaryDirectory(ignore_cleanup_errors=True), tempfile.TemporaryFile()

        def give():
            os.dup2(read_there, 3)
            os.dup2(write_there, 4)

        command = [path, *FLAGS, f"--user-data-dir={self.profile.name}", "about:blank"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.said, stderr=self.said, close_fds=False, preexec_fn=give
        )
        os.close(read_there)
        os.close(write_there)
        try:
            target = self.ask("Target.createTarget", url="about:blank")["targetId"]
            self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            self.ask("Page.enable")
            self.ask("Emulation.setEmulatedMedia", media="print")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception):
        try:
            self.session = None
            self.send("Browser.close")
            self.process.wait(timeout=LEAVE)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        for pipe in (self.reading, self.writing):
            os.close(pipe)
        self.said.close()
        self.profile.cleanup()

    # ------------------------------------------------------------ messages

    def fail(self, what):
        self.said.seek(0)
        raise ChromiumError(f"{what}\n{self.said.read().decode(errors='replace')[-2000:]}".strip())

    def send(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.writing, data) :]
        return self.number

    def receive(self, method):
        """The next message, whatever it is."""
        deadline, parts = time.monotonic() + PATIENCE, [self.rest]
        while b"\0" not in parts[-1]:
            if not select.select([self.reading], [], [], max(0, deadline - time.monotonic()))[0]:
                self.fail(f"Chromium did not answer {method} in {PATIENCE} seconds")
            part = os.read(self.reading, 1 << 20)
            if not part:
                self.fail(f"Chromium ended before it answered {method}")
            parts.append(part)
        message, _, self.rest = b"".join(parts).partition(b"\0")
        return json.loads(message)

    def ask(self, method, event=None, **parameters):
        """What Chromium answers. With an event, come back when that has been told too."""
        try:
            number = self.send(method, **parameters)
        except BrokenPipeError:
            self.fail(f"Chromium ended before it answered {method}")
        answer, told = None, event is None
        while answer is None or not told:
            message = self.receive(method)
            if message.get("id") == number:
                if "error" in message:
                    self.fail(f"Chromium refused {method}: {message['error']['message']}")
                answer = message["result"]
                if answer.get("errorText"):
                    self.fail(f"Chromium could not open {parameters.get('url')}: {answer['errorText']}")
            told = told or message.get("method") == event
        return answer

    # ------------------------------------------------------------ pages

    def run(self, script):
        """What a script returns, run in the page; a promise is waited for."""
        answer = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            self.fail(f"a script failed in the page: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def open(self, path):
        """Open a file and wait for its images and fonts. Raises ChromiumError for one that did not load."""
        self.ask("Page.navigate", event="Page.loadEventFired", url=path.resolve().as_uri())
        missing = [name for names in json.loads(self.run(READY)).values() for name in names]
        if missing:
            self.fail(f"the page shows what could not be loaded: {', '.join(missing)}")

    def print(self, tagged=True):
        """The page as a PDF, in bytes. Its size and margins are those of the page's own style; tags are for screen
        readers and take a while."""
        answer = self.ask("Page.printToPDF", preferCSSPageSize=True, generateTaggedPDF=tagged, printBackground=True)
        return base64.b64decode(answer["data"])
