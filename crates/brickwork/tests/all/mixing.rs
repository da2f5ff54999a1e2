//! Channels beside positions: layers over positions, stages with a class token, norms over positions and channels.

use brickwork_graph::{Attr, Graph};

use crate::attention::{checked, closed, free};
use crate::common::Net;

const WIDTH: usize = 6;
const TOKENS: usize = 4;

/// Images `[3, 2, 2]` as patches, a convolution of that name, and as `rows` `[n, width, tokens]`.
fn patches() -> Net {
    let mut net = Net::new([3, 2, 2]);
    net.conv("image", "patches", [WIDTH, 3, 1], 1);
    reshaped(&mut net, "patches", "rows", &[WIDTH, TOKENS]);
    net
}

fn reshaped(net: &mut Net, from: &str, to: &str, shape: &[usize]) {
    let sizes = format!("{to}.sizes");
    let list: Vec<i64> = [0].into_iter().chain(shape.iter().map(|&x| x as i64)).collect();
    net.ints(&sizes, &list).node("Reshape", &[from, &sizes], &[to], &[]);
}

fn turned(net: &mut Net, from: &str, to: &str) {
    net.node("Transpose", &[from], &[to], &[("perm", Attr::Ints(vec![0, 2, 1]))]);
}

/// A linear layer over the last axis, with a bias.
fn layer(net: &mut Net, from: &str, to: &str, [inputs, outputs]: [usize; 2]) {
    let [weight, product, bias] = ["weight", "product", "bias"].map(|stem| format!("{to}.{stem}"));
    net.constant(&weight, &[inputs, outputs], vec![0.5; inputs * outputs])
        .constant(&bias, &[outputs], vec![0.5; outputs])
        .node("MatMul", &[from, &weight], &[&product], &[])
        .node("Add", &[&product, &bias], &[to], &[]);
}

/// A layer normalisation over the last axis.
fn normal(net: &mut Net, from: &str, to: &str, width: usize) {
    let [scale, shift] = ["scale", "shift"].map(|stem| format!("{to}.{stem}"));
    net.constant(&scale, &[width], vec![0.5; width])
        .constant(&shift, &[width], vec![0.5; width])
        .node("LayerNormalization", &[from, &scale, &shift], &[to], &[]);
}

/// Two layers over the last axis, with `hidden` channels between them.
fn mlp(net: &mut Net, from: &str, to: &str, width: usize, hidden: usize) {
    let [wide, active] = ["wide", "active"].map(|stem| format!("{to}.{stem}"));
    layer(net, from, &wide, [width, hidden]);
    net.then("Tanh", &wide, &active);
    layer(net, &active, to, [hidden, width]);
}

/// The classes of the means over all rows of `tokens` `[n, tokens, width]`.
fn classified(mut net: Net, tokens: &str, width: usize) -> Graph {
    let axes = [("axes", Attr::Ints(vec![1])), ("keepdims", Attr::Int(0))];
    net.node("ReduceMean", &[tokens], &["means"], &axes).linear("means", "head", [3, width]);
    net.finish("head", 5)
}

/// A block over positions and one over channels (ResMLP, Touvron et al. 2021), with a norm before each if `normed`
/// (MLP-Mixer, Tolstikhin et al. 2021).
fn mixer(normed: bool) -> Graph {
    let mut net = patches();
    turned(&mut net, "rows", "tokens");
    let norm = |net: &mut Net, from: &'static str, to: &'static str| {
        if normed {
            normal(net, from, to, WIDTH);
            return to;
        }
        from
    };
    let first = norm(&mut net, "tokens", "norm1");
    turned(&mut net, first, "channels");
    mlp(&mut net, "channels", "across", TOKENS, 5);
    turned(&mut net, "across", "back");
    net.node("Add", &["tokens", "back"], &["sum1"], &[]);
    let second = norm(&mut net, "sum1", "norm2");
    mlp(&mut net, second, "within", WIDTH, 10);
    net.node("Add", &["sum1", "within"], &["sum2"], &[]);
    classified(net, "sum2", WIDTH)
}

#[test]
fn channels_pass_layers_over_positions() {
    let graph = mixer(false);
    assert_eq!(free(&graph, "patches"), WIDTH);
    assert_eq!(free(&graph, "within.wide.product"), 10);
    let wanted: [(&str, &[usize]); 2] = [("patches", &[1, 2, 5]), ("within.wide.product", &[0, 7])];
    let (channels, keep) = closed(&graph, &wanted);
    let small = checked(&graph, &channels, &keep);
    let shape = |name| small.value(small.find_value(name).unwrap()).shape.to_string();
    assert_eq!([shape("across.wide"), shape("sum2")], ["[n, 3, 5]", "[n, 4, 3]"]);
    assert_eq!(shape("within.wide"), "[n, 4, 2]");
}

#[test]
fn hidden_channels_of_mixers_are_free_behind_norms() {
    let graph = mixer(true);
    assert_eq!(free(&graph, "patches"), 0);
    assert_eq!(free(&graph, "across.wide.product"), 5);
    assert_eq!(free(&graph, "within.wide.product"), 10);
    let wanted: [(&str, &[usize]); 2] =
        [("across.wide.product", &[3]), ("within.wide.product", &[0, 7])];
    let (channels, keep) = closed(&graph, &wanted);
    checked(&graph, &channels, &keep);
}

/// A class token and patches, each through a layer of its own, side by side again (PiT, Heo et al. 2021).
#[test]
fn a_class_token_goes_with_the_patches_of_its_stage() {
    let mut net = patches();
    turned(&mut net, "rows", "tokens");
    net.ints("zero", &[0]);
    net.node("Gather", &["tokens", "zero"], &["token"], &[("axis", Attr::Int(1))]);
    layer(&mut net, "token", "class", [WIDTH, 8]);
    layer(&mut net, "tokens", "others", [WIDTH, 8]);
    net.node("Concat", &["class", "others"], &["all"], &[("axis", Attr::Int(1))]);
    mlp(&mut net, "all", "within", 8, 10);
    net.node("Add", &["all", "within"], &["sum"], &[]);
    let graph = classified(net, "sum", 8);
    assert_eq!(free(&graph, "class.product"), 8);
    assert_eq!(free(&graph, "within.wide.product"), 10);
    let (channels, keep) = closed(&graph, &[("others.product", &[2, 3, 6])]);
    let small = checked(&graph, &channels, &keep);
    let class = small.value(small.find_value("class").unwrap()).shape.to_string();
    assert_eq!(class, "[n, 1, 3]");
}

/// The global response normalisation of ConvNeXt-V2: every channel by its norm over that of all.
#[test]
fn channels_are_cut_before_the_mean_of_their_norms() {
    let mut net = Net::new([3, 2, 2]);
    net.conv("image", "patches", [WIDTH, 3, 1], 1)
        .constant("small", &[1], vec![1e-6])
        .node("ReduceL2", &["patches"], &["norms"], &[("axes", Attr::Ints(vec![2, 3]))])
        .node("ReduceMean", &["norms"], &["mean"], &[("axes", Attr::Ints(vec![1]))])
        .node("Add", &["mean", "small"], &["safe"], &[])
        .node("Div", &["norms", "safe"], &["shares"], &[])
        .node("Mul", &["patches", "shares"], &["response"], &[])
        .conv("response", "last", [5, WIDTH, 1], 1)
        .means("last", "flat")
        .linear("flat", "head", [3, 5]);
    let graph = net.finish("head", 7);
    assert_eq!(free(&graph, "patches"), WIDTH);
    let (channels, keep) = closed(&graph, &[("patches", &[0, 4])]);
    let small = checked(&graph, &channels, &keep);
    // What the sum is multiplied by stays one in six.
    let share =
        small.nodes().iter().rfind(|node| node.op.kind() == "ReduceSum").unwrap().outputs[0];
    let reader = small.nodes().iter().find(|node| node.inputs.contains(&Some(share))).unwrap();
    let count = reader.inputs[1].and_then(|value| small.value(value).constant.clone()).unwrap();
    assert_eq!(count.data(), [1.0 / 6.0]);
}

/// Heads of which every channel is divided by its norm over positions, written out in full (XCiT, El-Nouby et al. 2021).
#[test]
fn heads_with_norms_that_are_repeated_over_positions() {
    let mut net = Net::new([3, 2, 2]);
    net.conv("image", "patches", [WIDTH, 3, 1], 1);
    reshaped(&mut net, "patches", "heads", &[3, 2, TOKENS]);
    net.node("ReduceL2", &["heads"], &["norms"], &[("axes", Attr::Ints(vec![3]))])
        .ints("full", &[1, 3, 2, TOKENS as i64])
        .node("Expand", &["norms", "full"], &["repeated"], &[])
        .node("Div", &["heads", "repeated"], &["even"], &[]);
    reshaped(&mut net, "even", "rows", &[WIDTH, TOKENS]);
    turned(&mut net, "rows", "tokens");
    let graph = classified(net, "tokens", WIDTH);
    assert_eq!(free(&graph, "patches"), WIDTH);
    for wanted in [&[2, 3][..], &[0, 1, 4, 5], &[3]] {
        let (channels, keep) = closed(&graph, &[("patches", wanted)]);
        checked(&graph, &channels, &keep);
    }
}

/// Channels gated by others that are normalised together, and mixed over positions (gMLP, Liu et al. 2021).
#[test]
fn channels_go_though_those_that_gate_them_stay() {
    let mut net = patches();
    turned(&mut net, "rows", "tokens");
    layer(&mut net, "tokens", "wide", [WIDTH, 6]);
    net.ints("halves", &[3, 3]);
    net.node("Split", &["wide", "halves"], &["gated", "gate"], &[("axis", Attr::Int(2))]);
    normal(&mut net, "gate", "even", 3);
    turned(&mut net, "even", "channels");
    layer(&mut net, "channels", "across", [TOKENS, TOKENS]);
    turned(&mut net, "across", "back");
    net.node("Mul", &["gated", "back"], &["product"], &[]);
    layer(&mut net, "product", "last", [3, WIDTH]);
    let graph = classified(net, "last", WIDTH);
    assert_eq!(free(&graph, "wide.product"), 3);
    let (channels, keep) = closed(&graph, &[("wide.product", &[0, 2])]);
    let small = checked(&graph, &channels, &keep);
    let shape = |name| small.value(small.find_value(name).unwrap()).shape.to_string();
    assert_eq!([shape("wide"), shape("back")], ["[n, 4, 5]", "[n, 4, 3]"]);
    assert_eq!([shape("back.gather"), shape("product")], ["[n, 4, 2]", "[n, 4, 2]"]);
}

/// A shortcut from channels that are normalised together to a sum that no normalisation reads.
#[test]
fn a_sum_is_cut_though_its_shortcut_stays() {
    let mut net = patches();
    turned(&mut net, "rows", "tokens");
    normal(&mut net, "tokens", "even", WIDTH);
    mlp(&mut net, "even", "within", WIDTH, 10);
    net.node("Add", &["tokens", "within"], &["sum"], &[]);
    let graph = classified(net, "sum", WIDTH);
    assert_eq!(free(&graph, "patches"), 0);
    assert_eq!(free(&graph, "within.product"), WIDTH);
    let (channels, keep) = closed(&graph, &[("within.product", &[0, 5])]);
    let small = checked(&graph, &channels, &keep);
    let shape = |name| small.value(small.find_value(name).unwrap()).shape.to_string();
    assert_eq!([shape("tokens"), shape("tokens.gather")], ["[n, 4, 6]", "[n, 4, 2]"]);
}
