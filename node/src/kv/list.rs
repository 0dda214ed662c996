//! Values that are JSON lists, and their changes by one element. An absent key counts as an empty list.
//!
//! Lists are changed as text: canonical JSON that begins with `[` is a list, and a part of it is canonical, too.

use serde::Deserialize as _;
use serde_json::{Deserializer, value::RawValue};

use super::{Json, Refusal};

/// Maximum size of a list that grows, in bytes of JSON: an entry or an answer with one stays a fraction of a message.
pub(crate) const MAX_LIST_BYTES: usize = 64 << 10;

const EMPTY: &str = "[]";

/// Returns the list's text.
///
/// # Errors
/// Refuses a value that is no list.
pub(super) fn text(value: Option<&Json>) -> Result<&str, Refusal> {
    let text = value.map_or(EMPTY, Json::as_str);
    if text.starts_with('[') { Ok(text) } else { Err(Refusal::NotAList) }
}

/// Returns the list with `element` at its end.
///
/// # Errors
/// Refuses a value that is no list, and a list that would become too long.
pub(super) fn push(list: Option<&Json>, element: &Json) -> Result<Json, Refusal> {
    let (list, element) = (text(list)?, element.as_str());
    if list.len() + 1 + element.len() > MAX_LIST_BYTES {
        return Err(Refusal::ListFull);
    }
    let front = list.strip_suffix(']').expect("a list ends so");
    let comma = if list == EMPTY { "" } else { "," };
    Ok(Json(format!("{front}{comma}{element}]")))
}

/// Returns true if the list contains `element`.
///
/// # Errors
/// Refuses a value that is no list.
pub(super) fn contains(list: Option<&Json>, element: &Json) -> Result<bool, Refusal> {
    let elements: Vec<&RawValue> = serde_json::from_str(text(list)?).map_err(|_| Refusal::NotAList)?;
    Ok(elements.into_iter().any(|found| found.get() == element.as_str()))
}

/// Returns the first element of the list.
///
/// # Errors
/// Refuses a value that is no list.
pub(super) fn first(list: Option<&Json>) -> Result<Option<Json>, Refusal> {
    let list = text(list)?;
    if list == EMPTY {
        return Ok(None);
    }
    let first = <&RawValue>::deserialize(&mut Deserializer::from_str(&list[1..])).map_err(|_| Refusal::NotAList)?;
    Ok(Some(Json(first.get().to_owned())))
}

/// Returns the first element of the list, with the list of all others.
///
/// # Errors
/// Refuses a value that is no list.
pub(super) fn split_first(list: Option<&Json>) -> Result<Option<(Json, Json)>, Refusal> {
    let Some(first) = first(list)? else { return Ok(None) };
    let others = &text(list)?[1 + first.as_str().len()..];
    let others = Json(format!("[{}", others.strip_prefix(',').unwrap_or(others)));
    Ok(Some((first, others)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn value(value: &Value) -> Option<Json> {
        Json::new(value)
    }

    #[test]
    fn what_goes_in_at_the_end_comes_out_in_front_and_stays_canonical() {
        let elements = [json!(1), json!("a],[\"b"), json!([2, [3]]), json!({"x": [4], "y": ","}), json!(-5.5)];
        let mut list = None;
        for element in &elements {
            list = Some(push(list.as_ref(), &value(element).unwrap()).unwrap());
        }
        assert_eq!(list, value(&json!(elements)), "as if it had been written at once");
        for (at, element) in elements.iter().enumerate() {
            assert_eq!(first(list.as_ref()), Ok(value(element)));
            assert_eq!(contains(list.as_ref(), &value(element).unwrap()), Ok(true));
            let (found, others) = split_first(list.as_ref()).unwrap().unwrap();
            assert_eq!(
                (Some(&found), Some(&others)),
                (value(element).as_ref(), value(&json!(elements[at + 1..])).as_ref())
            );
            list = Some(others);
            assert_eq!(contains(list.as_ref(), &found), Ok(false));
        }
        assert_eq!((first(list.as_ref()), split_first(list.as_ref())), (Ok(None), Ok(None)));
        assert_eq!((first(None), contains(None, &value(&json!(1)).unwrap())), (Ok(None), Ok(false)), "absent is empty");
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for other in [json!(5), json!("[1]"), json!({"a": [1]}), json!(false)] {
            let other = value(&other);
            assert_eq!(push(other.as_ref(), &value(&json!(1)).unwrap()), Err(Refusal::NotAList));
            assert_eq!(first(other.as_ref()), Err(Refusal::NotAList));
            assert_eq!(contains(other.as_ref(), &value(&json!(1)).unwrap()), Err(Refusal::NotAList));
        }
    }

    #[test]
    fn a_list_has_a_limit() {
        let element = value(&json!("x".repeat(1021))).unwrap(); // 1,024 bytes with its quotes and a comma
        let mut list = None;
        for _ in 0..MAX_LIST_BYTES / 1024 - 1 {
            list = Some(push(list.as_ref(), &element).unwrap());
        }
        let list = push(list.as_ref(), &value(&json!("y".repeat(1020))).unwrap()).unwrap();
        assert_eq!(list.as_str().len(), MAX_LIST_BYTES);
        assert_eq!(push(Some(&list), &value(&json!(1)).unwrap()), Err(Refusal::ListFull));
    }
}
