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
fn what_is_missing_or_wrong_is_answered_with_what_is_possible() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("test.json"), "{}").unwrap();
    std::fs::create_dir(dir.path().join("store")).unwrap();
    for (arguments, code, said) in [
        (&["export", "store"][..], 64, "--svg|--dot|--script|--csv|--markdown"),
        (&["export", "--csv", "store"], 65, "--svg, --dot and --script are for a run"),
        (&["explain", "store"], 65, "error: store: this is not the folder of a run: it has no test.json"),
        (&["explain"], 65, "hint: `schism run` makes a store, and `schism store ls` names the runs in it"),
        (&["run", "--replay", "nowhere"], 65, "nowhere: No such file or directory (os error 2)\n\nhint: `schism run`"),
        (&["serve", "--listen", "localhost:9000"], 64, "an IP address and a port, such as 127.0.0.1:9000"),
        (&["campaign", "--seeds", "many"], 64, "expected 3, or 5..10"),
        (&["campaign", "--seeds", "5..5"], 64, "expected at least one seed"),
        (&["hunt", "--seeds", "0..3"], 64, "expected a number of seeds, such as 5"),
    ] {
        let ended = run(dir.path(), arguments);
        assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
        assert!(ended.err.contains(said), "{arguments:?}: {}", ended.err);
    }
}

#[test]
fn an_address_in_use_is_answered_with_a_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ended = run(dir.path(), &["serve", ".", "--listen", &taken.local_addr().unwrap().to_string()]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.err.contains("hint: --listen 127.0.0.1:0 takes a port that is free"), "{}", ended.err);
}

#[test]
fn one_option_says_everywhere_how_much_is_done_at_once() {
    for command in ["check", "shrink", "report", "simulate", "campaign", "hunt"] {
        let help = run(".".as_ref(), &[command, "--help"]).out;
        assert!(help.contains("-j, --at-once <N>") && !help.contains("--threads"), "{command}: {help}");
        for name in ["-j", "--at-once", "--threads"] {
            let ended = run(".".as_ref(), &[command, name, "0"]);
            assert!(ended.err.contains("0 is not in 1..=256"), "{command} {name}: {}", ended.err);
        }
    }
}

#[test]
fn the_plan_in_the_help_of_campaigns_is_a_plan_at_80_columns() {
    let mut command = crate::support::schism(".".as_ref());
    let output = command.args(["campaign", "--help"]).env("COLUMNS", "80").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let (_, below) = help.split_once("what it leaves out is as above:\n").unwrap();
    let plan: String = below.lines().take_while(|line| !line.is_empty()).map(|line| line.to_owned() + "\n").collect();
    let fields: toml::Table = toml::from_str(&plan).unwrap_or_else(|error| panic!("{error}: {plan}"));
    assert_eq!(fields.len(), plan.lines().count(), "{plan}");
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
