//! Operator of a simulated cluster: asks one node after the other for a change of the members, as that of real ones.

use nemesis::{Answer, MemberRequest, NodeId};

use super::{
    super::{clients::OPERATOR, faults::PlacedFault},
    Asking, Happening, MS, Reply, SimulationError, World, id_of,
};
use crate::systems::schism::{answer_of, member_message};

/// Time within which a node must answer.
const ANSWER_NS: u64 = 1000 * MS;

impl World<'_> {
    /// Asks the first node for a change.
    pub(super) fn ask_for_change(&mut self, fault: PlacedFault, request: MemberRequest) {
        self.ask_node(Asking { fault, request, number: 0, node: 0 });
    }

    fn ask_node(&mut self, asking: Asking) {
        self.asked += 1;
        let number = OPERATOR.number(self.asked);
        let node = asking.node;
        let message = member_message(asking.request);
        self.asking = Some(Asking { number, ..asking });
        self.send_request(number, node, message, ANSWER_NS);
    }

    /// Returns the request of the operator that is open at a node.
    pub(super) fn asked_at(&self, node: usize) -> Option<u64> {
        self.asking.as_ref().filter(|asking| asking.node == node).map(|asking| asking.number)
    }

    /// Takes the answer of a node: the next one is asked if this one certainly did nothing and another may know more.
    pub(super) fn on_change_reply(&mut self, number: u64, reply: Reply) -> Result<(), SimulationError> {
        let Some(asking) = self.asking.take_if(|asking| asking.number == number) else { return Ok(()) };
        let answer = match reply {
            Reply::Answer(status, body) => answer_of(status, &body),
            Reply::Refused => Err("no connection: refused".to_owned()),
            Reply::Reset => Ok(Answer::Unknown("connection reset".to_owned())),
            Reply::Late => Ok(Answer::Unknown("timed out".to_owned())),
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(_) if asking.node + 1 < self.members.len() => {
                self.ask_node(Asking { node: asking.node + 1, ..asking });
                return Ok(());
            }
            Err(why) => Answer::Refused(why),
        };
        let begun = self.faults.end_change(asking.fault, asking.request, answer, self.now_ns, &mut self.record)?;
        if let Some((id, until_ns)) = begun {
            self.queue.plan(until_ns.max(self.now_ns), Happening::Heal(id));
        }
        self.plan_fault(asking.fault.slot + 1);
        Ok(())
    }

    /// Returns the members, as the node knows them that leads; none if nobody leads.
    pub(super) fn member_ids(&self) -> Option<Vec<NodeId>> {
        let leader = self.leaders().current?;
        let status = self.members[super::place_of(leader)].host.status()?;
        let member = |node: usize| status.membership.has_member(super::raft_id(node));
        Some((0..self.members.len()).filter(|node| member(*node)).map(id_of).collect())
    }
}
