//! Options of a system that a user may set, and the settings of its nodes that follow from them: plain data, which only
//! the system understands.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// Option of a system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OptionDescription {
    pub(crate) name: &'static str,
    /// Possible values, in words.
    pub(crate) values: &'static str,
    pub(crate) accepts: fn(&str) -> bool,
}

impl OptionDescription {
    /// Checks a value.
    ///
    /// # Errors
    /// Fails with the values that are possible.
    pub(crate) fn check(&self, value: &str) -> Result<(), String> {
        let Self { name, values, accepts } = self;
        if accepts(value) { Ok(()) } else { Err(format!("`{name}` is {values}, not {value:?}")) }
    }
}

/// Options that a user has set, each by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Options(BTreeMap<String, String>);

impl Options {
    /// Returns these options and one more, if it has a value.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: Option<&str>) -> Self {
        self.0.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        self
    }

    /// Replaces those of these options that others set, too, and returns whether there are any.
    pub(crate) fn replace(&mut self, with: &Self) -> bool {
        self.0.extend(with.0.clone());
        !with.is_empty()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Returns the arguments of `schism run` that set these options.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = String> {
        self.0.iter().flat_map(|(name, value)| [format!("--{name}"), value.clone()])
    }
}

/// Settings of the nodes of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Settings(Map<String, Value>);

impl Settings {
    /// Returns settings with the fields of `content`.
    pub(crate) fn of(content: &impl Serialize) -> Self {
        match serde_json::to_value(content) {
            Ok(Value::Object(fields)) => Self(fields),
            other => unreachable!("settings are a struct of plain fields, not {other:?}"),
        }
    }

    /// Reads the settings as those of a system.
    ///
    /// # Errors
    /// Fails if a field is missing or has another type.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_value(Value::Object(self.0.clone())).map_err(|error| format!("`settings`: {error}"))
    }
}
