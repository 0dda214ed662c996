//! Tests of what people see: width, colour, order.

use std::{collections::BTreeSet, fs};

use crate::support::{
    CommandResult, cases, file, locked_down, run, schism, stale_read, stale_transactions, unbalanced_bank,
};

/// Commands whose output people read, in a folder with the files of [`folder_with_all`]. `#` stands for the width, as
/// each command must do the same at all of them.
const COMMANDS: &[&[&str]] = &[
    &["campaign", "--resume", "--store", "one"],
    &["check", "history.jsonl"],
    &["check", "--explain", "history.jsonl"],
    &["check", "history.jsonl", "history.jsonl", "missing.jsonl"],
    &["check", "transactions.edn"],
    &["check", "--model", "bank", "bank.edn"],
    &["compare", "--resume", "--store", "two"],
    &["convert", "history.jsonl", "#.edn"],
    &["convert", "history.jsonl", "-"],
    &["defects"],
    &["defects", "votes-twice"],
    &["doctor"],
    &["explain"],
    &["export", "--markdown", "one"],
    &["export", "--script", "store/latest"],
    &["faults"],
    &["generate", "--ops", "9", "--seed", "1", "--out", "#.jsonl"],
    &["hunt", "--simulate", "--defects", "cas-ignores-from", "--seeds", "1", "--time-limit", "2s"],
    &["merge", "one", "--into", "merged-#"],
    &["report", "store/latest"],
    &["report", "one"],
    &["report", "history.jsonl"],
    &["run", "--read", "nothing"],
    &["run", "--faults", "partition:isolate-nobody"],
    &["shrink", "history.jsonl", "-o", "#.jsonl"],
    &["simulate", "--read", "leader", "--seed", "3"],
    &["simulate", "--workload", "append", "--read", "leader", "--seed", "3", "--time-limit", "3s"],
    &["simulate", "--read", "leader", "--seeds", "2"],
    &["simulate", "--read", "leader", "--seeds", "2", "--until-violation", "-j", "1"],
    &["store", "ls"],
    &["store", "gc", "--dry-run"],
    &["system", "new", "mystore", "--with-server"],
    &["system", "check", "mystore.toml"],
    &["version"],
];

/// Commands whose output is not for the width of a terminal, or which are watched by a test of their own.
const OTHERS: [&str; 7] = ["completions", "demo", "help", "man", "node", "run", "serve"];

/// Makes a folder with a history of each kind, a stored run, a campaign of one run and a comparison of one.
fn folder_with_all() -> tempfile::TempDir {
    let (dir, _) = file(stale_read());
    fs::write(dir.path().join("transactions.edn"), stale_transactions()).unwrap();
    fs::write(dir.path().join("bank.edn"), unbalanced_bank()).unwrap();
    let quick = ["--reads", "quorum", "--faults", "none", "--time-limit", "1s"];
    for (made, code) in [
        (&["simulate", "--read", "leader", "--seed", "3", "--time-limit", "5s", "--store", "store"][..], 1),
        (&[&["campaign", "--store", "one", "--seeds", "1"], &quick[..]].concat()[..], 0),
        (&[&["compare", "--store", "two", "--rounds", "1"], &quick[..]].concat()[..], 0),
    ] {
        let ended = run(dir.path(), made);
        assert_eq!(ended.code, Some(code), "{made:?}: {ended:?}");
    }
    dir
}

/// Width at which nothing is wrapped.
const WIDEST: usize = 1000;

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
    // Names of what a command makes have the width in them.
    let is_whole = |word: &String| {
        unbroken.contains(word) || unbroken.contains(&word.replace(&columns.to_string(), &WIDEST.to_string()))
    };
    let broken: Vec<_> = words(text).into_iter().filter(|word| !is_whole(word) && !is_figure(word)).collect();
    assert!(broken.is_empty(), "{of:?} at {columns}: broken {broken:?}\n{text}");
}

/// Returns true for figures, which differ between two runs of one command.
fn is_figure(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
}

#[test]
fn the_first_half_of_all_fits_the_terminal_and_breaks_no_word() {
    assert_all_fit(&COMMANDS[..COMMANDS.len() / 2]);
}

#[test]
fn the_second_half_of_all_fits_the_terminal_and_breaks_no_word() {
    assert_all_fit(&COMMANDS[COMMANDS.len() / 2..]);
}

fn assert_all_fit(commands: &[&[&str]]) {
    let dir = folder_with_all();
    let at = |columns: usize, command: &[&str]| {
        let words: Vec<String> = command.iter().map(|word| word.replace('#', &columns.to_string())).collect();
        at_width(dir.path(), columns, &words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    for command in commands {
        let unbroken = at(WIDEST, command);
        assert!([Some(0), Some(1), Some(64), Some(65)].contains(&unbroken.code), "{command:?}: {unbroken:?}");
        let unbroken = words(&(unbroken.out + &unbroken.err));
        for &columns in cases(&[80, 120, 200], 1) {
            let ended = at(columns, command);
            // What is written to stdout for a file or another program is not laid out.
            if !command.contains(&"export") && !command.contains(&"-") {
                assert_fits(&ended.out, columns, &unbroken, command);
            }
            assert_fits(&ended.err, columns, &unbroken, command);
        }
    }
}

#[test]
fn what_the_demo_prints_fits_the_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let ended = at_width(dir.path(), 80, &["demo"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for text in [&ended.out, &ended.err] {
        assert_fits(text, 80, &words(text), &["demo"]);
    }
}

#[test]
fn every_command_is_watched_at_all_widths() {
    let help = at_width(".".as_ref(), 1000, &["--help"]).out;
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let names = commands.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next());
    let watched = |name: &str| COMMANDS.iter().any(|command| command[0] == name) || OTHERS.contains(&name);
    let missing: Vec<&str> = names.filter(|name| !watched(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
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
    assert!(
        !explained.contains("proof:") && explained.contains("  page:   schism report history.jsonl\n"),
        "{explained}"
    );
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
        (&["man", "rn"], "did you mean `run`?"),
        (&["run", "--system", "mystore"], "'schism system new mystore' writes one"),
        (&["run", "--system", "systems/etcd"], "the file of this name is 'systems/etcd.toml'"),
        (&["run", "--defect", "votes-twise"], "did you mean `votes-twice`?"),
        (&["simulate", "--defect", "votes-twise"], "did you mean `votes-twice`?"),
        (&["campaign", "--defect", "votes-twise"], "did you mean `votes-twice`?"),
        (&["campaign", "--workloads", "registr"], "did you mean `register`?"),
        (&["run", "--seed", "-1"], "no option but --initial takes a negative number such as -1"),
        (&["run", "--seed=-1"], "no option but --initial takes a negative number such as -1"),
        (&["simulate", "--seeds", "-3"], "no option but --initial takes a negative number such as -3"),
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

#[test]
fn verbose_tells_each_command_each_attempt_and_each_reading() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["run", "--nodes", "3", "--faults", "kill:leader", "--time-limit", "3s", "--seed", "1"];
    let told = run(dir.path(), &[&arguments[..], &["-v"]].concat());
    let line_of = |part: &str| told.err.lines().any(|line| line.contains(part));
    for part in ["  $ ip link add", "  starting n1: ", "  attempt: kill"] {
        assert!(line_of(part), "{part}: {}", told.err);
    }
    let usual = run(dir.path(), &arguments);
    assert!(!usual.err.contains("  $ ") && !usual.err.contains("attempt:"), "{}", usual.err);
    let told = run(dir.path(), &["check", "-v", "store/latest"]);
    assert!(told.err.contains("operations in ") && told.err.contains(" by zones after "), "{told:?}");
    assert_eq!(run(dir.path(), &["check", "-v", "-q", "store/latest"]).code, Some(64), "one excludes the other");
}
