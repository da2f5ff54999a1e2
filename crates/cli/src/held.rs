//! Training images that are held out to measure on.

use brickwork::{Classifier, Error, EvalOptions, Held, Source, eval};
use brickwork_data::Preprocess;

use crate::args::HoldOut;
use crate::print::Out;
use crate::progress::Shown;

/// Images that only measure.
pub(crate) struct HeldOut {
    sources: Vec<Source>,
    preprocess: Preprocess,
}

impl HeldOut {
    /// Holds images of every data set out: gives the others, then them.
    pub(crate) fn split(
        sources: Vec<Source>,
        held: HoldOut,
        preprocess: &Preprocess,
        seed: u64,
    ) -> Result<(Vec<Source>, Option<Self>), Error> {
        let held = match held {
            HoldOut::None => return Ok((sources, None)),
            HoldOut::Fraction(part) => Held::Fraction(part),
            HoldOut::PerClass(count) => Held::PerClass(count),
        };
        let parts = sources.into_iter().map(|source| source.split_off(held, seed));
        let (rest, sources) = parts.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        Ok((rest, Some(Self { sources, preprocess: preprocess.clone() })))
    }

    /// The images of these classes alone, for a component that has them as its own: in the order of
    /// the model, whatever the order in which they were asked for.
    pub(crate) fn of(mut self, classes: &[usize]) -> Result<Self, Error> {
        let mut classes = classes.to_vec();
        classes.sort_unstable();
        let classes = &classes[..];
        for source in &mut self.sources {
            source.dataset = source.dataset.subset(&source.samples_of(classes))?;
            for class in &mut source.class_of {
                *class = class.and_then(|k| classes.iter().position(|&own| own == k));
            }
        }
        Ok(self)
    }

    /// How many images.
    pub(crate) fn count(&self) -> usize {
        self.sources.iter().map(|source| source.dataset.len()).sum()
    }

    /// Share of the images that `model` classifies correctly.
    pub(crate) fn accuracy(&self, model: &Classifier, out: &Out) -> Result<f64, Error> {
        let classes = (0..model.class_count()).collect();
        let options = EvalOptions { classes, source: None, before_refit: None, parts: None };
        let report = eval(model, &self.preprocess, &self.sources, &options, &Shown::new(out))?;
        Ok(report.accuracy_per_image)
    }
}
