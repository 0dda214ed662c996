//! Findings of `doctor` on this host, for different users, and its report of missing capabilities.

use nemesis::{Fault, PartitionBy, Shape, Target, probe};

use crate::Test;
use crate::host::{self, Starter, User, succeed};

pub(crate) const TESTS: &[Test] = &[
    ("doctor::this_host_has_everything_for_root_and_for_nobody", has_everything),
    ("doctor::a_missing_program_is_needed_only_by_those_who_ask_for_it", no_program),
    ("doctor::missing_namespaces_refuse_partitions_by_name", no_namespaces),
];

/// Scenario: prints one line for each capability, then whether each fault is supported.
pub(crate) fn tell(by: PartitionBy) {
    // Probing must work beside other threads.
    let can = std::thread::spawn(move || probe(by)).join().unwrap();
    for capability in can.list() {
        println!("{}: {} ({})", capability.name, capability.present, capability.detail);
    }
    for fault in [Fault::Partition { shape: Shape::Isolate(Target::Leader) }, Fault::Pause { target: Target::Leader }] {
        match can.supports(&fault, true) {
            Ok(()) => println!("{fault}: yes"),
            Err(refused) => println!("{refused} ({})", refused.remedy),
        }
    }
}

fn has_everything() {
    let starter = Starter::new();
    let before = host::state();
    for user in [User::Me, User::Nobody] {
        for place in ["plain", "inside"] {
            let told = succeed(&mut starter.helper(user, &[place, "doctor", "netlink"]));
            print!("{user:?} {place}:\n{told}");
            assert!(!told.contains(": false"), "{user:?} {place}: {told}");
            assert!(told.ends_with("isolate the leader: yes\npause the leader: yes\n"), "{told}");
        }
    }
    assert_eq!(host::state(), before);
}

fn no_program() {
    let starter = Starter::new();
    let none = starter.tools(None).unwrap();
    for (by, told) in [
        ("netlink", "isolate the leader: yes\npause the leader: yes\n"),
        (
            "iptables",
            "cannot isolate the leader on this host: iptables: not found (apt-get install iptables, or partition by \
             netlink, which needs no program)\npause the leader: yes\n",
        ),
        (
            "nft",
            "cannot isolate the leader on this host: nft: not found (apt-get install nftables, or partition by \
             netlink, which needs no program)\npause the leader: yes\n",
        ),
    ] {
        let mut helper = starter.helper(User::Me, &["inside", "doctor", by]);
        let said = succeed(helper.env("SCHISM_TOOLS_PATH", &none).env("PATH", &none));
        assert!(said.ends_with(told), "{said}");
    }
}

fn no_namespaces() {
    let told = succeed(&mut Starter::new().without_namespaces(&["inside", "doctor", "netlink"]));
    assert!(told.contains("\ncannot isolate the leader on this host: mount and PID namespaces: "), "{told}");
    assert!(told.contains("(as root: sysctl -w user.max_user_namespaces=10000)"), "{told}");
    assert!(told.ends_with("pause the leader: yes\n"), "{told}");
}
