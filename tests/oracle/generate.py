"""Random small histories of every model: a correct object answers, and now and then an answer is tampered with."""

import json

import models
from models import NIL, Call

NUMBERS = [0, 1, 2, -1, 7]
STRANGE = [
    None, True, False, "", "a", "1", ":a", 0, 1, 1.0, 0.5, -0.0, 2**63 - 1, 2**63, 2**64, 2**64 + 1, -(2**63),
    10**30, 10**30 + 1,
    [], [1], [1, 2], ["1"], [None], {"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1}, {},
]
TEXTS = ["", "a", "b", "ab", "0", None, 0, 7]


class Model:
    """A model of the checker with how to try it."""

    def __init__(self, name, initial, step, ask, wrong, arguments=(), share=1):
        self.name, self.initial, self.step, self.ask, self.wrong = name, initial, step, ask, wrong
        self.arguments, self.share = arguments, share


def ask_register(rng, values):
    f = rng.choice(["read", "read", "write", "write", "cas"])
    if f == "cas":
        return f, [rng.choice(values), rng.choice(values)]
    return f, None if f == "read" else rng.choice(values)


def ask_kv(rng, values):
    f = rng.choice(["read", "read", "write", "append", "append", "delete", "cas"])
    if f == "cas":
        return f, [rng.choice(values), rng.choice(values)]
    return f, None if f in ("read", "delete") else rng.choice(values)


def ask_transaction(functions):
    def ask(rng, values):
        def micro(_):
            f = rng.choice(functions)
            return [f, rng.choice("xy"), None if f == "r" else rng.choice(values)]
        return "txn", [micro(number) for number in range(rng.randint(1, 3))]
    return ask


def ask_one_of(*choices):
    """`(function, whether it has an argument)`, evenly."""
    def ask(rng, values):
        f, argued = rng.choice(choices)
        return f, rng.choice(values) if argued else None
    return ask


def ask_counter(rng, _):
    f = rng.choice(["read", "read", "inc", "dec", "add"])
    return f, rng.choice([1, 2, 5, -3]) if f == "add" else None


def ask_lock(rng, _):
    return rng.choice(["acquire", "release"]), None


def wrong_scalar(values):
    return lambda rng, call: rng.choice(values)


def wrong_list(values):
    return lambda rng, call: [rng.choice(values) for _ in range(rng.randint(0, 3))]


def wrong_transaction(values, lists):
    def wrong(rng, call):
        output = [list(part) for part in call.output]
        reads = [part for part in output if part[0] == "r"]
        if reads:
            if lists:
                answer = [rng.choice(values) for _ in range(rng.randint(0, 3))]
            else:
                answer = rng.choice([None, *values])
            rng.choice(reads)[2] = answer
        return output
    return wrong


def transact(state, micros, lists):
    """What a transaction answers, and the state after it."""
    held, output = dict(state), []
    for f, key, value in micros:
        if f == "r":
            value = [json_of(item) for item in held.get(key, ())] if lists else json_of(held.get(key, NIL))
        elif f == "append":
            held[key] = held.get(key, ()) + (models.canonical(value),)
        else:
            held[key] = models.canonical(value)
        output.append([f, key, value])
    return output, frozenset(held.items())


def answer(rng, model, state, call):
    """What the object answers now, or `NotImplemented` if it cannot answer at all, and its state after."""
    if call.f == "txn":
        return transact(state, call.value, lists=model.name == "list-append")
    is_one_value = model.name in ("register", "cas-register", "kv", "counter")
    outputs = {
        "read": lambda: state if is_one_value else [json_of(item) for item in state],
        "contains": lambda: models.canonical(call.value) in state,
        "dequeue": lambda: json_of(state[0]) if state else None,
        "poll": lambda: json_of(state[0]) if state else None,
        "pop": lambda: json_of(state[-1]) if state else None,
        "take": lambda: json_of(rng.choice(state)) if state else None,
        "peek": lambda: json_of(state[-1 if model.name == "stack" else 0]) if state else None,
        "acquire": lambda: state[2] + rng.randint(1, 2) if model.name == "fenced-lock" else None,
    }
    output = outputs[call.f]() if call.f in outputs else None
    if call.f == "cas" and models.canonical(state) != models.canonical(call.value[0]):
        return Ellipsis if rng.random() < 0.3 else state, state, "mismatch"
    trial = Call(call.f, call.value, output, "ok", call.process)
    after = model.step(state, trial)
    return (output, after[0]) if after else (NotImplemented, state)


def json_of(form):
    """The JSON value of a canonical form."""
    kind, *rest = form
    if kind == "nil":
        return None
    if kind in ("bool", "text"):
        return rest[0]
    if kind == "list":
        return [json_of(item) for item in rest[0]]
    if kind == "map":
        return {name: json_of(item) for name, item in sorted(rest[0])}
    number = rest[0]
    return int(number) if number.denominator == 1 else float(number)


def history(rng, model, most=8):
    """Calls with their spans: a correct object between invocation and completion, and perhaps one wrong answer."""
    values = model.arguments
    if rng.random() < 0.5:
        values = rng.sample(values, min(3, len(values)))
    processes, fresh = list(range(rng.randint(1, 4))), 4
    open_calls, calls, spans, applied = {}, [], [], {}
    state, clock, length = model.initial, 0, rng.randint(2, most)
    while len(calls) < length or open_calls:
        clock += 1
        idle = [process for process in processes if process not in open_calls]
        if len(calls) < length and idle and rng.random() < 0.55:
            process = rng.choice(idle)
            f, value = model.ask(rng, values)
            open_calls[process] = len(calls)
            calls.append(Call(f, value, None, "info", process))
            spans.append((clock, float("inf")))
            continue
        if not open_calls:
            continue
        process = rng.choice(list(open_calls))
        number = open_calls[process]
        call = calls[number]
        if number not in applied and rng.random() < 0.9:
            output, after, *kind = answer(rng, model, state, call)
            if output is NotImplemented:
                # It would have to wait: nobody answers, and it does not happen.
                if rng.random() < 0.5:
                    call.outcome, spans[number] = "fail", (spans[number][0], clock)
                    del open_calls[process]
                continue
            state, applied[number] = after, (output, kind[0] if kind else "ok")
            if rng.random() < 0.4:
                continue
        del open_calls[process]
        if number in applied and rng.random() < 0.85:
            call.output, call.outcome = applied[number]
            spans[number] = (spans[number][0], clock)
        elif number not in applied and rng.random() < 0.3:
            call.outcome, spans[number] = "fail", (spans[number][0], clock)
        else:
            processes[processes.index(process)] = fresh
            fresh += 1
    looked = [call for call in calls if call.outcome == "ok" and answers_something(call)]
    if looked and rng.random() < 0.5:
        call = rng.choice(looked)
        call.output = model.wrong(rng, call)
    return calls, spans


def answers_something(call):
    return call.f in ("read", "contains", "dequeue", "poll", "pop", "take", "peek", "txn")


def events(calls, spans):
    """The lines of the history, in order, as objects."""
    lines = []
    for call, (begin, end) in zip(calls, spans):
        has_none = call.f == "read" or call.value is None and call.f not in ("write", "append")
        value = {} if has_none else {"value": call.value}
        line = {"process": call.process, "f": call.f}
        lines.append((begin, line | {"type": "invoke"} | value))
        if end == float("inf"):
            continue
        if call.outcome == "ok":
            if answers_something(call) or call.f == "acquire" and call.output is not None:
                value = {"value": call.output}
            lines.append((end, line | {"type": "ok"} | value))
        elif call.outcome == "mismatch":
            told = {"mismatch": True} if call.output is Ellipsis else {"observed": call.output}
            lines.append((end, line | {"type": "fail"} | value | told))
        else:
            lines.append((end, line | {"type": "fail"} | value))
    lines.sort(key=lambda line: line[0])
    return [{"index": index, "time": 10 * clock} | line for index, (clock, line) in enumerate(lines)]


def as_json_lines(lines):
    """As schism's own format."""
    return "".join(json.dumps(line) + "\n" for line in lines)


def as_edn(lines):
    """As Jepsen prints operations."""
    fields = (", ".join(f":{name} {edn_field(name, value)}" for name, value in line.items()) for line in lines)
    return "".join("{" + line + "}\n" for line in fields)


def edn_field(name, value):
    if name in ("type", "f") or name == "process" and isinstance(value, str):
        return f":{value}"
    has_lists = isinstance(value, list) and value and isinstance(value[0], list)
    if name == "value" and has_lists and value[0][0] in ("r", "w", "append"):
        return "[" + " ".join(f"[:{f} {edn(key)} {edn(item)}]" for f, key, item in value) + "]"
    return edn(value)


def edn(value):
    """A JSON value that has no decimals as EDN writes it."""
    if value is None:
        return "nil"
    if isinstance(value, list):
        return "[" + " ".join(edn(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{edn(name)} {edn(item)}" for name, item in value.items()) + "}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
        return f"{value}N"
    return json.dumps(value, ensure_ascii=False)


def written(rng, model, calls, spans):
    """The history as a file: its text and the end of its name."""
    lines = events(calls, spans)
    if rng.random() < 0.1:
        lines = [line | {"process": f"client{line['process']}"} for line in lines]
    # JSON and EDN differ in which decimals are equal to whole numbers.
    if model.arguments is not STRANGE and rng.random() < 0.3:
        return as_edn(lines), "edn"
    return as_json_lines(lines), "jsonl"


def all_models():
    """Each model, with the arguments and the wrong answers that are tried."""
    values = [1, 2, 3]
    mixed = [1, 2, "1", "a"]
    return [
        Model("register", None, models.register, ask_register, wrong_scalar(STRANGE), STRANGE, share=2),
        Model("cas-register", None, models.register, ask_register, wrong_scalar([0, 1, 2, None]), [0, 1, 2]),
        Model("kv", None, models.kv(None), ask_kv, wrong_scalar(TEXTS + ["aa", "aab", "0a"]), TEXTS, share=3),
        Model("kv", "", models.kv(""), ask_kv, wrong_scalar(TEXTS + ["aa", "aab", "0a"]), TEXTS),
        Model("multi-register", frozenset(), models.multi_register, ask_transaction(["r", "w"]),
              wrong_transaction(NUMBERS, False), NUMBERS),
        Model("set", frozenset(), models.a_set,
              ask_one_of(("add", 1), ("add", 1), ("remove", 1), ("contains", 1), ("read", 0)),
              lambda rng, call: rng.random() < 0.5 if call.f == "contains" else wrong_list(mixed)(rng, call), mixed),
        Model("counter", 0, models.counter, ask_counter, wrong_scalar([0, 1, 2, 3, -1]), values),
        Model("queue", (), models.queue,
              ask_one_of(("enqueue", 1), ("enqueue", 1), ("dequeue", 0), ("dequeue", 0), ("peek", 0)),
              wrong_scalar([None, *mixed]), mixed),
        Model("queue", (), models.queue, ask_one_of(("enqueue", 1), ("dequeue", 0)),
              wrong_scalar([None, *range(9)]), range(40)),
        Model("stack", (), models.stack,
              ask_one_of(("push", 1), ("push", 1), ("pop", 0), ("pop", 0), ("peek", 0)),
              wrong_scalar([None, *mixed]), mixed),
        Model("stack", (), models.stack, ask_one_of(("push", 1), ("pop", 0)),
              wrong_scalar([None, *range(9)]), range(40)),
        Model("priority-queue", (), models.priority_queue,
              ask_one_of(("insert", 1), ("insert", 1), ("poll", 0), ("poll", 0), ("peek", 0)),
              wrong_scalar([None, *NUMBERS]), NUMBERS),
        Model("bag", (), models.bag, ask_one_of(("add", 1), ("take", 0)), wrong_scalar([None, *mixed]), mixed),
        Model("list", (), models.a_list, ask_one_of(("append", 1), ("read", 0)), wrong_list(mixed), mixed),
        Model("mutex", None, models.mutex, ask_lock, wrong_scalar([None])),
        Model("fenced-lock", (None, None, -(2**63)), models.fenced_lock, ask_lock, wrong_scalar([1])),
        Model("semaphore", (), models.semaphore, ask_lock, wrong_scalar([None])),
        Model("list-append", frozenset(), None, ask_transaction(["r", "append"]), wrong_transaction(values, True),
              range(1, 40), share=2),
        Model("rw-register", frozenset(), None, ask_transaction(["r", "w"]), wrong_transaction(values, False),
              range(1, 40), share=2),
    ]
