//! Tests that limits in time and memory hold for every input and every command that reads: silent pipes, files that
//! unpack to much.

use std::{
    fs::{self, File},
    io::Write as _,
    process::Stdio,
    thread,
    time::Duration,
};

use nix::{sys::stat::Mode, unistd::mkfifo};

use crate::support::{CommandResult, in_time, schism, stale_read};

#[test]
fn a_silent_pipe_is_waited_for_no_longer_than_there_is_time() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    for command in
        [&["check", "pipe"][..], &["check", "--json", "pipe"], &["report", "pipe"], &["export", "--svg", "pipe"]]
    {
        let ended = in_time(schism(dir.path()).args(command).args(["--time-limit", "300ms"]));
        assert_eq!(ended.code, Some(2), "{command:?}: {ended:?}");
        assert!((ended.out + &ended.err).contains("time"), "{command:?}");
    }
    for command in [&["convert", "pipe", "out.jsonl"][..], &["convert", "pipe", "out.edn"], &["shrink", "pipe"]] {
        let ended = in_time(schism(dir.path()).args(command).args(["--time-limit", "300ms"]));
        assert_eq!(ended.code, Some(64), "{command:?}: {ended:?}");
        assert!(ended.err.contains("no regular file"), "{command:?}: {ended:?}");
    }
    // The pipe is open, but nothing is written to it.
    for name in ["/dev/stdin", "-"] {
        let mut child = schism(dir.path())
            .args(["check", "--time-limit", "300ms", name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let held = child.stdin.take().unwrap();
        let ended = CommandResult::from(child.wait_with_output().unwrap());
        assert_eq!(ended.code, Some(2), "{name}: {ended:?}");
        drop(held);
    }
}

#[test]
fn what_comes_by_a_pipe_is_judged_like_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let bad = stale_read();
    for (name, text, code) in [("-", &*bad, 1), ("/dev/stdin", &bad, 1), ("-", "nonsense\n", 65), ("-", "", 65)] {
        let mut child = schism(dir.path())
            .args(["check", name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut to = child.stdin.take().unwrap();
        // Write slowly.
        for line in text.split_inclusive('\n') {
            to.write_all(line.as_bytes()).ok();
            thread::sleep(Duration::from_millis(5));
        }
        drop(to);
        let ended = CommandResult::from(child.wait_with_output().unwrap());
        assert_eq!(ended.code, Some(code), "{name} {text}: {ended:?}");
    }
    fs::write(dir.path().join("bad.jsonl"), &bad).unwrap();
    let ended = in_time(schism(dir.path()).args(["check", "/dev/zero"]));
    assert_eq!(ended.code, Some(65), "a device is no history: {ended:?}");
    let file = File::open(dir.path().join("bad.jsonl")).unwrap();
    let ended = CommandResult::from(schism(dir.path()).args(["check", "-"]).stdin(file).output().unwrap());
    assert_eq!(ended.code, Some(1), "{ended:?}");
}

#[test]
fn every_command_that_reads_has_the_limits() {
    let dir = tempfile::tempdir().unwrap();
    let made = in_time(schism(dir.path()).args(["generate", "--ops", "30000", "--out", "large.jsonl"]));
    assert_eq!(made.code, Some(0), "{made:?}");
    for command in [
        &["check", "large.jsonl"][..],
        &["shrink", "large.jsonl"],
        &["report", "large.jsonl"],
        &["export", "--svg", "large.jsonl"],
        &["convert", "large.jsonl", "out.edn"],
        &["convert", "large.jsonl", "out.columns"],
    ] {
        for limit in [["--memory-limit", "4"], ["--time-limit", "1ms"]] {
            let ended = in_time(schism(dir.path()).args(command).args(limit));
            assert_eq!(ended.code, Some(2), "{command:?} {limit:?}: {ended:?}");
        }
    }
    assert!(!dir.path().join("out.edn").exists() && !dir.path().join("out.columns").exists());
}

/// Makes a few bytes of zstd that unpack to many blank lines, in one frame with a window of 64 MiB.
fn bomb() -> Vec<u8> {
    const BLOCK_BYTES: u32 = 128 << 10;
    let mut bytes = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 16 << 3];
    for block in 0..1000_u32 {
        let header = BLOCK_BYTES << 3 | 1 << 1 | u32::from(block == 999);
        bytes.extend_from_slice(&header.to_le_bytes()[..3]);
        bytes.push(b'\n');
    }
    bytes
}

#[test]
fn the_window_of_a_packed_file_counts() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("bomb.zst"), bomb()).unwrap();
    let check = |limit: &str| in_time(schism(dir.path()).args(["check", "--memory-limit", limit, "bomb.zst"]));
    let ended = check("32");
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.out.contains("memory"), "{ended:?}");
    let ended = check("512");
    assert_eq!(ended.code, Some(65), "there is nothing in it: {ended:?}");
}
