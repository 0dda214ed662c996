//! Translation of a grudge to firewall rules. Pure. Each node drops, in its own network namespace, the packets that
//! arrive from the nodes in its grudge. All rules are in a chain (or an nft table) of our own, and healing removes
//! just that.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::command::Command;

/// Means to keep the packets of one host from another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Partitioner {
    /// Neighbour entries of the sender.
    Neighbours,
    /// Rules of the receiver.
    Rules(Firewall),
}

/// Program that installs rules on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Firewall {
    /// Program `iptables`, in any variant.
    Iptables(PathBuf),
    /// Program `nft`.
    Nft(PathBuf),
}

impl Firewall {
    /// Returns the commands that make the host named `netns` drop all packets from `sources`, atomically rather than
    /// one source after the other. No rule of ours may be in force there yet.
    pub(crate) fn drop_rules(&self, netns: &str, sources: &BTreeSet<Ipv4Addr>) -> Vec<Command> {
        let sources: Vec<String> = sources.iter().map(Ipv4Addr::to_string).collect();
        let commands = match self {
            Self::Iptables(_) => vec![
                self.command(&["-N", "SCHISM"]),
                self.command(&["-A", "SCHISM", "-s", &sources.join(","), "-j", "DROP"]),
                self.command(&["-I", "INPUT", "-j", "SCHISM"]),
            ],
            Self::Nft(_) => vec![self.command(&[&format!(
                "add table ip schism; \
                 add chain ip schism input {{ type filter hook input priority filter; policy accept; }}; \
                 add rule ip schism input ip saddr {{ {} }} drop",
                sources.join(", ")
            )])],
        };
        commands.into_iter().map(|command| command.within(netns)).collect()
    }

    /// Returns the program's path.
    pub(crate) fn program(&self) -> &Path {
        match self {
            Self::Iptables(program) | Self::Nft(program) => program,
        }
    }

    /// Returns a command that installs one real rule, to test whether this program can.
    pub(crate) fn trial(&self) -> Command {
        match self {
            Self::Iptables(_) => self.command(&["-A", "INPUT", "-s", "192.0.2.1", "-j", "DROP"]),
            Self::Nft(_) => self.command(&["add table ip schism; \
                 add chain ip schism input { type filter hook input priority filter; policy accept; }; \
                 add rule ip schism input ip saddr 192.0.2.1 drop"]),
        }
    }

    /// Returns a command that lists the rules of a host, for [`Self::removal`].
    pub(crate) fn listing(&self, netns: &str) -> Command {
        match self {
            Self::Iptables(_) => self.command(&["-S"]),
            Self::Nft(_) => self.command(&["list tables"]),
        }
        .within(netns)
    }

    /// Returns the commands that remove those of our rules that `listed` shows; none if it shows none.
    pub(crate) fn removal(&self, netns: &str, listed: &str) -> Vec<Command> {
        let has = |line: &str| listed.lines().any(|listed| listed.trim() == line);
        let mut commands = Vec::new();
        match self {
            Self::Iptables(_) => {
                if has("-A INPUT -j SCHISM") {
                    commands.push(self.command(&["-D", "INPUT", "-j", "SCHISM"]));
                }
                if has("-N SCHISM") {
                    commands.extend([self.command(&["-F", "SCHISM"]), self.command(&["-X", "SCHISM"])]);
                }
            }
            Self::Nft(_) if has("table ip schism") => commands.push(self.command(&["delete table ip schism"])),
            Self::Nft(_) => {}
        }
        commands.into_iter().map(|command| command.within(netns)).collect()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let first: &[&str] = match self {
            // Option to wait for the xtables lock, which another host's iptables may hold.
            Self::Iptables(_) => &["-w", "5"],
            Self::Nft(_) => &[],
        };
        let program = self.program().to_string_lossy();
        Command::new([program.as_ref()].into_iter().chain(first.iter().copied()).chain(arguments.iter().copied()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(commands: &[Command]) -> Vec<String> {
        commands.iter().map(Command::to_string).collect()
    }

    fn sources() -> BTreeSet<Ipv4Addr> {
        [2, 3].map(|last| Ipv4Addr::new(10, 77, 0, last)).into()
    }

    #[test]
    fn iptables_gets_a_chain_of_our_own_that_is_jumped_to_last() {
        let iptables = Firewall::Iptables("/usr/sbin/iptables".into());
        assert_eq!(
            told(&iptables.drop_rules("n1", &sources())),
            [
                "nsenter --net=/run/netns/n1 /usr/sbin/iptables -w 5 -N SCHISM",
                "nsenter --net=/run/netns/n1 /usr/sbin/iptables -w 5 -A SCHISM -s 10.77.0.2,10.77.0.3 -j DROP",
                "nsenter --net=/run/netns/n1 /usr/sbin/iptables -w 5 -I INPUT -j SCHISM",
            ]
        );
    }

    #[test]
    fn iptables_loses_only_what_is_ours_and_there() {
        let iptables = Firewall::Iptables("iptables".into());
        let removal = |listed| told(&iptables.removal("n1", listed));
        assert_eq!(removal("-P INPUT ACCEPT\n-N DOCKER\n-A INPUT -j DOCKER\n"), Vec::<String>::new());
        assert_eq!(
            removal("-P INPUT ACCEPT\n-N SCHISM\n-A INPUT -j SCHISM\n-A SCHISM -s 10.77.0.2/32 -j DROP\n"),
            [
                "nsenter --net=/run/netns/n1 iptables -w 5 -D INPUT -j SCHISM",
                "nsenter --net=/run/netns/n1 iptables -w 5 -F SCHISM",
                "nsenter --net=/run/netns/n1 iptables -w 5 -X SCHISM",
            ]
        );
        assert_eq!(removal("-N SCHISM\n").len(), 2);
    }

    #[test]
    fn nft_gets_a_table_of_our_own_in_one_transaction() {
        let nft = Firewall::Nft("nft".into());
        assert_eq!(
            told(&nft.drop_rules("n2", &sources())),
            ["nsenter --net=/run/netns/n2 nft 'add table ip schism; \
              add chain ip schism input { type filter hook input priority filter; policy accept; }; \
              add rule ip schism input ip saddr { 10.77.0.2, 10.77.0.3 } drop'"]
        );
        assert_eq!(
            told(&nft.removal("n2", "table ip filter\ntable ip schism\n")),
            ["nsenter --net=/run/netns/n2 nft 'delete table ip schism'"]
        );
        assert_eq!(nft.removal("n2", "table ip filter\n"), []);
    }
}
