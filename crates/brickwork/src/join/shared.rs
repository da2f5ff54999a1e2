//! What parts have in common: nodes of one operator, with equal constants, that read the same values,
//! from the image on. Components of one source share the layers that nothing was cut from; these are
//! stored and run once. A part's last layer stays its own.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use brickwork_graph::{Builder, Graph, Literal, Node, ValueId};
use brickwork_tensor::Tensor;

use crate::model::layers::layers;
use crate::model::rebuild::place_node;

/// What the names of shared layers begin with, as those of others do with their part's.
pub(super) const SHARED: &str = "shared";

/// The parts' nodes by what they compute, and those that are in the assembled graph already.
pub(super) struct Trunk {
    /// For every part and node, which of all computations it is.
    numbers: Vec<Vec<usize>>,
    /// Whether several parts have it.
    common: Vec<bool>,
    /// The names of the results of common ones that were placed.
    placed: HashMap<usize, Vec<String>>,
    /// The names of all values.
    taken: HashSet<String>,
}

impl Trunk {
    /// Of parts; those that do not read the `same_image` have nothing in common.
    pub(super) fn of(parts: &[&Graph], same_image: bool) -> Self {
        let mut computations = Computations::default();
        let end = |graph| if same_image { head(graph) } else { 0 };
        let numbers: Vec<Vec<usize>> =
            parts.iter().map(|graph| computations.numbers(graph, end(graph))).collect();
        let holders = |number| numbers.iter().filter(|part| part.contains(&number)).count();
        let common = (0..computations.count).map(|number| holders(number) > 1).collect();
        Self { numbers, common, placed: HashMap::new(), taken: HashSet::new() }
    }

    /// Copies the nodes of a part, by its place, under its `name`, common ones once and under [`SHARED`]; `image` is what it
    /// reads. Returns the name of its scores.
    pub(super) fn import(
        &mut self,
        builder: &mut Builder,
        part: usize,
        name: &str,
        graph: &Graph,
        image: &str,
    ) -> String {
        let values = HashMap::from([(graph.inputs()[0], image.to_owned())]);
        let mut copies =
            Copies { builder, graph, values, constants: HashMap::new(), taken: &mut self.taken };
        for (node, &number) in graph.nodes().iter().zip(&self.numbers[part]) {
            if !self.common[number] {
                copies.place(node, name);
            } else if let Some(outputs) = self.placed.get(&number) {
                copies.values.extend(node.outputs.iter().copied().zip(outputs.iter().cloned()));
            } else {
                self.placed.insert(number, copies.place(node, SHARED));
            }
        }
        copies.values[&graph.logits()].clone()
    }
}

/// A part on its way into the assembled graph.
struct Copies<'a> {
    builder: &'a mut Builder,
    graph: &'a Graph,
    /// The new names of computed values.
    values: HashMap<ValueId, String>,
    /// Those of constants, by what they begin with.
    constants: HashMap<(&'a str, ValueId), String>,
    taken: &'a mut HashSet<String>,
}

impl<'a> Copies<'a> {
    /// Adds a node and the constants it reads; gives its results' names.
    fn place(&mut self, node: &Node, prefix: &'a str) -> Vec<String> {
        let inputs: Vec<Option<String>> =
            node.inputs.iter().map(|id| id.map(|id| self.input(id, prefix))).collect();
        let outputs: Vec<String> = node.outputs.iter().map(|&id| self.fresh(id, prefix)).collect();
        let name = format!("{prefix}/{}", node.name);
        place_node(self.builder, &name, node.op.as_ref(), &inputs, &outputs);
        self.values.extend(node.outputs.iter().copied().zip(outputs.iter().cloned()));
        outputs
    }

    fn input(&mut self, id: ValueId, prefix: &'a str) -> String {
        let Some(data) = &self.graph.value(id).constant else { return self.values[&id].clone() };
        if let Some(name) = self.constants.get(&(prefix, id)) {
            return name.clone();
        }
        let name = self.fresh(id, prefix);
        self.builder.constant(&name, Literal::Floats((**data).clone()));
        self.constants.insert((prefix, id), name.clone());
        name
    }

    fn fresh(&mut self, id: ValueId, prefix: &str) -> String {
        unique(self.taken, format!("{prefix}/{}", self.graph.value(id).name))
    }
}

/// `name`, marked until nothing else is called so.
pub(super) fn unique(taken: &mut HashSet<String>, mut name: String) -> String {
    while !taken.insert(name.clone()) {
        name.push('\'');
    }
    name
}

/// The place of a part's last layer.
fn head(graph: &Graph) -> usize {
    layers(graph).last().map_or(0, |layer| layer.node.index())
}

/// What nodes compute: two are the same if their operators and constants are equal and they read the
/// same values.
#[derive(Default)]
struct Computations {
    count: usize,
    /// The number of everything met, by its description.
    known: HashMap<String, usize>,
    constants: Vec<Arc<Tensor>>,
}

impl Computations {
    /// The number of every node of a part; those from `end` on are like no other.
    fn numbers(&mut self, graph: &Graph, end: usize) -> Vec<usize> {
        let mut values: HashMap<ValueId, String> = [(graph.inputs()[0], "image".to_owned())].into();
        let mut numbers = Vec::new();
        for (place, node) in graph.nodes().iter().enumerate() {
            let number = if place < end { self.number(graph, node, &values) } else { self.fresh() };
            let results = node.outputs.iter().enumerate();
            values.extend(results.map(|(slot, &id)| (id, format!("{number}.{slot}"))));
            numbers.push(number);
        }
        numbers
    }

    fn number(&mut self, graph: &Graph, node: &Node, values: &HashMap<ValueId, String>) -> usize {
        let mut input = |id: ValueId| match &graph.value(id).constant {
            Some(data) => format!("constant {}", self.constant(data)),
            None => values[&id].clone(),
        };
        let inputs: Vec<Option<String>> = node.inputs.iter().map(|id| id.map(&mut input)).collect();
        let description = format!("{} {:?} {inputs:?}", node.op.kind(), node.op.spec());
        if let Some(&number) = self.known.get(&description) {
            return number;
        }
        let number = self.fresh();
        self.known.insert(description, number);
        number
    }

    fn fresh(&mut self) -> usize {
        self.count += 1;
        self.count - 1
    }

    /// The place of the first equal constant.
    fn constant(&mut self, data: &Arc<Tensor>) -> usize {
        let same = |known: &Arc<Tensor>| Arc::ptr_eq(known, data) || equal(known, data);
        self.constants.iter().position(same).unwrap_or_else(|| {
            self.constants.push(data.clone());
            self.constants.len() - 1
        })
    }
}

/// To the bit.
fn equal(a: &Tensor, b: &Tensor) -> bool {
    let bits = |x: &f32| x.to_bits();
    a.shape() == b.shape() && a.data().iter().map(bits).eq(b.data().iter().map(bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_equal_to_the_bit() {
        let of = |x: f32| Arc::new(Tensor::new([2], vec![1.0, x]));
        let mut computations = Computations::default();
        let places = [0.0, 0.5, -0.0, 0.5, 0.0].map(|x| computations.constant(&of(x)));
        assert_eq!(places, [0, 1, 2, 1, 0]);
        let other = Arc::new(Tensor::new([1, 2], vec![1.0, 0.0]));
        assert_eq!(computations.constant(&other), 3);
    }

    #[test]
    fn names_are_marked_until_they_are_new() {
        let mut taken = HashSet::new();
        assert_eq!(
            ["a", "a", "b", "a"].map(|name| unique(&mut taken, name.to_owned())),
            ["a", "a'", "b", "a''"]
        );
    }
}
