//! Tests of what people see: width, colour, order.

use std::collections::BTreeSet;

use crate::support::{CommandResult, file, schism, stale_read};

/// Commands whose output people read, without those that start nodes.
const COMMANDS: [&[&str]; 10] = [
    &["check", "history.jsonl"],
    &["check", "--explain", "history.jsonl"],
    &["check", "history.jsonl", "history.jsonl", "missing.jsonl"],
    &["defects"],
    &["defects", "votes-twice"],
    &["doctor"],
    &["faults"],
    &["simulate", "--read", "leader", "--seed", "3"],
    &["simulate", "--read", "leader", "--seeds", "4", "--until-violation"],
    &["store", "ls"],
];

fn at_width(folder: &std::path::Path, columns: usize, command: &[&str]) -> CommandResult {
    CommandResult::from(schism(folder).env("COLUMNS", columns.to_string()).args(command).output().unwrap())
}

fn words(text: &str) -> BTreeSet<String> {
    let plain = text.replace(|c| ('\u{2500}'..='\u{257f}').contains(&c) || c == '\\', " ");
    plain.split_whitespace().map(str::to_owned).collect()
}

/// Checks that the lines of a text fit, that no word of it is broken, and that the borders of its tables are aligned.
fn assert_fits(text: &str, columns: usize, unbroken: &BTreeSet<String>, of: &[&str]) {
    let is_border = |line: &&str| line.starts_with(['│', '┌', '├', '╞', '└']);
    for line in text.lines() {
        let wide = line.chars().count();
        let is_one_word = words(line).len() == 1;
        assert!(wide <= columns || is_one_word, "{of:?} at {columns}: {wide} columns:\n{line}\nin\n{text}");
    }
    let tables: BTreeSet<usize> = text.lines().filter(is_border).map(|line| line.chars().count()).collect();
    assert!(tables.len() <= 1, "{of:?} at {columns}: a table with several widths\n{text}");
    let broken: Vec<_> = words(text).into_iter().filter(|word| !unbroken.contains(word) && !is_figure(word)).collect();
    assert!(broken.is_empty(), "{of:?} at {columns}: broken {broken:?}\n{text}");
}

/// Returns true for figures, which differ between two runs of one command.
fn is_figure(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
}

#[test]
fn everything_fits_the_terminal_and_breaks_no_word() {
    let (dir, _) = file(stale_read());
    for command in COMMANDS {
        let unbroken = at_width(dir.path(), 1000, command);
        assert!([Some(0), Some(1), Some(65)].contains(&unbroken.code), "{unbroken:?}");
        let unbroken = words(&(unbroken.out + &unbroken.err));
        for columns in [80, 120, 200] {
            let ended = at_width(dir.path(), columns, command);
            assert_fits(&ended.out, columns, &unbroken, command);
            assert_fits(&ended.err, columns, &unbroken, command);
        }
    }
}

#[test]
fn help_fits_and_its_examples_are_whole_lines() {
    let help = at_width(".".as_ref(), 1000, &["--help"]).out;
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let names = commands.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next());
    for name in std::iter::once("").chain(names.filter(|name| *name != "help")) {
        let arguments: Vec<&str> = [name, "--help"].into_iter().filter(|word| !word.is_empty()).collect();
        let whole = at_width(".".as_ref(), 1000, &arguments).out;
        let narrow = at_width(".".as_ref(), 80, &arguments).out;
        assert!(narrow.lines().all(|line| line.chars().count() <= 80), "{narrow}");
        let examples = whole.lines().filter(|line| line.starts_with("  schism ") || line.starts_with("  {"));
        for example in examples {
            assert!(narrow.lines().any(|line| line == example), "{name}: wrapped at 80 columns: {example}");
        }
    }
}

#[test]
fn without_a_terminal_sentences_are_whole_lines() {
    let (dir, _) = file(stale_read());
    let ended = schism(dir.path()).args(["check", "history.jsonl"]).output().unwrap();
    let text = CommandResult::from(ended).out;
    assert!(text.lines().any(|line| line.chars().count() > 120), "{text}");
}
