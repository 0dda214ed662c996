//! Requests, answers and frames under way.

use node::simulation::Outgoing;
use workloads::Message;

use super::{Happening, MS, Reply, SimulationError, World, place_of};
use nemesis::NodeId;

impl World<'_> {
    /// Plans the next operation of a client that is ready at a time, if it has one.
    pub(super) fn plan_turn(&mut self, client: usize, ready_ns: u64) {
        if let Some(due_ns) = self.clients.due_ns(client, ready_ns) {
            self.queue.plan(due_ns, Happening::Turn(client));
        }
    }

    /// Lets a client begin an operation.
    pub(super) fn turn(&mut self, client: usize) -> Result<(), SimulationError> {
        let (number, node, message) = self.clients.begin(client, self.now_ns, &mut self.record)?;
        self.send_request(number, place_of(NodeId(node)), message, self.plan.operation_timeout_ms * MS);
        Ok(())
    }

    /// Sends a request to a node; whoever sent it waits for the answer for at most `patience_ns`.
    pub(super) fn send_request(&mut self, number: u64, node: usize, message: Message, patience_ns: u64) {
        let passage_ns = self.network.passage_ns(node, false).filter(|_| self.network.admits_clients(node));
        let arrival_ns = passage_ns.map(|passage_ns| self.now_ns + passage_ns);
        if let Some(arrival_ns) = arrival_ns
            && !self.members[node].host.is_up()
        {
            let at_ns = arrival_ns + self.network.latency_ns();
            self.queue.plan(at_ns, Happening::Reply { number, reply: Reply::Refused });
            return;
        }
        let life = self.members[node].life;
        if let Some(arrival_ns) = arrival_ns {
            self.queue.plan(arrival_ns, Happening::Request { number, node, life, message: Box::new(message) });
        }
        self.queue.plan_limit(self.now_ns + patience_ns, Happening::Reply { number, reply: Reply::Late });
    }

    /// Hands a request to a node, if the process that it was sent to still runs.
    pub(super) fn request(
        &mut self,
        number: u64,
        node: usize,
        life: u32,
        message: &Message,
    ) -> Result<(), SimulationError> {
        let member = &mut self.members[node];
        if member.life != life || !member.host.is_up() {
            let at_ns = self.now_ns + self.network.latency_ns();
            self.queue.plan(at_ns, Happening::Reply { number, reply: Reply::Reset });
            return Ok(());
        }
        let body = message.body.as_deref().unwrap_or_default();
        if let Some((status, body)) = member.host.ask(number, message.method.as_str(), &message.path, body) {
            self.route(node, self.now_ns, Outgoing::Answer(number, status, body));
        }
        self.act(node)
    }

    /// Sends what left a node at a time on its way.
    pub(super) fn route(&mut self, from: usize, at_ns: u64, leaving: Outgoing) {
        match leaving {
            Outgoing::Frame(to, parcel) => {
                if let Some(promise) = parcel.promise() {
                    self.invariants.note_promise(from, promise, at_ns);
                }
                let to = usize::try_from(to.0).expect("a cluster has few nodes") - 1;
                let life = self.members[to].life;
                let [first, again] = self.network.arrivals(from, to, at_ns, parcel.bears_repetition());
                if let Some(again_ns) = again {
                    let parcel = parcel.clone();
                    self.queue.plan(again_ns, Happening::Arrival { from, to, life, parcel });
                }
                if let Some(first_ns) = first {
                    self.queue.plan(first_ns, Happening::Arrival { from, to, life, parcel });
                }
            }
            Outgoing::Answer(number, status, body) => {
                if let Some(passage_ns) = self.network.passage_ns(from, true) {
                    let reply = Reply::Answer(status, body);
                    self.queue.plan(at_ns + passage_ns, Happening::Reply { number, reply });
                }
            }
        }
    }
}
