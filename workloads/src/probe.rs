//! Probes that tell when each node can be used: a read and a write at a time, which never wait long. What clients of a load see says
//! little about that, for a client that waits for an answer measures its own patience.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use crate::{Action, Answer, ClientError, Connect, DriveError, Request};

/// A probe that failed is repeated after this part of the usual pause, so that the end of an outage is seen when it comes.
const HASTE: u32 = 4;
/// How many outages of one node are remembered, of each kind.
const MAX_OUTAGES: usize = 10_000;

/// How nodes are probed.
#[derive(Clone, Copy, Debug)]
pub struct Probing {
    /// From the beginning of one probe to that of the next.
    pub every: Duration,
    /// How long an answer may take to count as one.
    pub limit: Duration,
    /// The key that is read and written: none of the load's.
    pub key: u32,
}

/// The probes of one kind at one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probes {
    /// How many ended.
    pub all: u64,
    /// How many were answered in time, with what was asked for.
    pub answered: u64,
    /// From the beginning of the first probe that failed to the end of the next one that did not; the end of the last may be open.
    pub outages: Vec<(Instant, Option<Instant>)>,
}

impl Probes {
    fn count(&mut self, began: Instant, ended: Instant, answered: bool) {
        self.all += 1;
        self.answered += u64::from(answered);
        let room = self.outages.len() < MAX_OUTAGES;
        match self.outages.last_mut() {
            Some((_, until @ None)) if answered => *until = Some(ended),
            Some((_, None)) => {}
            _ if !answered && room => self.outages.push((began, None)),
            _ => {}
        }
    }
}

/// The probes of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeProbes {
    /// Reads, in the mode of the load.
    pub reads: Probes,
    /// Writes.
    pub writes: Probes,
}

/// The probes of all nodes so far.
#[derive(Debug, Default)]
pub struct Availability(Mutex<BTreeMap<u16, NodeProbes>>);

impl Availability {
    /// Each node's.
    pub fn by_node(&self) -> BTreeMap<u16, NodeProbes> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u16, NodeProbes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Probes every node until it is dropped, reads and writes apart.
///
/// # Errors
/// There is no client, or a task panicked.
pub async fn keep_probing<C: Connect>(
    probing: Probing,
    connect: C,
    availability: Arc<Availability>,
) -> Result<Infallible, DriveError> {
    let connect = Arc::new(connect);
    let mut tasks = JoinSet::new();
    for node in connect.nodes().to_vec() {
        for writes in [false, true] {
            let prober = Prober {
                probing,
                connect: Arc::clone(&connect),
                availability: Arc::clone(&availability),
                node,
                writes,
            };
            tasks.spawn(prober.run());
        }
    }
    match tasks.join_next().await {
        Some(ended) => ended.map_err(DriveError::Panic)?.map_err(DriveError::Client),
        None => Err(DriveError::Nobody),
    }
}

struct Prober<C> {
    probing: Probing,
    connect: Arc<C>,
    availability: Arc<Availability>,
    node: u16,
    writes: bool,
}

impl<C: Connect> Prober<C> {
    async fn run(self) -> Result<Infallible, ClientError> {
        let Probing { every, limit, key } = self.probing;
        let mut client = self.connect.open(self.node)?;
        for number in 0.. {
            let action = if self.writes { Action::Write(number) } else { Action::Read };
            let began = Instant::now();
            let answer = timeout(limit, crate::Client::invoke(&mut client, &Request { key, action })).await;
            let answer = answer.map_or(Answer::Unknown(String::new()), |answered| answered.answer);
            let answered = matches!(answer, Answer::Value(_) | Answer::Done);
            {
                let mut all = self.availability.lock();
                let of_node = all.entry(self.node).or_default();
                let probes = if self.writes { &mut of_node.writes } else { &mut of_node.reads };
                probes.count(began, Instant::now(), answered);
            }
            if matches!(answer, Answer::Unknown(_)) {
                client = self.connect.open(self.node)?;
            }
            sleep_until(began + if answered { every } else { every / HASTE }).await;
        }
        unreachable!("there are more numbers than any run has time for")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_lasts_from_the_first_failure_to_the_next_answer() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut probes = Probes::default();
        for (began, ended, answered) in
            [(0, 1, true), (80, 160, false), (160, 161, false), (180, 182, true), (260, 261, true), (340, 420, false)]
        {
            probes.count(at(began), at(ended), answered);
        }
        assert_eq!((probes.all, probes.answered), (6, 3));
        assert_eq!(probes.outages, [(at(80), Some(at(182))), (at(340), None)]);
    }
}
