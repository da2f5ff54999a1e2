//! The same network with the axes of its input in another order.

use crate::check::check;
use crate::error::Problems;
use crate::graph::{Graph, Node, ValueId};
use crate::ops;
use crate::patch::stand_behind;
use crate::shape::{Dim, Operands, Shape};
use crate::simplify::drop_unused;

/// Whether all that reads the first input takes it with its axes reordered: axis `k` of what is read
/// further on is axis `perm[k]` of the input. The batch is axis 0.
pub fn reads_reordered(graph: &Graph, perm: &[usize]) -> bool {
    let input = graph.inputs[0];
    let mut readers = graph.nodes.iter().filter(|node| node.inputs.contains(&Some(input)));
    let reorders = |node: &Node| reordered(graph, node, input, perm).is_some();
    readers.clone().next().is_some() && readers.all(reorders)
}

/// The network whose first input has axis `perm[k]` of the old one as its axis `k`. Nodes that put it
/// into this order are left out; all others read it from a node that puts it back.
///
/// # Errors
/// If the network would break the invariants in [`check`].
///
/// # Panics
/// If `perm` is no permutation of the input's axes that leaves the batch in front.
pub fn reorder_input(graph: &Graph, perm: &[usize]) -> Result<Graph, Problems> {
    let input = graph.inputs[0];
    let undone: Vec<ValueId> =
        graph.nodes.iter().filter_map(|node| reordered(graph, node, input, perm)).collect();
    let mut inverse = vec![0; perm.len()];
    perm.iter().enumerate().for_each(|(k, &axis)| inverse[axis] = k);
    let mut new = graph.clone();
    let mut names = new.values.iter().map(|value| value.name.clone()).collect();
    let back = stand_behind(&mut new, input, &ops::transposing(inverse), &mut names);
    let old = graph.value(input).shape.clone();
    new.values[input.index()].shape = Shape(perm.iter().map(|&axis| old.0[axis]).collect());
    new.values[back.index()].shape = old;
    for read in new.nodes.iter_mut().flat_map(|node| node.inputs.iter_mut().flatten()) {
        if undone.contains(read) {
            *read = input;
        }
    }
    let new = drop_unused(new);
    check(&new)?;
    Ok(new)
}

/// The result of a node that does nothing but give the axes of `input` the order `perm`.
fn reordered(graph: &Graph, node: &Node, input: ValueId, perm: &[usize]) -> Option<ValueId> {
    let &[result] = node.outputs.as_slice() else { return None };
    if node.input(0) != Some(input) || graph.outputs.contains(&result) {
        return None;
    }
    // What it does to any image it does to a small one whose sides all differ.
    let small: Vec<Dim> = (1..perm.len()).map(|axis| Dim::Fixed(axis + 1)).collect();
    let small = Shape([&[Dim::Batch(1)], &small[..]].concat());
    let operands = Operands::of([Some((&small, None))]);
    let wanted = ops::transposing(perm.to_vec());
    let is_same = node.op.shapes(&operands).ok()? == wanted.shapes(&operands).ok()?
        && node.op.moves(&operands)? == wanted.moves(&operands)?;
    is_same.then_some(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Attr, Builder, Form};

    /// An input `[n, 2, 3, 4]` that `perms` transpose, one beside the other, behind a rectifier each.
    fn network(perms: &[[i64; 4]]) -> Graph {
        let mut builder = Builder::new("net", 17, None);
        builder.input("x", Shape::batched(&[2, 3, 4]));
        for (k, perm) in perms.iter().enumerate() {
            let moved = format!("moved{k}");
            let perm = [("perm".to_owned(), Attr::Ints(perm.to_vec()))].into();
            let node = |kind: &str, input: &str, output: &str, attrs| Form {
                kind: kind.to_owned(),
                inputs: vec![input.to_owned()],
                outputs: vec![output.to_owned()],
                attrs,
                ..Form::default()
            };
            builder.node(&node("Transpose", "x", &moved, perm));
            builder.node(&node("Relu", &moved, &format!("y{k}"), Default::default()));
            builder.output(&format!("y{k}"));
        }
        builder.finish().unwrap()
    }

    const FIRST: [usize; 4] = [0, 3, 1, 2];
    const LAST: [usize; 4] = [0, 2, 3, 1];

    #[test]
    fn a_node_that_reorders_the_input_is_left_out_and_comes_back() {
        let graph = network(&[[0, 3, 1, 2]]);
        assert!(reads_reordered(&graph, &FIRST) && !reads_reordered(&graph, &LAST));
        let first = reorder_input(&graph, &FIRST).unwrap();
        assert_eq!(first.nodes().len(), 1);
        assert_eq!(first.value(first.inputs()[0]).shape, Shape::batched(&[4, 2, 3]));
        let again = reorder_input(&first, &LAST).unwrap();
        assert_eq!(again.nodes().len(), 2);
        assert_eq!(again.value(again.inputs()[0]).shape, Shape::batched(&[2, 3, 4]));
        assert!(reads_reordered(&again, &FIRST));
        let name = |graph: &Graph| graph.value(graph.inputs()[0]).name.clone();
        assert_eq!([name(&first), name(&again)], ["x", "x"]);
    }

    #[test]
    fn what_reads_it_otherwise_reads_it_as_before() {
        let graph = network(&[[0, 3, 1, 2], [0, 1, 3, 2]]);
        assert!(!reads_reordered(&graph, &FIRST));
        let first = reorder_input(&graph, &FIRST).unwrap();
        assert_eq!(first.nodes().len(), 4, "one left out, one that puts the order back");
        let shape = |k: usize| first.value(first.outputs()[k]).shape.clone();
        assert_eq!([shape(0), shape(1)], [Shape::batched(&[4, 2, 3]), Shape::batched(&[2, 4, 3])]);
    }
}
