#!/usr/bin/env python3
"""Shim for Redis with Sentinel: registers, sets, counters, locks, queues, logs and ids on the master that the Sentinel
of the node names at that moment.

Speaks Redis's protocol (https://redis.io/docs/latest/develop/reference/protocol-spec/), so that Python's standard
library is all that it needs. Schism's side is in docs/reference/shims.md.
"""
import json
import os
import socket
import sys
import time

TIMEOUT_S = int(os.environ["SCHISM_TIMEOUT_MS"]) / 1000 * 0.7
WAIT_MS = int(TIMEOUT_S * 500)
MODE = os.environ["SCHISM_READ"]
NODE = os.environ["SCHISM_ADDRESS"]

# Sets a key that has a certain value, and returns 1, or else the value.
CAS = """
local found = redis.call('GET', KEYS[1])
if found == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2]) return 1 end
return {found}
"""

# Releases a lock that has a certain value, as https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/
# has it.
RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
# Time after which a lock is free again; longer than a run, so that it is not time that frees a lock.
LOCK_MS = 600_000

connections = {}
held = {}  # Locks of this process, with their values.
deadline = 0.0  # End of the time for the request under way, by time.monotonic().


class ServerError(Exception):
    """Error that the server answered with."""


def remaining():
    return max(deadline - time.monotonic(), 0.001)


class Connection:
    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=remaining())
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def ask(self, *words):
        words = [str(word).encode() for word in words]
        self.socket.settimeout(remaining())
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
        return self.answer()

    def answer(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2].decode()
        if kind == b"-":
            raise ServerError(rest)
        if kind == b":":
            return int(rest)
        if kind == b"*":
            return [self.answer() for _ in range(int(rest))]
        if kind == b"$":
            return self.text(int(rest)) if int(rest) >= 0 else None
        return rest

    def text(self, size):
        found = self.file.read(size + 2)
        if len(found) < size + 2:
            raise ConnectionError("the server closed the connection")
        return found[:size].decode()


def connect(address):
    if address not in connections:
        connections[address] = Connection(address)
    return connections[address]


def server(only_reads):
    if MODE == "replica" and only_reads:
        return connect(NODE)
    return connect(":".join(connect(os.environ["SENTINEL"]).ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "cluster")))


def read(redis, key):
    """Returns the value of a register, the elements of a set, or None if there is neither."""
    try:
        found = redis.ask("GET", key)
        return None if found is None else int(found)
    except ServerError as error:
        if not str(error).startswith("WRONGTYPE"):
            raise
        return [int(element) for element in redis.ask("SMEMBERS", key)]


def transact(redis, parts):
    """Carries out a transaction that only reads, or writes one register."""
    if parts[0][0] == "r":
        found = redis.ask("MGET", *[key for _, key, _ in parts])
        read_as = [[f, key, value and int(value)] for (f, key, _), value in zip(parts, found)]
        return {"type": "ok", "value": read_as}
    [[_, key, value]] = parts
    redis.ask("SET", key, value)
    return {**acknowledge(redis), "value": parts}


def acquire(redis, key):
    """Acquires a lock under a value that no other has."""
    name = os.urandom(16).hex()
    if redis.ask("SET", key, name, "NX", "PX", LOCK_MS) is None:
        return {"type": "fail"}
    held[key] = name
    return {"type": "ok"}


def release(redis, key):
    """Releases a lock. One that this process holds, and that another has on this server, was lost: it is released."""
    redis.ask("EVAL", RELEASE, 1, key, held.get(key, ""))
    return {"type": "ok" if held.pop(key, None) else "fail"}


def carry_out(redis, f, key, value):
    if f == "acquire":
        return acquire(redis, key)
    if f == "release":
        return release(redis, key)
    if f == "txn":
        return transact(redis, value)
    if f == "read":
        return {"type": "ok", "value": read(redis, key)}
    if f == "poll":
        found = redis.ask("LRANGE", key, value, -1)
        return {"type": "ok", "value": [[offset, int(text)] for offset, text in enumerate(found, value)]}
    if f == "peek":
        found = redis.ask("LINDEX", key, 0)
        return {"type": "ok", "value": found and int(found)}
    if f == "cas":
        found = redis.ask("EVAL", CAS, 1, key, *value)
        if found != 1:
            return {"type": "fail", "value": int(found[0]) if found and found[0] else None}
    elif f == "generate":
        number = redis.ask("INCR", key)
        return {**acknowledge(redis), "value": number}
    elif f == "send":
        size = redis.ask("RPUSH", key, value)
        return {**acknowledge(redis), "value": size - 1}
    elif f == "enqueue":
        redis.ask("RPUSH", key, value)
    elif f == "dequeue":
        found = redis.ask("LPOP", key)
        return {**acknowledge(redis), "value": found and int(found)}
    elif f == "write":
        redis.ask("SET", key, value)
    elif f == "increment":
        redis.ask("INCRBY", key, value)
    else:
        redis.ask("SADD", key, value)
    return acknowledge(redis)


def acknowledge(redis):
    """Waits, if it is to, until a replica has what was written. Whether one has it or not, the master does."""
    if MODE != "wait":
        return {"type": "ok"}
    try:
        replicas = redis.ask("WAIT", 1, WAIT_MS)
    except ServerError as error:
        return {"type": "info", "error": str(error)}
    return {"type": "ok"} if replicas else {"type": "info", "error": "no replica has it"}


def ask(f, key, value):
    """Returns how the operation ended. Whatever ends otherwise than by an answer may have happened."""
    global deadline
    deadline = time.monotonic() + TIMEOUT_S
    try:
        redis = server(f in ("read", "poll", "peek") or f == "txn" and value[0][0] == "r")
    except (OSError, ValueError, ServerError) as error:  # A Sentinel that knows no master names none.
        connections.clear()
        return {"type": "fail", "error": f"no connection: {error!r}"}  # Nothing has been sent.
    try:
        return carry_out(redis, f, key, value)
    except ServerError as error:
        return {"type": "fail", "error": str(error)}  # An error of Redis means that it did nothing.
    except OSError as error:
        return {"type": "info", "error": repr(error)}


print(json.dumps({"type": "ready"}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    ended = ask(asked["f"], asked.get("key"), asked.get("value"))
    print(json.dumps({"id": asked["id"], **ended}), flush=True)
