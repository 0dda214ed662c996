//! Commands that pages show without running them, and the reference of the command line.

use std::collections::BTreeSet;

use super::{
    console::shell,
    pages::{Mark, page, pages, root},
};
use crate::support::run;

/// Shell function that runs schism with `--help` behind all arguments: invalid ones before it are errors.
const PARSE_ONLY: &str = r#"schism() { command schism "$@" --help >/dev/null || echo "in: schism $*"; }"#;

#[test]
fn every_command_on_a_page_is_valid() {
    let mut wrong = String::new();
    let mut seen = 0;
    for page in pages() {
        for block in page.blocks() {
            if !["sh", "console"].contains(&block.language.as_str()) {
                continue;
            }
            let text = block.lines.join("\n").replace("\\\n", "");
            let lines = text.lines().map(|line| line.strip_prefix("$ ").unwrap_or(line));
            let ours: Vec<&str> =
                lines.filter(|line| line.starts_with("schism ") || line.starts_with("peers=")).collect();
            seen += ours.len();
            let script = format!("{PARSE_ONLY}\n{}", ours.join("\n"));
            let folder = tempfile::tempdir().unwrap();
            let printed = shell(&script, folder.path()).output().unwrap().stdout;
            if !printed.is_empty() {
                wrong += &format!("\n{}: {}", page.at(block.line), String::from_utf8_lossy(&printed));
            }
        }
    }
    assert!(wrong.is_empty(), "invalid commands:{wrong}");
    assert!(seen > 30, "only {seen} commands were found");
}

#[test]
fn blocks_that_are_not_run_say_why() {
    for page in pages() {
        for block in page.blocks() {
            let at = page.at(block.line);
            match block.language.as_str() {
                "text" => assert_eq!(block.mark, Mark::Excerpt, "{at}: mark it `<!-- excerpt of a real run -->`"),
                "sh" => assert!(!block.lines.iter().any(|line| line.starts_with("$ ")), "{at}: a console block"),
                "console" | "jsonl" | "clojure" | "toml" | "rust" | "python" => {}
                other => panic!("{at}: a block of {other:?}"),
            }
        }
    }
}

#[test]
fn the_reference_has_each_option_of_each_command_and_no_other() {
    let reference = page("docs/reference/cli.md").text;
    let section = |title: &str| {
        let start = format!("\n## {title}\n");
        let (_, rest) = reference.split_once(&start).unwrap_or_else(|| panic!("cli.md has no section {title:?}"));
        rest.split("\n## ").next().unwrap().to_owned()
    };
    let judging = section("Options for judging");
    let reading = section("Options for reading histories");
    let of_all = section("Options of all commands");
    let help = run(root(), &["--help"]).out;
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let names = commands.lines().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
    let names: Vec<&str> = names.map(|line| line.split_whitespace().next().unwrap()).collect();
    assert!(names.len() > 10, "{help}");
    for name in names.into_iter().filter(|name| !["help", "version"].contains(name)) {
        let own = section(&format!("schism {name}"));
        let mut told = options_told(&own);
        told.extend(options_told(&of_all));
        if own.contains("(#options-for-judging)") {
            told.extend(options_told(&judging).into_iter().chain(options_told(&reading)));
        }
        if own.contains("(#options-for-reading-histories)") {
            told.extend(options_told(&reading));
        }
        let helps: &[&[&str]] = match name {
            "store" => &[&["store", "ls"], &["store", "rm"], &["store", "gc"]],
            "system" => &[&["system", "new"], &["system", "check"]],
            name => &[&[name]],
        };
        let exist: BTreeSet<String> =
            helps.iter().flat_map(|command| options_of(&run(root(), &[*command, &["--help"]].concat()).out)).collect();
        assert_eq!(told, exist, "options of `schism {name}` in docs/reference/cli.md, and in its help");
    }
}

/// Returns the names in inline code that begin with `--`.
fn options_told(text: &str) -> BTreeSet<String> {
    let codes = text.split('`').skip(1).step_by(2);
    codes
        .filter_map(|code| code.strip_prefix("--"))
        .map(|code| code.split([' ', '=', '[']).next().unwrap().into())
        .collect()
}

/// Returns the names of the options that a help text lists, without `--help`.
fn options_of(help: &str) -> Vec<String> {
    let lines = help.lines().filter(|line| line.starts_with(' ')).map(str::trim_start);
    let options = lines.filter(|line| line.starts_with('-')).filter_map(|line| line.split_once("--"));
    let names = options.map(|(_, rest)| rest.split([' ', ',', '[']).next().unwrap().to_owned());
    names.filter(|name| name != "help").collect()
}

#[test]
fn the_reference_has_each_fault() {
    let faults = page("docs/reference/faults.md").text;
    let help = run(root(), &["run", "--help"]).out;
    let (_, listed) = help.split_once("take turns:\n").unwrap();
    let lines = listed.lines().take_while(|line| line.starts_with("  "));
    // A line that goes on with the one above is indented further.
    let forms: Vec<&str> =
        lines.filter(|line| !line.starts_with("   ")).map(|line| line[2..].split(' ').next().unwrap()).collect();
    assert!(forms.len() > 4, "{help}");
    for form in forms {
        assert!(faults.contains(&format!("| `{form}` |")), "{form} has no row");
    }
}

#[test]
fn the_reference_has_each_value_of_the_options_that_choose() {
    let models = page("docs/reference/models.md").text;
    let node = page("docs/reference/node.md").text;
    let workloads = page("docs/reference/workloads.md").text;
    for (text, command, option) in [
        (&models, "check", "--model"),
        (&models, "check", "--level"),
        (&node, "run", "--read"),
        (&node, "run", "--elections"),
        (&workloads, "run", "--workload"),
    ] {
        let help = run(root(), &[command, "--help"]).out;
        let (_, values) = help.split_once(&format!("{option} <")).unwrap();
        let (_, values) = values.split_once("Possible values:").unwrap();
        let names = values.lines().skip(1).take_while(|line| !line.trim().is_empty() && !line.contains("--"));
        let names: Vec<&str> =
            names.filter_map(|line| line.trim().strip_prefix("- ")?.split_once(':')).map(|(name, _)| name).collect();
        assert!(!names.is_empty(), "{help}");
        for name in names {
            assert!(text.contains(&format!("`{name}`")) || text.contains(&format!("**{name}**")), "{option} {name}");
        }
    }
}
