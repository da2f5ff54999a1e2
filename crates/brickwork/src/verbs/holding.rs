//! Images that only measure, while something is made of the others.

use brickwork_data::{Preprocess, Split};

use super::inputs::Labelled;
use super::{Context, DataInput, HoldOut};
use crate::images::source::{Held, Source};
use crate::measure::held_out::HeldOut;
use crate::model::classifier::Classifier;
use crate::model::error::{Error, Problem};
use crate::model::names::first_few;

/// Which images measure: some of those that are given, or all of another part of the data.
pub(super) struct Holding<'a> {
    pub(super) data: &'a DataInput,
    pub(super) amount: HoldOut,
    pub(super) split: Option<Split>,
}

impl Holding<'_> {
    /// Whether any do.
    pub(super) fn any(&self) -> bool {
        self.split.is_some() || self.amount != HoldOut::None
    }

    /// That images would be measured on that something was made of.
    pub(super) fn problem(&self) -> Option<Problem> {
        let used = self.data.split.unwrap_or(Split::Train);
        let message = format!(
            "`hold_out_split={used}` is the part that the others are of; name another one, or leave it out"
        );
        Problem::unless(self.split != Some(used), "hold_out_split", &message)
    }

    /// Gives the images that something is made of, each once for each of its classes, and those that measure. `sources`
    /// have every image once; they are of `model`, and of the `classes` that are asked for, or all.
    ///
    /// # Errors
    /// If a class has too few images, or the other part cannot be read.
    pub(super) fn split(
        &self,
        sources: Vec<Source>,
        (model, classes): (&Classifier, Option<&str>),
        preprocess: &Preprocess,
        context: &Context<'_>,
    ) -> Result<(Vec<Source>, Option<HeldOut>), Error> {
        let Some(split) = self.split else {
            let amount = self.amount.amount();
            note_small(&sources, amount, context)?;
            let (rest, held) = HeldOut::split(sources, amount, preprocess, context.seed)?;
            return Ok((by_label(rest)?, held));
        };
        let apart = DataInput { split: Some(split), ..self.data.clone() };
        let Labelled { sources: held, .. } =
            apart.labelled_whole(&mut model.clone(), classes, split, context)?;
        Ok((by_label(sources)?, Some(HeldOut::of_all(held, preprocess))))
    }
}

/// The same images, each once for each of its classes.
fn by_label(mut sources: Vec<Source>) -> Result<Vec<Source>, Error> {
    for source in &mut sources {
        source.dataset = source.dataset.clone().by_label()?;
    }
    Ok(sources)
}

/// Says of which classes other numbers of images are held out than asked for.
///
/// # Errors
/// If more are asked for than any class has.
pub(super) fn note_small(
    sources: &[Source],
    held: Option<Held>,
    context: &Context<'_>,
) -> Result<(), Error> {
    let Some(held) = held else { return Ok(()) };
    let small: Vec<String> = sources.iter().flat_map(|source| source.too_small(held)).collect();
    let classes: usize = sources.iter().map(|source| source.own_classes().len()).sum();
    match held {
        _ if small.is_empty() => {}
        Held::PerClass(count) if small.len() == classes => {
            return Err(Error::options(format!(
                "no class has more than {count} images; hold fewer out (`hold_out=`), a share, or none"
            )));
        }
        _ => context.progress.note(&format!(
            "of small classes other numbers of images are held out than asked for (`hold_out=`): {}",
            first_few(&small)
        )),
    }
    Ok(())
}
