//! Images without labels, for verbs that need none: a folder of nothing but image files. They are taken to be of the
//! class that the model itself says.

use std::path::PathBuf;

use brickwork_data::{Dataset, Preprocess, Split};

use super::Context;
use super::inputs::{self, DataInput, Labelled, Opened};
use crate::images::matching::Numbered;
use crate::images::select::top_class;
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::head::HeadKind;

impl DataInput {
    /// Labelled images, as [`labelled`](Self::labelled) gives them, or those that are
    /// [`answered`](Self::answered).
    ///
    /// # Errors
    /// If data cannot be opened, its classes cannot be told, or only some of it has labels.
    pub(super) fn labelled_or_answered(
        &self,
        model: &mut Classifier,
        classes: Option<&str>,
        usual: Split,
        context: &Context<'_>,
    ) -> Result<Labelled, Error> {
        match self.answered(model, classes, context)? {
            Some(found) => Ok(found),
            None => self.labelled(model, classes, usual, context),
        }
    }

    /// Labelled images, every one once, or those that are [`answered`](Self::answered).
    ///
    /// # Errors
    /// If data cannot be opened, its classes cannot be told, or only some of it has labels.
    pub(super) fn whole_or_answered(
        &self,
        model: &mut Classifier,
        classes: Option<&str>,
        usual: Split,
        context: &Context<'_>,
    ) -> Result<Labelled, Error> {
        match self.answered(model, classes, context)? {
            Some(found) => Ok(found),
            None => self.labelled_whole(model, classes, usual, context),
        }
    }

    /// The images of folders without labels, each of the class to which the model gives the highest score of those asked
    /// for, or of all that it gives it where that may be several. Nothing if the data has labels.
    fn answered(
        &self,
        model: &Classifier,
        classes: Option<&str>,
        context: &Context<'_>,
    ) -> Result<Option<Labelled>, Error> {
        let files = |text: &String| Dataset::unlabelled_files(inputs::named(text).1);
        let folders: Vec<Option<Vec<PathBuf>>> = self.data.iter().map(files).collect();
        if folders.iter().all(Option::is_none) {
            return Ok(None);
        }
        let names = model.class_names();
        let chosen = inputs::chosen(classes, &names, context)?;
        let preprocess = self.pixels.preprocess(model)?;
        let numbered = Numbered::new(names.clone(), model.card().origin.as_ref());
        let mut found = Labelled::default();
        for (text, files) in self.data.iter().zip(folders) {
            let Some(files) = files else {
                return Err(Error::options(format!(
                    "`data={text}` has labels, but others of the data have none; give one kind or the other"
                )));
            };
            let set = Dataset::of_files(text.clone(), files);
            let (set, left_out) = self.readable(set)?;
            let answers = answers(model, &set, &preprocess, &chosen, context)?;
            let opened =
                Opened::of(text.clone(), set.labelled_as(answers, names.clone()), left_out);
            context.progress.note(&format!(
                "{text} has no labels: each of its images is taken to be of {}; accuracies on them tell how often it \
                 agrees with the model",
                match model.head() {
                    HeadKind::Multilabel => "the classes that the model gives it",
                    _ => "the class to which the model gives the highest score of those asked for",
                }
            ));
            found.add(opened, &numbered, None, context)?;
        }
        found.choose(chosen, &names);
        Ok(Some(found))
    }
}

/// For every image the classes of those `chosen` that a model gives it, of classes that exclude each other one.
fn answers(
    model: &Classifier,
    set: &Dataset,
    preprocess: &Preprocess,
    chosen: &[usize],
    context: &Context<'_>,
) -> Result<Vec<Vec<usize>>, Error> {
    let several = model.head() == HeadKind::Multilabel;
    let given = |row: &[f32]| match several {
        true => (0..chosen.len()).filter(|&k| row[k] > 0.0).map(|k| chosen[k]).collect(),
        false => vec![chosen[top_class(row)]],
    };
    let mut scorer = model.scorer();
    let mut found = Vec::with_capacity(set.len());
    context.progress.begin("looking at images without labels", set.len() as u64);
    let places: Vec<usize> = (0..set.len()).collect();
    for batch in places.chunks(model.batch_size()) {
        let logits = scorer.logits(&set.batch(batch, preprocess)?)?.take(1, chosen);
        found.extend(logits.data().chunks(chosen.len()).map(given));
        context.progress.advance(batch.len() as u64)?;
    }
    Ok(found)
}
