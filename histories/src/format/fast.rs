//! Fast path for lines as our recorder writes them: fixed order of fields, no blanks, no escapes, whole numbers.
//!
//! Anything else is left to the general parser of JSON ([`super::json`]), which alone decides what is wrong with a
//! line: the fast path either returns an event or declines.

use crate::{Event, EventType, Process, TRANSACTION, Value, Values, transactions::Columns};

/// Parses the event on this line, if it is written as [`super::write_event`] writes most of them.
pub(super) fn event(line: &str) -> Option<Event<'_>> {
    let mut cursor = Cursor { text: line, at: 0 };
    let index = cursor.after(r#"{"index":"#)?.natural()?;
    let time = cursor.after(r#","time":"#)?.natural()?;
    let process = cursor.after(r#","process":"#)?.process()?;
    let kind = cursor.after(r#","type":"#)?.kind()?;
    let f = cursor.after(r#","f":"#)?.string()?;
    let mut event = Event { index: Some(index), time, ..Event::new(process, kind, f) };
    if let Some(cursor) = cursor.after(r#","key":"#) {
        event.key = Some(cursor.scalar()?);
    }
    if let Some(cursor) = cursor.after(r#","value":"#) {
        event.value = Some(cursor.value()?);
    }
    if let Some(cursor) = cursor.after(r#","observed":"#) {
        event.observed = Some(cursor.value()?);
    }
    cursor.end(&mut event)?;
    // A key of `null` is no key; that case is left to the general parser.
    (event.key != Some(Value::Nil)).then_some(event)
}

/// Parses the transaction on this line, with its micro-operations in `micros`: as there are many, no [`Value`] is made
/// of them.
pub(super) fn transaction<'a>(line: &'a str, micros: &mut Columns, values: &mut Values) -> Option<Event<'a>> {
    let mut cursor = Cursor { text: line, at: 0 };
    let index = cursor.after(r#"{"index":"#)?.natural()?;
    let time = cursor.after(r#","time":"#)?.natural()?;
    let process = cursor.after(r#","process":"#)?.natural()?;
    let kind = cursor.after(r#","type":"#)?.kind()?;
    cursor.after(r#","f":"txn","value":["#)?;
    while !cursor.take(b']') {
        cursor.micro(micros, values)?;
        let more = cursor.take(b',');
        if more == (cursor.peek() == Some(b']')) {
            return None;
        }
    }
    let mut event = Event { index: Some(index), time, ..Event::new(Process::Client(process), kind, TRANSACTION) };
    cursor.end(&mut event)?;
    Some(event)
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Passes `word`, if it comes next, and returns the cursor.
    fn after(&mut self, word: &str) -> Option<&mut Self> {
        self.rest().starts_with(word).then(|| {
            self.at += word.len();
            self
        })
    }

    /// Parses the fields that may come last in any event.
    fn end(&mut self, event: &mut Event<'a>) -> Option<()> {
        if let Some(cursor) = self.after(r#","node":"#) {
            event.node = Some(u16::try_from(cursor.natural()?).ok()?);
        }
        if let Some(cursor) = self.after(r#","revision":"#) {
            event.revision = Some(cursor.natural()?);
        }
        if let Some(cursor) = self.after(r#","error":"#) {
            event.error = Some(cursor.string()?.into());
        }
        (self.rest() == "}").then_some(())
    }

    /// Parses text in quotes, without escapes and control characters.
    fn string(&mut self) -> Option<&'a str> {
        let start = self.at + 1;
        let rest = self.text.as_bytes().get(start..).filter(|_| self.peek() == Some(b'"'))?;
        let length = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))?;
        self.at = start + length;
        let text = &self.text[start..self.at];
        self.take(b'"').then_some(text)
    }

    /// Parses a whole number of at most 18 digits, so that it fits every integer type here.
    fn natural(&mut self) -> Option<u64> {
        let digits = self.text.as_bytes().get(self.at..)?;
        let length = digits.iter().position(|byte| !byte.is_ascii_digit())?;
        let leading_zero = length > 1 && digits[0] == b'0';
        if length == 0 || length > 18 || leading_zero || matches!(digits[length], b'.' | b'e' | b'E') {
            return None;
        }
        self.at += length;
        Some(digits[..length].iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
    }

    fn process(&mut self) -> Option<Process> {
        if self.peek() == Some(b'"') {
            return self.string().and_then(|name| Process::from_value(name.into()).ok());
        }
        self.natural().map(Process::Client)
    }

    fn kind(&mut self) -> Option<EventType> {
        Some(match self.string()? {
            "invoke" => EventType::Invoke,
            "ok" => EventType::Ok,
            "fail" => EventType::Fail,
            "info" => EventType::Info,
            _ => return None,
        })
    }

    fn scalar(&mut self) -> Option<Value> {
        match self.peek()? {
            b'"' => self.string().map(Value::from),
            b'n' => self.after("null").map(|_| Value::Nil),
            b'0'..=b'9' => self.natural().and_then(|number| i64::try_from(number).ok()).map(Value::Int),
            _ => None,
        }
    }

    /// Parses a micro-operation of a transaction.
    fn micro(&mut self, micros: &mut Columns, values: &mut Values) -> Option<()> {
        let function = self.after("[")?.string()?;
        let key = values.intern(self.after(",")?.scalar()?);
        self.after(",")?;
        match function {
            "append" | "w" => micros.change(function == "append", key, values.intern(self.scalar()?)),
            "r" if self.take(b'[') => {
                let mut broken = false;
                let mut first = true;
                let elements = std::iter::from_fn(|| {
                    let more = !self.take(b']') && (std::mem::take(&mut first) || self.take(b','));
                    let element = more.then(|| self.scalar()).flatten();
                    broken |= more && element.is_none();
                    element.map(|element| values.intern(element))
                });
                micros.read_list(key, elements).ok()?;
                if broken || !self.text[..self.at].ends_with(']') {
                    return None;
                }
            }
            "r" => micros.read(key, values.intern(self.scalar()?)),
            _ => return None,
        }
        self.after("]").map(drop)
    }

    /// Parses a scalar, or a pair of scalars.
    fn value(&mut self) -> Option<Value> {
        if !self.take(b'[') {
            return self.scalar();
        }
        let from = self.scalar()?;
        let to = self.take(b',').then(|| self.scalar())??;
        self.take(b']').then(|| Value::List(vec![from, to]))
    }
}

#[cfg(test)]
mod tests {
    use super::event;
    use crate::Event;

    const LINES: [&str; 7] = [
        r#"{"index":4,"time":700,"process":13,"type":"fail","f":"cas","key":"k1","value":[1,2],"observed":3,"node":2,"revision":70,"error":"why ü"}"#,
        r#"{"index":5,"time":700,"process":"nemesis","type":"info","f":"kill","value":"n1"}"#,
        r#"{"index":6,"time":801,"process":13,"type":"invoke","f":"read","key":"k1","node":2}"#,
        r#"{"index":7,"time":802,"process":13,"type":"ok","f":"read","key":"k1","value":null}"#,
        r#"{"index":0,"time":0,"process":0,"type":"invoke","f":"write","value":123456789012345678}"#,
        r#"{"index":7,"time":802,"process":13,"type":"ok","f":"read","key":"","value":"1"}"#,
        r#"{"index":8,"time":803,"process":13,"type":"ok","f":"read","key":"k","value":1,"revision":812}"#,
    ];

    #[test]
    fn lines_of_the_recorder_are_taken() {
        for line in LINES {
            assert_eq!(event(line), serde_json::from_str(line).ok(), "{line}");
            assert!(event(line).is_some(), "{line}");
        }
    }

    /// Replaces, removes or repeats one or two bytes of every line: whatever the fast path accepts, serde reads as the
    /// same event.
    #[test]
    fn what_it_takes_is_what_serde_says() {
        let bytes = br#"{}[]",:\ -.e019ntxokf"#;
        let agree = |line: &str| {
            if let Some(event) = event(line) {
                let slow = serde_json::from_str::<Event<'_>>(line);
                assert_eq!(slow.ok().as_ref(), Some(&event), "{line}");
                return true;
            }
            false
        };
        let mut taken = 0;
        for line in LINES {
            for at in 0..line.len() {
                for until in at..(at + 12).min(line.len() + 1) {
                    let (Some(before), Some(after)) = (line.get(..at), line.get(until..)) else { continue };
                    taken += u32::from(agree(&format!("{before}{after}")));
                    taken += u32::from(agree(&format!("{before}{}{}{after}", &line[at..until], &line[at..until])));
                    for byte in bytes {
                        taken += u32::from(agree(&format!("{before}{}{after}", char::from(*byte))));
                    }
                }
            }
            for at in 0..line.len() {
                for other in LINES.iter().filter_map(|other| other.get(at..)) {
                    taken += u32::from(line.get(..at).is_some_and(|before| agree(&format!("{before}{other}"))));
                }
            }
        }
        assert!(taken > 1000, "{taken}: the test compares nothing");
    }
}
