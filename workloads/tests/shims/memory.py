"""Shim that is its own store: one process, everything in memory. Knows all operations."""
import json
import sys

store = {}


def micro(name, key, value):
    if name == "append":
        store[key] = (store.get(key) or []) + [value]
        return [name, key, value]
    return [name, key, store.get(key)]


def answer(f, key, value):
    held = store.get(key)
    if f == "read":
        return {"type": "ok", "value": held}
    if f == "write":
        store[key] = value
    elif f == "cas":
        if held != value[0]:
            return {"type": "fail", "value": held}
        store[key] = value[1]
    elif f in ("add", "enqueue"):
        store[key] = (held or []) + [value]
    elif f == "dequeue":
        first, store[key] = (held or [None])[0], (held or [None])[1:]
        return {"type": "ok", "value": first}
    elif f == "peek":
        return {"type": "ok", "value": (held or [None])[0]}
    elif f == "txn":
        return {"type": "ok", "value": [micro(*one) for one in value]}
    return {"type": "ok"}


for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps({"id": asked["id"], **answer(asked["f"], asked.get("key"), asked.get("value"))}), flush=True)
