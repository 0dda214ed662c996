//! Resets of TCP connections on links, packet by packet, as a firewall does it that has forgotten them. Pure.

use std::collections::BTreeSet;
use std::net::SocketAddrV4;

use super::fault::AfterReset;
use super::frame::{ACK, RST, SYN, Segment};

/// Maximum number of connections that are known to be new; those beyond are reset like old ones.
const MOST_CONNECTIONS: usize = 65_536;

/// Treatment of a packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    Drop,
    /// It is dropped, and these go to its sender and to its receiver.
    Reset {
        to_sender: Segment,
        to_receiver: Option<Segment>,
    },
}

/// Connections that began after the reset, each by its two ends in order.
#[derive(Debug, Default)]
pub(super) struct Connections {
    new: BTreeSet<[SocketAddrV4; 2]>,
}

impl Connections {
    /// Decides what becomes of a packet, of which the segment is known if it is one of TCP.
    pub(super) fn judge(&mut self, segment: Option<Segment>, then: AfterReset) -> Verdict {
        let Some(segment) = segment else {
            return if then == AfterReset::Cut { Verdict::Drop } else { Verdict::Pass };
        };
        if segment.flags & RST != 0 {
            return Verdict::Pass;
        }
        if then == AfterReset::Open {
            let mut ends = [segment.source, segment.destination];
            ends.sort_unstable();
            if segment.flags & SYN != 0 && self.new.len() < MOST_CONNECTIONS {
                self.new.insert(ends);
            }
            if self.new.contains(&ends) {
                return Verdict::Pass;
            }
        }
        Verdict::Reset { to_sender: answer(&segment), to_receiver: forged(&segment) }
    }
}

/// Returns the reset that the sender of a segment takes for one of its peer (RFC 9293, 3.10.7.1).
fn answer(segment: &Segment) -> Segment {
    let Segment { source, destination, .. } = *segment;
    let (sequence_number, acknowledged, flags) = if segment.flags & ACK != 0 {
        (segment.acknowledged, 0, RST)
    } else {
        (0, segment.sequence_number.wrapping_add(segment.length), RST | ACK)
    };
    Segment { source: destination, destination: source, sequence_number, acknowledged, flags, length: 0 }
}

/// Returns the reset that the receiver of a segment takes for one of its sender, unless it knows of no connection yet.
fn forged(segment: &Segment) -> Option<Segment> {
    let reset = Segment { flags: RST | (segment.flags & ACK), length: 0, ..*segment };
    (segment.flags & SYN == 0).then_some(reset)
}

#[cfg(test)]
mod tests {
    use super::super::frame::tests::{end, segment};
    use super::*;

    fn judge(connections: &mut Connections, frame: &[u8], then: AfterReset) -> Verdict {
        connections.judge(Segment::of(frame), then)
    }

    #[test]
    fn both_ends_of_an_old_connection_are_reset_where_they_expect_it() {
        let frame = segment(ACK, 100, 200, b"abc");
        let verdict = judge(&mut Connections::default(), &frame, AfterReset::Open);
        let bare = Segment { length: 0, ..Segment::of(&frame).unwrap() };
        let to_sender = Segment {
            source: end(2, 80),
            destination: end(1, 4000),
            sequence_number: 200,
            acknowledged: 0,
            flags: RST,
            length: 0,
        };
        let to_receiver = Some(Segment { flags: RST | ACK, ..bare });
        assert_eq!(verdict, Verdict::Reset { to_sender, to_receiver });
    }

    #[test]
    fn a_new_connection_passes_unless_the_links_stay_cut() {
        let mut connections = Connections::default();
        let back = |frame: &[u8]| {
            let segment = Segment::of(frame).unwrap();
            let (source, destination) = (segment.destination, segment.source);
            Segment { source, destination, ..segment }.frame()
        };
        let old = segment(ACK, 1, 1, b"a");
        assert!(matches!(judge(&mut connections, &old, AfterReset::Open), Verdict::Reset { .. }));
        for frame in [segment(SYN, 1, 0, b""), back(&segment(SYN | ACK, 1, 2, b"")), old.clone(), back(&old)] {
            assert_eq!(judge(&mut connections, &frame, AfterReset::Open), Verdict::Pass);
        }
        let mut connections = Connections::default();
        let refused = judge(&mut connections, &segment(SYN, 7, 0, b""), AfterReset::Cut);
        let Verdict::Reset { to_sender, to_receiver: None } = refused else { panic!("{refused:?}") };
        assert_eq!((to_sender.acknowledged, to_sender.flags), (8, RST | ACK), "as a closed port refuses");
        assert!(matches!(judge(&mut connections, &old, AfterReset::Cut), Verdict::Reset { .. }));
        assert_eq!(connections.judge(None, AfterReset::Cut), Verdict::Drop);
    }

    #[test]
    fn resets_and_what_is_not_tcp_pass() {
        let mut connections = Connections::default();
        assert_eq!(judge(&mut connections, &segment(RST, 1, 1, b""), AfterReset::Cut), Verdict::Pass);
        assert_eq!(connections.judge(None, AfterReset::Open), Verdict::Pass);
    }
}
