//! The tests' view of Rust sources: words and signs, and the paths that they form.

/// Path as a source has it, and the name that a `use` gives to it: its last part, if no other.
#[derive(Debug, PartialEq)]
pub(crate) struct UsePath {
    pub(crate) parts: Vec<String>,
    pub(crate) name: String,
}

/// Parses a path, or several in braces, and returns them with the number of tokens that they take.
pub(crate) fn use_tree(tokens: &[Token]) -> (Vec<UsePath>, usize) {
    let text = |at: usize| tokens.get(at).map_or("", |token| &*token.text);
    if text(0) == "{" {
        let (mut all, mut at) = (Vec::new(), 1);
        while at < tokens.len() && text(at) != "}" {
            let (paths, length) = use_tree(&tokens[at..]);
            all.extend(paths);
            at += length;
        }
        return (all, at + 1);
    }
    let part = text(0).to_owned();
    if text(1) == "::" && (text(2) == "{" || text(2) == "*" || is_name(text(2))) {
        let (mut paths, length) = use_tree(&tokens[2..]);
        for path in &mut paths {
            if path.parts == ["self"] {
                path.parts.clear();
                if path.name == "self" {
                    path.name.clone_from(&part);
                }
            }
            path.parts.insert(0, part.clone());
        }
        return (paths, length + 2);
    }
    if text(1) == "as" {
        return (vec![UsePath { parts: vec![part], name: text(2).to_owned() }], 3);
    }
    (if part == "," { Vec::new() } else { vec![UsePath { parts: vec![part.clone()], name: part }] }, 1)
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
