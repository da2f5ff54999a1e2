//! What exporters write around the batch, in their several ways.

use super::*;

/// The model's result for a batch of images whose elements count up, and the graph in words.
#[track_caller]
fn result(model: &Model, batch: usize) -> (Vec<f32>, String) {
    let graph = survives(model);
    let feed: Vec<f32> = (0..batch * 32).map(|k| k as f32).collect();
    let mut session = Session::new(Arc::new(graph.clone()), graph.outputs());
    let found = session.outputs(batch, &feed).unwrap_or_else(|error| panic!("{error}"));
    (found[0].data().to_vec(), graph.to_string())
}

/// The input as two patches of 16 elements, and nodes behind.
fn patches(mut behind: Vec<Node>) -> Vec<Node> {
    let mut nodes = vec![node("Reshape", "x sizes", "p", &[])];
    nodes.append(&mut behind);
    nodes
}

/// The model with a batch of one built in.
fn of_one(model: Model) -> Model {
    changed(model, |graph| {
        let shape = graph.input[0].r#type.as_mut().and_then(|t| t.tensor_type.as_mut());
        let shape = shape.and_then(|tensor| tensor.shape.as_mut()).expect("it has a shape");
        shape.dim[0].value = Some(Extent::Fixed(1));
    })
}

/// A token of halves before the patches of every sample.
fn with_token(found: &[f32]) {
    for (sample, rows) in found.chunks_exact(48).enumerate() {
        assert_eq!(rows[..16], [0.5; 16]);
        assert_eq!(rows[16], (sample * 32) as f32);
        assert_eq!(rows[47], (sample * 32 + 31) as f32);
    }
}

#[test]
fn a_class_token_repeats_over_the_batch() {
    let token = || vec![halves("token", &[1, 1, 16]), list("sizes", &[0, 2, 16])];
    let joined = || node("Concat", "t p", "y", &[("axis", int(1))]);
    let first = [("start", int(0)), ("end", int(1))];
    let direct = vec![
        node("Shape", "x", "n", &first),
        node("Concat", "n rest", "to", &[("axis", int(0))]),
        node("Expand", "token to", "t", &[]),
        joined(),
    ];
    let plain = model(patches(direct), [token(), vec![list("rest", &[1, 16])]].concat());
    // As the TorchScript exporter writes expand(n, -1, -1).
    let roundabout = vec![
        node("Shape", "x", "shape", &[]),
        node("Gather", "shape zero", "size", &[]),
        node("Unsqueeze", "size axes", "n", &[]),
        node("Concat", "n kept", "wanted", &[("axis", int(0))]),
        node("ConstantOfShape", "three", "ones", &[("value", array(list("", &[1])))]),
        node("Mul", "ones less", "negative", &[]),
        node("Equal", "wanted negative", "same", &[]),
        node("Where", "same ones wanted", "to", &[]),
        node("Expand", "token to", "t", &[]),
        joined(),
    ];
    let scalar = Tensor { dims: vec![], ..list("zero", &[0]) };
    let lists = [list("axes", &[0]), list("kept", &[-1, -1]), list("three", &[3])];
    let lists = [&[scalar][..], &lists, &[list("less", &[-1])]].concat();
    let roundabout = model(patches(roundabout), [token(), lists].concat());
    // Exported for one image.
    let single = patches(vec![node("Concat", "token p", "y", &[("axis", int(1))])]);
    let sizes = list("sizes", &[1, 2, 16]);
    let single = of_one(model(single, vec![halves("token", &[1, 1, 16]), sizes]));
    for model in [plain, roundabout, single] {
        let (found, words) = result(&model, 3);
        with_token(&found);
        assert!(!words.contains("Expand"), "{words}");
    }
}

#[test]
fn a_token_between_and_behind_computed_values() {
    let nodes = patches(vec![node("Concat", "p token p token", "y", &[("axis", int(1))])]);
    let constants = vec![halves("token", &[1, 1, 16]), list("sizes", &[0, 2, 16])];
    let (found, _) = result(&of_one(model(nodes.clone(), constants.clone())), 2);
    for (sample, rows) in found.chunks_exact(96).enumerate() {
        let start = (sample * 32) as f32;
        assert_eq!(
            [rows[0], rows[31], rows[48], rows[79]],
            [0.0, 31.0, 0.0, 31.0].map(|x| x + start)
        );
        assert!(rows[32..48].iter().chain(&rows[80..]).all(|&x| x == 0.5));
    }
    // In a file with an open batch, a constant for one sample is no constant for all.
    refused(&model(nodes, constants), &["cannot be joined along axis 1"]);
}

#[test]
fn strides_over_a_flat_batch_are_no_more_than_a_reshape() {
    // As the default exporter writes as_strided: 32 * place of the sample + place in it.
    let index = vec![
        node("Reshape", "x all", "flat", &[]),
        node("Shape", "x", "shape", &[("start", int(0)), ("end", int(1))]),
        node("Squeeze", "shape axes", "size", &[]),
        node("Range", "zero size one", "places", &[]),
        node("Mul", "places each", "starts", &[]),
        node("Unsqueeze", "starts last", "column", &[]),
        node("Range", "zero each one", "row", &[]),
        node("Add", "column row", "indices", &[]),
        node("Gather", "flat indices", "y", &[]),
    ];
    let scalar = |name: &str, x: i64| Tensor { dims: vec![], ..list(name, &[x]) };
    let constants = vec![
        list("all", &[-1]),
        list("axes", &[0]),
        list("last", &[1]),
        scalar("zero", 0),
        scalar("one", 1),
        scalar("each", 32),
    ];
    let (found, words) = result(&model(index.clone(), constants.clone()), 2);
    assert!(found.iter().enumerate().all(|(k, &x)| x == k as f32));
    assert!(!words.contains("Gather"), "{words}");
    let mut across = constants;
    across[5] = scalar("each", 31);
    refused(&model(index, across), &["it gathers along the batch, across samples"]);
}

#[test]
fn windows_of_one_image_are_windows_of_each() {
    // [1, 2, 4, 4] to four windows of 2 x 2 with two channels and back, as window attention does.
    let nodes = vec![
        node("Reshape", "x apart", "a", &[]),
        node("Transpose", "a", "t", &[("perm", ints(&[0, 2, 4, 3, 5, 1]))]),
        node("Reshape", "t windows", "w", &[]),
        node("Mul", "w two", "d", &[]),
        node("Reshape", "d grid", "g", &[]),
        node("Transpose", "g", "b", &[("perm", ints(&[0, 5, 1, 3, 2, 4]))]),
        node("Reshape", "b image", "y", &[]),
    ];
    let constants = vec![
        list("apart", &[1, 2, 2, 2, 2, 2]),
        list("windows", &[4, 4, 2]),
        halves("two", &[1]),
        list("grid", &[1, 2, 2, 2, 2, 2]),
        list("image", &[1, 2, 4, 4]),
    ];
    let (found, words) = result(&of_one(model(nodes, constants)), 3);
    assert!(found.iter().enumerate().all(|(k, &x)| x == k as f32 / 2.0));
    assert!(words.contains("[4n, 4, 2]"), "{words}");
}

#[test]
fn a_slice_with_steps_can_be_cut() {
    let nodes = vec![
        node("Conv", "x w", "c", &[]),
        node("Slice", "c start end axis step", "e", &[]),
        node("Conv", "e v", "f", &[]),
        node("GlobalAveragePool", "f", "y", &[]),
    ];
    let constants = vec![
        halves("w", &[8, 2, 1, 1]),
        halves("v", &[3, 4, 1, 1]),
        list("start", &[1]),
        list("end", &[8]),
        list("axis", &[1]),
        list("step", &[2]),
    ];
    let graph = survives(&model(nodes, constants));
    let channels = Channels::of(&graph);
    let labels = channels.labels(graph.find_value("c").expect("c is there")).to_vec();
    // 1, 3 and 7 of the odd channels stay, which no slice can say.
    let wanted = |label| label != labels[5] && label != labels[0];
    let keep = brickwork_graph::Keep::closed(&graph, &channels, wanted, |_| 0.0);
    let small = brickwork_graph::cut(&graph, &channels, &keep).and_then(|cut| cut.apply(&graph));
    let small = small.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        small.find_value("e").map(|e| small.value(e).shape.to_string()).as_deref(),
        Some("[n, 3, 4, 4]")
    );
}

#[test]
fn layers_that_share_a_bias_are_not_tied() {
    let layers = |second: &str| {
        vec![
            node("Conv", "x w b", "c", &[]),
            node("Relu", "c", "r", &[]),
            node("Conv", &format!("r {second} b"), "d", &[]),
            node("GlobalAveragePool", "d", "y", &[]),
        ]
    };
    let constants = vec![halves("w", &[2, 2, 1, 1]), halves("v", &[2, 2, 1, 1]), halves("b", &[2])];
    let tied = |second: &str| {
        let graph = survives(&model(layers(second), constants.clone()));
        let channels = Channels::of(&graph);
        let first = |name: &str| {
            let value = graph.find_value(name).expect("it is there");
            channels.group(channels.labels(value)[0])
        };
        first("c") == first("d")
    };
    assert!(!tied("v"));
    assert!(tied("w"));
}

/// Rows that go through a layer with the samples innermost, as torch's attention has them: `[2, n, 16]` to
/// `[2 n, 16]` and back.
fn rows_with_samples_innermost(flat: &[i64], apart: &[i64]) -> Model {
    let turn = [("perm", ints(&[1, 0, 2]))];
    let nodes = patches(vec![
        node("Transpose", "p", "t", &turn),
        node("Reshape", "t flat", "f", &[]),
        node("MatMul", "f w", "m", &[]),
        node("Relu", "m", "r", &[]),
        node("Reshape", "r apart", "a", &[]),
        node("Transpose", "a", "y", &turn),
    ]);
    let lists = [list("sizes", &[0, 2, 16]), list("flat", flat), list("apart", apart)];
    model(nodes, [&lists[..], &[halves("w", &[16, 3])]].concat())
}

#[test]
fn rows_may_have_the_samples_innermost() {
    let open = rows_with_samples_innermost(&[-1, 16], &[2, -1, 3]);
    let single = of_one(rows_with_samples_innermost(&[2, 16], &[2, 1, 3]));
    for model in [open, single] {
        let (found, _) = result(&model, 3);
        for (row, sums) in found.chunks_exact(3).enumerate() {
            let sum = (0..16).map(|k| (row * 16 + k) as f32 * 0.5).sum::<f32>();
            assert!(sums.iter().all(|x| (x - sum).abs() < 1e-2), "{row}: {sums:?}, expected {sum}");
        }
    }
}

#[test]
fn rows_of_several_samples_are_not_mixed() {
    let turn = [("perm", ints(&[1, 0, 2]))];
    let mut nodes = patches(vec![
        node("Transpose", "p", "t", &turn),
        node("Reshape", "t flat", "f", &[]),
        node("Transpose", "f", "c", &[("perm", ints(&[1, 0]))]),
        node("Relu", "c", "y", &[]),
    ]);
    let lists = [list("sizes", &[0, 2, 16]), list("flat", &[-1, 16])];
    refused(&model(nodes.clone(), lists.to_vec()), &["it mixes rows of several samples"]);
    nodes.truncate(3);
    nodes.push(node("Relu", "f", "y", &[]));
    refused(&model(nodes, lists.to_vec()), &["samples of the output do not lie along its first"]);
}
