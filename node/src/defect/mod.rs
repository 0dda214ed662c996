//! Planted defects: rules that a node breaks on purpose, to learn whether a test of the whole finds it.
//!
//! `table` lists them, and `loads` what should show each. Each breaks one rule, and the one function that holds this
//! rule asks for it. A node has one defect at most and none by default, says so in its log and its status, and goes on
//! where a sound one would stop.

mod description;
mod loads;
mod table;

use std::{fmt, str::FromStr};

pub use self::{
    description::{DefectDescription, Load, Sign},
    table::Defect,
};

impl Defect {
    /// Returns the name of the defect, in kebab case.
    pub fn name(self) -> &'static str {
        self.description().name
    }

    /// Returns the load under which the defect should show.
    pub fn load(self) -> &'static Load {
        &loads::LOADS[self as usize].1
    }

    /// Returns true if `broken` happens with this defect and not without any: a test of the rule that it breaks.
    pub fn is_shown_by(self, broken: impl Fn(Option<Self>) -> bool) -> bool {
        broken(Some(self)) && !broken(None)
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Name of a defect that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no defect {0:?}; `schism defects` lists them")]
pub struct UnknownDefect(String);

impl FromStr for Defect {
    type Err = UnknownDefect;

    fn from_str(name: &str) -> Result<Self, UnknownDefect> {
        Self::ALL.iter().copied().find(|known| known.name() == name).ok_or_else(|| UnknownDefect(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        fs,
        path::{Path, PathBuf},
    };

    use super::*;

    #[test]
    fn each_defect_is_found_by_its_own_name() {
        let names: BTreeSet<_> = Defect::ALL.iter().map(|defect| defect.name()).collect();
        assert_eq!(names.len(), Defect::ALL.len());
        for defect in Defect::ALL {
            let name = defect.name();
            assert_eq!(name.parse(), Ok(*defect));
            let variant: String = name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
            assert_eq!(variant, format!("{defect:?}"));
        }
        let unknown = "votes-thrice".parse::<Defect>().unwrap_err().to_string();
        assert_eq!(unknown, "there is no defect \"votes-thrice\"; `schism defects` lists them");
    }

    /// Returns the Rust sources below a folder.
    fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries
            .flat_map(|path| {
                if path.is_dir() { sources(&path) } else { vec![(path.clone(), fs::read_to_string(path).unwrap())] }
            })
            .collect()
    }

    #[test]
    fn each_defect_is_planted_once_at_least_and_shown_by_a_test() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let all: Vec<(PathBuf, String)> =
            ["src", "tests"].iter().flat_map(|folder| sources(&root.join(folder))).collect();
        let is_test = |path: &Path| path.to_string_lossy().contains("/tests") || path.ends_with("pending.rs");
        for defect in Defect::ALL {
            let name = format!("Defect::{defect:?}");
            let has_name = |text: &str| {
                text.match_indices(&name).any(|(at, _)| !text[at + name.len()..].starts_with(char::is_alphanumeric))
            };
            let found = |in_tests| {
                let files = all.iter().filter(|(path, _)| is_test(path) == in_tests || path.ends_with("pending.rs"));
                files.map(|(_, text)| text).any(|text| has_name(text))
            };
            assert!(found(false), "{defect:?} is not planted");
            assert!(found(true), "{defect:?} has no test");
        }
    }

    #[test]
    fn each_defect_has_the_load_that_is_given_for_it() {
        assert!(Defect::ALL.iter().eq(loads::LOADS.iter().map(|(defect, _)| defect)));
        let with_clients = Defect::KeepsLogBehindSnapshot.load();
        assert_eq!(with_clients.simulated_options().matches("--concurrency ").count(), 1);
        assert!(Defect::VotesTwice.load().options().starts_with("--concurrency 8 "));
    }

    #[test]
    fn each_defect_is_told_in_whole_sentences_with_its_source() {
        for defect in Defect::ALL {
            let (description, load) = (defect.description(), defect.load());
            let about = description.about();
            assert!(about.ends_with('.') && about.starts_with(char::is_uppercase), "{description:?}");
            assert!(!description.source.is_empty() && load.options().contains("--faults "), "{description:?}");
        }
    }
}
