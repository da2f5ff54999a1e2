//! A preprocessing that cannot be meant for the images at hand is questioned before any work.

use brickwork_data::{PixelRange, Preprocess};

use super::{Context, PixelInput};
use crate::images::seen::Seen;
use crate::images::source::Source;
use crate::model::error::{Error, Problem};

impl PixelInput {
    /// Holds `preprocess` against a few images of every data set, and says how many of them were turned as
    /// their EXIF data says.
    ///
    /// # Errors
    /// If it cannot be meant for them, unless odd pixels are wanted.
    pub(super) fn question(
        &self,
        sources: &[Source],
        preprocess: &Preprocess,
        context: &Context<'_>,
    ) -> Result<(), Error> {
        let mut doubts = Vec::new();
        for Source { name, dataset, .. } in sources {
            let found = PixelRange::of(dataset).map(|range| preprocess.doubts(range));
            let of_data = |doubt| format!("`{name}`: {doubt}");
            doubts.extend(found.unwrap_or_default().into_iter().map(of_data));
            let turned = dataset.turned();
            if turned > 0 {
                let note = format!(
                    "images of `{name}` are turned as their EXIF data says, {turned} of the first looked at"
                );
                context.progress.note(&note);
            }
        }
        self.settle(doubts, context)
    }

    /// Holds `preprocess` against the pixels that several processes saw, by data set.
    ///
    /// # Errors
    /// As [`question`](Self::question).
    pub(super) fn question_seen(
        &self,
        seen: &Seen,
        preprocess: &Preprocess,
        context: &Context<'_>,
    ) -> Result<(), Error> {
        let doubts = seen.pixels().flat_map(|(name, range)| {
            let of_data = move |doubt| format!("`{name}`: {doubt}");
            preprocess.doubts(range).into_iter().map(of_data)
        });
        self.settle(doubts.collect(), context)
    }

    /// Holds `preprocess` against bytes of any value.
    ///
    /// # Errors
    /// If it cannot be meant for them, unless odd pixels are wanted.
    pub(super) fn question_bytes(
        &self,
        preprocess: &Preprocess,
        context: &Context<'_>,
    ) -> Result<(), Error> {
        self.settle(preprocess.doubts(PixelRange::BYTES), context)
    }

    fn settle(&self, doubts: Vec<String>, context: &Context<'_>) -> Result<(), Error> {
        let told = |doubt: String| format!("the preprocessing looks wrong: {doubt}");
        if self.odd_pixels {
            doubts.into_iter().for_each(|doubt| context.progress.note(&told(doubt)));
            return Ok(());
        }
        let problem = |doubt| {
            let message = format!("{}; `odd_pixels=` goes on all the same", told(doubt));
            Problem::new("mean", message)
        };
        Problem::refuse(doubts.into_iter().map(problem).collect())
    }
}
