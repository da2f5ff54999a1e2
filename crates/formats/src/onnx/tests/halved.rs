//! Models of 16-bit floats: computed with 32 bits, and written with as many as they had.

use brickwork_graph::{Patch, Stored};
use half::{bf16, f16};

use super::*;

const FLOAT: i32 = 1;
const HALF: i32 = 10;
const BRAIN: i32 = 16;

fn weights(elem_type: i32) -> Tensor {
    let numbers = [0.1, -2.5, 1e-3, 300.0];
    let raw = match elem_type {
        HALF => numbers.map(|x| f16::from_f32(x).to_le_bytes()).concat(),
        _ => numbers.map(|x| bf16::from_f32(x).to_le_bytes()).concat(),
    };
    Tensor { data_type: elem_type, raw_data: Some(raw), ..halves("w", &[2, 2, 1, 1]) }
}

fn port(name: &str, elem_type: i32) -> ValueInfo {
    let mut port = value(name, &[2, 4, 4]);
    if let Some(tensor) = port.r#type.as_mut().and_then(|kind| kind.tensor_type.as_mut()) {
        tensor.elem_type = elem_type;
    }
    port
}

fn elem_type(port: &ValueInfo) -> i32 {
    port.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref()).map_or(0, |t| t.elem_type)
}

/// A convolution with weights of 16 bits, a bias of 32, and a hyperbolic tangent.
fn halved(elem_type: i32) -> Model {
    let nodes = vec![node("Conv", "x w b", "c", &[]), node("Tanh", "c", "y", &[])];
    changed(model(nodes, vec![weights(elem_type), halves("b", &[2])]), |graph| {
        graph.input = vec![port("x", elem_type)];
        graph.output = vec![port("y", elem_type)];
    })
}

/// The file of a graph, as messages.
fn written(graph: &Graph) -> super::super::proto::Graph {
    let bytes = encode(graph).expect("it can be written");
    Model::decode(&bytes[..]).expect("it is a model").graph.expect("it has a graph")
}

#[test]
fn elements_are_written_as_they_were_held() {
    for (held, stored) in [(HALF, Stored::Float16), (BRAIN, Stored::Bfloat16)] {
        let graph = survives(&halved(held));
        assert_eq!(graph.nodes().len(), 2, "{graph}");
        let file = written(&graph);
        assert_eq!([elem_type(&file.input[0]), elem_type(&file.output[0])], [held, held]);
        assert_eq!([&file.input[0].name[..], &file.output[0].name[..]], ["x", "y"]);
        let array = |kind: i32| file.initializer.iter().find(|array| array.data_type == kind);
        assert_eq!(array(held).expect("the weights").raw_data, weights(held).raw_data);
        assert_eq!(array(FLOAT).expect("the bias").name, "b");
        let again = decode(&encode(&graph).expect("writes"), None, &ReadOptions::default());
        let again = again.expect("what was written can be read");
        let how = |graph: &Graph, name: &str| {
            graph.value(graph.find_value(name).expect("a value")).stored
        };
        for name in ["x", "w", "y"] {
            assert_eq!([how(&graph, name), how(&again, name)], [stored, stored], "{name}");
        }
        assert_eq!(how(&again, "b"), Stored::Float32);
    }
}

/// Nodes of a file that compute with 32 bits convert what it holds with 16.
#[test]
fn converted_weights_stay_as_they_are_held() {
    let to = [("to", int(i64::from(FLOAT)))];
    let nodes = vec![
        node("Cast", "x", "wide", &to),
        node("Cast", "w", "weights", &to),
        node("Conv", "wide weights", "c", &[]),
        node("Cast", "c", "y", &[("to", int(i64::from(HALF)))]),
    ];
    let model = changed(model(nodes, vec![weights(HALF)]), |graph| {
        graph.input = vec![port("x", HALF)];
        graph.output = vec![port("y", HALF)];
    });
    let graph = survives(&model);
    assert_eq!(graph.nodes().len(), 1, "{graph}");
    let file = written(&graph);
    assert_eq!(file.initializer[0].data_type, HALF);
    assert_eq!(elem_type(&file.output[0]), HALF);
}

#[test]
fn numbers_too_large_for_16_bits_are_written_with_32() {
    let graph = survives(&halved(HALF));
    let mut patch = Patch::new("large");
    let weights = graph.find_value("w").expect("the weights");
    let large = graph.value(weights).constant.as_ref().expect("data").map(|x| x * 1e6);
    patch.constant(weights, Arc::new(large));
    let graph = patch.apply(&graph).expect("a sound graph");
    assert!(written(&graph).initializer.iter().all(|array| array.data_type == FLOAT));
}
