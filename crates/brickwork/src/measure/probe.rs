//! How much of some classes a network still knows: what a linear classifier on its last features
//! makes of them.

use brickwork_data::Preprocess;
use brickwork_graph::ValueId;
use brickwork_tensor::Tensor;
use schemars::JsonSchema;
use serde::Serialize;

use crate::images::source::Source;
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::layers::layers;
use crate::model::percent::Percent;
use crate::model::progress::Progress;
use crate::refit::regression::Regression;

/// What a linear classifier on a network's features gets right.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Probe {
    /// Features of an image.
    pub features: usize,
    /// Images it was fitted on.
    pub fitted_on: usize,
    /// Images it was measured on.
    pub images: usize,
    /// Share of those that it classifies correctly.
    pub accuracy: Percent,
    /// Share of the most frequent class among them.
    pub chance: Percent,
}

/// Labelled images for a probe; the classes are those of the data, whatever the model's are.
pub struct ProbeImages<'a> {
    /// The data, all samples of one data set.
    pub source: &'a Source,
    /// Which samples.
    pub samples: Vec<usize>,
    /// The class of every one of them, from 0.
    pub truth: Vec<usize>,
}

impl<'a> ProbeImages<'a> {
    /// At most `each` samples of every one of the data's classes of these names, at random.
    pub fn of(source: &'a Source, classes: &[String], each: usize, seed: u64) -> Self {
        // The data's own classes in place of a model's.
        let own = source.dataset.classes().iter();
        let own = own.map(|name| classes.iter().position(|wanted| wanted == name));
        let relabelled = Source { class_of: own.collect(), ..source.clone() };
        let (mut samples, mut truth) = (Vec::new(), Vec::new());
        for place in 0..classes.len() {
            let found = relabelled.some_of(place, each, seed);
            truth.extend(vec![place; found.len()]);
            samples.extend(found);
        }
        Self { source, samples, truth }
    }
}

/// Fits a multinomial logistic regression on what the network's last layer reads for `fitted`, and
/// measures it on `measured`.
///
/// # Errors
/// If there are fewer than two classes or no image of one, the model has several heads, or it cannot
/// run.
pub fn probe(
    model: &Classifier,
    preprocess: &Preprocess,
    fitted: &ProbeImages<'_>,
    measured: &ProbeImages<'_>,
    classes: usize,
    progress: &dyn Progress,
) -> Result<Probe, Error> {
    let count = |images: &ProbeImages<'_>, class| {
        images.truth.iter().filter(|truth| **truth == class).count()
    };
    let empty = (0..classes).any(|k| count(fitted, k) == 0 || count(measured, k) == 0);
    if classes < 2 || empty {
        return Err(Error::options(
            "a probe tells at least two classes apart, each with images to fit and to measure on; \
             choose others (`classes=`)"
                .to_owned(),
        ));
    }
    let last = last_features(model)?;
    progress.begin("probing", (fitted.samples.len() + measured.samples.len()) as u64);
    let known = features(model, last, preprocess, fitted, progress)?;
    let regression = Regression::fit(&known, &fitted.truth, classes);
    let found = regression.classes(&features(model, last, preprocess, measured, progress)?);
    let right = found.iter().zip(&measured.truth).filter(|(a, b)| a == b).count();
    let most = (0..classes).map(|class| count(measured, class)).max().unwrap_or(0);
    let all = measured.samples.len();
    Ok(Probe {
        features: known.shape()[1],
        fitted_on: fitted.samples.len(),
        images: all,
        accuracy: Percent::ratio(right as u64, all as u64),
        chance: Percent::ratio(most as u64, all as u64),
    })
}

/// What the layer that makes the scores reads.
fn last_features(model: &Classifier) -> Result<ValueId, Error> {
    if model.card().parts.len() > 1 {
        return Err(Error::options(format!(
            "`{}` is made of {} parts with heads of their own; probe the parts",
            model.name,
            model.card().parts.len()
        )));
    }
    layers(model.graph())
        .last()
        .map(|layer| layer.input)
        .ok_or_else(|| Error::model(format!("`{}` has no layer with weights", model.name)))
}

/// The values `[n, features]` of some images.
fn features(
    model: &Classifier,
    value: ValueId,
    preprocess: &Preprocess,
    images: &ProbeImages<'_>,
    progress: &dyn Progress,
) -> Result<Tensor, Error> {
    let mut session = model.session(&[value]);
    let mut rows = Vec::new();
    let size = model.batch_size();
    images.source.for_each_batch(&images.samples, size, preprocess, |indices, batch| {
        rows.extend(session.outputs(indices.len(), batch.data())?.remove(0).into_data());
        progress.advance(indices.len() as u64)?;
        Ok(())
    })?;
    let count = images.samples.len();
    Ok(Tensor::new([count, rows.len() / count.max(1)], rows))
}
