"""A program under test: started with its output in a file, ended by its own pid, its last lines shown when it disappoints."""
import os
import signal
import subprocess
import tempfile
import threading

from .wait import wait_for

# What the sanitizers print; a program that printed one of these has failed even if the test's own checks passed.
_SANITIZER_MARKS = ("ERROR: AddressSanitizer", "WARNING: ThreadSanitizer", "runtime error:", "ERROR: LeakSanitizer")


class Program:
    """One child process. `stop` is SIGTERM and patience, then SIGKILL; the exit code stays in `code`."""

    def __init__(self, arguments, name=None, env=None, cwd=None):
        self.arguments = [str(argument) for argument in arguments]
        self.name = name or os.path.basename(self.arguments[0])
        self._log = tempfile.NamedTemporaryFile(prefix=f"{self.name}-", suffix=".log", delete=False)
        environment = dict(os.environ)
        environment.update(env or {})
        self._process = subprocess.Popen(
            self.arguments, stdout=self._log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment, cwd=cwd)

    @property
    def pid(self):
        return self._process.pid

    @property
    def alive(self):
        return self._process.poll() is None

    @property
    def code(self):
        """The exit code, None while it runs, negative for a signal."""
        return self._process.poll()

    def output(self):
        """All that it has printed so far."""
        with open(self._log.name, "rb") as file:
            return file.read().decode("utf-8", "replace")

    def tail(self, lines=25):
        return "\n".join(self.output().splitlines()[-lines:])

    def require_alive(self):
        if not self.alive:
            raise AssertionError(f"{self.name} ended with code {self.code}:\n{' '.join(self.arguments)}\n{self.tail()}")
        return True

    def signal(self, number):
        self._process.send_signal(number)

    def wait(self, deadline=20.0):
        """Waits for the end and returns the exit code."""
        try:
            return self._process.wait(deadline)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still runs after {deadline:g} s:\n{self.tail()}") from None

    def kill(self):
        """SIGKILL: the sudden death."""
        if self.alive:
            self._process.kill()
        self._process.wait()

    def stop(self, deadline=15.0):
        """Ends the program whatever state it is in, and removes its log."""
        if self.alive:
            self._process.send_signal(signal.SIGCONT)  # a stopped process would not hear SIGTERM
            self._process.terminate()
            try:
                self._process.wait(deadline)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        text = self.output()
        self._log.close()
        if os.path.exists(self._log.name):
            os.unlink(self._log.name)
        self.output = lambda: text
        for mark in _SANITIZER_MARKS:
            if mark in text:
                raise AssertionError(f"{self.name} printed '{mark}':\n{text[text.index(mark):][:4000]}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def resident(pid):
    """Bytes of memory that a process holds now, without files."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    raise LookupError(pid)


def run(arguments, deadline=30.0, env=None):
    """Runs a short command to its end: (exit code, output of both streams)."""
    environment = dict(os.environ)
    environment.update(env or {})
    done = subprocess.run([str(argument) for argument in arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, timeout=deadline, env=environment, check=False)
    return done.returncode, done.stdout.decode("utf-8", "replace")


def wait_for_file(path, program, what):
    """The text of a file that `program` writes when it is ready (an address, say)."""
    def read():
        program.require_alive()
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    return wait_for(read, what)


class Background:
    """Calls a function again and again in a thread until stopped: load during a change. Keeps what it returned and what it raised."""

    def __init__(self, call, threads=1, pause=0.0):
        self.results, self.errors = [], []
        self._call, self._pause = call, pause
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def _run(self):
        while not self._stopping.is_set():
            try:
                self.results.append(self._call())
            except Exception as error:  # pylint: disable=broad-except
                self.errors.append(error)
            if self._pause:
                self._stopping.wait(self._pause)

    def stop(self):
        self._stopping.set()
        for thread in self._threads:
            thread.join(30)
        return self.results

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
