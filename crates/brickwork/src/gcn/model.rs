//! The network.

use std::path::Path;
use std::sync::Arc;

use brickwork_exec::Session;
use brickwork_formats::onnx::{self, ReadOptions};
use brickwork_graph::{Attr, Builder, Graph, Literal, Shape, ValueId};
use brickwork_tensor::{Nd, Tensor};

use super::Nodes;
use crate::model::card::Card;
use crate::model::error::{Error, Problem};
use crate::model::random::uniform;
use crate::model::rebuild::operation;

/// A graph that classifies nodes, with what is known about it: from features `[n, nodes, features]`
/// to scores `[n, nodes, classes]`. Which nodes are neighbours is a constant of it.
#[derive(Clone, Debug)]
pub struct Gcn {
    /// What it is called: its file name without the extension.
    pub name: String,
    /// The network, without its card: that is written into the metadata when the model is saved.
    graph: Arc<Graph>,
    card: Card,
}

/// What to build.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GcnOptions {
    /// Hidden channels.
    pub hidden: usize,
    /// Share of features and of hidden channels that are dropped in training.
    pub dropout: f32,
    /// Seed of the first weights.
    pub seed: u64,
}

impl Default for GcnOptions {
    /// As in the paper's citation networks: 16 hidden channels, half of everything dropped.
    fn default() -> Self {
        Self { hidden: 16, dropout: 0.5, seed: 0 }
    }
}

/// Hidden channels beyond which no network is built.
const MOST_HIDDEN: usize = 1 << 16;

impl GcnOptions {
    /// What makes no sense.
    pub(crate) fn problem(&self) -> Option<Problem> {
        let (hidden, dropout) = (self.hidden, self.dropout);
        let fine = (1..=MOST_HIDDEN).contains(&hidden) && (0.0..1.0).contains(&dropout);
        let words = format!(
            "{hidden} hidden channels and dropout {dropout}; expected 1 to {MOST_HIDDEN} and from 0 to \
             below 1"
        );
        Problem::unless(fine, "hidden", &words)
    }
}

impl Gcn {
    /// Two layers for the nodes of `nodes`: `A drop(relu(A drop(x) W1 + b1)) W2 + b2` (Kipf and Welling
    /// 2017, eq. 9, without the softmax). Weights are uniform within `sqrt(6 / (inputs + outputs))`
    /// (Glorot and Bengio 2010, eq. 16), biases zero.
    ///
    /// # Errors
    /// If an option is out of range.
    pub fn build(nodes: &Nodes, options: &GcnOptions) -> Result<Self, Error> {
        let (hidden, dropout) = (options.hidden, options.dropout);
        Problem::refuse(options.problem().into_iter().collect())?;
        let (features, classes) = (nodes.features(), nodes.classes.len());
        let mut builder = Builder::new("gcn", 17, None);
        let b = &mut builder;
        b.input("features", Shape::batched(&[nodes.len(), features]));
        b.constant("adjacency", Literal::Floats(nodes.adjacency()));
        let drop = [("ratio", Attr::Float(dropout))];
        operation(b, "Dropout", &["features"], "features.dropout", &drop);
        operation(b, "MatMul", &["adjacency", "features.dropout"], "neighbours1", &[]);
        linear(b, "layer1", "neighbours1", [features, hidden], "layer1.biased", options.seed);
        operation(b, "Relu", &["layer1.biased"], "hidden", &[]);
        operation(b, "Dropout", &["hidden"], "hidden.dropout", &drop);
        operation(b, "MatMul", &["adjacency", "hidden.dropout"], "neighbours2", &[]);
        linear(b, "layer2", "neighbours2", [hidden, classes], "logits", options.seed ^ (1 << 32));
        b.output("logits");
        let card = Card { classes: nodes.classes.clone(), ..Card::default() };
        Self::described("gcn", builder.finish()?, card)
    }

    /// Loads an ONNX file.
    ///
    /// # Errors
    /// If it cannot be read or the model does not classify nodes.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        Self::new(name.unwrap_or_default(), onnx::load(path, &ReadOptions::default())?)
    }

    /// Reads the bytes of an ONNX file, whose model is called `name`.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn decode(name: impl Into<String>, bytes: &[u8]) -> Result<Self, Error> {
        Self::new(name, onnx::decode(bytes, None, &ReadOptions::default())?)
    }

    /// Takes a graph for a classifier of nodes, with the card that its metadata holds.
    ///
    /// # Errors
    /// If it has another form, or its card contradicts it.
    pub fn new(name: impl Into<String>, graph: Graph) -> Result<Self, Error> {
        let card = Card::of(&graph)?;
        Self::described(name, graph, card)
    }

    /// Takes a graph for a classifier of nodes of which `card` tells, whatever its metadata holds.
    ///
    /// # Errors
    /// If it has another form, or the card contradicts it.
    pub fn described(
        name: impl Into<String>,
        graph: impl Into<Arc<Graph>>,
        card: Card,
    ) -> Result<Self, Error> {
        let gcn = Self { name: name.into(), card, graph: graph.into() };
        let shape = |ids: &[ValueId]| match *ids {
            [only] => Some(gcn.graph.value(only).shape.clone()),
            _ => None,
        };
        let fits = |[input, output]: [Shape; 2]| {
            let (a, b) = (input.at(2), output.at(2));
            input.rank() == 3 && output.rank() == 3 && a[..2] == b[..2] && a[0] == 2
        };
        let ends = shape(gcn.graph.inputs()).zip(shape(gcn.graph.outputs()));
        if !ends.is_some_and(|(input, output)| fits([input, output])) {
            return Err(Error::model(format!(
                "`{}` does not classify nodes: expected one input [n, nodes, features] and one output \
                 [n, nodes, classes]",
                gcn.name
            )));
        }
        let named = gcn.card.classes.len();
        if named > 0 && named != gcn.class_count() {
            return Err(Error::model(format!(
                "the metadata of `{}` names {named} classes, but it has {} scores",
                gcn.name,
                gcn.class_count()
            )));
        }
        Ok(gcn)
    }

    /// The network.
    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// What is known about it.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// Another network of which the same is known.
    ///
    /// # Errors
    /// If the card does not fit it.
    pub fn with_graph(&self, graph: Graph) -> Result<Self, Error> {
        Self::described(self.name.clone(), graph, self.card.clone())
    }

    /// Writes the ONNX file, the card in its metadata.
    ///
    /// # Errors
    /// If it cannot be written; the target is then as it was.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        Ok(onnx::save(&self.to_graph()?, path)?)
    }

    /// The graph with the card in its metadata, as it is stored.
    ///
    /// # Errors
    /// If the card cannot be written as JSON.
    pub fn to_graph(&self) -> Result<Graph, Error> {
        self.card.on(&self.graph)
    }

    /// The bytes of its ONNX file, the card in its metadata.
    ///
    /// # Errors
    /// If there are 2 GiB or more.
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        Ok(onnx::encode(&self.to_graph()?)?)
    }

    /// Number of nodes and of features.
    pub fn input(&self) -> [usize; 2] {
        let extents = self.graph.value(self.graph.inputs()[0]).shape.sample();
        [extents[1], extents[2]]
    }

    /// Number of classes.
    pub fn class_count(&self) -> usize {
        self.graph.value(self.graph.outputs()[0]).shape.sample()[2]
    }

    /// Class names; indices in words where none are known.
    pub fn class_names(&self) -> Vec<String> {
        if self.card.classes.is_empty() {
            return (0..self.class_count()).map(|k| k.to_string()).collect();
        }
        self.card.classes.clone()
    }

    /// Refuses data of another size.
    ///
    /// # Errors
    /// If the data has not as many nodes and features as the input.
    pub fn check_data(&self, nodes: &Nodes) -> Result<(), Error> {
        let (expected, found) = (self.input(), [nodes.len(), nodes.features()]);
        if found == expected {
            return Ok(());
        }
        Err(Error::options(format!(
            "`{}` takes {} nodes with {} features, but {} has {} with {}",
            self.name, expected[0], expected[1], nodes.name, found[0], found[1]
        )))
    }

    /// The scores of every node `[nodes, classes]` for features `[1, nodes, features]`.
    ///
    /// # Errors
    /// If the network cannot run.
    pub fn scores(&self, features: &Tensor) -> Result<Tensor, Error> {
        let [nodes, _] = self.input();
        let scores = values(&self.graph, &[self.graph.logits()], features)?.remove(0);
        Ok(scores.reshape([nodes, self.class_count()]))
    }
}

/// Values of a graph for features `[1, nodes, features]`.
pub(super) fn values(
    graph: &Arc<Graph>,
    ids: &[ValueId],
    features: &Tensor,
) -> Result<Vec<Tensor>, Error> {
    Ok(Session::new(graph.clone(), ids).outputs(1, features.data())?)
}

/// A linear layer over the last axis with the first weights that `seed` gives.
fn linear(
    builder: &mut Builder,
    name: &str,
    from: &str,
    [inputs, outputs]: [usize; 2],
    to: &str,
    seed: u64,
) {
    let bound = (6.0 / (inputs + outputs) as f32).sqrt();
    let [weight, bias] = ["weight", "bias"].map(|part| format!("{name}.{part}"));
    let drawn = uniform([inputs, outputs], -bound, bound, seed);
    builder.constant(&weight, Literal::Floats(drawn));
    builder.constant(&bias, Literal::Floats(Nd::filled([outputs], 0.0)));
    operation(builder, "MatMul", &[from, &weight], name, &[]);
    operation(builder, "Add", &[name, &bias], to, &[]);
}
