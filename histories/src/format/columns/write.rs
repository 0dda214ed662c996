//! Writer of a file of columns.

use std::io::{self, Write};

use super::layout::{BLOCK, ChecksumStream, FINAL, FUNCTIONS, MAGICS, OwnedText, Text};
use crate::{Function, History, Operation, Value, ValueId};

/// Writes a history in columns.
///
/// # Errors
/// Returns an error if `out` cannot be written, or if the history has transactions, or values that JSON cannot
/// represent ([`io::ErrorKind::Unsupported`]).
pub fn write_columns(out: &mut dyn Write, history: &History) -> io::Result<()> {
    let unsupported = |what| Err(io::Error::new(io::ErrorKind::Unsupported, what));
    if !history.transactions.is_empty() {
        return unsupported("transactions have no columns: write JSON Lines");
    }
    let count = u32::try_from(history.values.len()).expect("values are numbered by u32");
    let values = || (1..count).map(|id| (id, history.value(ValueId(id))));
    let text = Text {
        functions: &history.function_names,
        values: values().filter(|(_, value)| !matches!(value, Value::Int(_))).collect(),
        others: &history.others,
        processes: (!history.process_names.is_empty()).then_some((history.first_named, &history.process_names)),
        notes: &history.notes,
        links: history.links.iter().map(|(index, ids)| (*index, ids.map(|id| id.0))).collect(),
    };
    let json = serde_json::to_vec(&text)?;
    let back: OwnedText<'_> = serde_json::from_slice(&json)?;
    if !back.values.iter().map(|(id, value)| (*id, value)).eq(text.values.iter().copied()) {
        return unsupported("a value has no form in JSON: keep the history as it is");
    }
    let mut out = ChecksumStream { inner: out, sum: 0 };
    out.write_all(MAGICS[usize::from(!history.revisions.is_empty())])?;
    for length in [json.len(), history.values.len() - 1, history.operations.len()] {
        out.write_all(&(length as u64).to_le_bytes())?;
    }
    out.write_all(&json)?;
    let mut buffer = Vec::new();
    for (_, value) in values() {
        let number = if let Value::Int(number) = value { *number } else { 0 };
        buffer.extend(number.to_le_bytes());
        if buffer.len() >= BLOCK {
            out.write_all(&buffer)?;
            buffer.clear();
        }
    }
    out.write_all(&buffer)?;
    for (block, operations) in history.operations.chunks(BLOCK).enumerate() {
        let (from, until) = (block * BLOCK, block * BLOCK + operations.len());
        let fields: [fn(&Operation) -> u32; 7] =
            [|o| o.invoked, |o| o.completed, |o| o.key.0, |o| o.input.0, |o| o.to.0, |o| o.output.0, |o| o.process];
        buffer.clear();
        for field in fields {
            buffer.extend(operations.iter().flat_map(|operation| field(operation).to_le_bytes()));
        }
        buffer.extend(operations.iter().map(|operation| function_number(operation.function)));
        let mark = |index: usize| if history.is_final(index) { FINAL } else { 0 };
        buffer.extend((from..until).zip(operations).map(|(index, operation)| operation.outcome as u8 | mark(index)));
        buffer.extend(history.nodes[from..until].iter().flat_map(|node| node.to_le_bytes()));
        buffer.extend(history.times[from..until].iter().flat_map(|times| times.invoked_ns.to_le_bytes()));
        buffer.extend(history.times[from..until].iter().flat_map(|times| times.completed_ns.to_le_bytes()));
        let revisions = history.revisions.get(from..until).unwrap_or_default();
        buffer.extend(revisions.iter().flat_map(|revision| revision.to_le_bytes()));
        out.write_all(&buffer)?;
    }
    let sum = out.sum;
    out.write_all(&sum.to_le_bytes())
}

fn function_number(function: Function) -> u8 {
    match function {
        Function::Other(name) => name.saturating_add(5),
        known => FUNCTIONS.iter().zip(0..).find(|(other, _)| **other == known).map_or(u8::MAX, |(_, number)| number),
    }
}
