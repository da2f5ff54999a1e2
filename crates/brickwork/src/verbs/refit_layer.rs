//! One layer of a component after the other, refitted from sums over any number of images.

use std::path::PathBuf;

use brickwork_data::Split;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inputs::{self, Labelled};
use super::partial::{Divisible, Found, Partial, Work};
use super::{Context, DataInput, ModelInput, Portion, Verb};
use crate::model::card::RefitNote;
use crate::model::classifier::Classifier;
use crate::model::error::{Error, Problem};
use crate::refit::{CutLayer, Positions, RefitOptions, cut_of, noted, refitted_layers};

/// Refit one layer of a component to what its source gives there, from sums over all images
///
/// The layers of a component are refitted in their order, each on what those before it deliver. Memory does not grow
/// with the number of images, and sums of several processes add up to those of one but for the rounding of `f64`:
/// weights differ by less than one part in a million of the largest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RefitLayer {
    /// Which images.
    #[serde(flatten)]
    pub data: DataInput,
    /// The model that the component was cut from
    pub source: PathBuf,
    /// The layer, by its node's name
    pub layer: String,
    /// Positions of an image that are looked at, at most, where a layer has several
    pub positions: usize,
    /// Ridge relative to the mean diagonal of the second moments, at least: up to ten thousand times as much if that
    /// does better on every fourth image, which is left out for that
    pub ridge: f64,
    /// Where to write the model
    pub output: Option<PathBuf>,
    /// Which component.
    #[serde(flatten)]
    pub model: ModelInput,
}

impl Default for RefitLayer {
    fn default() -> Self {
        let RefitOptions { images, rows, lambda, .. } = RefitOptions::default();
        Self {
            data: DataInput::default(),
            source: PathBuf::new(),
            layer: String::new(),
            positions: rows / images,
            ridge: lambda,
            output: None,
            model: ModelInput::default(),
        }
    }
}

/// What a layer was refitted from.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RefitLayerAnswer {
    /// The file that was written.
    pub output: Option<PathBuf>,
    /// The layer.
    pub layer: String,
    /// Images that were looked at.
    pub images: usize,
    /// Rows (image, position) that were summed up.
    pub rows: usize,
    /// Of how many of the layer's groups the weights were moved: of the others they did best as they were.
    pub moved: usize,
    /// The component.
    #[serde(skip)]
    pub model: Classifier,
}

/// The layers of `component` that lost anything of `source`, which it was cut from, in the order in which they are
/// refitted.
///
/// # Errors
/// If it does not say what it was cut from, or that was another model.
pub fn layers_to_refit(source: &Classifier, component: &Classifier) -> Result<Vec<String>, Error> {
    check_source(source, component)?;
    Ok(refitted_layers(&cut_of(source, component)?))
}

fn check_source(source: &Classifier, component: &Classifier) -> Result<(), Error> {
    let origin = component.card().origin.as_ref();
    match origin.filter(|origin| !source.has_fingerprint(&origin.fingerprint)) {
        Some(origin) => Err(Error::model(format!(
            "`{}` was cut from `{}` (fingerprint {}), and `{}` is another model",
            component.name, origin.source, origin.fingerprint, source.name
        ))),
        None => Ok(()),
    }
}

impl Verb for RefitLayer {
    type Answer = RefitLayerAnswer;

    const NAME: &'static str = "refit layer";

    fn problems(&self) -> Vec<Problem> {
        let none = inputs::no_count("positions", Some(self.positions));
        let ridge = (!(self.ridge > 0.0 && self.ridge.is_finite()))
            .then(|| Problem::new("ridge", format!("`ridge={}` is no number above 0", self.ridge)));
        let layer = Problem::unless(
            !self.layer.is_empty(),
            "layer",
            "name a layer that lost anything: `layer=`",
        );
        let files = inputs::unwritable(self.output.iter().map(|path| ("output", path)));
        let data = self.data.needed("a layer is refitted on images");
        files.chain(data).chain(none).chain(ridge).chain(layer).collect()
    }

    fn work(&self, context: &Context<'_>) -> Result<RefitLayerAnswer, Error> {
        let whole = self.partial(None, context)?;
        self.finished(whole, context)
    }
}

impl Divisible for RefitLayer {
    fn partial(&self, portion: Option<Portion>, context: &Context<'_>) -> Result<Partial, Error> {
        Problem::refuse(self.problems())?;
        let (mut component, source) = self.models(context)?;
        let preprocess = self.data.pixels.preprocess(&component)?;
        let data = DataInput { portion, ..self.data.clone() };
        let Labelled { sources, classes, mut seen, .. } =
            data.labelled(&mut component, None, Split::Train, context)?;
        seen.look_at(&sources);
        let cut = cut_of(&source, &component)?;
        let layer = CutLayer::find(&cut, &self.layer)?;
        let positions = Positions { each: self.positions, seed: context.seed };
        let batch = source.batch_size();
        let found =
            layer.moments(&sources, &classes, &preprocess, batch, positions, context.progress)?;
        let work = self.work_on(&component, &source, context)?;
        Ok(Partial { work, seen, found: Found::Moments(found) })
    }

    fn finished(&self, whole: Partial, context: &Context<'_>) -> Result<RefitLayerAnswer, Error> {
        let Partial { work, seen, found: Found::Moments(found) } = whole else {
            return Err(Error::options("what was found are no moments of a layer"));
        };
        let (component, source) = self.models(context)?;
        work.check(&self.work_on(&component, &source, context)?)?;
        let classes: Vec<usize> = (0..component.class_count()).collect();
        let account = seen.account(&classes, &component.class_names());
        self.data.check(false, &account, &classes, context)?;
        let preprocess = self.data.pixels.preprocess(&component)?;
        self.data.pixels.question_seen(&seen, &preprocess, context)?;
        let cut = cut_of(&source, &component)?;
        let layer = CutLayer::find(&cut, &self.layer)?;
        let (graph, ridges) = layer.solved(&found, self.ridge)?;
        let images = account.sets.iter().map(|set| set.matched).sum();
        let note = self.note(images, found.rows(), context);
        let model = noted(&component, graph, note)?;
        if let Some(path) = &self.output {
            context.save(&model, path)?;
        }
        Ok(RefitLayerAnswer {
            output: self.output.clone(),
            layer: self.layer.clone(),
            images,
            rows: found.rows(),
            moved: ridges.len(),
            model,
        })
    }
}

impl RefitLayer {
    /// The component and its source.
    fn models(&self, context: &Context<'_>) -> Result<(Classifier, Classifier), Error> {
        let component = self.model.load(&self.data.pixels, context)?;
        let source = inputs::load(&self.source, context)?;
        check_source(&source, &component)?;
        Ok((component, source))
    }

    /// What partials of one layer have in common.
    fn work_on(
        &self,
        component: &Classifier,
        source: &Classifier,
        context: &Context<'_>,
    ) -> Result<Work, Error> {
        Ok(Work::of(Self::NAME)
            .with("model", component.fingerprint())
            .with("source", source.fingerprint())
            .with("layer", &self.layer)
            .with("preprocess", self.data.pixels.preprocess(component)?)
            .with("positions", self.positions)
            .with("seed", context.seed))
    }

    /// What the card says.
    fn note(&self, images: usize, rows: usize, context: &Context<'_>) -> RefitNote {
        RefitNote {
            images,
            rows,
            lambda: self.ridge,
            corrects: true,
            rounds: 0,
            passes: 0,
            readout: 0,
            agreement: None,
            seed: context.seed,
        }
    }
}
