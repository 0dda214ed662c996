#!/usr/bin/env python3
"""Shim that holds locks on etcd, by its HTTP gateway (protocol: docs/reference/shims.md).

A lock is a key that is created if it is absent, under a lease that a thread keeps alive, as in etcd's own recipe
(https://etcd.io/docs/v3.4/dev-guide/api_concurrency_reference_v3/). Nothing tells its holder when the lease runs out.
The revision by which the key was created is the fencing token. What a lock guards is another key, whose value begins
with the token under which it was set, with zeros in front: etcd compares values as text.
"""

import base64
import http.client
import json
import os
import sys
import threading
import time

# Less than schism waits for, so that it is told rather than left to guess.
LIMIT_S = int(os.environ["SCHISM_TIMEOUT_MS"]) / 1000 * 0.8
# Longer than a request takes: when a load ends, and its holders with it, no request under way gets their locks.
LEASE_S = 2

ERRORS = (OSError, http.client.HTTPException, LookupError, ValueError)

held = {}  # Locks of this process: key, and the revision that created it.


class Node:
    """Connection to the node of this client."""

    def __init__(self):
        self.connection = http.client.HTTPConnection(os.environ["SCHISM_ADDRESS"], timeout=LIMIT_S)

    def ask(self, path, body, deadline):
        try:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("no time is left")
            if self.connection.sock is None:
                self.connection.timeout = left
                self.connection.connect()
            self.connection.sock.settimeout(left)
            self.connection.request("POST", path, json.dumps(body))
            response = self.connection.getresponse()
            text = response.read()
            if response.status != 200:
                raise OSError(f"status {response.status}: {text[:200]!r}")
            return json.loads(text)
        except ERRORS:
            self.connection.close()
            raise


class Session:
    """Lease that is kept alive until it runs out."""

    def __init__(self, node, deadline):
        self.lease = node.ask("/v3/lease/grant", {"TTL": LEASE_S}, deadline)["ID"]
        self.is_alive = True
        threading.Thread(target=self.keep_alive, daemon=True).start()

    def keep_alive(self):
        node = Node()
        while self.is_alive:
            try:
                answer = node.ask("/v3/lease/keepalive", {"ID": self.lease}, time.monotonic() + LEASE_S)
                self.is_alive = int(answer["result"].get("TTL", 0)) > 0
            except ERRORS:
                pass  # It is tried again, as etcd's client does.
            time.sleep(LEASE_S / 4)


node = Node()
session = None


def base64_of(text):
    return base64.b64encode(text.encode()).decode()


def created(key, revision):
    return {"target": "CREATE", "result": "EQUAL", "key": base64_of(key), "createRevision": str(revision)}


def acquire(key, deadline):
    global session
    if session is None or not session.is_alive:
        try:
            session = Session(node, deadline)
        except ERRORS as error:
            return {"type": "fail", "error": f"no lease: {error!r}"}  # Nothing has been created.
    put = {"requestPut": {"key": base64_of(key), "value": base64_of(str(os.getpid())), "lease": session.lease}}
    answer = node.ask("/v3/kv/txn", {"compare": [created(key, 0)], "success": [put]}, deadline)
    if not answer.get("succeeded"):
        return {"type": "fail"}
    held[key] = int(answer["header"]["revision"])
    return {"type": "ok", "value": held[key]}


def release(key, deadline):
    """Removes the key, if it is that of this process. If it is not, the lease has run out, and the lock is released."""
    is_held = key in held
    revision = held.pop(key, -1)
    delete = {"requestDeleteRange": {"key": base64_of(key)}}
    node.ask("/v3/kv/txn", {"compare": [created(key, revision)], "success": [delete]}, deadline)
    return {"type": "ok" if is_held else "fail"}


def write_guarded(key, token, value, is_unguarded, deadline):
    key += "/guarded"
    put = {"requestPut": {"key": base64_of(key), "value": base64_of(f"{token:020} {value}")}}
    if is_unguarded:
        node.ask("/v3/kv/txn", {"success": [put]}, deadline)
        return {"type": "ok"}
    smaller = {"target": "VALUE", "result": "LESS", "key": base64_of(key), "value": base64_of(f"{token + 1:020}")}
    # A key that is absent is neither smaller nor larger.
    first = {"requestTxn": {"compare": [created(key, 0)], "success": [put]}}
    answer = node.ask("/v3/kv/txn", {"compare": [smaller], "success": [put], "failure": [first]}, deadline)
    if answer.get("succeeded") or answer["responses"][0]["response_txn"].get("succeeded"):
        return {"type": "ok"}
    return {"type": "fail", "error": "it was set under a larger token"}


def ask(asked):
    key = asked["key"]
    deadline = time.monotonic() + LIMIT_S
    try:
        if asked["f"] == "guarded-write":
            return write_guarded(key, *asked["value"], asked.get("read") == "unguarded", deadline)
        return acquire(key, deadline) if asked["f"] == "acquire" else release(key, deadline)
    except ERRORS as error:
        return {"type": "info", "error": repr(error)}  # It may have happened, and may yet.


print(json.dumps({"type": "ready"}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps({"id": asked["id"], **ask(asked)}), flush=True)
