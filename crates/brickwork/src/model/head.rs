//! What the scores of a classifier mean, and how a file gives them where it does not give one score for
//! each of several classes that exclude each other.
//!
//! In memory a classifier has a score `[n, k]` for every class, and sigmoids are left out. What stands in a
//! file is read so, and written as it was:
//!
//! | in the file | in memory |
//! |---|---|
//! | one logit `z` of two classes, `[n, 1]` or `[n]`, with a sigmoid or without | `[-z/2, z/2]`, of which the softmax is `[1 - s(z), s(z)]` |
//! | sigmoids `[n, k]` of classes that do not exclude each other | their logits |
//! | other probabilities `p` of one class or of several, each for itself | `ln p - ln (1 - p)` |
//! | a mean of probabilities `[n, k]` | its logarithm |
//!
//! A sigmoid or a softmax that is written out in simpler operations is read as the one that it is.

mod axis;
mod outputs;
mod range;
mod spelled;
mod tail;

use brickwork_graph::{Builder, Graph, Literal};
use brickwork_tensor::Nd;
use brickwork_tensor::kernels::pointwise::Pointwise;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::error::Error;
use crate::model::layers::layers;
use crate::model::rebuild::{begun, copy_node, ending, operation};
use axis::ClassAxis;
use outputs::main_output;
use range::Probabilities;
use tail::{last_function, pair};

/// What scores mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HeadKind {
    /// An image is of one class, and each has a score of its own.
    #[default]
    Single,
    /// One score tells two classes apart: above 0, or 0.5 after a sigmoid, it is the second.
    Binary,
    /// An image is of any number of classes: of those with scores above 0, or 0.5 after a sigmoid.
    Multilabel,
}

impl HeadKind {
    /// In words, as an option takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Binary => "binary",
            Self::Multilabel => "multilabel",
        }
    }
}

/// What is done to scores in a file that are logits in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `exp(x)`: what is a logarithm of probabilities in memory is probabilities in the file.
    Exponential,
}

impl Activation {
    /// What a node that does it is known by.
    fn function(self) -> Option<Pointwise> {
        match self {
            Self::None => None,
            Self::Sigmoid => Some(Pointwise::Sigmoid),
            Self::Exponential => Some(Pointwise::Exp),
        }
    }
}

/// How the scores of a model stand in its file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// What they mean.
    pub kind: HeadKind,
    /// What is done to them.
    #[serde(default)]
    pub activation: Activation,
    /// What the output is called.
    pub output: String,
}

/// What is said of a model's scores beside what its file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeadOptions {
    /// What they mean.
    pub kind: Option<HeadKind>,
    /// The axis of the output that has a score for every class; scores are averaged over all others but
    /// the batch.
    pub class_axis: Option<usize>,
    /// How many classes have names, if any.
    pub names: usize,
}

/// What a file's card says that matters to its scores.
pub(crate) struct HeadFacts<'a> {
    /// Of how they stand in the file.
    pub(crate) head: Option<&'a Head>,
    /// Whether it was cut out of, or assembled from, models of this project.
    pub(crate) made: bool,
    /// How many classes have names.
    pub(crate) names: usize,
}

/// A network as it is in memory.
pub(crate) struct ReadHead {
    pub(crate) graph: Graph,
    /// How it is written again, if in another form.
    pub(crate) head: Option<Head>,
    /// What was taken for granted, in words.
    pub(crate) notes: Vec<String>,
}

/// The constant that makes one logit of two scores.
const DIFFERENCE: &str = "head.difference";
/// The logit.
const LOGIT: &str = "head.logit";

/// The network of a file, `called` so, with one output: its scores as they are in memory.
///
/// # Errors
/// If no output or several may be scores, they have no class axis, or what is said of them contradicts them.
pub(crate) fn read(
    called: &str,
    graph: Graph,
    facts: &HeadFacts<'_>,
    options: &HeadOptions,
) -> Result<ReadHead, Error> {
    let (graph, note) = main_output(called, graph)?;
    let mut notes = Vec::from_iter(note);
    let graph = match facts.head {
        None => spelled::gathered(graph)?,
        Some(_) => graph,
    };
    let axis = ClassAxis::of(called, &graph, options.class_axis)?;
    let output = graph.value(graph.outputs()[0]).name.clone();
    let sigmoid = last_function(&graph, &Pointwise::Sigmoid).is_some();
    let probabilities = match facts.head {
        None if !sigmoid => Probabilities::of(&graph)?,
        _ => None,
    };
    let apart = probabilities == Some(Probabilities::Apart);
    let kind = match (options.kind, facts.head) {
        (Some(kind), _) => kind,
        (None, Some(head)) => head.kind,
        (None, None) if facts.made => HeadKind::Single,
        (None, None) => {
            let names = if options.names > 0 { options.names } else { facts.names };
            let (kind, note) = likely(called, axis.classes, sigmoid || apart, names);
            notes.extend(note);
            kind
        }
    };
    check(called, kind, axis.classes)?;
    let activation = match facts.head {
        Some(head) if head.kind == kind => head.activation,
        _ if kind != HeadKind::Single && sigmoid => Activation::Sigmoid,
        _ if kind != HeadKind::Single && apart => Activation::Sigmoid,
        _ if kind == HeadKind::Single && probabilities == Some(Probabilities::Exclusive) => {
            return exclusive(&axis.flat(&graph)?, output, notes);
        }
        _ => Activation::None,
    };
    let graph = match apart && activation == Activation::Sigmoid {
        true => logits(&axis.flat(&graph)?, &output)?,
        false => axis.flat(&without(graph, activation)?)?,
    };
    let graph = match kind {
        HeadKind::Binary => two_scores(&graph, &output)?,
        HeadKind::Single | HeadKind::Multilabel => graph,
    };
    let usual = kind == HeadKind::Single && activation == Activation::None;
    let said = options.kind.is_some() || facts.head.is_some();
    let head = Head { kind, activation, output };
    let graph = if head.adds_nodes() { without_name(graph, &head.output)? } else { graph };
    Ok(ReadHead { graph, head: (!usual || said).then_some(head), notes })
}

/// What the scores of a model mean of which nothing is said, and what to say of that. They may be
/// probabilities of each class for itself.
fn likely(called: &str, classes: usize, apart: bool, names: usize) -> (HeadKind, Option<String>) {
    match (classes, names) {
        (1, 1) => (HeadKind::Single, None),
        (1, 2) => (HeadKind::Binary, None),
        (1, _) => {
            let limit = if apart { 0.5 } else { 0.0 };
            let note = format!(
                "`{called}` has one score, which is taken to tell two classes apart: above {limit} it is the \
                 second (`head=binary`); if it is the score of a single class, say `head=single`"
            );
            (HeadKind::Binary, Some(note))
        }
        _ if apart => {
            let note = format!(
                "`{called}` ends in sigmoids or the like, so an image may be of several classes at once \
                 (`head=multilabel`); if it is of one, say `head=single`"
            );
            (HeadKind::Multilabel, Some(note))
        }
        _ => (HeadKind::Single, None),
    }
}

/// That a model with so many scores can have a head of this kind.
fn check(called: &str, kind: HeadKind, classes: usize) -> Result<(), Error> {
    let expected = match kind {
        HeadKind::Binary if classes != 1 => "one score",
        HeadKind::Multilabel if classes < 2 => "two scores or more",
        _ => return Ok(()),
    };
    let name = kind.name();
    Err(Error::options(format!(
        "`head={name}` is for models with {expected}, `{called}` has {classes}; leave it out or say another"
    )))
}

/// `graph` without the last node, but for those that only move elements, that does this to scores.
fn without(graph: Graph, activation: Activation) -> Result<Graph, Error> {
    let last = activation.function().and_then(|function| last_function(&graph, &function));
    let Some((node, before)) = last else { return Ok(graph) };
    let [before, after] = [before, graph.node(node).outputs[0]].map(|id| &graph.value(id).name);
    let output = &graph.value(graph.outputs()[0]).name;
    let scores = scores_name(output);
    let mut builder = begun(&graph, |_| true);
    for id in graph.node_ids().filter(|&id| id != node) {
        let read = |name| if name == after { before.as_str() } else { name };
        let given = |name| if name == output { scores.as_str() } else { name };
        copy_node(&mut builder, &graph, graph.node(id), read, given);
    }
    builder.output(if output == after { before } else { &scores });
    Ok(builder.finish()?)
}

/// What the scores in memory are called, where the output of the file is called `output`.
fn scores_name(output: &str) -> String {
    format!("{output}.scores")
}

/// `[-z/2, z/2]` of a graph that gives one score `z`, or what [`Head::stored`] made `z` of.
fn two_scores(graph: &Graph, output: &str) -> Result<Graph, Error> {
    let last = layers(graph).into_iter().find(|layer| layer.output == graph.outputs()[0]);
    let is_difference = last.as_ref().is_some_and(|layer| {
        let weights = layer.weights(graph);
        graph.value(layer.weight).name == DIFFERENCE && weights.data() == [-1.0, 1.0]
    });
    match last.filter(|_| is_difference) {
        Some(layer) => ending(graph, &graph.value(layer.input).name, |_, name| name),
        None => pair(graph, &scores_name(output)),
    }
}

/// Probabilities kept off 0, and at most `most`.
const CLIPPED: &str = "head.clipped";

/// Adds what is called [`CLIPPED`] of the probabilities `value`.
fn clipped(builder: &mut Builder, value: &str, most: f32) {
    let bounds = [("head.least", f32::MIN_POSITIVE), ("head.most", most)];
    for (name, bound) in bounds {
        builder.constant(name, Literal::Floats(Nd::scalar(bound)));
    }
    operation(builder, "Clip", &[value, bounds[0].0, bounds[1].0], CLIPPED, &[]);
}

/// Probabilities of classes that exclude each other as their logarithms.
fn exclusive(graph: &Graph, output: String, notes: Vec<String>) -> Result<ReadHead, Error> {
    let probabilities = graph.value(graph.outputs()[0]).name.clone();
    let graph = ending(graph, &probabilities, |builder, last| {
        clipped(builder, &last, 1.0);
        let scores = scores_name(&output);
        operation(builder, "Log", &[CLIPPED], &scores, &[]);
        scores
    })?;
    let graph = without_name(graph, &output)?;
    let head = Head { kind: HeadKind::Single, activation: Activation::Exponential, output };
    Ok(ReadHead { graph, head: Some(head), notes })
}

/// Probabilities of classes each for itself as their logits, `ln p - ln (1 - p)`.
fn logits(graph: &Graph, output: &str) -> Result<Graph, Error> {
    let probabilities = graph.value(graph.outputs()[0]).name.clone();
    ending(graph, &probabilities, |builder, last| {
        clipped(builder, &last, 1.0 - f32::EPSILON);
        let [one, minus, rest, yes, no] =
            ["one", "minus", "rest", "yes", "no"].map(|stem| format!("head.{stem}"));
        builder.constant(&one, Literal::Floats(Nd::new([1], vec![1.0])));
        operation(builder, "Neg", &[CLIPPED], &minus, &[]);
        operation(builder, "Add", &[&minus, &one], &rest, &[]);
        operation(builder, "Log", &[CLIPPED], &yes, &[]);
        operation(builder, "Log", &[&rest], &no, &[]);
        let scores = format!("{output}.logits");
        operation(builder, "Sub", &[&yes, &no], &scores, &[]);
        scores
    })
}

/// `graph` with another name for the value called `output`, which is that of the output in the file.
fn without_name(graph: Graph, output: &str) -> Result<Graph, Error> {
    if graph.find_value(output).is_none() {
        return Ok(graph);
    }
    let inner = format!("{output}.inner");
    let name = |name| if name == output { inner.as_str() } else { name };
    let mut builder = begun(&graph, |_| true);
    for node in graph.nodes() {
        copy_node(&mut builder, &graph, node, name, name);
    }
    builder.output(name(&graph.value(graph.outputs()[0]).name));
    Ok(builder.finish()?)
}

impl Head {
    /// The same for a component with these classes; two of one logit that are parted have a score each.
    pub(crate) fn of_classes(&self, classes: usize) -> Option<Self> {
        (self.kind != HeadKind::Binary || classes == 2).then(|| self.clone())
    }

    /// The network as it is written, from the one in memory.
    ///
    /// # Errors
    /// If its scores are not as many as the head has.
    pub(crate) fn stored(&self, graph: &Graph) -> Result<Graph, Error> {
        if !self.adds_nodes() {
            return Ok(graph.clone());
        }
        let scores = &graph.value(graph.outputs()[0]).name;
        let plain = self.activation == Activation::None;
        ending(graph, scores, |builder, mut last| {
            if self.kind == HeadKind::Binary {
                let logit = if plain { &self.output[..] } else { LOGIT };
                builder.constant(DIFFERENCE, Literal::Floats(Nd::new([2, 1], vec![-1.0, 1.0])));
                operation(builder, "MatMul", &[&last, DIFFERENCE], logit, &[]);
                logit.clone_into(&mut last);
            }
            let (read, output) = ([&last[..]], &self.output);
            match self.activation {
                Activation::None => {}
                Activation::Sigmoid => operation(builder, "Sigmoid", &read, output, &[]),
                Activation::Exponential => operation(builder, "Exp", &read, output, &[]),
            }
            output.clone()
        })
    }

    /// Whether its file has nodes that the network in memory has not.
    fn adds_nodes(&self) -> bool {
        self.kind == HeadKind::Binary || self.activation != Activation::None
    }

    /// What contradicts a network with so many scores, as the end of a sentence that begins with the
    /// metadata.
    pub(crate) fn problem(&self, scores: usize) -> Option<String> {
        let wrong = self.kind == HeadKind::Binary && scores != 2;
        wrong.then(|| format!("says it tells two classes apart, but it has {scores} scores"))
    }
}
