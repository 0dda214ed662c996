//! Values that are integers of 64 bits, and their changes. An absent key counts as 0.

use super::{Json, Refusal};

/// Returns the sum of the integer and `by`.
///
/// # Errors
/// Refuses a value that is no integer of 64 bits, and a sum that would be none.
pub(super) fn add(value: Option<&Json>, by: i64) -> Result<Json, Refusal> {
    Ok(Json(parse(value)?.checked_add(by).ok_or(Refusal::SumTooLarge)?.to_string()))
}

/// Returns the integer.
///
/// # Errors
/// Refuses a value that is no integer of 64 bits.
pub(super) fn parse(value: Option<&Json>) -> Result<i64, Refusal> {
    value.map_or(Ok(0), |value| value.as_str().parse()).map_err(|_| Refusal::NotAnInteger)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sums_are_canonical_and_absent_is_zero() {
        for (value, by, sum) in
            [(json!(null), 5, 5), (json!(5), -7, -2), (json!(-2), 2, 0), (json!(i64::MAX), 0, i64::MAX)]
        {
            assert_eq!(add(Json::new(&value).as_ref(), by), Ok(Json::new(&json!(sum)).unwrap()));
        }
    }

    #[test]
    fn what_is_no_integer_or_would_be_none_is_refused() {
        for value in [json!("5"), json!(5.0), json!([5]), json!(u64::MAX)] {
            assert_eq!(add(Json::new(&value).as_ref(), 1), Err(Refusal::NotAnInteger), "{value}");
        }
        for (value, by) in [(i64::MAX, 1), (i64::MIN, -1)] {
            assert_eq!(add(Json::new(&json!(value)).as_ref(), by), Err(Refusal::SumTooLarge));
        }
    }
}
