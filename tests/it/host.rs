//! Tests under shortage of files, threads and memory: the host is blamed, never schism or the system under test, and
//! nothing panics.

use std::{fs, path::Path, process::Command};

use crate::support::{CommandResult, event, in_time};

/// Runs schism under a limit of the shell, as an unprivileged user, since root's processes are not limited.
fn limited(dir: &Path, limit: &str, arguments: &[&str]) -> CommandResult {
    let binary = dir.join("schism");
    if !binary.exists() {
        fs::copy(env!("CARGO_BIN_EXE_schism"), &binary).unwrap();
        std::os::unix::fs::chown(dir, Some(65534), Some(65534)).unwrap();
    }
    let mut command = if nix::unistd::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "bash"]);
        command
    } else {
        Command::new("bash")
    };
    command.arg("-c").arg(format!("{limit}; exec \"$@\"")).arg("sh").arg(binary).args(arguments);
    let ended = in_time(command.current_dir(dir).env("NO_COLOR", "1"));
    assert!(!ended.err.contains("panicked") && !ended.out.contains("panicked"), "{limit}: {ended:?}");
    assert!(!ended.err.contains("recovery failure") && !ended.out.contains("recovery failure"), "{limit}: {ended:?}");
    assert!(!matches!(ended.code, None | Some(101 | 134)), "{limit}: {ended:?}");
    ended
}

#[test]
fn too_few_files_threads_or_memory_fail_a_run_and_blame_the_host() {
    let dir = tempfile::tempdir().unwrap();
    let run = ["run", "--nodes", "3", "--faults", "none", "--time-limit", "1s"];
    for (limit, hint) in [("ulimit -n 20", "ulimit -n"), ("ulimit -u 1", "ulimit -u")] {
        let ended = limited(dir.path(), limit, &run);
        assert_eq!(ended.code, Some(3), "{limit}: {ended:?}");
        assert!(ended.err.contains(hint) && ended.err.contains("this host"), "{limit}: {}", ended.err);
    }
    // The amount that suffices depends on the machine.
    for kilobytes in [60_000, 100_000, 200_000] {
        let ended = limited(dir.path(), &format!("ulimit -v {kilobytes}"), &run);
        let by_host = ended.code == Some(3) && ended.err.contains("this host");
        assert!(by_host || matches!(ended.code, Some(0)), "{kilobytes}: {ended:?}");
    }
}

#[test]
fn a_campaign_calls_it_a_failure_of_the_harness_and_tries_again() {
    let dir = tempfile::tempdir().unwrap();
    let campaign =
        ["campaign", "--reads", "quorum", "--faults", "none", "--seeds", "1", "--nodes", "3", "--time-limit", "1s"];
    let ended = limited(dir.path(), "ulimit -n 40", &campaign);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let told = fs::read(dir.path().join("store/campaign/campaign.json")).unwrap();
    let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
    assert_eq!(told["runs"][0]["category"], "harness-failure", "{told:#}");
    assert_eq!(told["runs"][0]["attempts"], 3, "{told:#}");
}

#[test]
fn a_history_is_judged_with_the_threads_that_there_are() {
    let dir = tempfile::tempdir().unwrap();
    let of_key = |key: u64| {
        let stale = [
            ("invoke", "write", "41"),
            ("ok", "write", "41"),
            ("invoke", "write", "57"),
            ("ok", "write", "57"),
            ("invoke", "read", "null"),
            ("ok", "read", "41"),
        ];
        let lines = stale.iter().zip(1..);
        lines
            .map(|((kind, f, value), time)| event(10 * key + time, key, kind, f, &format!("k{key}"), value))
            .collect::<String>()
    };
    fs::write(dir.path().join("bad.jsonl"), (0..40).map(of_key).collect::<String>()).unwrap();
    for limit in ["ulimit -u 1", "ulimit -n 8", "ulimit -u 1; ulimit -n 8"] {
        let ended = limited(dir.path(), limit, &["check", "-j", "8", "bad.jsonl"]);
        assert_eq!(ended.code, Some(1), "{limit}: {ended:?}");
    }
    for kilobytes in [60_000, 120_000] {
        let ended = limited(dir.path(), &format!("ulimit -v {kilobytes}"), &["check", "bad.jsonl"]);
        assert!(matches!(ended.code, Some(1..=3)), "{kilobytes}: {ended:?}");
    }
}
