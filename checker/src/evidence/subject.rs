//! The operations that a claim names, and the one that it is about.

use std::cmp::Reverse;

use histories::History;

use crate::{Evidence, sorted::sorted, words};

impl Evidence {
    /// Returns the operation that the claim is about: the first that it names. If it names none of them, the one
    /// invoked last; none if there are no operations.
    #[must_use]
    pub fn subject(&self, history: &History) -> Option<usize> {
        let invoked = |&index: &usize| (history.times(index).invoked_ns, history.operations[index].invoked);
        let first = operations_named(history, &self.operations, &self.claim).first().copied();
        first.or_else(|| self.operations.iter().copied().max_by_key(invoked))
    }

    /// Returns those of the operations that the claim or the reasons name, in the order in which they do.
    #[must_use]
    pub fn named(&self, history: &History) -> Vec<usize> {
        let sentences = [&self.claim].into_iter().chain(&self.reasons);
        sentences.flat_map(|sentence| operations_named(history, &self.operations, sentence)).collect()
    }

    /// Returns at most so many of these operations (ascending), for lists and pictures: first the one that the claim is
    /// about and those that the sentences name, then the decisive ones, and the last ones of the others.
    #[must_use]
    pub fn clearest(&self, history: &History, operations: &[usize], most: usize) -> Vec<usize> {
        if operations.len() <= most {
            return operations.to_vec();
        }
        let named = self.subject(history).into_iter().chain(self.named(history));
        let named = named.filter(|index| operations.contains(index));
        let is_decisive = |index: &&usize| self.decisive.contains(index);
        let (decisive, others): (Vec<usize>, Vec<usize>) = operations.iter().rev().partition(is_decisive);
        let mut clearest = Vec::with_capacity(most);
        for index in named.chain(decisive).chain(others) {
            if clearest.len() < most && !clearest.contains(&index) {
                clearest.push(index);
            }
        }
        sorted(clearest)
    }
}

/// Returns the transaction of an anomaly that is presented as wrong: the one that the claim names. If it names several
/// or none, none is more wrong than another.
#[must_use]
pub fn wrong_transaction(history: &History, operations: &[usize], claim: &str) -> Option<usize> {
    match *operations_named(history, operations, claim) {
        [index] => Some(index),
        _ => None,
    }
}

/// Returns those of the operations that a claim names by process, time and node, in the order in which it does. Of two
/// that are named in the same words, the later one comes first.
fn operations_named(history: &History, operations: &[usize], claim: &str) -> Vec<usize> {
    let place = |index: usize| {
        let by = words::by(history, index);
        let ends_there = |(place, _): &(usize, &str)| !claim[place + by.len()..].starts_with(char::is_alphanumeric);
        Some((claim.match_indices(&by).find(ends_there)?.0, Reverse(index)))
    };
    let mut places: Vec<_> = operations.iter().filter_map(|&index| place(index)).collect();
    places.sort_unstable();
    places.into_iter().map(|(_, Reverse(index))| index).collect()
}

#[cfg(test)]
mod tests {
    use histories::{Format, read_bytes};

    use super::wrong_transaction;
    use crate::Evidence;

    #[test]
    fn a_claim_is_about_the_first_operation_that_it_names() {
        let line = |time: u64, process: u64, node: u64, kind: &str| {
            format!(
                "{{\"time\":{time}000000,\"process\":{process},\"node\":{node},\"type\":\"{kind}\",\"f\":\"read\",\
                \"value\":1}}\n"
            )
        };
        let calls = [(1, 1, 1), (3, 1, 10), (5, 2, 1), (7, 3, 1)];
        let calls =
            calls.map(|(time, process, node)| line(time, process, node, "invoke") + &line(time, process, node, "ok"));
        let history = read_bytes("test", calls.concat().as_bytes(), None::<Format>).unwrap();
        let subject = |claim: &str| {
            let evidence = Evidence { operations: vec![0, 1, 2], claim: claim.to_owned(), ..Evidence::default() };
            evidence.subject(&history)
        };
        assert_eq!(subject("read by process 1 at 0.001 s on n1 returned 1"), Some(0));
        assert_eq!(subject("read by process 1 at 0.001 s on n10 returned 1"), Some(2), "no such operation");
        assert_eq!(subject("read by process 1 at 0.003 s on n10, after read by process 1 at 0.001 s on n1"), Some(1));
        assert_eq!(subject("read by process 3 at 0.007 s on n1 returned 1"), Some(2), "it is not in the evidence");
        assert_eq!(subject("somebody lied"), Some(2), "the one invoked last");
        assert_eq!(Evidence::default().subject(&history), None);
        let wrong = |claim: &str| wrong_transaction(&history, &[0, 1, 2], claim);
        assert_eq!(wrong("read by process 1 at 0.001 s on n1 returned 1"), Some(0));
        assert_eq!(wrong("read by process 1 at 0.003 s on n10, after read by process 1 at 0.001 s on n1"), None);
        assert_eq!(wrong("somebody lied"), None);
    }

    #[test]
    fn an_operation_that_a_sentence_names_is_never_left_out() {
        let line = |time: u64, kind: &str| {
            format!("{{\"time\":{time}000000,\"process\":{time},\"type\":\"{kind}\",\"f\":\"read\",\"value\":1}}\n")
        };
        let calls: String = (1..10).map(|time| line(time, "invoke") + &line(time, "ok")).collect();
        let history = read_bytes("test", calls.as_bytes(), None::<Format>).unwrap();
        let evidence = Evidence {
            operations: (0..9).collect(),
            decisive: vec![1, 4],
            claim: "read by process 3 at 0.003 s returned 1".to_owned(),
            reasons: vec!["read by process 4 at 0.004 s had ended".to_owned()],
            ..Evidence::default()
        };
        let clearest = |most| evidence.clearest(&history, &evidence.operations, most);
        assert_eq!(clearest(9), evidence.operations);
        assert_eq!(clearest(6), [1, 2, 3, 4, 7, 8]);
        assert_eq!(clearest(3), [2, 3, 4]);
        assert_eq!(clearest(1), [2]);
    }
}
