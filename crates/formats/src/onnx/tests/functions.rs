//! Local functions: what calls stand for, and what they may not do.

use super::*;

/// A function of the domain `local`; names are separated by spaces.
fn function(name: &str, inputs: &str, outputs: &str, node: Vec<Node>) -> Function {
    let list = |names: &str| names.split_whitespace().map(str::to_owned).collect();
    Function {
        name: name.to_owned(),
        input: list(inputs),
        output: list(outputs),
        node,
        opset_import: vec![OperatorSet { domain: String::new(), version: 17 }],
        domain: "local".to_owned(),
        ..Function::default()
    }
}

fn call(name: &str, inputs: &str, outputs: &str, attributes: Named<'_>) -> Node {
    Node { domain: "local".to_owned(), ..node(name, inputs, outputs, attributes) }
}

fn with(model: Model, functions: Vec<Function>) -> Model {
    Model { functions, ..model }
}

/// The attribute of the call that is called `name`.
fn of_call(name: &str) -> Attribute {
    Attribute { kind: 1, ref_attr_name: name.to_owned(), ..Attribute::default() }
}

#[track_caller]
fn result(model: &Model) -> (Vec<f32>, String) {
    let graph = survives(model);
    let feed: Vec<f32> = (0..32).map(|k| k as f32 - 16.0).collect();
    let mut session = Session::new(Arc::new(graph.clone()), graph.outputs());
    let found = session.outputs(1, &feed).unwrap_or_else(|error| panic!("{error}"));
    (found[0].data().to_vec(), graph.to_string())
}

#[test]
fn a_call_is_the_body_of_its_function() {
    // leak(x) = LeakyRelu(x) + 0.5, with a slope that the call may give; twice(x) calls it two times.
    let leak = Function {
        attribute_proto: vec![Attribute { name: "slope".to_owned(), ..float(0.25) }],
        ..function(
            "leak",
            "x",
            "y",
            vec![
                node("LeakyRelu", "x", "bent", &[("alpha", of_call("slope"))]),
                node("Constant", "", "half", &[("value", array(halves("", &[])))]),
                node("Add", "bent half", "y", &[]),
            ],
        )
    };
    let twice = function(
        "twice",
        "a",
        "b same",
        vec![
            call("leak", "a", "first", &[]),
            call("leak", "first", "b", &[("slope", float(0.5))]),
            node("Identity", "a", "same", &[]),
        ],
    );
    let nodes = vec![call("twice", "x", "t -", &[]), node("Neg", "t", "y", &[])];
    // The body's own names are those of the calling graph, too.
    let (found, words) = result(&with(model(nodes, vec![]), vec![twice, leak]));
    let leak = |x: f32, slope: f32| if x < 0.0 { slope * x } else { x } + 0.5;
    for (k, y) in found.into_iter().enumerate() {
        assert_eq!(y, -leak(leak(k as f32 - 16.0, 0.25), 0.5));
    }
    assert!(words.contains("LeakyRelu") && !words.contains("leak("), "{words}");
}

#[test]
fn operands_that_a_function_hands_on_are_results() {
    let swap = function("swap", "a b", "b a", vec![]);
    let nodes = vec![
        node("Neg", "x", "n", &[]),
        call("swap", "x n", "p q", &[]),
        node("Relu", "p", "r", &[]),
        node("Sub", "r q", "y", &[]),
    ];
    let (found, _) = result(&with(model(nodes, vec![]), vec![swap]));
    for (k, y) in found.into_iter().enumerate() {
        let x = k as f32 - 16.0;
        assert_eq!(y, (-x).max(0.0) - x);
    }
}

#[test]
fn a_function_that_calls_itself() {
    let nodes = vec![call("loop", "x", "y", &[])];
    let own = function("loop", "a", "b", vec![call("loop", "a", "b", &[])]);
    let said = with(model(nodes.clone(), vec![]), vec![own]);
    refused(&said, &["function `loop` calls itself"]);
    let there = function("loop", "a", "b", vec![call("back", "a", "b", &[])]);
    let back = function("back", "a", "b", vec![call("loop", "a", "b", &[])]);
    refused(&with(model(nodes, vec![]), vec![there, back]), &["calls itself"]);
}

#[test]
fn a_function_for_another_operator_set() {
    let mut old = function("old", "a", "b", vec![node("Relu", "a", "b", &[])]);
    old.opset_import[0].version = 12;
    let model = with(model(vec![call("old", "x", "y", &[])], vec![]), vec![old]);
    refused(&model, &["function `old` is written for operator set 12, its model for 17"]);
}

/// Each function calls the one before it sixteen times.
#[test]
fn calls_that_stand_for_too_many_nodes() {
    let mut functions = vec![function("f0", "a", "b", vec![node("Relu", "a", "b", &[])])];
    for depth in 1..8 {
        let inner = format!("f{}", depth - 1);
        let name = |k: usize| if k == 0 { "a".to_owned() } else { format!("v{k}") };
        let mut body: Vec<Node> =
            (0..16).map(|k| call(&inner, &name(k), &name(k + 1), &[])).collect();
        body[15].output = vec!["b".to_owned()];
        functions.push(function(&format!("f{depth}"), "a", "b", body));
    }
    let model = with(model(vec![call("f7", "x", "y", &[])], vec![]), functions);
    refused(&model, &["calls of functions stand for more than 65536 nodes"]);
}

#[test]
fn what_is_wrong_in_a_body_is_named_by_its_place() {
    let odd = function("odd", "a", "b", vec![node("Det", "a", "b", &[])]);
    let model = with(model(vec![call("odd", "x", "y", &[])], vec![]), vec![odd]);
    refused(&model, &["node `odd of y/Det of b` (Det): operator of ONNX is not supported"]);
}
