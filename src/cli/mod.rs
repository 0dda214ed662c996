//! Command line. Each command is one file that parses its arguments and carries it out.

mod again;
pub(crate) mod campaign;
pub(crate) mod check;
pub(crate) mod compare;
pub(crate) mod convert;
pub(crate) mod defects;
pub(crate) mod demo;
pub(crate) mod doctor;
mod elections;
pub(crate) mod explain;
pub(crate) mod export;
mod fail_on;
pub(crate) mod faults;
pub(crate) mod generate;
pub(crate) mod hunt;
mod interrupts;
pub(crate) mod merge;
pub(crate) mod node;
mod node_options;
mod partition;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod shell;
pub(crate) mod shrink;
pub(crate) mod simulate;
mod simulated_hunt;
pub(crate) mod store;
pub(crate) mod system;
mod systems;
mod verdict_json;

use clap::{
    Parser, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};

use crate::{error::ExitStatus, terminal::ColorChoice};

/// Injects faults into a cluster and checks whether its clients saw a linearizable history.
///
/// schism starts real node processes, runs concurrent clients against them, cuts networks, kills and pauses nodes,
/// skews clocks, records every operation, and decides whether the history is linearizable. It needs no root and leaves
/// nothing behind.
#[derive(Debug, Parser)]
#[command(name = "schism", version, after_help = ExitStatus::help(), after_long_help = examples())]
pub(crate) struct Cli {
    /// Colours and links: always, never, or on a terminal unless `NO_COLOR` is set.
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto", value_parser = colours())]
    pub(crate) color: ColorChoice,
    /// Print errors and results only, without progress and remarks.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Tell more on stderr: each command to the host and each attempt of a fault, how files are read and by which
    /// methods they are judged.
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

fn colours() -> impl TypedValueParser<Value = ColorChoice> {
    PossibleValuesParser::new(["auto", "always", "never"]).map(|when| match &*when {
        "always" => ColorChoice::Always,
        "never" => ColorChoice::Never,
        _ => ColorChoice::Auto,
    })
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(demo::DemoArgs),
    Explain(explain::ExplainArgs),
    Run(run::RunArgs),
    Simulate(simulate::SimulateArgs),
    System(system::SystemArgs),
    Campaign(campaign::CampaignArgs),
    Merge(merge::MergeArgs),
    Compare(compare::CompareArgs),
    Report(report::ReportArgs),
    Export(export::ExportArgs),
    Serve(serve::ServeArgs),
    Store(store::StoreArgs),
    Check(check::CheckArgs),
    Generate(generate::GenerateArgs),
    Convert(convert::ConvertArgs),
    Shrink(shrink::ShrinkArgs),
    Defects(defects::DefectsArgs),
    Hunt(hunt::HuntArgs),
    Faults(faults::FaultsArgs),
    Doctor(doctor::DoctorArgs),
    Node(node::NodeArgs),
    Completions(shell::CompletionsArgs),
    Man(shell::ManArgs),
    /// Prints the version.
    Version,
}

fn examples() -> String {
    let examples = "Examples:
  schism demo                                     see basic Raft reads fail
  schism explain                                  what a run shows
  schism run --read lease --faults clock,partition:isolate-leader
  schism run --read quorum --faults kill,pause,partition --time-limit 30s
  schism simulate --read leader --seeds 1000 --until-violation
  schism system check mystore.toml                try out your system's file
  schism campaign                                 all read modes, all faults
  schism compare --reads lease,quorum             what read modes cost and risk
  schism report store/latest                      make its page again
  schism check store/latest                       judge a recorded history again
  schism check --model kv other-tools.edn         judge another tool's history
  schism convert history.edn history.jsonl        the same in another format
  schism shrink store/latest                      the few operations that fail
  schism generate --ops 1000000 -o m1.jsonl       a history that is made up
  schism defects                                  rules that nodes can break
  schism hunt --defects votes-twice               whether they are found
  schism faults                                   every fault and parameter
  schism doctor                                   what this host can inject
";
    format!("{examples}\n{}", ExitStatus::help())
}

#[cfg(test)]
mod tests {
    use std::env;

    use clap::Parser as _;

    use super::{Cli, Command};
    use crate::{
        error::ExitStatus,
        systems::roleless::{ARGUMENTS, FIRST},
    };

    #[test]
    fn the_run_that_should_show_a_defect_is_possible() {
        for defect in node::Defect::ALL {
            let command = format!("schism run --defect {defect} {}", defect.load().options());
            let parsed = Cli::try_parse_from(command.split(' ')).unwrap_or_else(|error| panic!("{command}: {error}"));
            let Command::Run(run) = parsed.command else { panic!("{command} is no run") };
            assert!(run.check().is_ok(), "{command}: {:?}", run.check());
        }
    }

    /// Runs a node, in the process that the system for tests starts; in any other, this has nothing to do.
    #[test]
    fn a_test_binary_can_be_a_node() {
        let Ok(arguments) = env::var(ARGUMENTS) else { return };
        let init = env::args().any(|argument| argument == FIRST).then_some("--init");
        let Command::Node(node) = Cli::parse_from(["schism"].into_iter().chain(arguments.lines()).chain(init)).command
        else {
            panic!("these are no arguments of a node: {arguments}");
        };
        assert_eq!(node.execute().unwrap(), ExitStatus::Linearizable);
    }
}
