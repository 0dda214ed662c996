//! The module graph of the checker: no circle among its top-level modules. A thing that two modules share belongs in
//! a module below both.
//!
//! Paths are read from the source (`crate::a::b`, `use crate::{a::b, C}`, and `super::` where it leads to the top
//! level). Names that `lib.rs` exports count as the modules that define them. Tests are left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// Path within a crate, from its top level.
type UsePath = Vec<String>;

/// Source text of each file, by its path below `src/`.
type Sources = BTreeMap<String, String>;

/// Lines that mention another module, by the module that mentions it and the one mentioned.
type Graph = BTreeMap<(String, String), BTreeSet<String>>;

#[test]
fn no_circle_among_modules() {
    let mut sources = Sources::new();
    read_sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut sources);
    let graph = module_graph(&sources);
    assert!(graph.len() > 100, "hardly any use of a module was found, so the source is not read as it should be");
    assert_eq!(circle(&graph), None, "\nmodules that know each other:\n{}", describe_circle(&graph));
}

#[test]
fn a_circle_is_found_however_it_is_written() {
    let lib = "mod a;\npub(crate) mod b;\nmod c;\npub use c::{Thing as Other, Third};";
    let is_circle = |a: &str, b: &str, c: &str| {
        let files = [("lib.rs", lib), ("a.rs", a), ("b/mod.rs", b), ("c.rs", c)];
        let sources = files.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        circle(&module_graph(&sources))
    };
    let all = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(is_circle("use crate::b::X;", "", ""), None);
    assert_eq!(is_circle("use crate::b::X;", "use crate::{c, a::Y};", ""), all(&["a", "b"]));
    assert_eq!(is_circle("use crate::{Third, b};", "", "fn f() { crate::a::g() }"), all(&["a", "c"]));
    assert_eq!(is_circle("use crate::{b::{self, X}};", "use super::c::Z;", "use super::Other;"), None);
    assert_eq!(is_circle("use super::{b::X};", "use crate::c;", "use super::a;"), all(&["a", "b", "c"]));
    assert_eq!(is_circle("use crate::b;", "use super::Other;", "use crate::a as x;"), all(&["a", "b", "c"]));
}

#[test]
fn comments_texts_and_tests_are_no_circle() {
    let sources = |b: &str| {
        let files =
            [("lib.rs", "mod a; mod b;"), ("a.rs", "use crate::b::X;"), ("b.rs", b), ("b/tests.rs", "use crate::a;")];
        files.map(|(name, text)| (name.to_owned(), text.to_owned())).into()
    };
    for innocent in [
        "// use crate::a;",
        "/* use crate::a; /* nested */ crate::a */",
        "const X: &str = \"use crate::a\\\"; crate::a\";",
        "const X: &str = r#\"crate::a\"#;",
        "const X: char = '\"'; // crate::a",
        "#[cfg(test)]\nmod tests {\n    use crate::a;\n}\n",
        "mod deep { use super::a; }",
    ] {
        assert_eq!(circle(&module_graph(&sources(innocent))), None, "{innocent}");
    }
    assert!(circle(&module_graph(&sources("const X: char = '\"'; use crate::a; const Y: char = '\"';"))).is_some());
}

/// Reads all source files of a folder and those below it.
fn read_sources(folder: &Path, prefix: &str, sources: &mut Sources) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            read_sources(&entry.path(), &format!("{name}/"), sources);
        } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
            sources.insert(name, fs::read_to_string(entry.path()).unwrap());
        }
    }
}

/// Returns the edges between top-level modules, each with the places that make it.
fn module_graph(sources: &Sources) -> Graph {
    let lib = code_only(&sources["lib.rs"]);
    let modules = declared_modules(&lib);
    let mut exports: BTreeMap<String, String> = BTreeMap::new();
    for (at, _) in lib.match_indices("pub use ") {
        for path in use_paths(&lib[at + "pub use ".len()..]) {
            let path: UsePath = path.into_iter().filter(|part| part != "crate" && part != "self").collect();
            if modules.contains(&path[0]) {
                exports.insert(path[path.len() - 1].clone(), path[0].clone());
            }
        }
    }
    let mut graph = Graph::new();
    for (file, text) in sources.iter().filter(|(file, _)| *file != "lib.rs" && !file.ends_with("/tests.rs")) {
        let parts: Vec<&str> = file.trim_end_matches(".rs").split('/').filter(|part| *part != "mod").collect();
        let code = code_only(text);
        let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for path in paths_from_the_top(code, parts.len()) {
            let to = if modules.contains(&path[0]) { Some(&path[0]) } else { exports.get(&path[0]) };
            if let Some(to) = to.filter(|to| *to != parts[0]) {
                let place = format!("{file}: {}", path.join("::"));
                graph.entry((parts[0].to_owned(), to.clone())).or_default().insert(place);
            }
        }
    }
    graph
}

/// Returns the names of the modules that this code declares.
fn declared_modules(code: &str) -> BTreeSet<String> {
    let name = |rest: &str| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("").to_owned();
    code.match_indices("mod ").map(|(at, word)| name(&code[at + word.len()..])).collect()
}

/// Returns all paths that begin at the top level of the crate, in a file that is this deep below it.
fn paths_from_the_top(code: &str, depth: usize) -> Vec<UsePath> {
    let up = "super::".repeat(depth);
    let mut paths = Vec::new();
    for start in ["crate::", up.as_str()] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            // In a module within the file, `super` leads only to the file's own.
            let is_nested = start == up && code[..at].matches('{').count() != code[..at].matches('}').count();
            if !is_nested && !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':' || c == '$') {
                paths.extend(use_paths(&code[at + start.len()..]));
            }
        }
    }
    paths
}

/// Returns the paths of the `use` tree that the text begins with, each without its alias.
fn use_paths(text: &str) -> Vec<UsePath> {
    let mut paths = Vec::new();
    use_tree(text, &mut Vec::new(), &mut paths);
    paths
}

/// Reads one `use` tree and returns what follows it.
fn use_tree<'a>(text: &'a str, prefix: &mut UsePath, paths: &mut Vec<UsePath>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start().trim_start_matches(',').trim_start();
            match rest.strip_prefix('}') {
                Some(after) => return after,
                None if rest.is_empty() => return rest,
                None => {}
            }
            let after = use_tree(rest, &mut prefix.clone(), paths);
            if after.len() == rest.len() {
                return after;
            }
            rest = after;
        }
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '*').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return rest;
    }
    if name != "self" {
        prefix.push(name.to_owned());
    }
    if let Some(deeper) = rest.strip_prefix("::") {
        return use_tree(deeper, prefix, paths);
    }
    if !prefix.is_empty() {
        paths.push(prefix.clone());
    }
    let alias = rest.trim_start().strip_prefix("as ");
    alias.map_or(rest, |alias| alias.trim_start().trim_start_matches(|c: char| c.is_alphanumeric() || c == '_'))
}

/// Returns the modules of the smallest set of modules each of which leads to all the others, if there is one.
fn circle(graph: &Graph) -> Option<BTreeSet<String>> {
    let reached = |from: &str| {
        let (mut reached, mut next) = (BTreeSet::new(), vec![from.to_owned()]);
        while let Some(now) = next.pop() {
            for (_, to) in graph.keys().filter(|(from, _)| *from == now) {
                if reached.insert(to.clone()) {
                    next.push(to.clone());
                }
            }
        }
        reached
    };
    let modules: BTreeSet<&String> = graph.keys().map(|(from, _)| from).collect();
    let all: BTreeMap<&String, BTreeSet<String>> = modules.iter().map(|module| (*module, reached(module))).collect();
    let circle_of = |module: &String| -> BTreeSet<String> {
        all[module].iter().filter(|other| all.get(other).is_some_and(|back| back.contains(module))).cloned().collect()
    };
    modules.into_iter().map(circle_of).filter(|circle| !circle.is_empty()).min_by_key(BTreeSet::len)
}

/// Lists the edges of the smallest circle with the places that make them.
fn describe_circle(graph: &Graph) -> String {
    let Some(circle) = circle(graph) else { return String::new() };
    let within = graph.iter().filter(|((from, to), _)| circle.contains(from) && circle.contains(to));
    let lines = within.flat_map(|((from, to), places)| {
        std::iter::once(format!("{from} -> {to}")).chain(places.iter().map(|place| format!("    {place}")))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Blanks out comments and the content of texts.
fn code_only(text: &str) -> String {
    let (mut code, mut rest) = (String::new(), text);
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            comment_length(rest)
        } else if first == '"' {
            text_length(rest)
        } else if rest.starts_with("r\"") || rest.starts_with("r#") {
            raw_text_length(rest)
        } else if rest.starts_with("'\"'") {
            "'\"'".len()
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        code.push(' ');
        rest = &rest[skipped..];
    }
    code
}

/// Returns the length of the block comment that the text begins with; comments nest.
fn comment_length(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
        } else {
            at += text[at..].chars().next().map_or(0, char::len_utf8);
        }
        if depth == 0 || at >= text.len() {
            return at;
        }
    }
}

/// Returns the length of the string literal that the text begins with.
fn text_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Returns the length of the raw string literal that the text begins with, 1 if it is none.
fn raw_text_length(text: &str) -> usize {
    let hashes = text[1..].chars().take_while(|c| *c == '#').count();
    let Some(content) = text[1 + hashes..].strip_prefix('"') else { return 1 };
    let end = format!("\"{}", "#".repeat(hashes));
    content.find(&end).map_or(text.len(), |at| 1 + hashes + 1 + at + end.len())
}
