//! Parts of a record of a whole operation, and the names of their fields.

/// Part of an operation that a field of a record belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Client,
    Input,
    Call,
    Output,
    Return,
    /// A field that says nothing about the operation.
    Aside,
}

/// Returns the part that a field of this name belongs to, and the factor that converts its number to nanoseconds.
pub(super) fn part(name: &str) -> Option<(Part, i128)> {
    let (bare, factor) = [("ns", 1), ("us", 1_000), ("ms", 1_000_000)]
        .into_iter()
        .find_map(|(unit, factor)| Some((name.strip_suffix(unit)?, factor)))
        .unwrap_or((name, 1));
    let bare = bare.strip_suffix("timestamp").or(bare.strip_suffix("time")).or(bare.strip_suffix("ts")).unwrap_or(bare);
    Some(match (name, bare) {
        (
            "client" | "clientid" | "process" | "processid" | "worker" | "workerid" | "thread" | "threadid" | "session",
            _,
        ) => (Part::Client, 1),
        ("input" | "args" | "request" | "invocation", _) => (Part::Input, 1),
        ("output" | "result" | "response", _) => (Part::Output, 1),
        ("id" | "index" | "opid" | "seq" | "node" | "server" | "metadata", _) => (Part::Aside, 1),
        (_, "call" | "start" | "begin" | "invoke" | "invoked") => (Part::Call, factor),
        (_, "return" | "returned" | "end" | "finish" | "complete" | "completed") => (Part::Return, factor),
        _ => return None,
    })
}

/// Returns true if a field of this name belongs to records and not to events.
pub(super) fn is_part(name: &str) -> bool {
    matches!(part(&plain(name)), Some((Part::Input | Part::Call | Part::Output | Part::Return, _)))
}

/// Normalizes a name for comparison.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}
