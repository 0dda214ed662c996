//! The command line of `schism check` for other commands that judge the same files.

use crate::run::plan::shell_words;

/// Returns this command line for another command that judges files; none if it has names that cannot be shown.
pub(super) fn as_command(command: &str) -> Option<String> {
    let words: Result<Vec<String>, _> = std::env::args_os().skip(1).map(std::ffi::OsString::into_string).collect();
    let mut words = words.ok()?;
    // Before the command stand only options of all commands, none of which can have this value.
    let here = words.iter().position(|word| word == "check")?;
    words.remove(here);
    if command != "check" {
        words = without_own_options(words);
    }
    words.splice(0..0, ["schism".to_owned(), command.to_owned()]);
    Some(shell_words(&words))
}

/// Returns words of a command line without the options that only `check` has; whatever follows `--` is a file.
fn without_own_options(words: Vec<String>) -> Vec<String> {
    const FLAGS: [&str; 2] = ["--all", "--explain"];
    const WITH_VALUE: &str = "--linearization";
    let mut kept = Vec::with_capacity(words.len());
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if word == "--" {
            kept.push(word);
            kept.extend(words);
            break;
        }
        if word == WITH_VALUE {
            words.next();
        } else if !FLAGS.contains(&&*word) && !word.starts_with("--linearization=") {
            kept.push(word);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::without_own_options;

    #[test]
    fn options_of_check_alone_are_left_out_with_their_values() {
        for (words, kept) in [
            ("--all --model kv h.jsonl", "--model kv h.jsonl"),
            ("--linearization o.jsonl h.jsonl --explain", "h.jsonl"),
            ("--linearization=o.jsonl h.jsonl", "h.jsonl"),
            ("--quiet -- --all", "--quiet -- --all"),
        ] {
            let words = words.split(' ').map(str::to_owned).collect();
            assert_eq!(without_own_options(words).join(" "), kept);
        }
    }
}
