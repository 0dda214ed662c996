//! Data for the page's script: the operations in columns, times in µs, repeated texts as indexes into tables. It is
//! JSON, packed by gzip and written in base64, which the script undoes when something is to be drawn.

use std::{
    collections::{BTreeMap, HashMap},
    io::Write as _,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use flate2::{Compression, write::GzEncoder};
use histories::{History, Outcome, Process, ValueId};
use serde::Serialize;

use super::{Facts, page::text};
use crate::{render::operations::values_in_words, terminal::words::plain};

/// Maximum length of a value in characters; longer ones are cut.
const MOST_VALUE: usize = 80;
/// Maximum number of bytes of all states that are shown; later operations have none.
const MOST_STATE_BYTES: usize = 4_000_000;

#[derive(Debug, Default, Serialize)]
struct Data {
    /// Time of each invocation since the one before, in µs, in order of invocation.
    since: Vec<i64>,
    /// Duration of each operation in µs; of one of unknown outcome, until the end of the history.
    took: Vec<u64>,
    /// Indexes into `functions`, `keys` and `values`; outcomes are 0 ok, 1 mismatch, 2 fail, 3 info.
    function: Vec<usize>,
    /// Place of each operation in the order that was found of its key, less the number of operations on that key
    /// before it, which makes small numbers; none if it has no place.
    place: Vec<Option<i64>>,
    /// State that each operation leaves in that order: index into `states`, less that of the one before which has a
    /// state.
    state: Vec<Option<i64>>,
    key: Vec<usize>,
    value: Vec<usize>,
    outcome: Vec<u8>,
    process: Vec<u32>,
    /// Names of the processes that have one.
    names: BTreeMap<u32, String>,
    node: Vec<u16>,
    functions: Vec<String>,
    keys: Vec<String>,
    values: Vec<String>,
    states: Vec<String>,
    /// Indexes of the operations of the evidence.
    evidence: Vec<usize>,
    faults: Vec<FaultBand>,
    reigns: Vec<LeadershipBand>,
    end: u64,
    /// True if the history has times; without them, each event counts as a thousand µs.
    has_times: bool,
}

#[derive(Debug, Serialize)]
struct FaultBand {
    from: u64,
    until: u64,
    words: String,
}

#[derive(Debug, Serialize)]
struct LeadershipBand {
    node: u16,
    term: u64,
    from: u64,
    until: u64,
}

/// Interned texts: the index of each, and the texts in order of index.
#[derive(Default)]
struct Texts(HashMap<String, usize>, Vec<String>);

impl Texts {
    fn number(&mut self, of: String) -> usize {
        *self.0.entry(of).or_insert_with_key(|of| {
            self.1.push(of.clone());
            self.1.len() - 1
        })
    }
}

/// Packs the data of a page as text that is safe inside a script element.
pub(super) fn packed(facts: &Facts<'_>) -> String {
    let json = serde_json::to_vec(&columns(facts)).expect("what is shown has a form in JSON");
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    let packed = packer.write_all(&json).and_then(|()| packer.finish()).expect("memory takes all that is written");
    BASE64_STANDARD.encode(packed)
}

fn columns(facts: &Facts<'_>) -> Data {
    let history: &History = facts.history;
    let micros = |ns: u64| ns / 1000;
    let (mut functions, mut keys, mut values) = (Texts::default(), Texts::default(), Texts::default());
    let mut data = Data { end: micros(facts.end_ns()), has_times: history.has_times(), ..Data::default() };
    let mut before_us = 0;
    for (index, operation) in history.operations.iter().enumerate() {
        let times = facts.times(index);
        let (from_us, until_us) = (micros(times.invoked_ns), micros(times.completed_ns).min(data.end));
        data.since.push(from_us.cast_signed() - before_us);
        data.took.push(until_us.saturating_sub(from_us));
        before_us = from_us.cast_signed();
        data.function.push(functions.number(text(history.function_name(operation.function))));
        let key = if operation.key == ValueId::NIL { String::new() } else { plain(history.value(operation.key)) };
        data.key.push(keys.number(cut(&key)));
        data.value.push(values.number(cut(&values_in_words(history, index))));
        data.outcome.push(match operation.outcome {
            Outcome::Ok => 0,
            Outcome::Mismatch => 1,
            Outcome::Fail => 2,
            Outcome::Info => 3,
        });
        data.process.push(operation.process);
        if let process @ Process::Named(_) = history.process(operation.process) {
            data.names.entry(operation.process).or_insert_with(|| text(&process.to_string()));
        }
        data.node.push(history.node(index));
    }
    data.place = places(facts);
    (data.state, data.states) = states(facts);
    (data.functions, data.keys, data.values) = (functions.1, keys.1, values.1);
    data.evidence = facts.evidence().map_or_else(Vec::new, |evidence| evidence.operations.clone());
    let band = |window: &crate::run::FaultWindow| FaultBand {
        from: micros(window.span.from_ns),
        until: micros(window.span.until_ns),
        words: text(&window.words),
    };
    data.faults = facts.fault_windows.iter().map(band).collect();
    let lead = |reign: &crate::run::Reign| LeadershipBand {
        node: reign.node,
        term: reign.term,
        from: micros(reign.span.from_ns),
        until: micros(reign.span.until_ns),
    };
    data.reigns = facts.reigns.iter().map(lead).collect();
    data
}

fn places(facts: &Facts<'_>) -> Vec<Option<i64>> {
    let mut places = vec![None; facts.history.operations.len()];
    for order in &facts.orders {
        for (place, &index) in (0_i64..).zip(&order.operations) {
            places[index as usize] = Some(place);
        }
    }
    let mut before: HashMap<ValueId, i64> = HashMap::new();
    for (operation, place) in facts.history.operations.iter().zip(&mut places) {
        let count = before.entry(operation.key).or_default();
        *place = place.map(|place| place - *count);
        *count += 1;
    }
    places
}

/// Returns the state after each operation, as a difference of indexes, and the states in words.
fn states(facts: &Facts<'_>) -> (Vec<Option<i64>>, Vec<String>) {
    let (mut states, mut bytes) = (Texts::default(), 0);
    let mut left: Vec<Option<i64>> = vec![None; facts.history.operations.len()];
    for order in &facts.orders {
        for (&index, state) in order.operations.iter().zip(&order.states) {
            if bytes > MOST_STATE_BYTES {
                break;
            }
            let (known, number) = (states.1.len(), states.number(text(state)));
            bytes += if states.1.len() > known { state.len() } else { 0 };
            left[index as usize] = i64::try_from(number).ok();
        }
    }
    let mut last = 0;
    let differences = left.into_iter().map(|number| number.map(|number| number - std::mem::replace(&mut last, number)));
    (differences.collect(), states.1)
}

fn cut(of: &str) -> String {
    match of.char_indices().nth(MOST_VALUE) {
        Some((end, _)) => text(&format!("{}… ({} characters)", &of[..end], of.chars().count())),
        None => text(of),
    }
}

#[cfg(test)]
mod tests {
    use checker::{Model, Options};
    use histories::{Event, EventType, HistoryBuilder, Process, Value};

    use super::{Facts, columns};
    use crate::check::evidence::found_orders;

    #[test]
    fn each_operation_has_the_state_that_it_leaves() {
        let mut builder = HistoryBuilder::default();
        for (f, asked, answer) in [("enqueue", Value::Int(4), Value::Int(4)), ("dequeue", Value::Nil, Value::Int(4))] {
            for (kind, value) in [(EventType::Invoke, asked), (EventType::Ok, answer)] {
                builder.push(Event { value: Some(value), ..Event::new(Process::Client(3), kind, f) }).unwrap();
            }
        }
        let history = builder.finish();
        let options = Options { keep_order: true, ..Options::new(Model::Queue) };
        let report = checker::check(&history, &options);
        let orders = found_orders(&history, &options, &report);
        let data = columns(&Facts { orders, ..Facts::of(String::new(), String::new(), &history, &report) });
        assert_eq!((&*data.states, &*data.state), (&["[4]".to_owned(), "[]".to_owned()][..], &[Some(0), Some(1)][..]));
        let unknown = columns(&Facts::of(String::new(), String::new(), &history, &report));
        assert_eq!(unknown.state, [None, None], "nothing is guessed where no order is known");
    }
}
