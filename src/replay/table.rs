//! A table for a terminal or a page: a line of headings, names to the left, figures to the right.

use std::fmt::Write;

/// Rows under headings.
pub struct Table {
    rows: Vec<Vec<String>>,
    /// Columns from the left that hold names.
    names: usize,
}

impl Table {
    /// The first `names` columns hold names.
    #[must_use]
    pub fn new(headings: &[&str], names: usize) -> Table {
        Table { rows: vec![headings.iter().map(|heading| (*heading).to_owned()).collect()], names }
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The headings, then the rows.
    #[must_use]
    pub fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }

    /// How many columns from the left hold names.
    #[must_use]
    pub fn names(&self) -> usize {
        self.names
    }

    /// Nothing stands under the headings.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }

    /// Appends the table, each line indented by two.
    pub fn write(&self, out: &mut String) {
        let columns = self.rows[0].len();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (column, (cell, wide)) in row.iter().zip(&widths).enumerate() {
                let _ =
                    if column < self.names { write!(line, "  {cell:<wide$}") } else { write!(line, "  {cell:>wide$}") };
            }
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_left_and_figures_right() {
        let mut table = Table::new(&["rule", "hits", "share"], 1);
        table.row(["large-transfer", "7", "12.5 %"].map(str::to_owned));
        table.row(["ы", "1,234", ""].map(str::to_owned));
        let mut out = String::new();
        table.write(&mut out);
        assert_eq!(out, "  rule             hits   share\n  large-transfer      7  12.5 %\n  ы               1,234\n");
    }
}
