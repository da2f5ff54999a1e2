//! Cutting a component out of a network that classifies nodes.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{NodesInput, load, save};
use crate::cut::kept_channels::KeptMap;
use crate::gcn::{Gcn, GcnCut, GcnCutOptions, disassemble_gcn};
use crate::model::card::Thresholds;
use crate::model::classes;
use crate::model::error::{Error, Problem};
use crate::verbs::inputs::unwritable;
use crate::verbs::{Context, Shrunk, Verb};

/// Cut a component for some classes out of a model
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GcnDisassemble {
    /// The model
    pub model: PathBuf,
    /// Which graph.
    #[serde(flatten)]
    pub nodes: NodesInput,
    /// Classes of the component: names, indices, inclusive ranges
    pub classes: String,
    /// Where to write the component
    pub output: Option<PathBuf>,
    /// Nodes per class that decide, at most: the most confident correct ones of train and val
    pub samples: usize,
    /// An input counts for an output above this relative contribution
    pub alpha: f32,
    /// An input is relevant above this relative count
    pub beta: f32,
    /// Refit the kept weights in closed form at the nodes of train and val
    pub refit: NodeRefitting,
}

impl Default for GcnDisassemble {
    fn default() -> Self {
        let GcnCutOptions { samples, thresholds, .. } = GcnCutOptions::default();
        Self {
            model: PathBuf::new(),
            nodes: NodesInput::default(),
            classes: String::new(),
            output: None,
            samples,
            alpha: thresholds.alpha_linear,
            beta: thresholds.beta_linear,
            refit: NodeRefitting::Lsq,
        }
    }
}

/// How kept weights are refitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NodeRefitting {
    /// Least squares towards what every layer of the source computes
    Lsq,
    /// The bare cut
    None,
}

/// A component of a network that classifies nodes.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct GcnDisassembleAnswer {
    /// Where it was written.
    pub output: Option<PathBuf>,
    /// The model it was cut from.
    pub source: String,
    /// Its classes.
    pub classes: Vec<String>,
    /// Features that are read.
    pub features: Shrunk,
    /// The channels it keeps, by layer.
    pub kept: KeptMap,
    /// Learned parameters.
    pub params: Shrunk,
    /// Multiply-accumulates of all nodes.
    pub macs: Shrunk,
    /// How far its scores are from those of the masked source, relative to the largest, before any refit.
    pub cut_equals_mask: f32,
    /// Whether it was refitted.
    pub refit: bool,
    /// The component itself.
    #[serde(skip)]
    pub component: Gcn,
}

impl Verb for GcnDisassemble {
    type Answer = GcnDisassembleAnswer;

    const NAME: &'static str = "gcn disassemble";

    fn problems(&self) -> Vec<Problem> {
        let share = |field, number: f32| {
            let words = format!("`{field}={number}` is no number from 0 to 1");
            Problem::unless((0.0..=1.0).contains(&number), field, &words)
        };
        let own = [
            self.nodes.problem(),
            Problem::unless(!self.classes.is_empty(), "classes", "no classes are named"),
            Problem::unless(self.samples > 0, "samples", "`samples=` must be at least 1"),
            share("alpha", self.alpha),
            share("beta", self.beta),
        ];
        let files = self.output.iter().map(|path| ("output", path));
        own.into_iter().flatten().chain(unwritable(files)).collect()
    }

    fn work(&self, context: &Context<'_>) -> Result<GcnDisassembleAnswer, Error> {
        let (source, nodes) = (load(&self.model, context)?, self.nodes.open()?);
        let usual = GcnCutOptions::default();
        let thresholds =
            Thresholds { alpha_linear: self.alpha, beta_linear: self.beta, ..usual.thresholds };
        let options = GcnCutOptions {
            classes: classes::parse(&self.classes, &source.class_names())?,
            samples: self.samples,
            thresholds,
            refit: usual.refit.filter(|_| self.refit == NodeRefitting::Lsq),
            seed: context.seed,
        };
        let GcnCut { part, features, kept, checked } = disassemble_gcn(&source, &nodes, &options)?;
        self.output.iter().try_for_each(|path| save(&part, path, context))?;
        let both = |of: fn(&Gcn) -> u64| Shrunk { before: of(&source), after: of(&part) };
        Ok(GcnDisassembleAnswer {
            output: self.output.clone(),
            source: source.name.clone(),
            classes: part.class_names(),
            features: Shrunk { before: source.input()[1] as u64, after: features.len() as u64 },
            kept,
            params: both(|model| model.graph().parameters() as u64),
            macs: both(|model| model.graph().macs()),
            cut_equals_mask: checked,
            refit: options.refit.is_some(),
            component: part,
        })
    }
}
