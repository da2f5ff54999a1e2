//! Components into one classifier.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Context, Replacement, Verb, inputs};
use crate::join::assemble::{AssembleOptions, Layout, assemble, shared_layers};
use crate::join::replacing::{Substitute, named_twice, replaced};
use crate::measure::verify::{part_images, verify_assembled};
use crate::model::card::OnDuplicate;
use crate::model::classifier::Classifier;
use crate::model::error::{Error, Problem};
use crate::model::random::uniform;

/// Join components into one classifier
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Assemble {
    /// The components, in order
    pub parts: Vec<PathBuf>,
    /// Where to write the model
    pub output: Option<PathBuf>,
    /// Leave these classes out: names, separated by commas. All other scores stay as they are
    pub remove: Vec<String>,
    /// Take a class from another component instead. Repeat for several
    pub replace: Vec<Replacement>,
    /// Parallel branches (any parts), or block-diagonal layers (parts of one architecture)
    pub layout: Layout,
    /// What to do about classes of one name: join their scores, or keep both apart
    pub on_duplicate: OnDuplicate,
}

/// What was joined.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AssembleAnswer {
    /// The file that was written.
    pub output: Option<PathBuf>,
    /// The classes of the model.
    pub classes: Vec<String>,
    /// What it is made of, in order.
    pub parts: Vec<AssembledPart>,
    /// Learned parameters.
    pub params: usize,
    /// Multiply-accumulates of one image.
    pub macs: u64,
    /// Weighted layers that several parts have in common: stored and run once.
    pub shared_layers: Vec<String>,
    /// How far the scores of random images are from the parts' own, relative to the largest.
    pub difference_from_parts: f32,
    /// The model.
    #[serde(skip)]
    pub model: Classifier,
}

/// One part of an assembled model.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AssembledPart {
    /// Its name.
    pub name: String,
    /// Its classes.
    pub classes: Vec<String>,
    /// Learned parameters.
    pub params: usize,
    /// Multiply-accumulates of one image.
    pub macs: u64,
}

impl Verb for Assemble {
    type Answer = AssembleAnswer;

    const NAME: &'static str = "assemble";

    fn problems(&self) -> Vec<Problem> {
        let none = self.parts.is_empty();
        let none = none.then(|| Problem::new("parts", "there are no components to join"));
        let given = self.replace.iter().map(|one| &one.class);
        let gone: Vec<&String> = self.remove.iter().chain(given).collect();
        let twice = named_twice(&gone).map(|name| {
            Problem::new("remove", format!("class {name} is removed or replaced twice"))
        });
        let files = self.output.iter().map(|path| ("output", path));
        none.into_iter().chain(twice).chain(inputs::unwritable(files)).collect()
    }

    fn work(&self, context: &Context<'_>) -> Result<AssembleAnswer, Error> {
        let parts = self.parts.iter().map(|path| inputs::load(path, context));
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        let parts = replaced(&parts, &self.remove, &self.substitutes(context)?)?;
        let options = AssembleOptions { layout: self.layout, on_duplicate: self.on_duplicate };
        let model = assemble(&parts, &options)?;
        let difference_from_parts = difference(&model, &parts, context.seed)?;
        if let Some(path) = &self.output {
            context.save(&model, path)?;
        }
        Ok(AssembleAnswer {
            output: self.output.clone(),
            classes: model.class_names(),
            parts: parts.iter().map(AssembledPart::of).collect(),
            params: model.graph().parameters(),
            macs: model.graph().macs(),
            shared_layers: shared_layers(&model),
            difference_from_parts,
            model,
        })
    }
}

impl Assemble {
    /// The components that replace classes, each once.
    fn substitutes(&self, context: &Context<'_>) -> Result<Vec<Substitute>, Error> {
        let mut files: Vec<&PathBuf> = Vec::new();
        for Replacement { component, .. } in &self.replace {
            if !files.contains(&component) {
                files.push(component);
            }
        }
        let substitute = |file: &PathBuf| -> Result<Substitute, Error> {
            let its = self.replace.iter().filter(|one| one.component == *file);
            let classes = its.map(|one| one.class.clone()).collect();
            Ok(Substitute { component: inputs::load(file, context)?, classes })
        };
        files.into_iter().map(substitute).collect()
    }
}

impl AssembledPart {
    fn of(part: &Classifier) -> Self {
        Self {
            name: part.name.clone(),
            classes: part.class_names(),
            params: part.graph().parameters(),
            macs: part.graph().macs(),
        }
    }
}

/// How far the scores of a joint model are from its parts', which must be next to nothing.
fn difference(whole: &Classifier, parts: &[Classifier], seed: u64) -> Result<f32, Error> {
    let [c, h, w] = whole.input();
    let images = uniform([2, c, h, w], 0.0, 1.0, seed);
    let found = verify_assembled(whole, parts, &images, &part_images(whole, &images)?)?;
    if found.holds {
        return Ok(found.worst);
    }
    Err(Error::model(format!(
        "the assembled model's scores differ from its parts' by {:.1e} of the largest (part `{}`); please \
         report these models",
        found.worst, found.worst_layer
    )))
}
