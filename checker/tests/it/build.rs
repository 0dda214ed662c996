//! Histories written by hand, one event per line.

use histories::{Event, EventType, History, HistoryBuilder, Process, Value};

/// Parses a history from lines such as `0 invoke write 1`, `0 ok write`, `1 invoke cas 1 2`, `1 fail cas found 3`,
/// `1 fail cas mismatch`, `2 invoke read`, `2 ok read nil`, followed by ` #7` for revision 7. Whole numbers are
/// numbers, `nil` is absent, `true` and `false` are themselves, `[1,2]` is a list, and anything else is text. The
/// events are 1 ms apart.
pub(crate) fn history(text: &str) -> History {
    let mut builder = HistoryBuilder::default();
    for (place, line) in (0..).zip(text.lines().map(str::trim).filter(|line| !line.is_empty())) {
        let (line, revision) = line.split_once(" #").map_or((line, None), |(line, revision)| (line, Some(revision)));
        let words: Vec<&str> = line.split_whitespace().collect();
        let kind = match words[1] {
            "invoke" => EventType::Invoke,
            "ok" => EventType::Ok,
            "fail" => EventType::Fail,
            "info" => EventType::Info,
            other => panic!("{other} is no type of event"),
        };
        let (f, key) = words[2].split_once('@').map_or((words[2], None), |(f, key)| (f, Some(value(key))));
        let mut event = Event::new(Process::Client(words[0].parse().unwrap()), kind, f);
        event.time = place * 1_000_000;
        event.key = key;
        event.revision = revision.map(|revision| revision.parse().unwrap());
        match words[3..] {
            [] => {}
            ["mismatch"] => event.mismatch = true,
            ["found", found] => event.observed = Some(value(found)),
            [one] => event.value = Some(value(one)),
            [from, to] => event.value = Some(Value::List(vec![value(from), value(to)])),
            _ => panic!("too many words in {line}"),
        }
        builder.push(event).unwrap();
    }
    builder.finish()
}

fn value(word: &str) -> Value {
    match word {
        "nil" => Value::Nil,
        "true" | "false" => Value::Bool(word == "true"),
        "[]" => Value::List(Vec::new()),
        word if word.starts_with('[') => {
            let mut depth = 0;
            let between = |letter: char| {
                depth += i32::from(letter == '[') - i32::from(letter == ']');
                letter == ',' && depth == 0
            };
            Value::List(word[1..word.len() - 1].split(between).map(value).collect())
        }
        word => word.parse().map_or_else(|_| word.into(), Value::Int),
    }
}
