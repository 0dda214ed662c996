"""Objects by their definition, one call after another, and a search over all orders.

Shares nothing with the checker under test but the meaning of each model, as the README tells it. A value is kept in a
canonical form in which Python's own `==` is equality as JSON has it: numbers by size, objects without order.
"""

from fractions import Fraction

NIL = ("nil",)


def canonical(value):
    """A hashable form of a JSON value; two values are equal exactly if their forms are."""
    if value is None:
        return NIL
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, str):
        return ("text", value)
    if isinstance(value, list):
        return ("list", tuple(canonical(item) for item in value))
    if isinstance(value, dict):
        return ("map", frozenset((name, canonical(item)) for name, item in value.items()))
    return ("number", Fraction(value))


def text(value):
    """The text that an append finds: nothing counts as empty, a number as its digits."""
    if value is None:
        return ""
    return value if isinstance(value, str) else str(value)


class Call:
    """An operation: what was asked, what came back, and how it ended (`ok`, `mismatch`, `info`)."""

    def __init__(self, f, value=None, output=None, outcome="ok", process=0):
        self.f, self.value, self.output, self.outcome, self.process = f, value, output, outcome, process

    def answers(self, value):
        """Whether it answered this, or nobody knows its answer."""
        return self.outcome == "info" or canonical(self.output) == canonical(value)


def register(state, call):
    """A register; the state is a JSON value, so that appends find text."""
    same = lambda a, b: canonical(a) == canonical(b)
    if call.f == "read":
        return [state] if call.answers(state) else []
    if call.f == "write":
        return [call.value]
    if call.f == "append":
        return [text(state) + text(call.value)]
    if call.f == "delete":
        return [None]
    expected, new = call.value
    if call.outcome == "mismatch":
        return [state] if not same(state, expected) and (call.output is Ellipsis or same(state, call.output)) else []
    return [new] if same(state, expected) else []


def kv(initial):
    """As `register`, whose `delete` restores what a key held at first."""
    return lambda state, call: [initial] if call.f == "delete" else register(state, call)


def multi_register(state, call):
    registers = dict(state)
    for number, (f, key, value) in enumerate(call.value):
        if f == "w":
            registers[key] = canonical(value)
        elif call.outcome != "info" and registers.get(key, NIL) != canonical(call.output[number][2]):
            return []
    return [frozenset(registers.items())]


def a_set(state, call):
    if call.f == "read":
        seen = [] if call.outcome == "info" else [canonical(item) for item in call.output]
        whole = call.outcome == "info" or (len(seen) == len(state) and set(seen) == state)
        return [state] if whole else []
    element = canonical(call.value)
    if call.f == "add":
        return [state | {element}]
    if call.f == "remove":
        return [state - {element}]
    return [state] if call.answers(element in state) else []


def counter(state, call):
    if call.f == "read":
        return [state] if call.answers(state) else []
    by = 1 if call.value is None else call.value
    return [state - by if call.f == "dec" else state + by]


def found(call, items, place):
    """Whether the call may have found the item at this place; nothing where there is none."""
    return call.outcome == "info" or canonical(call.output) == (items[place] if items else NIL)


def queue(state, call):
    if call.f == "enqueue":
        return [state + (canonical(call.value),)]
    if not found(call, state, 0):
        return []
    return [state if call.f == "peek" else state[1:]]


def stack(state, call):
    if call.f == "push":
        return [state + (canonical(call.value),)]
    if not found(call, state, -1):
        return []
    return [state if call.f == "peek" else state[:-1]]


def priority_queue(state, call):
    if call.f == "insert":
        return [tuple(sorted(state + (canonical(call.value),)))]
    if not found(call, state, 0):
        return []
    return [state if call.f == "peek" else state[1:]]


def bag(state, call):
    if call.f == "add":
        return [tuple(sorted(state + (canonical(call.value),)))]
    without = lambda place: state[:place] + state[place + 1:]
    if call.outcome == "info":
        return [without(place) for place in range(len(state))] or [state]
    if call.output is None:
        return [] if state else [state]
    return [without(state.index(canonical(call.output)))] if canonical(call.output) in state else []


def a_list(state, call):
    if call.f == "append":
        return [state + (canonical(call.value),)]
    seen = tuple(canonical(item) for item in call.output or []) if call.outcome != "info" else state
    return [state] if seen == state else []


def mutex(state, call):
    if call.f == "acquire":
        return [call.process] if state is None else []
    return [None] if state == call.process else []


def fenced_lock(state, call):
    """State: owner, token (`None` if nobody knows it), and the lowest number that the last token can have been."""
    owner, token, highest = state
    if call.f == "acquire":
        if owner is not None:
            return []
        if call.outcome == "info":
            return [(call.process, None, highest + 1)] if highest < 2**63 - 1 else []
        return [(call.process, call.output, call.output)] if call.output > highest else []
    if owner != call.process:
        return []
    if call.value is None:
        return [(None, None, highest)]
    if token is None:
        return [(None, None, call.value)] if call.value >= highest else []
    return [(None, None, highest)] if call.value == token else []


def semaphore(state, call):
    """A semaphore of two permits; the state names the processes that hold them."""
    if call.f == "acquire":
        return [tuple(sorted(state + (call.process,)))] if len(state) < 2 else []
    if call.process not in state:
        return []
    place = state.index(call.process)
    return [state[:place] + state[place + 1:]]


def is_linearizable(calls, spans, initial, step):
    """Whether some order explains all answers.

    `spans` are (invocation, completion) of each call; no completion is infinity.
    """
    certain = sum(1 << number for number, call in enumerate(calls) if call.outcome != "info")
    seen = set()

    def search(done, state):
        if done & certain == certain:
            return True
        known = (done, canonical(state) if step.__name__ in ("register", "<lambda>") else state)
        if known in seen:
            return False
        seen.add(known)
        left = [number for number in range(len(calls)) if not done >> number & 1]
        first_end = min(spans[number][1] for number in left)
        return any(
            search(done | 1 << number, after)
            for number in left
            if spans[number][0] < first_end
            for after in step(state, calls[number])
        )

    return search(0, initial)


def transact(held, call, lists):
    """What the keys hold after the transaction; `None` if it cannot have read what it did."""
    keys = dict(held)
    for number, (f, key, value) in enumerate(call.value):
        if f == "w":
            keys[key] = canonical(value)
        elif f == "append":
            keys[key] = keys.get(key, ()) + (canonical(value),)
        elif call.outcome == "ok":
            read = call.output[number][2]
            seen = tuple(canonical(item) for item in read or []) if lists else canonical(read)
            if keys.get(key, () if lists else NIL) != seen:
                return None
    return frozenset(keys.items())


def is_serializable(calls, spans, level, lists):
    """Whether an order of all transactions explains every read; `level` says which orders count."""
    certain = sum(1 << number for number, call in enumerate(calls) if call.outcome == "ok")
    processes = [call.process for call in calls]
    seen = set()

    def before(other, number):
        if level == "strict-serializable":
            return spans[other][1] < spans[number][0]
        is_session = level == "strong-session-serializable"
        return is_session and processes[other] == processes[number] and spans[other][0] < spans[number][0]

    def search(done, held):
        if done & certain == certain:
            return True
        if (done, held) in seen:
            return False
        seen.add((done, held))
        left = [number for number in range(len(calls)) if not done >> number & 1]
        for number in left:
            if not any(before(other, number) for other in left if certain >> other & 1 and other != number):
                after = transact(held, calls[number], lists)
                if after is not None and search(done | 1 << number, after):
                    return True
        return False

    return search(0, frozenset())


def is_snapshot_isolated(calls, lists):
    """Whether there are moments of begin and commit such that each transaction reads what was committed when it
    began, and of two that overlap no key is changed by both (Berenson et al. 1995, first committer wins)."""
    certain = sum(1 << number for number, call in enumerate(calls) if call.outcome == "ok")
    changes = [{key for f, key, _ in call.value if f != "r"} for call in calls]
    seen = set()

    def search(done, running, held):
        """`running` has who began and did not commit, with the keys that others changed since."""
        if done & certain == certain:
            return True
        known = (done, running, held)
        if known in seen:
            return False
        seen.add(known)
        begun = {number for number, _ in running}
        for number, call in enumerate(calls):
            if done >> number & 1 or number in begun:
                continue
            if transact(held, call, lists) is not None and search(done, running | {(number, frozenset())}, held):
                return True
        for number, changed in running:
            if changes[number] & changed:
                continue
            others = frozenset((other, since | changes[number]) for other, since in running if other != number)
            # What it changes no other changed since it began, so that its own part of the state is as it was then.
            blind = type(calls[number])("txn", [part for part in calls[number].value if part[0] != "r"])
            if search(done | 1 << number, others, transact(held, blind, lists)):
                return True
        return False

    return search(0, frozenset(), frozenset())
