//! Nodes that name, order or describe things wrongly.

use super::*;

fn relu(input: &str, output: &str) -> Node {
    node("Relu", input, output, &[])
}

#[test]
fn unknown_operators_are_all_listed() {
    let nodes = vec![
        node("LSTM", "x", "a", &[]),
        node("NonMaxSuppression", "a", "b", &[]),
        node("Det", "x", "c", &[]),
        relu("c", "y"),
    ];
    let said = refused(
        &model(nodes, vec![]),
        &[
            "2 problems in the model",
            "node `LSTM of a` (LSTM): operator of ONNX is not supported",
            "node `Det of c` (Det): operator of ONNX is not supported",
        ],
    );
    // What needs a node that cannot be read has done nothing wrong.
    assert!(!said.contains("Relu") && !said.contains("NonMaxSuppression"));
}

#[test]
fn operators_of_other_domains() {
    let foreign = Node { domain: "com.microsoft".to_owned(), ..node("Conv", "x", "y", &[]) };
    let advice = "operator of com.microsoft is not supported; onnxruntime makes it when it optimises a model";
    refused(&model(vec![foreign], vec![]), &[advice]);
}

#[test]
fn unknown_attributes_are_named() {
    let attrs = [("alpha", float(1.0)), ("beta", int(2))];
    refused_node("Relu", "x", &attrs, &[], &["attribute `alpha`, `beta` is not supported"]);
    refused_node("Sum", "x x", &[("axis", int(1))], &[], &["attribute `axis` is not supported"]);
    let gelu = model(vec![node("Gelu", "x", "y", &[("beta", int(2))])], vec![]);
    refused(&at_opset(gelu, 20), &["attribute `beta` is not supported"]);
}

#[test]
fn attributes_of_the_wrong_type() {
    let says = ["attribute `axis` is \"one\", expected a whole number"];
    refused_node("Softmax", "x", &[("axis", text("one"))], &[], &says);
    let says = ["attribute `alpha` is 1, expected a real number"];
    refused_node("LeakyRelu", "x", &[("alpha", int(1))], &[], &says);
    let says = ["attribute `mode` is a list of whole numbers, expected a word"];
    refused_node("Pad", "x", &[("mode", ints(&[1]))], &[], &says);
    let says = ["attribute `perm` is 1, expected a list of whole numbers"];
    refused_node("Transpose", "x", &[("perm", float(1.0))], &[], &says);
}

#[test]
fn attributes_that_are_nan() {
    let says = ["attribute `alpha` is NaN"];
    refused_node("Elu", "x", &[("alpha", float(f32::NAN))], &[], &says);
}

#[test]
fn an_attribute_given_twice() {
    let attrs = [("axis", int(1)), ("axis", int(2))];
    refused_node("Softmax", "x", &attrs, &[], &["attribute `axis` is given twice"]);
}

#[test]
fn attributes_that_hold_graphs() {
    let graph = Attribute { kind: 5, g: Some(Opaque {}), ..Attribute::default() };
    for kind in ["If", "Loop", "Scan"] {
        let attrs = [("then_branch", graph.clone())];
        refused_node(kind, "x", &attrs, &[], &["operator of ONNX is not supported"]);
    }
    let says = ["attribute `axis` is an attribute of type 5, expected a whole number"];
    refused_node("Softmax", "x", &[("axis", graph)], &[], &says);
}

#[test]
fn an_attribute_array_that_does_not_fit_its_shape() {
    let short = Tensor { dims: vec![3], ..halves("", &[2]) };
    let says = ["attribute `value`: shape [3] needs 3 numbers of 4 bytes each, found 8 bytes"];
    refused_node("Constant", "", &[("value", array(short))], &[], &says);
}

#[test]
fn a_cycle_is_named_at_one_node() {
    let nodes = vec![relu("c", "a"), relu("a", "b"), relu("b", "c"), node("Add", "x c", "y", &[])];
    let said = refused(&model(nodes, vec![]), &["1 problem in", "the nodes form a cycle"]);
    assert!(said.contains("node `Relu of "));
    let own = model(vec![node("Add", "x y", "y", &[])], vec![]);
    refused(&own, &["node `Add of y` (Add): it needs its own result"]);
}

#[test]
fn a_cycle_does_not_hide_other_problems() {
    let nodes = vec![relu("b", "a"), relu("a", "b"), relu("nowhere", "y")];
    refused(&model(nodes, vec![]), &["2 problems", "a cycle", "operand `nowhere` is made by no"]);
}

#[test]
fn nodes_in_any_order_load() {
    let nodes = vec![relu("b", "y"), relu("a", "b"), relu("x", "a")];
    assert_eq!(survives(&model(nodes, vec![])).nodes().len(), 3);
}

#[test]
fn a_value_made_twice() {
    let nodes = vec![relu("x", "a"), node("Neg", "x", "a", &[]), relu("a", "y")];
    refused(&model(nodes, vec![]), &["node `Neg of a` (Neg): `a` is made twice"]);
    refused(&model(vec![relu("x", "y y")], vec![]), &["`y` is made twice"]);
    refused(&model(vec![relu("x", "x")], vec![]), &["node `Relu of x` (Relu)"]);
    let over_constant = model(vec![relu("x", "w"), relu("w", "y")], vec![halves("w", &[1])]);
    refused(&over_constant, &["node `Relu of w` (Relu): `w` is made twice"]);
}

#[test]
fn a_value_that_nobody_makes() {
    let says = ["node `Add of y` (Add): operand `nowhere` is made by no earlier node"];
    refused(&model(vec![node("Add", "x nowhere", "y", &[])], vec![]), &says);
}

#[test]
fn a_node_without_results() {
    let says = ["node `Relu of ` (Relu): it has no first result"];
    refused(&model(vec![relu("x", ""), relu("x", "y")], vec![]), &says);
    refused(&model(vec![relu("x", "- a"), relu("x", "y")], vec![]), &says);
}

#[test]
fn more_results_than_the_operator_has() {
    let says = ["2 results are asked for, 1 are supported"];
    refused(&model(vec![relu("x", "y z")], vec![]), &says);
    let says = ["3 results are asked for, 1 are supported"];
    refused(&model(vec![relu("x", "y - z")], vec![]), &says);
    let indices =
        model(vec![node("MaxPool", "x", "y i", &[("kernel_shape", ints(&[2, 2]))])], vec![]);
    refused(&indices, &["the indices output is not supported"]);
}

#[test]
fn a_node_without_operands() {
    for kind in ["Relu", "Add", "Sum", "Gelu", "Concat", "Shape", "Flatten", "Clip", "Gather"] {
        let model = model(vec![node(kind, "", "y", &[])], vec![]);
        refused(&at_opset(model, 20), &["1 problem in", "operand 0 is missing"]);
    }
}

#[test]
fn a_left_out_operand_in_the_middle() {
    refused_node("Add", "- x", &[], &[], &["operand 0 is missing"]);
    refused_node("Concat", "x - x", &[], &[], &["operand 1 is missing"]);
    let sum = model(vec![node("Sum", "x - x", "y", &[])], vec![]);
    refused(&sum, &["1 problem in", "(Add): operand 1 is missing"]);
}

#[test]
fn outputs_that_nobody_makes_or_that_are_constant() {
    let plain = || model(vec![relu("x", "y")], vec![halves("w", &[2])]);
    let output = |name: &str| changed(plain(), |graph| graph.output.push(value(name, &[])));
    refused(&output("nowhere"), &["`nowhere`: the output is made by no node"]);
    refused(&output("w"), &["`w`: the output does not depend on the input"]);
    refused(&changed(plain(), |graph| graph.output.clear()), &["`liar`: the graph has no output"]);
}

#[test]
fn several_inputs_and_outputs_load() {
    let nodes = vec![node("Add", "x z", "a", &[]), relu("a", "y"), node("Neg", "a", "b", &[])];
    let model = changed(model(nodes, vec![]), |graph| {
        graph.input.push(value("z", &[1, 4, 1]));
        graph.output.push(value("b", &[]));
        graph.output.push(value("x", &[]));
        graph.output.push(value("y", &[]));
    });
    let graph = survives(&model);
    assert_eq!((graph.inputs().len(), graph.outputs().len()), (2, 4));
}

#[test]
fn all_problems_are_told_at_once() {
    let nodes = vec![
        node("Conv", "x w", "a", &[]),
        node("Softmax", "x", "b", &[("axis", int(7))]),
        node("Add", "x v", "c", &[]),
        node("Concat", "a b c", "y", &[]),
    ];
    let long = Tensor { dims: vec![1], ..halves("v", &[3]) };
    let model = changed(model(nodes, vec![halves("w", &[1, 3, 1, 1]), long]), |graph| {
        graph.input.push(ValueInfo { name: "z".to_owned(), r#type: None });
    });
    refused(
        &model,
        &[
            "4 problems in the model",
            "`z`: the input is of none",
            "`v`: shape [1] needs 1 numbers of 4 bytes each, found 12 bytes",
            "node `Conv of a` (Conv): 2 input channels and weights [1, 3, 1, 1] do not fit 1 groups",
            "node `Softmax of b` (Softmax): axis 7 is outside a value of 4 axes",
        ],
    );
}

#[test]
fn many_problems_are_counted() {
    let mut nodes: Vec<Node> = (0..100).map(|k| node("Nope", "x", &format!("v{k}"), &[])).collect();
    nodes.push(relu("x", "y"));
    refused(&model(nodes, vec![]), &["100 problems", "node `Nope of v39`", "and 60 more"]);
}

#[test]
fn nodes_may_share_a_name_or_have_none() {
    let named = |name: &str, node: Node| Node { name: name.to_owned(), ..node };
    let nodes = vec![
        named("same", relu("x", "a")),
        named("same", relu("a", "b")),
        named("same_2", relu("b", "c")),
        named("", relu("c", "y")),
    ];
    let graph = survives(&model(nodes, vec![]));
    let names: Vec<&str> = graph.nodes().iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["same", "same_2", "same_2_2", "y"]);
}

#[test]
fn a_dropped_part_of_a_split_does_not_take_a_name() {
    // The second part has no name; `l.unused1` is a value of its own.
    let nodes = vec![
        node("Neg", "x", "l.unused1", &[]),
        node("Split", "x", "l -", &[("axis", int(1))]),
        node("Concat", "l l.unused1", "y", &[("axis", int(1))]),
    ];
    let graph = survives(&at_opset(model(nodes, vec![]), 13)).to_string();
    assert!(graph.contains("y [n, 3, 4, 4] = Concat(l, l.unused1)"), "{graph}");
    assert!(graph.contains("l [n, 1, 4, 4], l.unused1_2 [n, 1, 4, 4] = Split(x)"), "{graph}");
}

#[test]
fn a_constant_worked_out_does_not_take_a_name() {
    // The scaled weights of the second layer would be called like the weights of the first.
    let nodes = vec![
        node("Flatten", "x", "f", &[]),
        node("Gemm", "f y.gemm.1", "g", &[]),
        node("Gemm", "g w", "y", &[("alpha", float(2.0))]),
    ];
    let constants = vec![halves("y.gemm.1", &[32, 3]), halves("w", &[3, 3])];
    let graph = survives(&model(nodes, constants));
    let scaled = graph.find_value("y.gemm.1_2").expect("it has a name of its own");
    assert_eq!(graph.value(scaled).constant.as_ref().map(|c| c.data()[0]), Some(1.0));
}
