//! Values that are lists of rows, as a table has them whose rows are numbered by who inserts them: each row has a value
//! that is one more than that of the row before, and the log index of its insertion. An absent key counts as an empty
//! list.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Json, Refusal, list};
use crate::raft::LogIndex;

/// Row of a list. The order of its fields is that of canonical JSON.
#[derive(Serialize, Deserialize)]
struct Row {
    /// Log index of the insertion.
    sts: u64,
    /// Number of the row, from 1 on.
    val: i64,
}

/// Returns the list with one more row, and this row, which is inserted by the entry at `at`.
///
/// # Errors
/// Refuses a value that is no list of rows, a list that would become too long, and a number beyond 64 bits.
pub(super) fn insert(rows: Option<&Json>, at: LogIndex) -> Result<(Json, Json), Refusal> {
    let all: Vec<&RawValue> = serde_json::from_str(list::text(rows)?).map_err(|_| Refusal::NotRows)?;
    let last: Option<Row> =
        all.last().map(|row| serde_json::from_str(row.get())).transpose().map_err(|_| Refusal::NotRows)?;
    let val = last.map_or(0, |row| row.val).checked_add(1).ok_or(Refusal::SumTooLarge)?;
    let row = Json(serde_json::to_string(&Row { sts: at.0, val }).expect("a row is plain data"));
    Ok((list::push(rows, &row)?, row))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_has_the_next_number_and_the_index_of_its_entry() {
        let json = |value| Json::new(&value).unwrap();
        let (rows, first) = insert(None, LogIndex(7)).unwrap();
        assert_eq!(first, json(json!({"val": 1, "sts": 7})));
        let (rows, second) = insert(Some(&rows), LogIndex(9)).unwrap();
        assert_eq!(second, json(json!({"val": 2, "sts": 9})));
        assert_eq!(rows, json(json!([{"val": 1, "sts": 7}, {"val": 2, "sts": 9}])));
    }

    #[test]
    fn what_has_no_rows_is_refused() {
        for (value, why) in [
            (json!(5), Refusal::NotAList),
            (json!([5]), Refusal::NotRows),
            (json!([{"val": i64::MAX, "sts": 1}]), Refusal::SumTooLarge),
        ] {
            assert_eq!(insert(Json::new(&value).as_ref(), LogIndex(1)), Err(why), "{value}");
        }
    }
}
