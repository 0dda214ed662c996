//! Tests of who knows whom among the modules of each crate, at every depth: the list below is the design, the paths in
//! the sources are the reality.
//!
//! A module knows another if it names the other or something in it. What a module only passes on (`pub use`) belongs
//! to the module that defines it. At each depth, all that lies below a module counts as that module; the code of a
//! `mod.rs` itself stands beside its children as `mod`. Unit tests count as the module that they test.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::LazyLock,
};

use crate::syntax::{Token, tokens, use_tree};

/// Modules of the control CLI from the lowest to the highest. Each knows only those before it; `lib.rs` knows all.
const LAYERS: [&str; 12] = [
    "error", "terminal", "check", "store", "systems", "run", "simulate", "campaign", "compare", "render", "report",
    "cli",
];

/// Folders of the crates of this workspace; the first is the control CLI.
const CRATES: [&str; 6] = ["", "checker", "histories", "nemesis", "node", "workloads"];

/// Modules of one folder that know each other in a circle, and the reason why they stay so.
struct Exception {
    /// Crate and folder, such as `node:raft`.
    folder: &'static str,
    modules: &'static [&'static str],
    reason: &'static str,
}

/// Circles that stay; the modules named here may know each other, and no others.
const EXCEPTIONS: [Exception; 3] = [
    Exception {
        folder: "histories:value",
        modules: &[OWN, "edn_text", "map", "number", "tagged"],
        reason: "a value is recursive: maps and tagged values contain values, and numbers are compared with them",
    },
    Exception {
        folder: "node:raft",
        modules: &["election", "invariant", "node", "read", "snapshot"],
        reason: "each rule of the paper is a method of the one state machine, in a file of its own with its own state",
    },
    Exception {
        folder: "node:storage",
        modules: &[OWN, "compaction"],
        reason: "compaction is a part of the storage's state, and replaces the files of the storage",
    },
];

/// Graphs of these crates.
static GRAPHS: LazyLock<[Graph; 6]> = LazyLock::new(|| CRATES.map(|name| Graph::of(name, &sources_of(name))));

/// Name among the children of a folder for the code of its own `mod.rs`.
const OWN: &str = "mod";

/// Path of a module from the root of its crate.
type ModulePath = Vec<String>;

/// Modules of a crate, with what they mention.
type Modules = BTreeMap<ModulePath, Module>;

#[test]
fn modules_of_the_cli_know_only_those_below_them() {
    let sources = sources_of("");
    let unlisted: Vec<_> =
        sources.keys().filter_map(|path| path.first()).filter(|top| !LAYERS.contains(&&***top)).collect();
    assert!(unlisted.is_empty(), "LAYERS is not the list of modules: {unlisted:?}");
    let upwards = GRAPHS[0].upwards(&LAYERS);
    assert!(upwards.is_empty(), "a module knows one above it:\n{}", upwards.join("\n"));
}

#[test]
fn no_modules_know_each_other_in_a_circle() {
    let found: Vec<_> = GRAPHS.iter().flat_map(|graph| graph.circles(&EXCEPTIONS)).collect();
    assert!(found.is_empty(), "modules that know each other:\n{}", found.join("\n"));
    for Exception { folder, modules, reason } in &EXCEPTIONS {
        let is_in_one = |module: &&str| GRAPHS.iter().any(|graph| graph.circle_from(folder, module).is_some());
        assert!(modules.iter().all(is_in_one), "needed no more in {folder}: {reason}");
    }
}

/// The test above fails once a line is added to any folder of these crates by which a module knows one that knows it.
#[test]
fn a_line_that_closes_a_circle_is_found_in_each_folder() {
    for graph in GRAPHS.iter() {
        let stays =
            |edge: &&Edge| EXCEPTIONS.iter().any(|exception| exception.has(&edge.folder, [&edge.from, &edge.to]));
        let edges = graph.edges.keys().filter(|edge| !stays(edge));
        let folders: BTreeMap<&String, &Edge> = edges.map(|edge| (&edge.folder, edge)).collect();
        assert!(folders.len() > 1, "hardly any use of a module was found in {:?}", folders.keys());
        for Edge { folder, from, to } in folders.into_values() {
            let mut within: BTreeMap<Edge, String> = graph.edges.clone();
            within.retain(|edge, _| edge.folder == *folder);
            within.insert(Edge { folder: folder.clone(), from: to.clone(), to: from.clone() }, "added".to_owned());
            let circles = Graph { edges: within }.circles(&EXCEPTIONS);
            assert!(!circles.is_empty(), "{to} -> {from} -> {to} in {folder}");
        }
    }
}

#[test]
fn each_line_that_closes_a_circle_is_found() {
    let low = "// use crate::high::Text;\nconst TEXT: &str = \"crate::high\"; /* crate::high */\n";
    let high = "mod left;\nmod right;\npub use left::Text;\nuse right::Part;\nstruct Own;\nfn f() -> Part {}\n";
    let left = "use super::super::low::{self, TEXT};\nmod tests { use super::super::super::low; }\n";
    let right = "pub(in crate::high) struct Part;\nuse super::Text as Other;\nfn low() { low::low() }\n";
    let graph = |file: &str, line: &str| {
        let root = "mod low;\nmod high;\npub use high::Text;\nfn main() { high::f() }\n";
        let files = [
            ("lib.rs", root),
            ("low.rs", low),
            ("high/mod.rs", high),
            ("high/left.rs", left),
            ("high/right.rs", right),
        ];
        let files = files.map(|(name, text)| (name, text.to_owned() + if name == file { line } else { "" }));
        Graph::of("", &files.into_iter().map(|(name, text)| (module_path(name), text)).collect())
    };
    let innocent = graph("", "");
    let edges = ["mod -> high", "high -> low", "mod -> right", "right -> left"];
    assert_eq!(BTreeSet::from_iter(innocent.names()), edges.map(str::to_owned).into());
    assert_eq!(innocent.circles(&[]), Vec::<String>::new());
    assert_eq!(innocent.upwards(&["low", "high"]), Vec::<String>::new());
    assert_eq!(innocent.upwards(&["high", "low"]).len(), 1);
    for (file, line, circle) in [
        ("low.rs", "use crate::high::Text;", "high -> low -> high"),
        ("low.rs", "use crate::{\n    high::left,\n};", "high -> low -> high"),
        ("low.rs", "fn f() -> super::high::Text { r#\"\"# }", "high -> low -> high"),
        ("low.rs", "mod tests {\n    use super::super::high; }", "high -> low -> high"),
        ("low.rs", "fn f() -> char { '\"'; crate::Text::new(); '\"' }", "high -> low -> high"),
        ("low.rs", "const F: &[u8] = br#\"\"\\\"#; use super::high;", "high -> low -> high"),
        ("low.rs", "use crate::main;", "high -> low -> mod -> high"),
        ("high/mod.rs", "use super::main;", "high -> mod -> high"),
        ("high/left.rs", "use super::right;", "left -> right -> left"),
        ("high/left.rs", "use super::Part;", "left -> right -> left"),
        ("high/left.rs", "use crate::high::{self as above}; fn f() -> above::Part {}", "left -> right -> left"),
        ("high/right.rs", "use super::Own;", "mod -> right -> mod"),
        ("high/right.rs", "use super::*;", "mod -> right -> mod"),
        ("high/right.rs", "use super::f as g;", "mod -> right -> mod"),
        ("high/left.rs", "use super::f;", "left -> mod -> right -> left"),
    ] {
        let circles = graph(file, line).circles(&[]);
        assert!(circles.len() == 1 && circles[0].contains(circle), "{line} in {file}: {circles:?}");
    }
}

/// Use of one module by another, within the folder in which their paths part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Edge {
    /// Crate and folder, such as `node:raft`.
    folder: String,
    from: String,
    to: String,
}

/// Modules of a crate, and the places by which one knows another.
#[derive(Debug)]
struct Graph {
    /// File and line of the first path of each edge.
    edges: BTreeMap<Edge, String>,
}

impl Exception {
    fn has<'a>(&self, folder: &str, modules: impl IntoIterator<Item = &'a String>) -> bool {
        self.folder == folder && modules.into_iter().all(|module| self.modules.contains(&&**module))
    }
}

impl Graph {
    /// Builds the graph of these sources of a crate.
    fn of(name: &str, sources: &BTreeMap<ModulePath, String>) -> Self {
        let modules: Modules =
            sources.iter().map(|(path, text)| (path.clone(), Module::parse(path, text, sources))).collect();
        let mut edges = BTreeMap::new();
        for (from, module) in &modules {
            for (path, line) in &module.paths {
                let to = definer(path, &modules, &mut Vec::new());
                let common = from.iter().zip(to).take_while(|(a, b)| a == b).count();
                // A folder's name alone says nothing about what it is needed for; the paths through it do.
                if from != to && *path != from[..common] {
                    let child = |path: &[String]| path.get(common).map_or(OWN, |part| part).to_owned();
                    let folder = format!("{name}:{}", from[..common].join("/"));
                    let edge = Edge { folder, from: child(from), to: child(to) };
                    edges.entry(edge).or_insert_with(|| format!("{}:{line}", from.join("/")));
                }
            }
        }
        Self { edges }
    }

    fn names(&self) -> Vec<String> {
        self.edges.keys().map(|edge| format!("{} -> {}", edge.from, edge.to)).collect()
    }

    /// Returns the edges that lead from a layer of the crate to itself or to a higher one, or to the root.
    fn upwards(&self, layers: &[&str]) -> Vec<String> {
        let height = |module: &str| layers.iter().position(|layer| *layer == module).unwrap_or(layers.len());
        let wrong = self.edges.iter().filter(|(edge, _)| {
            edge.folder.ends_with(':') && edge.from != OWN && height(&edge.to) >= height(&edge.from)
        });
        wrong.map(|(edge, place)| format!("{} -> {} ({place})", edge.from, edge.to)).collect()
    }

    /// Returns the circles in all folders, as paths such as `a -> b -> a` with the place of each step: one for each
    /// module that is in any, without the exceptions.
    fn circles(&self, exceptions: &[Exception]) -> Vec<String> {
        let mut found = Vec::new();
        let mut in_one = BTreeSet::new();
        for Edge { folder, from, .. } in self.edges.keys() {
            if !in_one.contains(&(folder, from))
                && let Some(circle) = self.circle_from(folder, from)
                && !exceptions.iter().any(|exception| exception.has(folder, circle.iter().copied()))
            {
                let places = circle.windows(2).map(|step| {
                    let [from, to] = [step[0].clone(), step[1].clone()];
                    &*self.edges[&Edge { folder: folder.clone(), from, to }]
                });
                let places = places.collect::<Vec<_>>().join(", ");
                let modules = circle.iter().map(|part| &***part).collect::<Vec<_>>().join(" -> ");
                found.push(format!("{folder}/ {modules} ({places})"));
                in_one.extend(circle.into_iter().map(|part| (folder, part)));
            }
        }
        found
    }

    /// Returns a shortest path within a folder from a module back to it.
    fn circle_from(&self, folder: &str, start: &str) -> Option<Vec<&String>> {
        let within = || self.edges.keys().filter(|edge| edge.folder == folder);
        let mut paths: Vec<Vec<&String>> = vec![vec![within().map(|edge| &edge.from).find(|from| *from == start)?]];
        let mut seen = BTreeSet::new();
        while !paths.is_empty() {
            let mut longer = Vec::new();
            for path in paths {
                let last = path[path.len() - 1];
                for edge in within().filter(|edge| edge.from == *last) {
                    let path: Vec<&String> = path.iter().copied().chain([&edge.to]).collect();
                    if edge.to == start {
                        return Some(path);
                    }
                    if seen.insert(&edge.to) {
                        longer.push(path);
                    }
                }
            }
            paths = longer;
        }
        None
    }
}

/// Paths from the root of the crate that a module mentions.
#[derive(Debug, Default)]
struct Module {
    /// Paths that the module needs itself, with their lines.
    paths: Vec<(ModulePath, usize)>,
    /// Paths that it gives a name to.
    names: BTreeMap<String, ModulePath>,
}

impl Module {
    fn parse(path: &ModulePath, text: &str, sources: &BTreeMap<ModulePath, String>) -> Self {
        let (mut module, tokens) = (Self::default(), tokens(text));
        let text = |at: usize| tokens.get(at).map_or("", |token| &*token.text);
        // Depth of braces at which each module inside the file begins.
        let (mut depth, mut inner) = (0_usize, Vec::new());
        let (mut passed_on, mut spoken) = (Vec::new(), BTreeSet::new());
        let mut at = 0;
        while at < tokens.len() {
            let Token { text: word, line } = &tokens[at];
            let is_first = at == 0 || !["::", "."].contains(&text(at - 1));
            let is_visibility = at > 1 && text(at - 1) == "in" && text(at - 2) == "(";
            let mut length = 1;
            if word == "{" {
                depth += 1;
                if at > 1 && text(at - 2) == "mod" {
                    inner.push(depth);
                }
            } else if word == "}" {
                inner.retain(|begin| *begin != depth);
                depth = depth.saturating_sub(1);
            } else if word == "use" || is_first && !is_visibility && text(at + 1) == "::" {
                let is_use = word == "use";
                let is_public = is_use && at > 0 && (text(at - 1) == "pub" || text(at - 1) == ")");
                let (paths, taken) = use_tree(&tokens[at + usize::from(is_use)..]);
                for used in paths {
                    let Some(full) = module.full_path(path, inner.len(), &used.parts, sources) else { continue };
                    if inner.is_empty() && is_use {
                        module.names.insert(used.name.clone(), full.clone());
                    }
                    if is_public && full.starts_with(path) {
                        passed_on.push((used.name, full, *line));
                    } else {
                        module.paths.push((full, *line));
                    }
                }
                spoken.insert(word.clone());
                length = if is_use { taken + 1 } else { 1 };
            } else if is_first && (at == 0 || !["mod", "fn"].contains(&text(at - 1))) {
                spoken.insert(word.clone());
            }
            at += length;
        }
        let needed = passed_on.into_iter().filter(|(name, ..)| spoken.contains(name));
        module.paths.extend(needed.map(|(_, full, line)| (full, line)));
        module
    }

    /// Returns a path of a source from the root of the crate, if it leaves the file; `inner` is how many modules
    /// inside the file it stands in.
    fn full_path(
        &self,
        module: &ModulePath,
        inner: usize,
        parts: &[String],
        sources: &BTreeMap<ModulePath, String>,
    ) -> Option<ModulePath> {
        let ups = parts.iter().take_while(|part| *part == "super").count();
        let (base, rest) = match &*parts[0] {
            "crate" => (Vec::new(), &parts[1..]),
            "super" if ups >= inner => (module[..module.len().checked_sub(ups - inner)?].to_vec(), &parts[ups..]),
            "self" if inner == 0 => (module.clone(), &parts[1..]),
            _ if inner == 0 && sources.contains_key(&[module, &parts[..1]].concat()) => (module.clone(), parts),
            first => (self.names.get(first)?.clone(), &parts[1..]),
        };
        Some([&base, rest].concat())
    }
}

/// Returns the module in which the last part of a path is defined, or which it is. `seen` are the paths on the way to
/// this one.
fn definer<'a>(path: &[String], modules: &'a Modules, seen: &mut Vec<ModulePath>) -> &'a ModulePath {
    let known = (0..=path.len()).rev().find_map(|length| modules.get_key_value(&path[..length]));
    let (found, module) = known.expect("a crate has a root");
    let passed_on = path.get(found.len()).and_then(|name| module.names.get(name));
    match passed_on {
        Some(full) if !seen.contains(full) => {
            seen.push(full.clone());
            definer(&[full, &path[found.len() + 1..]].concat(), modules, seen)
        }
        _ => found,
    }
}

/// Returns the sources of a crate's library by the paths of their modules.
fn sources_of(name: &str) -> BTreeMap<ModulePath, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(name).join("src");
    let (mut sources, mut folders) = (BTreeMap::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let file = path.strip_prefix(&root).unwrap().to_str().unwrap();
                if file != "main.rs" {
                    sources.insert(module_path(file), fs::read_to_string(&path).unwrap());
                }
            }
        }
    }
    sources
}

/// Returns the path of the module that a file below `src/` is; of `lib.rs`, that of the root.
fn module_path(file: &str) -> ModulePath {
    let parts = file.trim_end_matches(".rs").split('/').filter(|part| *part != "mod" && file != "lib.rs");
    parts.map(str::to_owned).collect()
}
