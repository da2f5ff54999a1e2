//! The constants of a graph, and what training does to each.

use std::collections::HashMap;

use brickwork_graph::{ConstantRole, Graph, ValueId};

/// What training does to a constant of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The optimiser moves it.
    Learned,
    /// It follows the batches (running mean and variance).
    Statistic,
    /// It stays as it is.
    Fixed,
}

/// A constant of the graph, in training.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// The constant.
    pub value: ValueId,
    /// Its name.
    pub name: String,
    /// Its extents.
    pub shape: Vec<usize>,
    /// What becomes of it.
    pub role: Role,
    /// Whether it holds a layer's weights, to which weight decay is usually confined.
    pub weights: bool,
    /// Its elements, row-major.
    pub data: Vec<f32>,
}

/// All constants that nodes read, in the order of their first reader.
pub(super) fn parameters(graph: &Graph, learns: impl Fn(&str) -> bool) -> Vec<Parameter> {
    let mut roles: HashMap<ValueId, usize> = HashMap::new();
    let mut list: Vec<Parameter> = Vec::new();
    // Values that depend on a layer, or on statistics.
    let mut behind = vec![false; graph.values().len()];
    for node in graph.nodes() {
        let layer = node.op.weighted(&graph.operands(node));
        let counts = (0..node.inputs.len()).any(|slot| node.op.is_statistic(slot));
        let follows = node.inputs.iter().flatten().any(|input| behind[input.index()]);
        let trains = layer.is_some() || counts || follows;
        node.outputs.iter().for_each(|output| behind[output.index()] = trains);
        for (slot, input) in node.inputs.iter().enumerate() {
            let Some(value) = *input else { continue };
            let Some(data) = &graph.value(value).constant else { continue };
            let name = &graph.value(value).name;
            let own = layer.is_some() || counts || data.data().len() > 1;
            let role = match node.op.role(slot) {
                ConstantRole::Statistic => Role::Statistic,
                ConstantRole::Parameter if trains && learns(name) => Role::Learned,
                ConstantRole::Coefficient if trains && own && learns(name) => Role::Learned,
                _ => Role::Fixed,
            };
            let weights = layer.is_some() && slot == 1;
            let index = *roles.entry(value).or_insert_with(|| {
                list.push(Parameter {
                    value,
                    name: name.clone(),
                    shape: data.shape().to_vec(),
                    role,
                    weights,
                    data: data.data().to_vec(),
                });
                list.len() - 1
            });
            list[index].weights |= weights;
            if role == Role::Learned {
                list[index].role = role;
            }
        }
    }
    list
}
