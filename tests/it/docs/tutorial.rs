//! The tutorial, followed word for word in one empty folder.

use std::fs;

use super::{
    console::{Step, steps},
    pages::{Block, Mark, page},
};

/// Commands of its blocks fenced as `sh`, in their order, with their exit codes; none for what no test can do.
const COMMANDS: [(&str, Option<i32>); 7] = [
    ("cargo install --path .", None),
    ("schism doctor", Some(0)),
    ("schism run --read leader --time-limit 10s --seed 11", Some(1)),
    ("schism check store/latest", Some(1)),
    ("schism shrink store/latest/history.jsonl -o small.jsonl", Some(1)),
    ("schism check small.jsonl", Some(1)),
    ("schism run --read quorum --time-limit 10s --seed 7", Some(0)),
];

#[test]
fn the_tutorial_can_be_followed_word_for_word() {
    let folder = tempfile::tempdir().unwrap();
    let mut commands = COMMANDS.iter();
    let mut printed_by_run = String::new();
    let page = page("docs/tutorial.md");
    for block in page.blocks() {
        let at = page.at(block.line);
        match (&block.mark, &*block.language) {
            (Mark::File(name), _) => fs::write(folder.path().join(name), block.lines.join("\n") + "\n").unwrap(),
            (Mark::Excerpt, _) => assert_same_shape(&block, &printed_by_run, &at),
            (Mark::None, "console") => {
                for step in steps(&block) {
                    step.follow(folder.path()).unwrap_or_else(|what| panic!("{at}: {what}"));
                }
            }
            (Mark::None, "sh") => {
                for line in &block.lines {
                    let (command, code) = commands.next().unwrap_or_else(|| panic!("{at}: {line:?} is not followed"));
                    assert_eq!(line.split('#').next().unwrap().trim_end(), *command, "{at}");
                    let Some(code) = *code else { continue };
                    let step = Step { command: (*command).to_owned(), code, output: vec!["...".to_owned()] };
                    let printed = step.follow(folder.path()).unwrap_or_else(|what| panic!("{at}: {what}"));
                    if command.starts_with("schism run ") {
                        printed_by_run = printed;
                    }
                }
            }
            (Mark::None, language) => panic!("{at}: a block of {language} is not followed"),
        }
    }
    assert!(commands.next().is_none(), "the tutorial says less than what is followed");
    let shrunk = fs::read_to_string(folder.path().join("small.jsonl")).unwrap();
    assert!(shrunk.lines().count() <= 10, "it says that three operations suffice:\n{shrunk}");
    assert!(folder.path().join("store/latest/report.html").is_file(), "it says that the page is there");
}

/// Checks that paragraphs and lines with a colon of an excerpt begin as lines of what was printed, in the same order: a
/// run is never repeated exactly, so words with figures match any, and what follows them is not compared.
fn assert_same_shape(excerpt: &Block, printed: &str, at: &str) {
    let mut lines = printed.lines();
    let mut before = "";
    let mut compared = 0;
    for line in &excerpt.lines {
        let begins = before.is_empty() || line.contains(": ") && !line.starts_with("   ");
        before = line;
        let shape = opening(line);
        if !begins || shape.is_empty() {
            continue;
        }
        assert!(lines.any(|line| opening(line) == shape), "{at}: nothing begins with {shape:?} in:\n{printed}");
        compared += 1;
    }
    assert!(compared > 0, "{at}: nothing of the excerpt was compared");
}

/// Returns the indentation of a line, and its words up to a colon, or before the first with a figure.
fn opening(line: &str) -> String {
    let indent = line.len() - line.trim_start().len();
    let before_colon = line.split_inclusive(": ").next().unwrap_or_default();
    let words = before_colon.split_whitespace().take_while(|word| !word.contains(|c: char| c.is_ascii_digit()));
    let words = words.collect::<Vec<_>>().join(" ");
    if words.is_empty() { words } else { " ".repeat(indent) + &words }
}
