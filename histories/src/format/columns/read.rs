//! Reader of a file of columns, which trusts none of it.

use std::{
    io::{self, Read},
    path::Path,
};

use rustc_hash::{FxHashMap, FxHashSet};

use super::layout::{BLOCK, ChecksumStream, FINAL, FUNCTIONS, MAGICS, MAX_TEXT, OUTCOMES, OwnedText, WIDTHS};
use crate::{
    Event, Function, History, NEVER, Operation, Outcome, Process, ReadError, Times, Value, ValueId,
    format::{control::ReadControl, lines::Place},
    history::{MAX_REVISION, NO_REVISION},
    pairing::FIRST_NAMED,
};

/// Reads a history in columns.
pub(in crate::format) fn read(path: &Path, input: impl Read, watch: &ReadControl<'_>) -> Result<History, ReadError> {
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
    take_links(&mut history, &text.links, operations)?;
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

/// Checks the positions and links and adds them to the history.
fn take_links(history: &mut History, links: &[(u32, [u32; 2])], operations: u64) -> Result<(), ColumnsError> {
    let is_known = |id: &u32| (*id as usize) < history.values.len() || *id == ValueId::UNKNOWN.0;
    let is_valid = |(index, ids): &(u32, [u32; 2])| u64::from(*index) < operations && ids.iter().all(is_known);
    if !links.iter().all(is_valid) || !links.is_sorted_by(|one, next| one.0 < next.0) {
        return Err("a link of no operation".into());
    }
    history.links = links.iter().map(|(index, ids)| (*index, ids.map(ValueId))).collect();
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
            outcome: *OUTCOMES.get(usize::from(column(29)[at] & !FINAL)).ok_or("an invalid outcome")?,
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
        if column(29)[at] & FINAL != 0 {
            history.mark_final(history.operations.len());
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
