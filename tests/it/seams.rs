//! Test of the seam between a system under test and what carries out, judges and shows its runs: those layers name no
//! particular system.

use std::{fs, path::Path};

use crate::syntax::{Token, tokens, use_tree};

/// Layers that work with any system.
const NEUTRAL: [&str; 5] = ["run", "campaign", "compare", "render", "report"];
/// Texts that only our own system knows: its read modes, as string literals, and the paths of its API.
const ITS_OWN: [&str; 6] = [r#""local""#, r#""leader""#, r#""lease""#, r#""quorum""#, r#""log""#, "/v1/"];

#[test]
fn what_runs_judges_and_shows_systems_names_none_of_them() {
    let mut found = String::new();
    for layer in NEUTRAL {
        read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(layer), &mut found);
    }
    assert!(found.is_empty(), "only src/systems/schism knows this:\n{found}");
}

#[test]
fn each_way_to_name_a_system_is_found() {
    for line in [
        "use crate::systems::schism::ReadMode;",
        "use crate::{\n    store,\n    systems::{System, schism::Settings},\n};",
        "fn f() { super::super::systems::schism::Schism }",
        "use node::{Content, TraceLine};",
        "fn f(id: node::raft::NodeId) {}",
        "const DEFAULT: &str = \"quorum\";",
        "let url = format!(\"http://{address}/v1/kv\");",
    ] {
        assert_eq!(names(line).len(), 1, "{line}: {:?}", names(line));
    }
    for line in [
        "// as in systems::schism, \"quorum\"",
        "use crate::systems::{System, system};",
        "fn f(node: u16) -> String { format!(\"quorum {node}\") }",
        "#[cfg(test)]\nmod tests {\n    use crate::systems::schism::Schism;\n}",
    ] {
        assert_eq!(names(line), Vec::<String>::new(), "{line}");
    }
}

fn read(dir: &Path, found: &mut String) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            for name in names(&fs::read_to_string(&path).unwrap()) {
                *found += &format!("{}: {name}\n", path.display());
            }
        }
    }
}

/// Returns the places at which a source, without its tests, names our own system.
fn names(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let mut found = Vec::new();
    for (line, text) in (1..).zip(code.lines()).filter(|(_, text)| !text.trim_start().starts_with("//")) {
        let known = ITS_OWN.iter().filter(|own| text.contains(**own));
        found.extend(known.map(|own| format!("line {line}: {own}")));
    }
    let all = tokens(code);
    let text = |at: usize| all.get(at).map_or("", |token: &Token| &*token.text);
    for (at, token) in all.iter().enumerate() {
        let is_first = at == 0 || text(at - 1) != "::";
        if !is_first || text(at + 1) != "::" {
            continue;
        }
        let names_it = match &*token.text {
            "crate" | "super" => {
                let paths = use_tree(&all[at..]).0;
                paths.iter().any(|path| path.parts.windows(2).any(|pair| pair[0] == "systems" && pair[1] == "schism"))
            }
            "systems" => text(at + 2) == "schism",
            "node" => true,
            _ => false,
        };
        if names_it {
            found.push(format!("line {}: a path that begins with {}", token.line, token.text));
        }
    }
    found
}
