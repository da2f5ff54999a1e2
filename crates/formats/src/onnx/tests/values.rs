//! Constants and inputs that are not what they say.

use super::*;

/// A model that adds the constant to its input.
fn adds(constant: Tensor) -> Model {
    model(vec![node("Add", "x w", "y", &[])], vec![constant])
}

/// A model whose input is described otherwise.
fn fed(input: ValueInfo) -> Model {
    changed(model(vec![node("Relu", "x", "y", &[])], vec![]), |graph| graph.input = vec![input])
}

fn retyped(elem_type: i32) -> ValueInfo {
    let tensor_type = Some(TensorType { elem_type, shape: None });
    ValueInfo { name: "x".to_owned(), r#type: Some(Type { tensor_type }) }
}

#[test]
fn a_constant_given_twice() {
    let twice = changed(adds(halves("w", &[1])), |g| g.initializer.push(halves("w", &[4])));
    refused(&twice, &["1 problem in", "`w`: the name is used twice"]);
}

#[test]
fn names_that_are_missing_or_taken() {
    let nameless = changed(adds(halves("w", &[1])), |g| g.initializer.push(halves("", &[4])));
    refused(&nameless, &["``: an input or constant has no name"]);
    let twice = changed(adds(halves("w", &[1])), |g| g.input.push(value("x", &[2])));
    refused(&twice, &["`x`: the name is used twice"]);
}

#[test]
fn a_constant_may_also_be_listed_as_input() {
    survives(&changed(adds(halves("w", &[1])), |graph| graph.input.push(value("w", &[]))));
}

#[test]
fn extents_that_are_negative_or_overflow() {
    let shaped = |dims: &[i64]| adds(Tensor { dims: dims.to_vec(), ..halves("w", &[1]) });
    refused(&shaped(&[-1]), &["`w`: shape [-1] holds a negative extent"]);
    refused(&shaped(&[i64::MIN, 2]), &["`w`: shape [-9223372036854775808, 2] holds a negative"]);
    refused(
        &shaped(&[1 << 40, 1 << 40]),
        &["`w`: shape [1099511627776, 1099511627776] is too large"],
    );
    refused(&shaped(&[1 << 62]), &["`w`: shape [4611686018427387904] needs 4611686018427387904"]);
    refused(&shaped(&[i64::MAX]), &["needs 9223372036854775807 numbers of 4 bytes each, found 4"]);
}

#[test]
fn shapes_with_a_hidden_overflow() {
    let hidden =
        Tensor { dims: vec![0, 1 << 40, 1 << 40], raw_data: Some(vec![]), ..halves("w", &[0]) };
    refused(&adds(hidden), &["`w`: shape [1, 1099511627776, 1099511627776] holds more than"]);
    let deep = Tensor { dims: vec![1; 1000], ..halves("w", &[1]) };
    refused(&adds(deep), &["`w`: it has 1000 axes, at most 16 may be"]);
}

#[test]
fn data_that_is_too_short_or_too_long() {
    let raw = |len: usize| adds(Tensor { raw_data: Some(vec![0; len]), ..halves("w", &[2, 4, 4]) });
    for len in [4, 127, 129, 1000] {
        let found = format!("shape [2, 4, 4] needs 32 numbers of 4 bytes each, found {len} bytes");
        refused(&raw(len), &["`w`: ", &found]);
    }
    refused(&raw(0), &["`w`: shape [2, 4, 4] needs 32 numbers, found 0"]);
    let listed = Tensor { raw_data: None, float_data: vec![1.0; 3], ..halves("w", &[4]) };
    refused(&adds(listed), &["`w`: shape [4] needs 4 numbers, found 3"]);
}

#[test]
fn data_types_without_numbers() {
    let typed = |data_type| adds(Tensor { data_type, ..halves("w", &[1]) });
    for (data_type, name) in [
        (0, "none"),
        (8, "string"),
        (14, "complex64"),
        (15, "complex128"),
        (17, "float8e4m3fn"),
        (99, "99"),
        (-1, "-1"),
    ] {
        refused(&typed(data_type), &[&format!("`w`: data type {name} is not supported")]);
    }
}

#[test]
fn whole_numbers_where_real_ones_are_needed() {
    refused(&adds(list("w", &[1])), &["node `Add of y` (Add): an operand holds whole numbers"]);
    let weights = Tensor { dims: vec![1, 2, 1, 1], ..list("w", &[1, 2]) };
    refused_node("Conv", "x w", &[], &[weights], &["an operand holds whole numbers"]);
}

#[test]
fn an_empty_image_of_whole_numbers() {
    let nothing = Tensor { dims: vec![1, 2, 0, 4], ..list("w", &[]) };
    let attrs = [("kernel_shape", ints(&[2, 2])), ("auto_pad", text("SAME_UPPER"))];
    let says = ["operand 0 has shape [1, 2, 0, 4], expected 4 axes"];
    refused_node("MaxPool", "w", &attrs, &[nothing], &says);
}

#[test]
fn nan_and_infinite_weights() {
    for strange in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut weights = halves("w", &[4]);
        weights.raw_data = Some([0.5, strange, 0.5, strange].map(f32::to_le_bytes).concat());
        refused(&adds(weights), &["`w`: it holds 2 NaN or infinite numbers"]);
    }
    let single = |x: f32| Tensor { raw_data: Some(x.to_le_bytes().to_vec()), ..halves("w", &[]) };
    refused(&adds(single(f32::NAN)), &["`w`: it holds 1 NaN or infinite numbers"]);
    survives(&adds(single(f32::INFINITY)));
}

#[test]
fn nan_in_a_constant_node_or_out_of_folding() {
    let nan = Tensor { raw_data: Some(f32::NAN.to_le_bytes().to_vec()), ..halves("", &[1]) };
    let says = ["node `Constant of y` (Constant): it holds 1 NaN or infinite numbers"];
    refused_node("Constant", "", &[("value", array(nan))], &[], &says);
    let nodes = vec![
        node("Sub", "w w", "zeros", &[]),
        node("Div", "zeros zeros", "nans", &[]),
        node("Add", "x nans", "y", &[]),
    ];
    let says = ["node `Add of y` (Add): `nans`: it holds 4 NaN or infinite numbers"];
    refused(&model(nodes, vec![halves("w", &[4])]), &says);
}

#[test]
fn inputs_of_other_types() {
    refused(&fed(retyped(10)), &["1 problem in", "`x`: the input has no shape"]);
    refused(&fed(retyped(7)), &["`x`: the input is of int64, expected floats of 32 or 16 bits"]);
    let untyped = ValueInfo { name: "x".to_owned(), r#type: None };
    refused(&fed(untyped), &["`x`: the input is of none, expected floats of 32 or 16 bits"]);
}

#[test]
fn inputs_of_other_shapes() {
    refused(&fed(retyped(1)), &["1 problem in", "`x`: the input has no shape"]);
    let mut scalar = retyped(1);
    scalar.r#type.as_mut().and_then(|t| t.tensor_type.as_mut()).expect("a type").shape =
        Some(TensorShape { dim: vec![] });
    refused(&fed(scalar), &["`x`: the input is a scalar"]);
    refused(&fed(value("x", &[2, 0, 4])), &["`x`: the input's extent on axis 2 is open"]);
    refused(
        &fed(value("x", &[2, -1, 4])),
        &["`x`: the input's extent on axis 2 is open", "`size=`"],
    );
    let says = ["`x`: the input's extent on axis 1 is 4611686018427387904, at most 1048576"];
    refused(&fed(value("x", &[1 << 62])), &says);
    let says = ["`x`: shape [n, 1048576, 1048576] holds more than 268435456 elements per sample"];
    refused(&fed(value("x", &[1 << 20, 1 << 20])), &says);
    refused(&fed(value("x", &[1; 40])), &["`x`: it has 41 axes, at most 16 may be"]);
}

#[test]
fn an_open_height_can_be_stated_but_not_absurdly() {
    let bytes = fed(value("x", &[3, 0, 0])).encode_to_vec();
    let sized =
        |size| decode(&bytes, None, &ReadOptions { size: Some(size), ..ReadOptions::default() });
    assert!(sized([8, 9]).expect("it loads").to_string().contains("input x [n, 3, 8, 9]"));
    let said = sized([0, 9]).expect_err("no height").to_string();
    assert!(said.contains("`x`: shape [n, 3, 0, 9] holds no elements"), "{said}");
    let said = sized([usize::MAX, 9]).expect_err("too high").to_string();
    assert!(said.contains("axis 2 is 18446744073709551615, at most 1048576"), "{said}");
}

#[test]
fn open_channels_are_those_that_the_nodes_take() {
    let open = |nodes: Vec<Node>| {
        let mut model = changed(model(nodes, vec![halves("w", &[2, 3, 3, 3])]), |graph| {
            graph.input = vec![value("x", &[0, 0, 0])];
        });
        model.graph.as_mut().expect("a graph").output = vec![value("y", &[])];
        model.encode_to_vec()
    };
    let sized = |bytes: &[u8], channels_last| {
        let read =
            decode(bytes, None, &ReadOptions { size: Some([8, 9]), channels_last, output: None });
        read.map_err(|error| error.to_string())
    };
    let conv = |input: &str| node("Conv", &format!("{input} w"), "y", &[]);
    let first = open(vec![conv("x")]);
    let said = |bytes: &[u8]| sized(bytes, None).expect("it loads").to_string();
    assert!(said(&first).contains("input x [n, 3, 8, 9]"));
    let turn = node("Transpose", "x", "t", &[("perm", ints(&[0, 3, 1, 2]))]);
    assert!(said(&open(vec![turn, conv("t")])).contains("input x [n, 8, 9, 3]"));
    let neither = decode(&first, None, &ReadOptions::default()).expect_err("no size").to_string();
    assert!(neither.contains("axis 2 is open; state height and width (`size=`)"), "{neither}");
    let any = open(vec![node("Relu", "x", "y", &[])]);
    let unclear = sized(&any, None).expect_err("any shape");
    assert!(unclear.contains("each of [n, 3, 8, 9], [n, 1, 8, 9], [n, 8, 9, 3]"), "{unclear}");
    assert!(unclear.contains("`layout=nchw` or `layout=nhwc`"), "{unclear}");
    let still = sized(&any, Some(true)).expect_err("any channels");
    assert!(still.contains("fixed number of channels") && !still.contains("[n, 3"), "{still}");
    let wrong = open(vec![node("Conv", "x v", "y", &[])]);
    let wrong = sized(&wrong, None).expect_err("no weights");
    assert!(wrong.contains("`v` is made by no earlier node"), "{wrong}");
}

#[test]
fn three_channels_tell_where_they_are() {
    let read = |extents: &[i64]| {
        let bytes = fed(value("x", extents)).encode_to_vec();
        let options = ReadOptions { size: Some([8, 9]), ..ReadOptions::default() };
        decode(&bytes, None, &options)
    };
    let sized = |extents: &[i64]| read(extents).expect("it loads").to_string();
    assert!(sized(&[0, 0, 3]).contains("input x [n, 8, 9, 3]"));
    assert!(sized(&[3, 0, 0]).contains("input x [n, 3, 8, 9]"));
    assert!(sized(&[3, 0, 3]).contains("input x [n, 3, 8, 3]"), "the first counts");
    let open = read(&[0, 9, 7]).expect_err("one or three").to_string();
    assert!(open.contains("each of [n, 3, 9, 7], [n, 1, 9, 7]"), "{open}");
}

/// A sparse constant `w` of halves.
fn sparse(dims: &[i64], indices: Tensor) -> SparseTensor {
    let values = halves("w", &indices.dims[..1]);
    SparseTensor { values: Some(values), indices: Some(indices), dims: dims.to_vec() }
}

/// A model that adds the sparse constant to its input.
fn adds_sparse(constant: SparseTensor) -> Model {
    changed(model(vec![node("Add", "x w", "y", &[])], vec![]), |graph| {
        graph.sparse_initializer.push(constant);
    })
}

/// Whole numbers in rows.
fn grid(rows: &[[i64; 2]]) -> Tensor {
    Tensor { dims: vec![rows.len() as i64, 2], ..list("indices", rows.as_flattened()) }
}

#[test]
fn sparse_constants_are_filled_with_zeros() {
    for indices in [list("indices", &[1, 6]), grid(&[[0, 1], [1, 2]])] {
        let graph = survives(&adds_sparse(sparse(&[4, 4], indices)));
        let id = graph.find_value("w").expect("it is there");
        let found = graph.value(id).constant.as_ref().map(|data| data.data().to_vec());
        let mut expected = vec![0.0; 16];
        (expected[1], expected[6]) = (0.5, 0.5);
        assert_eq!(found, Some(expected));
    }
}

#[test]
fn sparse_constants_that_lie() {
    let lies = |dims: &[i64], indices: Tensor, says: &str| {
        refused(&adds_sparse(sparse(dims, indices)), &["1 problem in", "`w`: ", says]);
    };
    let two = || list("indices", &[1, 6]);
    lies(&[2, -4], two(), "shape [2, -4] holds a negative extent");
    lies(&[1 << 40, 1 << 40], two(), "is too large");
    lies(&[1 << 61, 4], two(), "holds more than 268435456 elements");
    lies(&[2, 0], list("indices", &[]), "shape [2, 0] holds no elements");
    lies(&[2, 3], two(), "index [6] lies outside its shape [2, 3]");
    lies(&[2, 4], list("indices", &[-1, 6]), "index [-1] lies outside its shape [2, 4]");
    lies(&[2, 4], grid(&[[0, 1], [1, 4]]), "index [1, 4] lies outside its shape [2, 4]");
    lies(&[2, 4], list("indices", &[6, 1]), "index [1] does not come after the one before");
    lies(&[2, 4], grid(&[[1, 2], [1, 2]]), "index [1, 2] does not come after the one before");
    lies(&[2, 2, 2], grid(&[[0, 1], [1, 1]]), "indices of shape [2, 2], expected [2] or [2, 3]");
    lies(&[2, 4], halves("indices", &[2]), "its indices are real numbers, expected whole ones");
    lies(
        &[2, 4],
        Tensor { data_type: 8, ..two() },
        "its indices: data type string is not supported",
    );
    let changed = |change: fn(&mut SparseTensor), says: &str| {
        let mut constant = sparse(&[2, 4], two());
        change(&mut constant);
        refused(&adds_sparse(constant), &["1 problem in", says]);
    };
    changed(|w| w.values = Some(list("w", &[1, 2])), "`w`: it is sparse and holds whole numbers");
    changed(
        |w| w.values = Some(halves("w", &[3])),
        "`w`: it has 3 values and indices of shape [2]",
    );
    changed(|w| w.indices = None, "`w`: it is sparse but has no indices");
    let nan = |w: &mut SparseTensor| {
        let raw = [0.5, f32::NAN].map(f32::to_le_bytes).concat();
        w.values = Some(Tensor { raw_data: Some(raw), ..halves("w", &[2]) });
    };
    changed(nan, "`w`: it holds 1 NaN or infinite numbers");
    let twice = self::changed(adds(halves("w", &[1])), |graph| {
        graph.sparse_initializer.push(sparse(&[4], list("indices", &[1])));
    });
    refused(&twice, &["1 problem in", "`w`: the name is used twice"]);
}

#[test]
fn large_constants_of_mostly_zeros_are_written_as_sparse() {
    let mut data = vec![0.0f32; 300 * 300];
    (0..1000).for_each(|k| data[k * 83] = k as f32 - 500.5);
    data[7] = -0.0;
    let raw = data.iter().flat_map(|x| x.to_le_bytes()).collect();
    let left = Tensor { dims: vec![300, 300], raw_data: Some(raw), ..halves("w", &[1]) };
    let net = |constant: Tensor| {
        let net = model(vec![node("MatMul", "w x", "y", &[])], vec![constant]);
        changed(net, |graph| graph.input = vec![value("x", &[300, 5])])
    };
    let graph = survives(&net(left));
    let bytes = encode(&graph).expect("it can be written");
    assert!(bytes.len() < 13_000, "{} bytes", bytes.len());
    let again = decode(&bytes, None, &ReadOptions::default()).expect("it can be read");
    let id = again.find_value("w").expect("it is there");
    let found = again.value(id).constant.as_ref().expect("a constant").data();
    assert!(found.iter().map(|x| x.to_bits()).eq(data.iter().map(|x| x.to_bits())));
    let full = encode(&survives(&net(halves("w", &[300, 300])))).expect("it can be written");
    assert!(full.len() > 4 * data.len());
}

#[test]
fn every_number_format_is_read() {
    let formats: [(i32, &[u8]); 4] = [
        (1, &[0, 0, 0, 0x3f]),
        (10, &[0, 0x38]),
        (16, &[0, 0x3f]),
        (11, &[0, 0, 0, 0, 0, 0, 0xe0, 0x3f]),
    ];
    for (data_type, bytes) in formats {
        let graph = survives(&adds(Tensor {
            data_type,
            raw_data: Some(bytes.repeat(4)),
            ..halves("w", &[4])
        }));
        let id = graph.find_value("w").expect("it is there");
        assert_eq!(
            graph.value(id).constant.as_ref().map(|c| c.data().to_vec()),
            Some(vec![0.5; 4])
        );
    }
}
