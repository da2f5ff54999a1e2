//! Classifiers whose scores are no plain list of logits, and models that are no classifiers.

use std::sync::Arc;

use brickwork::{Classifier, HeadKind, uniform};
use brickwork_exec::Session;
use brickwork_formats::onnx::{self, ReadOptions};
use brickwork_graph::{Attr, Builder, Form, Graph, Literal, Shape};
use brickwork_tensor::{Nd, Tensor};
use serde_json::{Value, json};

use crate::common::{Own, number, prepared};

const PLAIN: &str = "--mean 0 --std 1 --no-latency";

/// A network for images `[n, 3, 6, 6]` in the making.
struct Net {
    builder: Builder,
    seed: u64,
    made: usize,
}

impl Net {
    /// A convolution, a rectifier and means: `flat` is `[n, 8]`, `pooled` `[n, 8, 1, 1]`.
    fn new() -> Self {
        let mut net = Self { builder: Builder::new("net", 17, None), seed: 1, made: 0 };
        net.builder.input("x", Shape::batched(&[3, 6, 6]));
        let [weights, bias] = [net.random(&[8, 3, 3, 3]), net.random(&[8])];
        let pads = [("pads", Attr::Ints(vec![1; 4]))];
        net.put("Conv", &["x", &weights, &bias], "conv", &pads);
        net.put("Relu", &["conv"], "relu", &[]);
        net.put("GlobalAveragePool", &["relu"], "pooled", &[]);
        net.put("Flatten", &["pooled"], "flat", &[]);
        net
    }

    /// A constant; gives its name.
    fn constant(&mut self, shape: &[usize], data: Vec<f32>) -> String {
        self.made += 1;
        let name = format!("constant.{}", self.made);
        self.builder.constant(&name, Literal::Floats(Nd::new(shape, data)));
        name
    }

    /// A constant of random numbers; gives its name.
    fn random(&mut self, shape: &[usize]) -> String {
        self.seed += 1;
        let data = uniform(shape, -1.0, 1.0, self.seed).into_data();
        self.constant(shape, data)
    }

    /// Whole numbers; gives their name.
    fn whole(&mut self, numbers: &[i64]) -> String {
        self.made += 1;
        let name = format!("constant.{}", self.made);
        let numbers = Nd::new([numbers.len()], numbers.to_vec());
        self.builder.constant(&name, Literal::Ints(numbers));
        name
    }

    fn put(&mut self, kind: &str, inputs: &[&str], output: &str, attrs: &[(&str, Attr)]) {
        self.builder.node(&Form {
            name: output.to_owned(),
            kind: kind.to_owned(),
            inputs: inputs.iter().map(|&name| name.to_owned()).collect(),
            outputs: vec![output.to_owned()],
            attrs: attrs.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect(),
            ..Form::default()
        });
    }

    /// A linear layer from `flat` to so many scores.
    fn linear(&mut self, outputs: usize, output: &str) {
        let [weights, bias] = [self.random(&[8, outputs]), self.random(&[outputs])];
        self.put("Gemm", &["flat", &weights, &bias], output, &[]);
    }

    fn done(mut self, outputs: &[&str]) -> Graph {
        outputs.iter().for_each(|name| self.builder.output(name));
        self.builder.finish().unwrap()
    }
}

/// What the only output of a graph, as any runtime computes it, is on images.
fn outputs(graph: &Graph, images: &Tensor) -> Vec<f32> {
    let output = graph.outputs()[0];
    let mut session = Session::new(Arc::new(graph.clone()), &[output]);
    session.outputs(images.shape()[0], images.data()).unwrap().remove(0).data().to_vec()
}

fn read(own: &Own, name: &str) -> Graph {
    onnx::load(&own.path(name), &ReadOptions::default()).unwrap()
}

/// Images that differ.
fn images() -> Tensor {
    let mut images = uniform([60, 3, 6, 6], -1.0, 1.0, 5);
    let shades = uniform([60, 3], -1.0, 1.0, 6);
    for (plane, shade) in images.data_mut().chunks_mut(36).zip(shades.data()) {
        plane.iter_mut().for_each(|pixel| *pixel += shade);
    }
    images
}

/// Writes images with labels `[n]` or `[n, k]` as a safetensors data set.
fn set(own: &Own, name: &str, images: &Tensor, shape: &[usize], labels: &[u8]) {
    let pixels: Vec<u8> = images.data().iter().flat_map(|x| x.to_le_bytes()).collect();
    let end = pixels.len() + labels.len();
    let header = json!({
        "images": { "dtype": "F32", "shape": images.shape(), "data_offsets": [0, pixels.len()] },
        "labels": { "dtype": "U8", "shape": shape, "data_offsets": [pixels.len(), end] },
    });
    let header = header.to_string();
    let length = (header.len() as u64).to_le_bytes();
    own.write(name, [&length[..], header.as_bytes(), &pixels, labels].concat());
}

/// A number in the middle of some, of which as many are above as below.
fn middle(numbers: &[f32]) -> f32 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f32::total_cmp);
    (sorted[sorted.len() / 2 - 1] + sorted[sorted.len() / 2]) / 2.0
}

/// How a network may end that tells two classes apart by one score.
const ENDS: [&str; 8] = [
    "logit",
    "sigmoid",
    "product and bias",
    "convolution",
    "no second axis",
    "scaled",
    "difference",
    "sigmoid before the flattening",
];

/// A network of one score that ends so, half of whose scores of `images` are above the threshold if
/// `shift` is taken from all of them.
fn one_score(end: &str, shift: f32) -> Graph {
    let mut net = Net::new();
    let weights = net.random(&[8, 1]);
    let bias = net.constant(&[1], vec![-shift]);
    let gemm = |net: &mut Net, to: &str| net.put("Gemm", &["flat", &weights, &bias], to, &[]);
    match end {
        "logit" => gemm(&mut net, "y"),
        "sigmoid" => {
            gemm(&mut net, "z");
            net.put("Sigmoid", &["z"], "y", &[]);
        }
        "product and bias" => {
            net.put("MatMul", &["flat", &weights], "product", &[]);
            net.put("Add", &["product", &bias], "z", &[]);
            net.put("Sigmoid", &["z"], "y", &[]);
        }
        "convolution" | "sigmoid before the flattening" => {
            let kernel = net.random(&[1, 8, 1, 1]);
            net.put("Conv", &["pooled", &kernel, &bias], "place", &[]);
            let [first, second] = match end {
                "convolution" => ["Flatten", "Sigmoid"],
                _ => ["Sigmoid", "Flatten"],
            };
            net.put(first, &["place"], "z", &[]);
            net.put(second, &["z"], "y", &[]);
        }
        "no second axis" => {
            gemm(&mut net, "z");
            let axes = net.whole(&[1]);
            net.put("Squeeze", &["z", &axes], "vector", &[]);
            net.put("Sigmoid", &["vector"], "y", &[]);
        }
        "scaled" => {
            gemm(&mut net, "z");
            let factor = net.constant(&[1], vec![3.0]);
            net.put("Mul", &["z", &factor], "y", &[]);
        }
        _ => {
            net.linear(1, "other");
            gemm(&mut net, "z");
            net.put("Sub", &["z", "other"], "y", &[]);
        }
    }
    net.done(&["y"])
}

/// `cat.onnx` that ends so, and `d.safetensors`, of which it is right on every image.
fn cats_and_dogs(end: &str) -> (Own, Graph) {
    prepared();
    let own = Own::new();
    let images = images();
    let probability = !matches!(end, "logit" | "scaled" | "difference");
    let logit = |score: &f32| if probability { (score / (1.0 - score)).ln() } else { *score };
    let scores = outputs(&one_score(end, 0.0), &images);
    let first = middle(&scores.iter().map(logit).collect::<Vec<f32>>());
    let graph = one_score(end, if end == "scaled" { first / 3.0 } else { first });
    onnx::save(&graph, &own.path("cat.onnx")).unwrap();
    let limit = if probability { 0.5 } else { 0.0 };
    let labels: Vec<u8> =
        outputs(&graph, &images).iter().map(|score| u8::from(*score > limit)).collect();
    assert_eq!(labels.iter().filter(|label| **label == 1).count(), 30, "{end}");
    set(&own, "d.safetensors", &images, &[60], &labels);
    (own, graph)
}

#[test]
fn one_score_tells_two_classes_apart() {
    for end in ENDS {
        let (own, graph) = cats_and_dogs(end);
        let eval = format!("eval OUT/cat.onnx --data OUT/d.safetensors {PLAIN}");
        for names in ["", " --class-names cat,dog", " --head binary"] {
            let found = own.json(&format!("{eval}{names}"));
            assert_eq!(found["accuracy_per_image"], json!(100.0), "{end}{names}");
            assert_eq!(found["images"], json!(60), "{end}{names}");
        }
        for class in ["0", "1"] {
            let found = own.json(&format!("{eval} --classes {class}"));
            assert_eq!(found["leakage"]["auroc"], json!(1.0), "{end}, class {class}");
        }
        // What is written gives what was read, under the same name.
        let described = "annotate OUT/cat.onnx --class-names cat,dog --mean 0 --std 1";
        own.succeeds(&format!("{described} -o OUT/described.onnx"));
        let written = read(&own, "described.onnx");
        let output = written.value(written.outputs()[0]);
        assert_eq!((&output.name[..], &output.shape.sample()[..]), ("y", &[1, 1][..]), "{end}");
        let (before, after) = (outputs(&graph, &images()), outputs(&written, &images()));
        let worst = before.iter().zip(&after).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-5, "{end}: {worst}");
        let load =
            |name: &str| Classifier::load(&own.path(name), &ReadOptions::default(), None).unwrap();
        let (first, again) = (load("cat.onnx"), load("described.onnx"));
        assert_eq!((again.head(), again.class_count()), (HeadKind::Binary, 2));
        assert_eq!(first.fingerprint(), again.fingerprint(), "{end}: written and read again");
    }
}

#[test]
fn what_is_cut_of_one_score_keeps_its_form_or_has_a_score_of_its_own() {
    let (own, _) = cats_and_dogs("sigmoid");
    let data = "--data OUT/d.safetensors --mean 0 --std 1";
    let described = "annotate OUT/cat.onnx --class-names cat,dog --mean 0 --std 1";
    own.succeeds(&format!("{described} -o OUT/net.onnx"));
    own.succeeds(&format!("profile OUT/net.onnx {data} --samples 10 -o OUT/p"));
    let cut = |classes: &str, rest: &str| {
        own.succeeds(&format!(
            "disassemble OUT/net.onnx --profile OUT/p --classes {classes} {rest} -o OUT/cut.onnx"
        ));
        own.succeeds("verify OUT/net.onnx OUT/cut.onnx");
        read(&own, "cut.onnx")
    };
    for rest in ["--refit none", &format!("{data} --refit-samples 20")] {
        let both = cut("cat,dog", rest);
        assert_eq!(both.value(both.outputs()[0]).shape.sample(), [1, 1]);
        assert!(outputs(&both, &images()).iter().all(|x| (0.0..=1.0).contains(x)), "a sigmoid");
        let eval = format!("eval OUT/cut.onnx --source OUT/net.onnx {data} --no-latency");
        let found = own.json(&eval);
        let limit = if rest.contains("none") { 50.0 } else { 90.0 };
        assert!(number(&found["accuracy_per_image"]) >= limit, "{found:#}");
        assert_eq!(found["base"]["per_image"], json!(100.0));
    }
    for class in ["cat", "dog"] {
        let single = cut(class, "--refit none");
        assert_eq!(single.value(single.outputs()[0]).shape.sample(), [1, 1]);
        let model = Classifier::new("single", single).unwrap();
        assert_eq!((model.head(), model.class_names()), (HeadKind::Single, vec![class.to_owned()]));
        let found = own.json(&format!("eval OUT/cut.onnx {data} --no-latency"));
        assert_eq!(found["leakage"]["foreign_images"], json!(30), "{class}");
    }
}

#[test]
fn a_single_score_may_be_that_of_a_single_class() {
    let (own, _) = cats_and_dogs("logit");
    let eval = format!("eval OUT/cat.onnx --data OUT/d.safetensors {PLAIN}");
    let said = own.run(&eval).err;
    assert!(said.contains("above 0 it is the second (--head binary)"), "{said}");
    own.refused(&format!("{eval} --head single"), &["the model's classes are 0 (indices 0 to 0)"]);
    own.succeeds("annotate OUT/cat.onnx --class-names dog --mean 0 --std 1 -o OUT/dog.onnx");
    let dog = Classifier::load(&own.path("dog.onnx"), &ReadOptions::default(), None).unwrap();
    assert_eq!((dog.head(), dog.class_count()), (HeadKind::Single, 1));
    own.refused(&format!("{eval} --head multilabel"), &["with two scores or more", "has 1"]);
    let binary = "eval digits.onnx --data data/digits --head binary";
    own.refused(binary, &["--head binary is for models with one score", "has 10"]);
}

/// `net.onnx`, and `d.safetensors` with the answers of `plain`, of which it is a form.
fn labelled(graph: &Graph, plain: &Graph) -> Own {
    prepared();
    let (own, images) = (Own::new(), images());
    onnx::save(graph, &own.path("net.onnx")).unwrap();
    let scores = outputs(plain, &images);
    let top = |row: &[f32]| (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
    let labels: Vec<u8> = scores.chunks(scores.len() / 60).map(|row| top(row) as u8).collect();
    set(&own, "d.safetensors", &images, &[60], &labels);
    own
}

/// Accuracy in percent of `net.onnx` on `d.safetensors`.
fn accuracy(own: &Own, rest: &str) -> f64 {
    let line = format!("eval OUT/net.onnx --data OUT/d.safetensors {PLAIN} --allow-missing {rest}");
    number(&own.json(&line)["accuracy_per_image"])
}

/// Five scores `y`, put into another form by `form`, which names the output.
fn five(form: impl FnOnce(&mut Net) -> &'static str) -> Graph {
    let mut net = Net::new();
    net.linear(5, "y");
    let output = form(&mut net);
    net.done(&[output])
}

#[test]
fn classes_may_lie_along_any_axis() {
    let plain = five(|_| "y");
    for (shape, axis) in [(&[1, 5][..], 2), (&[1, 1, 5], 3), (&[5, 1, 1], 1), (&[1, 5, 1], 2)] {
        for softmax in [false, true] {
            let graph = five(|net| {
                let shape: Vec<i64> = [-1].into_iter().chain(shape.iter().copied()).collect();
                let shape = net.whole(&shape);
                net.put("Reshape", &["y", &shape], "moved", &[]);
                let attrs = [("axis", Attr::Int(axis))];
                net.put("Softmax", &["moved"], "probabilities", &attrs);
                if softmax { "probabilities" } else { "moved" }
            });
            let own = labelled(&graph, &plain);
            assert_eq!(accuracy(&own, ""), 100.0, "{shape:?}, softmax {softmax}");
            own.succeeds(
                "profile OUT/net.onnx --data OUT/d.safetensors --mean 0 --std 1 --samples all \
                 --allow-missing -o OUT/p",
            );
            own.succeeds(
                "disassemble OUT/net.onnx --profile OUT/p --classes 1,2 --refit none -o OUT/cut.onnx",
            );
            own.succeeds("verify OUT/net.onnx OUT/cut.onnx");
        }
    }
    let graph = five(|net| {
        net.put("Transpose", &["y"], "turned", &[("perm", Attr::Ints(vec![1, 0]))]);
        "turned"
    });
    assert_eq!(accuracy(&labelled(&graph, &plain), ""), 100.0);
}

#[test]
fn a_named_axis_has_scores_averaged_over_the_others() {
    let map = |output: &str| {
        let mut net = Net::new();
        let [weights, bias] = [net.random(&[5, 8, 1, 1]), net.random(&[5])];
        net.put("Conv", &["relu", &weights, &bias], "map", &[]);
        net.put("GlobalAveragePool", &["map"], "mean", &[]);
        net.put("Flatten", &["mean"], "y", &[]);
        net.done(&[output])
    };
    let own = labelled(&map("map"), &map("y"));
    let line = format!("eval OUT/net.onnx --data OUT/d.safetensors {PLAIN}");
    own.refused(&line, &["found output [n, 5, 6, 6]", "a map of features", "--class-axis 1"]);
    assert_eq!(accuracy(&own, "--class-axis 1"), 100.0);
    own.refused(&format!("{line} --class-axis 0"), &["--class-axis 0 is no axis", "but the batch"]);
}

#[test]
fn averaged_probabilities_are_read_as_what_they_are() {
    let ensemble = |softmax: &str| {
        let mut net = Net::new();
        let half = net.constant(&[1], vec![0.5]);
        for part in ["a", "b"] {
            net.linear(5, &format!("{part}.scores"));
            net.put(softmax, &[&format!("{part}.scores")], part, &[("axis", Attr::Int(1))]);
        }
        net.put("Add", &["a", "b"], "sum", &[]);
        net.put("Mul", &["sum", &half], "y", &[]);
        net.done(&["y"])
    };
    let graph = ensemble("Softmax");
    let own = labelled(&graph, &graph);
    assert_eq!(accuracy(&own, ""), 100.0);
    own.succeeds("annotate OUT/net.onnx --mean 0 --std 1 -o OUT/described.onnx");
    let (before, after) =
        (outputs(&graph, &images()), outputs(&read(&own, "described.onnx"), &images()));
    assert!(before.iter().zip(&after).all(|(a, b)| (a - b).abs() < 1e-6), "probabilities again");
    let logarithms = ensemble("LogSoftmax");
    assert_eq!(accuracy(&labelled(&logarithms, &logarithms), ""), 100.0);
    let log_softmax = five(|net| {
        net.put("LogSoftmax", &["y"], "logarithms", &[("axis", Attr::Int(1))]);
        "logarithms"
    });
    assert_eq!(accuracy(&labelled(&log_softmax, &five(|_| "y")), ""), 100.0);
}

/// Five scores `y`, made probabilities of in simpler operations.
fn spelled(how: &str) -> Graph {
    five(|net| {
        let [one, half, minus] = [1.0, 0.5, -1.0].map(|x| net.constant(&[1], vec![x]));
        let axes = net.whole(&[1]);
        match how {
            "sigmoid" => {
                net.put("Neg", &["y"], "a", &[]);
                net.put("Exp", &["a"], "b", &[]);
                net.put("Add", &[&one, "b"], "c", &[]);
                net.put("Div", &[&one, "c"], "p", &[]);
            }
            "sigmoid by reciprocal" => {
                net.put("Mul", &["y", &minus], "a", &[]);
                net.put("Exp", &["a"], "b", &[]);
                net.put("Add", &["b", &one], "c", &[]);
                net.put("Reciprocal", &["c"], "p", &[]);
            }
            "sigmoid by tanh" => {
                net.put("Mul", &["y", &half], "a", &[]);
                net.put("Tanh", &["a"], "b", &[]);
                net.put("Add", &["b", &one], "c", &[]);
                net.put("Mul", &["c", &half], "p", &[]);
            }
            "softmax" | "softmax of differences" => {
                let differences = how != "softmax";
                let most = [("axes", Attr::Ints(vec![1]))];
                net.put("ReduceMax", &["y"], "most", &most);
                net.put("Sub", &["y", "most"], "d", &[]);
                net.put("Exp", &[if differences { "d" } else { "y" }], "e", &[]);
                net.put("ReduceSum", &["e", &axes], "sum", &[]);
                net.put("Div", &["e", "sum"], "p", &[]);
            }
            _ => {
                net.put("LogSoftmax", &["y"], "logarithms", &[("axis", Attr::Int(1))]);
                net.put("Exp", &["logarithms"], "p", &[]);
            }
        }
        "p"
    })
}

#[test]
fn sigmoids_and_softmaxes_may_be_written_out() {
    let plain = five(|_| "y");
    let load =
        |own: &Own| Classifier::load(&own.path("net.onnx"), &ReadOptions::default(), None).unwrap();
    let logits = |model: &Classifier| model.graph().value(model.graph().logits()).name.clone();
    for how in ["softmax", "softmax of differences", "logarithms"] {
        let own = labelled(&spelled(how), &plain);
        let model = load(&own);
        assert_eq!((model.head(), &logits(&model)[..]), (HeadKind::Single, "y"), "{how}");
        assert_eq!(accuracy(&own, ""), 100.0, "{how}");
        own.succeeds("annotate OUT/net.onnx --mean 0 --std 1 -o OUT/described.onnx");
        let files = [spelled(how), read(&own, "described.onnx")];
        let [before, after] = files.map(|graph| outputs(&graph, &images()));
        assert!(before.iter().zip(&after).all(|(a, b)| (a - b).abs() < 1e-6), "{how}");
    }
    for how in ["sigmoid", "sigmoid by reciprocal", "sigmoid by tanh"] {
        let model = load(&labelled(&spelled(how), &plain));
        assert_eq!((model.head(), &logits(&model)[..]), (HeadKind::Multilabel, "y"), "{how}");
    }
}

/// A field of a protobuf message that holds bytes, at most 127 of them.
fn field(number: u8, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [&[(number << 3) | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

/// What an ONNX file gains by a node and by an output `[n]` of whole numbers: messages that follow each other are one.
fn more(kind: &str, input: &str, output: &str) -> Vec<u8> {
    let node = [field(1, input), field(2, output), field(4, kind)].concat();
    let shape = field(1, field(2, "n"));
    let tensor = [vec![1 << 3, 7], field(2, shape)].concat();
    let port = [field(1, output), field(2, field(1, tensor))].concat();
    field(7, [field(1, node), field(12, port)].concat())
}

#[test]
fn the_best_classes_beside_scores_are_left_out() {
    let plain = five(|_| "y");
    let own = labelled(&plain, &plain);
    let file = std::fs::read(own.path("net.onnx")).unwrap();
    own.write("net.onnx", [file, more("ArgMax", "y", "label")].concat());
    assert_eq!(accuracy(&own, ""), 100.0);
    let line = format!("eval OUT/net.onnx --data OUT/d.safetensors {PLAIN} --allow-missing");
    let said = own.run(&line).err;
    assert!(said.contains("no scores are left out: `label`"), "{said}");
    own.succeeds("annotate OUT/net.onnx --mean 0 --std 1 -o OUT/described.onnx");
    let written = read(&own, "described.onnx");
    assert_eq!((written.outputs().len(), written.nodes().len()), (1, plain.nodes().len()));
    own.refused("inspect OUT/net.onnx --scores label", &["operator of ONNX is not supported"]);
}

#[test]
fn of_several_outputs_the_scores_are_found_or_named() {
    let several = |outputs: &[&str]| {
        let mut net = Net::new();
        net.linear(5, "aux");
        net.put("Tanh", &["flat"], "deep", &[]);
        let [weights, bias] = [net.random(&[8, 5]), net.random(&[5])];
        net.put("Gemm", &["deep", &weights, &bias], "main", &[]);
        net.put("Softmax", &["main"], "probabilities", &[]);
        net.linear(4, "colour");
        net.done(outputs)
    };
    let plain = several(&["main"]);
    for outputs in [&["main", "aux"][..], &["main", "probabilities"], &["relu", "main"]] {
        let own = labelled(&several(outputs), &plain);
        assert_eq!(accuracy(&own, ""), 100.0, "{outputs:?}");
        let line = format!("eval OUT/net.onnx --data OUT/d.safetensors {PLAIN} --allow-missing");
        let said = own.run(&line).err;
        assert!(said.contains("`main` is taken for the class scores; left out: "), "{said}");
        assert_eq!(accuracy(&own, "--scores main"), 100.0);
    }
    let own = labelled(&several(&["colour", "main"]), &plain);
    own.refused(
        "inspect OUT/net.onnx",
        &[
            "2 outputs, `colour` [n, 4], `main` [n, 5]",
            "which has the class scores (--scores NAME)",
        ],
    );
    assert_eq!(accuracy(&own, "--scores main"), 100.0);
    own.refused(
        "inspect OUT/net.onnx --scores other",
        &["no output or value is called so; its outputs are `colour` [n, 4], `main` [n, 5]"],
    );
    // Written down, it need not be said again.
    own.succeeds("annotate OUT/net.onnx --scores main --mean 0 --std 1 -o OUT/main.onnx");
    own.succeeds("eval OUT/main.onnx --data OUT/d.safetensors --allow-missing --no-latency");
}

/// `net.onnx`, which says of three classes whether an image is of each, and `d.safetensors`, of which it is
/// right on every image.
fn several_labels() -> (Own, Graph) {
    prepared();
    let (own, images) = (Own::new(), images());
    let net = |shift: &[f32]| {
        let mut net = Net::new();
        let weights = net.random(&[8, 3]);
        let bias = net.constant(&[3], shift.iter().map(|x| -x).collect());
        net.put("Gemm", &["flat", &weights, &bias], "z", &[]);
        net.put("Sigmoid", &["z"], "y", &[]);
        net.done(&["y"])
    };
    let logits: Vec<f32> =
        outputs(&net(&[0.0; 3]), &images).iter().map(|y| (y / (1.0 - y)).ln()).collect();
    let of = |class: usize| logits.iter().skip(class).step_by(3).copied().collect::<Vec<f32>>();
    let graph = net(&[0, 1, 2].map(|class| middle(&of(class))));
    onnx::save(&graph, &own.path("net.onnx")).unwrap();
    let labels: Vec<u8> =
        outputs(&graph, &images).iter().map(|score| u8::from(*score > 0.5)).collect();
    assert!(labels.chunks(3).any(|row| row.iter().sum::<u8>() != 1), "several, or none");
    set(&own, "d.safetensors", &images, &[60, 3], &labels);
    (own, graph)
}

#[test]
fn images_may_be_of_several_classes() {
    let (own, graph) = several_labels();
    let eval = format!("eval OUT/net.onnx --data OUT/d.safetensors {PLAIN}");
    let found = own.json(&eval);
    let several = &found["multilabel"];
    for key in ["mean_average_precision", "macro_f1", "micro_f1", "all_right"] {
        assert!((number(&several[key]) - 100.0).abs() < 1e-9, "{key}");
    }
    assert_eq!(several["classes"]["1"]["images"], json!(30));
    assert_eq!(found["images"], json!(60));
    let strict = own.json(&format!("{eval} --threshold 0.999"));
    let ranked = |found: &Value| found["multilabel"]["mean_average_precision"].clone();
    assert_eq!(ranked(&strict), ranked(&found), "ranks stay");
    assert!(number(&strict["multilabel"]["micro_f1"]) < 100.0);
    let said = own.run(&eval);
    assert!(said.err.contains("ends in sigmoids") && said.err.contains("--head multilabel"));
    assert!(said.out.contains("mean average precision 100.00 %"), "{}", said.out);
    own.refused(&format!("{eval} --threshold 1"), &["--threshold 1 is no probability"]);
    own.refused(&format!("{eval} --head single"), &["are of several classes at once"]);
    own.refused("eval digits.onnx --data data/digits --threshold 0.4", &["--threshold is for"]);
    // What is cut keeps its sigmoids, and every class its scores.
    let data = "--data OUT/d.safetensors --mean 0 --std 1";
    own.succeeds(&format!("profile OUT/net.onnx {data} --samples 10 -o OUT/p"));
    for refit in ["--refit none", &format!("{data} --refit-samples 20")] {
        own.succeeds(&format!(
            "disassemble OUT/net.onnx --profile OUT/p --classes 0,2 {refit} -o OUT/cut.onnx"
        ));
        own.succeeds("verify OUT/net.onnx OUT/cut.onnx");
        let cut = read(&own, "cut.onnx");
        assert_eq!(cut.value(cut.outputs()[0]).shape.sample(), [1, 2]);
        assert!(outputs(&cut, &images()).iter().all(|x| (0.0..=1.0).contains(x)));
        let found =
            own.json(&format!("eval OUT/cut.onnx --source OUT/net.onnx {data} --no-latency"));
        assert_eq!(found["base"]["per_image"], json!(100.0));
        assert!(number(&found["multilabel"]["mean_average_precision"]) > 50.0, "{found:#}");
    }
    own.succeeds("annotate OUT/net.onnx --mean 0 --std 1 -o OUT/same.onnx");
    assert_eq!(outputs(&read(&own, "same.onnx"), &images()), outputs(&graph, &images()));
    let refused = "is for classes that exclude each other";
    own.refused(
        &format!("reject OUT/net.onnx {data} -o OUT/x.onnx"),
        &[refused, "several classes of `net`"],
    );
    own.refused(
        "assemble OUT/net.onnx digits.onnx -o OUT/x.onnx",
        &["several classes of `net` at once, but of one of `digits`"],
    );
    own.succeeds("annotate OUT/net.onnx --head single --mean 0 --std 1 -o OUT/single.onnx");
    own.refused(&format!("eval OUT/single.onnx {data}"), &["are of several classes at once"]);
    own.refused(
        "train --arch resnet20 --data OUT/d.safetensors -o OUT/x.onnx",
        &["several classes"],
    );
}

#[test]
fn models_of_several_classes_an_image_are_cut_to_a_size() {
    let (own, _) = several_labels();
    let data = "--data OUT/d.safetensors --mean 0 --std 1";
    let ranked = |name: &str| {
        let eval = format!("eval OUT/{name} --source OUT/net.onnx {data} --no-latency");
        number(&own.json(&eval)["multilabel"]["mean_average_precision"])
    };
    let walk = format!("disassemble OUT/net.onnx {data} --macs 60% --round-to 1");
    let found = own.json(&format!("{walk} --classes 0,2 --refit-samples 20 -o OUT/cut.onnx"));
    assert_eq!(found["measure"], json!("mean-average-precision"));
    // Rarest first: a tenth of each of the classes, and of the images of none.
    let held = number(&found["held_out"]);
    assert!((4.0..=8.0).contains(&held), "{held}");
    let steps = found["frontier"].as_array().unwrap();
    assert!(steps.len() > 1);
    assert!((number(&steps[0]["accuracy"]) - 100.0).abs() < 1e-9, "the whole is right on all");
    let cut = read(&own, "cut.onnx");
    assert!(outputs(&cut, &images()).iter().all(|p| (0.0..=1.0).contains(p)));
    own.succeeds("verify OUT/net.onnx OUT/cut.onnx");
    own.succeeds(&format!("{walk} --classes 2,0 --refit-samples 20 -o OUT/turned.onnx"));
    assert_eq!(outputs(&read(&own, "turned.onnx"), &images()), outputs(&cut, &images()));
    own.succeeds(&format!("{walk} --classes 0,2 --refit none -o OUT/bare.onnx"));
    assert!(ranked("cut.onnx") >= ranked("bare.onnx"));
    own.succeeds(&format!("{walk} --classes 0,2 --criterion random --refit none -o OUT/any.onnx"));
    assert!(ranked("cut.onnx") > ranked("any.onnx"), "{}", ranked("cut.onnx"));
    let said = own.run(&format!("{walk} --classes 0,2 --refit none -o OUT/bare.onnx"));
    assert!(said.out.contains("mean average precision on"), "{}", said.out);
    let drop = "--classes 0,1,2 --max-drop 5 --hold-out 30%";
    let found =
        own.json(&format!("disassemble OUT/net.onnx {data} --round-to 1 {drop} -o OUT/x.onnx"));
    let chosen = found["chosen"].as_u64().unwrap() as usize;
    assert!(number(&found["frontier"][chosen]["accuracy"]) >= 95.0, "{found:#}");
}

#[test]
fn models_of_several_classes_an_image_are_compressed_and_trained_further() {
    let (own, _) = several_labels();
    let data = "--data OUT/d.safetensors --mean 0 --std 1";
    let found = own.json(&format!(
        "compress OUT/net.onnx {data} --macs 60% --round-to 1 --compare -o OUT/less.onnx"
    ));
    assert_eq!(found["measure"], json!("mean-average-precision"));
    assert!((number(&found["source"]["accuracy"]) - 100.0).abs() < 1e-9);
    let criteria = found["models"].as_array().unwrap();
    assert!(criteria.len() > 4, "{found:#}");
    let eval = |name: &str| {
        let found = own.json(&format!("eval OUT/{name} {data} --no-latency"));
        number(&found["multilabel"]["all_right"])
    };
    let less = eval("less.onnx");
    let run = "--epochs 30 --batch 20 --lr 0.5 --hold-out none";
    let learned = own.json(&format!("finetune OUT/less.onnx {data} {run} -o OUT/more.onnx"));
    assert_eq!(learned["images"], json!(60), "images of no class teach as well");
    let loss = |epoch: usize| number(&learned["epochs"][epoch]["train"]["loss"]);
    assert!(loss(29) < loss(0) && loss(0) < 2.0, "{learned:#}");
    assert!(eval("more.onnx") > less, "{less} {}", eval("more.onnx"));
    let more = read(&own, "more.onnx");
    assert!(outputs(&more, &images()).iter().all(|p| (0.0..=1.0).contains(p)));
    let measured = own.json(&format!("finetune OUT/less.onnx {data} --epochs 1 -o OUT/x.onnx"));
    assert!(number(&measured["score1"]["loss"]) > 0.0, "{measured:#}");
}

/// Puts behind `z` what makes probabilities of it that are above a half where it is positive.
fn probabilities(net: &mut Net, form: &str) {
    let [half, one, two] = [0.5, 1.0, 2.0].map(|x| net.constant(&[1], vec![x]));
    match form {
        "identity" => {
            net.put("Sigmoid", &["z"], "p", &[]);
            net.put("Identity", &["p"], "y", &[]);
        }
        "clip" => {
            let [least, most] = [1e-6, 1.0 - 1e-6].map(|x| net.constant(&[], vec![x]));
            net.put("Sigmoid", &["z"], "p", &[]);
            net.put("Clip", &["p", &least, &most], "y", &[]);
        }
        "mean" => {
            net.put("Mul", &["z", &two], "double", &[]);
            net.put("Sigmoid", &["z"], "p", &[]);
            net.put("Sigmoid", &["double"], "q", &[]);
            net.put("Add", &["p", "q"], "sum", &[]);
            net.put("Mul", &["sum", &half], "y", &[]);
        }
        "hard" => net.put("HardSigmoid", &["z"], "y", &[]),
        _ => {
            net.put("Tanh", &["z"], "t", &[]);
            net.put("Add", &["t", &one], "up", &[]);
            net.put("Mul", &["up", &half], "y", &[]);
        }
    }
}

/// A network that ends so, of which each of `classes` scores is above a half on half of the images, and on
/// which.
fn halves(form: &str, classes: usize) -> (Graph, Vec<u8>) {
    let net = |shift: &[f32], form: Option<&str>| {
        let mut net = Net::new();
        let weights = net.random(&[8, classes]);
        let bias = net.constant(&[classes], shift.iter().map(|x| -x).collect());
        net.put("Gemm", &["flat", &weights, &bias], "z", &[]);
        match form {
            Some(form) => {
                probabilities(&mut net, form);
                net.done(&["y"])
            }
            None => net.done(&["z"]),
        }
    };
    let logits = outputs(&net(&vec![0.0; classes], None), &images());
    let column = |k: usize| logits.iter().skip(k).step_by(classes).copied().collect::<Vec<f32>>();
    let shift: Vec<f32> = (0..classes).map(|k| middle(&column(k))).collect();
    let logits = outputs(&net(&shift, None), &images());
    let labels = logits.iter().map(|z| u8::from(*z > 0.0)).collect();
    (net(&shift, Some(form)), labels)
}

#[test]
fn probabilities_of_every_form_are_told_from_scores() {
    prepared();
    for form in ["identity", "clip", "mean", "hard", "tangent"] {
        for classes in [1, 3] {
            let (graph, labels) = halves(form, classes);
            let own = Own::new();
            onnx::save(&graph, &own.path("net.onnx")).unwrap();
            let shape = [60, classes];
            set(&own, "d.safetensors", &images(), &shape[..classes.min(2)], &labels);
            let found = own.json(&format!("eval OUT/net.onnx --data OUT/d.safetensors {PLAIN}"));
            assert_eq!(found["accuracy_per_image"], json!(100.0), "{form}, {classes}");
            own.succeeds("annotate OUT/net.onnx --mean 0 --std 1 -o OUT/described.onnx");
            let again = read(&own, "described.onnx");
            assert_eq!(again.value(again.outputs()[0]).name, "y", "{form}, {classes}");
            let (before, after) = (outputs(&graph, &images()), outputs(&again, &images()));
            let worst = before.iter().zip(&after).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-5, "{form}, {classes}: {worst}");
            let kind = if classes == 1 { HeadKind::Binary } else { HeadKind::Multilabel };
            let path = own.path("described.onnx");
            let model = Classifier::load(&path, &ReadOptions::default(), None).unwrap();
            assert_eq!(model.head(), kind, "{form}");
        }
    }
    // Numbers from -1 to 1 are no probabilities.
    let (graph, labels) = halves("identity", 1);
    let mut net = Net::new();
    net.linear(1, "z");
    net.put("Tanh", &["z"], "y", &[]);
    let own = Own::new();
    onnx::save(&net.done(&["y"]), &own.path("net.onnx")).unwrap();
    assert!(own.run("inspect OUT/net.onnx").err.contains("above 0 it is the second"));
    onnx::save(&graph, &own.path("net.onnx")).unwrap();
    assert!(own.run("inspect OUT/net.onnx").err.contains("above 0.5 it is the second"));
    assert_eq!(labels.iter().filter(|label| **label == 1).count(), 30);
}

#[test]
fn a_probability_and_what_is_left_of_it_are_those_of_two_classes() {
    prepared();
    let (own, mut net) = (Own::new(), Net::new());
    net.linear(1, "z");
    let one = net.constant(&[1], vec![1.0]);
    net.put("Sigmoid", &["z"], "p", &[]);
    net.put("Sub", &[&one, "p"], "rest", &[]);
    net.put("Concat", &["rest", "p"], "y", &[("axis", Attr::Int(1))]);
    let graph = net.done(&["y"]);
    onnx::save(&graph, &own.path("net.onnx")).unwrap();
    let scores = outputs(&graph, &images());
    let labels: Vec<u8> = scores.chunks(2).map(|row| u8::from(row[1] > row[0])).collect();
    set(&own, "d.safetensors", &images(), &[60], &labels);
    let line = "eval OUT/net.onnx --data OUT/d.safetensors --per-image OUT/i.csv --allow-missing";
    assert_eq!(own.json(&format!("{line} {PLAIN}"))["accuracy_per_image"], json!(100.0));
    let table = String::from_utf8(own.read("i.csv")).unwrap();
    for (line, row) in table.lines().skip(1).zip(scores.chunks(2)) {
        let told: f32 = line.split(',').nth(5).unwrap().parse().unwrap();
        assert!((told - 100.0 * row[0].max(row[1])).abs() < 1e-3, "{line}: {row:?}");
    }
}

#[test]
fn parts_with_several_classes_an_image_are_refitted_joined_and_calibrated() {
    prepared();
    let (graph, labels) = halves("identity", 4);
    let own = Own::new();
    onnx::save(&graph, &own.path("plain.onnx")).unwrap();
    set(&own, "d.safetensors", &images(), &[60, 4], &labels);
    let data = "--data OUT/d.safetensors --mean 0 --std 1";
    own.succeeds("annotate OUT/plain.onnx --mean 0 --std 1 -o OUT/net.onnx");
    own.succeeds(&format!("profile OUT/net.onnx {data} --samples 10 -o OUT/p"));
    for (classes, name) in [("0,1", "one"), ("2,3", "two")] {
        own.succeeds(&format!(
            "disassemble OUT/net.onnx --profile OUT/p --classes {classes} --refit none -o OUT/{name}.onnx"
        ));
    }
    set(&own, "e.safetensors", &images(), &[60, 4], &labels);
    let twice = format!("{data} --data OUT/e.safetensors");
    let found =
        own.json(&format!("refit OUT/one.onnx --source OUT/net.onnx {twice} -o OUT/near.onnx"));
    let divergence = |key: &str| number(&found["divergence"][key]);
    assert!(divergence("after") <= divergence("before"), "{found:#}");
    let near = read(&own, "near.onnx");
    assert!(outputs(&near, &images()).iter().all(|p| (0.0..=1.0).contains(p)));
    own.succeeds("assemble OUT/one.onnx OUT/two.onnx -o OUT/both.onnx");
    own.succeeds("verify OUT/one.onnx OUT/two.onnx OUT/both.onnx");
    let said = own.json(&format!("calibrate OUT/both.onnx {data} -o OUT/ready.onnx"));
    assert_eq!(said["method"], json!("affine"));
    // Cross-entropy of the decisions, as the files give probabilities.
    let loss = |name: &str| {
        let found = outputs(&read(&own, name), &images());
        assert_eq!(found.len(), labels.len(), "{name}");
        let sides = found.iter().zip(&labels);
        let each = sides.map(|(p, label)| if *label == 1 { -p.ln() } else { -(1.0 - p).ln() });
        f64::from(each.sum::<f32>()) / labels.len() as f64
    };
    assert!(loss("ready.onnx") < loss("both.onnx") - 0.05, "{said:#}");
    let eval = format!("eval OUT/ready.onnx {data} --no-latency");
    assert!(number(&own.json(&eval)["multilabel"]["micro_f1"]) > 60.0);
    own.succeeds("calibrate OUT/ready.onnx --method none -o OUT/again.onnx");
    assert_eq!(
        outputs(&read(&own, "again.onnx"), &images()),
        outputs(&read(&own, "both.onnx"), &images())
    );
    for (line, says) in [
        (format!("calibrate OUT/both.onnx {data} --method linear"), "--method affine fits each"),
        ("calibrate OUT/both.onnx".to_owned(), "give images (--data)"),
        (format!("refit OUT/one.onnx --source OUT/net.onnx {data} --readout"), "a readout"),
    ] {
        own.refused(&format!("{line} -o OUT/x.onnx"), &[says]);
    }
}

#[test]
fn models_that_are_no_classifiers_are_told_what_they_look_like() {
    prepared();
    let own = Own::new();
    for (shape, says) in [
        (&[1, 16_000][..], "input [n, 1, 16000], which looks like audio"),
        (&[3, 8, 32, 32], "input [n, 3, 8, 32, 32], which looks like video"),
        (&[40], "input [n, 40], which looks like rows of a table or features"),
        (&[3, 32, 32], "output [n, 3, 32, 32], which looks like a picture made of a picture"),
    ] {
        let mut builder = Builder::new("net", 17, None);
        builder.input("x", Shape::batched(shape));
        let form = |kind: &str, output: &str| Form {
            kind: kind.to_owned(),
            inputs: vec!["x".to_owned()],
            outputs: vec![output.to_owned()],
            ..Form::default()
        };
        builder.node(&form("Relu", "y"));
        builder.output("y");
        onnx::save(&builder.finish().unwrap(), &own.path("net.onnx")).unwrap();
        let said = own.refused("inspect OUT/net.onnx", &["`net` is no image classifier", says]);
        assert!(!said.contains("Some(") && !said.contains("Fixed("), "{said}");
        own.refused("eval OUT/net.onnx --data data/digits", &[says]);
    }
}
