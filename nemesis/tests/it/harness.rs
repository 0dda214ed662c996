//! Minimal test harness for cargo and nextest: lists, filters, runs one after the other, sums up.

use std::panic::catch_unwind;
use std::process::ExitCode;

/// Name of a test, and its function.
pub(crate) type Test = (&'static str, fn());

pub(crate) fn run(tests: &[Test], arguments: &[String]) -> ExitCode {
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if has("--list") {
        // No test is ignored: nextest asks for those separately.
        for (name, _) in tests.iter().filter(|_| !has("--ignored")) {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let mut wanted = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            // These are the only options with a value that runners are known to pass.
            "--test-threads" | "--format" | "--color" | "--skip" => drop(rest.next()),
            option if option.starts_with('-') => {}
            name => wanted.push(name),
        }
    }
    let is_wanted = |name: &str| {
        wanted.is_empty() || wanted.iter().any(|part| if has("--exact") { name == *part } else { name.contains(part) })
    };
    let (mut passed, mut failed) = (0, Vec::new());
    for (name, test) in tests.iter().filter(|(name, _)| is_wanted(name)) {
        let result = catch_unwind(test);
        println!("test {name} ... {}", if result.is_ok() { "ok" } else { "FAILED" });
        if result.is_ok() { passed += 1 } else { failed.push(*name) }
    }
    let verdict = if failed.is_empty() { "ok" } else { "FAILED" };
    let filtered = tests.len() - passed - failed.len();
    println!(
        "\ntest result: {verdict}. {passed} passed; {} failed; 0 ignored; 0 measured; {filtered} filtered out",
        failed.len()
    );
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
