//! Robustness of the readers: arbitrary bytes never make them panic or take more than a small multiple of the input,
//! and every error names its position.

use std::{io::Write as _, path::Path};

use histories::{Format, History, Packer, ReadError, Value, ValueId, parse_value, read_bytes, write_columns};
use proptest::{collection::vec, prelude::*, sample::Index, test_runner::TestCaseError};

use crate::values::{cases, converted, events};

/// Valid histories, one or more per format.
const SEEDS: [&str; 10] = [
    concat!(
        r#"{"index":0,"time":1,"process":0,"type":"invoke","f":"cas","key":"k","value":[1,2.5]}"#,
        "\n",
        r#"{"index":1,"time":2,"process":"nemesis","type":"info","f":"kill","value":{"n1":"\u00e9\ud83d\ude00"}}"#,
        "\n",
        r#"{"index":2,"time":3,"process":0,"type":"fail","f":"cas","key":"k","observed":null,"node":3,"revision":7,"error":"x"}"#,
        "\n",
    ),
    concat!(
        r#"{"process":0,"type":"invoke","f":"txn","value":[["append","x",1],["r","x",null]]}"#,
        "\n",
        r#"{"process":0,"type":"ok","f":"txn","value":[["append","x",1],["r","x",[1]]],"revision":9223372036854775807}"#,
        "\n",
    ),
    r#"[{:process 0 :type :invoke :f :write :value [1 -7] :time 12 :index 0} #jepsen.history.Op{:process :nemesis, :type :info, :f :kill, :value {:n1 "a\n"}}
{:process 0 :type :ok :f :write :value [1 -7] :revision 12 :position 1 :link :init}]"#,
    "{:process 0, :type :invoke, :f :cas, :value #jepsen.independent/tuple [k [1 2]]}\n; why\n{:process 0, :type \
    :info, :f :cas, :value [k [1 2]], :error :timeout}\n",
    "INFO  jepsen.util - 0\t:invoke\t:write\t3\nINFO  jepsen.util - :nemesis\t:info\t:start\tnil\nINFO  jepsen.util - \
    0\t:ok\t:write\t3\n",
    concat!(
        r##"{"process":"w","type":"invoke","f":"write","value":{"$edn":"#{:a 1/2}"}}"##,
        "\n",
        r##"{"process":"w","type":"ok","f":"write","value":{"$edn":"#{1/2 :a}"}}"##,
        "\n",
        r#"{"process":18446744073709551616,"type":"invoke","f":"read"}"#,
        "\n",
        r#"{"process":18446744073709551616,"type":"ok","f":"read","value":{"b":1e400,"a":-0.50}}"#,
        "\n",
    ),
    "[{:process :w, :type :invoke, :f :write, :value #:a{:x 1N, :_/y 2.50M, b \\c}}\n {:process :w, :type :ok, :f \
    :write, :value {a/b \\c :y 2.5M :a/x 0x1}}\n {:process \"r\", :type :invoke, :f :read, :value nil} {:process \
    \"r\", :type :ok, :f :read, :value #{[:a/b 1e400] #inst \"2020\" #uuid \"1-2-3-4-5\" ##Inf}}]",
    concat!(
        r#"[{"process":0,"type":"invoke","f":"write","value":7,"time":0.5},"#,
        "\n ",
        r#"{"process":0,"type":"ok","f":"write","value":7,"time":1.25}]"#,
    ),
    concat!(
        r#"{"client":1,"input":{"op":"put","key":"a","value":"x"},"output":{},"call":0,"return":100}"#,
        "\n",
        r#"{"client":2,"input":{"op":"get","key":"a"},"output":{"value":"x"},"call":150,"return":200}"#,
        "\n",
    ),
    "{:process 0, :type :invoke, :f :put, :key \"0\", :value \"x\"}\n{:process 0, :type :ok, :f :put, :key \"0\", \
    :value \"x\"}\n{:process 0, :type :invoke, :f :get, :key \"0\", :value nil}\n{:process 0, :type :ok, :f :get, \
    :key \"0\", :value \"x\"}\n",
];

/// Fragments that parsers stumble over, to be inserted into files.
const STUMBLES: [&[u8]; 14] = [
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\0",
    b"\"",
    b"\\u",
    b"\\ud83d",
    b"99999999999999999999999999",
    b"-1e999999999",
    b"18446744073709551615",
    b"#",
    b"#_",
    b"^",
    b"\r\n\n",
    b"{\"process\":0}",
];

#[derive(Clone, Debug)]
enum Damage {
    Truncate(Index),
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Repeat(Index, Index, u8),
    Nest(Index, u8, u16),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        at().prop_map(Damage::Truncate),
        (at(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        (at(), vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (at(), prop::sample::select(&STUMBLES[..])).prop_map(|(at, bytes)| Damage::Insert(at, bytes.to_vec())),
        (at(), at(), 1..20_u8).prop_map(|(from, to, times)| Damage::Repeat(from, to, times)),
        (at(), prop::sample::select(&b"[({#"[..]), 1..3000_u16)
            .prop_map(|(at, byte, deep)| Damage::Nest(at, byte, deep)),
    ]
}

fn damaged(mut bytes: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        let place = |at: &Index| at.index(bytes.len() + 1);
        match damage {
            Damage::Truncate(at) => bytes.truncate(place(at)),
            Damage::Flip(at, bit) => {
                let at = place(at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            Damage::Insert(at, new) => {
                let at = place(at);
                bytes.splice(at..at, new.iter().copied());
            }
            Damage::Repeat(from, to, times) => {
                let (from, to) = (place(from).min(place(to)), place(from).max(place(to)));
                let again = bytes[from..to].repeat(usize::from(*times));
                bytes.splice(to..to, again);
            }
            Damage::Nest(at, byte, deep) => {
                let at = place(at);
                bytes.splice(at..at, std::iter::repeat_n(*byte, usize::from(*deep)));
            }
        }
    }
    bytes
}

/// Checks that bytes are read or rejected properly, with the format detected and with each format given; `unpacked` is
/// their unpacked length.
fn is_read_or_refused(bytes: &[u8], unpacked: usize) -> Result<(), TestCaseError> {
    for format in [None, Some(Format::JsonLines), Some(Format::Edn), Some(Format::JepsenLog), Some(Format::Columns)] {
        match read_bytes("damaged", bytes, format) {
            Ok(history) => {
                // Everything that is kept corresponds to some byte of the file.
                prop_assert!(!history.operations.is_empty() && history.operations.len() <= unpacked);
                prop_assert!(history.values.len() <= unpacked + 1 && history.others.len() <= unpacked);
            }
            Err(error) => {
                let said = error.to_string();
                prop_assert!(said.starts_with("damaged:") && said.len() < 4000 && !said.contains('\n'), "{}", said);
                let lines = 1 + unpacked as u64;
                let (line, first) = match error {
                    ReadError::Malformed { line, .. } | ReadError::Broken { line, .. } => (line, 1),
                    ReadError::Empty { line, .. } => (line, 0),
                    _ => continue,
                };
                prop_assert!((first..=lines).contains(&line), "{}", said);
            }
        }
    }
    Ok(())
}

/// Returns the operations, with each value replaced by the position of its first occurrence.
fn told(history: &History) -> Vec<String> {
    let mut seen: Vec<ValueId> = Vec::new();
    let mut place = |id: ValueId| {
        let at = seen.iter().position(|known| *known == id);
        at.unwrap_or_else(|| {
            seen.push(id);
            seen.len() - 1
        })
    };
    let operations = history.operations.iter();
    let told = operations.map(|operation| {
        let ids = [operation.key, operation.input, operation.to, operation.output].map(&mut place);
        let name = history.function_name(operation.function);
        format!("{} {} {name} {:?} {ids:?}", operation.invoked, operation.completed, operation.outcome)
    });
    told.collect()
}

/// Checks that the history in these bytes, if there is one, is the same after conversion to each other format.
fn comes_back(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Ok(history) = read_bytes("damaged", bytes, None) else { return Ok(()) };
    let events = events(None, bytes);
    for format in [Format::JsonLines, Format::Edn] {
        // EDN cannot represent every name of a function.
        let Ok(text) = converted(&events, format) else { continue };
        let again = read_bytes("converted", &text, Some(format));
        let again =
            again.map_err(|error| TestCaseError::fail(format!("{error}\n{}", String::from_utf8_lossy(&text))))?;
        prop_assert_eq!(told(&again), told(&history), "{}", String::from_utf8_lossy(&text));
    }
    Ok(())
}

/// Returns a history in columns; none if it cannot be written so.
fn columns(history: &History) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    write_columns(&mut bytes, history).ok().map(|()| bytes)
}

fn packed(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut packer = Packer::new(Path::new(name), &mut out);
    packer.write_all(bytes).expect("a Vec takes everything");
    packer.finish().expect("a Vec takes everything");
    out
}

#[test]
fn what_is_damaged_here_is_read_when_it_is_whole() {
    for seed in SEEDS {
        let read = read_bytes("whole", seed.as_bytes(), None).unwrap_or_else(|error| panic!("{error}\n{seed}"));
        for name in ["whole.gz", "whole.zst"] {
            let unpacked = read_bytes(name, &packed(name, seed.as_bytes()), None).unwrap();
            assert_eq!(unpacked.operations, read.operations);
        }
    }
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..300)) {
        is_read_or_refused(&bytes, bytes.len())?;
    }

    #[test]
    fn any_text_of_the_formats_signs(text in r#"[\[\]{}()":,#;\\ \n\ta-f0-9.e+-]{0,200}"#) {
        is_read_or_refused(text.as_bytes(), text.len())?;
    }

    #[test]
    fn a_damaged_history(seed in prop::sample::select(&SEEDS[..]), damages in vec(damage(), 1..5)) {
        let bytes = damaged(seed.as_bytes().to_vec(), &damages);
        is_read_or_refused(&bytes, bytes.len())?;
        comes_back(&bytes)?;
    }

    #[test]
    fn damaged_columns(
        seed in prop::sample::select(&SEEDS[..]), damages in vec(damage(), 1..4), is_summed in any::<bool>()
    ) {
        let whole = read_bytes("whole", seed.as_bytes(), None).expect("it is a history");
        if let Some(bytes) = columns(&whole) {
            let mut bytes = damaged(bytes, &damages);
            if let Some(end) = bytes.len().checked_sub(4).filter(|_| is_summed) {
                // With a checksum that fits, the content decides.
                let sum = crc32c::crc32c(&bytes[..end]).to_le_bytes();
                bytes[end..].copy_from_slice(&sum);
            }
            is_read_or_refused(&bytes, bytes.len())?;
            if let Ok(history) = read_bytes("damaged", &bytes, Some(Format::Columns)) {
                let again = columns(&history).and_then(|again| read_bytes("again", &again, None).ok());
                prop_assert_eq!(again.map(|again| told(&again)), Some(told(&history)));
            }
        }
    }

    #[test]
    fn any_text_as_a_value(text in r#"[\[\]{}()":,#;\\/ \na-f0-9.eNMr+-]{0,60}"#) {
        if let Ok(value) = parse_value(&text) {
            let json = serde_json::to_string(&value).expect("every value has a form");
            prop_assert_eq!(serde_json::from_str::<Value>(&json).ok(), Some(value), "{} as {}", text, json);
        }
    }

    #[test]
    fn a_damaged_history_in_a_whole_package(
        seed in prop::sample::select(&SEEDS[..]),
        damages in vec(damage(), 0..3),
        name in prop::sample::select(&["a.gz", "a.zst"][..]),
    ) {
        let bytes = damaged(seed.as_bytes().to_vec(), &damages);
        is_read_or_refused(&packed(name, &bytes), bytes.len())?;
    }

    #[test]
    fn a_damaged_package(
        seed in prop::sample::select(&SEEDS[..]),
        damages in vec(damage(), 1..4),
        name in prop::sample::select(&["a.gz", "a.zst"][..]),
    ) {
        // A flipped bit may ask for a long run of one byte, but a package of this size can only unpack to a limited
        // length.
        let bytes = damaged(packed(name, &seed.as_bytes().repeat(3)), &damages);
        is_read_or_refused(&bytes, bytes.len() * 200_000 + 1_000)?;
    }
}
