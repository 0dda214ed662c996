//! Answers: what a command found, in the order in which people read it, with colours and links.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anstyle::{AnsiColor, Style};

use super::sanitize;
use crate::error::ExitStatus;

/// Findings of a command: the verdict and the sentence that says why, what to do next, then details.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// Text before the verdict, such as the name of a file.
    pub(crate) subject: String,
    pub(crate) verdict: String,
    /// Rest of the verdict's line, and the sentence that says why.
    pub(crate) summary: String,
    pub(crate) steps: Vec<Step>,
    pub(crate) details: String,
}

/// Next step for the reader.
#[derive(Debug)]
pub(crate) enum Step {
    /// Page to open.
    Page(PathBuf),
    /// Command, with a word for its purpose.
    Command(&'static str, String),
}

impl Answer {
    /// Returns the text with colours and links; the status gives the verdict its colour.
    pub(super) fn text(&self, status: ExitStatus) -> String {
        let [subject, verdict, summary, details] =
            [&self.subject, &self.verdict, &self.summary, &self.details].map(|text| sanitize::lines(text));
        let colour = match status {
            ExitStatus::Linearizable => AnsiColor::Green,
            ExitStatus::NotLinearizable => AnsiColor::Red,
            _ => AnsiColor::Yellow,
        };
        let style = Style::new().bold().fg_color(Some(colour.into()));
        let gap = if self.steps.is_empty() { "" } else { "\n" };
        let steps: String = self.steps.iter().map(Step::text).collect();
        format!("{subject}{style}{verdict}{style:#}{summary}{gap}{steps}{details}")
    }
}

impl Step {
    fn text(&self) -> String {
        let (label, shown) = match self {
            Self::Page(path) => ("page", link(path)),
            Self::Command(label, command) => (*label, sanitize::line(command)),
        };
        format!("  {:<8}{shown}\n", format!("{label}:"))
    }
}

/// Returns the path as a link to its file (OSC 8), which a terminal opens.
fn link(path: &Path) -> String {
    let shown = sanitize::line(&path.display().to_string());
    let Ok(whole) = fs::canonicalize(path) else { return shown };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    let escaped = |byte: u8| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    let url: String = whole.as_os_str().as_encoded_bytes().iter().map(|&byte| escaped(byte)).collect();
    format!("\u{1b}]8;;file://{url}\u{1b}\\{shown}\u{1b}]8;;\u{1b}\\")
}

/// Writes text with colours and links to stdout, where they are seen; elsewhere they are left out.
pub(super) fn stdout() -> anstream::AutoStream<io::StdoutLock<'static>> {
    anstream::AutoStream::auto(io::stdout().lock())
}

/// Writes text with colours to stderr, likewise.
pub(super) fn stderr() -> anstream::AutoStream<io::StderrLock<'static>> {
    anstream::AutoStream::auto(io::stderr().lock())
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;

    use super::{Answer, Step, link};
    use crate::error::ExitStatus;

    fn answer() -> Answer {
        Answer {
            subject: "h.jsonl: ".to_owned(),
            verdict: "not linearizable".to_owned(),
            summary: ": 3 operations\n\n  a read was stale\n".to_owned(),
            steps: vec![Step::Page("no/page".into()), Step::Command("again", "schism run --seed 7".to_owned())],
            details: "\n  why\n".to_owned(),
        }
    }

    #[test]
    fn an_answer_is_read_from_the_verdict_to_the_details() {
        let text = answer().text(ExitStatus::NotLinearizable);
        assert!(text.contains("\u{1b}[31m") || text.contains(";31m"), "{text:?}");
        let expected = "h.jsonl: not linearizable: 3 operations\n\n  a read was stale\n\n  page:   no/page\n  again:  \
                        schism run --seed 7\n\n  why\n";
        assert_eq!(strip_str(&text).to_string(), expected);
    }

    #[test]
    fn text_of_others_cannot_style_itself() {
        let hostile = "\u{1b}[2Ja\u{7}".to_owned();
        let answer = Answer { subject: hostile.clone(), details: hostile, ..answer() };
        let text = answer.text(ExitStatus::Unknown);
        assert!(!text.contains("\u{1b}[2J") && !text.contains('\u{7}'), "{text:?}");
    }

    #[test]
    fn a_page_that_is_there_is_a_link_without_a_blank() {
        let dir = tempfile::tempdir().unwrap();
        let page = dir.path().join("a page.html");
        std::fs::write(&page, "").unwrap();
        let text = link(&page);
        assert!(text.starts_with("\u{1b}]8;;file:///") && text.contains("a%20page.html\u{1b}\\"), "{text:?}");
        assert_eq!(strip_str(&text).to_string(), page.display().to_string());
    }
}
