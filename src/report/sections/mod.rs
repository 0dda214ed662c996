//! Sections of a report, one file each.

mod anomalies;
mod audits;
mod clocks;
mod counts;
mod elements;
mod explorer;
mod faults;
mod hierarchy;
mod judged;
mod leaders;
mod logs;
mod messages;
mod parameters;
mod performance;
mod repeat;
mod story;
mod totals;
mod verdict;

use super::Section;

/// Sections in the order in which they are read.
pub(super) const SECTIONS: &[Section] = &[
    verdict::SECTION,
    story::SECTION,
    anomalies::SECTION,
    judged::SECTION,
    repeat::SECTION,
    messages::SECTION,
    explorer::SECTION,
    hierarchy::SECTION,
    audits::SECTION,
    totals::SECTION,
    elements::SECTION,
    performance::SECTION,
    leaders::SECTION,
    faults::SECTION,
    clocks::SECTION,
    counts::SECTION,
    logs::SECTION,
    parameters::SECTION,
];

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use super::SECTIONS;

    #[test]
    fn every_file_in_the_folder_is_a_section() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/report/sections");
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let names = files.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()));
        let names: BTreeSet<String> = names.filter(|name| name != "mod").collect();
        let known: BTreeSet<String> = SECTIONS.iter().map(|section| section.id.to_owned()).collect();
        assert_eq!(names, known);
    }
}
