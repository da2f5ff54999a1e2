//! Which channels a class needs, on networks small enough to work it out by hand.

use std::collections::BTreeMap;

use brickwork::{
    Choice, Classifier, KeptLayer, KeptMap, Plan, class_labels, explain, kept_map, layers, link,
};
use brickwork_graph::{Attr, Channels, Graph, Keep};
use brickwork_tensor::Tensor;

use crate::common::{Net, classifier, owned};

/// What matters to a layer's outputs: a row per output, `#` for every input that contributes.
type Pattern<'a> = (&'a str, &'a [&'a str]);

fn contributions(patterns: &[Pattern<'_>], name: &str) -> Tensor {
    let (_, rows) = patterns.iter().find(|(layer, _)| *layer == name).expect("a pattern");
    let data = rows.iter().flat_map(|row| row.chars().map(|c| f32::from(u8::from(c == '#'))));
    Tensor::new([rows.len(), rows[0].len()], data.collect())
}

/// What is relevant to class 0 (inputs of every layer), and what a cut for it keeps.
fn component(graph: &Graph, patterns: &[Pattern<'_>]) -> (BTreeMap<String, Vec<usize>>, KeptMap) {
    let (channels, layers) = (Channels::of(graph), layers(graph));
    let found = link(graph, &channels, &layers, 0, &Default::default(), |place| {
        contributions(patterns, &layers[place].name)
    });
    let relevant = layers.iter().zip(&found.inputs).map(|(layer, inputs)| {
        (layer.name.clone(), (0..inputs.len()).filter(|&i| inputs[i]).collect())
    });
    let mut wanted = found.labels.clone();
    let classes = class_labels(graph, &channels).unwrap();
    classes.iter().enumerate().for_each(|(k, &label)| wanted[label as usize] = k == 0);
    let keep = Keep::closed(
        graph,
        &channels,
        |label| wanted[label as usize],
        |label| f64::from(found.score[label as usize]),
    );
    (relevant.collect(), kept_map(&channels, &layers, &keep))
}

fn layer(input: &[usize], output: &[usize]) -> KeptLayer {
    KeptLayer { input: input.to_vec(), output: output.to_vec() }
}

fn model(graph: Graph) -> Classifier {
    classifier("model", graph, &["a", "b"])
}

fn why(graph: Graph, value: &str) -> String {
    explain(&model(graph), value).unwrap().join("\n")
}

fn residual() -> Graph {
    let mut net = Net::new([1, 4, 4]);
    net.conv("image", "stem", [4, 1, 3], 1).then("Relu", "stem", "x");
    net.conv("x", "inner", [4, 4, 3], 1).node("Add", &["x", "inner"], &["sum"], &[]);
    net.means("sum", "flat").linear("flat", "head", [2, 4]);
    net.finish("head", 1)
}

#[test]
fn a_sum_hands_its_channels_to_both_sides() {
    let (relevant, kept) = component(
        &residual(),
        &[
            ("stem", &["#", "#", "#", "#"]),
            ("inner", &["..#.", "#...", ".#..", "...#"]),
            ("head", &["#...", ".#.."]),
        ],
    );
    // Class a reads channel 0 of the sum, made of channel 0 of the stem and of `inner`, which reads 2.
    assert_eq!(relevant["head"], [0]);
    assert_eq!(relevant["inner"], [2]);
    // Channels of both sides stay together: 2 of the stem keeps 2 of `inner`.
    assert_eq!(kept["stem"], layer(&[0], &[0, 2]));
    assert_eq!(kept["inner"], layer(&[0, 2], &[0, 2]));
    assert_eq!(kept["head"], layer(&[0, 2], &[0]));
    let why = why(residual(), "inner");
    assert!(why.contains("`inner` [n, 4, 4, 4]: 4 channels on axis 1"), "{why}");
    assert!(why.contains("coupled to other channels by `sum` (Add)"), "{why}");
}

#[test]
fn joined_values_keep_their_offsets() {
    let mut net = Net::new([1, 4, 4]);
    net.conv("image", "stem", [4, 1, 3], 1);
    net.conv("stem", "a", [3, 4, 1], 1).conv("stem", "b", [2, 4, 1], 1);
    net.node("Concat", &["b", "a"], &["joined"], &[("axis", Attr::Int(1))]);
    net.means("joined", "flat").linear("flat", "head", [2, 5]);
    let graph = net.finish("head", 1);
    let (relevant, kept) = component(
        &graph,
        &[
            ("stem", &["#", "#", "#", "#"]),
            ("a", &["#...", "....", "...#"]),
            ("b", &[".#..", ".#.."]),
            ("head", &["..#.#", "#...."]),
        ],
    );
    assert_eq!(relevant["head"], [2, 4]);
    // Places 2 and 4 are channels 0 and 2 of `a`, which read 0 and 3 of the stem; nobody asks for `b`.
    assert_eq!(relevant["a"], [0, 3]);
    assert!(relevant["b"].is_empty());
    assert_eq!(kept["a"], layer(&[0, 3], &[0, 2]));
    // No value may be empty, so one channel of `b` stays.
    assert_eq!(kept["b"], layer(&[0, 3], &[0]));
    assert_eq!(kept["head"], layer(&[0, 2, 4], &[0]));
    assert!(why(graph, "a").contains("free: each channel can be cut by itself"));
}

#[test]
fn a_flattened_channel_stays_with_all_its_positions() {
    let mut net = Net::new([1, 2, 2]);
    net.conv("image", "stem", [3, 1, 1], 1).then("Flatten", "stem", "flat");
    net.linear("flat", "head", [2, 12]);
    let (relevant, kept) = component(
        &net.finish("head", 1),
        &[("stem", &["#", "#", "#"]), ("head", &[".....#......", "#..........."])],
    );
    assert_eq!(relevant["head"], [5]);
    assert_eq!(kept["stem"], layer(&[0], &[1]));
    assert_eq!(kept["head"], layer(&[4, 5, 6, 7], &[0]));
}

fn grouped(head: [&str; 2]) -> (BTreeMap<String, Vec<usize>>, KeptMap) {
    let mut net = Net::new([1, 4, 4]);
    net.conv("image", "stem", [6, 1, 3], 1).conv("stem", "grouped", [4, 3, 3], 2);
    net.means("grouped", "flat").linear("flat", "head", [2, 4]);
    component(
        &net.finish("head", 1),
        &[("stem", &["#"; 6]), ("grouped", &[".#.", "#..", "#..", "##."]), ("head", &head)],
    )
}

#[test]
fn groups_that_nobody_needs_go() {
    let (relevant, kept) = grouped(["#...", ".#.."]);
    assert_eq!(relevant["grouped"], [1]);
    assert_eq!(kept["grouped"], layer(&[1], &[0]));
    assert_eq!(kept["stem"], layer(&[0], &[1]));
}

#[test]
fn groups_that_stay_are_of_one_size() {
    let (relevant, kept) = grouped(["#..#", ".#.."]);
    // The second group needs its inputs 0 and 1, so the first gets one more: its first.
    assert_eq!(relevant["grouped"], [1, 3, 4]);
    assert_eq!(kept["grouped"], layer(&[0, 1, 3, 4], &[0, 3]));
    assert_eq!(kept["stem"].output, [0, 1, 3, 4]);
}

#[test]
fn depthwise_layers_pass_channels_on() {
    let mut net = Net::new([1, 4, 4]);
    net.conv("image", "stem", [4, 1, 3], 1).conv("stem", "depthwise", [4, 1, 3], 4);
    net.conv("depthwise", "mixed", [3, 4, 1], 1);
    net.means("mixed", "flat").linear("flat", "head", [2, 3]);
    let (relevant, kept) = component(
        &net.finish("head", 1),
        &[("stem", &["#"; 4]), ("mixed", &[".#..", ".#..", "#..#"]), ("head", &["..#", "#.."])],
    );
    assert_eq!(relevant["mixed"], [0, 3]);
    assert_eq!(kept["depthwise"], layer(&[0, 3], &[0, 3]));
    assert_eq!(kept["stem"], layer(&[0], &[0, 3]));
    assert_eq!(kept["mixed"], layer(&[0, 3], &[2]));
}

#[test]
fn shuffled_channels_are_followed() {
    let mut net = Net::new([1, 4, 4]);
    net.conv("image", "stem", [4, 1, 3], 1).conv("stem", "before", [4, 4, 1], 1);
    net.ints("pairs", &[0, 2, 2, 4, 4]).ints("image_again", &[0, 4, 4, 4]);
    net.node("Reshape", &["before", "pairs"], &["split"], &[]);
    let swap = Attr::Ints(vec![0, 2, 1, 3, 4]);
    net.node("Transpose", &["split"], &["swapped"], &[("perm", swap)]);
    net.node("Reshape", &["swapped", "image_again"], &["shuffled"], &[]);
    net.means("shuffled", "flat").linear("flat", "head", [2, 4]);
    let graph = net.finish("head", 1);
    let (relevant, kept) = component(
        &graph,
        &[
            ("stem", &["#"; 4]),
            ("before", &["#...", ".#..", "..#.", "...#"]),
            ("head", &[".#..", "#..."]),
        ],
    );
    // The shuffle is 0 2 1 3: place 1 is channel 2.
    assert_eq!(relevant["head"], [1]);
    assert_eq!(relevant["before"], [2]);
    assert_eq!(kept["before"], layer(&[2], &[2]));
    assert_eq!(kept["head"], layer(&[1], &[0]));
}

/// Pairs of channels that keep anything keep equally many.
#[test]
fn channels_along_several_axes_stay_regular() {
    let mut net = Net::new([1, 4, 4]);
    net.conv("image", "stem", [4, 1, 3], 1).ints("pairs", &[0, 2, 2, 4, 4]);
    net.node("Reshape", &["stem", "pairs"], &["spread"], &[]).then("Relu", "spread", "x");
    net.then("Flatten", "x", "flat").linear("flat", "head", [2, 64]);
    let graph = net.finish("head", 1);
    let stem_kept = |places: &[usize]| {
        let first: String = (0..64).map(|k| if places.contains(&k) { '#' } else { '.' }).collect();
        let patterns: [Pattern<'_>; 2] = [("stem", &["#"; 4]), ("head", &[&first, &first])];
        let (relevant, kept) = component(&graph, &patterns);
        assert_eq!(relevant["head"], places);
        kept["stem"].output.clone()
    };
    assert_eq!(stem_kept(&[0]), [0]);
    assert_eq!(stem_kept(&[0, 48]), [0, 3]);
    assert_eq!(stem_kept(&[16, 20, 32]), [1, 2]);
    assert_eq!(stem_kept(&[0, 16]), [0, 1]);
    assert_eq!(stem_kept(&[0, 16, 48]), [0, 1, 2, 3]);
}

/// A part of a single channel would be empty without it.
#[test]
fn the_only_channel_of_a_part_stays() {
    let mut net = Net::new([1, 4, 4]);
    net.conv("image", "stem", [4, 1, 3], 1).ints("sizes", &[1, 3]);
    net.node("Split", &["stem", "sizes"], &["left", "right"], &[("axis", Attr::Int(1))]);
    net.node("Concat", &["right", "left"], &["joined"], &[("axis", Attr::Int(1))]);
    net.means("joined", "flat").linear("flat", "head", [2, 4]);
    let graph = net.finish("head", 1);
    let (_, kept) = component(&graph, &[("stem", &["#"; 4]), ("head", &[".#..", "#..."])]);
    assert_eq!(kept["stem"].output, [0, 2]);
    assert_eq!(kept["head"], layer(&[1, 3], &[0]));
    let why = why(graph, "stem");
    assert!(why.contains("frozen: node `left` (Split): it is the only channel of `left`"), "{why}");
}

#[test]
fn parts_of_a_value_are_followed_from_where_they_start() {
    let mut net = Net::new([1, 4, 4]);
    net.conv("image", "stem", [5, 1, 3], 1).ints("sizes", &[2, 3]);
    net.node("Split", &["stem", "sizes"], &["left", "right"], &[("axis", Attr::Int(1))]);
    net.conv("left", "a", [2, 2, 1], 1).conv("right", "b", [2, 3, 1], 1);
    for (name, list) in [("start", [1]), ("end", [4]), ("axis", [1])] {
        net.ints(name, &list);
    }
    net.node("Slice", &["stem", "start", "end", "axis"], &["middle"], &[]);
    net.conv("middle", "c", [2, 3, 1], 1);
    net.node("Concat", &["a", "b", "c"], &["joined"], &[("axis", Attr::Int(1))]);
    net.means("joined", "flat").linear("flat", "head", [2, 6]);
    let (relevant, kept) = component(
        &net.finish("head", 1),
        &[
            ("stem", &["#"; 5]),
            ("a", &[".#", "#."]),
            ("b", &["#..", "..#"]),
            ("c", &["#..", ".#."]),
            ("head", &["#..#.#", "#....."]),
        ],
    );
    assert_eq!(
        (&relevant["a"][..], &relevant["b"][..], &relevant["c"][..]),
        (&[1][..], &[2][..], &[1][..])
    );
    // Input 1 of `a` is channel 1, input 2 of `b` is 2 + 2, input 1 of `c` is 1 + 1.
    assert_eq!(kept["stem"].output, [1, 2, 4]);
    assert_eq!(kept["a"], layer(&[1], &[0]));
    assert_eq!(kept["b"], layer(&[0, 2], &[1]));
    assert_eq!(kept["c"], layer(&[0, 1], &[1]));
}

#[test]
fn gates_keep_the_channels_they_multiply() {
    let mut net = Net::new([1, 4, 4]);
    net.conv("image", "stem", [4, 1, 3], 1).then("GlobalAveragePool", "stem", "pooled");
    net.conv("pooled", "squeeze", [2, 4, 1], 1).then("Relu", "squeeze", "small");
    net.conv("small", "excite", [4, 2, 1], 1).then("Sigmoid", "excite", "gate");
    net.node("Mul", &["stem", "gate"], &["gated"], &[]);
    net.means("gated", "flat").linear("flat", "head", [2, 4]);
    let graph = net.finish("head", 1);
    let (relevant, kept) = component(
        &graph,
        &[
            ("stem", &["#"; 4]),
            ("squeeze", &["..#.", "#..."]),
            ("excite", &["#.", "#.", ".#", "#."]),
            ("head", &["..#.", "#..."]),
        ],
    );
    // Channel 2 is gated by output 2 of `excite`, which reads 1 of `squeeze`, which reads the stem's 0.
    assert_eq!(relevant["excite"], [1]);
    assert_eq!(relevant["squeeze"], [0]);
    assert_eq!(kept["squeeze"], layer(&[0, 2], &[1]));
    assert_eq!(kept["excite"], layer(&[1], &[0, 2]));
    assert_eq!(kept["stem"], layer(&[0], &[0, 2]));
    assert!(why(graph, "excite").contains("coupled to other channels by `gated` (Mul)"));
}

#[test]
fn shared_weights_are_cut_alike() {
    let mut net = Net::new([1, 4, 4]);
    net.conv("image", "stem", [4, 1, 3], 1).conv("stem", "first", [4, 4, 1], 1);
    net.node("Conv", &["first", "first.weight"], &["second"], &[]);
    net.means("second", "flat").linear("flat", "head", [2, 4]);
    let graph = net.finish("head", 1);
    let shared: &[&str] = &["..#.", "#...", ".#..", "...#"];
    let (relevant, kept) = component(
        &graph,
        &[("stem", &["#"; 4]), ("first", shared), ("second", shared), ("head", &["#...", ".#.."])],
    );
    assert_eq!(relevant["second"], [2]);
    assert_eq!(relevant["first"], [1]);
    for name in ["first", "second"] {
        assert_eq!(kept[name], layer(&[0, 1, 2], &[0, 1, 2]), "{name}");
    }
    let why = why(graph, "stem");
    assert!(why.contains("coupled to other channels by `second` (Conv)"), "{why}");
}

#[test]
fn several_readers_need_the_union() {
    let mut net = Net::new([1, 4, 4]);
    net.conv("image", "stem", [5, 1, 3], 1).then("Relu", "stem", "x");
    net.conv("x", "a", [2, 5, 1], 1).conv("x", "b", [2, 5, 1], 1);
    net.node("Concat", &["a", "b"], &["joined"], &[("axis", Attr::Int(1))]);
    net.means("joined", "flat").linear("flat", "head", [2, 4]);
    let (_, kept) = component(
        &net.finish("head", 1),
        &[
            ("stem", &["#"; 5]),
            ("a", &[".#...", "#...."]),
            ("b", &["#....", "...#."]),
            ("head", &["#..#", ".#.."]),
        ],
    );
    assert_eq!(kept["stem"].output, [1, 3]);
    assert_eq!(kept["a"], layer(&[1, 3], &[0]));
    assert_eq!(kept["b"], layer(&[1, 3], &[1]));
}

#[test]
fn what_mixes_channels_freezes_them() {
    let net = |kind: &str, attrs: &[(&str, Attr)]| {
        let mut net = Net::new([1, 4, 4]);
        net.conv("image", "stem", [3, 1, 3], 1).node(kind, &["stem"], &["mixed"], attrs);
        net.conv("mixed", "free", [3, 3, 1], 1).means("free", "flat");
        net.linear("flat", "head", [2, 3]);
        net.finish("head", 1)
    };
    for (kind, attrs, reason) in [
        ("LRN", [("size", Attr::Int(3))], "it normalises each channel by its neighbours"),
        ("Softmax", [("axis", Attr::Int(1))], "it normalises across the channels"),
    ] {
        let patterns: [Pattern<'_>; 3] =
            [("stem", &["#"; 3]), ("free", &["#..", ".#.", "..#"]), ("head", &["#..", ".#."])];
        let graph = net(kind, &attrs);
        let (_, kept) = component(&graph, &patterns);
        assert_eq!(kept["stem"].output, [0, 1, 2], "{kind}");
        assert_eq!(kept["free"], layer(&[0, 1, 2], &[0]), "{kind}");
        let why = why(graph, "stem");
        assert!(why.contains(&format!("frozen: node `mixed` ({kind}): {reason}")), "{why}");
    }
}

#[test]
fn given_channels_are_closed_and_additions_named() {
    let model = model(residual());
    let map = KeptMap::from([("inner".to_owned(), layer(&[2], &[1]))]);
    let plan = Plan::new(&model, &[1], &Choice::Given(map), 1).unwrap();
    assert_eq!(plan.kept["inner"], layer(&[1, 2], &[1, 2]));
    assert_eq!(plan.added, KeptMap::from([("inner".to_owned(), layer(&[1], &[2]))]));
    assert_eq!(plan.kept["head"], layer(&[1, 2], &[1]));
    let (small, difference) = plan.cut(&model, 3).unwrap();
    assert!(difference <= 1e-5, "{difference}");
    let card = plan.card(&model, &Choice::Everything, difference);
    assert_eq!(card.classes, owned(&["b"]));
    // Stem 2 x 9 + 2, inner 2 x 2 x 9 + 2, head 2 + 1.
    assert_eq!(small.parameters(), 20 + 38 + 3);
}

#[test]
fn given_channels_that_do_not_exist_are_all_named() {
    let map = KeptMap::from([
        ("inner".to_owned(), layer(&[4], &[])),
        ("sum".to_owned(), layer(&[], &[])),
    ]);
    let error = Plan::new(&model(residual()), &[0], &Choice::Given(map), 1).err().unwrap();
    let error = error.to_string();
    assert!(error.contains("`inner` has 4 input channels, 4 is none of them"), "{error}");
    assert!(error.contains("`sum` is no weighted layer"), "{error}");
}
