//! Defects of reads (dissertation §6.4).

use super::*;

/// Returns a leader of term 2 whose entry of that term, the second of its log, is committed.
fn serving(members: u64, defect: Option<Defect>) -> Node {
    let mut leader = leader(members, 1, &[1], defect);
    for follower in 2..=members {
        leader.receive(follower, 2, matched(2, 1));
    }
    leader
}

#[test]
fn a_quorum_read_that_asks_nobody() {
    assert!(
        Defect::ReadAsksNobody.is_shown_by(|defect| { serving(3, defect).read(LeaderReadMode::Quorum) == ready(2) })
    );
}
