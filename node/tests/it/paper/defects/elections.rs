//! Defects of elections (§5.2, §5.4.1) and of what they must remember.

use super::*;

#[test]
fn a_second_vote_in_one_term() {
    assert!(Defect::VotesTwice.is_shown_by(|defect| {
        let mut voter = node(3, 1, &[1], defect);
        voter.receive(2, 5, request_vote(false, (1, 1)));
        only(&voter.receive(3, 5, request_vote(false, (1, 1)))).body == vote(false, true)
    }));
}
