//! Faults of disks, on real programs: one that counts, and the command line of `SQLite`.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nemesis::{EntryRule, Hosts, Nemesis, NodeCommand, NodeId, Outcome, OwnView, PartitionBy, Sandbox, probe};

use crate::Test;
use crate::host::{Starter, User, poll, processes, state, succeed};
use crate::inside::{inject, silent};
use crate::oracles::cases;
use crate::processes::shell;

pub(crate) const TESTS: &[Test] = &[
    ("disk::a_power_loss_takes_what_was_not_fsynced_and_nothing_else", || everywhere("counting")),
    ("disk::other_faults_are_seen_by_programs_and_healed", || everywhere("disk_faults")),
    ("disk::damage_is_done_while_nobody_looks", || everywhere("damage")),
    ("disk::sqlite_keeps_or_loses_rows_by_what_it_fsyncs", where_sqlite_is),
];

fn everywhere(scenario: &str) {
    let (starter, before) = (Starter::new(), state());
    for &user in cases(&[User::Me, User::Nobody], 1) {
        print!("{}", succeed(&mut starter.helper(user, &["inside", scenario])));
    }
    assert_eq!(state(), before, "nothing is left behind");
}

fn where_sqlite_is() {
    let found = Command::new("sqlite3").arg("-version").stdout(Stdio::null()).status();
    if found.is_ok_and(|status| status.success()) {
        everywhere("sqlite");
    } else {
        println!("skipped: sqlite3 is not installed");
    }
}

/// Node `n1` with a disk of ours.
struct OneNode {
    nemesis: Nemesis,
    log: PathBuf,
    data: PathBuf,
    _folder: tempfile::TempDir,
}

impl OneNode {
    fn new(sandbox: &Sandbox, rule: EntryRule) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut nemesis = Nemesis::new(Hosts::create(1, sandbox, &probe(PartitionBy::default()), silent()).unwrap());
        let (log, data) = (folder.path().join("n1.log"), folder.path().join("data"));
        nemesis.mount_disk(NodeId(1), &data, rule).unwrap();
        Self { nemesis, log, data, _folder: folder }
    }

    fn start(&mut self, command: NodeCommand) {
        self.nemesis.start(NodeId(1), command).unwrap();
    }

    fn starting(sandbox: &Sandbox, rule: EntryRule, command: impl FnOnce(&Path, &Path) -> NodeCommand) -> Self {
        let mut node = Self::new(sandbox, rule);
        let command = command(&node.log, &node.data);
        node.start(command);
        node
    }

    /// Returns the numbers after this word in the log, in order.
    fn told(&self, word: &str) -> Vec<u64> {
        let text = fs::read_to_string(&self.log).unwrap();
        let lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        lines.filter_map(|line| line.strip_prefix(word)?.trim().parse().ok()).collect()
    }

    fn inject(&mut self, fault: &str) -> nemesis::FaultId {
        let outcome = inject(&mut self.nemesis, fault, None);
        assert!(matches!(outcome, Outcome::Installed { .. }), "{outcome}");
        outcome.id().unwrap()
    }

    /// Injects a fault that ends the processes, heals it, and returns the numbers that were told before, and found
    /// afterwards.
    fn lose(&mut self, fault: &str) -> (u64, u64) {
        let told = self.told("done").len();
        poll("some more", || self.told("done").len() > told + 5);
        let id = self.inject(fault);
        let found = self.told("found").len();
        let acknowledged = *self.told("done").last().unwrap();
        self.nemesis.heal(id).unwrap();
        poll("a restart", || self.told("found").len() > found);
        (acknowledged, *self.told("found").last().unwrap())
    }
}

/// Helper: continues the numbers in a file, and tells each when it was written, and synchronised if so asked.
pub(crate) fn count(folder: &Path, sync: &str) {
    let path = folder.join("numbers");
    let text = fs::read_to_string(&path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    let numbers: Vec<u64> = whole.lines().map(|line| line.trim_matches(['\0', ' ']).parse().unwrap_or(0)).collect();
    let first_wrong = (1..).zip(&numbers).find(|(place, number)| place != *number).map(|(place, _)| place - 1);
    let found = first_wrong.unwrap_or(numbers.len() as u64);
    println!("found {found}");
    let flags = if sync == "opened-synced" { nix::libc::O_DSYNC } else { 0 };
    let mut file = OpenOptions::new().append(true).create(true).custom_flags(flags).open(&path).unwrap();
    // What a torn write left is not continued.
    file.set_len(whole.lines().take(found.try_into().unwrap()).map(|line| line.len() as u64 + 1).sum()).unwrap();
    let at_once = |error: std::io::Error| println!("error {}", error.raw_os_error().unwrap());
    for number in found + 1.. {
        let written = file.write_all(format!("{number:>40}\n").as_bytes()).map_err(at_once).is_ok();
        let synced = sync != "synced" || file.sync_data().map_err(at_once).is_ok();
        if !written || !synced {
            return;
        }
        println!("done {number}");
    }
}

fn counting_program(sync: &str) -> impl FnOnce(&Path, &Path) -> NodeCommand {
    move |log, data| NodeCommand {
        program: "/proc/self/exe".into(),
        args: vec!["helper".into(), "count".into(), data.into(), sync.into()],
        ..shell(log, "")
    }
}

/// Scenario: cuts the power of programs that count.
pub(crate) fn counting(sandbox: &Sandbox) {
    for (rule, entries) in [(EntryRule::Ext4, "ext4"), (EntryRule::Strict, "strict")] {
        let mut safe = OneNode::new(sandbox, rule);
        // Strictly, the entry has to be synchronised too, as it is before the first start.
        File::create(safe.data.join("numbers")).unwrap();
        safe.start(counting_program("synced")(&safe.log, &safe.data));
        for mode in ["whole", "part", "torn", "reordered"] {
            let (acknowledged, found) = safe.lose(&format!("power-loss:n1,mode={mode},entries={entries}"));
            println!("{entries}, {mode}: {acknowledged} acknowledged, {found} found");
            assert!(found >= acknowledged, "fsynced, and lost by {mode}: {acknowledged}, then {found}");
        }
        safe.nemesis.stop_all().unwrap();
        safe.nemesis.remove_hosts().unwrap();
    }
    // Mounts that only the program sees do not keep an old disk.
    let view = OwnView { host_name: Some("n1".into()), ..OwnView::default() };
    let mut by_flag = OneNode::starting(sandbox, EntryRule::Ext4, |log, data| NodeCommand {
        view,
        ..counting_program("opened-synced")(log, data)
    });
    let (acknowledged, found) = by_flag.lose("power-loss:n1");
    assert!(found >= acknowledged, "O_DSYNC: {acknowledged}, then {found}");
    by_flag.nemesis.stop_all().unwrap();
    by_flag.nemesis.remove_hosts().unwrap();
    let mut unsafe_ = OneNode::starting(sandbox, EntryRule::Ext4, counting_program("unsynced"));
    for mode in ["whole", "part", "torn", "reordered"] {
        let (acknowledged, found) = unsafe_.lose(&format!("power-loss:n1,mode={mode}"));
        println!("unsynced, {mode}: {acknowledged} acknowledged, {found} found");
        assert!(found <= acknowledged + 1 && (mode != "whole" || found == 0), "{mode}: {acknowledged}, then {found}");
    }
    let kill = unsafe_.lose("kill:n1");
    assert!(kill.1 >= kill.0, "a kill loses nothing that was written: {kill:?}");
    unsafe_.nemesis.stop_all().unwrap();
}

/// Scenario: lets fsyncs be slow and fail, and the disk be full and read-only.
pub(crate) fn disk_faults(sandbox: &Sandbox) {
    let mut node = OneNode::starting(sandbox, EntryRule::Ext4, counting_program("synced"));
    let next = |node: &OneNode| {
        let told = node.told("done").len();
        poll("one more", || node.told("done").len() > told);
    };
    next(&node);
    let slow = node.inject("disk-slow:n1,delay=700ms");
    next(&node);
    let began = Instant::now();
    next(&node);
    assert!(began.elapsed() >= Duration::from_millis(600), "it took only {:?}", began.elapsed());
    node.nemesis.heal(slow).unwrap();
    next(&node);
    for (fault, errno) in [("disk-error:n1", 5), ("disk-full:n1", 28), ("disk-read-only:n1", 30)] {
        let found = node.told("found").len();
        let id = node.inject(fault);
        poll("the error", || node.told("error").contains(&errno));
        let acknowledged = *node.told("done").last().unwrap();
        assert_eq!(node.nemesis.crashed().unwrap(), [], "{fault}: nobody can blame it");
        node.nemesis.heal(id).unwrap();
        poll("a restart", || {
            assert_eq!(node.nemesis.crashed().unwrap(), [], "{fault}: it may end late");
            node.told("found").len() > found
        });
        assert!(*node.told("found").last().unwrap() >= acknowledged, "{fault}");
        next(&node);
    }
    let (errors, found) = (node.told("error").len(), node.told("found").len());
    let id = node.inject("crash-at-fsync:n1,n=5");
    poll("its death", || processes(&node.data.display().to_string()).is_empty());
    let acknowledged = *node.told("done").last().unwrap();
    node.nemesis.heal(id).unwrap();
    poll("a restart", || node.nemesis.crashed().unwrap().is_empty() && node.told("found").len() > found);
    assert_eq!(node.told("error").len(), errors, "it dies before it sees the outcome");
    assert!(*node.told("found").last().unwrap() >= acknowledged);
    node.nemesis.stop_all().unwrap();
}

/// Scenario: damages files, and puts back old ones.
pub(crate) fn damage(sandbox: &Sandbox) {
    let mut node = OneNode::new(sandbox, EntryRule::Ext4);
    let (file, before) = (node.data.join("deep/file"), vec![0b0101_0101; 10_000]);
    fs::create_dir(node.data.join("deep")).unwrap();
    fs::write(&file, &before).unwrap();
    node.start(shell(&node.log, "exec sleep 1000"));
    let id = node.inject("disk-corrupt:n1,damage=bit-flip");
    let bytes = fs::read(&file).unwrap();
    let differing = before.iter().zip(&bytes).map(|(a, b)| (a ^ b).count_ones()).sum::<u32>();
    assert_eq!((bytes.len(), differing), (10_000, 1));
    node.nemesis.heal(id).unwrap();
    let id = node.inject("disk-corrupt:n1,damage=truncated-tail");
    let shorter = fs::read(&file).unwrap();
    assert!(shorter.len() < bytes.len() && bytes.starts_with(&shorter), "{}", shorter.len());
    node.nemesis.heal(id).unwrap();
    let id = node.inject("disk-corrupt:n1,damage=old-copy");
    fs::write(&file, "new").unwrap();
    fs::write(node.data.join("another"), "new").unwrap();
    File::open(&file).unwrap().sync_all().unwrap();
    node.nemesis.heal(id).unwrap();
    assert_eq!(fs::read(&file).unwrap(), shorter);
    assert!(!node.data.join("another").exists());
    node.nemesis.stop_all().unwrap();
    assert!(!file.exists(), "the files go with the disk");
}

/// Scenario: cuts the power of `SQLite`.
pub(crate) fn sqlite(sandbox: &Sandbox) {
    // By its documentation, a commit by removing the journal is durable with `extra` alone: without an fsync of the
    // folder, the journal may come back, and the last transaction is rolled back.
    let cases =
        [("wal", "full", Some(0)), ("delete", "extra", Some(0)), ("delete", "full", Some(1)), ("wal", "off", None)];
    for (journal, synchronous, may_lose) in cases {
        let mut node = OneNode::starting(sandbox, EntryRule::Ext4, |log, data| {
            let table = "create table if not exists t(n integer primary key)";
            let last = "select 'found ' || coalesce(max(n), 0) from t";
            let rows = format!(
                "pragma journal_mode={journal}; pragma synchronous={synchronous}; {table}; \
                 insert into t default values; select 'done ' || max(n) from t;"
            );
            let db = data.join("db").display().to_string();
            shell(log, &format!("sqlite3 {db} \"{table}; {last}\"; while sqlite3 {db} \"{rows}\"; do :; done"))
        });
        for _ in 0..3 {
            let (acknowledged, found) = node.lose("power-loss:n1");
            println!("journal_mode={journal}, synchronous={synchronous}: {acknowledged} acknowledged, {found} found");
            let is_expected = may_lose.map_or(found < acknowledged, |most| found + most >= acknowledged);
            assert!(is_expected, "{journal}, {synchronous}: {acknowledged}, then {found}");
        }
        node.nemesis.stop_all().unwrap();
        node.nemesis.remove_hosts().unwrap();
    }
}
