//! Options of a system that a user may set, and the settings of its nodes that follow from them: plain data, which only
//! the system understands.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::systems;

/// Option of a system, with all its values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OptionDescription {
    pub(crate) name: &'static str,
    pub(crate) values: &'static [&'static str],
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

    /// Reads options from the fields of a plan that are nothing else.
    ///
    /// # Errors
    /// Fails if no system has such an option, or the option has no such value.
    pub(crate) fn from_fields(fields: BTreeMap<String, Value>) -> Result<Self, OptionError> {
        let mut options = Self::default();
        for (name, value) in fields {
            let described: Vec<OptionDescription> = descriptions().filter(|option| option.name == name).collect();
            if described.is_empty() {
                return Err(OptionError::Unknown(name));
            }
            let known: Vec<&str> = described.iter().flat_map(|option| option.values).copied().collect();
            match value.as_str().filter(|value| known.contains(value)) {
                Some(value) => options = options.with(&name, Some(value)),
                None => return Err(OptionError::Value(format!("`{name}` is {}, not {value}", known.join(" or ")))),
            }
        }
        Ok(options)
    }
}

/// Reason why a field is no option.
#[derive(Debug)]
pub(crate) enum OptionError {
    /// No system has an option of this name.
    Unknown(String),
    /// The option has no such value, in words.
    Value(String),
}

/// Iterates over the options of all systems.
pub(crate) fn descriptions() -> impl Iterator<Item = OptionDescription> {
    systems().flat_map(|system| system.options().iter().copied())
}

impl<'de> Deserialize<'de> for Options {
    /// Reads the fields that are options of a system, and leaves out others: options stand among the fields of a file
    /// that a later schism may have written.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut fields = BTreeMap::<String, Value>::deserialize(from)?;
        fields.retain(|name, _| descriptions().any(|option| option.name == name));
        Ok(Self::from_fields(fields).unwrap_or_default())
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
