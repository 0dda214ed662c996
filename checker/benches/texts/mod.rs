//! Text under one key that clients write, append to, delete, and read.

use histories::{Event, EventType, History, HistoryBuilder, Process, Value};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

struct Call {
    f: &'static str,
    argument: String,
    ends: u32,
    takes_effect: u32,
    answer: Option<Value>,
}

/// Simulates clients that are always inside an operation. Each part is one of `parts` many, or a new one each time if
/// that is 0; `unknown` in a hundred changes have an unknown outcome. If `is_stale`, the last read returns an old text.
pub(crate) fn simulate(operations: usize, clients: usize, parts: u32, unknown: u32, is_stale: bool) -> History {
    let mut rng = Pcg64::seed_from_u64(11);
    let (mut text, mut old, mut next) = (None::<String>, None::<String>, 0);
    let mut events = HistoryBuilder::default();
    let mut calls: Vec<(u64, Option<Call>)> = (0..clients as u64).map(|process| (process, None)).collect();
    let (mut processes, mut begun) = (clients as u64, 0);
    let mut push = |process, kind, f, value| {
        let event = Event { value, ..Event::new(Process::Client(process), kind, f) };
        events.push(event).expect("the simulation keeps the rules");
    };
    while begun < operations || calls.iter().any(|(_, call)| call.is_some()) {
        let at = rng.random_range(0..clients);
        let (process, call) = (calls[at].0, calls[at].1.take());
        calls[at].1 = match call {
            None if begun < operations => {
                begun += 1;
                next += 1;
                let part = if parts == 0 { next } else { rng.random_range(0..parts) };
                let (f, argument) = match rng.random_range(0..100) {
                    0..50 => ("get", String::new()),
                    50..75 => ("append", format!(",{part}")),
                    75..80 => ("delete", String::new()),
                    _ => ("put", part.to_string()),
                };
                let said = matches!(f, "append" | "put").then(|| Value::from(&*argument));
                push(process, EventType::Invoke, f, said);
                let ends = rng.random_range(4..40);
                Some(Call { f, argument, ends, takes_effect: rng.random_range(1..ends), answer: None })
            }
            Some(Call { f, ends: 0, answer, .. }) => {
                let is_last = is_stale && f == "get" && begun == operations;
                if f != "get" && rng.random_range(0..100) < unknown {
                    push(process, EventType::Info, f, None);
                    calls[at].0 = processes;
                    processes += 1;
                } else if is_last && let Some(old) = old.take() {
                    push(process, EventType::Ok, f, Some(Value::from(&*old)));
                } else {
                    push(process, EventType::Ok, f, answer);
                }
                None
            }
            Some(mut call) => {
                if call.ends == call.takes_effect {
                    match call.f {
                        "append" => text.get_or_insert_default().push_str(&call.argument),
                        "delete" => text = None,
                        "put" => text = Some(call.argument.clone()),
                        _ => call.answer = Some(text.as_deref().map_or(Value::Nil, Value::from)),
                    }
                    if begun < operations / 2 && text.is_some() {
                        old.clone_from(&text);
                    }
                }
                call.ends -= 1;
                Some(call)
            }
            None => None,
        };
    }
    events.finish()
}
