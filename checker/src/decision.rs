//! Decision about one key, and how it becomes the report of that key.

use histories::{History, ValueId};

use crate::{
    Evidence, KeyReport, Method, Model, Options, UnknownWhy, Verdict,
    budget::{Budget, Shortage},
    doubt::doubt,
    evidence::{possible, revisions},
    objects,
    tally::Tally,
    verify::{ReplayError, Verify},
};

/// Decision about a key.
#[derive(Clone, Debug)]
pub(crate) struct Decision {
    pub(crate) verdict: Verdict,
    pub(crate) why: Option<UnknownWhy>,
    method: Method,
    evidence: Option<Evidence>,
    pub(crate) order: Option<Vec<u32>>,
}

impl Decision {
    pub(crate) fn yes(method: Method, order: Option<Vec<u32>>) -> Self {
        Self { verdict: Verdict::Linearizable, why: None, method, evidence: None, order }
    }

    pub(crate) fn no(method: Method, evidence: Evidence) -> Self {
        Self { verdict: Verdict::NotLinearizable, why: None, method, evidence: Some(evidence), order: None }
    }

    /// Returns "not linearizable" with this evidence, if the second opinion confirmed it.
    pub(crate) fn refuted(method: Method, evidence: Result<Evidence, UnknownWhy>) -> Self {
        match evidence {
            Ok(evidence) => Self::no(method, evidence),
            Err(why) => Self::unknown(why).by(method),
        }
    }

    pub(crate) fn unknown(why: UnknownWhy) -> Self {
        Self { verdict: Verdict::Unknown, why: Some(why), method: Method::None, evidence: None, order: None }
    }

    /// Returns the same decision as one by this method.
    pub(crate) fn by(self, method: Method) -> Self {
        Self { method, ..self }
    }

    /// Withdraws a "not linearizable" if the model is in doubt, and otherwise adds to the evidence what a correct
    /// register could have answered.
    pub(crate) fn examined(self, history: &History, options: &Options<'_>, operations: &[u32]) -> Self {
        if !options.model.is_register() {
            return self;
        }
        if let Some(why) = doubt(history, options, operations) {
            return Self::unknown(why);
        }
        let possible = |few: &[usize]| possible::answer(history, options, operations, few);
        let evidence = self.evidence.map(|found| Evidence { possible: possible(&found.operations), ..found });
        Self { evidence, ..self }
    }

    /// Turns the decision into the report of a key, together with what the store's own revisions say.
    pub(crate) fn report(
        self,
        history: &History,
        model: Option<Model>,
        key: ValueId,
        operations: &[u32],
        tally: Tally,
    ) -> KeyReport {
        let Self { verdict, why, method, evidence, order } = self;
        let why = why.map(|why| if let Some(model) = model { why.of_model(model.name()) } else { why });
        let beside = |found: Evidence| Evidence { revisions: revisions::beside(history, &found.operations), ..found };
        let (key, evidence) = (history.value(key).clone(), evidence.map(beside));
        let revisions = revisions::contradiction(history, operations, verdict);
        let told = |&index: &u32| objects::is_informative(history, model, &history.operations[index as usize]);
        let weak = tally.weak(verdict, || operations.iter().any(told));
        let (operations, Tally { answered, unanswered }) = (operations.len(), tally);
        KeyReport { key, verdict, why, method, operations, answered, unanswered, weak, evidence, order, revisions }
    }

    pub(crate) fn exhausted(out: Shortage, history: &History, operations: &[u32]) -> Self {
        Self::unknown(out.among(history, operations))
    }

    /// Returns "linearizable" with this order of the operations, if the second opinion confirmed it.
    pub(crate) fn confirmed(
        method: Method,
        object: &(impl Verify + ?Sized),
        history: &History,
        options: &Options<'_>,
        (operations, order): (&[u32], Vec<u32>),
    ) -> Self {
        match object.replay(history, operations, &order, &Budget::new(&options.limits)) {
            Ok(()) => Self::yes(method, options.keep_order.then_some(order)),
            Err(ReplayError::Shortage(out)) => Self::exhausted(out, history, operations),
            Err(ReplayError::Wrong(why)) => {
                let what = format!("an order by {method} is none: {why}");
                Self::unknown(UnknownWhy::Internal { what }).by(method)
            }
        }
    }
}
