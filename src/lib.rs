//! The `schism` command: arguments, runs, reports. A library, so that it is compiled beside the crates that it knows.

mod campaign;
mod check;
mod cli;
mod compare;
mod error;
mod render;
mod report;
mod run;
mod simulate;
mod store;
mod systems;
mod terminal;

use std::{
    panic,
    process::{self, ExitCode},
};

use clap::{CommandFactory as _, Parser as _};
use nemesis::{Entry, HostMemory, PartitionBy};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::{
    cli::{Cli, Command},
    error::host_limits,
    run::Host,
};

/// Allocator that reports a lack of memory, which no other part of a program could.
#[global_allocator]
static MEMORY: HostMemory = HostMemory;

/// Parses the command line, executes it, and returns the exit code.
pub fn main() -> ExitCode {
    report_missing_threads();
    let asked = match Cli::try_parse() {
        Ok(cli) => {
            cli.color.write_global();
            if cli.quiet {
                terminal::be_quiet();
            }
            if cli.verbose {
                terminal::be_verbose();
            }
            cli.command
        }
        Err(asked) => return terminal::usage(&asked).into(),
    };
    allow_many_connections();
    match execute(asked) {
        Ok(code) => code,
        Err(error) => terminal::failure(&error).into(),
    }
}

/// Installs a panic hook that ends the command with a message and the right exit code if a library panics because it
/// cannot start a thread.
fn report_missing_threads() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let Some(failure) = panic.payload_as_str().and_then(host_limits::thread_failure) else { return usual(panic) };
        let status = terminal::failure(&failure.into());
        #[expect(clippy::exit, reason = "nobody can go on, and whatever was started ends with this process")]
        process::exit(status.code().into());
    }));
}

/// Raises the limit on open files as far as possible, as a thousand clients need more than the usual 1024. A failure
/// to do so is ignored.
fn allow_many_connections() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        setrlimit(Resource::RLIMIT_NOFILE, most, most).ok();
    }
}

/// Executes a command. Runs take place in a sandbox: there, this program is started again, and its exit code is passed
/// on.
fn execute(command: Command) -> anyhow::Result<ExitCode> {
    let status = match command {
        Command::Demo(args) => match nemesis::enter()? {
            Entry::Inside(sandbox) => {
                let host = Host::new(sandbox, args.partition.way());
                args.execute(&host)
            }
            Entry::Over { exit_code } => return Ok(exit_code.into()),
        },
        Command::Run(args) => {
            args.check()?;
            if let Some(parent) = args.with_parent {
                nemesis::end_with(parent)?;
            }
            match nemesis::enter()? {
                Entry::Inside(sandbox) => {
                    let host = Host::new(sandbox, args.partition_by()?);
                    args.execute(&host)
                }
                Entry::Over { exit_code } => return Ok(exit_code.into()),
            }
        }
        Command::Simulate(args) => args.execute(),
        Command::System(args) if !args.starts_nodes() => args.write(),
        Command::System(args) => match nemesis::enter()? {
            Entry::Inside(sandbox) => args.check(&Host::new(sandbox, PartitionBy::default())),
            Entry::Over { exit_code } => return Ok(exit_code.into()),
        },
        Command::Campaign(args) => args.execute(),
        Command::Merge(args) => args.execute(),
        Command::Compare(args) => args.execute(),
        Command::Report(args) => args.execute(),
        Command::Export(args) => args.execute(),
        Command::Serve(args) => args.execute(),
        Command::Store(args) => args.execute(),
        Command::Check(args) => Ok(args.execute()),
        Command::Generate(args) => args.execute(),
        Command::Convert(args) => args.execute(),
        Command::Shrink(args) => args.execute(),
        Command::Defects(args) => args.execute(),
        Command::Hunt(args) => args.execute(),
        Command::Faults(args) => args.execute(),
        Command::Doctor(args) => Ok(args.execute()),
        Command::Explain(args) => args.execute(),
        Command::Completions(args) => args.execute(Cli::command()),
        Command::Man(args) => args.execute(Cli::command()),
        Command::Node(args) => args.execute(),
        Command::Version => terminal::print(&format!("schism {}\n", env!("CARGO_PKG_VERSION"))),
    };
    Ok(status?.into())
}
