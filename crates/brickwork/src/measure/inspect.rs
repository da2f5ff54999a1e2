//! What a model is made of: layers, sizes, costs, channel groups.

use brickwork_graph::{Channels, Graph, Node, NodeId, Shape, WhyStep, groups, why};
use schemars::JsonSchema;
use serde::Serialize;

use crate::model::card::InputLayout;
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::head::HeadKind;

/// A model at a glance.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Inspection {
    /// Its name.
    pub name: String,
    /// Input shape in the file; `n` is the batch.
    pub input: String,
    /// The order of its axes. Everything else here has `[n, c, h, w]`.
    pub layout: InputLayout,
    /// What its scores mean.
    pub head: HeadKind,
    /// Class names.
    pub classes: Vec<String>,
    /// Learned parameters.
    pub params: usize,
    /// Multiply-accumulates for one image.
    pub macs: u64,
    /// Every node, in running order.
    pub layers: Vec<LayerRow>,
    /// Families of channels that can only be cut together.
    pub groups: Vec<GroupRow>,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct LayerRow {
    /// Its name.
    pub name: String,
    /// Its operator.
    pub op: String,
    /// Shape of what it reads.
    pub input: String,
    /// Shape of what it makes.
    pub output: String,
    /// Learned parameters it reads; shared ones count where they are read first.
    pub params: usize,
    /// Multiply-accumulates for one image.
    pub macs: u64,
}

/// One family of channels.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct GroupRow {
    /// How many channels can be chosen one by one.
    pub channels: usize,
    /// The values they run through.
    pub members: Vec<MemberRow>,
    /// Why none can be cut, if that is so.
    pub frozen: Option<String>,
}

/// One place of a family.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct MemberRow {
    /// The value.
    pub value: String,
    /// The node that makes it.
    pub node: String,
    /// Its channel axis.
    pub axis: usize,
    /// Places on that axis per channel of the family.
    pub each: usize,
}

/// Looks a model over.
pub fn inspect(model: &Classifier) -> Inspection {
    let graph = model.graph();
    let channels = Channels::of(graph);
    let producers = graph.producers();
    let rows = groups(graph, &channels)
        .into_iter()
        .map(|group| GroupRow {
            channels: group.channels,
            members: group
                .members
                .iter()
                .map(|member| MemberRow {
                    value: graph.value(member.value).name.clone(),
                    node: producers[member.value.index()]
                        .map_or_else(String::new, |n| graph.node(n).name.clone()),
                    axis: member.axis,
                    each: member.each,
                })
                .collect(),
            frozen: group.frozen,
        })
        .collect();
    let layout = model.card().layout.unwrap_or(InputLayout::Nchw);
    let [c, h, w] = model.input();
    let input = match layout {
        InputLayout::Nchw => Shape::batched(&[c, h, w]),
        InputLayout::Nhwc => Shape::batched(&[h, w, c]),
    };
    Inspection {
        name: model.name.clone(),
        input: input.to_string(),
        layout,
        head: model.head(),
        classes: model.class_names(),
        params: graph.parameters(),
        macs: graph.macs(),
        layers: layer_rows(graph),
        groups: rows,
    }
}

fn layer_rows(graph: &Graph) -> Vec<LayerRow> {
    let mut counted = vec![false; graph.values().len()];
    graph.node_ids().map(|id| layer_row(graph, id, graph.node(id), &mut counted)).collect()
}

fn layer_row(graph: &Graph, id: NodeId, node: &Node, counted: &mut [bool]) -> LayerRow {
    let mut params = 0;
    for (slot, input) in node.inputs.iter().enumerate() {
        let Some(value) = input.filter(|_| !node.op.is_statistic(slot)) else { continue };
        if let Some(data) = graph.value(value).constant.as_ref().filter(|data| data.rank() > 0)
            && !std::mem::replace(&mut counted[value.index()], true)
        {
            params += data.data().len();
        }
    }
    let shape = |value: Option<brickwork_graph::ValueId>| {
        value.map_or_else(String::new, |v| graph.value(v).shape.to_string())
    };
    LayerRow {
        name: node.name.clone(),
        op: node.op.kind().to_owned(),
        input: shape(node.input(0)),
        output: shape(node.outputs.first().copied()),
        params,
        macs: graph.node_macs(id),
    }
}

/// What couples or freezes the channels of a value, in sentences.
///
/// # Errors
/// If there is neither a value nor a node of that name.
pub fn explain(model: &Classifier, name: &str) -> Result<Vec<String>, Error> {
    let graph = model.graph();
    let by_node = || graph.find_node(name).map(|id| graph.node(id).outputs[0]);
    let value = graph.find_value(name).or_else(by_node).ok_or_else(|| {
        Error::options(format!("`{name}` is neither a value nor a node of `{}`", model.name))
    })?;
    let channels = Channels::of(graph);
    let shape = &graph.value(value).shape;
    if graph.value(value).constant.is_some() {
        return Err(Error::options(format!(
            "`{name}` is a constant; ask for the node that reads it"
        )));
    }
    let mut lines = vec![match channels.axis(value) {
        Some((axis, labels)) => {
            format!("`{name}` {shape}: {} channels on axis {axis}", labels.len())
        }
        None => format!("`{name}` {shape}: no channel axis"),
    }];
    let steps = why(graph, &channels, value);
    for step in &steps {
        lines.push(match step {
            WhyStep::Coupled(nodes) => {
                let shown: Vec<String> = nodes
                    .iter()
                    .map(|&id| format!("`{}` ({})", graph.node(id).name, graph.node(id).op.kind()))
                    .collect();
                format!("coupled to other channels by {}", shown.join(", "))
            }
            WhyStep::Frozen(reason) => format!("frozen: {reason}"),
        });
    }
    if steps.is_empty() {
        lines.push("free: each channel can be cut by itself".to_owned());
    }
    Ok(lines)
}
