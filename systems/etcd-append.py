"""Shim that carries out transactions on etcd, by its HTTP gateway (protocol: docs/reference/shims.md).

One over registers, each of which it reads or writes once, is one transaction of etcd. Of one over lists, a list is the
JSON text at its key: a transaction of etcd reads all keys at once, and if there is something to append, another one
writes the new lists, on the condition that no key, read or written, has been changed since. A transaction whose
condition does not hold changed nothing, so it may be tried again.

A row of a table is a key of its own, created on the condition that it is absent, so that no number is given twice. Its
timestamp is the revision that created it.
"""

import base64
import http.client
import json
import os
import sys
import time

# Less than schism waits for, so that it is told rather than left to guess.
LIMIT_S = int(os.environ["SCHISM_TIMEOUT_MS"]) / 1000 * 0.8
# A transaction that others keep from being carried out is given up after so many attempts.
MAX_ATTEMPTS = 3
# Read mode in which a node answers reads from its own state. Only transactions without appends may be stale by it: what
# others write is read to be compared with.
FROM_OWN_STATE = os.environ.get("SCHISM_READ") == "serializable"

connection = http.client.HTTPConnection(os.environ["SCHISM_ADDRESS"])


def base64_of(text):
    return base64.b64encode(text.encode()).decode()


def remaining(deadline):
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no time is left")
    return left


def commit(transaction, deadline):
    return post("/v3/kv/txn", transaction, deadline)


def post(path, body, deadline):
    if connection.sock is None:
        connection.timeout = remaining(deadline)
        connection.connect()
    connection.sock.settimeout(remaining(deadline))
    connection.request("POST", path, json.dumps(body))
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise OSError(f"status {response.status}: {body[:200]!r}")
    return json.loads(body)


def read_lists(keys, deadline):
    """Returns the list at each key, and the revision of its last change, 0 if there is none; all at one moment."""
    reads = [{"requestRange": {"key": base64_of(key), "serializable": FROM_OWN_STATE}} for key in keys]
    lists, revisions = {}, {}
    for key, found in zip(keys, commit({"success": reads}, deadline)["responses"]):
        pairs = found["response_range"].get("kvs", [])
        lists[key] = json.loads(base64.b64decode(pairs[0]["value"])) if pairs else []
        revisions[key] = int(pairs[0]["mod_revision"]) if pairs else 0
    return lists, revisions


def access_registers(parts, deadline):
    """Reads and writes registers at one moment."""
    writes = any(f == "w" for f, _, _ in parts)
    requests = [
        {"requestPut": {"key": base64_of(key), "value": base64_of(json.dumps(value))}}
        if f == "w"
        else {"requestRange": {"key": base64_of(key), "serializable": FROM_OWN_STATE and not writes}}
        for f, key, value in parts
    ]
    try:
        answers = commit({"success": requests}, deadline)["responses"]
        done = []
        for (f, key, value), answer in zip(parts, answers, strict=True):
            pairs = answer["response_range"].get("kvs", []) if f == "r" else []
            done.append([f, key, json.loads(base64.b64decode(pairs[0]["value"])) if pairs else value])
    except (OSError, http.client.HTTPException, LookupError, ValueError) as error:
        connection.close()
        return {"type": "info" if writes else "fail", "error": repr(error)}
    return {"type": "ok", "value": done}


def carry_out(parts, lists):
    """Carries out the parts of a transaction on the lists; returns the parts with what was read."""
    done = []
    for f, key, element in parts:
        if f == "append":
            lists[key] = [*lists[key], element]
        done.append([f, key, element if f == "append" else lists[key]])
    return done


def attempt(parts, deadline):
    """Returns the answer, or none if others changed something meanwhile."""
    keys = list(dict.fromkeys(key for _, key, _ in parts))
    try:
        lists, revisions = read_lists(keys, deadline)
    except (OSError, http.client.HTTPException, LookupError, ValueError) as error:
        connection.close()
        return {"type": "fail", "error": f"reading: {error!r}"}  # Nothing was to be changed yet.
    done = carry_out(parts, lists)
    written = {key for f, key, _ in parts if f == "append"}
    if not written:
        return {"type": "ok", "value": done}
    unchanged = [
        {"target": "MOD", "result": "EQUAL", "key": base64_of(key), "modRevision": str(revision)}
        for key, revision in revisions.items()
    ]
    puts = [
        {"requestPut": {"key": base64_of(key), "value": base64_of(json.dumps(lists[key]))}} for key in sorted(written)
    ]
    try:
        answer = commit({"compare": unchanged, "success": puts}, deadline)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return {"type": "info", "error": repr(error)}  # It may have happened, and may yet.
    return {"type": "ok", "value": done} if answer.get("succeeded") else None


def find_rows(table, options, deadline):
    """Returns the keys and values of a table's rows, as etcd has them."""
    # The end of the range is the first key that does not begin with the table's name and the slash.
    keys = {"key": base64_of(f"{table}/"), "range_end": base64_of(f"{table}0")}
    return post("/v3/kv/range", {**keys, **options}, deadline).get("kvs", [])


def row(val, revision):
    return {"val": val, "sts": int(revision)}


def read_rows(table, deadline):
    by_timestamp = {"sort_order": "ASCEND", "sort_target": "CREATE", "serializable": FROM_OWN_STATE}
    try:
        found = find_rows(table, by_timestamp, deadline)
        rows = [row(int(base64.b64decode(pair["value"])), pair["create_revision"]) for pair in found]
    except (OSError, http.client.HTTPException, LookupError, ValueError) as error:
        connection.close()
        return {"type": "fail", "error": repr(error)}
    return {"type": "ok", "value": rows}


def attempt_insert(table, deadline):
    """Returns the answer, or none if others inserted a row meanwhile."""
    try:
        found = find_rows(table, {"sort_order": "DESCEND", "sort_target": "KEY", "limit": 1}, deadline)
        val = int(base64.b64decode(found[0]["value"])) + 1 if found else 1
    except (OSError, http.client.HTTPException, LookupError, ValueError) as error:
        connection.close()
        return {"type": "fail", "error": f"reading: {error!r}"}  # Nothing was to be changed yet.
    key = base64_of(f"{table}/{val:020}")
    absent = {"target": "CREATE", "result": "EQUAL", "key": key, "createRevision": "0"}
    put = {"requestPut": {"key": key, "value": base64_of(str(val))}}
    try:
        answer = commit({"compare": [absent], "success": [put]}, deadline)
        stamped = row(val, answer["header"]["revision"])
    except (OSError, http.client.HTTPException, LookupError, ValueError) as error:
        connection.close()
        return {"type": "info", "error": repr(error)}  # It may have happened, and may yet.
    return {"type": "ok", "value": stamped} if answer.get("succeeded") else None


def repeat(attempt, deadline):
    for _ in range(MAX_ATTEMPTS):
        answer = attempt(deadline)
        if answer:
            return answer
    return {"type": "fail", "error": "conflict: others changed the same meanwhile"}


def ask(f, key, parts):
    deadline = time.monotonic() + LIMIT_S
    if f == "rows":
        return read_rows(key, deadline)
    if f == "insert":
        return repeat(lambda end: attempt_insert(key, end), deadline)
    if key is not None:
        return access_registers(parts, deadline)
    return repeat(lambda end: attempt(parts, end), deadline)


print(json.dumps({"type": "ready"}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps({"id": asked["id"], **ask(asked["f"], asked.get("key"), asked.get("value"))}), flush=True)
