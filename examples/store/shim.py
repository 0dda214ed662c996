"""Shim for the store beside it, for systems that no request of HTTP describes: see docs/reference/shims.md."""

import http.client
import json
import os
import sys

# Less than schism waits for, so that it is told rather than left to guess.
TIMEOUT_S = int(os.environ["SCHISM_TIMEOUT_MS"]) / 1000 * 0.45
connection = http.client.HTTPConnection(os.environ["SCHISM_ADDRESS"], timeout=TIMEOUT_S)


def send(method, path, body=None):
    connection.request(method, path, None if body is None else json.dumps(body))
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def ask(f, key, value):
    try:
        if connection.sock is None:
            connection.connect()
    except OSError as error:
        return {"type": "fail", "error": repr(error)}  # Nothing has been sent.
    try:
        if f == "read":
            status, answer = send("GET", f"/{key}")
            if status in (200, 404):
                return {"type": "ok", "value": answer.get("value")}
        elif f == "write":
            status, answer = send("PUT", f"/{key}", value)
            if status == 200:
                return {"type": "ok"}
        else:
            status, answer = send("POST", f"/{key}", {"from": value[0], "to": value[1]})
            if status == 200:
                return {"type": "ok"}
            if status == 409:
                return {"type": "fail", "value": answer["found"]}
    except (OSError, http.client.HTTPException, ValueError) as error:
        return {"type": "info", "error": repr(error)}  # It may have happened, and may yet.
    return {"type": "info", "error": f"status {status}"}


print(json.dumps({"type": "ready"}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    answer = ask(asked["f"], asked["key"], asked.get("value"))
    print(json.dumps({"id": asked["id"], **answer}), flush=True)
