//! Which of several outputs has the class scores.

use std::collections::BTreeSet;

use brickwork_graph::{Graph, ValueId};

use crate::model::error::Error;
use crate::model::looks::are_scores;
use crate::model::rebuild::{begun, copy_node};

/// The network with the one output that has the scores, and what is said of the others: the only output
/// that may be scores, or of several with equally many the first, if none needs more of the network.
///
/// # Errors
/// If none or several may be meant; all are listed.
pub(super) fn main_output(called: &str, graph: Graph) -> Result<(Graph, Option<String>), Error> {
    if graph.outputs().len() < 2 {
        return Ok((graph, None));
    }
    let shown = |id: &ValueId| format!("`{}` {}", graph.value(*id).name, graph.value(*id).shape);
    let fits = |id: &&ValueId| are_scores(&graph.value(**id).shape);
    let fitting: Vec<ValueId> = graph.outputs().iter().filter(fits).copied().collect();
    let size = |id: &ValueId| graph.value(*id).shape.sample_volume();
    let depth = |id: &ValueId| needed(&graph, *id);
    let main = fitting.first().filter(|main| {
        let others = || fitting.iter().skip(1);
        others().all(|other| size(other) == size(main) && depth(other) <= depth(main) + 1)
    });
    let Some(&main) = main else {
        let listed: Vec<String> = graph.outputs().iter().map(shown).collect();
        return Err(Error::model(format!(
            "`{called}` has {} outputs, {}; say which has the class scores (`scores=NAME`)",
            listed.len(),
            listed.join(", ")
        )));
    };
    let dropped: Vec<String> =
        graph.outputs().iter().filter(|id| **id != main).map(shown).collect();
    let note = format!(
        "of the outputs of `{called}`, `{}` is taken for the class scores; left out: {} (`scores=NAME` takes \
         another)",
        graph.value(main).name,
        dropped.join(", ")
    );
    let mut builder = begun(&graph, |_| true);
    for node in graph.nodes() {
        copy_node(&mut builder, &graph, node, |name| name, |name| name);
    }
    builder.output(&graph.value(main).name);
    Ok((builder.finish()?, Some(note)))
}

/// How many nodes a value needs.
fn needed(graph: &Graph, value: ValueId) -> usize {
    let producers = graph.producers();
    let (mut seen, mut open) = (BTreeSet::new(), vec![value]);
    while let Some(value) = open.pop() {
        if let Some(id) = producers[value.index()].filter(|id| seen.insert(*id)) {
            open.extend(graph.node(id).inputs.iter().flatten());
        }
    }
    seen.len()
}
