//! `schism convert`: the same history in another format.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use histories::{Compression, Event, EventStyle, History, Interpretation, Normalizer, ReadOptions};

use crate::{
    check::{Budget, LimitArgs, ReadingOptions, files, notes},
    error::{ExitStatus, Failure},
    terminal,
};

/// Writes a history in another format.
///
/// Reads all formats of `schism check`, and writes JSON Lines or EDN as Jepsen has it (one operation a line, keys as
/// `independent` tuples). What EDN has no name for goes into further keys (:observed, :mismatch, :node, :revision),
/// which schism reads back. In JSON Lines a process that continued after an unknown outcome gets a new number. A name
/// that ends in .gz or .zst selects compression. A history that breaks the rules is not converted. Columns hold only
/// what a checker needs: they are read several times faster, and cannot be converted back.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  schism convert store/latest/history.jsonl history.edn
  schism convert store/latest/history.jsonl history.jsonl.zst
  schism convert large.jsonl large.columns
  schism convert jepsen.log --to jsonl -")]
pub(crate) struct ConvertArgs {
    /// History to convert.
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// Output file; - is stdout.
    #[arg(value_name = "OUT", required_unless_present = "output")]
    to_file: Option<PathBuf>,
    /// Output file, in place of OUT.
    #[arg(short, long, value_name = "OUT", conflicts_with = "to_file")]
    output: Option<PathBuf>,
    /// Output format [default: by the extension of OUT].
    #[arg(long, value_enum, value_name = "FORMAT")]
    to: Option<OutputFormat>,
    #[command(flatten)]
    reading: ReadingOptions,
    #[command(flatten)]
    limits: LimitArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OutputFormat {
    /// JSON Lines, as schism records them
    Jsonl,
    /// Jepsen's operation maps
    Edn,
    /// schism's own columns, which are read fastest
    Columns,
}

impl ConvertArgs {
    pub(crate) fn execute(mut self) -> anyhow::Result<ExitStatus> {
        self.input = files::history_of(self.input)?;
        let output = self.to_file.take().or(self.output.take()).expect("clap demands one of them");
        let target = self.to.or_else(|| format_of(&output)).ok_or_else(|| {
            let what = format!("the name {} does not say in which format to write", output.display());
            Failure::new(ExitStatus::Usage, what)
                .hint("end its name in .jsonl, .edn or .columns, or give --to jsonl, --to edn or --to columns")
        })?;
        files::keep([&*self.input], &output)?;
        let budget = self.limits.budget();
        if target == OutputFormat::Columns {
            let history = budget.read_whole(&self.input, self.reading)?;
            notes::tell(&self.input, &history);
            return terminal::write_whole(&output, |out| Ok(histories::write_columns(out, &history)?));
        }
        let (mut style, mut rules) = (EventStyle::default(), Normalizer::default());
        let history = self.read(&budget, Interpretation::default(), |event| {
            if let Some(event) = event {
                style.see(event);
                rules.see(event);
            } else {
                (style, rules) = (EventStyle::default(), Normalizer::default());
            }
        })?;
        notes::tell(&self.input, &history);
        let interpretation = history.interpretation();
        drop(history);
        terminal::write_whole(&output, |mut out| {
            let mut written = Ok(());
            self.read(&budget, interpretation, |event| {
                let event = event.expect("a file is not read again by the interpretation that was found");
                if written.is_ok() {
                    written = match target {
                        OutputFormat::Jsonl => style.write_json(&mut out, rules.apply(event.clone())),
                        OutputFormat::Edn => style.write_edn(&mut out, event),
                        OutputFormat::Columns => unreachable!("columns are written above"),
                    };
                }
            })?;
            Ok(written?)
        })
    }

    /// Reads the input once, and passes each event to `each`. A conversion reads it twice: an event's form depends on
    /// all others, and they may not fit in memory.
    fn read(
        &self,
        budget: &Budget,
        interpretation: Interpretation,
        mut each: impl FnMut(Option<&Event<'_>>),
    ) -> anyhow::Result<History> {
        let found = budget.read_again_within(&self.input, self.reading, |options| {
            histories::read_events(&self.input, &ReadOptions { interpretation, ..*options }, &mut each)
        })?;
        Ok(found.whole(&self.input)?)
    }
}

/// Checks that the name of a file does not promise another format than the JSON Lines that go there.
///
/// # Errors
/// Fails if it does.
pub(super) fn check_json_lines(output: &Path) -> anyhow::Result<()> {
    match format_of(output) {
        None | Some(OutputFormat::Jsonl) => Ok(()),
        Some(OutputFormat::Edn | OutputFormat::Columns) => {
            let what = format!("{}: JSON Lines are written, and this name says another format", output.display());
            let hint = "end its name in .jsonl; `schism convert` then writes other formats";
            Err(Failure::new(ExitStatus::Usage, what).hint(hint).into())
        }
    }
}

fn format_of(path: &Path) -> Option<OutputFormat> {
    let path = if Compression::of_name(path).is_some() { path.with_extension("") } else { path.to_owned() };
    match path.extension()?.to_str()? {
        "jsonl" => Some(OutputFormat::Jsonl),
        "edn" => Some(OutputFormat::Edn),
        "columns" => Some(OutputFormat::Columns),
        _ => None,
    }
}
