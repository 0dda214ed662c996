#!/usr/bin/env python3
"""Shim for NATS: registers in a key-value bucket of JetStream. `nats.py role ADDRESS NODES` says who leads the bucket.

Speaks the protocol of NATS (https://docs.nats.io/reference/reference-protocols/nats-protocol), so that Python's
standard library is all that it needs. Schism's side is in docs/reference/shims.md.
"""
import base64
import json
import os
import socket
import sys
import time

STREAM = "KV_registers"
SUBJECT = "$KV.registers."
# Time in which a node must say its role; schism waits for three seconds.
ROLE_S = 2
# Statuses of answers, and codes of JetStream's errors: https://docs.nats.io/reference/jetstream/errors/
NOT_FOUND, NO_RESPONDERS = 404, 503
NO_MESSAGE_FOUND, STREAM_NOT_FOUND = 10037, 10059

connection = None
deadline = 0.0  # End of the time for the request under way, by time.monotonic().


class NoResponders(Exception):
    """Nobody listens on the subject, so nobody has received the request."""


def remaining():
    return max(deadline - time.monotonic(), 0.001)


class Connection:
    """Connection to a server. Each request has an inbox of its own: of two nodes that both take themselves for the
    leader, both may answer, and a second answer must not be taken for that to the next request."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=remaining())
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.info = json.loads(self.line().removeprefix(b"INFO "))
        options = {"verbose": False, "headers": True, "no_responders": True}
        self.inboxes = f"_INBOX.{self.info['server_id']}.{self.info['client_id']}"
        self.requests = 0
        self.socket.sendall(f"CONNECT {json.dumps(options)}\r\nSUB {self.inboxes}.* 1\r\n".encode())

    def line(self):
        self.socket.settimeout(remaining())
        found = self.file.readline()
        if not found.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        return found

    def content(self, size):
        """Returns so many bytes, and takes the end of line that follows them."""
        found = self.file.read(size + 2)
        if len(found) < size + 2:
            raise ConnectionError("the server closed the connection")
        return found[:size]

    def ask(self, subject, body=""):
        """Returns the status, 200 if there is none, and the body of the answer."""
        self.requests += 1
        inbox = f"{self.inboxes}.{self.requests}"
        self.socket.settimeout(remaining())
        self.socket.sendall(f"PUB {subject} {inbox} {len(body)}\r\n{body}\r\n".encode())
        while True:
            command, *words = self.line().split()
            if command == b"PING":
                self.socket.sendall(b"PONG\r\n")
            elif command == b"-ERR":
                raise ConnectionError(b" ".join(words).decode())
            elif command in (b"MSG", b"HMSG"):
                content = self.content(int(words[-1]))
                if words[0].decode() != inbox:
                    continue
                headers = content[: int(words[-2])] if command == b"HMSG" else b""
                first = headers.split(b"\r\n")[0].split()
                status = int(first[1]) if len(first) > 1 else 200
                if status == NO_RESPONDERS:
                    raise NoResponders
                return status, content[len(headers) :]

    def ask_stream(self, subject, request):
        """Returns the answer of JetStream, which has an `error` or not."""
        return json.loads(self.ask(f"$JS.API.STREAM.{subject}.{STREAM}", json.dumps(request))[1])


def role(address, nodes):
    """Returns the name of a node, and of the leader, if it knows one, of the bucket that it makes if it is missing."""
    global deadline
    deadline = time.monotonic() + ROLE_S
    nats = Connection(address)
    found = nats.ask_stream("INFO", {})
    if found.get("error", {}).get("err_code") == STREAM_NOT_FOUND:
        bucket = {"name": STREAM, "subjects": [SUBJECT + ">"], "num_replicas": nodes, "max_msgs_per_subject": 1}
        found = nats.ask_stream("CREATE", bucket | {"storage": "file", "discard": "new", "allow_direct": True})
    name = nats.info["server_name"]
    if "error" in found:
        return {"name": name}
    # A node without a cluster is its own leader.
    return {"name": name, "leader": found.get("cluster", {"leader": name}).get("leader", "")}


def read(nats, key):
    if os.environ["SCHISM_READ"] == "direct-get":
        status, body = nats.ask(f"$JS.API.DIRECT.GET.{STREAM}.{SUBJECT}{key}")
        if status not in (200, NOT_FOUND):
            return {"type": "info", "error": f"status {status}"}
        return {"type": "ok", "value": int(body) if status == 200 else None}
    answer = nats.ask_stream("MSG.GET", {"last_by_subj": SUBJECT + key})
    if "message" in answer:
        return {"type": "ok", "value": int(base64.b64decode(answer["message"]["data"]))}
    if answer["error"]["err_code"] == NO_MESSAGE_FOUND:
        return {"type": "ok", "value": None}
    return {"type": "info", "error": answer["error"]["description"]}


def write(nats, key, value):
    answer = json.loads(nats.ask(SUBJECT + key, str(value))[1])
    return {"type": "info", "error": answer["error"]["description"]} if "error" in answer else {"type": "ok"}


def ask(f, key, value, timeout):
    """Returns how the operation ended. Whatever ends otherwise than by an answer may have happened."""
    global connection, deadline
    deadline = time.monotonic() + timeout
    if connection is None:
        try:
            connection = Connection(os.environ["SCHISM_ADDRESS"])
        except (OSError, ValueError, LookupError) as error:
            return {"type": "fail", "error": f"no connection: {error}"}  # Nothing has been sent.
    try:
        return read(connection, key) if f == "read" else write(connection, key, value)
    except NoResponders:
        return {"type": "fail", "error": "no responders"}
    except (OSError, ValueError, LookupError) as error:
        return {"type": "info", "error": repr(error)}


if sys.argv[1:2] == ["role"]:
    print(json.dumps(role(sys.argv[2], int(sys.argv[3]))))
    sys.exit()
print(json.dumps({"type": "ready"}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    ended = ask(asked["f"], asked["key"], asked.get("value"), int(os.environ["SCHISM_TIMEOUT_MS"]) / 1000 * 0.7)
    print(json.dumps({"id": asked["id"], **ended}), flush=True)
