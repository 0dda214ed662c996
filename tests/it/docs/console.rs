//! Console blocks: run in the order of their page, and compared.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use super::pages::{Block, Mark, pages};

/// Command of a console block, with the exit code and the output that the page shows.
pub(super) struct Step {
    pub(super) command: String,
    pub(super) code: i32,
    pub(super) output: Vec<String>,
}

impl Step {
    /// Runs the command in a folder. Returns what it printed, or what is wrong with that.
    pub(super) fn follow(&self, folder: &Path) -> Result<String, String> {
        let Output { status, stdout, .. } = shell(&self.command, folder).output().unwrap();
        let printed = String::from_utf8(stdout).unwrap();
        if status.code() == Some(self.code) && matches(&self.output, &printed) {
            Ok(printed)
        } else {
            Err(format!("{} ({status})\n{printed}", self.command))
        }
    }
}

#[test]
fn every_console_block_prints_what_its_page_shows() {
    let mut wrong = String::new();
    let mut run = 0;
    for page in pages() {
        let folder = tempfile::tempdir().unwrap();
        for block in page.blocks() {
            if let Mark::File(name) = &block.mark {
                fs::write(folder.path().join(name), block.lines.join("\n") + "\n").unwrap();
            }
            if block.language != "console" || block.mark != Mark::None {
                continue;
            }
            for step in steps(&block) {
                if let Err(what) = step.follow(folder.path()) {
                    wrong += &format!("\n{}: {what}", page.at(block.line));
                }
                run += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "these print something else than their page shows:{wrong}");
    assert!(run > 5, "only {run} commands were run");
}

/// Returns a shell in the folder that runs the script with this schism on its path.
pub(super) fn shell(script: &str, folder: &Path) -> Command {
    let binary = Path::new(env!("CARGO_BIN_EXE_schism")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("bash");
    shell.current_dir(folder).env("PATH", path).env("NO_COLOR", "1").env_remove("COLUMNS");
    shell.args(["-c", &format!("exec 2>&1\n{script}")]);
    shell
}

/// Returns the commands of a console block.
pub(super) fn steps(block: &Block) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in &block.lines {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { command: command.to_owned(), code: 0, output: Vec::new() });
            continue;
        }
        let step = steps.last_mut().expect("a console block begins with a command");
        match line.strip_prefix("[exit code ").and_then(|code| code.strip_suffix(']')) {
            Some(code) => step.code = code.parse().expect("an exit code"),
            None => step.output.push(line.clone()),
        }
    }
    steps
}

/// Compares word by word; a line `...` matches any words.
fn matches(expected: &[String], printed: &str) -> bool {
    let pieces: Vec<Vec<&str>> = expected
        .split(|line| line == "...")
        .map(|lines| lines.iter().flat_map(|line| line.split_whitespace()).collect())
        .collect();
    let words: Vec<&str> = printed.split_whitespace().collect();
    let (first, later) = pieces.split_first().expect("a split has at least one piece");
    let Some(mut rest) = words.strip_prefix(first.as_slice()) else { return false };
    let Some((last, middle)) = later.split_last() else { return rest.is_empty() };
    for piece in middle {
        let Some(at) = (0..=rest.len()).find(|&at| rest[at..].starts_with(piece)) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

#[test]
fn output_matches_word_by_word_and_dots_match_anything() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    for (expected, printed, same) in [
        ("a b\nc", "a\n  b c\n", true),
        ("a b", "a b c", false),
        ("a\n...", "a b c", true),
        ("a\n...\nc", "a b c", true),
        ("a\n...\nb\n...", "a x b c", true),
        ("a\n...\nd\n...", "a b c", false),
        ("a\n...\na", "a", false),
        ("", "a", false),
    ] {
        assert_eq!(matches(&lines(expected), printed), same, "{expected:?} {printed:?}");
    }
}
