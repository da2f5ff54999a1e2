//! Along which axis of an output the classes lie.

use brickwork_graph::{Attr, Dim, Graph};

use crate::model::error::Error;
use crate::model::rebuild::{begun, copy_node, operation};

/// The axes of an output of scores.
pub(super) struct ClassAxis {
    /// The axis of the batch.
    batch: usize,
    /// The axis of the classes; none of `[n]`.
    axis: Option<usize>,
    /// All others.
    others: Vec<usize>,
    /// Whether scores are averaged over the others.
    averages: bool,
    /// How many classes there are.
    pub(super) classes: usize,
}

impl ClassAxis {
    /// Of the only output of a network: the axis that is `named`, or the only one but the batch on which
    /// there is more than one score.
    ///
    /// # Errors
    /// If there is no such axis.
    pub(super) fn of(called: &str, graph: &Graph, named: Option<usize>) -> Result<Self, Error> {
        let shape = &graph.value(graph.outputs()[0]).shape;
        let extents = shape.sample();
        let batch = shape.0.iter().position(|dim| *dim == Dim::Batch(1));
        let Some(batch) = batch else {
            return Err(Error::model(format!(
                "`{called}` is no image classifier: expected one output of scores [n, k], found {shape}, of \
                 which no axis is the batch"
            )));
        };
        let rest = || (0..shape.rank()).filter(|&axis| axis != batch);
        let large: Vec<usize> = rest().filter(|&axis| extents[axis] > 1).collect();
        let axis = match (named, &large[..]) {
            (Some(axis), _) if axis == batch || axis >= shape.rank() => {
                return Err(Error::options(format!(
                    "`class_axis={axis}` is no axis of the output {shape} of `{called}` but the batch"
                )));
            }
            (Some(axis), _) => Some(axis),
            (None, []) => rest().next(),
            (None, [only]) => Some(*only),
            (None, _) => {
                return Err(Error::model(format!(
                    "`{called}` is no image classifier: expected one output of scores [n, k], found {shape}; \
                     if classes lie along one of its axes, say which (`class_axis=1`), and scores are averaged \
                     over the others"
                )));
            }
        };
        let others: Vec<usize> = rest().filter(|other| Some(*other) != axis).collect();
        let averages = others.iter().any(|&other| extents[other] > 1);
        let classes = axis.map_or(1, |axis| extents[axis]);
        Ok(Self { batch, axis, others, averages, classes })
    }

    /// Whether scores are `[n, k]` or `[n, k, 1, 1]`.
    fn is_usual(&self) -> bool {
        self.batch == 0 && self.axis == Some(1) && !self.averages
    }

    /// The network with scores `[n, k]`, before the softmax that follows them if one does; one whose scores
    /// are `[n, k, 1, 1]` stays as it is.
    ///
    /// # Errors
    /// If the network would not be sound.
    pub(super) fn flat(&self, graph: &Graph) -> Result<Graph, Error> {
        let Some(axis) = self.axis.filter(|_| !self.is_usual()) else { return Ok(graph.clone()) };
        let producers = graph.producers();
        let output = graph.outputs()[0];
        let normaliser = producers[output.index()].map(|id| graph.node(id));
        let normaliser = normaliser.filter(|node| node.op.normalises_scores());
        let scores = normaliser.and_then(|node| node.input(0)).unwrap_or(output);
        let [scores, output] = [scores, output].map(|id| graph.value(id).name.as_str());
        let inner = format!("{output}.by_place");
        let mut builder = begun(graph, |_| true);
        for node in graph.nodes() {
            if normaliser.is_some_and(|last| last.name == node.name) {
                continue;
            }
            let name = |name| if name == output { inner.as_str() } else { name };
            copy_node(&mut builder, graph, node, name, name);
        }
        let scores = if scores == output { &inner } else { scores };
        let [turned, last] = ["turned", "scores"].map(|stem| format!("{output}.{stem}"));
        let last = if normaliser.is_some() { &last } else { output };
        let order: Vec<usize> = [self.batch, axis].into_iter().chain(self.others.clone()).collect();
        let sorted = order.is_sorted();
        if !sorted {
            let order = order.iter().map(|&axis| axis as i64).collect();
            let to = if self.others.is_empty() { last } else { &turned };
            operation(&mut builder, "Transpose", &[scores], to, &[("perm", Attr::Ints(order))]);
        }
        let from = if sorted { scores } else { &turned };
        if self.averages {
            let axes = (2..order.len() as i64).collect();
            let attrs = [("axes", Attr::Ints(axes)), ("keepdims", Attr::Int(0))];
            operation(&mut builder, "ReduceMean", &[from], last, &attrs);
        } else if !self.others.is_empty() {
            operation(&mut builder, "Flatten", &[from], last, &[("axis", Attr::Int(1))]);
        }
        if let Some(node) = normaliser {
            operation(&mut builder, node.op.kind(), &[last], output, &[("axis", Attr::Int(1))]);
        }
        builder.output(output);
        Ok(builder.finish()?)
    }
}
