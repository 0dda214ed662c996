//! Growth of lists, for few transactions: how long each list was between transactions, given how it was read.

use histories::ValueId;

use super::{
    indices::KeyIndex,
    small::{KeyContents, SmallHistory, SmallStep},
};

/// Growth of lists to what was read of them.
#[derive(Clone)]
pub(super) struct ListGrowth<'h> {
    /// Order of each key's list that all its reads show.
    paths: std::rc::Rc<Vec<&'h [ValueId]>>,
    /// Length of each list; one more than its path if it grew beyond that.
    grown: Vec<usize>,
    /// Lengths of each list between transactions.
    were: Vec<Vec<usize>>,
}

impl<'h> ListGrowth<'h> {
    /// Begins with the initial lists. Returns `None` if the reads of some list show no common order.
    pub(super) fn new(small: &SmallHistory<'h>) -> Option<Self> {
        let mut paths: Vec<&'h [ValueId]> = Vec::new();
        for claims in small.claims() {
            let path = claims.iter().copied().max_by_key(|claim| claim.len()).unwrap_or(&[]);
            if claims.iter().any(|claim| !path.starts_with(claim)) {
                return None;
            }
            let initial = &small.initial_list[..small.initial_list.len().min(path.len())];
            if !path.starts_with(initial) {
                return None;
            }
            paths.push(path);
        }
        let first = small.initial_list.len();
        let keys = paths.len();
        Some(Self { paths: std::rc::Rc::new(paths), grown: vec![first; keys], were: vec![vec![first]; keys] })
    }

    /// Returns true if the list had this length between two transactions so far.
    pub(super) fn was(&self, key: KeyIndex, length: usize) -> bool {
        self.were[key.index()].contains(&length)
    }

    /// Lets the appends of a transaction take effect. Returns false if they contradict what was read.
    pub(super) fn grow(&mut self, steps: &[SmallStep]) -> bool {
        for step in steps {
            if let SmallStep::Append { key, value } = *step {
                let (path, grown) = (self.paths[key.index()], &mut self.grown[key.index()]);
                if path.get(*grown).is_some_and(|next| *next != value) {
                    return false;
                }
                *grown = (*grown + 1).min(path.len() + 1);
            }
        }
        for key in 0..self.grown.len() {
            // A read of the whole list can only have taken place before it grew beyond that.
            if self.grown[key] <= self.paths[key].len() && !self.was(key.into(), self.grown[key]) {
                self.were[key].push(self.grown[key]);
            }
        }
        true
    }
}

impl KeyContents for ListGrowth<'_> {
    fn as_numbers(&self) -> Vec<u32> {
        let narrow = |number: &usize| u32::try_from(*number).unwrap_or(u32::MAX);
        let all = self.grown.iter().zip(&self.were);
        all.flat_map(|(grown, were)| [narrow(grown), u32::MAX].into_iter().chain(were.iter().map(narrow))).collect()
    }

    fn is_complete(&self) -> bool {
        self.paths.iter().zip(&self.grown).all(|(path, grown)| path.len() <= *grown)
    }
}
