//! Second reader of values, as small and as different from the first as possible: it maps all equal values to one text.
//!
//! Numbers must fit a window of 400 digits on either side of the point, written out in full; points in time are only
//! compared as text.

/// Number of digits on each side of the point.
const WINDOW: usize = 400;

/// Returns the class of a value in JSON.
pub(crate) fn json(text: &str) -> String {
    let mut chars: Vec<char> = text.chars().rev().collect();
    let class = json_value(&mut chars);
    skip(&mut chars, " \n\t\r");
    assert!(chars.is_empty(), "{text} is one value");
    class
}

/// Returns the class of a value in EDN.
pub(crate) fn edn(text: &str) -> String {
    let mut chars: Vec<char> = text.chars().rev().collect();
    let class = edn_value(&mut chars).expect("there is a value");
    skip(&mut chars, " ,\n");
    assert!(chars.is_empty(), "{text} is one value");
    class
}

fn skip(chars: &mut Vec<char>, blanks: &str) {
    while chars.last().is_some_and(|c| blanks.contains(*c)) {
        chars.pop();
    }
}

fn word(chars: &mut Vec<char>, ends: &str) -> String {
    let mut word = String::new();
    while let Some(c) = chars.pop_if(|c| !ends.contains(*c)) {
        word.push(c);
    }
    word
}

fn json_value(chars: &mut Vec<char>) -> String {
    skip(chars, " \n\t\r");
    match chars.last() {
        Some('"') => format!("text {:?}", string(chars)),
        Some('[') => format!("list {:?}", json_items(chars, ']')),
        Some('{') => {
            let mut items = json_items(chars, '}');
            items.sort();
            format!("map {items:?}")
        }
        _ => match &*word(chars, " \n\t\r,]}:") {
            name @ ("null" | "true" | "false") => name.to_owned(),
            number => format!("number {}", written_out(number)),
        },
    }
}

fn json_items(chars: &mut Vec<char>, end: char) -> Vec<String> {
    chars.pop();
    let mut items = Vec::new();
    loop {
        skip(chars, " \n\t\r,");
        if chars.pop_if(|c| *c == end).is_some() {
            return items;
        }
        let mut item = json_value(chars);
        skip(chars, " \n\t\r");
        if chars.pop_if(|c| *c == ':').is_some() {
            item = format!("{item} -> {}", json_value(chars));
        }
        items.push(item);
    }
}

/// Reads text in quotes, with the escapes of both formats.
fn string(chars: &mut Vec<char>) -> String {
    chars.pop();
    let mut units: Vec<u16> = Vec::new();
    loop {
        let mut next = || chars.pop().expect("the text ends");
        let c = match next() {
            '"' => return String::from_utf16(&units).expect("surrogates come in pairs"),
            '\\' => match next() {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'u' => {
                    let digits: String = (0..4).map(|_| next()).collect();
                    units.push(u16::from_str_radix(&digits, 16).expect("four digits"));
                    continue;
                }
                other => other,
            },
            other => other,
        };
        units.extend(c.encode_utf16(&mut [0; 2]).iter());
    }
}

/// Writes a decimal number out in full.
fn written_out(text: &str) -> String {
    let text = text.to_lowercase();
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i64 = exponent.parse().expect("a whole exponent");
    let sign = if mantissa.starts_with('-') { "-" } else { "" };
    let mantissa = mantissa.trim_start_matches(['-', '+']);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    // Position of the last digit, counted from the end of the window.
    let place = i64::try_from(WINDOW - fraction.len()).expect("it is short") + exponent;
    let zeros = "0".repeat(usize::try_from(place).expect("it is within the window"));
    let all = format!("{digits}{zeros}");
    let all = all.trim_start_matches('0');
    assert!(all.len() <= 2 * WINDOW, "{text} is within the window");
    if all.is_empty() { "0".to_owned() } else { format!("{sign}{all}") }
}

fn edn_value(chars: &mut Vec<char>) -> Option<String> {
    const ENDS: &str = " ,\n\"()[]{};";
    skip(chars, " ,\n");
    let next = *chars.last()?;
    Some(match next {
        '"' => format!("text {:?}", string(chars)),
        '[' => format!("list {:?}", edn_items(chars, ']')),
        '(' => format!("list {:?}", edn_items(chars, ')')),
        '{' => format!("map {:?}", pairs(&edn_items(chars, '}'))),
        ')' | ']' | '}' => return None,
        '\\' => {
            chars.pop();
            let first = chars.pop()?;
            let rest = word(chars, ENDS);
            let c = match &*format!("{first}{rest}") {
                "newline" => '\n',
                "space" => ' ',
                "tab" => '\t',
                name if rest.len() == 4 && first == 'u' => {
                    char::from_u32(u32::from_str_radix(&name[1..], 16).expect("four digits")).expect("a character")
                }
                _ => first,
            };
            format!("char {c:?}")
        }
        '#' => {
            chars.pop();
            match chars.last()? {
                '{' => {
                    let mut items = edn_items(chars, '}');
                    items.sort();
                    format!("set {items:?}")
                }
                '#' => format!("special {}", word(chars, ENDS)),
                ':' => {
                    let namespace = word(chars, ENDS);
                    skip(chars, " ,\n");
                    let items = edn_items(chars, '}').into_iter().enumerate();
                    let full = |(place, item): (usize, String)| match item.strip_prefix("keyword :") {
                        Some(name) if place % 2 == 0 && !name.contains('/') => format!("keyword {namespace}/{name}"),
                        Some(name) if place % 2 == 0 => format!("keyword :{}", name.trim_start_matches("_/")),
                        _ => item,
                    };
                    format!("map {:?}", pairs(&items.map(full).collect::<Vec<_>>()))
                }
                '_' => {
                    chars.pop();
                    edn_value(chars)?;
                    return edn_value(chars);
                }
                _ => {
                    let tag = word(chars, ENDS);
                    format!("tagged {tag} {}", edn_value(chars)?)
                }
            }
        }
        _ => match &*word(chars, ENDS) {
            name @ ("nil" | "true" | "false") => name.replace("nil", "null"),
            name if name.starts_with(':') => format!("keyword {name}"),
            number if number.trim_start_matches(['-', '+']).starts_with(|c: char| c.is_ascii_digit()) => {
                edn_number(number)
            }
            name => format!("symbol {name}"),
        },
    })
}

fn edn_items(chars: &mut Vec<char>, end: char) -> Vec<String> {
    chars.pop();
    let items = std::iter::from_fn(|| edn_value(chars)).collect();
    assert_eq!(chars.pop(), Some(end));
    items
}

fn pairs(items: &[String]) -> Vec<String> {
    let mut pairs: Vec<String> = items.chunks(2).map(|pair| format!("{} -> {}", pair[0], pair[1])).collect();
    pairs.sort();
    pairs
}

/// Returns the class of a number by the four categories of Clojure: whole, floating, exact, ratio.
fn edn_number(text: &str) -> String {
    let sign = if text.starts_with('-') { "-" } else { "" };
    let unsigned = text.trim_start_matches(['-', '+']);
    if let Some((numerator, denominator)) = unsigned.split_once('/') {
        let [mut a, mut b] = [numerator, denominator].map(|part| part.parse::<u64>().expect("a small ratio"));
        for divisor in (2..=b).rev() {
            while a % divisor == 0 && b % divisor == 0 {
                (a, b) = (a / divisor, b / divisor);
            }
        }
        return if b == 1 { edn_number(&format!("{sign}{a}")) } else { format!("ratio {sign}{a}/{b}") };
    }
    let small = |digits: &str, radix| i128::from_str_radix(digits, radix).expect("a small number").to_string();
    let whole = unsigned.trim_end_matches('N').to_lowercase();
    let whole = match (whole.strip_prefix("0x"), whole.split_once('r')) {
        (Some(digits), _) => small(digits, 16),
        (None, Some((base, digits))) => small(digits, base.parse().expect("a base")),
        (None, None) if whole.len() > 1 && whole.starts_with('0') && whole.bytes().all(|b| b.is_ascii_digit()) => {
            small(&whole, 8)
        }
        (None, None) => whole,
    };
    if whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return format!("number {}", written_out(&format!("{sign}{whole}")));
    }
    let (kind, text) = text.strip_suffix('M').map_or(("floating", text), |text| ("exact", text));
    format!("{kind} {}", written_out(text))
}
