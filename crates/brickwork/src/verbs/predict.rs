//! What images show.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use brickwork_data::{Dataset, Preprocess};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::inputs;
use super::{Context, ModelInput, PixelInput, Verb};
use crate::images::select::top_class;
use crate::images::source::Source;
use crate::measure::answers::{Table, accepted, part_of, shown};
use crate::measure::statistics::probability;
use crate::model::classifier::{Classifier, Scorer};
use crate::model::error::{Error, Problem};
use crate::model::head::HeadKind;
use crate::model::percent::Percent;

/// Say which class every image is of
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Predict {
    /// Which model.
    #[serde(flatten)]
    pub model: ModelInput,
    /// Images, folders of them, tables of paths, arrays; - for an image or a list of paths from standard
    /// input
    pub images: Vec<PathBuf>,
    /// How they become the model's input.
    #[serde(flatten)]
    pub pixels: PixelInput,
    /// How many classes to name for every image, the likeliest first
    pub top: usize,
    /// Write one line for every image and class to this CSV file
    pub csv: Option<PathBuf>,
}

impl Default for Predict {
    fn default() -> Self {
        let (model, pixels) = (ModelInput::default(), PixelInput::default());
        Self { model, images: Vec::new(), pixels, top: 1, csv: None }
    }
}

/// What all images show.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PredictAnswer {
    /// One for every image, in the order given.
    pub images: Vec<Prediction>,
    /// How many of them could not be read.
    pub unreadable: usize,
}

/// What one image shows.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Prediction {
    /// The image: its file, or its place in a data set.
    pub image: String,
    /// The likeliest classes, the first first; none if the image could not be read.
    pub classes: Vec<Guess>,
    /// The part that answered, in an assembled model.
    pub part: Option<String>,
    /// Whether the score is above the model's threshold, if it has one.
    pub accepted: Option<bool>,
    /// Why the image could not be read.
    pub error: Option<String>,
}

/// One class that an image may be of.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Guess {
    /// Its name.
    pub class: String,
    /// Its index.
    pub index: usize,
    /// The softmax of its logit; its sigmoid where an image may be of several classes.
    pub score: Percent,
    /// Its logit.
    pub logit: f32,
}

impl Verb for Predict {
    type Answer = PredictAnswer;

    const NAME: &'static str = "predict";

    fn problems(&self) -> Vec<Problem> {
        let own = [
            Problem::unless(!self.images.is_empty(), "images", "name an image or a folder of them"),
            inputs::no_count("top", Some(self.top)),
        ];
        let files = inputs::unwritable(self.csv.iter().map(|path| ("csv", path)));
        own.into_iter().flatten().chain(files).collect()
    }

    fn work(&self, context: &Context<'_>) -> Result<PredictAnswer, Error> {
        let model = self.model.load(&self.pixels, context)?;
        model.notes().iter().for_each(|note| context.progress.note(note));
        let preprocess = self.pixels.preprocess(&model)?;
        // An image from standard input is kept as a file as long as it is looked at.
        let mut piped = None;
        let sets = self.sets(&mut piped, context)?;
        let sources: Vec<Source> =
            sets.iter().map(|set| Source::all_foreign(set.name(), set.clone())).collect();
        self.pixels.question(&sources, &preprocess, context)?;
        let all: usize = sets.iter().map(Dataset::len).sum();
        context.progress.begin("looking at images", all as u64);
        let mut run = Run {
            model: &model,
            names: model.class_names(),
            preprocess: &preprocess,
            top: self.top,
            scorer: model.scorer(),
        };
        let mut images = Vec::with_capacity(all);
        for set in &sets {
            let indices: Vec<usize> = (0..set.len()).collect();
            for batch in indices.chunks(model.batch_size()) {
                run.batch(set, batch, &mut images)?;
                context.progress.advance(batch.len() as u64)?;
            }
        }
        if let Some(piped) = &piped {
            let is_piped = |image: &&mut Prediction| Path::new(&image.image) == piped.path();
            images.iter_mut().filter(is_piped).for_each(|image| "-".clone_into(&mut image.image));
        }
        if let Some(path) = &self.csv {
            write_csv(path, &images)?;
        }
        let unreadable = images.iter().filter(|image| image.error.is_some()).count();
        Ok(PredictAnswer { images, unreadable })
    }
}

impl Predict {
    /// The images by data set, those that are files of their own together. An image from standard input
    /// is put into `piped`.
    fn sets(
        &self,
        piped: &mut Option<NamedTempFile>,
        context: &Context<'_>,
    ) -> Result<Vec<Dataset>, Error> {
        let (mut sets, mut files) = (Vec::new(), Vec::new());
        for path in &self.images {
            if let Some(images) = inputs::images(path, context)? {
                sets.push(images);
                continue;
            }
            if path.as_os_str() == "-" {
                files.extend(from_standard_input(piped)?);
                continue;
            }
            let inner = if path.is_dir() { Dataset::files_in(path)? } else { Vec::new() };
            match inner.is_empty() {
                false => files.extend(inner),
                true if Dataset::is_image_name(path) || !path.exists() => files.push(path.clone()),
                true => sets.push(Dataset::open(path, None)?),
            }
        }
        if !files.is_empty() {
            sets.insert(0, Dataset::of_files("images", files));
        }
        Ok(sets)
    }
}

/// The paths that standard input lists, or the file that its bytes were written to if they are an image.
fn from_standard_input(piped: &mut Option<NamedTempFile>) -> Result<Vec<PathBuf>, Error> {
    let wrong = |error| Error::file(format!("cannot read standard input: {error}"));
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).map_err(wrong)?;
    match String::from_utf8(bytes) {
        Ok(list) => {
            let lines = list.lines().map(str::trim).filter(|line| !line.is_empty());
            Ok(lines.map(PathBuf::from).collect())
        }
        Err(image) => {
            let file = tempfile::Builder::new().prefix("standard-input-").tempfile();
            let mut file = file.map_err(wrong)?;
            file.write_all(image.as_bytes()).map_err(wrong)?;
            let path = file.path().to_owned();
            *piped = Some(file);
            Ok(vec![path])
        }
    }
}

/// What looks at images.
struct Run<'a> {
    model: &'a Classifier,
    names: Vec<String>,
    preprocess: &'a Preprocess,
    top: usize,
    scorer: Scorer,
}

impl Run<'_> {
    /// Looks at some images of a set. Where one cannot be read, each is looked at alone.
    fn batch(
        &mut self,
        set: &Dataset,
        indices: &[usize],
        found: &mut Vec<Prediction>,
    ) -> Result<(), Error> {
        match set.batch(indices, self.preprocess) {
            Ok(images) => {
                let logits = self.scorer.logits(&images)?;
                for (&index, row) in indices.iter().zip(logits.data().chunks(logits.shape()[1])) {
                    found.push(self.prediction(set.place(index), row));
                }
            }
            Err(error) if indices.len() == 1 => found.push(Prediction {
                image: set.place(indices[0]),
                error: Some(error.to_string()),
                ..Prediction::default()
            }),
            Err(_) => {
                for index in indices.chunks(1) {
                    self.batch(set, index, found)?;
                }
            }
        }
        Ok(())
    }

    fn prediction(&self, image: String, logits: &[f32]) -> Prediction {
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
        let guess = |&index: &usize| Guess {
            class: self.names[index].clone(),
            index,
            score: Percent::of(match self.model.head() {
                HeadKind::Multilabel => 1.0 / (1.0 + f64::from(-logits[index]).exp()),
                _ => probability(logits, index),
            }),
            logit: logits[index],
        };
        Prediction {
            image,
            classes: order.iter().take(self.top).map(guess).collect(),
            part: part_of(self.model, top_class(logits)).map(str::to_owned),
            accepted: accepted(self.model, logits),
            error: None,
        }
    }
}

fn write_csv(path: &Path, images: &[Prediction]) -> Result<(), Error> {
    let mut table = Table::new([
        "image", "rank", "class", "index", "score", "logit", "part", "accepted", "error",
    ]);
    for Prediction { image, classes, part, accepted, error } in images {
        let shared = || [shown(part.as_ref()), shown(*accepted), shown(error.as_ref())];
        if classes.is_empty() {
            let empty = std::iter::repeat_n(String::new(), 5);
            table.row([image.clone()].into_iter().chain(empty).chain(shared()));
        }
        for (rank, Guess { class, index, score, logit }) in classes.iter().enumerate() {
            let own = [
                image.clone(),
                (rank + 1).to_string(),
                class.clone(),
                index.to_string(),
                score.number().to_string(),
                logit.to_string(),
            ];
            table.row(own.into_iter().chain(shared()));
        }
    }
    table.write(path)
}
