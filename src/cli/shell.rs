//! `schism completions` and `schism man`: what a shell and `man` want to know of the command line.

use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::{
    error::{ExitStatus, Failure},
    terminal::{self, words::did_you_mean},
};

/// Prints the completions of a shell.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  schism completions bash > ~/.local/share/bash-completion/completions/schism")]
pub(crate) struct CompletionsArgs {
    /// Shell to complete in.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl CompletionsArgs {
    /// Prints the completions of the command line.
    pub(crate) fn execute(&self, mut whole: Command) -> anyhow::Result<ExitStatus> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut whole, "schism", &mut script);
        terminal::print_as_it_is(&String::from_utf8(script)?)
    }
}

/// Prints the man page of schism, or of one of its commands.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  schism man | man -l -
  schism man run > ~/.local/share/man/man1/schism-run.1")]
pub(crate) struct ManArgs {
    /// Command that the page is about.
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

impl ManArgs {
    /// Prints the page on the command line.
    pub(crate) fn execute(&self, mut whole: Command) -> anyhow::Result<ExitStatus> {
        whole.build();
        let about = match &self.command {
            Some(name) => whole.find_subcommand(name).ok_or_else(|| unknown(name, &whole))?.clone(),
            None => whole,
        };
        let mut page = Vec::new();
        Man::new(about).render(&mut page)?;
        terminal::print_as_it_is(&String::from_utf8(page)?)
    }
}

fn unknown(name: &str, whole: &Command) -> Failure {
    let similar = did_you_mean(name, whole.get_subcommands().map(Command::get_name));
    Failure::new(ExitStatus::Usage, format!("there is no command {name:?}{similar}"))
        .hint("`schism --help` lists all commands")
}
