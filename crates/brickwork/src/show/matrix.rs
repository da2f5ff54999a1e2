//! Matrices whose cells are the darker, the larger their share.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::colours::heat;
use super::table::{scrolling, table};

/// Matrices of more classes than this are not shown.
const MOST_CLASSES: usize = 24;

/// How many of the most frequent mistakes are shown instead.
const MISTAKES: usize = 12;

/// Names longer than this stand upright above their column.
const SHORT: usize = 4;

/// A matrix.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    /// What it shows.
    pub caption: String,
    /// What rows are of.
    pub of: String,
    /// Names of columns.
    pub columns: Vec<String>,
    /// Rows.
    pub rows: Vec<MatrixRow>,
}

/// A row of a matrix.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MatrixRow {
    /// Its name.
    pub name: String,
    /// Its cells.
    pub cells: Vec<MatrixCell>,
}

/// A cell of a matrix.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MatrixCell {
    /// What stands in it.
    pub text: String,
    /// How dark it is, from 0 to 1; none for one that stands apart.
    pub share: Option<f64>,
    /// What it says when it is pointed at.
    pub words: String,
    /// Whether it counts mistakes.
    pub miss: bool,
}

/// A matrix as a table.
pub fn matrix(matrix: &Matrix) -> Markup {
    let turned = matrix.columns.iter().any(|name| name.chars().count() > SHORT);
    let table = html! {
        table.heat aria-label=(matrix.caption) {
            thead { tr {
                th scope="col" { span.hidden { (matrix.of) } }
                @for name in &matrix.columns { th.turned[turned] scope="col" { (name) } }
            } }
            tbody { @for row in &matrix.rows {
                tr { th scope="row" { (row.name) } @for one in &row.cells { (cell(one)) } }
            } }
        }
    };
    html! { p.caption { (matrix.caption) } (scrolling(&matrix.caption, &table)) }
}

fn cell(cell: &MatrixCell) -> Markup {
    let step = cell.share.map_or(0, heat);
    let class = match (step, cell.miss) {
        (0, _) => "none".to_owned(),
        (step, false) => format!("heat-{step}"),
        (step, true) => format!("heat-{step} miss"),
    };
    let title = (!cell.words.is_empty()).then_some(&cell.words);
    html! { td class=(class) title=[title] { (cell.text) } }
}

/// As which classes images were answered: a matrix, or the most frequent mistakes among many classes.
pub fn confusion(images: &BTreeMap<String, BTreeMap<String, usize>>) -> Markup {
    let answers = images.iter().flat_map(|(class, found)| found.keys().chain([class]));
    let answers: BTreeSet<&String> = answers.collect();
    if answers.len() > MOST_CLASSES {
        return mistakes(images);
    }
    let row = |(class, found): (&String, &BTreeMap<String, usize>)| {
        let all: usize = found.values().sum();
        let cell = |answer: &&String| {
            let count = found.get(*answer).copied().unwrap_or(0);
            MatrixCell {
                text: if count == 0 { "·".to_owned() } else { count.to_string() },
                share: Some(count as f64 / all.max(1) as f64),
                words: format!("{count} of {all} images of {class} were taken for {answer}"),
                miss: *answer != class,
            }
        };
        MatrixRow { name: class.clone(), cells: answers.iter().map(cell).collect() }
    };
    matrix(&Matrix {
        caption: "Images of each class (rows), by the class they were taken for (columns)"
            .to_owned(),
        of: "class".to_owned(),
        columns: answers.iter().map(|name| (*name).clone()).collect(),
        rows: images.iter().map(row).collect(),
    })
}

fn mistakes(images: &BTreeMap<String, BTreeMap<String, usize>>) -> Markup {
    let pairs = images.iter().flat_map(|(class, found)| {
        found.iter().map(move |(answer, &count)| {
            [class.clone(), answer.clone(), count.to_string()].to_vec()
        })
    });
    let mut rows: Vec<Vec<String>> = pairs.filter(|row| row[0] != row[1]).collect();
    rows.sort_by_key(|row| Reverse(row[2].parse::<usize>().unwrap_or(0)));
    rows.truncate(MISTAKES);
    table("The most frequent mistakes", &["class", "taken for", "images"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(rows: &[(&str, &[(&str, usize)])]) -> BTreeMap<String, BTreeMap<String, usize>> {
        let inner = |cells: &[(&str, usize)]| {
            cells.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()
        };
        rows.iter().map(|(name, cells)| ((*name).to_owned(), inner(cells))).collect()
    }

    #[test]
    fn mistakes_are_marked_by_more_than_colour() {
        let found = counts(&[("cat", &[("cat", 9), ("dog", 1)]), ("dog", &[("dog", 4)])]);
        let text = confusion(&found).into_string();
        assert!(
            text.contains("class=\"heat-9\" title=\"9 of 10 images of cat were taken for cat\">9<")
        );
        assert!(text.contains("class=\"heat-1 miss\"") && text.contains("class=\"none\""));
    }

    #[test]
    fn many_classes_are_told_by_their_mistakes() {
        let names: Vec<String> = (0..40).map(|k| format!("c{k:02}")).collect();
        let mut found = BTreeMap::new();
        for (k, name) in names.iter().enumerate() {
            found.insert(
                name.clone(),
                BTreeMap::from([(name.clone(), 5), (names[(k + 1) % 40].clone(), k)]),
            );
        }
        let text = confusion(&found).into_string();
        assert!(
            text.contains("most frequent")
                && text.contains("<th class=\"whole\" scope=\"row\">c39</th><td>c00</td>")
        );
        assert!(!text.contains("c01</th>"), "only the most frequent");
    }
}
