//! Every backward pass against finite differences of the forward pass.

mod common;

use std::collections::BTreeSet;

use brickwork_graph::{Channels, SUPPORTED};

use common::check;

/// Operators whose results are never computed from a value that is learned.
const WITHOUT_GRADIENTS: &[&str] = &[
    "And",
    "Constant",
    "ConstantOfShape",
    "CumSum",
    "Equal",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Mod",
    "Not",
    "Or",
    "Range",
    "ReduceProd",
    "ScatterND",
    "Shape",
    "Size",
    "Xor",
];

macro_rules! families {
    ($($family:ident)*) => {
        $(#[test]
        fn $family() {
            nets::$family().into_iter().for_each(check);
        })*

        fn all_nets() -> Vec<common::Net> {
            [$(nets::$family()),*].into_iter().flatten().collect()
        }
    };
}

families! {
    convolutions linear_layers products normalisations activations functions_of_one_element dropout
    pools arithmetic moves joins views resampling
}

#[test]
fn every_operator_is_checked() {
    let checked: BTreeSet<String> = all_nets().into_iter().flat_map(|net| net.kinds).collect();
    for kind in SUPPORTED {
        assert_ne!(checked.contains(*kind), WITHOUT_GRADIENTS.contains(kind), "{kind}");
    }
}

/// What the nets of one operator show: whether the channels that reach it can be cut one by one.
fn cutting(kind: &str) -> &'static str {
    // Of its own nets; others that hold it show what is behind it.
    let is_own = |net: &common::Net| net.kinds.last().is_some_and(|last| last == kind);
    let any = all_nets().iter().any(is_own);
    let holds = |net: &common::Net| net.kinds.iter().any(|own| own == kind);
    let mut free = Vec::new();
    for net in all_nets().into_iter().filter(|net| if any { is_own(net) } else { holds(net) }) {
        let graph = net.graph();
        let (channels, value) = (Channels::of(&graph), common::value(&graph, "v"));
        let frozen = channels.frozen();
        free.push(channels.labels(value).iter().any(|&label| !frozen[label as usize]));
    }
    match (free.iter().any(|&free| free), free.iter().all(|&free| free)) {
        _ if free.is_empty() => "",
        (_, true) => "cut",
        (true, false) => "cut, or kept whole where it mixes them",
        (false, _) => "kept whole",
    }
}

#[test]
fn the_table_of_operators_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operators.md");
    let mut text = include_str!("operators.md").to_owned();
    for kind in SUPPORTED {
        let runs = !WITHOUT_GRADIENTS.contains(kind);
        let (run, train) = if runs { ("any value", "yes") } else { ("while reading", "") };
        text += &format!("| {kind} | {run} | {train} | {} |\n", cutting(kind));
    }
    if std::env::var_os("BRICKWORK_UPDATE").is_some() {
        std::fs::write(path, &text).expect("it can be written");
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(found, text, "run this test with BRICKWORK_UPDATE=1");
}

/// The networks under test, family by family.
mod nets {
    use brickwork_graph::Attr;

    use crate::common::{Net, ints};

    fn small() -> Net {
        Net::new(3, 4, 5)
    }

    /// Images as volumes `d` `[n, c, 3, h / 3, w]`.
    fn volume(net: Net) -> Net {
        net.ints("volume", &[0, 0, 3, -1, 5]).then("Reshape", &["v", "volume"], "d")
    }

    fn text(text: &str) -> Attr {
        Attr::Text(text.to_owned())
    }

    pub(crate) fn convolutions() -> Vec<Net> {
        let plain = [
            (1, 1, 1, [1, 1, 1, 1], [3, 3]),
            (1, 2, 1, [1, 1, 1, 1], [3, 3]),
            (1, 1, 2, [2, 2, 2, 2], [3, 3]),
            (2, 1, 1, [0, 1, 1, 0], [2, 3]),
            (2, 2, 1, [0, 0, 0, 0], [1, 1]),
            (4, 1, 1, [1, 1, 1, 1], [3, 3]),
            (4, 2, 1, [1, 0, 1, 2], [3, 3]),
        ];
        let plain = plain.map(|(groups, stride, dilation, pads, kernel)| {
            let outputs = if groups == 4 { 4 } else { 6 };
            let shape = [outputs, 4 / groups, kernel[0], kernel[1]];
            let attrs = [
                ("group", Attr::Int(groups as i64)),
                ("strides", ints(&[stride, stride])),
                ("dilations", ints(&[dilation, dilation])),
                ("pads", ints(&pads)),
            ];
            let net = Net::new(4, 6, 5).with("w", &shape).with("b", &[outputs]);
            net.node("Conv", &["v", "w", "b"], &["y"], &attrs)
        });
        let pads = [("pads", ints(&[1, 1, 1, 1]))];
        let wide = Net::new(16, 12, 12).with("w", &[32, 16, 3, 3]);
        let line = Net::new(4, 6, 5)
            .node("ReduceMean", &["v"], &["l"], &[("axes", ints(&[3])), ("keepdims", Attr::Int(0))])
            .with("w", &[2, 4, 3])
            .node("Conv", &["l", "w"], &["y"], &[("pads", ints(&[1, 0]))]);
        // Weights that are turned while reading stay as they are; what is before them learns.
        let turned = Net::new(4, 3, 2).floats("w", &[4, 3, 3, 2], vec![0.25; 72]).with("b", &[6]);
        let turned = turned.node(
            "ConvTranspose",
            &["v", "w", "b"],
            &["y"],
            &[("group", Attr::Int(2)), ("strides", ints(&[2, 1])), ("pads", ints(&[1, 0, 0, 1]))],
        );
        let deep = [
            ("group", Attr::Int(2)),
            ("strides", ints(&[2, 1, 1])),
            ("dilations", ints(&[1, 1, 2])),
            ("pads", ints(&[1, 0, 1, 0, 1, 1])),
        ];
        // Weights that are reshaped while reading stay as they are.
        let deep = volume(Net::new(4, 6, 5))
            .floats("w", &[6, 2, 2, 2, 2], crate::common::noise(96, 3))
            .with("b", &[6])
            .node("Conv", &["d", "w", "b"], &["y"], &deep);
        let folded = Net::new(8, 2, 2)
            .ints("columns", &[0, 8, 4])
            .then("Reshape", &["v", "columns"], "c")
            .ints("image", &[3, 4])
            .ints("block", &[2, 2]);
        let strides = [("strides", ints(&[1, 2]))];
        let folded = folded.node("Col2Im", &["c", "image", "block"], &["y"], &strides);
        let more = [wide.node("Conv", &["v", "w"], &["y"], &pads), line, turned, deep, folded];
        plain.into_iter().chain(more).collect()
    }

    pub(crate) fn linear_layers() -> Vec<Net> {
        let flat = || Net::new(2, 3, 4).then("Flatten", &["v"], "f").with("b", &[7]);
        let plain = flat().with("w", &[24, 7]).then("Gemm", &["f", "w", "b"], "y");
        let transposed = [("transB", Attr::Int(1))];
        let transposed =
            flat().with("w", &[7, 24]).node("Gemm", &["f", "w", "b"], &["y"], &transposed);
        let product = flat().with("w", &[24, 7]).then("MatMul", &["f", "w"], "m");
        vec![plain, transposed, product.then("Add", &["m", "b"], "y")]
    }

    pub(crate) fn products() -> Vec<Net> {
        let rows = |net: Net| net.ints("rows", &[0, 4, 6]).then("Reshape", &["v", "rows"], "r");
        let turn = [("perm", ints(&[0, 2, 1]))];
        let turned = |net: Net| net.node("Transpose", &["r"], &["t"], &turn);
        let layer = turned(rows(Net::new(4, 2, 3))).with("w", &[4, 5]);
        let gram = turned(rows(Net::new(4, 2, 3))).then("MatMul", &["r", "t"], "y");
        let neighbours = [0.0, 1.5, 0.0, 0.0, 0.0, 0.0, 0.0, -2.0, 0.5, 0.0, 0.0, 0.0].to_vec();
        let mixed = |matrix: Vec<f32>| {
            let net = turned(rows(Net::new(4, 2, 3))).floats("a", &[2, 6], matrix);
            net.then("MatMul", &["a", "t"], "y")
        };
        let images = Net::new(2, 3, 4)
            .node("Transpose", &["v"], &["t"], &[("perm", ints(&[0, 1, 3, 2]))])
            .then("Tanh", &["t"], "s")
            .then("MatMul", &["v", "s"], "y");
        let layer = layer.then("MatMul", &["t", "w"], "y");
        let stacked =
            |shape: &[usize]| Net::new(2, 3, 4).with("w", shape).then("MatMul", &["v", "w"], "y");
        let before = Net::new(2, 3, 4).with("w", &[2, 5, 3]).then("MatMul", &["w", "v"], "y");
        let pooled = Net::new(2, 3, 4)
            .node("ReduceMean", &["v"], &["m"], &[("axes", ints(&[1]))])
            .node("Transpose", &["m"], &["t"], &[("perm", ints(&[0, 1, 3, 2]))])
            .then("MatMul", &["v", "t"], "y");
        let equation = |equation: &str, operands: &[&str]| {
            let net = turned(rows(Net::new(4, 2, 3))).with("w", &[4, 5]);
            net.node("Einsum", operands, &["y"], &[("equation", text(equation))])
        };
        let attention = |attrs: &[(&'static str, Attr)], operands: &[&str]| {
            let heads = [("q_num_heads", Attr::Int(2)), ("kv_num_heads", Attr::Int(2))];
            let net = turned(rows(Net::new(4, 2, 3))).with("mask", &[6, 6]);
            net.node("Attention", operands, &["y"], &[&heads[..], attrs].concat())
        };
        let causal = [("is_causal", Attr::Int(1)), ("softcap", Attr::Float(2.0))];
        let attentions = [
            attention(&causal, &["t", "t", "t"]),
            attention(&[("scale", Attr::Float(0.3))], &["t", "t", "t", "mask"]),
        ];
        let sums = [
            equation("nij,njk->nik", &["r", "t"]),
            equation("nij,ncd->nidj", &["r", "r"]),
            equation("nik,kc->nci", &["t", "w"]),
            equation("nij->nj", &["r"]),
        ];
        let mut nets = vec![layer, gram, images, mixed(neighbours), mixed(vec![0.3; 12])];
        nets.extend([stacked(&[2, 4, 5]), stacked(&[1, 4, 2]), before, pooled]);
        nets.into_iter().chain(sums).chain(attentions).collect()
    }

    pub(crate) fn normalisations() -> Vec<Net> {
        let layer = |axis: i64, shape: &[usize], bias: bool| {
            let net = small().with("scale", shape).with("bias", shape);
            let inputs = &["v", "scale", "bias"][..2 + usize::from(bias)];
            net.node("LayerNormalization", inputs, &["y"], &[("axis", Attr::Int(axis))])
        };
        let response = |size: i64| {
            let attrs = [
                ("size", Attr::Int(size)),
                ("alpha", Attr::Float(2.0)),
                ("beta", Attr::Float(0.6)),
                ("bias", Attr::Float(1.5)),
            ];
            Net::new(5, 2, 3).node("LRN", &["v"], &["y"], &attrs)
        };
        let softmax = |kind: &str, axis: i64| {
            small().node(kind, &["v"], &["y"], &[("axis", Attr::Int(axis))])
        };
        let scaled = |kind: &str, count: usize, attrs: &[(&str, Attr)]| {
            let net = Net::new(4, 4, 5).with("scale", &[count]).with("bias", &[count]);
            net.node(kind, &["v", "scale", "bias"], &["y"], attrs)
        };
        let by_norm = |p: i64| {
            let attrs = [("p", Attr::Int(p)), ("axis", Attr::Int(1))];
            small().node("LpNormalization", &["v"], &["y"], &attrs)
        };
        vec![
            scaled("InstanceNormalization", 4, &[]),
            scaled("GroupNormalization", 4, &[("num_groups", Attr::Int(2))]),
            scaled("GroupNormalization", 2, &[("num_groups", Attr::Int(2))]),
            small().with("scale", &[5]).then("RMSNormalization", &["v", "scale"], "y"),
            by_norm(1),
            by_norm(2),
            small().norm("v", "y", 3),
            layer(-1, &[5], true),
            layer(-1, &[5], false),
            layer(1, &[3, 4, 5], true),
            response(3),
            response(4),
            softmax("Softmax", 1),
            softmax("Softmax", -1),
            softmax("LogSoftmax", 1),
        ]
    }

    pub(crate) fn activations() -> Vec<Net> {
        let plain = ["Relu", "LeakyRelu", "Elu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh"];
        let tanh = [("approximate", text("tanh"))];
        let mut nets: Vec<Net> = plain.map(|kind| small().then(kind, &["v"], "y")).into();
        let smooth = ["Mish", "Softplus", "Softsign", "Selu", "Celu", "Swish"];
        nets.extend(smooth.map(|kind| small().then(kind, &["v"], "y")));
        nets.push(small().node("Celu", &["v"], &["y"], &[("alpha", Attr::Float(0.6))]));
        nets.push(small().node("ThresholdedRelu", &["v"], &["y"], &[("alpha", Attr::Float(0.01))]));
        nets.extend([
            small().then("Gelu", &["v"], "y"),
            small().node("Gelu", &["v"], &["y"], &tanh),
            small().floats("low", &[], vec![-0.9]).floats("high", &[], vec![0.8]).then(
                "Clip",
                &["v", "low", "high"],
                "y",
            ),
        ]);
        let slopes: [&[usize]; 4] = [&[3, 1, 1], &[1, 3, 1, 1], &[4, 5], &[3, 4, 5]];
        let slopes =
            slopes.map(|shape| small().with("slope", shape).then("PRelu", &["v", "slope"], "y"));
        nets.into_iter().chain(slopes).collect()
    }

    pub(crate) fn functions_of_one_element() -> Vec<Net> {
        let anywhere = ["Exp", "Erf", "Neg", "Abs", "Identity", "Sin", "Cos"];
        let mut nets: Vec<Net> = anywhere.map(|kind| small().then(kind, &["v"], "y")).into();
        // The others want positive numbers.
        let positive = || small().then("Exp", &["v"], "e");
        nets.extend(["Log", "Sqrt", "Reciprocal"].map(|kind| positive().then(kind, &["e"], "y")));
        let steps = ["Ceil", "Floor", "Round", "Sign"];
        // Away from where they jump.
        let level = |kind: &str| {
            let net = small().floats("small", &[], vec![1e-3]).floats("inside", &[], vec![0.3]);
            let net = net.then("Mul", &["v", "small"], "m").then("Add", &["m", "inside"], "a");
            net.then(kind, &["a"], "s").then("Add", &["s", "v"], "y")
        };
        nets.extend(steps.map(level));
        let cast = small().node("Cast", &["v"], &["c"], &[("to", Attr::Int(1))]);
        nets.push(cast.then("Abs", &["c"], "y"));
        nets.push(positive().with("p", &[1, 3, 1, 1]).then("Pow", &["e", "p"], "y"));
        nets.extend(
            [2.0, 3.0]
                .map(|power| small().floats("p", &[], vec![power]).then("Pow", &["v", "p"], "y")),
        );
        nets
    }

    pub(crate) fn dropout() -> Vec<Net> {
        vec![small().then("Dropout", &["v"], "y")]
    }

    pub(crate) fn pools() -> Vec<Net> {
        let window = [
            ("kernel_shape", ints(&[3, 3])),
            ("strides", ints(&[2, 2])),
            ("pads", ints(&[1, 1, 1, 1])),
        ];
        let padded = [&window[..], &[("count_include_pad", Attr::Int(1))]].concat();
        let hanging = [&window[..], &[("ceil_mode", Attr::Int(1))]].concat();
        let large = || Net::new(3, 7, 6);
        let reduced = |kind: &str, input: &str| {
            let attrs = [("axes", ints(&[1, 3])), ("keepdims", Attr::Int(0))];
            small().then("Exp", &["v"], "e").node(kind, &[input], &["y"], &attrs)
        };
        let flat = [("axes", ints(&[2, 3])), ("keepdims", Attr::Int(0))];
        let deep = |kind: &str, more: &[(&'static str, Attr)]| {
            let window = [
                ("kernel_shape", ints(&[2, 2, 3])),
                ("strides", ints(&[2, 1, 2])),
                ("pads", ints(&[1, 0, 1, 0, 1, 1])),
                ("ceil_mode", Attr::Int(1)),
            ];
            volume(Net::new(3, 6, 5)).node(kind, &["d"], &["y"], &[&window[..], more].concat())
        };
        vec![
            deep("MaxPool", &[]),
            deep("AveragePool", &[]),
            deep("AveragePool", &[("count_include_pad", Attr::Int(1))]),
            large().node("MaxPool", &["v"], &["y"], &window),
            large().node("MaxPool", &["v"], &["y"], &hanging),
            large().node("AveragePool", &["v"], &["y"], &window),
            large().node("AveragePool", &["v"], &["y"], &padded),
            large().node("AveragePool", &["v"], &["y"], &hanging),
            small().then("GlobalAveragePool", &["v"], "y"),
            small().then("GlobalMaxPool", &["v"], "y"),
            small().node("ReduceMean", &["v"], &["y"], &flat),
            small().node("ReduceMean", &["v"], &["y"], &[("axes", ints(&[1]))]),
            small().node("ReduceMean", &["v"], &["y"], &[("axes", ints(&[1, 3]))]),
            reduced("ReduceSum", "v"),
            reduced("ReduceMax", "v"),
            reduced("ReduceMin", "v"),
            reduced("ReduceL1", "v"),
            reduced("ReduceL2", "v"),
            reduced("ReduceSumSquare", "v"),
            reduced("ReduceLogSum", "e"),
            reduced("ReduceLogSumExp", "v"),
        ]
    }

    pub(crate) fn arithmetic() -> Vec<Net> {
        let mut nets = Vec::new();
        for kind in ["Add", "Sub", "Mul"] {
            nets.push(small().then("Sigmoid", &["v"], "s").then(kind, &["v", "s"], "y"));
            nets.push(small().with("c", &[1, 3, 1, 1]).then(kind, &["c", "v"], "y"));
            nets.push(small().then("GlobalAveragePool", &["v"], "s").then(kind, &["v", "s"], "y"));
        }
        nets.push(small().then("Exp", &["v"], "e").then("Div", &["v", "e"], "y"));
        nets.push(small().then("Sigmoid", &["v"], "s").then("Sum", &["v", "s", "v"], "y"));
        nets.push(small().then("Sigmoid", &["v"], "s").then("Mean", &["v", "s", "v"], "y"));
        nets.push(small().with("like", &[1]).then("CastLike", &["v", "like"], "c").then(
            "Abs",
            &["c"],
            "y",
        ));
        for kind in ["Max", "Min"] {
            nets.push(small().with("c", &[1, 3, 1, 1]).then(kind, &["c", "v"], "y"));
            nets.push(small().then("Neg", &["v"], "s").then(kind, &["v", "s"], "y"));
        }
        let triangle = small().node("Trilu", &["v"], &["y"], &[("upper", Attr::Int(0))]);
        let chosen = small().ints("c", &[1, 0, 1, 1, 0]).then("Where", &["c", "v", "v"], "y");
        nets.extend([triangle, chosen]);
        nets
    }

    pub(crate) fn moves() -> Vec<Net> {
        let slice = |starts: [i64; 2], ends: [i64; 2], axes: [i64; 2], steps: [i64; 2]| {
            let net = Net::new(4, 3, 5).ints("starts", &starts).ints("ends", &ends);
            let net = net.ints("axes", &axes).ints("steps", &steps);
            net.then("Slice", &["v", "starts", "ends", "axes", "steps"], "y")
        };
        let pad = |pads: [i64; 8]| small().ints("pads", &pads).then("Pad", &["v", "pads"], "y");
        let gather = |axis: i64, indices: &[i64]| {
            let attrs = [("axis", Attr::Int(axis))];
            small().ints("indices", indices).node("Gather", &["v", "indices"], &["y"], &attrs)
        };
        let around = |mode: &str| {
            let net = small().ints("pads", &[0, 0, 1, 2, 0, 0, 2, 1]);
            net.node("Pad", &["v", "pads"], &["y"], &[("mode", text(mode))])
        };
        let listed = |kind: &str, shape: &[i64], indices: &[i64], attrs: &[(&str, Attr)]| {
            let net = small().ints("list", indices).ints("shape", shape);
            let net = net.then("Reshape", &["list", "shape"], "indices");
            net.node(kind, &["v", "indices"], &["y"], attrs)
        };
        // The same indices for every sample of the batch.
        let sampled = |kind: &str, shape: &[i64], indices: &[i64], attrs: &[(&str, Attr)]| {
            let net = small().ints("list", indices).ints("each", &[&[1], shape].concat());
            let first = [("start", Attr::Int(0)), ("end", Attr::Int(1))];
            let mut net = net.then("Reshape", &["list", "each"], "single");
            net = net.node("Shape", &["v"], &["batch"], &first);
            net.kinds.retain(|kind| kind != "Shape");
            net.ints("rest", shape)
                .node("Concat", &["batch", "rest"], &["all"], &[("axis", Attr::Int(0))])
                .then("Expand", &["single", "all"], "indices")
                .node(kind, &["v", "indices"], &["y"], attrs)
        };
        let axis = [("axis", Attr::Int(3))];
        let space =
            Net::new(4, 4, 2).node("SpaceToDepth", &["v"], &["y"], &[("blocksize", Attr::Int(2))]);
        let depth =
            Net::new(8, 2, 2).node("DepthToSpace", &["v"], &["y"], &[("blocksize", Attr::Int(2))]);
        let pixel = small().then("GlobalAveragePool", &["v"], "p").ints("to", &[1, 3, 2, 4]);
        let row = small().ints("to", &[1, 3, 1, 5]);
        let mean = [("axes", ints(&[2]))];
        let row = row.node("ReduceMean", &["v"], &["p"], &mean).ints("taller", &[1, 3, 4, 5]);
        // Becomes a permutation of the channels.
        let shuffle = Net::new(4, 2, 3)
            .ints("apart", &[0, 2, 2, 2, 3])
            .then("Reshape", &["v", "apart"], "a")
            .node("Transpose", &["a"], &["t"], &[("perm", ints(&[0, 2, 1, 3, 4]))])
            .ints("together", &[0, 4, 2, 3])
            .then("Reshape", &["t", "together"], "y");
        vec![
            slice([1, 0], [3, 100], [1, 3], [1, 1]),
            slice([0, -1], [4, -100], [1, 2], [2, -2]),
            slice([3, 1], [-100, 4], [1, 3], [-1, 2]),
            pad([0, 0, 1, 2, 0, 0, 0, 1]),
            pad([0, 1, 0, 1, 0, 2, 1, 0]),
            gather(1, &[2, 0, 2, 2]),
            gather(3, &[4, 1]),
            pixel.then("Expand", &["p", "to"], "y"),
            row.then("Expand", &["p", "taller"], "y"),
            around("reflect"),
            around("edge"),
            around("wrap"),
            pad([0, 0, -1, 2, 0, 0, 1, -2]),
            listed("Gather", &[2, 2], &[3, 0, 1, 3], &axis),
            listed("Gather", &[], &[2], &axis),
            sampled("GatherElements", &[1, 2, 3], &[3, 0, 1, 3, 2, 4], &axis),
            sampled("GatherND", &[2, 2], &[2, 0, 1, 3], &[("batch_dims", Attr::Int(1))]),
            small().ints("times", &[1, 1, 2, 3]).then("Tile", &["v", "times"], "y"),
            space,
            depth,
            shuffle,
        ]
    }

    pub(crate) fn joins() -> Vec<Net> {
        let along = [("axis", Attr::Int(1))];
        let split = |parts: [&str; 2]| {
            let net = Net::new(4, 4, 5).ints("sizes", &[1, 3]);
            net.node("Split", &["v", "sizes"], &parts, &along)
        };
        // Of the second, only one part is read.
        let joined = split(["a", "b"]).node("Concat", &["b", "a", "b"], &["y"], &along);
        vec![joined, split(["a", "y"])]
    }

    pub(crate) fn views() -> Vec<Net> {
        let cubed = |net: Net, from: &str| {
            net.floats("three", &[], vec![3.0]).then("Pow", &[from, "three"], "y")
        };
        let reshaped = Net::new(4, 2, 3)
            .ints("shape", &[0, 8, 3])
            .then("Reshape", &["v", "shape"], "r")
            .node("Transpose", &["r"], &["t"], &[("perm", ints(&[0, 2, 1]))]);
        let squeezed = small()
            .then("GlobalAveragePool", &["v"], "p")
            .ints("places", &[2, 3])
            .then("Squeeze", &["p", "places"], "s")
            .ints("place", &[1])
            .then("Unsqueeze", &["s", "place"], "u");
        vec![
            cubed(small().then("Flatten", &["v"], "f"), "f"),
            cubed(reshaped, "t"),
            cubed(squeezed, "u"),
        ]
    }

    pub(crate) fn resampling() -> Vec<Net> {
        let resized = |scales: [f32; 2], mode: &str, coordinates: &str| {
            let net = small().floats("scales", &[4], vec![1.0, 1.0, scales[0], scales[1]]);
            let attrs =
                [("mode", text(mode)), ("coordinate_transformation_mode", text(coordinates))];
            net.node("Resize", &["v", "", "scales"], &["y"], &attrs)
        };
        vec![
            resized([2.0, 2.0], "nearest", "asymmetric"),
            resized([0.5, 1.6], "nearest", "half_pixel"),
            resized([2.0, 1.6], "linear", "half_pixel"),
            resized([0.5, 2.0], "linear", "align_corners"),
            resized([0.5, 1.6], "cubic", "half_pixel"),
            resized([1.6, 2.0], "cubic", "half_pixel_symmetric"),
            small().floats("twice", &[4], vec![1.0, 1.0, 2.0, 2.0]).node(
                "Upsample",
                &["v", "twice"],
                &["y"],
                &[("mode", text("linear"))],
            ),
        ]
    }
}
