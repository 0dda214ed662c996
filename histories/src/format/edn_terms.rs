//! What Clojure prints and the EDN parser does not know, in terms that it knows: escapes in text such as `\b` and `\u00e9`, numbers
//! that say that they are large or exact (`1N`, `2.50M`).

use std::borrow::Cow;

/// The same text with the same lines, in terms that the parser knows.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let (mut copied, mut at) = (0, 0);
    let mut put = |upto: usize, instead: &str, next: usize| {
        out.push_str(&text[copied..upto]);
        out.push_str(instead);
        copied = next;
    };
    let bytes = text.as_bytes();
    let mut in_text = false;
    while let Some(&byte) = bytes.get(at) {
        let mut next = at + 1;
        match byte {
            b'\\' if in_text => match escape(&bytes[next..]) {
                Some((c, length)) => {
                    next += length;
                    put(at, &shown(c), next);
                }
                None => next += 1,
            },
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b';' => next = at + bytes[at..].iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len() - at),
            // A single character, such as `\"`.
            b'\\' => next += 1,
            _ if is_of_word(byte) => {
                next = at + bytes[at..].iter().position(|byte| !is_of_word(*byte)).unwrap_or(bytes.len() - at);
                if let [b'+' | b'-', b'0'..=b'9', .., b'N' | b'M'] | [b'0'..=b'9', .., b'N' | b'M'] = bytes[at..next] {
                    put(next - 1, "", next);
                }
            }
            _ => {}
        }
        at = next;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// Whether a byte can be within a number, a keyword or a symbol.
fn is_of_word(byte: u8) -> bool {
    !byte.is_ascii_whitespace() && !b",;\"\\()[]{}".contains(&byte)
}

/// The character of an escape that the parser does not know, and how long it is, given what follows the `\`.
fn escape(rest: &[u8]) -> Option<(char, usize)> {
    let number = |digits: &[u8], radix| u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok();
    match rest.first()? {
        b'b' => Some(('\u{8}', 1)),
        b'f' => Some(('\u{c}', 1)),
        b'u' => Some((char::from_u32(number(rest.get(1..5)?, 16)?)?, 5)),
        b'0'..=b'7' => {
            let length = rest.iter().take(3).take_while(|digit| matches!(digit, b'0'..=b'7')).count();
            Some((char::from_u32(number(&rest[..length], 8)?)?, length))
        }
        _ => None,
    }
}

/// A character within a text.
fn shown(c: char) -> String {
    match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        '\n' => "\\n".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::plain;

    #[test]
    fn escapes_and_numbers_become_plain() {
        for (text, expected) in [
            (r#""a\u00e9b""#, "\"a\u{e9}b\""),
            (r#""\b\f\101\0""#, "\"\u{8}\u{c}A\0\""),
            (r#""\u0022\u005c\u000a""#, r#""\"\\\n""#),
            ("[1N -2N 2.50M +3N, 1/2 :1N aN]", "[1 -2 2.50 +3, 1/2 :1N aN]"),
            (r#"1N "1N \" 2N" 3N"#, r#"1 "1N \" 2N" 3"#),
        ] {
            assert_eq!(plain(text), expected, "{text}");
        }
    }

    #[test]
    fn all_else_stays_as_it_is() {
        for text in [
            r#"{:a "x\n\t\r\"\\", :b \", :c \N} ; 1N "\b"#,
            "; 1N",
            r#""\ud800""#,
            r#""\u12"#,
            r#""\"#,
            "\\",
            r"\é",
            "#{1 2} ##NaN N M -N 0x1f",
        ] {
            assert!(matches!(plain(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }
}
