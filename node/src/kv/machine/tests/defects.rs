//! Planted defects of the state machine: each test shows the broken rule with the defect, and that it holds without.

use super::*;

#[test]
fn a_cas_that_does_not_compare() {
    assert!(Defect::CasIgnoresFrom.is_shown_by(|defect| {
        let mut machine = Machine::new(defect);
        apply(&mut machine, None, put("k", 5));
        apply(&mut machine, None, cas("k", Some(4), 6));
        machine.get("k") == found(6, 2)
    }));
}
