//! The consistency ladder: what holds of a history of registers that is not linearizable, and what shows that the next model fails.
//!
//! For keys whose values are all different; elsewhere most of this is NP-complete, and nothing is guessed. Sequential consistency over
//! several keys is NP-complete even with such values (Gibbons and Korach 1997): what is checked instead is
//! each key by itself, and causal consistency over all. What holds of each key need not hold of all together: only linearizability is local.

mod causal;
mod converged;
mod graph;
mod key;
mod ladder;
mod regular;
mod versions;
mod witness;

use histories::History;
use rustc_hash::FxHashSet;

use crate::{
    Model, Options,
    memory::of_vec,
    patience::{OutOf, Patience},
    prepare::{INITIAL, Keys, Preparer},
    zones::{Zones, zones},
};
use causal::{Event, Events, uncausal};
use key::{Key, Touch, touches};
pub use ladder::{Consistency, Ladder, Rung, Standing, Witness};
use witness::{Teller, of_uncausal};

/// Why a key is not on the ladder, or not measured.
pub(crate) const REPEATS: &str = "values repeat";
const UNSAID: &str = "some cas did not match and did not say what they found";
pub(crate) const UNKNOWN_FUNCTION: &str = "the model has no such function";

/// What is made for each step of a key that is not linearizable, in bytes: whether it took place, its place in its session, and the
/// chain of its value, with room to grow.
const KEY_BYTES: usize = 40;

/// What holds of `history`, and what does not.
///
/// Only the model, the initial value and the limits of `options` matter; it takes one thread. What there is no time for is
/// [`Standing::NotChecked`].
///
/// # Panics
/// If the checker contradicts itself, which would be a bug in it.
pub fn consistency(history: &History, options: &Options<'_>) -> Ladder {
    // One by one, for collecting makes room for as many as there are operations.
    let mut processes: FxHashSet<u32> = FxHashSet::default();
    for operation in &history.operations {
        processes.insert(operation.process);
    }
    let split = Keys::split(history, &Patience::new(&options.limits));
    let keys = split.as_ref().map_or(0, Keys::len);
    let mut tally = Tally::default();
    if matches!(options.model, Model::Register | Model::KeyValue) {
        if let Err(out) = split.and_then(|split| tally.keys(history, options, &split)) {
            tally.skip(&out.to_string());
        }
    } else {
        tally.skip("only registers are on the ladder");
    }
    let rungs = Consistency::ALL.into_iter().zip(tally.rungs);
    let rungs = rungs.map(|(model, rung)| Rung { model, standing: rung.standing() }).collect();
    Ladder { rungs, keys, sessions: processes.len() }
}

/// What is known of one rung so far.
#[derive(Clone, Debug, Default)]
struct Known {
    failing: usize,
    witness: Option<Witness>,
    why: Option<String>,
}

impl Known {
    /// A failure outweighs what is not known.
    fn standing(self) -> Standing {
        match (self.witness, self.why) {
            (Some(witness), _) => Standing::Fails { witness, keys: self.failing },
            (None, Some(why)) => Standing::NotChecked { why },
            (None, None) => Standing::Holds,
        }
    }

    /// Of several witnesses the one of the fewest operations stays.
    fn fail(&mut self, witness: Witness) {
        self.failing += 1;
        if self.witness.as_ref().is_none_or(|other| witness.operations.len() < other.operations.len()) {
            self.witness = Some(witness);
        }
    }
}

/// All rungs, in the order of [`Consistency::ALL`].
#[derive(Debug, Default)]
struct Tally {
    rungs: [Known; Consistency::ALL.len()],
}

impl Tally {
    fn of(&mut self, model: Consistency) -> &mut Known {
        &mut self.rungs[model as usize]
    }

    /// A key of which nothing is known.
    fn skip(&mut self, why: &str) {
        self.rungs.iter_mut().for_each(|rung| {
            rung.why.get_or_insert_with(|| why.to_owned());
        });
    }

    /// Tests every rung.
    fn keys(&mut self, history: &History, options: &Options<'_>, keys: &Keys) -> Result<(), OutOf> {
        let patience = Patience::new(&options.limits);
        let mut preparer = Preparer::new(history, options.model, &options.initial);
        for place in 0..keys.len() {
            let name = history.value(keys.id(place));
            let Ok(prepared) = preparer.prepare(keys.operations(place), &patience)? else {
                self.skip(UNKNOWN_FUNCTION);
                continue;
            };
            match zones(&prepared, &patience)? {
                Some(Zones::Order(_)) => {}
                Some(Zones::Undecided) => self.skip(UNSAID),
                None => self.skip(REPEATS),
                Some(Zones::Violation(violation, clusters)) => {
                    patience.room(prepared.steps.len() * KEY_BYTES)?;
                    let key = Key::new(history, prepared, clusters, violation);
                    self.climb(&Teller { history, options, key: &key, name }, &patience)?;
                }
            }
        }
        if self.of(Consistency::Linearizable).failing > 0 {
            self.causal(history, options, keys, &patience)
        } else {
            Ok(())
        }
    }

    /// Tests every rung but the causal one on a key that is not linearizable.
    fn climb(&mut self, teller: &Teller<'_>, patience: &Patience<'_>) -> Result<(), OutOf> {
        let key = teller.key;
        self.of(Consistency::Linearizable).fail(teller.of_zones());
        let mut open = Vec::new();
        match regular::irregular(key, 0.., patience)? {
            Some(found) => self.of(Consistency::Regular).fail(teller.of_irregular(found)),
            None => open.push(Consistency::Regular),
        }
        match self.final_reads(teller, patience)? {
            Some(witness) => self.of(Consistency::Converged).fail(witness),
            None => open.push(Consistency::Converged),
        }
        let sequential = [
            Consistency::SequentialPerKey,
            Consistency::MonotonicReads,
            Consistency::MonotonicWrites,
            Consistency::ReadYourWrites,
            Consistency::WritesFollowReads,
        ];
        let no_versions = key.no_versions();
        for model in sequential {
            let found = match &no_versions {
                Some(violation) => Some(teller.of_no_versions(violation)),
                None => versions::refute(teller.history, key, model, patience)?.map(|pairs| teller.of_pairs(&pairs)),
            };
            match found {
                Some(witness) => self.of(model).fail(witness),
                None => open.push(model),
            }
            if model == Consistency::SequentialPerKey && open.contains(&model) {
                open.extend(&sequential[1..]);
                break;
            }
        }
        if key.unsaid() > 0 {
            for model in open {
                self.of(model).why.get_or_insert_with(|| UNSAID.to_owned());
            }
        }
        Ok(())
    }

    /// What contradicts convergence, if something does.
    fn final_reads(&mut self, teller: &Teller<'_>, patience: &Patience<'_>) -> Result<Option<Witness>, OutOf> {
        let reads = converged::final_reads(teller.history, teller.key);
        if reads.is_empty() {
            let why = "nobody read after the last change of a key";
            self.of(Consistency::Converged).why.get_or_insert_with(|| why.to_owned());
        }
        Ok(regular::irregular(teller.key, reads.iter().copied(), patience)?
            .map(|found| teller.of_irregular(found))
            .or_else(|| converged::differing(teller.key, &reads).map(|reads| teller.of_final(&reads))))
    }

    fn causal(
        &mut self,
        history: &History,
        options: &Options<'_>,
        keys: &Keys,
        patience: &Patience<'_>,
    ) -> Result<(), OutOf> {
        let (events, unsaid) = gather(history, options, keys, patience)?;
        let found = uncausal(&events, options.limits.memory, patience)?;
        let rung = self.of(Consistency::Causal);
        match &found {
            Some(causal::Uncausal::TooMany { bytes }) => {
                rung.why = Some(format!("its vector clocks would take {} MiB", bytes >> 20));
            }
            Some(found) => {
                let witness = of_uncausal(history, &options.initial, &events, found);
                if let Some(witness) = witness {
                    rung.fail(witness);
                }
            }
            None if unsaid => {
                rung.why.get_or_insert_with(|| UNSAID.to_owned());
            }
            None => {}
        }
        Ok(())
    }
}

/// What took place in all keys that can be checked, session by session; whether a cas left something unsaid.
fn gather(
    history: &History,
    options: &Options<'_>,
    keys: &Keys,
    patience: &Patience<'_>,
) -> Result<(Events, bool), OutOf> {
    let mut preparer = Preparer::new(history, options.model, &options.initial);
    let mut all = Events::default();
    let mut unsaid = false;
    for place in 0..keys.len() {
        let Ok(prepared) = preparer.prepare(keys.operations(place), patience)? else { continue };
        let Some((clusters, took_place)) = key::touched(&prepared, patience)? else { continue };
        patience.room(of_vec(&all.events, 2 * prepared.steps.len()))?;
        let offset = u32::try_from(all.keys.len()).expect("values are counted by u32");
        let number = u32::try_from(all.initial.len()).expect("keys are counted by u32");
        all.initial.push(offset + INITIAL);
        all.keys.resize(all.keys.len() + clusters.len() as usize, number);
        for (step, took_place) in prepared.steps.iter().zip(took_place) {
            unsaid |= touches(step).next().is_none();
            all.events.extend(Event::of(history, step, offset).filter(|_| took_place));
        }
    }
    all.events.sort_unstable_by_key(|event| (event.process, event.operation, event.touch == Touch::Set));
    Ok((all, unsaid))
}
