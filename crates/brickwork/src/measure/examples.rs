//! A few images with what a model answers, so that somebody can look at them.

use std::cmp::Reverse;

use brickwork_data::Image;

use crate::images::select::top_class;
use crate::images::source::Source;
use crate::measure::answers::ImageRecord;
use crate::measure::scored::Scored;
use crate::measure::statistics::probability;
use crate::model::classifier::Classifier;
use crate::model::error::Error;

/// At most so many images that are answered rightly, and so many that are not.
const EACH: usize = 12;

/// An image, and what was answered for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// The image as it is in the data.
    pub image: Image,
    /// The answer.
    pub record: ImageRecord,
    /// Whether it is right.
    pub right: bool,
}

/// An image that was scored.
struct Place<'a> {
    source: &'a Source,
    index: usize,
    class: usize,
    logits: &'a [f32],
}

impl Place<'_> {
    fn right(&self) -> bool {
        top_class(self.logits) == self.class
    }
}

/// Of own images, some that are answered rightly, of every class in turn, and then those that are answered
/// wrongly with the highest softmax.
///
/// # Errors
/// If an image cannot be read again.
pub(super) fn examples(
    model: &Classifier,
    sources: &[Source],
    own: &[Vec<usize>],
    scored: &Scored,
) -> Result<Vec<Example>, Error> {
    let mut answers = scored.own.iter();
    let mut places = Vec::with_capacity(scored.own.len());
    for (source, indices) in sources.iter().zip(own) {
        let found = indices.iter().zip(answers.by_ref());
        places.extend(found.map(|(&index, (class, logits))| Place {
            source,
            index,
            class: *class,
            logits,
        }));
    }
    let (right, mut wrong): (Vec<Place<'_>>, Vec<Place<'_>>) =
        places.into_iter().partition(Place::right);
    wrong.sort_by_key(|place| {
        // From 0 to 1, where numbers and their bits have one order.
        Reverse(probability(place.logits, top_class(place.logits)).to_bits())
    });
    let chosen =
        in_turn(right, model.class_count()).into_iter().chain(wrong.into_iter().take(EACH));
    let names = model.class_names();
    let example = |place: Place<'_>| {
        let Place { source, index, class, logits } = place;
        Ok(Example {
            image: source.dataset.image(index)?,
            record: ImageRecord::new(model, &names, source, index, Some(class), logits),
            right: place.right(),
        })
    };
    chosen.map(example).collect()
}

/// A few of them, of every class in turn.
fn in_turn(places: Vec<Place<'_>>, classes: usize) -> Vec<Place<'_>> {
    let mut seen = vec![0_usize; classes];
    let numbered = places.into_iter().map(|place| {
        seen[place.class] += 1;
        (seen[place.class], place)
    });
    let mut numbered: Vec<_> = numbered.filter(|(number, _)| *number <= EACH).collect();
    numbered.sort_by_key(|(number, place)| (*number, place.class));
    let mut taken: Vec<Place<'_>> =
        numbered.into_iter().take(EACH).map(|(_, place)| place).collect();
    taken.sort_by_key(|place| place.class);
    taken
}
