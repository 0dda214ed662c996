//! Clients of a described system that are programs of the user's, one process each.

use std::{path::Path, sync::Arc};

use workloads::{Action, MicroAction, ShimConnector, ShimNode, ShimOptions, ShimProblems, WORKLOADS};

use super::{
    document::ShimTable,
    node::{NodeTexts, fill_here, find},
};
use crate::systems::ClientSetup;

/// File in a run's folder that keeps what shims write to stderr.
const STDERR_FILE: &str = "shims.log";

impl ShimTable {
    /// Checks what no single field can be wrong with.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.command.is_empty() {
            return Err("`client.command` is empty; it begins with a program".to_owned());
        }
        let known: Vec<&str> = WORKLOADS.iter().map(|workload| workload.name()).collect();
        if self.workloads.is_empty() {
            return Err(format!("`client.workloads` is empty; it names some of: {}", known.join(", ")));
        }
        match self.workloads.iter().find(|name| !known.contains(&name.as_str())) {
            Some(unknown) => Err(format!("there is no workload {unknown:?}; there are: {}", known.join(", "))),
            None => Ok(()),
        }
    }

    /// Returns the workloads whose operations it knows, in the order in which they are offered.
    pub(super) fn workloads(&self) -> Vec<&'static str> {
        let names = WORKLOADS.iter().map(|workload| workload.name());
        names.filter(|name| self.workloads.iter().any(|known| known == name)).collect()
    }

    /// Returns true if it can do this.
    pub(super) fn has(&self, action: &Action) -> bool {
        let knows = |name: &str| self.workloads.iter().any(|known| known == name);
        match action {
            Action::Read | Action::Write(_) => knows("register") || knows("cas") || knows("causal"),
            Action::Cas { .. } => knows("register") && self.cas || knows("cas"),
            Action::Elements | Action::Add(_) => knows("set") || knows("set-full"),
            Action::Enqueue(_) | Action::Dequeue | Action::Peek => knows("queue"),
            Action::Count | Action::Increment(_) => knows("counter") || knows("pn-counter"),
            Action::Acquire | Action::Release => knows("lock") || knows("fenced-lock") || knows("leased-lock"),
            Action::AcquireWithToken => knows("fenced-lock") || knows("leased-lock"),
            Action::GuardedWrite { .. } => knows("leased-lock"),
            Action::Send(_) | Action::Poll(_) => knows("kafka"),
            Action::Insert | Action::Rows => knows("monotonic"),
            Action::Generate => knows("unique-ids"),
            Action::Balances | Action::Transfer { .. } => knows("bank"),
            Action::Transaction(parts) => {
                // Those of the others either read, or change one object.
                let is_mixed = parts.len() > 1 && !action.is_read();
                parts.iter().all(|part| match part.action {
                    MicroAction::Append(_) | MicroAction::ReadList => knows("append") || knows("comments") && !is_mixed,
                    MicroAction::Write(_) | MicroAction::ReadRegister => {
                        knows("wr") || (knows("long-fork") || knows("sequential")) && !is_mixed
                    }
                })
            }
        }
    }

    /// Returns its program, if this host lacks it.
    pub(super) fn missing_program(&self, here: &Path) -> Option<String> {
        let program = fill_here(&self.command[0], here);
        find(&program, here).is_none().then_some(program)
    }

    /// Creates clients that keep their problems in `problems`.
    pub(super) fn connector<'a>(
        &self,
        texts: impl Fn(u16) -> NodeTexts<'a>,
        clients: &ClientSetup<'_>,
        problems: Arc<ShimProblems>,
    ) -> ShimConnector {
        let [program, args @ ..] = &self.command[..] else { unreachable!("the command was checked") };
        let here = texts(1).here;
        let program = fill_here(program, here);
        let node = |(number, address): (u16, &crate::systems::Address)| ShimNode {
            number,
            address: address.client.to_string(),
            env: self.env.iter().map(|(name, text)| (name.into(), texts(number).fill(text).into())).collect(),
        };
        let options = ShimOptions {
            program: find(&program, here).unwrap_or_else(|| program.into()),
            args: args.iter().map(|argument| fill_here(argument, here).into()).collect(),
            env: Vec::new(),
            nodes: (1..).zip(&clients.deployment.addresses).map(node).collect(),
            read_mode: Some(clients.read.name().to_owned()),
            start_timeout: self.ready_within_ms.map(Into::into),
            operation_timeout: clients.operation_timeout,
            max_line_bytes: ShimOptions::MAX_LINE_BYTES,
            stderr: Some(clients.deployment.dir.join(STDERR_FILE)),
        };
        ShimConnector::new(options, problems)
    }
}
