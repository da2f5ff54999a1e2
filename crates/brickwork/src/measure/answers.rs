//! What a model answered, image by image.

use std::collections::BTreeMap;
use std::path::Path;

use crate::images::select::{margin, top_class};
use crate::images::source::Source;
use crate::measure::scored::Scored;
use crate::measure::statistics::probability;
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::percent::Percent;
use brickwork_formats::write_atomically;

/// Images of every class, by the class that was answered: those that there are.
pub type Confusion = BTreeMap<String, BTreeMap<String, usize>>;

/// How images of `classes` were answered.
pub(super) fn confusion(
    own: &[(usize, Vec<f32>)],
    classes: &[usize],
    names: &[String],
) -> Confusion {
    let mut found = Confusion::new();
    for (class, logits) in own.iter().filter(|(class, _)| classes.contains(class)) {
        let answers = found.entry(names[*class].clone()).or_default();
        *answers.entry(names[top_class(logits)].clone()).or_insert(0) += 1;
    }
    found
}

/// Writes a confusion matrix as CSV: a row for every class, a column for every answer.
///
/// # Errors
/// If the file cannot be written; it is then as it was.
pub(crate) fn write_confusion(
    path: &Path,
    confusion: &Confusion,
    names: &[String],
) -> Result<(), Error> {
    let mut table = Table::new(std::iter::once("class").chain(names.iter().map(String::as_str)));
    let rows = names.iter().filter_map(|name| Some((name, confusion.get(name)?)));
    for (class, answers) in rows {
        let count = |name: &String| answers.get(name).copied().unwrap_or(0).to_string();
        table.row(std::iter::once(class.clone()).chain(names.iter().map(count)));
    }
    table.write(path)
}

/// What was answered for one image.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageRecord {
    /// The data set.
    pub data: String,
    /// The image: its file, or its place in the data set.
    pub image: String,
    /// Its class in the data.
    pub label: String,
    /// Whether that is one of the classes looked at.
    pub own: bool,
    /// The class that was answered.
    pub answer: String,
    /// The softmax of the answer.
    pub score: Percent,
    /// Of an own image, how far the logit of its class is above the others: `z_y - log sum exp(z_other)`.
    pub margin: Option<f32>,
    /// The part that answered, in an assembled model.
    pub part: Option<String>,
    /// Whether the answer is above the model's threshold, if it has one.
    pub accepted: Option<bool>,
}

impl ImageRecord {
    /// What was answered for the image `index` of `source`, which is of the class `class` if it is an own one.
    pub(super) fn new(
        model: &Classifier,
        names: &[String],
        source: &Source,
        index: usize,
        class: Option<usize>,
        logits: &[f32],
    ) -> Self {
        let answer = top_class(logits);
        let label = source.dataset.label(index);
        Self {
            data: source.name.clone(),
            image: source.dataset.place(index),
            label: source.dataset.classes()[label].clone(),
            own: class.is_some(),
            answer: names[answer].clone(),
            score: Percent::of(probability(logits, answer)),
            margin: class.map(|class| margin(logits, class)),
            part: part_of(model, answer).map(str::to_owned),
            accepted: accepted(model, logits),
        }
    }

    /// One record for every image that was scored, own ones first in every data set.
    pub(super) fn all(
        model: &Classifier,
        sources: &[Source],
        [own, foreign]: [&Vec<Vec<usize>>; 2],
        scored: &Scored,
    ) -> Vec<Self> {
        let names = model.class_names();
        let (mut of_own, mut of_foreign) = (scored.own.iter(), scored.foreign.iter());
        let mut records = Vec::new();
        for (k, source) in sources.iter().enumerate() {
            let own = own[k].iter().zip(of_own.by_ref());
            records.extend(own.map(|(&index, (class, logits))| {
                Self::new(model, &names, source, index, Some(*class), logits)
            }));
            let foreign = foreign[k].iter().zip(of_foreign.by_ref());
            records.extend(
                foreign
                    .map(|(&index, logits)| Self::new(model, &names, source, index, None, logits)),
            );
        }
        records
    }

    /// Writes records as CSV, one line for every image.
    ///
    /// # Errors
    /// If the file cannot be written; it is then as it was.
    pub(crate) fn write(path: &Path, records: &[Self]) -> Result<(), Error> {
        let mut table = Table::new([
            "data", "image", "label", "own", "answer", "score", "margin", "part", "accepted",
        ]);
        for record in records {
            table.row([
                record.data.clone(),
                record.image.clone(),
                record.label.clone(),
                record.own.to_string(),
                record.answer.clone(),
                record.score.number().to_string(),
                shown(record.margin),
                record.part.clone().unwrap_or_default(),
                shown(record.accepted),
            ]);
        }
        table.write(path)
    }
}

/// The part of an assembled model that a class is of.
pub(crate) fn part_of(model: &Classifier, class: usize) -> Option<&str> {
    let part = model.card().parts.iter().find(|part| part.logits.contains(&class))?;
    Some(&part.name)
}

/// Whether the highest logit is above the model's threshold, if it has one.
pub(crate) fn accepted(model: &Classifier, logits: &[f32]) -> Option<bool> {
    model.card().reject.map(|reject| logits[top_class(logits)] > reject.threshold)
}

/// A value as it stands in a table: nothing if there is none.
pub(crate) fn shown<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A table as CSV.
pub(crate) struct Table(csv::Writer<Vec<u8>>);

impl Table {
    pub(crate) fn new<'a>(headings: impl IntoIterator<Item = &'a str>) -> Self {
        let mut table = Self(csv::Writer::from_writer(Vec::new()));
        table.row(headings.into_iter().map(str::to_owned));
        table
    }

    /// Adds a row, as long as that of the headings.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        // Memory takes every row, and all rows are equally long.
        let written = self.0.write_record(cells.into_iter().collect::<Vec<_>>());
        debug_assert!(written.is_ok(), "{written:?}");
    }

    /// Writes it.
    ///
    /// # Errors
    /// If the file cannot be written; it is then as it was.
    pub(crate) fn write(self, path: &Path) -> Result<(), Error> {
        let wrong = |error| Error::file(format!("{}: {error}", path.display()));
        let bytes = self.0.into_inner().map_err(|error| wrong(error.to_string()))?;
        Ok(write_atomically(path, &bytes)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confusion_counts_answers_by_class() {
        let names = ["a, b".to_owned(), "c".to_owned(), "d".to_owned()];
        let own = vec![
            (0, vec![2.0, 1.0, 0.0]),
            (0, vec![0.0, 1.0, 0.0]),
            (1, vec![0.0, 1.0, 0.0]),
            (1, vec![0.0, 3.0, 0.0]),
        ];
        let rows = confusion(&own, &[0, 1, 2], &names);
        assert_eq!(rows.len(), 2, "of `d` there is no image");
        let path = tempfile::NamedTempFile::new().expect("a file");
        write_confusion(path.path(), &rows, &names).expect("written");
        let text = std::fs::read_to_string(path.path()).expect("read");
        assert_eq!(text, "class,\"a, b\",c,d\n\"a, b\",1,1,0\nc,0,2,0\n");
    }
}
