//! A model of one's own in a page: a ticket dispenser that gives every customer a larger number than all before.
//!
//! `cargo run -p checker --example own_model` prints a verdict with its evidence.

#![allow(clippy::print_stdout, reason = "it is what an example is for")]

use checker::{Call, Model, Options, Specification, UnknownWhy, check_with};
use histories::{Event, EventType, HistoryBuilder, PairingError, Process, Value};

struct Dispenser;

impl Specification for Dispenser {
    /// The last ticket.
    type State = i64;

    fn initial(&self) -> i64 {
        0
    }

    fn apply(&self, last: &mut i64, call: &Call<'_>) -> bool {
        match call.output {
            Some(Value::Int(ticket)) => std::mem::replace(last, *ticket) < *ticket,
            Some(_) => false,
            // Nobody knows the number of a ticket that was lost: the next one leaves the most room.
            None => {
                *last += 1;
                true
            }
        }
    }

    fn accepts(&self, call: &Call<'_>) -> Result<(), UnknownWhy> {
        if call.function == "take" { Ok(()) } else { Err(call.unknown_function()) }
    }

    fn depends_on_process(&self) -> bool {
        false
    }
}

fn main() -> Result<(), PairingError> {
    let mut builder = HistoryBuilder::default();
    // Two customers at once; then a third is given a number that was passed already.
    for (process, kind, ticket) in [
        (1, EventType::Invoke, None),
        (2, EventType::Invoke, None),
        (2, EventType::Ok, Some(7)),
        (1, EventType::Ok, Some(6)),
        (3, EventType::Invoke, None),
        (3, EventType::Ok, Some(7)),
    ] {
        let mut event = Event::new(Process::Client(process), kind, "take");
        event.value = ticket.map(Value::Int);
        builder.push(event)?;
    }
    // The model in the options is not looked at.
    let report = check_with(&builder.finish(), &Dispenser, &Options::new(Model::Register));
    println!("{}", report.verdict);
    for evidence in report.keys.iter().filter_map(|key| key.evidence.as_ref()) {
        println!("{}", evidence.claim);
        println!("operations {:?} have no order", evidence.operations);
    }
    Ok(())
}
