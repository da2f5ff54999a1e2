//! Makes and runs models for comparison with other programs.
//!
//! ```text
//! material fill MODEL.onnx FILLED.onnx SEED            random weights, scores of order 10
//! material cut MODEL.onnx CUT.onnx MASKED.onnx SEED    a random half of the channels removed, and
//!                                                      the same channels masked; prints the classes left
//! material least MODEL.onnx                            parameters and multiply-accumulates: all, and what the
//!                                                      smallest cut leaves that keeps all classes
//! material run MODEL.onnx INPUT SCORES BATCH           runs it; arrays are raw little-endian floats
//! material score MODEL.onnx PREPROCESS DATA SCORES     scores of a data set's images, prepared as a JSON
//!                                                      text says; prints their files, one a line
//! ```
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use brickwork::{Classifier, class_labels, layers, random_weights, uniform};
use brickwork_data::{Dataset, Preprocess};
use brickwork_exec::Session;
use brickwork_formats::onnx;
use brickwork_graph::{Channels, Graph, Keep, Label, NodeId, Patch, ValueId, cut, mask};
use brickwork_tensor::Tensor;

/// The largest score of a filled model on random images, and how many of them.
const LARGEST_SCORE: f32 = 10.0;
const IMAGES: usize = 2;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["fill", model, filled, seed] => {
            onnx::save(&fill(&load(model)?, seed.parse()?)?, Path::new(filled))?;
        }
        ["cut", model, small, masked, seed] => {
            let halves = halve(&load(model)?, seed.parse()?)?;
            onnx::save(&halves.small, Path::new(small))?;
            onnx::save(&halves.masked, Path::new(masked))?;
            println!("{}", serde_json::to_string(&halves.classes)?);
        }
        ["least", model] => println!("{}", serde_json::to_string(&least(&load(model)?)?)?),
        ["run", model, input, scores, batch] => {
            let feed = floats(&std::fs::read(input)?);
            let graph = load(model)?;
            let output = graph.outputs()[0];
            let result = run(graph, output, batch.parse()?, &feed)?;
            std::fs::write(scores, bytes(result.data()))?;
        }
        ["score", model, preprocess, data, scores] => {
            let preprocess: Preprocess = serde_json::from_str(preprocess)?;
            let model = Classifier::load(Path::new(model), &Default::default(), None)?;
            let data = Dataset::open(data, None)?;
            let mut scorer = model.single_scorer();
            let mut found = Vec::new();
            for index in 0..data.len() {
                let images = data.batch(&[index], &preprocess)?;
                found.extend(bytes(scorer.logits(&images)?.data()));
                println!("{}", data.place(index));
            }
            std::fs::write(scores, found)?;
        }
        _ => {
            return Err(
                "expected fill, cut, least, run or score; see the head of this example".into()
            );
        }
    }
    Ok(())
}

fn load(path: &str) -> Result<Graph, Box<dyn Error>> {
    Ok(onnx::load(Path::new(path), &Default::default())?)
}

fn run(
    graph: Graph,
    wanted: ValueId,
    batch: usize,
    feed: &[f32],
) -> Result<Tensor, Box<dyn Error>> {
    Ok(Session::new(Arc::new(graph), &[wanted]).outputs(batch, feed)?.remove(0))
}

/// Random weights, settled, with the last layer scaled so that scores are neither tiny nor huge.
fn fill(graph: &Graph, seed: u64) -> Result<Graph, Box<dyn Error>> {
    let shape = graph.value(graph.inputs()[0]).shape.at(IMAGES);
    let images = uniform(shape, -1.0, 1.0, seed);
    let settled = settle(random_weights(graph, seed).apply(graph)?, images.data())?;
    let logits = settled.logits();
    let scores = run(settled.clone(), logits, IMAGES, images.data())?;
    let largest = scores.data().iter().fold(0f32, |top, x| top.max(x.abs()));
    let head = layers(&settled).pop().ok_or("the model has no layer with weights")?;
    let mut patch = Patch::new("scaling scores");
    for value in settled.node(head.node).inputs[1..].iter().flatten() {
        if let Some(data) = &settled.value(*value).constant {
            patch.constant(*value, Arc::new((**data).clone().map(|x| x * LARGEST_SCORE / largest)));
        }
    }
    Ok(patch.apply(&settled)?)
}

/// Gives every batch normalisation the statistics of its input on `images`, front to back, as
/// training would. With statistics that do not fit, gates saturate and deep networks amplify
/// rounding until no two programs agree.
fn settle(mut graph: Graph, images: &[f32]) -> Result<Graph, Box<dyn Error>> {
    let settles = |id: &NodeId| graph.node(*id).op.kind() == "BatchNormalization";
    let nodes: Vec<NodeId> = graph.node_ids().filter(settles).collect();
    for id in nodes {
        let [Some(input), _, _, Some(mean), Some(variance)] = graph.node(id).inputs[..] else {
            return Err("a batch normalisation has five inputs".into());
        };
        let (means, variances) = moments(&run(graph.clone(), input, IMAGES, images)?);
        let mut patch = Patch::new("settling");
        patch.constant(mean, Arc::new(means));
        patch.constant(variance, Arc::new(variances));
        graph = patch.apply(&graph)?;
    }
    Ok(graph)
}

/// Mean and variance of every channel of `[n, c, ...]`.
fn moments(values: &Tensor) -> (Tensor, Tensor) {
    let (images, channels) = (values.shape()[0], values.shape()[1]);
    let each = values.data().len() / images / channels;
    let of = |channel: usize| {
        let places = move |image: usize| (image * channels + channel) * each;
        (0..images).flat_map(move |image| &values.data()[places(image)..places(image) + each])
    };
    let count = (images * each) as f32;
    let means: Vec<f32> = (0..channels).map(|c| of(c).sum::<f32>() / count).collect();
    let variance = |c: usize| of(c).map(|x| (x - means[c]).powi(2)).sum::<f32>() / count;
    let variances = (0..channels).map(variance).collect();
    (Tensor::new([channels], means.clone()), Tensor::new([channels], variances))
}

struct Halves {
    small: Graph,
    masked: Graph,
    classes: Vec<usize>,
}

/// Removes a random half of the channel groups, once in earnest and once by masking them.
fn halve(graph: &Graph, seed: u64) -> Result<Halves, Box<dyn Error>> {
    let channels = Channels::of(graph);
    let drawn = uniform([channels.len()], 0.0, 1.0, seed);
    let wanted = |label: Label| drawn.data()[channels.group(label) as usize] < 0.5;
    let keep = Keep::closed(graph, &channels, wanted, |_| 0.0);
    Ok(Halves {
        small: cut(graph, &channels, &keep)?.apply(graph)?,
        masked: mask(graph, &channels, &keep).apply(graph)?,
        classes: keep.indices(&channels, &class_labels(graph, &channels)?),
    })
}

/// Parameters and multiply-accumulates, then those of the smallest cut that keeps all classes.
fn least(graph: &Graph) -> Result<[u64; 4], Box<dyn Error>> {
    let channels = Channels::of(graph);
    let classes = class_labels(graph, &channels)?;
    let keep = Keep::closed(graph, &channels, |label| classes.contains(&label), |_| 0.0);
    let small = cut(graph, &channels, &keep)?.apply(graph)?;
    let sizes = |graph: &Graph| [graph.parameters() as u64, graph.macs()];
    let ([all, macs], [left, macs_left]) = (sizes(graph), sizes(&small));
    Ok([all, macs, left, macs_left])
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

fn bytes(floats: &[f32]) -> Vec<u8> {
    floats.iter().flat_map(|x| x.to_le_bytes()).collect()
}
