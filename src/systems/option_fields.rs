//! Options among the fields of a file, as all systems together know them.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{
    options::{OptionDescription, Options},
    systems,
};

impl Options {
    /// Reads options from the fields of a plan that are nothing else.
    ///
    /// # Errors
    /// Fails if no system has such an option, or the option has no such value.
    pub(crate) fn from_fields(fields: BTreeMap<String, Value>) -> Result<Self, OptionError> {
        let mut options = Self::default();
        for (name, value) in fields {
            let Some(described) = descriptions().find(|option| option.name == name) else {
                return Err(OptionError::Unknown(name));
            };
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            described.check(&value).map_err(OptionError::Value)?;
            options = options.with(&name, Some(&value));
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
