//! Tests that the memory limit holds for the whole process, as measured by the kernel. They are a binary of their own
//! and hold nothing large, as the kernel reports one peak for all children, which includes the parent's at the time of
//! the fork.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should fail")]

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    process::Command,
};

use nix::sys::resource::{UsageWho, getrusage};

/// Checks the lines under a limit in MiB. Returns the exit code, stdout, and the peak of all children so far in MiB.
fn check(lines: impl Iterator<Item = impl AsRef<[u8]>>, model: &str, limit_mib: i64) -> (Option<i32>, String, i64) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("history.jsonl");
    let mut file = BufWriter::new(File::create(&path).unwrap());
    lines.for_each(|line| file.write_all(line.as_ref()).unwrap());
    file.flush().unwrap();
    let ended = Command::new(env!("CARGO_BIN_EXE_schism"))
        .args(["check", "-j2", "--model", model, "--memory-limit", &limit_mib.to_string()])
        .arg(path)
        .output()
        .unwrap();
    let peak_mib = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss() / 1024;
    (ended.status.code(), String::from_utf8(ended.stdout).unwrap(), peak_mib)
}

fn line(process: usize, kind: &str, f: &str, value: &str) -> String {
    format!(r#"{{"process":{process},"type":"{kind}","f":"{f}","value":{value}}}"#) + "\n"
}

/// Makes a few bytes of zstd that unpack to many blank lines, in one frame with a window of 64 MiB: blocks of one
/// repeated byte (RFC 8878).
fn window() -> Vec<u8> {
    let mut bytes = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 16 << 3];
    for block in 0..1000_u32 {
        bytes.extend_from_slice(&((128 << 10) << 3 | 1 << 1 | u32::from(block == 999)).to_le_bytes()[..3]);
        bytes.push(b'\n');
    }
    bytes
}

/// Makes a history of texts, a few hundred of which exceed the limit.
fn long_texts() -> impl Iterator<Item = String> {
    let text = |n: usize| format!("\"{n} {}\"", "x".repeat(100_000));
    (0..600).flat_map(move |n| ["invoke", "ok"].map(|kind| line(0, kind, "write", &text(n))))
}

/// Makes a history of concurrent pushes of every value twice, and then three pops of one of them, which forces the
/// checker to try every order.
fn many_orders() -> impl Iterator<Item = String> {
    let put = |kind: &'static str| (0..24).map(move |n| line(n, kind, "push", &(n % 12).to_string()));
    let take = [("invoke", "null"), ("ok", "0")].map(|(kind, value)| line(0, kind, "pop", value));
    put("invoke").chain(put("ok")).chain([take.clone(), take.clone(), take].concat())
}

#[test]
fn the_process_never_takes_more_than_a_tenth_beyond_its_limit() {
    for limit_mib in [32, 48] {
        let ended = [
            check(std::iter::once(window()), "register", limit_mib),
            check(long_texts(), "register", limit_mib),
            check(many_orders(), "stack", limit_mib),
        ];
        for (code, said, peak_mib) in ended {
            assert_eq!(code, Some(2), "{said}");
            assert!(said.contains("memory ran out"), "{said}");
            assert!(peak_mib <= limit_mib + limit_mib / 10, "{peak_mib} MiB, of {limit_mib}: {said}");
            assert!(peak_mib > limit_mib / 2, "gives up at {peak_mib} MiB, of {limit_mib}: {said}");
        }
    }
}
