//! The version of the files that schism writes.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// Version of the layout of a file. It grows with every change after which an older schism would misread the file.
///
/// Two versions are always equal, since files that differ in nothing else mean the same.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct SchemaVersion(u32);

/// Version that is written now.
const CURRENT: u32 = 1;

impl SchemaVersion {
    /// Returns the version of a file that names none: those before 1.
    pub(crate) fn unversioned() -> Self {
        Self(0)
    }
}

impl Default for SchemaVersion {
    fn default() -> Self {
        Self(CURRENT)
    }
}

impl PartialEq for SchemaVersion {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Content of a file with the version of its layout.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct VersionedFile<T> {
    #[serde(default = "SchemaVersion::unversioned")]
    schema_version: SchemaVersion,
    #[serde(flatten)]
    pub(crate) content: T,
}

impl<T> VersionedFile<T> {
    /// Returns content to be written now.
    pub(crate) fn new(content: T) -> Self {
        Self { schema_version: SchemaVersion::default(), content }
    }
}

/// Data as printed by `--json`, with the versions of its layout and of schism.
#[derive(Debug, Serialize)]
pub(crate) struct PrintedJson<T> {
    schema_version: SchemaVersion,
    version: &'static str,
    #[serde(flatten)]
    content: T,
}

impl<T> PrintedJson<T> {
    /// Returns data to be printed.
    pub(crate) fn new(content: T) -> Self {
        Self { schema_version: SchemaVersion::default(), version: env!("CARGO_PKG_VERSION"), content }
    }
}

impl<'de> Deserialize<'de> for SchemaVersion {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match u32::deserialize(from)? {
            version @ ..=CURRENT => Ok(Self(version)),
            newer => Err(D::Error::custom(format!(
                "schema version {newer} is of a later schism: this one reads versions up to {CURRENT}; read it with \
                 the one that wrote it, or a later one"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{CURRENT, SchemaVersion, VersionedFile};

    #[test]
    fn a_later_version_is_refused_and_an_older_one_read() {
        assert!(serde_json::from_str::<SchemaVersion>("0").is_ok());
        assert!(serde_json::from_str::<SchemaVersion>(&CURRENT.to_string()).is_ok());
        let error = serde_json::from_str::<SchemaVersion>(&(CURRENT + 1).to_string()).unwrap_err().to_string();
        assert!(error.contains("of a later schism") && error.contains("read it with the one that wrote it"), "{error}");
    }

    #[test]
    fn content_is_read_with_a_version_and_without() {
        type Content = VersionedFile<BTreeMap<String, u64>>;
        let content = Content::new([("n".to_owned(), 5)].into());
        let text = serde_json::to_string(&content).unwrap();
        assert_eq!(text, format!("{{\"schema_version\":{CURRENT},\"n\":5}}"));
        assert_eq!(serde_json::from_str::<Content>(&text).unwrap(), content);
        assert_eq!(serde_json::from_str::<Content>("{\"n\":5}").unwrap(), content);
        let newer = text.replace(&format!(":{CURRENT},"), &format!(":{},", CURRENT + 1));
        assert!(serde_json::from_str::<Content>(&newer).unwrap_err().to_string().contains("of a later schism"));
    }
}
