//! Tables that fit the terminal, without a broken word.

use std::{fmt, io};

use comfy_table::{ColumnConstraint, ContentArrangement, TableStyle, Width, presets};

use super::columns::{columns, width};

/// Width of a table that is not printed to a terminal, in columns.
const WHEN_PIPED: usize = 120;

/// Table for people. Where even the longest words of its columns do not fit beside each other, each row becomes a block
/// of lines, one for each column.
#[derive(Debug)]
pub(crate) struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    preset: TableStyle,
}

impl Table {
    pub(crate) fn new(header: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let header = header.into_iter().map(Into::into).collect();
        Self { header, rows: Vec::new(), preset: presets::UTF8_FULL_CONDENSED }
    }

    /// Draws a line between rows, for cells of several lines.
    pub(crate) fn ruled(self) -> Self {
        Self { preset: presets::UTF8_FULL, ..self }
    }

    pub(crate) fn add_row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Returns the table with a text below it, which is set off from blocks.
    pub(crate) fn above(&self, text: &str) -> String {
        self.lay_out_above(text, width_of_stdout())
    }

    fn lay_out_above(&self, text: &str, columns: usize) -> String {
        let gap = if self.widths(columns).is_some() { "\n" } else { "\n\n" };
        format!("{}{gap}{text}", self.lay_out(columns))
    }

    /// Lays out the table for a width in columns.
    fn lay_out(&self, columns: usize) -> String {
        let Some(widths) = self.widths(columns) else { return self.blocks() };
        let mut table = comfy_table::Table::new();
        table.load_style(self.preset).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(columns).unwrap_or(u16::MAX)).set_header(&self.header);
        table.add_rows(&self.rows);
        for (column, width) in table.column_iter_mut().zip(widths) {
            let with_padding = u16::try_from(width + 2).unwrap_or(u16::MAX);
            column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(with_padding)));
        }
        table.to_string()
    }

    /// Returns the widths of the columns: as their cells ask for, or less in the widest ones, as far as words fit.
    fn widths(&self, columns: usize) -> Option<Vec<usize>> {
        let all = || std::iter::once(&self.header).chain(&self.rows);
        let widest = |pieces: fn(&str) -> Vec<&str>| {
            let of = |column: usize| all().filter_map(move |row| row.get(column));
            let in_column = |column| of(column).flat_map(|cell| pieces(cell)).map(width).max().unwrap_or(0);
            (0..self.header.len()).map(in_column).collect::<Vec<_>>()
        };
        let least = widest(|cell| cell.split_whitespace().collect());
        let mut widths = widest(|cell| cell.lines().collect());
        // A border on each side of each column, and a blank beside it.
        let room = columns.checked_sub(3 * widths.len() + 1)?;
        while widths.iter().sum::<usize>() > room {
            let shrinks = (0..widths.len()).filter(|&column| widths[column] > least[column]);
            let widest = shrinks.max_by_key(|&column| widths[column])?;
            widths[widest] -= 1;
        }
        Some(widths)
    }

    /// Returns each row as a block: its first cell, and below it the others with the names of their columns.
    fn blocks(&self) -> String {
        let named = self.header.iter().skip(1).map(|name| width(name)).max().unwrap_or(0);
        let block = |row: &Vec<String>| {
            let cells = row.iter().zip(&self.header).skip(1).filter(|(cell, _)| !cell.is_empty());
            let lines = cells.map(|(cell, name)| {
                let lines = cell.replace('\n', &format!("\n{:1$}", "", named + 4));
                format!("\n  {name:named$}  {lines}")
            });
            row.first().map_or("", String::as_str).to_owned() + &lines.collect::<String>()
        };
        self.rows.iter().map(block).collect::<Vec<_>>().join("\n\n")
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lay_out(width_of_stdout()))
    }
}

fn width_of_stdout() -> usize {
    columns(io::stdout()).unwrap_or(WHEN_PIPED)
}

#[cfg(test)]
mod tests {
    use super::{Table, width};

    fn table() -> Table {
        let mut table = Table::new(["fault", "effect", "needs"]);
        table.add_row([
            "kill[:TARGET]",
            "SIGKILL, and a restart after a while, as a host would that lost its power",
            "",
        ]);
        table.add_row(["partition", "nodes drop the packets of others", "bridges\nnetlink"]);
        table
    }

    #[test]
    fn a_table_fits_its_width_and_breaks_no_word() {
        for columns in [60, 80, 120, 200] {
            let text = table().lay_out(columns);
            let widths: Vec<usize> = text.lines().map(width).collect();
            assert!(widths.iter().all(|&wide| wide == widths[0] && wide <= columns), "{columns}\n{text}");
            let kept = |word: &&str| text.split_whitespace().any(|one| one == *word);
            assert!(["kill[:TARGET]", "SIGKILL,", "partition", "packets", "power"].iter().all(kept), "{text}");
        }
    }

    #[test]
    fn rows_become_blocks_where_words_do_not_fit() {
        let expected = "\
kill[:TARGET]
  effect  SIGKILL, and a restart after a while, as a host would that lost its power

partition
  effect  nodes drop the packets of others
  needs   bridges
          netlink";
        assert_eq!(table().lay_out(20), expected);
        assert_eq!(table().lay_out_above("below", 20), expected.to_owned() + "\n\nbelow", "no block runs into it");
        assert!(table().lay_out_above("below", 80).ends_with("┘\nbelow"));
    }
}
