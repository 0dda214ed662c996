//! Text for people: verdicts and evidence, the hierarchy of consistency models, runs and campaigns.

pub(crate) mod dot;
pub(crate) mod hierarchy;
mod lesson;
mod matrix;
pub(crate) mod operations;
pub(crate) mod prefix;
pub(crate) mod run_summary;
pub(crate) mod sets;
mod table;
pub(crate) mod transactions;
pub(crate) mod verdict;

pub(crate) use lesson::describe_lesson;
pub(crate) use matrix::describe_campaign;
pub(crate) use table::{ReportTable, Row};
