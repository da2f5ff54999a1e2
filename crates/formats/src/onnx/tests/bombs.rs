//! Small files that ask for a lot: refused before anything large happens.

use allocation_counter::measure;

use super::*;

/// Bytes in use while a small file is refused: what constants worked out may take, and some.
const MOST_BYTES: u64 = (1 << 30) + (1 << 20) * 16;

/// Refuses the model within [`MOST_BYTES`].
#[track_caller]
fn defused(model: &Model, parts: &[&str]) {
    let made = measure(|| _ = refused(model, parts));
    assert!(made.bytes_max <= MOST_BYTES, "{made:?}");
}

#[track_caller]
fn defused_node(
    kind: &str,
    inputs: &str,
    attributes: Named<'_>,
    constants: &[Tensor],
    parts: &[&str],
) {
    let made = measure(|| refused_node(kind, inputs, attributes, constants, parts));
    assert!(made.bytes_max <= MOST_BYTES, "{made:?}");
}

/// Nodes that make `name` a constant of ones.
fn ones(name: &str) -> Node {
    node("ConstantOfShape", &format!("{name}.shape"), name, &[("value", array(halves("", &[1])))])
}

#[test]
fn arrays_out_of_nothing() {
    let of = |shape: &[i64], says: &str| {
        let model =
            model(vec![ones("w"), node("Add", "x w", "y", &[])], vec![list("w.shape", shape)]);
        defused(&model, &["node `ConstantOfShape of w` (ConstantOfShape): ", says]);
    };
    of(&[1 << 40], "shape [1099511627776] holds more than 268435456 elements");
    of(&[1 << 40, 1 << 40], "shape [1099511627776, 1099511627776] holds more than");
    of(&[i64::MAX, i64::MAX, 0], "holds more than");
    of(&[-1], "shape [-1] holds a negative extent");
    of(&[0], "shape [0] holds no elements");
    of(&[1; 100], "it has 100 axes, at most 16 may be");
}

#[test]
fn sparse_arrays_out_of_nothing() {
    let names: Vec<String> = (0..20).map(|k| format!("w{k}")).collect();
    let bomb = changed(model(vec![node("Relu", "x", "y", &[])], vec![]), |graph| {
        graph.sparse_initializer = names
            .iter()
            .map(|name| SparseTensor {
                values: Some(halves(name, &[0])),
                indices: Some(list("indices", &[])),
                dims: vec![1 << 14, 1 << 12],
            })
            .collect();
    });
    defused(&bomb, &["16 problems in", "`w4`: its constant result takes 268435456 steps"]);
}

#[test]
fn many_arrays_out_of_nothing() {
    let names: Vec<String> = (0..100).map(|k| format!("w{k}")).collect();
    let shapes = names.iter().map(|name| list(&format!("{name}.shape"), &[1 << 12, 1 << 12]));
    let mut nodes: Vec<Node> = names.iter().map(|name| ones(name)).collect();
    nodes.push(node("Relu", "x", "y", &[]));
    let says =
        ["its constant result takes 67108864 steps to work out, but a file of this size may"];
    defused(&model(nodes, shapes.collect()), &says);
}

#[test]
fn values_of_absurd_size() {
    let says = ["shape [1073741824, n, 2, 4, 4]", "holds more than 268435456 elements per sample"];
    defused_node("Expand", "x t", &[], &[list("t", &[1 << 30, 1, 1, 1, 1])], &says);
    defused_node("Expand", "x t", &[], &[list("t", &[i64::MAX, i64::MAX, 1, 1, 1, 1])], &says[1..]);
    defused_node(
        "Pad",
        "x p",
        &[],
        &[list("p", &[0, 0, 1 << 20, 1 << 20, 0, 0, 0, 0])],
        &says[1..],
    );
    let windows = [("kernel_shape", ints(&[1 << 16, 1 << 16])), ("pads", ints(&[65535; 4]))];
    defused_node("MaxPool", "x", &windows, &[], &["reads more than 134217728 pixels per channel"]);
    let pads = [("pads", ints(&[1 << 16; 4]))];
    let weights = [halves("w", &[1, 2, 1, 1])];
    defused_node("Conv", "x w", &pads, &weights, &["reads more than 134217728 pixels per channel"]);
}

#[test]
fn values_that_grow_step_by_step() {
    let mut nodes: Vec<Node> = (0..60)
        .map(|k| node("Concat", &format!("v{k} v{k}"), &format!("v{}", k + 1), &[]))
        .collect();
    nodes[0].input = vec!["x".to_owned(), "x".to_owned()];
    nodes.push(node("Relu", "v60", "y", &[]));
    let says = ["1 problem in", "shape [n, 33554432, 4, 4] holds more than 268435456 elements"];
    defused(&model(nodes, vec![]), &says);
}

#[test]
fn constants_that_grow_step_by_step() {
    let mut nodes: Vec<Node> = (0..60)
        .map(|k| node("Concat", &format!("v{k} v{k}"), &format!("v{}", k + 1), &[("axis", int(0))]))
        .collect();
    nodes.push(node("Add", "x v60", "y", &[]));
    let real = model(nodes.clone(), vec![halves("v0", &[1])]);
    defused(&real, &["1 problem in", "its constant result takes 805306368 steps to work out"]);
    let whole = model(nodes, vec![list("v0", &[1])]);
    defused(&whole, &["an array of 2097152 whole numbers, at most 1048576 are supported"]);
}

#[test]
fn products_of_shape_arithmetic() {
    let tall = Tensor { dims: vec![4000, 1], ..list("a", &[7; 4000]) };
    let wide = Tensor { dims: vec![1, 4000], ..list("b", &[7; 4000]) };
    for kind in ["Add", "Sub", "Mul", "Div"] {
        let nodes = vec![node(kind, "a b", "c", &[]), node("Reshape", "x c", "y", &[])];
        let says = ["an array of 16000000 whole numbers, at most 1048576 are supported"];
        defused(&model(nodes, vec![tall.clone(), wide.clone()]), &says);
    }
    let gather =
        vec![node("Gather", "b a", "c", &[("axis", int(0))]), node("Reshape", "x c", "y", &[])];
    let zeros = Tensor { dims: vec![4000, 1], ..list("a", &[0; 4000]) };
    let says = ["an array of 16000000 whole numbers"];
    defused(&model(gather, vec![zeros, wide.clone()]), &says);
    let expand = vec![node("Expand", "b t", "c", &[]), node("Reshape", "x c", "y", &[])];
    defused(&model(expand, vec![list("t", &[4000, 1]), wide]), &says);
}

#[test]
fn shape_arithmetic_that_overflows() {
    for (kind, a, b) in [
        ("Add", i64::MAX, 1),
        ("Sub", i64::MIN, 1),
        ("Sub", 0, i64::MIN),
        ("Mul", i64::MAX, 2),
        ("Div", i64::MIN, -1),
        ("Div", 1, 0),
    ] {
        let nodes = vec![node(kind, "a b", "c", &[]), node("Reshape", "x c", "y", &[])];
        let says = ["shape arithmetic", &format!("node `{kind} of c` ({kind}): ")];
        refused(&model(nodes, vec![list("a", &[a]), list("b", &[b])]), &says);
    }
    // The same in terms of the batch: n * i64::MIN / -1.
    let nodes = vec![
        node("Shape", "x", "s", &[]),
        node("Gather", "s zero", "n", &[]),
        node("Mul", "n least", "m", &[]),
        node("Div", "m minus", "d", &[]),
        node("Reshape", "x d", "y", &[]),
    ];
    let constants = vec![list("zero", &[0]), list("least", &[i64::MIN]), list("minus", &[-1])];
    refused(&model(nodes, constants), &["node `Div of d` (Div): shape arithmetic"]);
}

#[test]
fn constants_that_take_long_to_work_out() {
    let shapes = vec![list("a.shape", &[1 << 13, 1 << 13]), list("b.shape", &[1 << 13, 1 << 13])];
    let nodes =
        vec![ones("a"), ones("b"), node("MatMul", "a b", "c", &[]), node("Add", "x c", "y", &[])];
    let says = ["node `MatMul of c` (MatMul): its constant result takes 550024249344 steps"];
    defused(&model(nodes, shapes), &says);
    let image = |kind: &str, attributes: Named<'_>, says: &str| {
        let nodes = vec![ones("a"), node(kind, "a", "c", attributes), node("Add", "x c", "y", &[])];
        let shape = list("a.shape", &[1, 1 << 12, 1 << 6, 1 << 6]);
        defused(&model(nodes, vec![shape]), &["its constant result takes ", says]);
    };
    image("LRN", &[("size", int(1 << 40))], "68786585600 steps");
    let window = [("kernel_shape", ints(&[33, 33])), ("auto_pad", text("SAME_UPPER"))];
    image("AveragePool", &window, "18337497088 steps");
}

#[test]
fn work_adds_up_over_many_nodes() {
    let mut nodes = vec![ones("v0")];
    nodes.extend((0..1000).map(|k| node("Exp", "v0", &format!("e{k}"), &[])));
    nodes.push(node("Relu", "x", "y", &[]));
    let shape = list("v0.shape", &[1 << 20]);
    defused(&model(nodes, vec![shape]), &["its constant result takes 6291456 steps"]);
}

#[test]
fn constants_that_are_only_passed_on_cost_nothing() {
    let mut nodes = vec![ones("v0")];
    nodes
        .extend((0..5000).map(|k| node("Identity", &format!("v{k}"), &format!("v{}", k + 1), &[])));
    nodes.push(node("Mul", "x v5000", "y", &[]));
    survives(&model(nodes, vec![list("v0.shape", &[1, 1, 1, 1])]));
}

#[test]
fn too_many_nodes_slots_or_outputs() {
    let many = vec![node("Relu", "x", "y", &[]); (1 << 16) + 1];
    defused(&model(many, vec![]), &["it holds 65537 nodes, at most 65536 are supported"]);
    let inputs = "x ".repeat(5000);
    defused_node("Sum", &inputs, &[], &[], &["it has 5000 operands and 1 results, at most 4096"]);
    let outputs: String = (0..5000).map(|k| format!("y{k} ")).collect();
    let split = model(vec![node("Split", "x", &outputs, &[])], vec![]);
    defused(&split, &["it has 1 operands and 5000 results, at most 4096"]);
    let plain = model(vec![node("Relu", "x", "y", &[])], vec![]);
    let asked = changed(plain, |graph| graph.output = vec![value("y", &[]); 5000]);
    defused(&asked, &["`y`: a graph has at most 4096 outputs"]);
}

#[test]
fn names_and_texts_without_end() {
    let long = "z".repeat(100_000);
    let model = model(vec![node("Relu", "x", &long, &[]), node("Relu", &long, "y", &[])], vec![]);
    let said = refused(&model, &["a name has 100000 bytes, at most 1024 are supported"]);
    assert!(said.len() < 10_000, "it takes {} bytes to say", said.len());
    let pads = vec![1; 100_000];
    let weights = vec![halves("w", &[2, 2, 1, 1])];
    let model = super::model(vec![node("Conv", "x w", "y", &[("pads", ints(&pads))])], weights);
    let said = refused(&model, &["pads [1, 1, ", "..."]);
    assert!(said.len() < 10_000, "it takes {} bytes to say", said.len());
}

#[test]
fn names_that_talk_to_the_terminal() {
    let name = "\u{1b}[2J\r\n\u{7}fine";
    let nodes = vec![Node { output: vec![name.to_owned()], ..node("Nope", "x", "a", &[]) }];
    let asked = changed(model(nodes, vec![]), |graph| graph.node[0].name.clear());
    let said = refused(&asked, &["node `\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}fine` (Nope): "]);
    assert!(said.lines().all(|line| !line.contains(char::is_control)));
}

#[test]
fn one_name_for_all_nodes() {
    let mut nodes: Vec<Node> =
        (0..20_000).map(|k| node("Relu", "x", &format!("v{k}"), &[])).collect();
    nodes.iter_mut().for_each(|node| node.name = "same".to_owned());
    nodes.push(node("Concat", "v0 v19999", "y", &[]));
    let made = measure(|| _ = survives(&model(nodes, vec![])));
    assert!(made.count_total < 100 * 20_000, "it grows with the square of the nodes: {made:?}");
}

#[test]
fn a_chain_of_many_functions_does_not_exhaust_the_stack() {
    let mut nodes: Vec<Node> =
        (0..20_000).map(|k| node("Neg", &format!("v{k}"), &format!("v{}", k + 1), &[])).collect();
    nodes.insert(0, node("Add", "x x", "v0", &[]));
    nodes.push(node("Relu", "v20000", "y", &[]));
    survives(&model(nodes, vec![]));
}

#[test]
fn many_moves_of_large_values_are_not_worked_out() {
    let mut nodes = vec![node("Expand", "x t", "v0", &[])];
    nodes.extend((0..2000).map(|k| {
        let perm = [("perm", ints(&[0, 1, 2, 4, 3]))];
        node("Transpose", &format!("v{k}"), &format!("v{}", k + 1), &perm)
    }));
    nodes.push(node("ReduceMean", "v2000", "y", &[("axes", ints(&[0]))]));
    nodes[0] = node("Unsqueeze", "x one", "u", &[]);
    nodes.insert(1, node("Expand", "u t", "v0", &[]));
    let last = nodes.len() - 1;
    nodes[last] = node("ReduceMean", "v2000", "y", &[("axes", ints(&[1]))]);
    let model = model(nodes, vec![list("one", &[1]), list("t", &[1, 1 << 20, 1, 1, 1])]);
    let made = measure(|| _ = read(&model).expect("it loads"));
    assert!(made.bytes_total < 1 << 30, "every move is worked out: {made:?}");
}

#[test]
fn a_long_chain_of_layers_with_one_weight_array() {
    let mut nodes: Vec<Node> = (0..20_000)
        .map(|k| node("Conv", &format!("v{k} w"), &format!("v{}", k + 1), &[]))
        .collect();
    nodes.insert(0, node("Neg", "x", "v0", &[]));
    nodes.push(node("Relu", "v20000", "y", &[]));
    let made = measure(|| _ = survives(&model(nodes, vec![halves("w", &[2, 2, 1, 1])])));
    assert!(made.count_total < 1000 * 20_000, "it grows with the square of the nodes: {made:?}");
}

#[test]
fn empty_messages_by_the_million() {
    // Two bytes each in the file, a hundred times that in memory. Every path of tags leads to a
    // field that may repeat: nodes, constants, inputs and outputs, operator sets, metadata,
    // functions, then what these hold.
    let paths: [&[u32]; 12] = [
        &[7, 1],
        &[7, 5],
        &[7, 11],
        &[7, 12],
        &[8],
        &[14],
        &[25],
        &[7, 1, 5, 9],
        &[7, 1, 5, 5, 13],
        &[7, 5, 13],
        &[7, 15, 2, 13],
        &[7, 12, 2, 1, 2, 1],
    ];
    for path in paths {
        let (last, outer) = path.split_last().expect("none is empty");
        let many = field(*last, &[]).repeat(2_000_000);
        let bytes = outer.iter().rev().fold(many, |inner, tag| field(*tag, &inner));
        let mut said = String::new();
        let made = measure(|| {
            let read = decode(&bytes, None, &ReadOptions::default());
            said = read.expect_err("too many").to_string();
        });
        let parts = 2_000_000 + outer.len();
        let says = format!("it has {parts} parts, at most 1048576 are supported");
        assert!(said.contains(&says) && made.bytes_max < 1 << 12, "{path:?}: {said} {made:?}");
    }
    let attributes = Node { attribute: vec![Attribute::default(); 2_000_000], ..Node::default() };
    refused(&model(vec![attributes], vec![]), &["it has 2000019 parts, at most 1048576"]);
}
