//! Clusters that stay up after a run, so that somebody can look at them.

use std::time::Duration;

use super::{cluster::Cluster, finished_run::FinishedRun, host};
use crate::terminal;

/// Wish to keep the nodes up once the run has been judged.
#[derive(Clone, Copy)]
pub(crate) struct Stay<'a> {
    /// Maximum time for which they stay.
    pub(crate) limit: Duration,
    /// Shows the run that was judged.
    pub(crate) show: &'a dyn Fn(&FinishedRun),
}

/// Says how to reach the nodes, and waits until the command is interrupted, or the time is over.
pub(super) async fn stay_up(cluster: &Cluster, limit: Duration) {
    let mut text = format!(
        "the nodes stay up for {}, or until Ctrl-C; all faults are healed\n",
        humantime::format_duration(limit)
    );
    if let Some(process) = nemesis::outer_process() {
        text += &format!(
            "their addresses are those of a network of their own, which this enters from another terminal:\n  \
            nsenter --all --target $(pgrep -P {process}) sh\n"
        );
    }
    for (id, address) in (1..).zip(&cluster.deployment.addresses) {
        text += &format!("  n{id} at {}\n", address.client);
    }
    terminal::note(text.trim_end());
    tokio::select! {
        () = tokio::time::sleep(limit) => {}
        () = host::interrupted() => {}
    }
}
