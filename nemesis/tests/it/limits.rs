//! Scenarios of limits: a node's processes may open no more files until the fault is healed.

use std::fs;

use nemesis::{Hosts, Nemesis, NodeId, Outcome, PartitionBy, Sandbox, probe};

use crate::harness::Test;
use crate::host::poll;
use crate::inside::{everywhere, inject, shell, silent};

pub(crate) const TESTS: &[Test] =
    &[("limits::no_file_can_be_opened_until_they_are_healed", || everywhere("open_files"))];

/// Scenario: limits the open files of a node whose shell tries to open five more, again and again; its limit is also
/// that of what it starts meanwhile.
pub(crate) fn open_files(sandbox: &Sandbox) {
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("n1.log");
    let said = || fs::read_to_string(&log).unwrap();
    let says = |word: &str| {
        let before = said().len();
        poll(word, || said()[before..].contains(word));
        let before = said().len();
        poll(&format!("nothing but {word}"), || said()[before..].lines().count() > 10);
        said()[before..].lines().skip(1).all(|line| line == word)
    };
    let tries = "while true 3</dev/null 4</dev/null 5</dev/null 6</dev/null 7</dev/null && echo opened || echo refused
        do sleep 0.01; done 2>/dev/null";
    let mut nemesis = Nemesis::new(Hosts::create(1, sandbox, &probe(PartitionBy::default()), silent()).unwrap());
    nemesis.start(NodeId(1), shell(&log, tries)).unwrap();
    assert!(says("opened"));
    let limited = inject(&mut nemesis, "open-files:n1,files=6", None);
    assert_eq!(limited.to_string(), "installed: let n1 have 6 files open at most");
    assert!(says("refused"));
    let second = inject(&mut nemesis, "open-files:n1,files=6", None);
    assert!(matches!(second, Outcome::Skipped { .. }), "{second}");
    nemesis.heal(limited.id().unwrap()).unwrap();
    assert!(says("opened"));
    assert_eq!(nemesis.crashed().unwrap(), []);
    nemesis.stop_all().unwrap();
}
