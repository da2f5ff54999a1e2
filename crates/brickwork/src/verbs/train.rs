//! Networks that learn from scratch.

use brickwork_data::{Preprocess, Split};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inputs::{self, Labelled, Opened, note_merged};
use super::training::{FROM_SCRATCH, each_once, untrained};
use super::{Context, DataInput, RunInput, TrainAnswer, Verb};
use crate::architectures::{Architecture, ArchitectureOptions, Stem};
use crate::images::labels::LabelTable;
use crate::images::matching::Numbered;
use crate::images::source::Source;
use crate::model::error::{Error, Problem};
use crate::train::Labels;

/// Train a network from scratch
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Train {
    /// The architecture
    #[schemars(extend("enum" = Architecture::names()))]
    pub arch: String,
    /// Factor of the numbers of hidden channels
    pub width: f64,
    /// How images are taken in [default: imagenet from 96 pixels on]
    pub stem: Option<Stem>,
    /// Learn these classes of the data alone: names, indices, inclusive ranges
    pub classes: Option<String>,
    /// Which images.
    #[serde(flatten)]
    pub data: DataInput,
    /// How the run goes.
    #[serde(flatten)]
    pub run: RunInput,
}

impl Default for Train {
    fn default() -> Self {
        let (data, run) = (DataInput::default(), RunInput::default());
        Self { arch: String::new(), width: 1.0, stem: None, classes: None, data, run }
    }
}

impl Verb for Train {
    type Answer = TrainAnswer;

    const NAME: &'static str = "train";

    fn problems(&self) -> Vec<Problem> {
        let unknown = Architecture::named(&self.arch).err();
        let own = [
            unknown.map(|error| Problem::new("arch", error.to_string())),
            Problem::unless(
                self.data.pixels.mean.is_empty() == self.data.pixels.std.is_empty(),
                "mean",
                "`mean=` and `std=` go together; without both, they are measured on the training images",
            ),
            self.data.needed("networks learn from images"),
        ];
        let mut found = self.run.problems(FROM_SCRATCH);
        found.extend(own.into_iter().flatten());
        found
    }

    fn work(&self, context: &Context<'_>) -> Result<TrainAnswer, Error> {
        let opened = self.data.open(Split::Train, context)?;
        note_merged(opened.iter(), context);
        let labels = self.data.labels.as_deref();
        let labels = labels.map(|path| LabelTable::read(path, usize::MAX)).transpose()?;
        let all = self.class_names(&opened, labels.as_ref())?;
        let mut wanted = inputs::chosen(self.classes.as_deref(), &all, context)?;
        wanted.sort_unstable();
        let names: Vec<String> = wanted.into_iter().map(|class| all[class].clone()).collect();
        let classes = Numbered::new(names.clone(), None);
        let mut data = Labelled::default();
        for one in opened {
            data.add(one, &classes, labels.as_ref(), context)?;
        }
        data.choose((0..names.len()).collect(), &names);
        self.data.check(self.classes.is_none(), &data.account, &data.classes, context)?;
        let images = self.run.images(data, context)?;
        let preprocess = self.preprocess(&images.train, context)?;
        let options = ArchitectureOptions {
            classes: names.len(),
            channels: preprocess.channels,
            size: preprocess.size,
            width: self.width,
            stem: self.stem,
        };
        let model = untrained(Architecture::named(&self.arch)?, &options, names, context.seed)?;
        let mut labels = Labels { smoothing: self.run.smoothing, ..Labels::default() };
        let options = self.run.options(FROM_SCRATCH, context.seed);
        self.run.train(&model, &images, &preprocess, &options, &mut labels, context)
    }
}

impl Train {
    /// The class names that are given, or those of the data sets, each once, as a table of labels has
    /// them.
    fn class_names(
        &self,
        sets: &[Opened],
        labels: Option<&LabelTable>,
    ) -> Result<Vec<String>, Error> {
        let given = self.data.pixels.class_names()?;
        let called = |name: &String| {
            let place = labels.and_then(|labels| Some((labels, labels.place(name)?)));
            let known = place.and_then(|(labels, place)| labels.class(place).0.last());
            known.unwrap_or(name).clone()
        };
        let of_data = || each_once(sets.iter().flat_map(|one| one.dataset.classes()).map(called));
        Ok(given.unwrap_or_else(of_data))
    }

    /// How images become the network's input: as is given, else by size and statistics of the
    /// training images.
    fn preprocess(&self, train: &Source, context: &Context<'_>) -> Result<Preprocess, Error> {
        let pixels = &self.data.pixels;
        let first = train.dataset.image(0)?;
        let size = pixels.size.map_or([first.height(), first.width()], |size| size.0);
        let channels = if first.channels() == 1 { 1 } else { 3 };
        let made = pixels.over(Preprocess::plain(size, channels));
        if pixels.mean.is_empty() {
            let made = made.measured(&train.dataset)?;
            let Preprocess { mean, std, .. } = &made;
            context.progress.note(&format!("normalising by mean {mean:?} and std {std:?}"));
            return Ok(made);
        }
        made.validate()?;
        pixels.question(std::slice::from_ref(train), &made, context)?;
        Ok(made)
    }
}
