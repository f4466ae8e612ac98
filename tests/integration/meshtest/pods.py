"""Pods without Kubernetes: network namespaces with addresses of their own on one bridge, real capture rules by weft-init in each.

A test file calls `main()` where others call unittest.main(): it runs itself again in fresh process, mount and network namespaces, so that
nothing touches the machine's network, and everything (processes, namespaces, rules) is gone with the test, even after a crash.
The file's own namespace is the node: it has the bridge. Each pod is an anonymous namespace; `pod.within(call, uid)` runs a function in it
as that user, in a thread made for it, and sockets that the function opens (and programs that it starts) stay there. So all other fixtures
work in a pod as they are: `pod.within(lambda: Upstream(...))`.
Root is needed, for namespaces and for several users; where the kernel or the surroundings forbid them, the tests are skipped.
"""
import contextlib
import ctypes
import os
import platform
import shutil
import socket
import struct
import subprocess
import sys
import threading
import unittest

from .data_plane import our_program
from .process import run

APP = 1000  # the user of applications
PROXY = 1337  # the user and group of proxies
SO_ORIGINAL_DST = 80
SO_MARK = 36
IP_TRANSPARENT, IPV6_TRANSPARENT = 19, 75

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
# setresuid, setresgid, setgroups: the system calls themselves, which change one thread; the C library's functions change all.
_CREDENTIALS = {"x86_64": (117, 119, 116), "aarch64": (147, 149, 159)}
_MARK = "WEFT_TEST_PODS"


def main():
    """unittest.main() in namespaces of its own."""
    if _MARK not in os.environ:
        reason = _reason_against()
        os.environ[_MARK] = f"no: {reason}" if reason else "yes"
        if not reason:
            os.execvp("unshare", [*_UNSHARE, sys.executable, *sys.argv])
    unittest.main()


_UNSHARE = ["unshare", "--fork", "--kill-child", "--pid", "--mount-proc", "--net", "--"]


def _reason_against():
    if os.geteuid() != 0:
        return "only root may make network namespaces with several users"
    if platform.machine() not in _CREDENTIALS:
        return f"no numbers of system calls for {platform.machine()}"
    for program in ("unshare", "ip"):
        if not shutil.which(program):
            return f"the program {program} is not installed"
    code, text = run([*_UNSHARE, "ip", "link", "add", "br0", "type", "bridge"])
    return f"namespaces are not permitted here: {text.strip()}" if code else None


def require_pods():
    """For setUpClass: skips where there can be no pods."""
    state = os.environ.get(_MARK, "no: run the file itself, which makes the namespaces")
    if state != "yes":
        raise unittest.SkipTest(state.removeprefix("no: "))


def require_rules(*programs):
    """Skips where these backends are not installed or the kernel lacks them."""
    for program in programs:
        if not shutil.which(program):
            raise unittest.SkipTest(f"the program {program} is not installed")


def _check(result, what):
    if result < 0:
        raise OSError(ctypes.get_errno(), what)


class _Thread(threading.Thread):
    """Runs a call in another network namespace, as another user, and keeps what came of it."""

    def __init__(self, namespace, uid, gid, call):
        super().__init__(daemon=True)
        self._namespace, self._uid, self._gid, self._call = namespace, uid, gid, call
        self.result, self.error = None, None

    def run(self):
        try:
            if self._namespace is None:
                _check(_libc.unshare(_CLONE_NEWNET), "unshare")
            else:
                _check(_libc.setns(self._namespace, _CLONE_NEWNET), "setns")
            if self._uid or self._gid:
                setresuid, setresgid, setgroups = _CREDENTIALS[platform.machine()]
                _check(_libc.syscall(setgroups, 0, None), "setgroups")
                _check(_libc.syscall(setresgid, self._gid, self._gid, self._gid), "setresgid")
                _check(_libc.syscall(setresuid, self._uid, self._uid, self._uid), "setresuid")
            self.result = self._call()
        except BaseException as error:  # pylint: disable=broad-except
            self.error = error

    def finish(self):
        self.start()
        self.join()
        if self.error is not None:
            raise self.error
        return self.result


class Pod:
    """A network namespace with lo, eth0, an IPv4 and an IPv6 address."""

    def __init__(self, name, ip, ip6):
        self.name, self.ip, self.ip6 = name, ip, ip6
        self.link = None  # the node's end of eth0
        self._closing = []
        self.namespace = _Thread(None, 0, 0, lambda: os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)).finish()

    @property
    def path(self):
        """The namespace as a file, for programs."""
        return f"/proc/{os.getpid()}/fd/{self.namespace}"

    def within(self, call, uid=0, gid=None):
        """What `call()` gives here, run as that user."""
        return _Thread(self.namespace, uid, uid if gid is None else gid, call).finish()

    def run(self, *arguments, uid=0, env=None):
        """A short command in the pod: (exit code, output)."""
        return self.within(lambda: run(arguments, env=env), uid)

    def check(self, *arguments, **options):
        """The output of a command that must succeed."""
        code, text = self.run(*arguments, **options)
        if code:
            raise AssertionError(f"{' '.join(map(str, arguments))} ended with code {code}:\n{text}")
        return text

    def init(self, *flags):
        """weft-init in this pod: (exit code, output)."""
        return self.run(our_program("weft-init"), *flags)

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, uid=APP, gid=None, timeout=5.0):
        """A socket of this pod that belongs to this user; use it from anywhere."""
        made = self.within(lambda: socket.socket(family, kind), uid, gid)
        made.settimeout(timeout)
        return made

    def connect(self, address, uid=APP, gid=None, source=None, timeout=5.0):
        """A TCP connection out of this pod."""
        made = self.socket(family_of(address[0]), uid=uid, gid=gid, timeout=timeout)
        try:
            if source:
                made.bind((source, 0))
            made.connect(address)
        except OSError:
            made.close()
            raise
        return made

    def ask(self, address, **options):
        """All that the other end says until it closes."""
        with self.connect(address, **options) as connection:
            return read_all(connection)

    def keep(self, thing):
        """Closes `thing` when the pod ends."""
        self._closing.append(thing)
        return thing

    def serve(self, address, answer, **options):
        return self.keep(Server(self, address, answer, **options))

    def close(self):
        for thing in reversed(self._closing):
            with contextlib.suppress(OSError):
                (thing.close if hasattr(thing, "close") else thing.stop)()
        os.close(self.namespace)


class Node:
    """The machine that the pods share: a bridge at 10.77.0.1 and fd77::1, to which each is linked."""

    def __init__(self):
        self.pods = []
        _ip("link set lo up", "link add br0 type bridge forward_delay 0 mcast_snooping 0", "addr add 10.77.0.1/24 dev br0",
            "addr add fd77::1/64 dev br0 nodad", "link set br0 up")

    def pod(self, name, ip6=True):
        number = len(self.pods) + 10
        pod = Pod(name, f"10.77.0.{number}", f"fd77::{number}" if ip6 else None)
        pod.link = f"veth{number}"
        _ip(f"link add veth{number} type veth peer name eth0 netns {pod.path}", f"link set veth{number} master br0 up")
        self.pods.append(pod)
        pod.within(_allow_low_ports)
        pod.within(lambda: _ip(
            "link set lo up", f"addr add {pod.ip}/24 dev eth0", *([f"addr add {pod.ip6}/64 dev eth0 nodad"] if ip6 else []),
            "link set eth0 up", "route add default via 10.77.0.1", *(["route add ::/0 via fd77::1"] if ip6 else [])))
        return pod

    def close(self):
        # The links first: a namespace lives until its last socket is gone.
        _ip(*(f"link del {pod.link}" for pod in self.pods), "link del br0")
        for pod in self.pods:
            pod.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Server:
    """Accepts in a pod as some user; `answer(connection, peer)` gives the bytes to say before it closes, or None if it saw to all itself."""

    def __init__(self, pod, address, answer, uid=APP, transparent=False):
        self._answer = answer
        self._listener = pod.socket(family_of(address[0]), uid=uid, timeout=None)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self._listener.family == socket.AF_INET6:
            self._listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if transparent:
            set_transparent(self._listener)
        self._listener.bind(address)
        self._listener.listen(64)
        self.address = self._listener.getsockname()[:2]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, peer = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection, peer), daemon=True).start()

    def _serve(self, connection, peer):
        with connection, contextlib.suppress(OSError):
            connection.settimeout(5)
            text = self._answer(connection, peer)
            if text is not None:
                connection.sendall(text if isinstance(text, bytes) else text.encode())

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _allow_low_ports():
    """Any user may bind port 80, as in the pods of today's container runtimes."""
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", "w", encoding="ascii") as file:
        file.write("0")


def family_of(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def set_transparent(sock):
    """May bind to, and accept for, addresses that are not its own."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_TRANSPARENT, 1)


def original_destination(connection):
    """Where a redirected connection was going."""
    if connection.family == socket.AF_INET6:
        raw = connection.getsockopt(socket.IPPROTO_IPV6, SO_ORIGINAL_DST, 28)
        return socket.inet_ntop(socket.AF_INET6, raw[8:24]), struct.unpack("!H", raw[2:4])[0]
    raw = connection.getsockopt(socket.IPPROTO_IP, SO_ORIGINAL_DST, 16)
    return socket.inet_ntoa(raw[4:8]), struct.unpack("!H", raw[2:4])[0]


def read_all(connection):
    pieces = []
    while True:
        piece = connection.recv(65536)
        if not piece:
            return b"".join(pieces).decode("utf-8", "replace")
        pieces.append(piece)


def _ip(*commands):
    """Several commands of `ip` at once, in the namespace of the calling thread."""
    done = subprocess.run(["ip", "-batch", "-"], input="\n".join(commands).encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=30, check=False)
    if done.returncode:
        raise AssertionError(f"ip: {done.stdout.decode('utf-8', 'replace')}\n{commands}")
