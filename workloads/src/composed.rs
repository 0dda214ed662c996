//! Operations that our node carries out as a transaction of several micro-operations: transfers between accounts,
//! ids, logs, rows of tables, and writes of what a lock guards.

use histories::Value;

use crate::{Action, Answer, Request, answers::with_value, bank};

/// Micro-operation of the API: name, key, and argument.
pub(crate) type Micro = (&'static str, String, Option<i64>);

/// Returns the micro-operations for an action that is composed of some.
pub(crate) fn micro_operations(request: &Request) -> Option<Vec<Micro>> {
    let key = || request.key_name().unwrap_or_default();
    let part = |name: &dyn std::fmt::Display| format!("{}.{name}", key());
    Some(match request.action {
        Action::Generate => vec![("add", key(), Some(1)), ("r", key(), None)],
        // A log is a list, in which the last element is what was just sent.
        Action::Send(value) => vec![("append", key(), Some(value)), ("r", key(), None)],
        Action::Poll(_) | Action::Rows => vec![("r", key(), None)],
        Action::Insert => vec![("insert", key(), None)],
        // The node keeps what an account has beyond its beginning.
        Action::Balances => (0..bank::ACCOUNTS).map(|number| ("r", part(&number), None)).collect(),
        Action::Transfer { from, to, amount } => vec![
            ("add", part(&from), Some(-amount)),
            ("at-least", part(&from), Some(-bank::BEGINNING)),
            ("add", part(&to), Some(amount)),
        ],
        // The node compares with numbers from below: it keeps the largest token so far as a negative number.
        Action::GuardedWrite { token, value } => vec![
            ("at-least", part(&"token"), Some(-token)),
            ("w", part(&"token"), Some(-token)),
            ("w", part(&"guarded"), Some(value)),
        ],
        _ => return None,
    })
}

/// Returns the answer to a composed action, from the micro-operations with what they found.
pub(crate) fn answer(request: &Request, done: &[(String, String, Value)]) -> Result<Answer, &'static str> {
    let asked = micro_operations(request).unwrap_or_default();
    let is_asked = |(done, asked): (&(String, String, Value), &Micro)| (&*done.0, &done.1) == (asked.0, &asked.1);
    if done.len() != asked.len() || !done.iter().zip(&asked).all(is_asked) {
        return Err("its micro-operations are not those that were asked for");
    }
    if let Action::Send(_) | Action::Poll(_) = request.action {
        return of_log(&request.action, done.last().map(|(_, _, log)| log));
    }
    if let (Action::Insert | Action::Rows, [(_, _, found)]) = (&request.action, done) {
        return with_value(&request.action, found.clone());
    }
    let found: Option<Vec<i64>> = (done.iter().filter(|(name, ..)| name == "r"))
        .map(|(_, _, value)| match value {
            Value::Nil => Some(0),
            Value::Int(number) => Some(*number),
            _ => None,
        })
        .collect();
    match (&request.action, found.as_deref()) {
        (_, None) => Err("it found something else than numbers"),
        (Action::Generate, Some([number])) => Ok(Answer::Value((*number).into())),
        (Action::Balances, Some(found)) => {
            Ok(Answer::Value(Value::List(found.iter().map(|beyond| (bank::BEGINNING + beyond).into()).collect())))
        }
        _ => Ok(Answer::Done),
    }
}

/// Returns the answer to an action on a log, which has these values.
fn of_log(action: &Action, log: Option<&Value>) -> Result<Answer, &'static str> {
    let values = match log {
        Some(Value::List(values)) => &values[..],
        Some(Value::Nil) => &[],
        _ => return Err("what it found is no list"),
    };
    let offsets = (0..).map(Value::Int);
    match (action, values.last()) {
        (Action::Poll(from), _) => {
            let pairs = offsets.zip(values).map(|(offset, value)| Value::List(vec![offset, value.clone()]));
            Ok(Answer::Value(Value::List(pairs.skip(usize::try_from(*from).unwrap_or_default()).collect())))
        }
        (Action::Send(sent), Some(Value::Int(last))) if sent == last => {
            Ok(Answer::Value(offsets.zip(values).last().map(|(offset, _)| offset).unwrap_or_default()))
        }
        _ => Err("what was sent is not at the end of the log"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(request: &Request, found: &[Value]) -> Vec<(String, String, Value)> {
        let mut found = found.iter().cloned();
        let asked = micro_operations(request).unwrap().into_iter();
        asked
            .map(|(name, key, number)| {
                let value = number.map_or_else(|| found.next().unwrap_or_default(), Value::from);
                (name.to_owned(), key, value)
            })
            .collect()
    }

    #[test]
    fn a_balance_is_what_an_account_has_beyond_its_beginning() {
        let balances = Request::new(3, Action::Balances);
        let found = [Value::Int(-10), Value::Nil, Value::Int(10)];
        let expected = [0, 10, 20, 10, 10, 10, 10, 10].map(Value::Int).to_vec();
        assert_eq!(answer(&balances, &done(&balances, &found)), Ok(Answer::Value(Value::List(expected))));
        let transfer = Request::new(3, Action::Transfer { from: 0, to: 2, amount: 4 });
        let asked = [("add", "k3.0", -4), ("at-least", "k3.0", -10), ("add", "k3.2", 4)];
        let asked = asked.map(|(name, key, number)| (name, key.to_owned(), Some(number)));
        assert_eq!(micro_operations(&transfer), Some(asked.to_vec()));
        assert_eq!(answer(&transfer, &done(&transfer, &[])), Ok(Answer::Done));
    }

    #[test]
    fn what_a_lock_guards_is_set_if_no_larger_token_was_there() {
        let write = Request::new(3, Action::GuardedWrite { token: 7, value: 5 });
        let asked = [("at-least", "k3.token", -7), ("w", "k3.token", -7), ("w", "k3.guarded", 5)];
        let asked = asked.map(|(name, key, number)| (name, key.to_owned(), Some(number)));
        assert_eq!(micro_operations(&write), Some(asked.to_vec()));
        assert_eq!(answer(&write, &done(&write, &[])), Ok(Answer::Done));
    }

    #[test]
    fn an_offset_is_a_place_in_a_list() {
        let list = |values: &[i64]| Value::List(values.iter().copied().map(Value::Int).collect());
        let send = Request::new(3, Action::Send(7));
        assert_eq!(answer(&send, &done(&send, &[list(&[5, 6, 7])])), Ok(Answer::Value(2.into())));
        assert!(answer(&send, &done(&send, &[list(&[7, 6])])).is_err());
        let poll = Request::new(3, Action::Poll(1));
        let pairs = Value::List(vec![list(&[1, 6]), list(&[2, 7])]);
        assert_eq!(answer(&poll, &done(&poll, &[list(&[5, 6, 7])])), Ok(Answer::Value(pairs)));
        assert_eq!(answer(&poll, &done(&poll, &[Value::Nil])), Ok(Answer::Value(list(&[]))));
        assert!(answer(&poll, &done(&poll, &[7.into()])).is_err());
    }

    #[test]
    fn a_row_has_a_value_and_a_timestamp() {
        let row = Value::Map([("sts", 9.into()), ("val", 1.into())].into_iter().collect());
        let [insert, rows] = [Action::Insert, Action::Rows].map(|action| Request::new(3, action));
        let found = |request: &Request, found: Value| {
            let [(name, key, None)] = &micro_operations(request).unwrap()[..] else { panic!("{request:?}") };
            answer(request, &[((*name).to_owned(), key.clone(), found)])
        };
        assert_eq!(found(&insert, row.clone()), Ok(Answer::Value(row.clone())));
        assert_eq!(found(&rows, Value::List(vec![row.clone()])), Ok(Answer::Value(Value::List(vec![row.clone()]))));
        assert_eq!(found(&rows, Value::Nil), Ok(Answer::Value(Value::List(vec![]))));
        assert!(found(&insert, 7.into()).is_err() && found(&rows, row).is_err());
    }

    #[test]
    fn an_answer_to_something_else_is_none() {
        let [generate, read] = [Request::new(3, Action::Generate), Request::new(3, Action::Balances)];
        assert_eq!(answer(&generate, &done(&generate, &[7.into()])), Ok(Answer::Value(7.into())));
        assert!(answer(&generate, &done(&read, &[])).is_err());
        assert!(answer(&generate, &done(&Request::new(4, Action::Generate), &[7.into()])).is_err());
        assert!(answer(&generate, &done(&generate, &["7".into()])).is_err());
        assert_eq!(micro_operations(&Request::new(3, Action::Read)), None);
    }
}
