//! The `schism` command: parses the command line, executes it, exits.

mod campaign;
mod cli;
mod compare;
mod exit;
mod host;
mod inside;
mod kept;
mod plan;
mod report;
mod run;
mod systems;
mod ui;

use std::process::ExitCode;

use clap::Parser as _;
use nemesis::{Entry, HostMemory};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::{
    cli::{Cli, Command},
    run::Host,
};

/// Allocator that reports a lack of memory, which no other part of a program could.
#[global_allocator]
static MEMORY: HostMemory = HostMemory;

fn main() -> ExitCode {
    host::blame_for_missing_threads();
    let asked = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(asked) => return ui::usage(&asked).into(),
    };
    allow_many_connections();
    match carry_out(asked) {
        Ok(code) => code,
        Err(error) => ui::failure(&error).into(),
    }
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
fn carry_out(command: Command) -> anyhow::Result<ExitCode> {
    let status = match command {
        Command::Demo(args) => match nemesis::enter()? {
            Entry::Inside(sandbox) => args.execute(&Host::new(sandbox)),
            Entry::Over { exit_code } => return Ok(exit_code.into()),
        },
        Command::Run(args) => {
            args.check()?;
            if let Some(parent) = args.with_parent {
                nemesis::end_with(parent)?;
            }
            match nemesis::enter()? {
                Entry::Inside(sandbox) => args.execute(&Host::new(sandbox)),
                Entry::Over { exit_code } => return Ok(exit_code.into()),
            }
        }
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
        Command::Doctor(args) => args.execute(),
        Command::Node(args) => args.execute(),
        Command::Version => ui::print(&format!("schism {}\n", env!("CARGO_PKG_VERSION"))),
    };
    Ok(status?.into())
}
