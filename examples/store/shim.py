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
            return {"type": "ok", "value": send("GET", f"/{key}")[1].get("value")}
        if f == "write":
            send("PUT", f"/{key}", value)
            return {"type": "ok"}
        status, answer = send("POST", f"/{key}", {"from": value[0], "to": value[1]})
        return {"type": "ok"} if status == 200 else {"type": "fail", "value": answer["found"]}
    except (OSError, http.client.HTTPException, ValueError) as error:
        return {"type": "info", "error": repr(error)}  # It may have happened, and may yet.


print(json.dumps({"type": "ready"}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    answer = ask(asked["f"], asked["key"], asked.get("value"))
    print(json.dumps({"id": asked["id"], **answer}), flush=True)
