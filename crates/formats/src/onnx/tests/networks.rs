//! Odd but honest networks.

use super::*;

#[test]
fn operands_that_gate_each_other() {
    // Channels along axis 1 of one operand, along axis 2 of the other.
    let nodes = vec![
        node("Conv", "x w", "c", &[]),
        node("ReduceMean", "c", "rows", &[("axes", ints(&[3]))]),
        node("Transpose", "rows", "columns", &[("perm", ints(&[0, 3, 1, 2]))]),
        node("ReduceMean", "columns", "flat", &[("axes", ints(&[3]))]),
        node("ReduceMean", "c", "tall", &[("axes", ints(&[2, 3]))]),
        node("Mul", "tall flat", "y", &[]),
    ];
    survives(&model(nodes, vec![halves("w", &[5, 2, 1, 1])]));
}

#[test]
fn outputs_in_the_middle_of_everything() {
    let nodes = vec![
        node("Conv", "x w", "a", &[]),
        node("Relu", "a", "b", &[]),
        node("Add", "b a", "c", &[]),
        node("Sigmoid", "c", "d", &[]),
        node("Mul", "c d", "y", &[]),
    ];
    let model = changed(model(nodes, vec![halves("w", &[2, 2, 1, 1])]), |graph| {
        graph.output.extend(["a", "b", "c", "d"].map(|name| value(name, &[])));
    });
    survives(&model);
}

#[test]
fn one_constant_for_everything() {
    let nodes = vec![
        node("Conv", "x w", "a", &[("group", int(2))]),
        node("Conv", "a w", "b", &[("group", int(2))]),
        node("Relu", "b", "c", &[]),
        node("Reshape", "w shape", "v", &[]),
        node("Add", "c v", "d", &[]),
        node("Mul", "v d", "y", &[]),
    ];
    survives(&model(nodes, vec![halves("w", &[2, 1, 1, 1]), list("shape", &[1, 2, 1, 1])]));
}
