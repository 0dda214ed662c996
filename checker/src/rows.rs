//! Rows of numbers in one array: the edges of a graph by vertex, the operations of each key.

/// Numbers grouped by row.
#[derive(Debug)]
pub(crate) struct Rows {
    /// Start of each row, and the end of the last.
    pub begins: Vec<u32>,
    /// Numbers, row by row.
    pub numbers: Vec<u32>,
}

impl Rows {
    /// Groups pairs of a row and a number by a counting sort. The numbers of a row keep their order.
    pub(crate) fn new<I: Iterator<Item = (u32, u32)>>(rows: usize, pairs: impl Fn() -> I) -> Self {
        // While the numbers are placed, the entry after that of a row is the end of the row so far.
        let mut begins = vec![0_u32; rows + 2];
        for (row, _) in pairs() {
            begins[row as usize + 2] += 1;
        }
        for row in 2..begins.len() {
            begins[row] += begins[row - 1];
        }
        let mut numbers = vec![0; begins[rows + 1] as usize];
        for (row, number) in pairs() {
            let end = &mut begins[row as usize + 1];
            numbers[*end as usize] = number;
            *end += 1;
        }
        begins.pop();
        Self { begins, numbers }
    }

    pub(crate) fn of(&self, row: u32) -> &[u32] {
        &self.numbers[self.begins[row as usize] as usize..self.begins[row as usize + 1] as usize]
    }

    /// Returns how often each row is a number of a row.
    pub(crate) fn occurrences(&self) -> Vec<u32> {
        let mut counts = vec![0; self.begins.len() - 1];
        for &number in &self.numbers {
            counts[number as usize] += 1;
        }
        counts
    }

    /// Returns the rows in topological order, by Kahn's algorithm: each before those that are its numbers. Rows on a
    /// cycle or after one are left out. `step` counts steps.
    pub(crate) fn sorted<E>(&self, step: impl Fn(usize) -> Result<(), E>) -> Result<Vec<u32>, E> {
        let mut waits = self.occurrences();
        let mut order: Vec<u32> = Vec::with_capacity(waits.len());
        order.extend((0..).zip(&waits).filter(|(_, waits)| **waits == 0).map(|(row, _)| row));
        let mut done = 0;
        while let Some(&row) = order.get(done) {
            done += 1;
            step(1 + self.of(row).len())?;
            for &next in self.of(row) {
                waits[next as usize] -= 1;
                if waits[next as usize] == 0 {
                    order.push(next);
                }
            }
        }
        Ok(order)
    }
}
