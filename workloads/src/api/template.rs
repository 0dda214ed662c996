//! Texts with placeholders, such as `/keys/{key}` or `{value:base64}`.

use base64::{Engine as _, prelude::BASE64_STANDARD};

/// Text with placeholders. A brace that does not enclose a name is a brace, so that JSON can be written as it is; `{{`
/// stands for one brace where it would enclose a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Placeholder { name: String, is_base64: bool },
}

impl Template {
    /// Parses a text in which these placeholders are allowed, each also as `{name:base64}`.
    ///
    /// # Errors
    /// Names a placeholder that is not allowed, and those that are.
    pub fn parse(text: &str, allowed: &[&str]) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let (mut plain, mut rest) = (String::new(), text);
        while let Some(at) = rest.find('{') {
            plain += &rest[..at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('{').filter(|after| name_in(after).is_some()) {
                plain.push('{');
                rest = after;
                continue;
            }
            let Some(inside) = name_in(rest) else {
                plain.push('{');
                continue;
            };
            rest = &rest[inside.len() + 1..];
            let (name, is_base64) = inside.strip_suffix(":base64").map_or((inside, false), |name| (name, true));
            if !allowed.contains(&name) {
                let known: Vec<String> = allowed.iter().map(|name| format!("{{{name}}}")).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(format!("there is no placeholder {{{inside}}} here; there are: {known}"));
            }
            pieces.extend((!plain.is_empty()).then(|| Piece::Text(std::mem::take(&mut plain))));
            pieces.push(Piece::Placeholder { name: name.to_owned(), is_base64 });
        }
        plain += rest;
        pieces.extend((!plain.is_empty()).then_some(Piece::Text(plain)));
        Ok(Self(pieces))
    }

    /// Returns true if it stands for nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the names of the placeholders in it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Placeholder { name, .. } => Some(&**name),
            Piece::Text(_) => None,
        })
    }

    /// Returns the text with each placeholder replaced by its value.
    pub fn fill(&self, value_of: impl Fn(&str) -> String) -> String {
        let filled = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Placeholder { name, is_base64: false } => value_of(name),
            Piece::Placeholder { name, is_base64: true } => BASE64_STANDARD.encode(value_of(name)),
        });
        filled.collect()
    }
}

/// Returns the name at the beginning of a text that a brace closes: small letters, `_` and `:base64`.
fn name_in(text: &str) -> Option<&str> {
    let name = &text[..text.find('}')?];
    let is_name = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:".contains(c));
    is_name.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::Template;

    fn filled(text: &str) -> Result<String, String> {
        let template = Template::parse(text, &["key", "value"])?;
        Ok(template.fill(|name| if name == "key" { "k0".to_owned() } else { "17".to_owned() }))
    }

    #[test]
    fn placeholders_are_replaced_and_other_braces_stay() {
        for (text, wanted) in [
            ("/kv/{key}", "/kv/k0"),
            (r#"{"key":"{key:base64}","value":{"n":{value}}}"#, r#"{"key":"azA=","value":{"n":17}}"#),
            ("{}", "{}"),
            ("{{key}", "{key}"),
            ("a { b } {", "a { b } {"),
            ("", ""),
        ] {
            assert_eq!(filled(text).as_deref(), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn a_placeholder_that_is_not_allowed_is_named_with_those_that_are() {
        for wrong in ["{kye}", "{key:base32}"] {
            let said = filled(&format!("/kv/{wrong}")).unwrap_err();
            assert_eq!(said, format!("there is no placeholder {wrong} here; there are: {{key}}, {{value}}"));
        }
    }
}
