//! Binary format in columns: a history as a checker holds it, made from JSON Lines when a run ends, and read several
//! times faster.
//!
//! All numbers are little-endian. The parts of the file, in order:
//!
//! - 8 bytes: `schism01`, the format and its version; `schism02` if an operation has a revision
//! - 3 × 8 bytes: the length of the text, the number of values, the number of operations
//! - the text, in JSON: names of functions, values that are not [`Value::Int`] with their ids, events of processes that
//!   are not clients, notes; if some clients have names, the number of the first of them, and the names
//! - 8 bytes each: the values from id 1 on, as id 0 is "absent": the number, or 0 where the text has the value
//! - 48 bytes each, or 56 with revisions: the operations in the order of their invocations, in blocks of 65,536, the
//!   last one shorter
//! - 4 bytes: CRC-32C (Castagnoli) of everything before
//!
//! A block holds columns, each with one entry per operation: rank of the invocation, rank of the completion, key,
//! input, `to`, output, process (4 bytes each), function, outcome (1 byte each), node (2), times of invocation and
//! completion in nanoseconds (8 each), and in `schism02` the revision (8). Ranks and ids mean what they mean in
//! [`Operation`]; "none" is 2³²−1 for ranks and ids, and 2⁶⁴−1 for revisions.
//!
//! A file is not trusted: whatever a reader of events would reject is an error here, too. Transactions have no columns.

use std::{
    io::{self, Read, Write},
    path::Path,
};

use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use super::{control::ReadControl, lines::Place};
use crate::{
    Event, Function, History, NEVER, Note, Operation, Outcome, Process, ReadError, Times, Value, ValueId,
    history::{MAX_REVISION, NO_REVISION},
    pairing::FIRST_NAMED,
};

/// Magic numbers of the formats without and with revisions.
pub(super) const MAGICS: [&[u8; 8]; 2] = [b"schism01", b"schism02"];
const BLOCK: usize = 1 << 16;
/// Bytes per operation, without and with a revision.
const WIDTHS: [usize; 2] = [48, 56];
/// Maximum length of the text, bytes.
const MAX_TEXT: u64 = 1 << 30;
/// Functions with fixed numbers; the numbers of all others follow these, in the order of their names in the text.
const FUNCTIONS: [Function; 5] = [Function::Read, Function::Write, Function::Cas, Function::Append, Function::Delete];
const OUTCOMES: [Outcome; 4] = [Outcome::Ok, Outcome::Mismatch, Outcome::Fail, Outcome::Info];

/// Text part of the file: everything that has no columns.
#[derive(Serialize)]
struct Text<'a> {
    functions: &'a [Box<str>],
    values: Vec<(u32, &'a Value)>,
    others: &'a [Event<'static>],
    #[serde(skip_serializing_if = "Option::is_none")]
    processes: Option<(u32, &'a [Value])>,
    #[serde(skip_serializing_if = "<[Note]>::is_empty")]
    notes: &'a [Note],
}

/// Text part of the file, owned, as it is read.
#[derive(Deserialize)]
struct OwnedText<'a> {
    functions: Vec<Box<str>>,
    values: Vec<(u32, Value)>,
    #[serde(borrow)]
    others: Vec<Event<'a>>,
    #[serde(default)]
    processes: Option<(u32, Vec<Value>)>,
    #[serde(default)]
    notes: Vec<Note>,
}

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
        buffer.extend(operations.iter().map(|operation| operation.outcome as u8));
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

/// Reader or writer that computes a checksum of the bytes that pass through it.
struct ChecksumStream<T> {
    inner: T,
    sum: u32,
}

impl<W: Write> Write for ChecksumStream<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.sum = crc32c::crc32c_append(self.sum, &bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for ChecksumStream<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(bytes)?;
        self.sum = crc32c::crc32c_append(self.sum, &bytes[..read]);
        Ok(read)
    }
}

pub(super) fn read(path: &Path, input: impl Read, watch: &ReadControl<'_>) -> Result<History, ReadError> {
    let place = Place { path, line: 1 };
    match columns(input, watch) {
        Ok(history) if history.operations.is_empty() => Err(place.empty()),
        Ok(history) => Ok(history),
        Err(ColumnsError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(place.malformed(b"", 1, "the file of columns is cut off; make it again from its JSON Lines"))
        }
        Err(ColumnsError::Io(source)) => Err(ReadError::Io { path: path.to_owned(), source }),
        Err(ColumnsError::Content(why)) => Err(place.malformed(
            b"",
            1,
            format!("the file of columns is damaged ({why}); make it again from its JSON Lines"),
        )),
    }
}

enum ColumnsError {
    Io(io::Error),
    Content(String),
}

impl From<io::Error> for ColumnsError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<&str> for ColumnsError {
    fn from(why: &str) -> Self {
        Self::Content(why.to_owned())
    }
}

fn columns(input: impl Read, watch: &ReadControl<'_>) -> Result<History, ColumnsError> {
    let mut input = ChecksumStream { inner: input, sum: 0 };
    let [magic, text_bytes, values, operations] = {
        let mut header = [0; 32];
        input.read_exact(&mut header)?;
        [0, 8, 16, 24].map(|at| u64::from_le_bytes(array(&header[at..])))
    };
    let version = MAGICS.iter().position(|known| magic == u64::from_le_bytes(**known)).ok_or("of another version")?;
    if text_bytes > MAX_TEXT || values >= u64::from(u32::MAX) || operations >= u64::from(u32::MAX) {
        return Err("an impossible length".into());
    }
    let mut json = Vec::new();
    if input.by_ref().take(text_bytes).read_to_end(&mut json)? as u64 != text_bytes {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    watch.json(&json)?;
    let text: OwnedText<'_> =
        serde_json::from_slice(&json).map_err(|error| ColumnsError::Content(error.to_string()))?;
    let mut history = History { function_names: text.functions, ..History::default() };
    if let Some((first, names)) = text.processes {
        take_names(&mut history, first, names)?;
    }
    let mut named = text.values.into_iter().peekable();
    blocks(&mut input, values, 8, |block, count| {
        watch.ask(history.values.growth(count))?;
        for number in numbers::<8>(block, 0, count).map(i64::from_le_bytes) {
            let id = u32::try_from(history.values.len()).map_err(|_| "too many values")?;
            let value = named.next_if(|(named, _)| *named == id).map_or(Value::Int(number), |(_, value)| value);
            if history.values.intern(value) != ValueId(id) {
                return Err("a value twice".into());
            }
        }
        Ok(())
    })?;
    if named.next().is_some() {
        return Err("a value without its place".into());
    }
    if history.values.has_not_a_number() {
        return Err("a value that equals nothing".into());
    }
    history.notes = text.notes;
    history.others = text.others.into_iter().map(Event::into_owned).collect();
    blocks(&mut input, operations, WIDTHS[version], |block, count| {
        watch.seen(history.operations.len());
        watch.ask(count * WIDTHS[version])?;
        take(&mut history, block, count)?;
        if version > 0 { take_revisions(&mut history.revisions, block, count) } else { Ok(()) }
    })?;
    if version > 0 && history.revisions.iter().all(|revision| *revision == NO_REVISION) {
        return Err("no revisions where some are expected".into());
    }

    let sum = input.sum;
    let mut stored = [0; 4];
    input.read_exact(&mut stored)?;
    if stored != sum.to_le_bytes() {
        return Err("its checksum differs".into());
    }
    if input.read(&mut [0])? > 0 {
        return Err("data after its checksum".into());
    }
    check_ranks(&history, watch)?;
    Ok(history)
}

/// Reads `total` items of `width` bytes in blocks; memory is only taken for items that are there.
fn blocks(
    input: &mut impl Read,
    total: u64,
    width: usize,
    mut take: impl FnMut(&[u8], usize) -> Result<(), ColumnsError>,
) -> Result<(), ColumnsError> {
    let mut left = total;
    let mut block = Vec::new();
    while left > 0 {
        let count = usize::try_from(left).map_or(BLOCK, |left| left.min(BLOCK));
        block.resize(count * width, 0);
        input.read_exact(&mut block)?;
        take(&block, count)?;
        left -= count as u64;
    }
    Ok(())
}

/// Returns the numbers of a column that begins at byte `from` of a block.
fn numbers<const BYTES: usize>(block: &[u8], from: usize, count: usize) -> impl Iterator<Item = [u8; BYTES]> {
    block[from..from + count * BYTES].chunks_exact(BYTES).map(array)
}

fn array<const BYTES: usize>(bytes: &[u8]) -> [u8; BYTES] {
    bytes[..BYTES].try_into().expect("as many bytes")
}

/// Checks the names of clients and adds them to the history.
fn take_names(history: &mut History, first: u32, names: Vec<Value>) -> Result<(), ColumnsError> {
    let mut known = FxHashSet::default();
    for name in &names {
        let is_name = match Process::from_value(name.clone()) {
            Ok(Process::Client(number)) => number >= FIRST_NAMED.into(),
            Ok(Process::Named(_)) => true,
            Ok(Process::Nemesis) | Err(_) => false,
        };
        if !is_name || !known.insert(name) {
            return Err("an invalid name of a client".into());
        }
    }
    let count = u32::try_from(names.len()).ok().filter(|count| *count > 0);
    if count.and_then(|count| first.checked_add(count)).is_none() {
        return Err("clients without numbers".into());
    }
    (history.first_named, history.process_names) = (first, names);
    Ok(())
}

/// Checks the operations of a block and adds them to the history.
fn take(history: &mut History, block: &[u8], count: usize) -> Result<(), ColumnsError> {
    let column = |place: usize| &block[place * count..];
    let number = |of: usize, at: usize| u32::from_le_bytes(array(&column(4 * of)[4 * at..]));
    let long = |place: usize, at: usize| u64::from_le_bytes(array(&column(place)[8 * at..]));
    for at in 0..count {
        let function = usize::from(column(28)[at]);
        let named = function.checked_sub(FUNCTIONS.len()).and_then(|name| u8::try_from(name).ok());
        let operation = Operation {
            invoked: number(0, at),
            completed: number(1, at),
            key: ValueId(number(2, at)),
            input: ValueId(number(3, at)),
            to: ValueId(number(4, at)),
            output: ValueId(number(5, at)),
            process: number(6, at),
            function: match (FUNCTIONS.get(function), named) {
                (Some(known), _) => *known,
                (None, Some(name)) if usize::from(name) < history.function_names.len() => Function::Other(name),
                _ => return Err("a function without a name".into()),
            },
            outcome: *OUTCOMES.get(usize::from(column(29)[at])).ok_or("an invalid outcome")?,
        };
        let past = history.first_named as usize + history.process_names.len();
        if !history.process_names.is_empty() && operation.process as usize >= past {
            return Err("a client without a name".into());
        }
        let is_value = |id: ValueId| (id.0 as usize) < history.values.len();
        let is_known = |id: ValueId| id == ValueId::UNKNOWN || is_value(id);
        let Operation { key, input, to, output, .. } = operation;
        if !(is_value(key) && [input, to, output].into_iter().all(is_known)) {
            return Err("a missing value".into());
        }
        let times = Times { invoked_ns: long(32, at), completed_ns: long(40, at) };
        if times.completed_ns < times.invoked_ns {
            return Err("an operation that ends before it begins".into());
        }
        history.operations.push(operation);
        history.nodes.push(u16::from_le_bytes(array(&column(30)[2 * at..])));
        history.times.push(times);
    }
    Ok(())
}

/// Checks the revisions of a block and adds them.
fn take_revisions(revisions: &mut Vec<u64>, block: &[u8], count: usize) -> Result<(), ColumnsError> {
    for revision in numbers::<8>(block, WIDTHS[0] * count, count).map(u64::from_le_bytes) {
        if revision > MAX_REVISION && revision != NO_REVISION {
            return Err("a revision that is too large".into());
        }
        revisions.push(revision);
    }
    Ok(())
}

/// Checks that the ranks can be those of events: each belongs to one event, a completion comes after its invocation,
/// and a process has one operation at a time.
fn check_ranks(history: &History, watch: &ReadControl<'_>) -> Result<(), ColumnsError> {
    let events = 2 * history.operations.len() + history.others.len();
    let mut taken = vec![0_u64; events.div_ceil(64)];
    let mut busy: FxHashMap<u32, u32> = FxHashMap::default();
    let mut last = None;
    for (place, operation) in history.operations.iter().enumerate() {
        if place % BLOCK == 0 {
            watch.ask(0)?;
        }
        let Operation { invoked, completed, process, outcome, .. } = operation;
        let is_open = *outcome == Outcome::Info;
        if last.is_some_and(|last| last >= *invoked) || is_open != (*completed == NEVER) || completed <= invoked {
            return Err("operations out of order".into());
        }
        last = Some(*invoked);
        for rank in [*invoked, *completed].into_iter().filter(|rank| *rank != NEVER) {
            let (word, bit) = (rank as usize / 64, 1 << (rank % 64));
            if rank as usize >= events || taken[word] & bit != 0 {
                return Err("two events in one place".into());
            }
            taken[word] |= bit;
        }
        let free = busy.insert(*process, if is_open { *invoked } else { *completed });
        if free.is_some_and(|free| free > *invoked) {
            return Err("two operations of a process at once".into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::read_bytes;

    const LINES: &str = concat!(
        r#"{"index":0,"time":5,"process":0,"type":"invoke","f":"write","key":"k","value":1,"node":3}"#,
        "\n",
        r#"{"index":1,"time":6,"process":"nemesis","type":"info","f":"start-kill","value":{"id":1}}"#,
        "\n",
        r#"{"index":2,"time":7,"process":1,"type":"invoke","f":"cas","key":"k","value":[1,"two"],"node":2}"#,
        "\n",
        r#"{"index":3,"time":8,"process":0,"type":"ok","f":"write","key":"k","value":1}"#,
        "\n",
        r#"{"index":4,"time":9,"process":1,"type":"fail","f":"cas","key":"k","value":[1,"two"],"observed":-9007199254740993}"#,
        "\n",
        r#"{"index":5,"time":9,"process":2,"type":"invoke","f":"frob","key":"k","value":0.5}"#,
        "\n",
        r#"{"index":6,"time":9,"process":3,"type":"invoke","f":"read","key":"k"}"#,
        "\n",
        r#"{"index":7,"time":11,"process":3,"type":"fail","f":"read","key":"k","error":"refused"}"#,
        "\n",
    );

    fn in_columns(history: &History) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_columns(&mut bytes, history).unwrap();
        bytes
    }

    /// Returns everything that a history states.
    fn lines_of(history: &History) -> String {
        let values: Vec<_> = (0_u32..).take(history.values.len()).map(|id| history.value(ValueId(id))).collect();
        let processes: Vec<_> = history.operations.iter().map(|operation| history.process(operation.process)).collect();
        let History { operations, others, function_names, times, nodes, revisions, .. } = history;
        format!(
            "{operations:?} {values:?} {others:?} {function_names:?} {times:?} {nodes:?} {revisions:?} {processes:?}"
        )
    }

    /// Returns the test lines with two revisions.
    fn with_revisions() -> String {
        let lines = LINES.replace(r#""value":1}"#, r#""value":1,"revision":9223372036854775807}"#);
        lines.replace(r#""error":"refused""#, r#""revision":0,"error":"refused""#)
    }

    #[test]
    fn columns_say_what_the_lines_said() {
        for (lines, magic) in [(LINES, MAGICS[0]), (&with_revisions(), MAGICS[1])] {
            let history = read_bytes("h", lines.as_bytes(), None).unwrap();
            let columns = in_columns(&history);
            let again = read_bytes("h", &columns, None).unwrap();
            assert_eq!(lines_of(&again), lines_of(&history));
            assert!(columns.starts_with(magic));
            assert_eq!(history.operations.len(), 4, "the example has lost its point");
        }
    }

    #[test]
    fn of_revisions_there_are_some_and_none_is_too_large() {
        let bytes = in_columns(&read_bytes("h", with_revisions().as_bytes(), None).unwrap());
        for (revisions, why) in [
            ([NO_REVISION, NO_REVISION, NO_REVISION, NO_REVISION], "no revisions where some are expected"),
            ([0, 1, MAX_REVISION + 1, 2], "a revision that is too large"),
        ] {
            let mut forged = bytes.clone();
            let end = bytes.len() - 4;
            forged[end - 32..end].copy_from_slice(&revisions.map(u64::to_le_bytes).concat());
            let error = read_bytes("h", &summed(forged), None).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    /// Returns the test lines with clients that have names.
    fn with_names() -> String {
        let lines = LINES.replace(r#""process":0"#, r#""process":"w 1""#);
        lines
            .replace(r#""process":2"#, r#""process":{"$edn":":w"}"#)
            .replace(r#""process":3"#, r#""process":18446744073709551615"#)
    }

    #[test]
    fn names_of_clients_are_kept() {
        let history = read_bytes("h", with_names().as_bytes(), None).unwrap();
        assert_eq!(history.process_names.len(), 3, "the example has lost its point");
        let columns = in_columns(&history);
        assert_eq!(lines_of(&read_bytes("h", &columns, None).unwrap()), lines_of(&history));
        let start = br#""processes":["#;
        let place = columns.windows(start.len()).position(|part| part == start).expect("they are there") + start.len();
        let mut forged = columns;
        assert_eq!(forged[place], b'2', "above process 1");
        forged[place] = b'1';
        let error = read_bytes("h", &summed(forged), None).unwrap_err().to_string();
        assert!(error.contains("a client without a name"), "{error}");
    }

    #[test]
    fn several_blocks_are_one_history() {
        let mut lines = String::new();
        for number in 0..BLOCK + 2 {
            for kind in ["invoke", "ok"] {
                let process = number % 7;
                lines += &format!(
                    r#"{{"process":{process},"type":"{kind}","f":"write","value":{number},"revision":{number}}}"#
                );
                lines.push('\n');
            }
        }
        let history = read_bytes("h", lines.as_bytes(), None).unwrap();
        assert_eq!(lines_of(&read_bytes("h", &in_columns(&history), None).unwrap()), lines_of(&history));
    }

    #[test]
    fn transactions_are_refused() {
        let line = r#"{"process":0,"type":"invoke","f":"txn","value":[["append",1,2]]}"#;
        let history = read_bytes("h", line.as_bytes(), None).unwrap();
        let refused = write_columns(&mut Vec::new(), &history).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::Unsupported);
    }

    #[test]
    fn what_is_cut_off_or_goes_on_is_no_history() {
        let bytes = in_columns(&read_bytes("h", with_revisions().as_bytes(), None).unwrap());
        for length in 8..bytes.len() {
            let error = read_bytes("h", &bytes[..length], None).unwrap_err().to_string();
            assert!(error.contains("cut off"), "{length}: {error}");
        }
        let longer = [&bytes[..], b"x"].concat();
        assert!(read_bytes("h", &longer, None).unwrap_err().to_string().contains("data after its checksum"));
    }

    /// Replaces the checksum by one that fits, so that the other checks have to reject the bytes.
    fn summed(mut bytes: Vec<u8>) -> Vec<u8> {
        let end = bytes.len() - 4;
        let sum = crc32c::crc32c(&bytes[..end]);
        bytes[end..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    proptest! {
        #[test]
        fn a_damaged_file_is_refused(at in 8_usize..900, by in 1_u8..=255, numbered in any::<bool>()) {
            let lines = if numbered { with_revisions() } else { LINES.to_owned() };
            let mut bytes = in_columns(&read_bytes("h", lines.as_bytes(), None).unwrap());
            let at = at % bytes.len();
            bytes[at] ^= by;
            prop_assert!(read_bytes("h", &bytes, None).is_err());
        }

        /// Forges a file with a checksum that fits; reading it must return a history or an error.
        #[test]
        fn a_forged_file_makes_no_reader_panic(
            changes in proptest::collection::vec((0_usize..900, any::<u8>()), 1..6), numbered in any::<bool>()
        ) {
            let lines = if numbered { with_revisions() } else { LINES.to_owned() };
            let mut bytes = in_columns(&read_bytes("h", lines.as_bytes(), None).unwrap());
            let length = bytes.len() - 4;
            for (at, by) in changes {
                bytes[8 + at % (length - 8)] = by;
            }
            if let Ok(history) = read_bytes("h", &summed(bytes), None) {
                prop_assert!(history.operations.iter().all(|o| o.completed > o.invoked));
            }
        }
    }
}
