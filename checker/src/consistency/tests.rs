//! Tests that the windows of an order contain every violation that a test of the whole finds, on histories too long
//! for an oracle.

use histories::{Event, EventType, History, HistoryBuilder, Process, Value};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use super::{candidates::CausalCandidates, key::ViolatedKey, regular, versions};
use crate::{
    Memory, Model, Options,
    budget::{Budget, Shortage},
    causal::{AccessEvent, AccessEvents, find_causal_violation},
    conflict_ranges::ConflictRanges,
    oracles::share_of,
    prepare::{KeySteps, Keys, Preparer},
    staleness::Measure,
    zones::{KeyZones, place},
};

/// Open call: function, key, and the value of the key when it began.
type Call = (&'static str, usize, i64);

/// Makes a few hundred operations of a few clients: some reads return a value replaced long before, some changes have
/// an unknown outcome.
fn history(seed: u64) -> History {
    let mut rng = Pcg64::seed_from_u64(seed);
    let (clients, keys) = (rng.random_range(2..=8_usize), rng.random_range(1..=3_usize));
    let (late_percent, cas_percent) = ([0, 2, 10][rng.random_range(0..3)], [0, 20][rng.random_range(0..2)]);
    let mut held: Vec<Vec<i64>> = (0..keys).map(|_| vec![0]).collect();
    let mut open: Vec<(u64, Option<Call>)> = (0..clients as u64).map(|process| (process, None)).collect();
    let (mut next, mut processes, mut builder) = (1, clients as u64, HistoryBuilder::default());
    for _ in 0..rng.random_range(20..400) {
        let at = rng.random_range(0..clients);
        let (process, call) = open[at];
        let key = call.map_or_else(|| rng.random_range(0..keys), |(_, key, _)| key);
        let last = held[key].len() - 1;
        let is_late = rng.random_range(0..100) < late_percent;
        let seen = held[key][if is_late { rng.random_range(0..=last) } else { last }];
        let told = |value: i64| if value == 0 { Value::Nil } else { Value::Int(value) };
        let (kind, f, value) = if let Some((f, _, found)) = call {
            let is_unknown = f != "read" && rng.random_range(0..100) < 5;
            open[at] = if is_unknown { (processes, None) } else { (process, None) };
            processes += u64::from(is_unknown);
            let kind = if is_unknown { EventType::Info } else { EventType::Ok };
            (kind, f, (f == "read").then(|| told(if rng.random_bool(0.5) { found } else { seen })))
        } else {
            let f = match rng.random_range(0..100) {
                0..50 => "read",
                x if x < 50 + cas_percent => "cas",
                _ => "write",
            };
            open[at].1 = Some((f, key, seen));
            let value = match f {
                "read" => None,
                "cas" => Some(Value::List(vec![told(seen), next.into()])),
                _ => Some(next.into()),
            };
            if f != "read" {
                held[key].push(next);
                next += 1;
            }
            (EventType::Invoke, f, value)
        };
        let mut event = Event::new(Process::Client(process), kind, f);
        (event.key, event.value) = (Some(format!("k{key}").as_str().into()), value);
        builder.push(event).unwrap();
    }
    builder.finish()
}

/// Returns all results about the staleness of a key.
fn measured(history: &History, keys: &Result<Keys, Shortage>, key: &(KeySteps, KeyZones)) -> String {
    let mut measure = Measure::new(history);
    measure.key(Ok(key), &Budget::endless()).unwrap();
    format!("{:?}", measure.report(&Options::new(Model::Register), keys, Ok(())))
}

const HISTORIES: u64 = 3_000;

#[test]
fn nothing_is_missed_where_an_order_is_right() {
    let (memory, budget) = (Memory::new(usize::MAX), Budget::endless());
    let (mut refuted, mut held, mut narrowed) = ([0; 6], [0; 6], 0);
    for seed in 0..share_of(HISTORIES) {
        let history = history(seed);
        let split = Keys::split(&history, &budget);
        let keys = split.as_ref().unwrap();
        let mut preparer = Preparer::new(&history, false, &Value::Nil);
        let mut moments = CausalCandidates::with_capacity(0);
        for number in 0..keys.len() {
            let prepared = preparer.prepare(keys.operations(number), &budget).unwrap().steps().unwrap();
            let placed = place(&prepared, &budget).unwrap().unwrap();
            let again = place(&prepared, &budget).unwrap().unwrap();
            moments.add(&history, prepared.clone(), again, &budget).unwrap();
            if placed.violation.is_none() {
                continue;
            }
            let few = (prepared, placed);
            let stale = measured(&history, &split, &few);
            let mut all = (few.0.clone(), place(&few.0, &budget).unwrap().unwrap());
            all.1.clusters.suspects = None;
            assert_eq!(measured(&history, &split, &all), stale, "staleness of {seed}");
            let violation = few.1.violation.as_ref().unwrap();
            let [key, whole] = [&few, &all].map(|(prepared, placed)| ViolatedKey::new(prepared, placed, violation));
            let irregular = |key| format!("{:?}", regular::irregular(key, &budget));
            assert_eq!(irregular(&key), irregular(&whole), "regular of {seed}");
            if key.no_versions().is_some() {
                continue;
            }
            narrowed += u64::from(key.suspects.len() < whole.suspects.len());
            let suspects = versions::suspects(&history, &key, &budget).unwrap();
            let chains = u32::try_from(few.1.zones.len()).unwrap();
            let everywhere = ConflictRanges::new(vec![(0, chains - 1)]);
            for (at, level) in versions::VERSION_MODELS.into_iter().enumerate() {
                let refute = |key, windows| versions::refute(&history, key, level, windows, &budget).unwrap();
                let fails = refute(&whole, &everywhere).is_some();
                assert_eq!(refute(&key, &suspects[at]).is_some(), fails, "{level} of {seed}");
                narrowed += u64::from(suspects[at].len < everywhere.len);
                (if fails { &mut refuted } else { &mut held })[at] += 1;
            }
        }
        let mut all = moments.events.events.clone();
        AccessEvent::sort(&mut all);
        let suspects = moments.suspects(&budget).unwrap();
        narrowed += u64::from(suspects.len() < all.len());
        let AccessEvents { keys, initial, .. } = moments.events;
        let [everything, few] = [all, suspects].map(|events| {
            let events = AccessEvents { events, keys: keys.clone(), initial: initial.clone() };
            find_causal_violation(&events, &memory, &budget).unwrap().is_some()
        });
        assert_eq!(few, everything, "causal of {seed}");
        (if few { &mut refuted } else { &mut held })[5] += 1;
    }
    assert!(
        refuted.into_iter().chain(held).all(|count| count * 30 > share_of(HISTORIES)),
        "{refuted:?} fail, {held:?} hold"
    );
    assert!(narrowed > share_of(HISTORIES), "{narrowed}: the test compares nothing");
}
