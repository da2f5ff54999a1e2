//! Small networks, small data sets and comparisons that the tests share.

pub(crate) mod grown;
pub(crate) mod transformer;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use brickwork::{Card, Classifier, Numbered, Progress, Source, random_weights, uniform};
use brickwork_data::{Dataset, Preprocess};
use brickwork_exec::Session;
use brickwork_graph::{Attr, Builder, Channels, Form, Graph, Keep, Label, Literal, Patch, Shape};
use brickwork_tensor::{Nd, Tensor};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

/// A file of the repository's fixtures.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)
}

/// A number in 0..1 that depends on both arguments.
pub(crate) fn noise(a: u64, b: u64) -> f64 {
    let mut x = a.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ b.wrapping_mul(0xD1B5_4A32_D192_ED03);
    x = (x ^ (x >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    ((x ^ (x >> 32)) >> 11) as f64 / (1u64 << 53) as f64
}

/// Images in -1..1 for the input of `graph`.
pub(crate) fn images(graph: &Graph, batch: usize) -> Tensor {
    let shape = graph.value(graph.inputs()[0]).shape.at(batch);
    let data = (0..shape.iter().product::<usize>()).map(|k| noise(k as u64, 3) as f32 * 2.0 - 1.0);
    Tensor::new(shape, data.collect())
}

/// What `graph` computes on images.
pub(crate) fn run(graph: Graph, images: &Tensor) -> Tensor {
    let output = graph.outputs()[0];
    let mut session = Session::new(Arc::new(graph), &[output]);
    session.outputs(images.shape()[0], images.data()).unwrap().remove(0)
}

/// The largest difference of two arrays of one shape.
pub(crate) fn difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.shape(), b.shape());
    a.data().iter().zip(b.data()).fold(0f32, |worst, (x, y)| {
        assert!(x.is_finite() && y.is_finite(), "{x} and {y}");
        worst.max((x - y).abs())
    })
}

/// The largest size of an element.
pub(crate) fn largest(a: &Tensor) -> f32 {
    a.data().iter().fold(0f32, |top, x| top.max(x.abs()))
}

/// The largest difference, relative to the largest element of `b`.
pub(crate) fn relative(a: &Tensor, b: &Tensor) -> f32 {
    difference(a, b) / largest(b).max(1e-3)
}

/// A network in the making. Values are `[n, c, h, w]` until they are flattened; weights are named
/// after the value that is made and are random unless they are given first.
pub(crate) struct Net {
    builder: Builder,
    given: HashMap<String, Tensor>,
}

impl Net {
    /// With the input `image` of these channels, height and width.
    pub(crate) fn new(input: [usize; 3]) -> Self {
        let mut builder = Builder::new("net", 17, None);
        builder.input("image", Shape::batched(&input));
        Self { builder, given: HashMap::new() }
    }

    /// A constant.
    pub(crate) fn constant(&mut self, name: &str, shape: &[usize], data: Vec<f32>) -> &mut Self {
        self.builder.constant(name, Literal::Floats(Nd::new(shape, data)));
        self
    }

    /// Whole numbers.
    pub(crate) fn ints(&mut self, name: &str, data: &[i64]) -> &mut Self {
        self.builder.constant(name, Literal::Ints(Nd::vector(data.to_vec())));
        self
    }

    /// Constants that are not to be random, by name: `conv.weight`, `conv.bias`.
    pub(crate) fn given(&mut self, name: &str, shape: &[usize], data: &[f32]) -> &mut Self {
        self.given.insert(name.to_owned(), Nd::new(shape, data.to_vec()));
        self
    }

    /// Any node, named after its first result.
    pub(crate) fn node(
        &mut self,
        kind: &str,
        inputs: &[&str],
        outputs: &[&str],
        attrs: &[(&str, Attr)],
    ) -> &mut Self {
        self.builder.node(&Form {
            name: outputs[0].to_owned(),
            kind: kind.to_owned(),
            inputs: inputs.iter().map(|&name| name.to_owned()).collect(),
            outputs: outputs.iter().map(|&name| name.to_owned()).collect(),
            attrs: attrs.iter().map(|(name, attr)| ((*name).to_owned(), attr.clone())).collect(),
            ..Form::default()
        });
        self
    }

    /// A node of one operand and no attributes.
    pub(crate) fn then(&mut self, kind: &str, from: &str, to: &str) -> &mut Self {
        self.node(kind, &[from], &[to], &[])
    }

    fn blank(&mut self, name: &str, shape: &[usize]) {
        let count = shape.iter().product();
        self.constant(name, shape, vec![0.5; count]);
    }

    /// A convolution of odd kernel that keeps the size; `shape` is that of its weights.
    pub(crate) fn conv(
        &mut self,
        from: &str,
        to: &str,
        shape: [usize; 3],
        groups: usize,
    ) -> &mut Self {
        let [outputs, inputs, kernel] = shape;
        let [weight, bias] = ["weight", "bias"].map(|stem| format!("{to}.{stem}"));
        self.blank(&weight, &[outputs, inputs, kernel, kernel]);
        self.blank(&bias, &[outputs]);
        let pads = vec![(kernel / 2) as i64; 4];
        let attrs = [("group", Attr::Int(groups as i64)), ("pads", Attr::Ints(pads))];
        self.node("Conv", &[from, &weight, &bias], &[to], &attrs)
    }

    /// A linear layer `[outputs, inputs]` on a flat value.
    pub(crate) fn linear(&mut self, from: &str, to: &str, shape: [usize; 2]) -> &mut Self {
        let [weight, bias] = ["weight", "bias"].map(|stem| format!("{to}.{stem}"));
        self.blank(&weight, &shape);
        self.blank(&bias, &shape[..1]);
        self.node("Gemm", &[from, &weight, &bias], &[to], &[("transB", Attr::Int(1))])
    }

    /// Normalisation with running statistics.
    pub(crate) fn norm(&mut self, from: &str, to: &str, channels: usize) -> &mut Self {
        let names = ["scale", "shift", "mean", "var"].map(|stem| format!("{to}.{stem}"));
        names.iter().for_each(|name| self.blank(name, &[channels]));
        let [scale, shift, mean, var] = &names;
        self.node("BatchNormalization", &[from, scale, shift, mean, var], &[to], &[])
    }

    /// The means over all positions, flat.
    pub(crate) fn means(&mut self, from: &str, to: &str) -> &mut Self {
        let pooled = format!("{to}.pooled");
        self.then("GlobalAveragePool", from, &pooled).then("Flatten", &pooled, to)
    }

    /// The graph, with random weights where none were given.
    pub(crate) fn finish(mut self, output: &str, seed: u64) -> Graph {
        self.builder.output(output);
        let graph = self.builder.finish().unwrap_or_else(|problems| panic!("{problems}"));
        let graph = random_weights(&graph, seed).apply(&graph).unwrap();
        let mut patch = Patch::new("given weights");
        for (name, data) in self.given {
            let value = graph.find_value(&name).unwrap_or_else(|| panic!("no `{name}`"));
            patch.constant(value, Arc::new(data));
        }
        patch.apply(&graph).unwrap()
    }
}

/// A card as it was before it was written.
pub(crate) fn unwritten(card: &Card) -> Card {
    Card { version: 0, tool: String::new(), written: None, ..card.clone() }
}

/// The model as its file gives it back.
pub(crate) fn stored(model: &Classifier) -> Classifier {
    Classifier::new(model.name.clone(), model.to_graph().unwrap()).unwrap()
}

/// A classifier that knows its class names and takes pixels as they are; `graph` has a score for each.
pub(crate) fn classifier(name: &str, graph: Graph, classes: &[&str]) -> Classifier {
    let bare = Classifier::described(name, graph, Card::default()).unwrap();
    let [channels, height, width] = bare.input();
    let card = Card {
        classes: owned(classes),
        preprocess: Some(Preprocess::plain([height, width], channels)),
        ..Card::default()
    };
    bare.with_card(card).unwrap()
}

/// A classifier whose scores are the pixels of a single row, times `factors`, or some of them.
pub(crate) fn pixel_reader(
    name: &str,
    picks: &[(usize, f32)],
    pixels: usize,
    classes: &[&str],
) -> Classifier {
    let mut weights = vec![0.0; picks.len() * pixels];
    for (row, &(pixel, factor)) in picks.iter().enumerate() {
        weights[row * pixels + pixel] = factor;
    }
    let mut net = Net::new([1, 1, pixels]);
    net.then("Flatten", "image", "flat").linear("flat", "scores", [picks.len(), pixels]);
    net.given("scores.weight", &[picks.len(), pixels], &weights);
    net.given("scores.bias", &[picks.len()], &vec![0.0; picks.len()]);
    classifier(name, net.finish("scores", 0), classes)
}

pub(crate) fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// A data set of float images `[n, c, h, w]`.
pub(crate) fn dataset(images: &Tensor, labels: &[usize], classes: &[&str]) -> Dataset {
    let bytes: Vec<u8> = images.data().iter().flat_map(|x| x.to_le_bytes()).collect();
    open(Dtype::F32, images.shape(), &bytes, labels, classes)
}

/// A data set of byte images `[n, c, h, w]`.
pub(crate) fn photos(shape: &[usize], bytes: &[u8], labels: &[usize], classes: &[&str]) -> Dataset {
    open(Dtype::U8, shape, bytes, labels, classes)
}

fn open(
    dtype: Dtype,
    shape: &[usize],
    bytes: &[u8],
    labels: &[usize],
    classes: &[&str],
) -> Dataset {
    let labels: Vec<u8> = labels.iter().map(|&label| label as u8).collect();
    let arrays = [
        ("images", TensorView::new(dtype, shape.to_vec(), bytes).unwrap()),
        ("labels", TensorView::new(Dtype::U8, vec![labels.len()], &labels).unwrap()),
    ];
    let names = serde_json::to_string(classes).unwrap();
    let file = safetensors::serialize(arrays, Some([("class_names".to_owned(), names)].into()));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.safetensors");
    std::fs::write(&path, file.unwrap()).unwrap();
    Dataset::open(&path, None).unwrap()
}

/// The data set as `model` sees it.
pub(crate) fn source(name: &str, dataset: Dataset, model: &Classifier) -> Source {
    let numbered = Numbered::new(model.class_names(), model.card().origin.as_ref());
    Source::new(name, dataset, &numbered).unwrap()
}

/// A data set of one-row images for [`pixel_reader`]: label and pixels.
pub(crate) fn rows(rows: &[(usize, &[f32])], classes: &[&str]) -> Dataset {
    let data: Vec<f32> = rows.iter().flat_map(|(_, pixels)| pixels.iter().copied()).collect();
    let images = Tensor::new([rows.len(), 1, 1, rows[0].1.len()], data);
    let labels: Vec<usize> = rows.iter().map(|(label, _)| *label).collect();
    dataset(&images, &labels, classes)
}

/// Random images `[n, c, h, w]` in -1..1.
pub(crate) fn random_images(count: usize, [c, h, w]: [usize; 3], seed: u64) -> Tensor {
    uniform([count, c, h, w], -1.0, 1.0, seed)
}

/// Images `[n, c, h, w]` that differ enough for scores to differ.
pub(crate) fn varied_images(count: usize, input: [usize; 3], seed: u64) -> Tensor {
    let [c, h, w] = input;
    let mut images = random_images(count, input, seed);
    let levels = random_images(count, [c, 1, 1], seed + 100);
    for (channel, level) in images.data_mut().chunks_mut(h * w).zip(levels.data()) {
        channel.iter_mut().for_each(|pixel| *pixel += 3.0 * level);
    }
    images
}

/// Stops the work after so many questions whether to go on.
pub(crate) struct StopAfter(pub(crate) AtomicUsize);

impl Progress for StopAfter {
    fn begin(&self, _: &str, _: u64) {}
    fn step(&self, _: u64) {}
    fn note(&self, _: &str) {}
    fn stopped(&self) -> bool {
        self.0.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_err()
    }
}

/// Whether closing what is kept changes nothing.
pub(crate) fn is_closed(graph: &Graph, channels: &Channels, keep: &Keep) -> bool {
    let again = Keep::closed(graph, channels, |label| keep.has(channels, label), |_| 0.0);
    (0..channels.len() as Label).all(|l| again.has(channels, l) == keep.has(channels, l))
}
