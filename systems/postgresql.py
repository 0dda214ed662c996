#!/usr/bin/env python3
"""Shim for PostgreSQL: transactions over lists and registers, registers, counters, banks, and numbered rows, at the
isolation level of the read mode, whose commits wait for the disk, or do not.

Speaks PostgreSQL's protocol with simple queries (https://www.postgresql.org/docs/15/protocol-message-formats.html), so
that Python's standard library is all that it needs. Schism's side is in docs/reference/shims.md.
"""
import json
import os
import socket
import struct
import sys
import time

TIMEOUT_S = int(os.environ["SCHISM_TIMEOUT_MS"]) / 1000 * 0.7
MODE = os.environ["SCHISM_READ"]
LEVEL = MODE.removesuffix("-async").replace("-", "\\ ")  # As an option of the server, whose spaces need a backslash.
COMMIT = "off" if MODE.endswith("-async") else "on"

# The server has rolled the transaction back: https://www.postgresql.org/docs/15/errcodes-appendix.html
SERIALIZATION_FAILURE, DEADLOCK_DETECTED, UNIQUE_VIOLATION = "40001", "40P01", "23505"
ROLLED_BACK = {SERIALIZATION_FAILURE, DEADLOCK_DETECTED, UNIQUE_VIOLATION}

ACCOUNTS, BEGINNING = 8, 10  # Each bank has so many accounts, with so much at the beginning.

server = None
deadline = 0.0  # End of the time for the request under way, by time.monotonic().


class ServerError(Exception):
    """Error that the server answered with: its code, and its message."""


def receive(size):
    found = b""
    while len(found) < size:
        server.settimeout(max(deadline - time.monotonic(), 0.001))
        more = server.recv(size - len(found))
        if not more:
            raise ConnectionError("the server closed the connection")
        found += more
    return found


def message():
    """Returns the kind and the content of the next message."""
    kind, size = struct.unpack("!cI", receive(5))
    return kind, receive(size - 4)


def until_ready():
    """Returns the rows of texts of all answers until the server waits for more."""
    rows, refused = [], None
    while True:
        kind, content = message()
        if kind == b"D":
            rows.append(columns(content))
        elif kind == b"E":
            fields = {field[:1]: field[1:].decode() for field in content.split(b"\0") if field}
            refused = ServerError(fields[b"C"], fields[b"M"])
            if fields[b"V"] == "FATAL":
                raise refused
        elif kind == b"Z":
            if refused:
                raise refused
            return rows


def columns(content):
    at, found = 2, []
    for _ in range(struct.unpack_from("!H", content)[0]):
        (size,) = struct.unpack_from("!i", content, at)
        at += 4
        found.append(None if size < 0 else content[at : at + size].decode())
        at += max(size, 0)
    return found


def query(text):
    server.sendall(struct.pack("!cI", b"Q", len(text) + 5) + text.encode() + b"\0")
    return until_ready()


def connect():
    global server
    host, port = os.environ["SCHISM_ADDRESS"].rsplit(":", 1)
    server = socket.create_connection((host, int(port)), timeout=TIMEOUT_S)
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    options = f"-c default_transaction_isolation={LEVEL} -c synchronous_commit={COMMIT}"
    parameters = f"user\0postgres\0database\0postgres\0options\0{options}\0\0".encode()
    server.sendall(struct.pack("!II", len(parameters) + 8, 196608) + parameters)
    until_ready()


def leave_transaction():
    """Leaves a transaction that the server has rolled back."""
    global server
    try:
        query("ROLLBACK")
    except (OSError, ServerError):
        server = None


def transact(parts):
    query("BEGIN")
    done = []
    for f, key, value in parts:
        if f == "w":
            write(key, value)
        elif f == "append":
            query(
                f"INSERT INTO lists VALUES ('{key}', '{value}')"
                f" ON CONFLICT (key) DO UPDATE SET elements = lists.elements || ',{value}'"
            )
        else:
            # A request does not say whether it is for a list or a register; no key has both.
            rows = query(
                f"SELECT '[' || elements || ']' FROM lists WHERE key = '{key}'"
                f" UNION ALL SELECT value::text FROM registers WHERE key = '{key}'"
            )
            value = json.loads(rows[0][0]) if rows else None
        done.append([f, key, value])
    query("COMMIT")
    return {"type": "ok", "value": done}


def balances(bank):
    rows = query(f"SELECT balance FROM accounts WHERE bank = '{bank}' ORDER BY account")
    return [int(balance) for (balance,) in rows] or [BEGINNING] * ACCOUNTS


def transfer(bank, losing, getting, amount):
    """Transfers as a program does that computes the new balances itself, without locking the rows that it read."""
    query("BEGIN")
    before = balances(bank)
    if before[losing] < amount:
        query("ROLLBACK")
        return {"type": "fail", "error": "the balance is too low"}
    query(
        f"INSERT INTO accounts SELECT '{bank}', account, {BEGINNING} FROM generate_series(0, {ACCOUNTS - 1}) AS account"
        " ON CONFLICT DO NOTHING"
    )
    for account, change in ((losing, -amount), (getting, amount)):
        query(f"UPDATE accounts SET balance = {before[account] + change} WHERE bank = '{bank}' AND account = {account}")
    query("COMMIT")
    return {"type": "ok"}


def insert(table):
    """Inserts a row as a program does that numbers rows itself, with the server's clock as its timestamp."""
    query("BEGIN")
    largest = value_of(query(f"SELECT max(val) FROM rows WHERE key = '{table}'")) or 0
    stamped = query(
        f"INSERT INTO rows VALUES ('{table}', {largest + 1}, extract(epoch FROM clock_timestamp()) * 1000000)"
        " RETURNING val, sts"
    )
    query("COMMIT")
    return {"type": "ok", "value": row(*stamped[0])}


def rows(table):
    return [row(*found) for found in query(f"SELECT val, sts FROM rows WHERE key = '{table}' ORDER BY sts, val")]


def row(val, sts):
    return {"val": int(val), "sts": int(sts)}


def value_of(rows):
    return int(rows[0][0]) if rows and rows[0][0] else None


def read(key):
    return value_of(query(f"SELECT value FROM registers WHERE key = '{key}'"))


def write(key, value):
    query(f"INSERT INTO registers VALUES ('{key}', {value}) ON CONFLICT (key) DO UPDATE SET value = {value}")
    return {"type": "ok"}


def increment(key, by):
    query(
        f"INSERT INTO registers VALUES ('{key}', {by})"
        f" ON CONFLICT (key) DO UPDATE SET value = registers.value + {by}"
    )
    return {"type": "ok"}


def cas(key, old, new):
    """Compares and sets. The row is locked, so that at any level, what is compared is what is set and answered."""
    query("BEGIN")
    found = value_of(query(f"SELECT value FROM registers WHERE key = '{key}' FOR UPDATE"))
    if found == old:
        query(f"UPDATE registers SET value = {new} WHERE key = '{key}'")
    query("COMMIT")
    return {"type": "ok"} if found == old else {"type": "fail", "value": found}


def ask(f, key, value):
    """Returns how the operation ended. Whatever ends otherwise than by an answer may have happened."""
    global server, deadline
    deadline = time.monotonic() + TIMEOUT_S
    if server is None:
        try:
            connect()
        except (OSError, ServerError) as error:
            server = None
            return {"type": "fail", "error": f"no connection: {error}"}  # Nothing has been sent.
    try:
        if f == "txn":
            return transact(value)
        if f == "balances":
            return {"type": "ok", "value": balances(key)}
        if f == "transfer":
            return transfer(key, value["from"], value["to"], value["amount"])
        if f == "insert":
            return insert(key)
        if f == "rows":
            return {"type": "ok", "value": rows(key)}
        if f == "read":
            return {"type": "ok", "value": read(key)}
        if f == "cas":
            return cas(key, *value)
        return write(key, value) if f == "write" else increment(key, value)
    except ServerError as error:
        code, why = error.args
        if code not in ROLLED_BACK:
            return {"type": "info", "error": f"{code}: {why}"}
        leave_transaction()
        return {"type": "fail", "error": f"{code}: {why}"}
    except OSError as error:
        return {"type": "info", "error": repr(error)}


print(json.dumps({"type": "ready"}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    ended = ask(asked["f"], asked.get("key"), asked.get("value"))
    print(json.dumps({"id": asked["id"], **ended}), flush=True)
