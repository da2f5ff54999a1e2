//! Accuracy and leakage of a network that classifies nodes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{NodesInput, load};
use crate::gcn::eval_gcn;
use crate::measure::eval::{Accuracy, Leakage};
use crate::model::error::{Error, Problem};
use crate::model::percent::Percent;
use crate::verbs::inputs::chosen;
use crate::verbs::{Context, Verb};

/// Measure accuracy and leakage
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GcnEval {
    /// The model or the component
    pub model: PathBuf,
    /// Which graph.
    #[serde(flatten)]
    pub nodes: NodesInput,
    /// Classes to measure: names, indices, inclusive ranges [default: all of the model's]
    pub classes: Option<String>,
    /// The nodes to measure at; choose thresholds by val, report test
    pub split: NodeSplit,
    /// The model it was cut from, to compare with
    pub source: Option<PathBuf>,
}

impl Default for GcnEval {
    fn default() -> Self {
        let (model, nodes) = (PathBuf::new(), NodesInput::default());
        Self { model, nodes, classes: None, split: NodeSplit::Test, source: None }
    }
}

/// Nodes that a network may be measured at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NodeSplit {
    /// Those that the best epoch was chosen by
    Val,
    /// Those that nothing has seen
    Test,
}

/// What was measured.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct GcnEvalAnswer {
    /// Nodes of the classes that were looked at.
    pub nodes: usize,
    /// Share of them classified correctly.
    pub accuracy: Percent,
    /// Share of nodes classified correctly, by class.
    pub accuracy_per_class: BTreeMap<String, Percent>,
    /// Mean of the classes' shares.
    pub mean_class_accuracy: Percent,
    /// The source with all its classes, at the same nodes.
    pub base: Option<Accuracy>,
    /// The source with its scores restricted to the task: the fair comparison.
    pub base_restricted: Option<Accuracy>,
    /// Reaction to nodes of other classes, if there are any.
    pub leakage: Option<Leakage>,
    /// The source's leakage for the same task.
    pub base_leakage: Option<Leakage>,
    /// Learned parameters.
    pub params: usize,
    /// Multiply-accumulates of all nodes.
    pub macs: u64,
}

impl Verb for GcnEval {
    type Answer = GcnEvalAnswer;

    const NAME: &'static str = "gcn eval";

    fn problems(&self) -> Vec<Problem> {
        self.nodes.problem().into_iter().collect()
    }

    fn work(&self, context: &Context<'_>) -> Result<GcnEvalAnswer, Error> {
        let (model, nodes) = (load(&self.model, context)?, self.nodes.open()?);
        let source = self.source.as_deref().map(|path| load(path, context)).transpose()?;
        let classes = chosen(self.classes.as_deref(), &model.class_names(), context)?;
        let at = match self.split {
            NodeSplit::Val => &nodes.held,
            NodeSplit::Test => &nodes.test,
        };
        let report = eval_gcn(&model, &nodes, at, &classes, source.as_ref())?;
        Ok(GcnEvalAnswer {
            nodes: report.images,
            accuracy: report.accuracy_per_image,
            accuracy_per_class: report.accuracy_per_class,
            mean_class_accuracy: report.mean_class_accuracy,
            base: report.base,
            base_restricted: report.base_restricted,
            leakage: report.leakage,
            base_leakage: report.base_leakage,
            params: model.graph().parameters(),
            macs: model.graph().macs(),
        })
    }
}
