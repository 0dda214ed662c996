//! Tests that no option is ignored in silence, no output overwrites what it is made of, and interrupted commands leave
//! nothing half done.

use std::{
    fs::{self, File},
    path::Path,
    process::Stdio,
    thread::sleep,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::support::{CommandResult, in_time, run, schism, stale_read};

/// A folder with a history that is not linearizable, and a simulated run.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("bad.jsonl"), stale_read()).unwrap();
    let ended = run(dir.path(), &["simulate", "--read", "leader", "--seed", "3", "--time-limit", "5s", "--store", "s"]);
    assert!(dir.path().join("s/latest/history.jsonl").is_file(), "{ended:?}");
    dir
}

#[test]
fn no_output_overwrites_what_it_is_made_of() {
    let dir = folder();
    let files = ["bad.jsonl", "s/latest/history.jsonl", "s/latest/test.json"];
    let content = || files.map(|file| fs::read(dir.path().join(file)).unwrap());
    let before = content();
    for command in [
        &["check", "--linearization", "bad.jsonl", "bad.jsonl"][..],
        &["check", "--linearization", "s/latest/history.jsonl", "bad.jsonl", "s/latest"],
        &["convert", "bad.jsonl", "bad.jsonl"],
        &["convert", "--to", "edn", "bad.jsonl", "-o", "./bad.jsonl"],
        &["shrink", "bad.jsonl", "-o", "bad.jsonl"],
        &["report", "bad.jsonl", "-o", "bad.jsonl"],
        &["report", "s/latest", "-o", "s/latest/history.jsonl"],
        &["report", "s/latest", "-o", "s/latest/test.json"],
        &["export", "--svg", "bad.jsonl", "-o", "bad.jsonl"],
        &["export", "--script", "s/latest", "-o", "s/latest/test.json"],
    ] {
        let ended = run(dir.path(), command);
        assert_eq!(ended.code, Some(64), "{command:?}: {ended:?}");
        assert!(ended.err.contains("would overwrite it"), "{command:?}: {ended:?}");
        assert!(content() == before, "{command:?} changed its input");
    }
    for command in [&["report", "s/latest"][..], &["export", "--script", "s/latest", "-o", "s/latest/f.toml"]] {
        for _ in 0..2 {
            let ended = run(dir.path(), command);
            assert!(matches!(ended.code, Some(0 | 1)), "{command:?} can be given again: {ended:?}");
        }
    }
}

#[test]
fn what_would_be_ignored_or_misread_is_refused_with_what_to_do() {
    let dir = folder();
    for (command, why) in [
        (&["simulate", "--until-violation", "--seed", "3"][..], "--until-violation"),
        (&["simulate", "--seeds", "2", "--store", "t"], "add --until-violation"),
        (&["simulate", "--seed", "3", "--keep-faults", "99"], "whose places count from 0"),
        (&["simulate", "--faults", "none", "--seed", "3", "--keep-faults", "0"], "seed 3 has 0 faults"),
        (&["run", "--replay", "s/latest", "--defect", "votes-twice"], "--defect"),
        (&["run", "--replay", "s/latest", "--snapshot-after", "5"], "--snapshot-after"),
        (&["run", "--replay", "s/latest", "--request-timeout", "1s"], "--request-timeout"),
        (&["shrink", "bad.jsonl", "-o", "small.edn"], "`schism convert` then writes other formats"),
        (&["generate", "-o", "x.columns.zst"], "`schism convert` then writes other formats"),
        (&["generate", "--violations", "2", "--violation", "lost-write"], "leave out --violations"),
        (&["convert", "-", "x.edn"], "write its content to a file first"),
        (&["shrink", "-"], "write its content to a file first"),
        (&["report", "-"], "give one by -o"),
        (&["campaign", "--seeds", "99999999999999"], "at most 100000 seeds"),
        (
            &["generate", "--ops", "50", "--model", "list-append", "--violation", "stale-read", "--violations", "999"],
            "plant fewer --violations",
        ),
        (&["check", "-", "bad.jsonl", "-"], "standard input can be read once"),
        (&["run", "--faults", "none,kill"], "`none` stands alone"),
        (&["run", "--leave-running=0s"], "expected a time from 1s to 24h"),
        (&["check", "--time-limit", "5", "bad.jsonl"], "such as 500ms, 20s or 1m30s"),
    ] {
        let ended = run(dir.path(), command);
        assert!(matches!(ended.code, Some(64 | 65)), "{command:?}: {ended:?}");
        assert!(ended.err.contains(why), "{command:?}: {}", ended.err);
    }
}

#[test]
fn an_output_that_cannot_be_written_is_named() {
    let dir = folder();
    for (command, name) in [
        (&["convert", "bad.jsonl", "--to", "edn", "/dev/full"][..], "cannot write /dev/full: No space"),
        (&["generate", "-o", "/dev/full"], "cannot write /dev/full: No space"),
        (&["check", "--linearization", "/dev/full", "bad.jsonl", "s/latest"], ""),
        (&["report", "bad.jsonl", "-o", "/dev/full"], "cannot write /dev/full: No space"),
        (&["shrink", "bad.jsonl", "-o", "/dev/full"], "cannot write /dev/full: No space"),
    ] {
        let ended = run(dir.path(), command);
        assert!(ended.err.contains(name), "{command:?}: {ended:?}");
    }
    for command in [
        &["generate"][..],
        &["version"],
        &["--version"],
        &["--help"],
        &["run", "--help"],
        &["defects"],
        &["store", "ls", "s", "--json"],
        &["simulate", "--seed", "4"],
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ended = CommandResult::from(schism(dir.path()).args(command).stdout(full).output().unwrap());
        assert_eq!(ended.code, Some(3), "{command:?}: {ended:?}");
        assert!(ended.err.contains("cannot write to stdout: No space"), "{command:?}: {ended:?}");
    }
}

#[test]
fn a_cluster_that_cannot_be_simulated_says_what_to_change() {
    let dir = tempfile::tempdir().unwrap();
    let ended = run(dir.path(), &["simulate", "--seed", "3", "--loss", "1000"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.err.contains("no leader within 10 s of virtual time") && ended.err.contains("lower --loss"));
}

/// Interrupts a command after each of some times, and looks at what is left of it in its folder.
fn interrupt(arguments: &[&str], prepare: impl Fn(&Path), look: impl Fn(&Path, &CommandResult)) {
    let signals = [Signal::SIGINT, Signal::SIGTERM].into_iter().cycle();
    for (wait_ms, signal) in [2, 5, 10, 20, 40, 80, 160, 320, 640].into_iter().zip(signals) {
        let dir = tempfile::tempdir().unwrap();
        let temporary = dir.path().join("tmp");
        fs::create_dir(&temporary).unwrap();
        prepare(dir.path());
        let mut command = schism(dir.path());
        command.args(arguments).env("TMPDIR", &temporary).stdin(Stdio::null());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        sleep(Duration::from_millis(wait_ms));
        kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
        let ended = CommandResult::from(child.wait_with_output().unwrap());
        let hidden = glob::glob(&format!("{}/**/.schism-*", dir.path().display())).unwrap();
        let left: Vec<_> = fs::read_dir(temporary).unwrap().flatten().map(|entry| entry.path()).collect();
        let left: Vec<_> = hidden.flatten().chain(left).collect();
        assert!(left.is_empty(), "{arguments:?}, {signal} after {wait_ms} ms leaves {left:#?}: {ended:?}");
        look(dir.path(), &ended);
    }
}

#[test]
fn an_interrupted_simulation_leaves_a_whole_run_or_none() {
    let arguments = ["simulate", "--read", "leader", "--seed", "3", "--time-limit", "60s"];
    interrupt(&arguments, |_| (), |_, _| ());
    interrupt(
        &[&arguments[..], &["--store", "s"]].concat(),
        |_| (),
        |dir, ended| {
            let stored = dir.join("s/latest");
            assert_eq!(stored.exists(), stored.join("results.json").is_file(), "{ended:?}");
        },
    );
}

#[test]
fn an_interrupted_merge_leaves_a_whole_campaign_or_none() {
    let dir = tempfile::tempdir().unwrap();
    let campaign = ["campaign", "--reads", "quorum,log", "--faults", "none", "--seeds", "2", "--nodes", "1"];
    let ended = run(dir.path(), &[&campaign[..], &["--time-limit", "1s", "--store", "c", "-j4"]].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    // Copies that take a while.
    let large = dir.path().join("c/runs/001-schism-quorum-none/seed-1/large");
    fs::write(large, vec![7; 64 << 20]).unwrap();
    let part = dir.path().join("c");
    let arguments = ["merge", part.to_str().unwrap(), "--into", "m"];
    interrupt(
        &arguments,
        |_| (),
        |dir, ended| {
            let whole = dir.join("m/runs/002-schism-log-none/seed-2/record.json").is_file();
            assert_eq!(dir.join("m").exists(), whole, "{ended:?}");
        },
    );
    let there = run(dir.path(), &["merge", "c", "--into", "c/runs"]);
    assert_eq!(there.code, Some(64), "{there:?}");
}

#[test]
fn settings_of_a_node_that_cannot_work_are_wrong_usage_by_the_name_of_the_option() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("full")).unwrap();
    fs::write(dir.path().join("full/letters.txt"), "").unwrap();
    let node = |more: &[&str]| {
        let data = if more.contains(&"--data-dir") { &[][..] } else { &["--data-dir", "data"] };
        run(dir.path(), &[&["node", "--client-addr", "127.0.0.1:1", "--init"][..], data, more].concat())
    };
    let first = ["--id", "1", "--peer", "1=127.0.0.1:2"];
    for (more, why) in [
        (&["--election-timeout", "0s"][..], "--election-timeout must be more than zero"),
        (&["--election-timeout", "30ms"], "--heartbeat-interval 40ms must be shorter than --election-timeout 30ms"),
        (&["--lease", "1h"], "--lease 3600s must be shorter"),
        (&["--snapshot-after", "0"], "--snapshot-after: at least 1"),
        (&["--request-timeout", "0s"], "--request-timeout: "),
        (&["--join", "127.0.0.1:3"], "--join: this node is among the peers already"),
        (&["--peer", "1=127.0.0.1:4"], "--peer: n1 has two addresses"),
        (&["--peer", "2=127.0.0.1:2"], "--peer: two members have the same address"),
    ] {
        let ended = node(&[&first[..], more].concat());
        assert_eq!(ended.code, Some(64), "{more:?}: {ended:?}");
        assert!(ended.err.contains(why), "{more:?}: {ended:?}");
    }
    let ended = node(&[&first[..], &["--data-dir", "full"]].concat());
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.err.contains("letters.txt") && ended.err.contains("empty or absent"), "{ended:?}");
    assert_eq!(fs::read_dir(dir.path().join("full")).unwrap().count(), 1, "nothing is written there");
}

#[test]
fn a_trial_says_what_a_node_answered_instead_and_what_it_could_not_try() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run(dir.path(), &["system", "new", "mystore", "--with-server"]).code, Some(0));
    let file = dir.path().join("mystore.toml");
    let text = fs::read_to_string(&file).unwrap();
    let check = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        fs::write(&file, text.replacen(from, to, 1)).unwrap();
        in_time(schism(dir.path()).args(["system", "check", "mystore.toml"]).env("TMPDIR", dir.path()))
    };
    let soon = "[timing]\nready_within_ms = 3000\n[[read_modes]]";
    let ready = "[ready]\nrequest = \"GET /\"\nstatus = 200\n";
    for (up, said) in [
        ("[ready]\nrequest = \"GET /\"\nstatus = 204\n", "as it should: it answers 200 with \"{\\\"up\\\": true}\""),
        ("[ready]\ncommand = [\"false\"]\n", "as it should: it ended with exit status: 1"),
        ("[roles]\ncommand = [\"echo\", \"hi\"]\nleads = { \"/role\" = 1 }\n", "as it should: its output is \"hi\""),
    ] {
        let rest = &text[text.find(ready).unwrap()..text.find("[[read_modes]]").unwrap()];
        let ended = check(&format!("{rest}[[read_modes]]"), &format!("{up}{soon}"));
        assert!(ended.code == Some(3) && ended.err.contains(said), "{up}: {ended:?}");
    }
    let ended = check(
        "rules = [{ status = 200, outcome = \"ok\" }]",
        "rules = [\n\
        { status = 200, contains = \"ignored\", outcome = \"fail\" },\n{ status = 200, outcome = \"ok\" }]",
    );
    let note = "note: untried, as no answer met it: rule 1 of `client.write`\n";
    assert!(ended.code == Some(0) && ended.out.contains(note), "{ended:?}");
}

#[test]
fn a_folder_that_is_none_is_said_to_be_none() {
    let dir = folder();
    for (command, code, why) in [
        (&["store", "ls", "bad.jsonl"][..], 65, "bad.jsonl is no folder, so no store"),
        (&["store", "gc", "nothing"], 65, "there is no store in nothing"),
        (&["serve", "bad.jsonl"], 65, "bad.jsonl is no folder, so no store"),
        (&["store", "rm", "--store", "nothing", "x"], 65, "x does not exist, and there is no store in nothing"),
        (&["explain", "bad.jsonl"], 65, "`schism report` and `schism check` take a history alone"),
        (&["export", "--script", "bad.jsonl"], 65, "name the folder"),
        (&["export", "--csv", "nothing"], 65, "nothing: No such file"),
        (&["simulate", "--store", "bad.jsonl"], 3, "bad.jsonl is there already, and no folder"),
        (&["hunt", "--simulate", "--store", "bad.jsonl"], 3, "bad.jsonl is there already, and no folder"),
        (&["campaign", "--store", "bad.jsonl"], 3, "bad.jsonl is there already, and no folder"),
        (&["compare", "--store", "/proc/no"], 3, "cannot make the folder /proc/no"),
    ] {
        let ended = run(dir.path(), command);
        assert_eq!(ended.code, Some(code), "{command:?}: {ended:?}");
        assert!(ended.err.contains(why), "{command:?}: {}", ended.err);
    }
}

#[test]
fn a_store_is_named_alike_by_all_commands() {
    let dir = folder();
    for command in [&["store", "ls", "s"][..], &["store", "ls", "--store", "s"], &["store", "gc", "--store", "s"]] {
        let ended = run(dir.path(), command);
        assert_eq!(ended.code, Some(0), "{command:?}: {ended:?}");
    }
    assert_eq!(run(dir.path(), &["store", "ls", "s", "--store", "s"]).code, Some(64));
    let ended = run(dir.path(), &["store", "rm", "--store", "s", "latest"]);
    assert!(ended.code == Some(0) && ended.out.starts_with("removed the run in "), "{ended:?}");
    assert!(!dir.path().join("s/latest").exists());
}
