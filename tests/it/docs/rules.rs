//! Rules for the text of the pages: length, links, and words that must not come back.

use std::fs;

use super::pages::{Page, files, page, pages, root};

const MOST_WORDS_OF_README: usize = 1300;
const MOST_WORDS_OF_ARCHITECTURE: usize = 1500;
const MOST_COLUMNS: usize = 120;
/// Lines of README that are seen at once.
const FIRST_SCREEN: usize = 20;
const FORBIDDEN: [&str; 3] = ["how manieth", "least of all", "without much ado"];
const CRATES: [&str; 6] = ["checker/", "histories/", "nemesis/", "node/", "workloads/", "src/"];

#[test]
fn the_front_pages_are_short() {
    let readme = page("README.md").text;
    let words = readme.split_whitespace().count();
    assert!(words <= MOST_WORDS_OF_README, "README.md has {words} words");
    assert!(readme.lines().take(FIRST_SCREEN).any(|line| line.ends_with(".svg)")), "no picture in the first screen");
    let architecture = page("ARCHITECTURE.md").text;
    let (body, _) = architecture.split_once("\n## Dependencies\n").expect("ARCHITECTURE.md ends with dependencies");
    let words = body.split_whitespace().count();
    assert!(words <= MOST_WORDS_OF_ARCHITECTURE, "ARCHITECTURE.md has {words} words before its dependencies");
}

#[test]
fn lines_outside_tables_fit_the_columns() {
    for page in pages() {
        for (index, line) in page.text.lines().enumerate() {
            let fits = line.starts_with('|') || line.chars().count() <= MOST_COLUMNS;
            assert!(fits, "{}: more than {MOST_COLUMNS} columns", page.at(index + 1));
        }
    }
}

#[test]
fn links_lead_somewhere() {
    for page in pages() {
        let prose: String = page.prose().flat_map(|(_, line)| [line, "\n"]).collect();
        for target in prose.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if target.starts_with("https://") {
                continue;
            }
            let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
            let to = if path.is_empty() { page.path.clone() } else { page.path.parent().unwrap().join(path) };
            assert!(to.exists(), "{}: nothing is at {target}", page.at(1));
            if let Some(anchor) = anchor {
                let there = Page { text: fs::read_to_string(&to).unwrap(), path: to };
                assert!(there.anchors().any(|one| one == anchor), "{}: no heading {target}", page.at(1));
            }
        }
    }
}

impl Page {
    /// Returns the anchors of the headings, as GitHub makes them.
    fn anchors(&self) -> impl Iterator<Item = String> {
        let headings = self.prose().filter(|(_, line)| line.starts_with('#'));
        headings.map(|(_, line)| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
    }
}

/// Checks names in inline code that begin with the folder of a crate: stations, places to look, examples.
#[test]
fn paths_that_pages_name_exist() {
    for page in pages().into_iter().filter(|page| !page.path.ends_with("CHANGELOG.md")) {
        for (line, text) in page.prose() {
            for code in text.split('`').skip(1).step_by(2) {
                let names_a_path =
                    CRATES.iter().any(|folder| code.starts_with(folder)) && !code.contains(['<', ' ', '*']);
                assert!(!names_a_path || root().join(code).exists(), "{}: {code} does not exist", page.at(line));
            }
        }
    }
}

#[test]
fn words_that_were_banished_stay_away() {
    let mut paths: Vec<_> = CRATES
        .iter()
        .map(|folder| root().join(folder))
        .flat_map(|folder| files(&if folder.ends_with("src") { folder } else { folder.join("src") }, "rs js css html"))
        .collect();
    paths.extend(pages().into_iter().map(|page| page.path));
    for path in paths {
        let text = fs::read_to_string(&path).unwrap().to_lowercase();
        for phrase in FORBIDDEN {
            assert!(!text.contains(phrase), "{}: {phrase:?}", path.display());
        }
    }
}

#[test]
fn the_model_on_the_page_is_that_of_the_example() {
    let example = fs::read_to_string(root().join("checker/examples/own_model.rs")).unwrap();
    let blocks = page("docs/how-to/write-a-model.md").blocks();
    let rust: Vec<_> = blocks.iter().filter(|block| block.language == "rust").flat_map(|block| &block.lines).collect();
    assert!(rust.len() > 20, "{blocks:?}");
    for line in rust {
        assert!(example.contains(line.trim()), "the example has no line {line:?}");
    }
}
