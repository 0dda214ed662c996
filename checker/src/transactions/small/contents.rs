//! Contents of keys between few transactions: what is there, or how far lists have grown to what was read of them.

use histories::ValueId;

use crate::transactions::indices::{KeyIndex, ListNode};

/// Content of a key, as numbers.
#[derive(Clone, Copy)]
pub(super) struct NumberedContent {
    /// Value, in case it is a register.
    pub value: ValueId,
    /// Node of its list, in case it is one; none if no read continues it.
    pub list: Option<ListNode>,
}

/// State that transactions left.
pub(super) trait KeyContents {
    /// Returns numbers that tell these contents from others.
    fn as_numbers(&self) -> Vec<u32>;

    /// Returns true if everything that was read was left by then.
    fn is_complete(&self) -> bool {
        true
    }
}

impl KeyContents for Vec<NumberedContent> {
    fn as_numbers(&self) -> Vec<u32> {
        // Nodes count from 1, after the absence of one.
        let list = |node: Option<ListNode>| node.map_or(0, |node| u32::from(node) + 1);
        self.iter().flat_map(|content| [content.value.0, list(content.list)]).collect()
    }
}

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
    /// Begins with the initial list of every key, given the parts of each key's reads that show an order. Returns
    /// `None` if those of some key show different ones.
    pub(super) fn new(claims: Vec<Vec<&'h [ValueId]>>, initial: &[ValueId]) -> Option<Self> {
        let mut paths: Vec<&'h [ValueId]> = Vec::new();
        for claims in claims {
            let path = claims.iter().copied().max_by_key(|claim| claim.len()).unwrap_or(&[]);
            if claims.iter().any(|claim| !path.starts_with(claim)) {
                return None;
            }
            if !path.starts_with(&initial[..initial.len().min(path.len())]) {
                return None;
            }
            paths.push(path);
        }
        let (first, keys) = (initial.len(), paths.len());
        Some(Self { paths: std::rc::Rc::new(paths), grown: vec![first; keys], were: vec![vec![first]; keys] })
    }

    /// Returns true if the list had this length between two transactions so far.
    pub(super) fn was(&self, key: KeyIndex, length: usize) -> bool {
        self.were[key.index()].contains(&length)
    }

    /// Adds what a transaction appended. Returns false if that contradicts what was read.
    pub(super) fn grow(&mut self, appended: impl Iterator<Item = (KeyIndex, ValueId)>) -> bool {
        for (key, value) in appended {
            let (path, grown) = (self.paths[key.index()], &mut self.grown[key.index()]);
            if path.get(*grown).is_some_and(|next| *next != value) {
                return false;
            }
            *grown = (*grown + 1).min(path.len() + 1);
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
