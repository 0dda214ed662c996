#!/usr/bin/env python3
"""Shim for ZooKeeper: registers, each a node of its tree. `zookeeper.py role ADDRESS` says the role of a server.

Speaks the protocol of ZooKeeper, whose messages are in its zookeeper.jute, so that Python's standard library is all
that it needs. Schism's side is in docs/reference/shims.md.
"""
import json
import os
import socket
import struct
import sys
import time

ROLE_S = 2  # Time in which a server must say its role; schism waits for three seconds.
SESSION_MS = 10_000
CREATE, GET_DATA, SET_DATA, SYNC = 1, 4, 5, 9
OK, NO_NODE, NODE_EXISTS = 0, -101, -110
ANY_VERSION = -1
ALL_RIGHTS = struct.pack("!ii", 1, 31) + b"\0\0\0\5world" + b"\0\0\0\6anyone"

session = None
deadline = 0.0  # End of the time for the request under way, by time.monotonic().


class UnexpectedAnswer(Exception):
    """Error of the server that says nothing of what has happened."""


def sized(content):
    return struct.pack("!i", len(content)) + content


class Session:
    """Session with a server, which ends with its connection."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=remaining())
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.requests = 0
        self.socket.sendall(sized(struct.pack("!iqiq", 0, 0, SESSION_MS, 0) + sized(bytes(16))))
        self.message()

    def message(self):
        self.socket.settimeout(remaining())
        size = self.file.read(4)
        expected = struct.unpack("!i", size)[0] if len(size) == 4 else 0
        content = self.file.read(expected)
        if not content or len(content) < expected:
            raise ConnectionError("the server closed the connection")
        return content

    def ask(self, kind, content):
        """Returns the error, and what follows it."""
        self.requests += 1
        self.socket.settimeout(remaining())
        self.socket.sendall(sized(struct.pack("!ii", self.requests, kind) + content))
        answer = self.message()
        number, _, error = struct.unpack_from("!iqi", answer)
        if number != self.requests or error not in (OK, NO_NODE, NODE_EXISTS):
            raise UnexpectedAnswer(f"answer {number} to request {self.requests}, error {error}")
        return error, answer[16:]


def remaining():
    return max(deadline - time.monotonic(), 0.001)


def role(address):
    """Returns the mode of a server, and the epoch of its last transaction."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=ROLE_S) as server:
        server.sendall(b"srvr")
        lines = server.makefile().read().splitlines()
    said = dict(line.split(": ", 1) for line in lines if ": " in line)
    mode = "leader" if said["Mode"] == "standalone" else said["Mode"]
    return {"mode": mode, "epoch": int(said["Zxid"], 16) >> 32}


def read(path):
    if os.environ["SCHISM_READ"] == "sync":
        session.ask(SYNC, sized(path))
    error, found = session.ask(GET_DATA, sized(path) + b"\0")
    if error == NO_NODE:
        return None
    (size,) = struct.unpack_from("!i", found)
    return int(found[4 : 4 + size])


def write(path, value):
    """Sets a node, or makes it; whatever did not take effect then, because another was faster, is tried once more."""
    data = sized(str(value).encode())
    for _ in range(2):
        if session.ask(SET_DATA, sized(path) + data + struct.pack("!i", ANY_VERSION))[0] == OK:
            return
        if session.ask(CREATE, sized(path) + data + ALL_RIGHTS + struct.pack("!i", 0))[0] == OK:
            return
    raise UnexpectedAnswer("the node comes and goes")


def ask(f, key, value):
    """Returns how the operation ended. Whatever ends otherwise than by an answer may have happened."""
    global session, deadline
    deadline = time.monotonic() + int(os.environ["SCHISM_TIMEOUT_MS"]) / 1000 * 0.7
    if session is None:
        try:
            session = Session(os.environ["SCHISM_ADDRESS"])
        except OSError as error:
            return {"type": "fail", "error": f"no session: {error}"}  # Nothing has been sent.
    path = f"/{key}".encode()
    try:
        if f == "read":
            return {"type": "ok", "value": read(path)}
        write(path, value)
        return {"type": "ok"}
    except (OSError, UnexpectedAnswer) as error:
        return {"type": "info", "error": repr(error)}


if sys.argv[1:2] == ["role"]:
    print(json.dumps(role(sys.argv[2])))
    sys.exit()
print(json.dumps({"type": "ready"}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    ended = ask(asked["f"], asked["key"], asked.get("value"))
    print(json.dumps({"id": asked["id"], **ended}), flush=True)
