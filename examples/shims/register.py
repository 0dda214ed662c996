#!/usr/bin/env python3
"""Shim for registers over the HTTP API of schism's own node (docs/reference/node.md), as a model for others.

The protocol is described in docs/reference/shims.md. Python's standard library is all that this needs.
"""
import http.client
import json
import os
import sys

# Connecting and asking together take less than schism waits for, so that it is told rather than left to guess.
TIMEOUT_S = int(os.environ["SCHISM_TIMEOUT_MS"]) / 1000 * 0.45

connection = http.client.HTTPConnection(os.environ["SCHISM_ADDRESS"], timeout=TIMEOUT_S)


def send(method, path, body):
    """Returns the status and the answer of the node. Sends nothing twice."""
    connection.request(method, path, None if body is None else json.dumps(body))
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def ask(f, key, value, read):
    """Returns how the operation ended: ok with a value, fail if it certainly did not happen, info otherwise."""
    if connection.sock is None:
        try:
            connection.connect()
        except OSError as error:
            return {"type": "fail", "error": f"no connection: {error}"}  # Nothing has been sent.
    path = f"/v1/kv/{key}"
    try:
        if f == "read":
            status, answer = send("GET", f"{path}?read={read}", None)
        elif f == "write":
            status, answer = send("PUT", path, {"value": value})
        elif f == "cas":
            status, answer = send("POST", f"{path}/cas", {"from": value[0], "to": value[1]})
        else:
            return {"type": "fail", "error": f"this shim knows no {f}"}
    except (OSError, http.client.HTTPException, ValueError) as error:
        return {"type": "info", "error": repr(error)}  # It may have happened, and may yet.
    if status != 200:
        happened = "fail" if answer.get("happened") == "no" else "info"
        return {"type": happened, "error": answer.get("error", f"status {status}")}
    if f == "read":
        return {"type": "ok", "value": answer["value"]}
    if f == "cas" and not answer["swapped"]:
        return {"type": "fail", "value": answer["observed"]}
    return {"type": "ok"}


print(json.dumps({"type": "ready"}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    ended = ask(asked["f"], asked["key"], asked.get("value"), asked.get("read"))
    print(json.dumps({"id": asked["id"], **ended}), flush=True)
