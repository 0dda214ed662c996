//! Tests of what people see: width, colour, order.

use std::collections::BTreeSet;

use crate::support::{CommandResult, file, locked_down, run, schism, stale_read};

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
    &["simulate", "--read", "leader", "--seeds", "2"],
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

#[test]
fn a_violation_is_told_as_verdict_sentence_next_steps_and_details() {
    let (dir, _) = file(stale_read());
    let told = run(dir.path(), &["check", "--model", "register", "history.jsonl"]).out;
    let order = [
        "history.jsonl: not linearizable",
        "  read of k3 by process 6",
        "  page:   schism report --model register history.jsonl",
        "  proof:  schism check --model register history.jsonl --explain",
        "  Why no order can explain it",
    ];
    let places: Vec<_> = order.iter().map(|part| told.find(part).unwrap_or_else(|| panic!("{part}\n{told}"))).collect();
    assert!(places.is_sorted(), "{told}");
    let explained = run(dir.path(), &["check", "--explain", "history.jsonl"]).out;
    assert!(!explained.contains("proof:") && !explained.contains("page:"), "{explained}");
}

#[test]
fn a_run_names_its_page_and_the_command_that_repeats_it() {
    let dir = tempfile::tempdir().unwrap();
    let violated = ["simulate", "--read", "leader", "--seed", "3", "--store", "store"];
    let told = CommandResult::from(schism(dir.path()).args(violated).output().unwrap());
    assert_eq!(told.code, Some(1), "{told:?}");
    let step = |label: &str| {
        let line = told.out.lines().find_map(|line| line.trim_start().strip_prefix(label));
        line.unwrap_or_else(|| panic!("{label}\n{}", told.out)).trim().to_owned()
    };
    assert!(dir.path().join(step("page:")).is_file(), "{}", told.out);
    let again = step("again:");
    assert!(again.starts_with("schism simulate --read leader") && again.contains("--seed 3"), "{again}");
    let words: Vec<&str> = again.split(' ').skip(1).collect();
    let repeated = run(dir.path(), &words).out;
    assert_eq!(repeated.lines().next(), told.out.lines().next());
    let lesson = run(dir.path(), &["explain"]);
    assert_eq!(lesson.code, Some(1), "{lesson:?}");
    assert!(
        lesson.out.lines().count() < 40 && lesson.out.contains("[=") && lesson.out.contains("Here, "),
        "{lesson:?}"
    );
    let unkept = run(dir.path(), &["simulate", "--read", "leader", "--seed", "3"]).out;
    assert!(!unkept.contains("page:") && unkept.contains("again:"), "{unkept}");
}

#[test]
fn colour_is_only_where_it_is_seen_or_asked_for() {
    let (dir, _) = file(stale_read());
    let check = |arguments: &[&str], no_color: bool| {
        let mut command = schism(dir.path());
        if !no_color {
            command.env_remove("NO_COLOR");
        }
        CommandResult::from(command.args(arguments).output().unwrap()).out.contains('\u{1b}')
    };
    assert!(!check(&["check", "history.jsonl"], false), "nobody sees colours in a pipe");
    assert!(check(&["check", "--color", "always", "history.jsonl"], true), "what is asked for outweighs NO_COLOR");
    assert!(!check(&["--color", "never", "check", "history.jsonl"], false));
}

#[test]
fn names_that_may_be_meant_are_offered() {
    for (arguments, meant) in [
        (&["run", "--faults", "partitoin"][..], "did you mean `partition`?"),
        (&["simulate", "--faults", "kil"], "did you mean `kill`?"),
        (&["campaign", "--faults", "none,puase"], "did you mean `pause`?"),
        (&["compare", "--faults", "clok"], "did you mean `clock`?"),
        (&["run", "--read", "quorom"], "did you mean `quorum`?"),
        (&["run", "--workload", "registr"], "'register'"),
        (&["check", "--model", "regster", "x"], "'register'"),
        (&["defects", "votes-thrice"], "did you mean `votes-twice`?"),
        (&["hunt", "--defects", "votes-twise"], "did you mean `votes-twice`?"),
        (&["man", "rum"], "did you mean `run`?"),
        (&["run", "--seed", "-1"], "no option takes a negative number such as -1"),
    ] {
        let ended = run(".".as_ref(), arguments);
        assert_eq!(ended.code, Some(64), "{arguments:?}: {ended:?}");
        assert!(ended.err.contains(meant), "{arguments:?}: {}", ended.err);
    }
}

#[test]
fn shells_and_man_get_what_they_read() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(".".as_ref(), &["completions", shell]);
        assert_eq!(script.code, Some(0), "{script:?}");
        assert!(script.out.contains("schism") && script.out.contains("linearization"), "{}", script.out);
    }
    let page = run(".".as_ref(), &["man"]).out;
    assert!(page.contains(".TH schism 1") && page.contains("campaign"), "{page}");
    let page = run(".".as_ref(), &["man", "run"]).out;
    assert!(page.contains("schism\\-run") && page.contains("replay"), "{page}");
}

#[test]
fn quiet_leaves_out_what_is_no_result_and_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let remarks =
        |arguments: &[&str]| run(dir.path(), &[&["run", "--faults", "none", "--time-limit", "1s"], arguments].concat());
    let (loud, quiet) = (remarks(&[]), remarks(&["-q"]));
    assert!(loud.err.contains("reads: ") && quiet.err.is_empty() && !quiet.out.is_empty(), "{loud:?} {quiet:?}");
    assert!(run(dir.path(), &["-q", "store", "ls", "nowhere"]).err.contains("error: "));
}

#[test]
fn doctor_tells_by_its_exit_code_whether_the_demo_can_run() {
    let dir = tempfile::tempdir().unwrap();
    let here = run(dir.path(), &["doctor"]);
    assert_eq!((here.code, here.out.contains("The demo can run here.")), (Some(0), true), "{here:?}");
    let locked = CommandResult::from(locked_down(dir.path()).arg("doctor").output().unwrap());
    assert_eq!((locked.code, locked.out.contains("The demo lacks something here")), (Some(1), true), "{locked:?}");
    let unwritable = run(dir.path(), &["doctor", "--store", "/proc/store"]);
    assert_eq!(unwritable.code, Some(1), "{unwritable:?}");
}
