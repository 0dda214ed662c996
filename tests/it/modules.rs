//! Tests of who knows whom among the modules of a crate: the list below is the design, the paths in the sources are
//! the reality.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// Modules of the control CLI from the lowest to the highest. Each knows only those before it; `main.rs` knows all.
const LAYERS: [&str; 11] =
    ["error", "terminal", "check", "store", "systems", "run", "campaign", "compare", "render", "report", "cli"];

/// Folders of the crates in which no modules know each other in a circle, even by way of others; the first is the
/// control CLI.
const WITHOUT_CIRCLES: [&str; 5] = ["", "histories", "nemesis", "node", "workloads"];

#[test]
fn modules_of_the_cli_know_only_those_below_them() {
    let graph = Graph::of(&crate_dir(""));
    let unlisted: Vec<_> = graph.modules.iter().filter(|module| !LAYERS.contains(&&***module)).collect();
    assert!(
        unlisted.is_empty() && graph.modules.len() == LAYERS.len(),
        "LAYERS is not the list of modules: {unlisted:?}"
    );
    let upwards = graph.upwards(&LAYERS);
    assert!(upwards.is_empty(), "a module knows one above it:\n{}", upwards.join("\n"));
}

#[test]
fn no_modules_know_each_other_in_a_circle() {
    for name in WITHOUT_CIRCLES {
        assert_eq!(circles(&crate_dir(name)), Vec::<String>::new(), "modules of the crate in ./{name}");
    }
}

/// The test above fails once a line is added to any of these crates by which a module knows one that knows it.
#[test]
fn a_line_that_closes_a_circle_is_found_in_each_crate() {
    for name in WITHOUT_CIRCLES {
        let mut sources = sources_of(&crate_dir(name));
        let graph = Graph::of(&crate_dir(name));
        let (from, to) = graph.edges.keys().next().expect("some module knows another").clone();
        sources.insert(format!("{to}/added.rs"), format!("use crate::{from};\n"));
        let circles = Graph::parse(&borrowed(&sources)).circles();
        let closed = |circle: &String| circle.contains(&from) && circle.contains(&to);
        assert!(circles.iter().any(closed), "{from} -> {to} -> {from} in ./{name}: {circles:?}");
    }
}

#[test]
fn a_line_that_knows_a_higher_layer_is_found() {
    let mut sources = BTreeMap::from([
        ("main.rs", "mod low;\nmod high;\npub use high::Shown;\n"),
        ("low.rs", "// use crate::high::Text;\nconst TEXT: &str = \"crate::high\"; /* crate::high */\n"),
        ("high/mod.rs", "mod part;\nuse crate::low;\n"),
        ("high/part.rs", "use super::super::low::{self, TEXT};\nmod tests { use super::super::low; }\n"),
    ]);
    let graph = Graph::parse(&sources);
    assert_eq!(graph.names(), ["high -> low"]);
    assert!(graph.upwards(&["low", "high"]).is_empty() && graph.circles().is_empty());
    for line in [
        "use crate::high::Text;",
        "use crate::{\n    high::part,\n};",
        "fn f() -> super::high::Text { r#\"\"# }",
        "mod tests {\n    use super::super::high; }",
        "fn f() -> char { '\"'; crate::Shown::new(); '\"' }",
        "const F: &[u8] = br#\"\"\\\"#; use super::high;",
    ] {
        sources.insert("low.rs", line);
        let graph = Graph::parse(&sources);
        assert_eq!(graph.names(), ["high -> low", "low -> high"], "{line}");
        assert_eq!(graph.upwards(&["low", "high"]).len(), 1, "{line}");
        assert_eq!(graph.circles(), ["high -> low -> high"], "{line}");
    }
}

/// Returns the folder with the sources of a crate of this workspace; of the control CLI, if it has no name.
fn crate_dir(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name).join("src")
}

/// Returns the circles among the top-level modules of the crate whose sources are in this folder, as paths such as
/// `a -> b -> a`: one for each module that is in any.
fn circles(dir: &Path) -> Vec<String> {
    Graph::of(dir).circles()
}

/// Top-level modules of a crate, and the lines by which one knows another.
#[derive(Debug, Default)]
struct Graph {
    modules: BTreeSet<String>,
    /// File and line of the first path by which the first module knows the second.
    edges: BTreeMap<(String, String), String>,
}

impl Graph {
    fn of(dir: &Path) -> Self {
        Self::parse(&borrowed(&sources_of(dir)))
    }

    /// Builds the graph of sources by their paths, of which `main.rs` or `lib.rs` is the root.
    fn parse(sources: &BTreeMap<&str, &str>) -> Self {
        let root = ["main.rs", "lib.rs"].into_iter().find_map(|name| sources.get(name)).expect("a crate has a root");
        let root = tokens(root);
        let declared = root.windows(2).filter(|pair| pair[0].text == "mod").map(|pair| pair[1].text.clone());
        let mut graph = Self { modules: declared.collect(), edges: BTreeMap::new() };
        let reexports = graph.reexports(&root);
        for (file, text) in sources.iter().filter(|(file, _)| !["main.rs", "lib.rs"].contains(*file)) {
            let parts: Vec<&str> = file.trim_end_matches(".rs").split('/').filter(|part| *part != "mod").collect();
            for (path, line) in known_paths(&parts, &tokens(text)) {
                let name = reexports.get(&path).unwrap_or(&path);
                if graph.modules.contains(name) && *name != parts[0] {
                    let edge = (parts[0].to_owned(), name.clone());
                    graph.edges.entry(edge).or_insert_with(|| format!("{file}:{line}"));
                }
            }
        }
        graph
    }

    /// Returns what the root of the crate offers under a name of its own, with the module that it comes from.
    fn reexports(&self, root: &[Token]) -> BTreeMap<String, String> {
        let mut names = BTreeMap::new();
        for (at, _) in root.iter().enumerate().filter(|(_, token)| token.text == "use") {
            for path in use_tree(&root[at + 1..]).0 {
                let path: Vec<&String> = path.iter().filter(|part| !["crate", "self"].contains(&&***part)).collect();
                if let [module, .., name] = &path[..]
                    && self.modules.contains(*module)
                {
                    names.insert((*name).clone(), (*module).clone());
                }
            }
        }
        names
    }

    fn names(&self) -> Vec<String> {
        self.edges.keys().map(|(from, to)| format!("{from} -> {to}")).collect()
    }

    /// Returns the edges that lead from a layer to itself or to a higher one.
    fn upwards(&self, layers: &[&str]) -> Vec<String> {
        let height = |module: &str| layers.iter().position(|layer| *layer == module);
        let wrong = self.edges.iter().filter(|((from, to), _)| height(to) >= height(from));
        wrong.map(|((from, to), place)| format!("{from} -> {to} ({place})")).collect()
    }

    fn circles(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut in_one = BTreeSet::new();
        for module in &self.modules {
            if !in_one.contains(module)
                && let Some(circle) = self.circle_from(module)
            {
                found.push(circle.join(" -> "));
                in_one.extend(circle);
            }
        }
        found
    }

    /// Returns a shortest path from a module back to it.
    fn circle_from(&self, start: &str) -> Option<Vec<String>> {
        let mut paths = vec![vec![start.to_owned()]];
        let mut seen = BTreeSet::new();
        while !paths.is_empty() {
            let mut longer = Vec::new();
            for path in paths {
                let last = path.last().expect("a path has a beginning");
                for (_, to) in self.edges.keys().filter(|(from, _)| from == last) {
                    let path: Vec<String> = path.iter().chain([to]).cloned().collect();
                    if to == start {
                        return Some(path);
                    }
                    if seen.insert(to) {
                        longer.push(path);
                    }
                }
            }
            paths = longer;
        }
        None
    }
}

/// Returns the sources in a folder by their paths.
fn sources_of(dir: &Path) -> BTreeMap<String, String> {
    let mut sources = BTreeMap::new();
    read_sources(dir, dir, &mut sources);
    sources
}

fn borrowed(sources: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
    sources.iter().map(|(name, text)| (&**name, &**text)).collect()
}

fn read_sources(root: &Path, dir: &Path, sources: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_sources(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            sources.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
}

/// Returns the first names below the root of the crate that the paths in a file mean, with their lines. `module` is
/// the path of the file's module.
fn known_paths(module: &[&str], tokens: &[Token]) -> Vec<(String, usize)> {
    let mut known = Vec::new();
    // Depth of braces at which each module inside the file begins.
    let (mut depth, mut inner) = (0_usize, Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        let is_first = at == 0 || tokens[at - 1].text != "::";
        match &*token.text {
            "{" => {
                depth += 1;
                if at >= 2 && tokens[at - 2].text == "mod" {
                    inner.push(depth);
                }
            }
            "}" => {
                inner.retain(|begin| *begin != depth);
                depth = depth.saturating_sub(1);
            }
            "crate" | "super" if is_first && tokens.get(at + 1).is_some_and(|next| next.text == "::") => {
                for path in use_tree(&tokens[at..]).0 {
                    let ups = path.iter().take_while(|part| *part == "super").count();
                    let below = if path[0] == "crate" { 1 } else { ups };
                    let reaches_root = path[0] == "crate" || ups == module.len() + inner.len();
                    known.extend(path.get(below).filter(|_| reaches_root).map(|name| (name.clone(), token.line)));
                }
            }
            _ => {}
        }
    }
    known
}

/// Parses a path, or several in braces, and returns them with the number of tokens that they take. The last part is
/// the name that a `use` gives it.
pub(crate) fn use_tree(tokens: &[Token]) -> (Vec<Vec<String>>, usize) {
    let text = |at: usize| tokens.get(at).map_or("", |token| &*token.text);
    if text(0) == "{" {
        let (mut all, mut at) = (Vec::new(), 1);
        while at < tokens.len() && text(at) != "}" {
            let (paths, length) = use_tree(&tokens[at..]);
            all.extend(paths);
            at += length.max(1);
        }
        return (all, at + 1);
    }
    let name = text(0).to_owned();
    if text(1) == "::" && (text(2) == "{" || text(2) == "*" || is_name(text(2))) {
        let (paths, length) = use_tree(&tokens[2..]);
        let paths = paths.into_iter().map(|path| [vec![name.clone()], path].concat());
        return (paths.collect(), length + 2);
    }
    if text(1) == "as" {
        return (vec![vec![name, text(2).to_owned()]], 3);
    }
    (if name == "," { Vec::new() } else { vec![vec![name]] }, 1)
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// A word, a `::`, or another single character of a source.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

/// Splits a source into words and signs, without comments, strings and characters.
pub(crate) fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let (mut tokens, mut at, mut line) = (Vec::new(), 0, 1);
    while at < chars.len() {
        let length = skipped(&chars[at..]).unwrap_or(0);
        if length > 0 {
            line += chars[at..at + length].iter().filter(|c| **c == '\n').count();
            at += length;
            continue;
        }
        let word = chars[at..].iter().take_while(|c| c.is_alphanumeric() || **c == '_').count();
        let length = if word > 0 { word } else { 1 + usize::from(chars[at..].starts_with(&[':', ':'])) };
        tokens.push(Token { text: chars[at..at + length].iter().collect(), line });
        at += length;
    }
    tokens
}

/// Returns the length of the blanks, the comment, the string or the character at the beginning, if there is one.
fn skipped(rest: &[char]) -> Option<usize> {
    let found = |end: &str, from: usize| {
        let end: Vec<char> = end.chars().collect();
        (from..rest.len()).find(|&at| rest[at..].starts_with(&end)).map_or(rest.len(), |at| at + end.len())
    };
    match rest {
        [c, ..] if c.is_whitespace() => Some(1),
        ['/', '/', ..] => Some(found("\n", 2)),
        ['/', '*', ..] => {
            let (mut depth, mut at) = (1, 2);
            while depth > 0 && at < rest.len() {
                match rest[at..] {
                    ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
                    ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
                    _ => at += 1,
                }
            }
            Some(at)
        }
        ['b', 'r', '#' | '"', ..] => skipped(&rest[1..]).map(|length| length + 1),
        ['r', '#' | '"', ..] => {
            let marks = rest[1..].iter().take_while(|c| **c == '#').count();
            // A raw identifier has a mark, too.
            (rest.get(1 + marks) == Some(&'"')).then(|| found(&format!("\"{}", "#".repeat(marks)), 2 + marks))
        }
        ['"', ..] => {
            let mut at = 1;
            while at < rest.len() && rest[at] != '"' {
                at += if rest[at] == '\\' { 2 } else { 1 };
            }
            Some(at + 1)
        }
        ['\'', '\\', ..] => Some(found("'", 3)),
        ['\'', _, '\'', ..] => Some(3),
        _ => None,
    }
}
