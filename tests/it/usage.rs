//! Tests of help, version and wrong usage.

use crate::support::run;

#[test]
fn help_tells_the_exit_codes() {
    let ended = run(".".as_ref(), &["--help"]);
    assert_eq!(ended.code, Some(0));
    for line in ["  0  linearizable", "  1  a violation", "  2  unknown", " 64  wrong usage", "130  interrupted"] {
        assert!(ended.out.contains(line), "{line}\n{}", ended.out);
    }
}

#[test]
fn wrong_usage_is_not_a_verdict() {
    for arguments in [
        &["--nope"][..],
        &["run", "--read", "fast"],
        &["run", "--faults", "kil"],
        &["run", "--nodes", "0"],
        &["check"],
        &["check", "--initial", "{", "x"],
        &[],
    ] {
        let ended = run(".".as_ref(), arguments);
        assert_eq!(ended.code, Some(64), "{arguments:?}: {ended:?}");
    }
}

#[test]
fn an_unknown_fault_is_answered_with_those_that_exist() {
    let ended = run(".".as_ref(), &["run", "--faults", "partition:isolated"]);
    assert!(ended.err.contains("isolate-TARGET, cut-off-TARGET, clients-TARGET"), "{}", ended.err);
    let ended = run(".".as_ref(), &["run", "--faults", "partition:isolate-everyone"]);
    assert!(ended.err.contains("leader, deposed-leader, follower, random, minority"), "{}", ended.err);
}

#[test]
fn an_unknown_system_or_read_mode_is_answered_with_those_that_exist() {
    for (arguments, known) in [
        (["run", "--system", "nothing"], "[possible values: schism]"),
        (["run", "--read", "nothing"], "it has: local, leader, lease, quorum, log"),
        (["campaign", "--reads", "nothing"], "it has: local, leader, lease, quorum, log"),
        (["compare", "--reads", "nothing"], "it has: local, leader, lease, quorum, log"),
    ] {
        let ended = run(".".as_ref(), &arguments);
        assert_eq!(ended.code, Some(64), "{arguments:?}: {ended:?}");
        assert!(ended.err.contains("nothing") && ended.err.contains(known), "{}", ended.err);
    }
    let help = run(".".as_ref(), &["run", "--help"]).out;
    assert!(help.contains("- lease:") && help.contains("a lease relies on loyal voters"), "{help}");
}

#[test]
fn an_argument_does_no_harm_where_it_is_shown() {
    for argument in ["--\u{1b}]0;x\u{7}", "\u{9b}31m", "x\n::error::y", "\u{202e}z"] {
        for arguments in [&[argument][..], &["run", "--read", argument], &["check", "--level", argument, "h"]] {
            let ended = run(".".as_ref(), arguments);
            assert_eq!(ended.code, Some(64), "{arguments:?}: {ended:?}");
            let does_harm = |c: char| matches!(c, '\u{1b}' | '\u{7}' | '\u{9b}' | '\u{202e}');
            assert!(!ended.err.contains(does_harm), "{ended:?}");
            assert!(!ended.err.lines().any(|line| line.starts_with("::")), "{ended:?}");
        }
    }
}

#[test]
fn the_version_is_printed_both_ways() {
    let version = format!("schism {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(".".as_ref(), &["version"]).out, version);
    assert_eq!(run(".".as_ref(), &["--version"]).out, version);
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    use std::process::Stdio;
    let mut child = crate::support::schism(".".as_ref()).arg("version").stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_reference_has_the_exit_codes_of_the_program() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/exit-codes.md");
    let reference = std::fs::read_to_string(path).unwrap();
    let help = run(".".as_ref(), &["--help"]).out;
    let (_, codes) = help.split_once("Exit codes:\n").unwrap();
    let rows: Vec<_> = codes.lines().filter_map(|line| line.trim().split_once("  ")).collect();
    assert_eq!(rows.len(), 8, "{help}");
    for (code, meaning) in rows {
        assert!(reference.contains(&format!("| {code} | {meaning} |")), "{code} {meaning}");
    }
}
