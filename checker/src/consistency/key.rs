//! One key whose values are all different but whose operations have no order: its steps, its values, and who did what after what.
//!
//! A *session* is what one process does. The process of an operation of unknown outcome never comes back: there its session ends.

use histories::History;

use crate::{
    patience::{OutOf, Patience},
    prepare::{Action, INITIAL, Prepared, Step, Val},
    zones::{Clusters, NO_STEP, NO_VALUE, Violation},
};

/// No block: a value that did not come about.
pub(super) const NOWHERE: u32 = u32::MAX;

/// How a step touches a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Touch {
    /// It finds it.
    Look,
    /// It sets it.
    Set,
}

/// A key that is not linearizable.
#[derive(Debug)]
pub(super) struct Key {
    pub prepared: Prepared,
    pub clusters: Clusters,
    pub violation: Violation,
    /// Where its values stand; nothing where cas contradict each other.
    pub chains: Chains,
    /// For each step, whether it took place: it is certain, or somebody saw what it set.
    pub took_place: Vec<bool>,
    /// The steps that took place, session by session, each in its own order.
    pub by_session: Vec<u32>,
}

impl Key {
    pub(super) fn new(history: &History, prepared: Prepared, clusters: Clusters, violation: Violation) -> Self {
        let took_place = took_place(&prepared.steps, &clusters);
        let mut by_session: Vec<(u32, u32)> = (0..)
            .zip(&prepared.steps)
            .filter(|(place, _)| took_place[*place as usize])
            .map(|(place, step)| (history.operations[step.operation as usize].process, place))
            .collect();
        by_session.sort_unstable();
        let by_session = by_session.into_iter().map(|(_, place)| place).collect();
        let mut key = Self { prepared, clusters, violation, chains: Chains::default(), took_place, by_session };
        if matches!(key.violation, Violation::Meeting { .. } | Violation::Inversion { .. }) {
            key.chains = Chains::new(&key.clusters);
        }
        key
    }

    /// Why there is no order of its values at all in which each that a cas set comes right after the one that it found.
    pub(super) fn no_versions(&self) -> Option<Violation> {
        match &self.violation {
            Violation::Meeting { .. } | Violation::Inversion { .. } => {
                (!self.chains.ring.is_empty()).then(|| Violation::Ring { values: self.chains.ring.clone() })
            }
            other => Some(other.clone()),
        }
    }

    /// How many cas did not match and did not say what they found: no weaker model is tested with those.
    pub(super) fn unsaid(&self) -> usize {
        self.prepared.steps.iter().filter(|step| matches!(step.action, Action::NotEqual(_))).count()
    }

    pub(super) fn step(&self, index: u32) -> &Step {
        &self.prepared.steps[index as usize]
    }

    /// The steps that took place of one session after the other.
    pub(super) fn sessions<'a>(&'a self, history: &'a History) -> impl Iterator<Item = &'a [u32]> {
        let process = |index: u32| history.operations[self.step(index).operation as usize].process;
        self.by_session.chunk_by(move |&a, &b| process(a) == process(b))
    }
}

/// Chains of values that cas link.
#[derive(Debug, Default)]
pub(super) struct Chains {
    /// The chain of each value, and its place there.
    pub places: Vec<(u32, u32)>,
    /// How many there are.
    pub count: u32,
    /// Values that cas set in a circle.
    pub ring: Vec<Val>,
}

impl Chains {
    fn new(clusters: &Clusters) -> Self {
        let mut chains = Self { places: vec![(NOWHERE, 0); clusters.len() as usize], ..Self::default() };
        let included = |&value: &Val| clusters[value].included;
        for origin in (0..clusters.len()).filter(included).filter(|&value| clusters[value].from == NO_VALUE) {
            for (place, value) in (0..).zip(clusters.chain(origin)) {
                chains.places[value as usize] = (chains.count, place);
            }
            chains.count += 1;
        }
        let lost = (0..clusters.len()).filter(included).find(|&value| chains.places[value as usize].0 == NOWHERE);
        if let Some(first) = lost {
            let others = clusters.chain(first).skip(1).take_while(|&value| value != first);
            chains.ring = std::iter::once(first).chain(others).collect();
        }
        chains
    }
}

/// The values that a step touches, in order.
pub(super) fn touches(step: &Step) -> impl Iterator<Item = (Val, Touch)> {
    let (look, set) = match step.action {
        Action::Read(value) => (Some(value), None),
        Action::Write(value) => (None, Some(value)),
        Action::Cas { from, to } => (Some(from), Some(to)),
        Action::NotEqual(_) | Action::Contradiction(_) | Action::Append(_) => (None, None),
    };
    look.map(|value| (value, Touch::Look)).into_iter().chain(set.map(|value| (value, Touch::Set)))
}

/// The certain steps, and the changes whose value was seen by a step that took place.
fn took_place(steps: &[Step], clusters: &Clusters) -> Vec<bool> {
    let mut took: Vec<bool> = steps.iter().map(Step::is_certain).collect();
    let mut open: Vec<u32> = (0..).take(steps.len()).filter(|&index| took[index as usize]).collect();
    while let Some(index) = open.pop() {
        for (value, touch) in touches(&steps[index as usize]) {
            let writer = clusters[value].writer;
            if touch == Touch::Look && value != INITIAL && writer != NO_STEP {
                let took = &mut took[writer as usize];
                if !std::mem::replace(took, true) {
                    open.push(writer);
                }
            }
        }
    }
    took
}

/// A key's values and which of its steps took place, if its values are all different.
pub(super) fn touched(prepared: &Prepared, patience: &Patience<'_>) -> Result<Option<(Clusters, Vec<bool>)>, OutOf> {
    let Some(clusters) = Clusters::gather(prepared, patience)? else { return Ok(None) };
    let took_place = took_place(&prepared.steps, &clusters);
    Ok(Some((clusters, took_place)))
}
