//! Judging of recorded histories: reading within limits, meaning of events, model, verdict.

mod budget;
pub(crate) mod evidence;
pub(crate) mod files;
mod guard;
pub(crate) mod hints;
mod judging;
mod levels;
pub(crate) mod linearization;
pub(crate) mod notes;
mod reading_options;
mod source;
pub(crate) mod transactions;

pub(crate) use self::{
    budget::{Budget, ReadCutShort, ReadOutcome},
    files::TEST_FILE,
    guard::guard,
    judging::{
        JUDGE_AS, JudgingOptions, LimitArgs, decided_at_the_end, judge_as, judge_by, number_at_once, options_of,
        processors, status_of, status_of_report,
    },
    reading_options::ReadingOptions,
};
