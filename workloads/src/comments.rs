//! Workload `comments`: inserts of unique comments into one of four lists of a topic, and reads of all lists of a topic
//! at one moment. A comment that is seen without one that was there before it was begun shows that order is lost among
//! objects that nobody changes together.

use crate::{Answer, Generator, MicroOperation, Mix, Request, Workload, keys::Keys, random::Random};

/// Number of lists of a topic, whose keys are next to each other.
const LISTS: u32 = 4;
/// Maximum number of comments on a topic: each read returns all.
const MAX_COMMENTS: u32 = 100;

/// Workload of comments on topics.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Comments;

impl Workload for Comments {
    fn name(&self) -> &'static str {
        "comments"
    }

    fn about(&self) -> &'static str {
        "inserts into one of four lists, and reads of all four at once"
    }

    fn model(&self) -> &'static str {
        "list-append"
    }

    fn generator(&self, seed: u64, mix: &Mix) -> Box<dyn Generator> {
        let mix = Mix { mutations_per_key: mix.mutations_per_key.min(MAX_COMMENTS), ..mix.clone() };
        Box::new(Topics {
            functions: Random::new(seed, "comments function"),
            lists: Random::new(seed, "comments list"),
            topics: Keys::new(seed, "comments topic", &mix),
            read_percent: mix.read_percent,
            next_comment: 1,
        })
    }

    fn final_read(&self, key: u32) -> Request {
        Request::transaction(vec![MicroOperation::read_list(key)])
    }

    fn probe_read(&self, key: u32) -> Request {
        self.final_read(key)
    }

    /// Inserts into one list after another, so that none gets long.
    fn probe_write(&self, key: u32, number: u32) -> Request {
        Request::transaction(vec![MicroOperation::append(key - number / MAX_COMMENTS, number.into())])
    }
}

#[derive(Clone, Debug)]
struct Topics {
    functions: Random,
    lists: Random,
    topics: Keys,
    read_percent: u8,
    next_comment: i64,
}

fn lists_of(topic: u32) -> impl Iterator<Item = u32> {
    topic * LISTS..(topic + 1) * LISTS
}

impl Generator for Topics {
    fn next(&mut self, _worker: u16) -> Request {
        let topic = self.topics.draw();
        if self.functions.below(100) < u32::from(self.read_percent) {
            return Request::transaction(lists_of(topic).map(MicroOperation::read_list).collect());
        }
        self.topics.count_change(topic);
        self.next_comment += 1;
        let list = topic * LISTS + self.lists.below(LISTS);
        Request::transaction(vec![MicroOperation::append(list, self.next_comment - 1)])
    }

    fn observe(&mut self, _worker: u16, request: &Request, answer: &Answer) {
        if let (Some(insert), Answer::Unknown(_)) = (request.changes().next(), answer) {
            self.topics.count_unknown(insert.key / LISTS);
        }
    }

    fn keys(&self) -> Vec<u32> {
        self.topics.all().into_iter().flat_map(lists_of).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::Action;

    #[test]
    fn each_comment_goes_into_one_list_of_a_topic_and_each_read_is_of_all_four() {
        let mut generator = Comments.generator(1, &Mix::default());
        let (mut comments, mut lists) = (BTreeSet::new(), BTreeSet::new());
        for _ in 0..10_000 {
            let Action::Transaction(parts) = generator.next(0).action else { panic!("no transaction") };
            if let [insert] = parts[..] {
                assert!(comments.insert(insert.argument()));
                lists.insert(insert.key % LISTS);
            } else {
                let keys: Vec<u32> = parts.iter().map(|part| part.key).collect();
                assert!(parts.iter().all(MicroOperation::is_read) && lists_of(keys[0] / LISTS).eq(keys));
            }
        }
        assert_eq!(lists, (0..LISTS).collect());
    }
}
