//! Operators on operands they do not fit.

use super::*;

#[test]
fn conv_weights_of_the_wrong_rank() {
    let says = ["weights have shape [2, 2], expected [o, i, kh, kw]"];
    refused_node("Conv", "x w", &[], &[halves("w", &[2, 2])], &says);
    let says = ["weights have shape [2, 2, 3], expected [o, i, kh, kw]"];
    refused_node("Conv", "x w", &[], &[halves("w", &[2, 2, 3])], &says);
    let model = changed(
        model(vec![node("Conv", "x w", "y", &[])], vec![halves("w", &[2, 2, 1, 1])]),
        |graph| graph.input = vec![value("x", &[2, 4])],
    );
    refused(&model, &["operand 0 has shape [n, 2, 4], expected 4 axes"]);
}

#[test]
fn conv_groups_that_do_not_fit() {
    let with = |group: i64, dims: &[i64], says: &str| {
        refused_node("Conv", "x w", &[("group", int(group))], &[halves("w", dims)], &[says]);
    };
    with(1, &[2, 3, 1, 1], "2 input channels and weights [2, 3, 1, 1] do not fit 1 groups");
    with(2, &[3, 1, 1, 1], "2 input channels and weights [3, 1, 1, 1] do not fit 2 groups");
    with(0, &[2, 2, 1, 1], "do not fit 0 groups");
    with(-3, &[2, 2, 1, 1], "do not fit 0 groups");
    with(i64::MAX, &[2, 3, 1, 1], "do not fit 9223372036854775807 groups");
}

#[test]
fn conv_biases_and_weights_that_are_computed() {
    let nodes = vec![node("Conv", "x z", "y", &[])];
    let computed = changed(model(nodes, vec![]), |g| g.input.push(value("z", &[2, 3, 3])));
    refused(&computed, &["node `Conv of y` (Conv): weights have shape [n, 2, 3, 3], expected"]);
    let bias = vec![
        node("GlobalAveragePool", "x", "p", &[]),
        node("Squeeze", "p axes", "b", &[]),
        node("Conv", "x w b", "y", &[]),
    ];
    let constants = vec![halves("w", &[2, 2, 1, 1]), list("axes", &[2, 3])];
    refused(&model(bias, constants), &["the bias (operand 2) must be a constant, but is computed"]);
    let says = ["bias has shape [3], expected [2]"];
    refused_node("Conv", "x w b", &[], &[halves("w", &[2, 2, 1, 1]), halves("b", &[3])], &says);
}

#[test]
fn windows_out_of_range() {
    let weights = [halves("w", &[2, 2, 3, 3])];
    let conv = |name: &str, numbers: &[i64], says: &str| {
        refused_node("Conv", "x w", &[(name, ints(numbers))], &weights, &[says]);
    };
    conv("strides", &[0, 1], "kernel [3, 3], strides [0, 1] or dilations [1, 1] out of range");
    conv("dilations", &[1, 0], "dilations [1, 0] out of range");
    conv("dilations", &[1 << 20, 1], "dilations [1048576, 1] out of range");
    conv("dilations", &[1 << 16, 1], "image [n, 2, 4, 4] is smaller than the kernel [3, 3]");
    conv("strides", &[i64::MAX, 1], "strides [9223372036854775807, 1]");
    conv("strides", &[-1, 1], "strides [-1, 1]: only two-dimensional images are supported");
    conv("strides", &[1], "strides [1]: only two-dimensional images are supported");
    conv("pads", &[-1, 0, 0, 0], "expected four that are not negative");
    conv("pads", &[0, 0, 0, i64::MAX], "expected four that are not negative");
    conv("pads", &[1, 1], "pads [1, 1], expected four that are not negative");
    conv("kernel_shape", &[2, 2], "kernel_shape [2, 2] does not match weights [2, 2, 3, 3]");
    let pool = |numbers: &[i64], says: &str| {
        refused_node("MaxPool", "x", &[("kernel_shape", ints(numbers))], &[], &[says]);
    };
    pool(&[0, 1], "kernel [0, 1], strides [1, 1] or dilations [1, 1] out of range");
    pool(&[2, 2, 2], "kernel_shape [2, 2, 2]: only two-dimensional images are supported");
    pool(&[5, 5], "image [n, 2, 4, 4] is smaller than the kernel [5, 5]");
    refused_node("AveragePool", "x", &[], &[], &["attribute `kernel_shape` is missing"]);
    let nothing_but_padding = [("kernel_shape", ints(&[2, 2])), ("pads", ints(&[2, 2, 2, 2]))];
    refused_node("MaxPool", "x", &nothing_but_padding, &[], &["a pad as large as the kernel"]);
    refused_node("Conv", "x w", &[("auto_pad", text("ALL"))], &weights, &["auto_pad `ALL` is not"]);
}

#[test]
fn kernels_larger_than_the_image() {
    let says = ["image [n, 2, 4, 4] is smaller than the kernel [5, 1]"];
    refused_node("Conv", "x w", &[], &[halves("w", &[2, 2, 5, 1])], &says);
}

#[test]
fn gemm_shapes_that_do_not_fit() {
    let gemm = |inputs: &str, constants: Vec<Tensor>, says: &str| {
        let nodes = vec![node("Flatten", "x", "f", &[]), node("Gemm", inputs, "y", &[])];
        refused(&model(nodes, constants), &["node `Gemm of y` (Gemm): ", says]);
    };
    gemm("f w", vec![halves("w", &[31, 3])], "rows [n, 32] do not fit weights [31, 3]");
    gemm("f w", vec![halves("w", &[32])], "weights have shape [32], expected two axes");
    gemm("x w", vec![halves("w", &[4, 3])], "operand 0 has shape [n, 2, 4, 4], expected 2 axes");
    gemm("f f", vec![], "weights (operand 1) must be a constant");
    gemm(
        "f w b",
        vec![halves("w", &[32, 3]), halves("b", &[2])],
        "bias has shape [2], expected [3]",
    );
    gemm("f w b", vec![halves("w", &[32, 3]), halves("b", &[3, 1])], "bias has shape [3, 1]");
    gemm(
        "f w f",
        vec![halves("w", &[32, 3])],
        "the bias (operand 2) must be constant real numbers",
    );
}

#[test]
fn products_that_do_not_fit() {
    let says = ["operands of shape [n, 2, 4, 4] and [3, 4] cannot be multiplied"];
    refused_node("MatMul", "x w", &[], &[halves("w", &[3, 4])], &says);
    let says = ["operands of shape [n, 2, 4, 4] and [3, 1] cannot be multiplied"];
    refused(&model(vec![node("MatMul", "x w", "y", &[])], vec![halves("w", &[3])]), &says);
    let dotted = survives_node("MatMul", "x w", &[], &[halves("w", &[4])]);
    assert!(dotted.contains("y [n, 2, 4] = Squeeze"), "{dotted}");
    let over_batch = vec![
        node("Flatten", "x", "f", &[]),
        node("Transpose", "f", "t", &[]),
        node("MatMul", "t f", "y", &[]),
    ];
    refused(&model(over_batch, vec![]), &["[32, n] and [n, 32] would sum over the batch"]);
}

#[test]
fn batch_normalisation_that_does_not_fit() {
    let all = |count: i64| ["s", "t", "m", "v"].map(|name| halves(name, &[count]));
    let says = ["operand 1 has shape [3], expected [2] for the channels of [n, 2, 4, 4]"];
    refused_node("BatchNormalization", "x s t m v", &[], &all(3), &says);
    let says = ["it is in training mode; export the model in evaluation mode"];
    let training = [("training_mode", int(1))];
    refused_node("BatchNormalization", "x s t m v", &training, &all(2), &says);
    refused_node(
        "BatchNormalization",
        "x s t m",
        &[],
        &all(2)[..3],
        &["statistic (operand 4) must be"],
    );
    let says = ["a statistic (operand 2) must be a constant, but is computed"];
    refused_node("BatchNormalization", "x s x m v", &[], &all(2), &says);
}

#[test]
fn values_that_cannot_be_joined() {
    let says = ["operands of shape [n, 2, 4, 4] and [1, 2, 4, 4] cannot be joined along axis 1"];
    refused_node("Concat", "x w", &[], &[halves("w", &[1, 2, 4, 4])], &says);
    refused_node(
        "Concat",
        "x w",
        &[],
        &[halves("w", &[2])],
        &["operand 1 has shape [2], expected 4 axes"],
    );
    refused_node("Concat", "x x", &[("axis", int(0))], &[], &["cannot be joined along axis 0"]);
    refused_node(
        "Concat",
        "x x",
        &[("axis", int(-5))],
        &[],
        &["axis -5 is outside a value of 4 axes"],
    );
}

#[test]
fn values_that_do_not_broadcast() {
    for kind in ["Add", "Sub", "Mul", "Div", "Pow"] {
        let says = ["operands of shape [n, 2, 4, 4] and [3, 1, 1] do not broadcast"];
        refused_node(kind, "x w", &[], &[halves("w", &[3, 1, 1])], &says);
    }
    let says = ["slope [1, 1, 1, 1, 1] does not broadcast to [n, 2, 4, 4]"];
    refused_node("PRelu", "x w", &[], &[halves("w", &[1, 1, 1, 1, 1])], &says);
}

#[test]
fn reshapes_that_cannot_be() {
    let to = |target: &[i64], says: &str| {
        refused_node("Reshape", "x t", &[], &[list("t", target)], &[says]);
    };
    to(&[0, 31], "[n, 2, 4, 4] cannot be reshaped to [0, 31]");
    to(&[-1, -1], "cannot be reshaped");
    to(&[0, -2], "cannot be reshaped");
    to(&[0, 0, 0, 0, 0], "cannot be reshaped");
    to(&[1 << 32, 1 << 32], "the shape is too large");
    to(&[i64::MAX, i64::MAX, -1], "the shape is too large");
    to(&[-1, 32, 0], "cannot be reshaped");
    to(&[2, 4, 4, -1], "reshaping [n, 2, 4, 4] to [2, 4, 4, n] would mix samples of the batch");
    refused_node("Reshape", "x", &[], &[], &["the target shape (operand 1) is missing"]);
    refused_node("Reshape", "x x", &[], &[], &["is computed at run time, expected constants"]);
    let says = ["the target shape (operand 1) holds real numbers, expected whole ones"];
    refused_node("Reshape", "x t", &[], &[halves("t", &[2])], &says);
    let many = vec![1; 5000];
    let says = ["the target shape (operand 1) holds 5000 numbers, at most 4096 make sense"];
    refused_node("Reshape", "x t", &[], &[list("t", &many)], &says);
    let mut deep = vec![1; 20];
    (deep[0], deep[1]) = (0, -1);
    refused_node(
        "Reshape",
        "x t",
        &[],
        &[list("t", &deep)],
        &["it has 20 axes, at most 16 may be"],
    );
}

#[test]
fn a_batch_may_be_folded_into_rows_and_back() {
    let nodes = vec![
        node("Reshape", "x rows", "r", &[]),
        node("Relu", "r", "s", &[]),
        node("Reshape", "s back", "y", &[]),
    ];
    let constants = vec![list("rows", &[-1, 8]), list("back", &[-1, 32])];
    let graph = survives(&model(nodes, constants)).to_string();
    assert!(graph.contains("s [4n, 8]") && graph.contains("y [n, 32]"), "{graph}");
}

#[test]
fn slices_out_of_range() {
    let slice = |starts: &[i64], ends: &[i64], axes: &[i64], steps: &[i64], says: &str| {
        let constants = [list("s", starts), list("e", ends), list("a", axes), list("p", steps)];
        refused_node("Slice", "x s e a p", &[], &constants, &[says]);
    };
    slice(&[0], &[1], &[4], &[1], "axis 4 is outside a value of 4 axes");
    slice(&[0], &[1], &[i64::MIN], &[1], "axis -9223372036854775808 is outside");
    slice(&[0], &[1], &[1], &[0], "step 0 over an axis of extent 2");
    slice(&[0], &[1], &[1], &[i64::MIN], "step -9223372036854775808 over an axis");
    slice(&[2], &[2], &[1], &[1], "nothing of axis 1 is left between 2 and 2");
    slice(&[i64::MAX], &[i64::MIN], &[1], &[1], "nothing of axis 1 is left");
    slice(&[0], &[1], &[0], &[1], "a part of the batch is taken");
    slice(&[0, 0], &[1], &[1], &[1], "starts, ends, axes and steps differ in length");
    slice(&[1, 0], &[-9, 2], &[1, 1], &[-1, 1], "axes [1, 1] name axis 1 twice");
    refused_node("Slice", "x", &[], &[], &["`starts` is missing"]);
    refused_node("Slice", "x s", &[], &[list("s", &[0])], &["`ends` is missing"]);
}

#[test]
fn extreme_bounds_of_slices_mean_the_edge() {
    let constants =
        [list("s", &[i64::MAX]), list("e", &[i64::MIN]), list("a", &[3]), list("p", &[-(1 << 31)])];
    let graph = survives_node("Slice", "x s e a p", &[], &constants);
    assert!(graph.contains("y [n, 2, 4, 1]"), "{graph}");
}

#[test]
fn gathers_out_of_range() {
    let gather = |axis: i64, indices: Tensor, says: &str| {
        refused_node("Gather", "x i", &[("axis", int(axis))], &[indices], &[says]);
    };
    gather(1, list("i", &[2]), "axis 2 is outside a value of 2 axes");
    gather(1, list("i", &[-3]), "axis -3 is outside a value of 2 axes");
    gather(1, list("i", &[i64::MIN]), "axis -9223372036854775808 is outside");
    gather(9, list("i", &[0]), "axis 9 is outside a value of 4 axes");
    gather(0, list("i", &[0]), "it gathers along the batch");
    gather(1, halves("i", &[1]), "the indices (operand 1) must be known whole numbers");
    let scalar = Tensor { dims: vec![], ..list("i", &[0]) };
    assert!(survives_node("Gather", "x i", &[("axis", int(1))], &[scalar]).contains("y [n, 4, 4]"));
    gather(1, list("i", &[]), "shape [n, 0, 4, 4] holds no elements");
}

#[test]
fn splits_that_do_not_add_up() {
    let split = |sizes: &[i64]| {
        let nodes = vec![node("Split", "x s", "y z", &[("axis", int(1))])];
        let says = ["axis 1 of [n, 2, 4, 4] does not split into 2 parts"];
        refused(&model(nodes, vec![list("s", sizes)]), &says);
    };
    split(&[1, 2]);
    split(&[2, 0]);
    split(&[3, -1]);
    split(&[2]);
    split(&[1, 1, 0]);
    split(&[i64::MAX, i64::MAX, 4]);
    refused_node("Split", "x", &[("axis", int(0))], &[], &["the batch is split"]);
    refused_node(
        "Split",
        "x",
        &[("axis", int(-9))],
        &[],
        &["axis -9 is outside a value of 4 axes"],
    );
}

#[test]
fn axes_that_cannot_be_squeezed_or_inserted() {
    let axes = |kind: &str, axes: &[i64], says: &str| {
        refused_node(kind, "x a", &[], &[list("a", axes)], &[says]);
    };
    axes("Squeeze", &[1], "axis 1 of [n, 2, 4, 4] does not have extent 1");
    axes("Squeeze", &[0], "axis 0 of [n, 2, 4, 4] does not have extent 1");
    axes("Squeeze", &[4], "axis 4 is outside a value of 4 axes");
    axes("Unsqueeze", &[9], "axis 9 is outside a value of 5 axes");
    axes("Unsqueeze", &[1, 1], "axes [1, 1] name one axis twice");
    axes("Unsqueeze", &[1, -5], "axes [1, -5] name one axis twice");
    axes("Unsqueeze", &(0..100).collect::<Vec<_>>(), "a value of 104 axes is not supported");
    refused_node("Unsqueeze", "x", &[], &[], &["`axes` is missing"]);
}

#[test]
fn permutations_that_are_none() {
    for perm in [&[0, 1, 2][..], &[0, 1, 2, 2], &[0, 1, 2, 4], &[0, 1, 2, -1], &[0, 1, 2, 3, 4]] {
        let says = [format!("perm {perm:?} is no permutation of 4 axes")];
        refused_node("Transpose", "x", &[("perm", ints(perm))], &[], &[&says[0]]);
    }
}

#[test]
fn a_batch_that_is_not_first_survives() {
    let nodes = vec![
        node("Transpose", "x", "t", &[("perm", ints(&[1, 0, 2, 3]))]),
        node("Relu", "t", "r", &[]),
        node("PRelu", "r slope", "p", &[]),
        node("Softmax", "p", "s", &[("axis", int(0))]),
        node("ReduceMean", "s", "y", &[("axes", ints(&[3])), ("keepdims", int(0))]),
    ];
    let graph = survives(&model(nodes, vec![halves("slope", &[2, 1, 4, 4])])).to_string();
    assert!(graph.contains("y [2, n, 4]"), "{graph}");
}

#[test]
fn normalisations_over_the_batch() {
    refused_node(
        "Softmax",
        "x",
        &[("axis", int(0))],
        &[],
        &["axis 0 of [n, 2, 4, 4] is the batch"],
    );
    refused_node("LogSoftmax", "x", &[("axis", int(-4))], &[], &["is the batch"]);
    refused_node(
        "ReduceMean",
        "x",
        &[("axes", ints(&[0]))],
        &[],
        &["axis 0 of [n, 2, 4, 4] is the batch"],
    );
    refused_node("ReduceMean", "x", &[], &[], &["a mean over every axis, the batch included"]);
    let says = ["operand 1 has shape [2, 4, 4], expected [n, 2, 4, 4]"];
    let scale = [halves("s", &[2, 4, 4])];
    refused_node("LayerNormalization", "x s", &[("axis", int(0))], &scale, &says);
    let nodes = vec![
        node("Transpose", "x", "t", &[("perm", ints(&[1, 0, 2, 3]))]),
        node("LRN", "t", "y", &[("size", int(3))]),
    ];
    refused(&model(nodes, vec![]), &["operand 0 has shape [2, n, 4, 4], expected [n, c, ...]"]);
}

#[test]
fn normalisations_without_sense() {
    refused_node("LRN", "x", &[], &[], &["attribute `size` is missing or not positive"]);
    refused_node("LRN", "x", &[("size", int(-1))], &[], &["`size` is missing or not positive"]);
    let says = ["the scale (operand 1) must be a constant"];
    refused_node("LayerNormalization", "x", &[], &[], &says);
    refused_node("LayerNormalization", "x x", &[("axis", int(0))], &[], &says);
    let model = model(vec![node("Softmax", "x", "y", &[("axis", int(1))])], vec![]);
    refused(&at_opset(model, 9), &["softmax over several axes of [n, 2, 4, 4] at once"]);
    assert!(survives_node("LRN", "x", &[("size", int(i64::MAX))], &[]).contains("y [n, 2, 4, 4]"));
}

#[test]
fn resizes_without_sense() {
    let floats = |numbers: [f32; 4]| Tensor {
        raw_data: Some(numbers.map(f32::to_le_bytes).concat()),
        ..halves("s", &[4])
    };
    let scales = |numbers: [f32; 4], says: &str| {
        refused_node("Resize", "x - s", &[], &[floats(numbers)], &[says]);
    };
    scales([1.0, 1.0, 0.0, 1.0], "only height and width can be resized");
    scales([1.0, 1.0, -2.0, 1.0], "only height and width can be resized");
    scales([2.0, 1.0, 1.0, 1.0], "only height and width can be resized");
    scales([1.0, 3.0, 1.0, 1.0], "only height and width can be resized");
    scales([1.0, 1.0, 0.1, 1.0], "4 pixels cannot be resized by 0.1");
    scales([1.0, 1.0, 1.0, 1e9], "4 pixels cannot be resized by 1000000000");
    scales([1.0, 1.0, 1.0, 1e38], "4 pixels cannot be resized by");
    let nan = Tensor {
        raw_data: Some([1.0, 1.0, f32::NAN, 1.0].map(f32::to_le_bytes).concat()),
        ..halves("s", &[4])
    };
    let said = refused(
        &model(vec![node("Resize", "x - s", "y", &[])], vec![nan]),
        &["`s`: it holds 1 NaN"],
    );
    assert!(said.contains("1 problem in"));
    let sizes = |numbers: &[i64], says: &str| {
        refused_node("Resize", "x - - s", &[], &[list("s", numbers)], &[says]);
    };
    sizes(&[1, 3, 8, 8], "only height and width can be resized");
    sizes(&[1, 2, 0, 8], "4 pixels cannot be resized to 0");
    sizes(&[1, 2, 65536, 8], "4 pixels cannot be resized to 65536");
    sizes(&[1, 2, i64::MAX, 8], "4 pixels cannot be resized to 9223372036854775807");
    sizes(&[1, 2, -8, 8], "sizes must give a fixed height and width");
    sizes(&[8, 8], "sizes must give a fixed height and width");
    refused_node("Resize", "x", &[], &[], &["scales and sizes are missing"]);
    refused_node(
        "Resize",
        "x - s",
        &[],
        &[halves("s", &[2])],
        &["scales [0.5, 0.5], expected four"],
    );
    let other = [("mode", text("lanczos"))];
    let says = ["mode `lanczos` is not supported"];
    refused_node("Resize", "x - s", &other, &[floats([1.0; 4])], &says);
}

#[test]
fn an_empty_region_of_interest_is_none() {
    let empty = Tensor { raw_data: Some(vec![]), ..halves("roi", &[0]) };
    let scales = Tensor {
        raw_data: Some([1.0f32, 1.0, 2.0, 0.5].map(f32::to_le_bytes).concat()),
        ..halves("s", &[4])
    };
    let graph = survives_node("Resize", "x roi s", &[], &[empty, scales]);
    assert!(graph.contains("y [n, 2, 8, 2]"), "{graph}");
}

#[test]
fn every_size_survives_a_round_trip_as_scales() {
    for size in [1, 2, 3, 5, 7, 11, 13, 97, 255, 1001, 4095] {
        let graph = survives_node("Resize", "x - - s", &[], &[list("s", &[1, 2, size, 3])]);
        assert!(graph.contains(&format!("y [n, 2, {size}, 3]")), "{graph}");
    }
}

#[test]
fn pads_without_sense() {
    let pad = |pads: &[i64], says: &str| {
        refused_node("Pad", "x p", &[], &[list("p", pads)], &[says]);
    };
    pad(&[0, 0, -3, 0, 0, 0, -1, 0], "leave nothing of [n, 2, 4, 4]");
    let less = survives_node("Pad", "x p", &[], &[list("p", &[0, 0, -1, 0, 0, 0, 0, 2])]);
    assert!(less.contains("y [n, 2, 3, 6]"), "{less}");
    pad(&[0, 0, 1 << 40, 0, 0, 0, 0, 0], "do not fit [n, 2, 4, 4]");
    pad(&[0, 0], "pads [0, 0] do not fit [n, 2, 4, 4]");
    pad(&[1, 0, 0, 0, 0, 0, 0, 0], "the batch is padded");
    refused_node("Pad", "x", &[], &[], &["`pads` is missing"]);
    let twice = [list("p", &[1, 1, 1, 1]), list("a", &[2, -2])];
    refused_node("Pad", "x p - a", &[], &twice, &["axes [2, 2] name one axis twice"]);
    let nan = Tensor { raw_data: Some(f32::NAN.to_le_bytes().to_vec()), ..halves("v", &[]) };
    let says = ["`v`: it holds 1 NaN or infinite numbers"];
    let pads = list("p", &[0, 0, 1, 1, 0, 0, 1, 1]);
    refused(&model(vec![node("Pad", "x p v", "y", &[])], vec![pads, nan]), &says);
    let strange = [("mode", text("strange"))];
    let says = ["mode `strange` with pads"];
    refused_node("Pad", "x p", &strange, &[list("p", &[0, 0, 1, 1, 0, 0, 1, 1])], &says);
    let reflected = survives_node(
        "Pad",
        "x p",
        &[("mode", text("reflect"))],
        &[list("p", &[0, 0, 1, 0, 0, 0, 2, 0])],
    );
    assert!(reflected.contains("indices=[1, 0, 1, 2, 3, 2, 1]"), "{reflected}");
}

#[test]
fn bounds_may_be_infinite_but_not_several() {
    let bound = |x: f32| Tensor { raw_data: Some(x.to_le_bytes().to_vec()), ..halves("b", &[]) };
    for (inputs, x, shown) in [
        ("x b", f32::INFINITY, "min=[inf]"),
        ("x - b", f32::NEG_INFINITY, "max=[-inf]"),
        ("x b b", 0.5, "min=[0.5] max=[0.5]"),
    ] {
        let graph = survives_node("Clip", inputs, &[], &[bound(x)]);
        assert!(graph.contains(shown), "{graph}");
    }
    let open = survives_node("Clip", "x b", &[], &[bound(f32::NEG_INFINITY)]);
    assert!(!open.contains("min="), "{open}");
    let says = ["min (operand 1) has shape [2], expected one number"];
    refused_node("Clip", "x b", &[], &[halves("b", &[2])], &says);
    refused_node("Clip", "x x", &[], &[], &["min (operand 1) must be constant real numbers"]);
}

#[test]
fn casts_without_sense() {
    refused_node("Cast", "x", &[], &[], &["a cast needs the data type to cast to"]);
    refused_node("Cast", "x", &[("to", int(8))], &[], &["a cast to data type 8 is not"]);
    refused_node(
        "Cast",
        "x",
        &[("to", int(7))],
        &[],
        &["a computed value is cast to a type other"],
    );
}

#[test]
fn flattening_elsewhere() {
    assert!(
        survives_node("Flatten", "x", &[("axis", int(2))], &[]).contains("y [2n, 16] = Reshape")
    );
    assert!(
        survives_node("Flatten", "x", &[("axis", int(0))], &[]).contains("y [1, 32n] = Reshape")
    );
    refused_node("Flatten", "x", &[("axis", int(i64::MIN))], &[], &["axis -9223372036854775808"]);
}

#[test]
fn training_mode_of_dropout() {
    let flag = Tensor { dims: vec![], data_type: 9, int32_data: vec![1], ..list("t", &[]) };
    let model = model(vec![node("Dropout", "x - t", "y mask", &[])], vec![flag]);
    refused(&model, &["it is in training mode; export the model in evaluation mode"]);
}

#[test]
fn slopes_of_folded_constants() {
    // The first axis of a constant is no batch.
    let nodes = vec![node("PRelu", "w w", "p", &[]), node("Add", "x p", "y", &[])];
    for dims in [&[4][..], &[], &[2, 1, 1], &[1, 4]] {
        survives(&model(nodes.clone(), vec![halves("w", dims)]));
    }
}

#[test]
fn numbers_at_the_end_of_their_range() {
    let scalar = |name: &str, x: i64| Tensor { dims: vec![], ..list(name, &[x]) };
    let range = |start: i64, limit: i64, step: i64| {
        let nodes = vec![node("Range", "a b c", "r", &[]), node("Reshape", "x r", "y", &[])];
        let numbers = vec![scalar("a", start), scalar("b", limit), scalar("c", step)];
        refused(&model(nodes, numbers), &["numbers is not supported"]);
    };
    range(i64::MIN, i64::MAX, 1);
    range(i64::MAX, i64::MIN, -1);
    for end in [i64::MIN, i64::MAX] {
        let pads = [list("p", &[0, 0, end, 0, 0, 0, -1, 0])];
        refused_node("Pad", "x p", &[], &pads, &["do not fit [n, 2, 4, 4]"]);
        let pads = [("pads", ints(&[0, 0, end, 0]))];
        refused_node(
            "ConvTranspose",
            "x w",
            &pads,
            &[halves("w", &[2, 2, 3, 3])],
            &["out of range"],
        );
    }
    let sizes = [("output_shape", ints(&[i64::MAX, 4]))];
    refused_node("ConvTranspose", "x w", &sizes, &[halves("w", &[2, 2, 3, 3])], &["out of range"]);
    let axes = [list("p", &[-1, -1, 0, 0]), list("a", &[2, 2])];
    refused_node("Pad", "x p - a", &[], &axes, &["axes [2, 2] name one axis twice"]);
}
