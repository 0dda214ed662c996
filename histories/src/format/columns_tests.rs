//! Tests of files of columns.

use std::io;

use proptest::prelude::*;

use super::{columns::MAGICS, read_bytes, write_columns};
use crate::{
    History, Value, ValueId,
    history::{MAX_REVISION, NO_REVISION},
};

/// Number of operations in a block.
const BLOCK: usize = 65_536;

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
    r#"{"index":6,"time":9,"process":3,"type":"invoke","f":"read","key":"k","final?":true}"#,
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
    let History { operations, others, function_names, times, nodes, finals, revisions, links, .. } = history;
    format!(
        "{operations:?} {values:?} {others:?} {function_names:?} {times:?} {nodes:?} {finals:?} {revisions:?} \
        {links:?} {processes:?}"
    )
}

/// Returns the test lines with two revisions and a link.
fn with_revisions() -> String {
    let lines = LINES.replace(r#""value":1}"#, r#""value":1,"revision":9223372036854775807}"#);
    lines.replace(r#""error":"refused""#, r#""revision":0,"link":"k","error":"refused""#)
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
fn positions_and_links_are_kept() {
    let lines = LINES.replace(r#""error":"refused""#, r#""position":5,"link":{"$edn":":init"}"#);
    let lines = lines.replace(r#""observed""#, r#""link":null,"observed""#);
    let history = read_bytes("h", lines.as_bytes(), None).unwrap();
    let [five, init] = [5.into(), Value::keyword("init")].map(|value| history.values.find(&value));
    let given = [0, 1, 2, 3].map(|index| history.position_and_link(index));
    assert_eq!(given, [[None, None], [None, Some(ValueId::NIL)], [None, None], [five, init]]);
    let columns = in_columns(&history);
    assert_eq!(lines_of(&read_bytes("h", &columns, None).unwrap()), lines_of(&history));
    let start = br#""links":[[1,"#;
    let place = columns.windows(start.len()).position(|part| part == start).expect("they are there") + start.len() - 2;
    for wrong in [b'3', b'4'] {
        let mut forged = columns.clone();
        forged[place] = wrong;
        let error = read_bytes("h", &summed(forged), None).unwrap_err().to_string();
        assert!(error.contains("a link of no operation"), "{error}");
    }
}

#[test]
fn several_blocks_are_one_history() {
    let mut lines = String::new();
    for number in 0..BLOCK + 2 {
        for kind in ["invoke", "ok"] {
            let process = number % 7;
            lines +=
                &format!(r#"{{"process":{process},"type":"{kind}","f":"write","value":{number},"revision":{number}}}"#);
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
