//! Trial of a file's operations on a single node that nobody disturbs: which are asked for, and what each must answer.

use histories::Value;
use workloads::{Action, Answer, BANK_ACCOUNTS, BANK_BEGINNING, MicroAction, MicroOperation, Request, Response};

use super::FileSystem;

/// Operation of a trial, with the answer that it must get.
#[derive(Clone, Debug)]
pub(crate) struct TrialStep {
    pub(crate) request: Request,
    expected: ExpectedAnswer,
    /// Words for what went before, which explain the expectation.
    after: &'static str,
}

#[derive(Clone, Debug, PartialEq)]
enum ExpectedAnswer {
    Done,
    Value(Value),
    /// A cas that changes nothing.
    Refused,
    /// A set with these elements, in any order.
    Elements(Vec<i64>),
    /// A lock that another holds, or that the client does not hold.
    Mismatch,
    /// A fencing token.
    Token,
    /// The row with this value, whatever its timestamp is.
    Row(i64),
    /// The rows with the values from 1 to this one, with timestamps that grow.
    Rows(i64),
}

impl FileSystem {
    /// Returns the operations of a trial, in their order: those of each workload on a key of its own.
    pub(crate) fn trial_steps(&self) -> Vec<TrialStep> {
        let cas = |from, to| Action::Cas { from, to };
        let elements = |all: &[i64]| ExpectedAnswer::Elements(all.to_vec());
        let value = |number: i64| ExpectedAnswer::Value(number.into());
        let nil = || ExpectedAnswer::Value(Value::Nil);
        let steps = [
            (0, Action::Read, nil(), "before anything was written"),
            (0, Action::Write(1), ExpectedAnswer::Done, "on a new key"),
            (0, Action::Read, value(1), "after the write of 1"),
            (0, cas(1, 2), ExpectedAnswer::Done, "after the write of 1"),
            (0, Action::Read, if self.has(&cas(1, 2)) { value(2) } else { value(1) }, "after that"),
            (0, cas(1, 3), ExpectedAnswer::Refused, "when the value is 2"),
            (1, Action::Elements, elements(&[]), "before anything was added"),
            (1, Action::Add(1), ExpectedAnswer::Done, "to an empty set"),
            (1, Action::Add(2), ExpectedAnswer::Done, "after 1"),
            (1, Action::Elements, elements(&[1, 2]), "after 1 and 2 were added"),
            (2, Action::Peek, nil(), "into an empty queue"),
            (2, Action::Enqueue(1), ExpectedAnswer::Done, "into an empty queue"),
            (2, Action::Enqueue(2), ExpectedAnswer::Done, "after 1"),
            (2, Action::Peek, value(1), "after 1 and 2 were put in"),
            (2, Action::Dequeue, value(1), "after 1 and 2 were put in"),
            (2, Action::Dequeue, value(2), "after 1 was taken out"),
            (2, Action::Dequeue, nil(), "from an empty queue"),
            (9, Action::Count, value(0), "before anything was added"),
            (9, Action::Increment(2), ExpectedAnswer::Done, "on a new key"),
            (9, Action::Increment(3), ExpectedAnswer::Done, "after 2"),
            (9, Action::Count, value(5), "after 2 and 3 were added"),
            (10, Action::Release, ExpectedAnswer::Mismatch, "of a lock that nobody holds"),
            (10, Action::Acquire, ExpectedAnswer::Done, "of a lock that nobody holds"),
            (10, Action::Acquire, ExpectedAnswer::Mismatch, "of a lock that is held"),
            (10, Action::Release, ExpectedAnswer::Done, "by the holder"),
            (10, Action::Acquire, ExpectedAnswer::Done, "after the release"),
            (11, Action::AcquireWithToken, ExpectedAnswer::Token, "of a lock that nobody holds"),
            (11, Action::AcquireWithToken, ExpectedAnswer::Mismatch, "of a lock that is held"),
            (18, guarded_write(5, 1), ExpectedAnswer::Done, "under the first token"),
            (18, guarded_write(6, 2), ExpectedAnswer::Done, "under a larger token"),
            (18, guarded_write(6, 3), ExpectedAnswer::Done, "under the same token"),
            (18, guarded_write(5, 4), ExpectedAnswer::Refused, "under a smaller token"),
            (17, Action::Poll(0), log(&[]), "before anything was sent"),
            (17, Action::Send(7), value(0), "to an empty log"),
            (17, Action::Send(8), value(1), "after 7"),
            (17, Action::Poll(1), log(&[(1, 8)]), "after 7 and 8 were sent"),
            (16, Action::Balances, balances(0), "before any transfer"),
            (16, transfer(3), ExpectedAnswer::Done, "when it has 10"),
            (16, transfer(8), ExpectedAnswer::Refused, "when it has 7"),
            (16, Action::Balances, balances(3), "after 3 went from account 0 to 1"),
        ];
        self.known(steps.into_iter().chain(transactions()).chain(rows()))
    }

    /// Returns reads of what a trial leaves behind.
    pub(crate) fn trial_reads(&self) -> Vec<TrialStep> {
        let last = if self.has(&Action::Cas { from: 1, to: 2 }) { 2 } else { 1 };
        self.known([
            (0, Action::Read, ExpectedAnswer::Value(last.into()), "after all writes"),
            (1, Action::Elements, ExpectedAnswer::Elements(vec![1, 2]), "after 1 and 2 were added"),
            (2, Action::Peek, ExpectedAnswer::Value(Value::Nil), "into an empty queue"),
            (9, Action::Count, ExpectedAnswer::Value(5.into()), "after 2 and 3 were added"),
            (17, Action::Poll(0), log(&[(0, 7), (1, 8)]), "after 7 and 8 were sent"),
            lists(),
            registers(0, 6),
            registers(GROUP, GROUP),
            (20, Action::Rows, ExpectedAnswer::Rows(2), "after two rows"),
            (16, Action::Balances, balances(3), "after 3 went from account 0 to 1"),
        ])
    }

    /// Returns those steps whose operations clients can carry out.
    fn known(&self, steps: impl IntoIterator<Item = Step>) -> Vec<TrialStep> {
        let is_known = |(key, action, ..): &Step| match action {
            Action::Transaction(_) if *key == GROUP => self.workloads.contains(&"multi-register"),
            // What several parts read was written by several parts, which not all workloads have.
            Action::Transaction(parts) if parts.len() > 1 => {
                let is_of_lists = matches!(parts[0].action, MicroAction::Append(_) | MicroAction::ReadList);
                self.workloads.contains(if is_of_lists { &"append" } else { &"wr" })
            }
            action => self.has(action),
        };
        let known = steps.into_iter().filter(is_known);
        let request = |key, action| match action {
            Action::Transaction(micro_operations) if key != GROUP => Request::transaction(micro_operations),
            action => Request::new(key, action),
        };
        let step = |(key, action, expected, after)| TrialStep { request: request(key, action), expected, after };
        known.map(step).collect()
    }
}

/// Operation of a trial on a key, with its expected answer, and when it comes.
type Step = (u32, Action, ExpectedAnswer, &'static str);

/// Key of a group of registers, which is that of its first.
const GROUP: u32 = 12;

/// Returns the transactions of a trial.
fn transactions() -> [Step; 10] {
    let appends = [
        (MicroOperation::append(3, 1), Value::Nil),
        (MicroOperation::read_list(3), Value::List(vec![1.into()])),
        (MicroOperation::append(4, 2), Value::Nil),
    ];
    let writes = [
        (MicroOperation::write(6, 1), Value::Nil),
        (MicroOperation::read_register(6), 1.into()),
        (MicroOperation::write(7, 2), Value::Nil),
    ];
    let writes_of_group = [
        (MicroOperation::write(GROUP, 1), Value::Nil),
        (MicroOperation::read_register(GROUP + 2), Value::Nil),
        (MicroOperation::write(GROUP + 1, 2), Value::Nil),
    ];
    [
        transaction(0, appends, "to empty lists, with a read between"),
        lists(),
        transaction(0, writes, "to new registers, with a read between"),
        registers(0, 6),
        transaction(0, [(MicroOperation::append(18, 1), Value::Nil)], "to an empty list"),
        transaction(0, [(MicroOperation::read_list(18), Value::List(vec![1.into()]))], "after 1 was appended"),
        transaction(0, [(MicroOperation::write(19, 1), Value::Nil)], "to a new register"),
        transaction(0, [(MicroOperation::read_register(19), 1.into())], "after 1 was written"),
        transaction(GROUP, writes_of_group, "to a new group of registers, with a read between"),
        registers(GROUP, GROUP),
    ]
}

/// Returns the operations of a trial on a table of rows.
fn rows() -> [Step; 4] {
    [
        (20, Action::Rows, ExpectedAnswer::Rows(0), "before anything was inserted"),
        (20, Action::Insert, ExpectedAnswer::Row(1), "into an empty table"),
        (20, Action::Insert, ExpectedAnswer::Row(2), "after one row"),
        (20, Action::Rows, ExpectedAnswer::Rows(2), "after two rows"),
    ]
}

/// Returns a transfer from the first account of a bank to the second.
fn transfer(amount: i64) -> Action {
    Action::Transfer { from: 0, to: 1, amount }
}

/// Returns a write of what a lock guards.
fn guarded_write(token: i64, value: i64) -> Action {
    Action::GuardedWrite { token, value }
}

/// Returns what a log has: these offsets with their values.
fn log(pairs: &[(i64, i64)]) -> ExpectedAnswer {
    let pair = |(offset, value): &(i64, i64)| Value::List(vec![(*offset).into(), (*value).into()]);
    ExpectedAnswer::Value(Value::List(pairs.iter().map(pair).collect()))
}

/// Returns the balances of a bank after this amount went from its first account to the second.
fn balances(amount: i64) -> ExpectedAnswer {
    let mut balances = vec![BANK_BEGINNING; BANK_ACCOUNTS.into()];
    balances[0] -= amount;
    balances[1] += amount;
    ExpectedAnswer::Value(Value::List(balances.into_iter().map(Value::from).collect()))
}

/// Returns a read of the lists that the transactions of a trial leave behind.
fn lists() -> Step {
    let lists = [(3, vec![1.into()]), (4, vec![2.into()]), (5, Vec::new())];
    let reads = lists.map(|(key, elements)| (MicroOperation::read_list(key), Value::List(elements)));
    transaction(0, reads, "after 1 and 2 were appended")
}

/// Returns a read of the registers that the transactions of a trial leave behind.
fn registers(key: u32, first: u32) -> Step {
    let registers = [(first, 1.into()), (first + 1, 2.into()), (first + 2, Value::Nil)];
    let reads = registers.map(|(register, value)| (MicroOperation::read_register(register), value));
    transaction(key, reads, "after 1 and 2 were written")
}

/// Returns a transaction of a trial, whose reads must find these values, on the group of this key, if it is one.
fn transaction<const N: usize>(key: u32, parts: [(MicroOperation, Value); N], after: &'static str) -> Step {
    let (parts, done): (Vec<_>, Vec<_>) = parts.into_iter().map(|(part, found)| (part, part.in_history(found))).unzip();
    (key, Action::Transaction(parts), ExpectedAnswer::Value(Value::List(done)), after)
}

impl TrialStep {
    /// Returns the operation in a few words.
    pub(crate) fn words(&self) -> String {
        let key = self.request.key_name().unwrap_or_default();
        match &self.request.action {
            Action::Read => format!("read {key}"),
            Action::Write(value) => format!("write {key} {value}"),
            Action::Cas { from, to } => format!("cas {key} from {from} to {to}"),
            Action::Elements => format!("elements {key}"),
            Action::Add(value) => format!("add {key} {value}"),
            Action::Enqueue(value) => format!("enqueue {key} {value}"),
            Action::Dequeue => format!("dequeue {key}"),
            Action::Peek => format!("peek {key}"),
            Action::Count => format!("count {key}"),
            Action::Increment(by) => format!("increment {key} by {by}"),
            Action::Acquire | Action::AcquireWithToken => format!("acquire {key}"),
            Action::Release => format!("release {key}"),
            Action::GuardedWrite { token, value } => format!("guarded-write {key} {value} under {token}"),
            Action::Send(value) => format!("send {key} {value}"),
            Action::Poll(from) => format!("poll {key} from {from}"),
            Action::Insert => format!("insert {key}"),
            Action::Rows => format!("rows {key}"),
            Action::Generate => format!("generate {key}"),
            Action::Balances => format!("balances {key}"),
            Action::Transfer { from, to, amount } => format!("transfer {key} {amount} from {from} to {to}"),
            Action::Transaction(parts) => {
                let words = |part: &MicroOperation| match part.action {
                    MicroAction::Append(element) => format!("append {} {element}", part.key_name()),
                    MicroAction::Write(value) => format!("write {} {value}", part.key_name()),
                    MicroAction::ReadList | MicroAction::ReadRegister => format!("read {}", part.key_name()),
                };
                parts.iter().map(words).collect::<Vec<_>>().join(", ")
            }
        }
    }

    /// Returns what is wrong with an answer, if anything.
    pub(crate) fn mistake(&self, answer: &Answer) -> Option<String> {
        let is_right = match (&self.expected, answer) {
            (ExpectedAnswer::Done, Answer::Done)
            | (ExpectedAnswer::Refused, Answer::NotDone(_))
            | (ExpectedAnswer::Mismatch, Answer::Mismatch(_))
            | (ExpectedAnswer::Token, Answer::Value(Value::Int(_))) => true,
            (ExpectedAnswer::Refused, Answer::Mismatch(found)) => *found == Value::from(2),
            (ExpectedAnswer::Value(wanted), Answer::Value(found)) => wanted == found,
            (ExpectedAnswer::Elements(wanted), Answer::Value(Value::List(found))) => {
                wanted.len() == found.len() && wanted.iter().all(|element| found.contains(&(*element).into()))
            }
            (ExpectedAnswer::Row(wanted), Answer::Value(row)) => {
                value_and_timestamp(row).is_some_and(|(value, _)| value == *wanted)
            }
            (ExpectedAnswer::Rows(last), Answer::Value(Value::List(rows))) => {
                let rows: Option<Vec<_>> = rows.iter().map(value_and_timestamp).collect();
                rows.is_some_and(|rows| {
                    rows.iter().map(|(value, _)| *value).eq(1..=*last) && rows.is_sorted_by_key(|(_, stamp)| *stamp)
                })
            }
            _ => false,
        };
        let wanted = match &self.expected {
            ExpectedAnswer::Done => "ok".to_owned(),
            ExpectedAnswer::Refused => "mismatch, found 2, or fail".to_owned(),
            ExpectedAnswer::Value(value) => format!("ok, {}", shown(value)),
            ExpectedAnswer::Elements(all) => format!("ok, {all:?} in any order"),
            ExpectedAnswer::Mismatch => "mismatch; of a shim, fail without an error".to_owned(),
            ExpectedAnswer::Token => "ok, a whole number".to_owned(),
            ExpectedAnswer::Row(value) => format!("ok, {{\"val\": {value}, \"sts\": a timestamp}}"),
            ExpectedAnswer::Rows(0) => "ok, no rows".to_owned(),
            ExpectedAnswer::Rows(last) => format!("ok, rows with `val` from 1 to {last}, by a growing `sts`"),
        };
        let hint = match (answer, &self.expected) {
            (Answer::Unknown(why), _) if why.starts_with("no rule names") => "; no rule of the file applies",
            (Answer::Value(Value::Str(_)), ExpectedAnswer::Value(Value::Int(_))) => {
                "; decode = [\"integer\"] is missing"
            }
            (Answer::Value(Value::Str(_) | Value::Int(_)), ExpectedAnswer::Value(Value::Nil)) => {
                "; what is absent needs or_nil = true"
            }
            (_, ExpectedAnswer::Value(Value::Nil)) => "; a rule for what is absent needs or_nil = true",
            _ => "",
        };
        (!is_right).then(|| format!("{} should be: {wanted}{hint}", self.after))
    }
}

/// Returns value and timestamp of a row.
fn value_and_timestamp(row: &Value) -> Option<(i64, i64)> {
    let Value::Map(row) = row else { return None };
    match (row.named("val")?, row.named("sts")?) {
        (Value::Int(value), Value::Int(stamp)) => Some((*value, *stamp)),
        _ => None,
    }
}

/// Returns an answer in words, as the rules of a file name it.
pub(crate) fn response_words(response: &Response) -> String {
    let answer = match &response.answer {
        Answer::Value(value) => format!("ok, {}", shown(value)),
        Answer::Done => "ok".to_owned(),
        Answer::Mismatch(found) => format!("mismatch, found {}", shown(found)),
        Answer::NotDone(why) => format!("fail: {why}"),
        Answer::Unknown(why) => format!("info: {why}"),
    };
    answer + &response.revision.map_or_else(String::new, |revision| format!(", revision {revision}"))
}

fn shown(value: &Value) -> String {
    match value {
        Value::Nil => "nil".to_owned(),
        value => serde_json::to_string(value).unwrap_or_else(|_| format!("{value:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::systems::SystemFile;

    fn steps() -> Vec<TrialStep> {
        let text = include_str!("../../../examples/store/store.toml").to_owned();
        SystemFile { path: "store.toml".to_owned(), text }.system().unwrap().trial_steps()
    }

    #[test]
    fn a_trial_has_the_operations_of_the_file_and_no_others() {
        let words: Vec<String> = steps().iter().map(TrialStep::words).collect();
        let wanted = ["read k0", "write k0 1", "read k0", "cas k0 from 1 to 2", "read k0", "cas k0 from 1 to 3"];
        assert_eq!(words, wanted);
    }

    #[test]
    fn a_trial_of_transactions_reads_what_it_appended() {
        let text = include_str!("../../../systems/etcd-transactions.toml").to_owned();
        let system = SystemFile { path: "etcd.toml".to_owned(), text }.system().unwrap();
        let [appends, reads, ..] = &system.trial_steps()[..] else { panic!("{:?}", system.trial_steps()) };
        assert_eq!(appends.words(), "append k3 1, read k3, append k4 2");
        assert!(system.trial_reads()[0].words() == reads.words() && reads.request.key.is_none());
        let found = |elements: &[i64]| Value::List(elements.iter().copied().map(Value::from).collect());
        let all = |of_k4| {
            let lists = [(3, found(&[1])), (4, of_k4), (5, found(&[]))];
            let parts = lists.map(|(key, list)| MicroOperation::read_list(key).in_history(list));
            Answer::Value(Value::List(parts.to_vec()))
        };
        assert_eq!(reads.mistake(&all(found(&[2]))), None);
        let mistake = reads.mistake(&all(found(&[]))).unwrap();
        assert!(mistake.starts_with("after 1 and 2 were appended should be: ok, "), "{mistake}");
    }

    #[test]
    fn an_answer_that_is_not_what_was_written_is_a_mistake() {
        let steps = steps();
        let unknown = |why: &str| Answer::Unknown(why.to_owned());
        for (step, answer, said) in [
            (0, Answer::Value(Value::Nil), None),
            (0, Answer::NotDone("404".to_owned()), Some("before anything was written should be: ok, nil; a rule for")),
            (1, Answer::Done, None),
            (1, unknown("no rule names status 201"), Some("should be: ok; no rule of the file applies")),
            (2, Answer::Value(1.into()), None),
            (2, Answer::Value("1".into()), Some("should be: ok, 1; decode = [\"integer\"] is missing")),
            (2, Answer::Value(Value::Nil), Some("after the write of 1 should be: ok, 1")),
            (5, Answer::Mismatch(2.into()), None),
            (5, Answer::NotDone(String::new()), None),
            (5, Answer::Done, Some("when the value is 2 should be: mismatch, found 2, or fail")),
        ] {
            let mistake = steps[step].mistake(&answer);
            match said {
                None => assert_eq!(mistake, None, "{answer:?}"),
                Some(said) => assert!(mistake.as_ref().is_some_and(|m| m.contains(said)), "{answer:?}: {mistake:?}"),
            }
        }
    }
}
