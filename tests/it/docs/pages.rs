//! The pages, and the fenced blocks in them.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// File of Markdown.
pub(super) struct Page {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// Mark of a block: the comment in front of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mark {
    None,
    Excerpt,
    File(String),
}

/// Fenced block.
#[derive(Debug)]
pub(super) struct Block {
    /// Number of the line that opens it, from 1.
    pub(super) line: usize,
    pub(super) language: String,
    pub(super) mark: Mark,
    pub(super) lines: Vec<String>,
}

/// Returns the root of the repository.
pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Reads a page by its path from the root.
pub(super) fn page(path: &str) -> Page {
    let path = root().join(path);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Page { path, text }
}

/// Reads all pages: those at the root and those in docs/.
pub(super) fn pages() -> Vec<Page> {
    let mut paths = files(&root().join("docs"), "md");
    paths.extend(fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| has(path, "md")));
    paths.sort();
    assert!(paths.len() > 10, "too few pages: {paths:?}");
    paths.into_iter().map(|path| Page { text: fs::read_to_string(&path).unwrap(), path }).collect()
}

/// Returns all files in a folder and those below with one of these extensions, separated by spaces.
pub(super) fn files(folder: &Path, extensions: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extensions));
        } else if has(&path, extensions) {
            found.push(path);
        }
    }
    found
}

fn has(path: &Path, extensions: &str) -> bool {
    path.extension().is_some_and(|extension| extensions.split(' ').any(|one| extension == one))
}

impl Page {
    /// Returns the place of a line, for messages.
    pub(super) fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path.strip_prefix(root()).unwrap().display())
    }

    /// Returns the fenced blocks in their order.
    pub(super) fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut lines = self.text.lines().enumerate();
        let mut before = "";
        while let Some((index, line)) = lines.next() {
            if let Some(language) = line.strip_prefix("```") {
                let body = lines.by_ref().map(|(_, line)| line.to_owned()).take_while(|line| line != "```").collect();
                blocks.push(Block { line: index + 1, language: language.to_owned(), mark: mark(before), lines: body });
            }
            before = line;
        }
        blocks
    }

    /// Returns the lines outside of fenced blocks, with their numbers from 1.
    pub(super) fn prose(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut fenced = false;
        self.text.lines().enumerate().filter_map(move |(index, line)| {
            let fence = line.starts_with("```");
            fenced ^= fence;
            (!fenced && !fence).then_some((index + 1, line))
        })
    }
}

fn mark(comment: &str) -> Mark {
    match comment.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->")) {
        Some("excerpt of a real run") => Mark::Excerpt,
        Some(text) => Mark::File(text.strip_prefix("file: ").expect("a comment that marks a block").to_owned()),
        None => Mark::None,
    }
}
