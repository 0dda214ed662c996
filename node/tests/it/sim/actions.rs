//! Actions of faults and clients in a run.

use std::net::SocketAddr;

use node::raft::{Change, LeaderReadMode, NodeId};

use super::{
    cluster::{Cluster, Event},
    faults::{Defect, MS},
    host::{Clock, Input},
};

impl Cluster {
    /// Injects or ends a fault.
    pub(super) fn inject(&mut self) {
        if self.healed {
            return;
        }
        // The interval is often long enough for an election in between.
        let next = self.chance.between(20 * MS, 350 * MS);
        self.schedule(next, Event::Fault);
        let host = self.any_host();
        match self.chance.below(8) {
            0..=2 if self.faults.partitions => self.partition(),
            3 => self.cut.clear(),
            4 | 5 if self.faults.crash > 0 && self.hosts[host].raft.is_some() => self.crash(host),
            6 if self.faults.pauses && !self.hosts[host].paused => {
                self.log(|| format!("n{} pauses", host + 1));
                self.hosts[host].paused = true;
                let pause = self.chance.between(10 * MS, 300 * MS);
                self.schedule(pause, Event::Resume(host));
            }
            7 if self.faults.clock_jumps => self.jump(host),
            _ => {}
        }
    }

    /// Cuts the links between some nodes and the rest, in one or both directions.
    fn partition(&mut self) {
        self.cut.clear();
        if self.chance.permille(500) {
            return self.cut_one_link();
        }
        let nodes = self.hosts.len() as u64;
        // The bits of a random number select one side; most often that is the leader alone.
        let leader = self.hosts.iter().position(|host| host.leads).filter(|_| self.chance.permille(600));
        let side = leader.map_or_else(|| self.chance.below(1 << nodes), |leader| 1 << leader);
        let way = self.chance.below(3);
        for from in 0..nodes {
            for to in 0..nodes {
                let (leaves, enters) =
                    (side >> from & 1 == 1 && side >> to & 1 == 0, side >> from & 1 == 0 && side >> to & 1 == 1);
                if (leaves && way != 1) || (enters && way != 2) {
                    self.cut.insert((NodeId(from + 1), NodeId(to + 1)));
                }
            }
        }
        let cut = self.cut.clone();
        self.log(|| format!("cut {cut:?}"));
    }

    /// Cuts the link between a leader and another node while the rest still hears both; a while later the leader may
    /// lose all incoming links. Then only the other voters' promise keeps the other node from leading while the lease
    /// still runs.
    fn cut_one_link(&mut self) {
        let leader = self.hosts.iter().position(|host| host.leads).unwrap_or_default();
        let (leader, other) = (NodeId(leader as u64 + 1), NodeId(self.any_host() as u64 + 1));
        self.log(|| format!("cut {leader}-{other}"));
        self.cut.extend([(leader, other), (other, leader)]);
        if self.chance.permille(700) {
            let later = self.chance.between(80 * MS, 220 * MS);
            self.schedule(later, Event::Deafen(leader));
        }
    }

    pub(super) fn deafen(&mut self, node: NodeId) {
        if !self.healed {
            self.log(|| format!("{node} hears nobody"));
            self.cut.extend((1..=self.hosts.len() as u64).map(|from| (NodeId(from), node)));
        }
    }

    /// Sets a clock back or forward.
    fn jump(&mut self, host: usize) {
        let showed = self.hosts[host].clock.read(self.now).0;
        let far = self.chance.between(MS, 400 * MS);
        let showed = if self.chance.permille(500) { showed - far } else { showed + far };
        let clock = &mut self.hosts[host].clock;
        *clock = Clock { permille: clock.permille, started: self.now, showed };
        self.hosts[host].wake_at = None;
        self.log(|| format!("n{} jumps to {showed}", host + 1));
        self.run_host(host);
    }

    /// Asks a node, more often one that leads, for a change of the members or a transfer.
    pub(super) fn ask_for_change(&mut self) {
        if self.healed {
            return;
        }
        let next = self.chance.between(2 * MS, self.changes_every);
        self.schedule(next, Event::Change);
        let host = self.leader().filter(|_| self.chance.permille(800)).unwrap_or_else(|| self.any_host());
        let Some(raft) = &self.hosts[host].raft else { return };
        let membership = raft.status().membership;
        let nodes = (1..=self.hosts.len() as u64).map(NodeId);
        let (members, others): (Vec<_>, Vec<_>) = nodes.partition(|node| membership.members().contains(node));
        let address = SocketAddr::from(([127, 0, 0, 1], 7000));
        let node = self.chance.pick(&members);
        self.next_id += 1;
        let id = self.next_id;
        let input = match self.chance.below(4) {
            0 if !others.is_empty() => Input::Change(id, Change::Add { node: self.chance.pick(&others), address }),
            1 if !others.is_empty() => {
                Input::Change(id, Change::Replace { old: node, new: self.chance.pick(&others), address })
            }
            2 => Input::Transfer(id, node),
            _ => Input::Change(id, Change::Remove { node }),
        };
        self.log(|| format!("n{} asked {input:?}", host + 1));
        self.hosts[host].inbox.push(input);
        self.run_host(host);
    }

    /// Sends one request of a client to some node, more often to one that believes it leads.
    pub(super) fn act_as_client(&mut self) {
        let next = self.chance.between(MS, self.faults.clients_every);
        self.schedule(next, Event::Client);
        let leaders: Vec<usize> = (0..self.hosts.len()).filter(|&host| self.hosts[host].leads).collect();
        let any = leaders.is_empty() || self.chance.permille(300);
        let host = if any { self.any_host() } else { self.chance.pick(&leaders) };
        if self.hosts[host].raft.is_none() {
            return;
        }
        self.next_id += 1;
        let id = self.next_id;
        let input = if self.chance.permille(self.faults.writes) {
            Input::Propose(id)
        } else if self.defect == Defect::TrustsLeaderReads {
            Input::Read(id, LeaderReadMode::Leader)
        } else {
            Input::Read(id, self.chance.pick(&[LeaderReadMode::Quorum, LeaderReadMode::Lease]))
        };
        self.log(|| format!("n{} asked {input:?}", host + 1));
        // A read must see everything acknowledged before the client asked, not before the node takes the request.
        if let Input::Read(id, mode) = input {
            let acknowledged = self.oracle.acknowledged;
            self.hosts[host].reads.insert(id, (mode, acknowledged));
        }
        self.hosts[host].inbox.push(input);
        self.run_host(host);
    }

    fn any_host(&mut self) -> usize {
        usize::try_from(self.chance.below(self.hosts.len() as u64)).unwrap()
    }
}
