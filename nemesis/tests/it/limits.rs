//! Scenarios of limits: a node's processes may open no more files, or allocate no more memory, until that is healed.

use std::fs;
use std::io::Write;
use std::thread;
use std::time::Duration;

use nemesis::{Hosts, Nemesis, NodeId, Outcome, PartitionBy, Sandbox, probe};

use crate::Test;
use crate::host::poll;
use crate::inside::{everywhere, inject, silent};
use crate::processes::shell;

pub(crate) const TESTS: &[Test] = &[
    ("limits::no_file_can_be_opened_until_they_are_healed", || everywhere("open_files")),
    ("limits::no_memory_can_be_allocated_until_they_are_healed", || everywhere("memory")),
];

/// Scenario: limits the open files of a node whose shell tries to open five more, again and again; its limit is also
/// that of what it starts meanwhile.
pub(crate) fn open_files(sandbox: &Sandbox) {
    let tries = "while true 3</dev/null 4</dev/null 5</dev/null 6</dev/null 7</dev/null && echo taken || echo refused
        do sleep 0.01; done 2>/dev/null";
    limited(sandbox, tries, "open-files:n1,files=6", "let n1 have 6 files open at most");
}

/// Scenario: limits the memory of a node that allocates and gives back, again and again.
pub(crate) fn memory(sandbox: &Sandbox) {
    let tries = format!("exec {} helper allocate", std::env::current_exe().unwrap().display());
    limited(sandbox, &tries, "memory:n1,more=1MiB", "let n1 allocate no more than 1MiB of memory");
}

/// Tries to have 32 MiB, again and again, and says `taken` or `refused`.
pub(crate) fn allocate() -> ! {
    let mut out = std::io::stdout();
    loop {
        let is_taken = Vec::<u8>::new().try_reserve_exact(32 << 20).is_ok();
        out.write_all(if is_taken { b"taken\n" } else { b"refused\n" }).unwrap();
        thread::sleep(Duration::from_millis(10));
    }
}

/// Checks that a node that runs the script gets what it tries to have, unless this fault is in force.
fn limited(sandbox: &Sandbox, script: &str, fault: &str, words: &str) {
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
    let mut nemesis = Nemesis::new(Hosts::create(1, sandbox, &probe(PartitionBy::default()), silent()).unwrap());
    nemesis.start(NodeId(1), shell(&log, script)).unwrap();
    assert!(says("taken"));
    let limited = inject(&mut nemesis, fault, None);
    assert_eq!(limited.to_string(), format!("installed: {words}"));
    assert!(says("refused"));
    let second = inject(&mut nemesis, fault, None);
    assert!(matches!(second, Outcome::Skipped { .. }), "{second}");
    nemesis.heal(limited.id().unwrap()).unwrap();
    assert!(says("taken"));
    assert_eq!(nemesis.crashed().unwrap(), []);
    nemesis.stop_all().unwrap();
}
