//! `schism generate`: histories of simulated clients, reproducible for everybody who measures a checker.

use std::{io, path::PathBuf};

use clap::{Args, ValueEnum};
use histories::Event;
use workloads::{SimulatedModel, Simulation, TransactionSimulation, Violation};

use super::convert::check_json_lines;
use crate::{
    error::{ExitStatus, Failure},
    terminal,
};

/// Generates the history of concurrent clients of a store, in virtual time.
///
/// The store is linearizable unless a violation is requested. A violation is planted near the end, and only if it can
/// be proven that no order of the operations explains it. The same options and seed give the same bytes. Half of the
/// operations read; operations of unknown outcome (`info`) take effect in time, late or never.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  schism generate --ops 1000000 --clients 20 --values unique -o m1.jsonl
  schism generate --model cas-register --values 5 --overlap always --unknown 1
  schism generate --violation stale-read --seed 7 | head")]
pub(crate) struct GenerateArgs {
    /// Operations on a key.
    #[arg(long, value_enum, default_value_t = ModelName::Register)]
    model: ModelName,
    /// Number of operations.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 10_000,
        value_parser = clap::value_parser!(u64).range(1..=1_000_000_000)
    )]
    ops: u64,
    /// Number of concurrent clients.
    #[arg(long, value_name = "C", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    clients: u16,
    /// Number of keys; each operation picks one at random.
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    keys: u32,
    /// Percentage of operations with an unknown outcome.
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    unknown: u8,
    /// Values to write: `unique` writes no value twice, N draws from 0 to N-1.
    #[arg(long, value_name = "N|unique", default_value = "unique", value_parser = parse_values)]
    values: ValueRange,
    /// Share of a client's time spent inside operations.
    #[arg(long, value_enum, default_value_t = Overlap::Normal)]
    overlap: Overlap,
    /// Violation to plant.
    #[arg(long, value_enum, default_value_t = PlantedViolation::None)]
    violation: PlantedViolation,
    /// Number of violations, evenly spread (list-append only).
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    violations: u32,
    /// Seed; another one gives another history.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Output file, JSON Lines, compressed if its name ends in .gz or .zst; - is stdout.
    #[arg(short, long, alias = "out", value_name = "OUT", default_value = "-")]
    output: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ModelName {
    /// reads and writes of numbers
    Register,
    /// reads, writes and cas of numbers
    CasRegister,
    /// get, put, append, delete and cas of text
    Kv,
    /// transactions of four reads and appends; each key takes 32 appends
    ListAppend,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Overlap {
    /// a third
    Normal,
    /// all of it
    Always,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PlantedViolation {
    /// nothing: the history is linearizable
    None,
    /// a read of a value whose replacement was acknowledged before the read began
    StaleRead,
    /// an acknowledged write (or append) that a later read does not see
    LostWrite,
}

impl PlantedViolation {
    fn violation(self) -> Option<Violation> {
        match self {
            Self::None => None,
            Self::StaleRead => Some(Violation::StaleRead),
            Self::LostWrite => Some(Violation::LostWrite),
        }
    }
}

/// Number of values to draw from; `None` is `unique`.
#[derive(Clone, Copy, Debug)]
struct ValueRange(Option<u32>);

impl GenerateArgs {
    pub(crate) fn execute(self) -> anyhow::Result<ExitStatus> {
        check_json_lines(&self.output)?;
        let model = match self.model {
            ModelName::Register => SimulatedModel::Register,
            ModelName::CasRegister => SimulatedModel::CasRegister,
            ModelName::Kv => SimulatedModel::KeyValue,
            ModelName::ListAppend => return self.transactions(),
        };
        if self.violations != 1 {
            let what = "--violations is for --model list-append; of other models, one is planted";
            return Err(Failure::new(ExitStatus::Usage, what).hint("leave out --violations").into());
        }
        let simulation = Simulation {
            model,
            operations: self.ops,
            clients: self.clients,
            keys: self.keys,
            unknown_percent: self.unknown,
            values: self.values.0,
            always_overlapping: matches!(self.overlap, Overlap::Always),
            violation: self.violation.violation(),
            seed: self.seed,
        };
        self.write(|record| simulation.run(record))
    }

    /// Writes what a simulation records; `simulate` returns whether a violation that was asked for could be planted.
    fn write(
        &self,
        simulate: impl Fn(&mut dyn FnMut(&Event<'_>) -> io::Result<()>) -> io::Result<bool>,
    ) -> anyhow::Result<ExitStatus> {
        let is_planted = |planted: bool| match self.violation.violation() {
            Some(_) if !planted => Err(planting_failure(self.violations)),
            _ => Ok(()),
        };
        if self.violation.violation().is_some() && !terminal::is_taken_back(&self.output) {
            is_planted(simulate(&mut |_| Ok(()))?)?;
        }
        terminal::write_whole(&self.output, |mut out| {
            Ok(is_planted(simulate(&mut |event| histories::write_event(&mut out, event))?)?)
        })
    }

    fn transactions(self) -> anyhow::Result<ExitStatus> {
        if self.violations != 1 && matches!(self.violation, PlantedViolation::None) {
            let what = "--violations needs a kind of violation";
            return Err(Failure::new(ExitStatus::Usage, what).hint("give --violation stale-read or lost-write").into());
        }
        if self.values.0.is_some() {
            let what = "transactions write unique values";
            return Err(Failure::new(ExitStatus::Usage, what).hint("leave out --values").into());
        }
        let simulation = TransactionSimulation {
            transactions: self.ops,
            clients: self.clients,
            keys: self.keys,
            unknown_percent: self.unknown,
            always_overlapping: matches!(self.overlap, Overlap::Always),
            violation: self.violation.violation(),
            violations: self.violations,
            seed: self.seed,
        };
        self.write(|record| simulation.run(record))
    }
}

fn planting_failure(violations: u32) -> Failure {
    let (none, fewer) = match violations {
        1 => ("no violation".to_owned(), ""),
        more => (format!("fewer than {more} violations"), "plant fewer --violations, "),
    };
    Failure::new(
        ExitStatus::Usage,
        format!("{none} can be planted so that it is certain: other operations could explain every read"),
    )
    .hint(format!("{fewer}use more operations, --values unique or more values, fewer --clients, or a lower --unknown"))
}

fn parse_values(text: &str) -> Result<ValueRange, String> {
    match (text, text.parse()) {
        ("unique", _) => Ok(ValueRange(None)),
        (_, Ok(count @ 1..=65_536)) => Ok(ValueRange(Some(count))),
        _ => Err("expected `unique`, or a number from 1 to 65536".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, path::Path};

    use clap::Parser;

    use super::GenerateArgs;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: GenerateArgs,
    }

    /// Counts the simulations of a history with a violation that goes to `output`, and says whether it was written.
    fn simulations(output: &Path, can_plant: bool) -> (usize, bool) {
        let line =
            ["generate".as_ref(), "--violation".as_ref(), "stale-read".as_ref(), "-o".as_ref(), output.as_os_str()];
        let simulated = Cell::new(0);
        let written = Line::parse_from(line).args.write(|_| {
            simulated.set(simulated.get() + 1);
            Ok(can_plant)
        });
        (simulated.get(), written.is_ok())
    }

    #[test]
    fn only_what_cannot_be_taken_back_is_simulated_twice() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("h.jsonl");
        assert_eq!(simulations(&file, false), (1, false));
        assert!(!file.exists(), "nothing is left of it");
        assert_eq!(simulations(&file, true), (1, true));
        assert_eq!(simulations(Path::new("/dev/null"), true), (2, true));
        assert_eq!(simulations(Path::new("/dev/null"), false), (1, false));
    }
}
