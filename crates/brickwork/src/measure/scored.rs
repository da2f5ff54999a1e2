//! Scores of labelled images: of own classes and of foreign ones.

use brickwork_data::Preprocess;

use crate::images::source::Source;
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::progress::Progress;

/// Samples whose class is not among `classes`.
pub(super) fn foreign_of(source: &Source, classes: &[usize]) -> Vec<usize> {
    let is_foreign = |&index: &usize| source.class(index).is_none_or(|c| !classes.contains(&c));
    (0..source.dataset.len()).filter(is_foreign).collect()
}

/// Logits of own samples with their class, and of foreign ones.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scored {
    /// With the model's class of each.
    pub(crate) own: Vec<(usize, Vec<f32>)>,
    pub(crate) foreign: Vec<Vec<f32>>,
}

impl Scored {
    /// Runs `model` over own and foreign samples of every source.
    pub(super) fn of(
        model: &Classifier,
        preprocess: &Preprocess,
        sources: &[Source],
        [own, foreign]: [&Vec<Vec<usize>>; 2],
        progress: &dyn Progress,
    ) -> Result<Self, Error> {
        let mut scored = Self { own: Vec::new(), foreign: Vec::new() };
        let mut scorer = model.scorer();
        for (k, source) in sources.iter().enumerate() {
            for (indices, is_own) in [(&own[k], true), (&foreign[k], false)] {
                source.for_each_batch(
                    indices,
                    model.batch_size(),
                    preprocess,
                    |indices, images| {
                        let logits = scorer.logits(images)?;
                        for (&index, row) in
                            indices.iter().zip(logits.data().chunks(logits.shape()[1]))
                        {
                            match source.class(index).filter(|_| is_own) {
                                Some(class) => scored.own.push((class, row.to_vec())),
                                None => scored.foreign.push(row.to_vec()),
                            }
                        }
                        progress.advance(indices.len() as u64)?;
                        Ok(())
                    },
                )?;
            }
        }
        Ok(scored)
    }

    /// The same with the class `indices[class]` in place of every class.
    pub(super) fn relabelled(mut self, indices: &[usize]) -> Self {
        for (class, _) in &mut self.own {
            *class = indices[*class];
        }
        self
    }
}

/// One number as a share of another; 0 of none.
pub(super) fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// The numbers, rising.
pub(super) fn sorted(values: impl Iterator<Item = f32>) -> Vec<f32> {
    let mut list: Vec<f32> = values.collect();
    list.sort_by(f32::total_cmp);
    list
}

/// Share of the numbers that pass a test.
pub(super) fn share_from(values: &[f32], test: impl Fn(f32) -> bool) -> f64 {
    share(values.iter().filter(|&&x| test(x)).count(), values.len())
}
