//! How images become a model's input: the order of its axes, resizing and cropping, numbers that cannot be
//! meant.

use std::sync::Arc;

use brickwork::show::png;
use brickwork::{Card, Classifier, InputLayout, uniform};
use brickwork_data::{Dataset, Split};
use brickwork_exec::Session;
use brickwork_formats::onnx::{self, ReadOptions};
use brickwork_tensor::Tensor;
use serde_json::{Value, json};

use crate::common::{Own, number, prepared, shared};

fn load(own: &Own, name: &str) -> Classifier {
    Classifier::load(&own.path(name), &ReadOptions::default(), None).unwrap()
}

/// `last.onnx`: `digits.onnx` as a file whose input is `[n, h, w, c]`.
fn with_channels_last() -> Own {
    prepared();
    let own = Own::new();
    let digits = shared().join("digits.onnx");
    let digits = Classifier::load(&digits, &ReadOptions::default(), None).unwrap();
    let card = Card { layout: Some(InputLayout::Nhwc), ..digits.card().clone() };
    digits.with_card(card).unwrap().save(&own.path("last.onnx")).unwrap();
    own
}

/// Scores of the network that a file holds, as any runtime computes them, for images as its input has
/// them.
fn scores(own: &Own, name: &str, images: &Tensor) -> Vec<f32> {
    let graph = onnx::load(&own.path(name), &ReadOptions::default()).unwrap();
    let logits = graph.logits();
    let mut session = Session::new(Arc::new(graph), &[logits]);
    session.outputs(images.shape()[0], images.data()).unwrap().remove(0).data().to_vec()
}

/// Accuracy of the digits' model with these options.
fn accuracy(own: &Own, line: &str) -> f64 {
    let found = own.json(&format!("eval digits.onnx --data data/digits --no-latency {line}"));
    number(&found["accuracy_per_image"])
}

#[test]
fn channels_may_be_last() {
    let own = with_channels_last();
    let found = own.succeeds("inspect OUT/last.onnx");
    assert!(found.contains("input [n, 28, 28, 1] (channels last; layers have"), "{found}");
    let layer = |file: &str| own.json(&format!("inspect {file}"))["layers"].clone();
    assert_eq!(layer("OUT/last.onnx"), layer("digits.onnx"));
    let eval = |file: &str| {
        let mut found = own.json(&format!("eval {file} --data data/digits --no-latency"));
        found["file_bytes"] = Value::Null;
        found
    };
    assert_eq!(eval("OUT/last.onnx"), eval("digits.onnx"));
    // What is cut from it takes its input as it does, and its scores are those of the twin's.
    let cut = |file: &str, to: &str| {
        own.succeeds(&format!(
            "disassemble {file} --profile digits.profile --classes 0-4 --refit none -o OUT/{to}"
        ));
    };
    cut("OUT/last.onnx", "low-last.onnx");
    cut("digits.onnx", "low-first.onnx");
    let extents = |name: &str| {
        let graph = onnx::load(&own.path(name), &ReadOptions::default()).unwrap();
        graph.value(graph.inputs()[0]).shape.sample()
    };
    assert_eq!(extents("low-last.onnx"), [1, 28, 28, 1]);
    let images = uniform([3, 1, 28, 28], -1.0, 1.0, 7);
    let turned = images.transpose(&[0, 2, 3, 1]);
    let [first, last] =
        [("low-first.onnx", &images), ("low-last.onnx", &turned)].map(|(n, x)| scores(&own, n, x));
    assert_eq!(first, last);
    own.succeeds("verify OUT/last.onnx OUT/low-last.onnx");
    own.succeeds("verify digits.onnx OUT/low-last.onnx");
    // Of parts with one order, the whole has it too.
    own.succeeds("assemble OUT/low-last.onnx OUT/last.onnx --on-duplicate max -o OUT/both.onnx");
    assert_eq!(extents("both.onnx"), [1, 28, 28, 1]);
    own.succeeds("assemble OUT/low-last.onnx digits.onnx --on-duplicate max -o OUT/mixed.onnx");
    assert_eq!(extents("mixed.onnx"), [1, 1, 28, 28]);
    assert_eq!(scores(&own, "both.onnx", &turned), scores(&own, "mixed.onnx", &images));
}

#[test]
fn numbers_that_cannot_be_meant() {
    let own = with_channels_last();
    let line = "digits.onnx --mean 33.3 --std 78.6";
    let says = [
        "the preprocessing looks wrong",
        "bytes from 0 to 255, which are 0 to 1",
        "say --scale 1, or --mean 0.1306 --std 0.3082",
        "--odd-pixels goes on",
    ];
    own.refused(&format!("eval {line} --data data/digits"), &says);
    own.refused(&format!("profile {line} --data data/digits -o OUT/x"), &says);
    own.refused(&format!("annotate {line} -o OUT/x.onnx"), &says);
    let found = own.run(&format!("eval {line} --data data/digits --no-latency --odd-pixels"));
    assert_eq!(found.code, Some(0), "{}", found.err);
    assert!(found.err.contains("the preprocessing looks wrong"), "{}", found.err);
    // On their own scale they are the model's own.
    let accuracy = |line: &str| accuracy(&own, line);
    assert_eq!(accuracy("--mean 33.318 --std 78.565 --scale 1"), accuracy(""));
}

/// A PNG file whose EXIF data says that it lies on its side.
fn on_its_side(png: &[u8]) -> Vec<u8> {
    let entry = [0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0];
    let body = [&b"eXIfII*\0\x08\0\0\0\x01\0"[..], &entry, &[0; 4]].concat();
    let bit = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    let crc = !body.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), bit));
    let size = (body.len() as u32 - 4).to_be_bytes();
    // Behind the header.
    [&png[..33], &size, &body, &crc.to_be_bytes(), &png[33..]].concat()
}

#[test]
fn images_that_are_turned_are_noted() {
    let own = with_channels_last();
    let data = Dataset::open(shared().join("data/digits"), Some(Split::Test)).unwrap();
    for index in 0..12 {
        let file = png(&data.image(index).unwrap());
        let file = if index % 3 == 0 { on_its_side(&file) } else { file };
        own.write(&format!("tree/{}/{index}.png", data.label(index)), file);
    }
    let found = own.run("eval digits.onnx --data OUT/tree --no-latency --allow-missing");
    assert_eq!(found.code, Some(0), "{}", found.err);
    let note = "images of `tree` are turned as their EXIF data says, 4 of the first looked at";
    assert!(found.err.contains(note), "{}", found.err);
}

#[test]
fn resizing_is_written_into_the_model() {
    let own = with_channels_last();
    let annotated = |line: &str| {
        own.json(&format!("annotate digits.onnx {line} -o OUT/x.onnx"))["preprocess"].clone()
    };
    let known = annotated("");
    assert_eq!([&known["fit"], &known["filter"]], [&json!("exact"), &Value::Null]);
    let cropped = annotated("--crop 0.875 --filter bicubic");
    assert_eq!(
        [&cropped["fit"], &cropped["filter"], &cropped["crop"]],
        [&json!("cover"), &json!("bicubic"), &json!(0.875)]
    );
    let again = own.json("annotate OUT/x.onnx -o OUT/y.onnx")["preprocess"].clone();
    assert_eq!(again, cropped);
    let exact = own.json("annotate OUT/x.onnx --fit exact -o OUT/y.onnx")["preprocess"].clone();
    assert_eq!(exact, known);
    assert_eq!(annotated("--fit stretch")["filter"], "bilinear");
    own.refused(
        "annotate digits.onnx --fit exact --crop 0.9 -o OUT/z.onnx",
        &["the fit is \"exact\", which resizes none"],
    );
    own.refused("annotate digits.onnx --crop 1.2 -o OUT/z.onnx", &["`crop` is 1.2"]);
    // Cropping shows other pixels, also of images that have the model's size.
    let accuracy = |line: &str| accuracy(&own, line);
    assert!(accuracy("--crop 0.5") < accuracy("--crop 1"), "half of a digit is not a digit");
    assert_eq!(accuracy("--crop 1"), accuracy(""));
}

#[test]
fn parts_that_resize_in_different_ways_do_not_go_together() {
    let own = with_channels_last();
    own.succeeds("annotate low.onnx --crop 0.875 -o OUT/a.onnx");
    own.succeeds("annotate pieces.onnx --crop 0.9 -o OUT/b.onnx");
    own.refused(
        "assemble OUT/a.onnx OUT/b.onnx -o OUT/z.onnx",
        &["`a` and `b` have images resized in different ways", "--crop"],
    );
    own.succeeds("assemble OUT/a.onnx pieces.onnx -o OUT/c.onnx");
    let card = load(&own, "c.onnx").card().clone();
    assert_eq!(card.preprocess.unwrap().crop, Some(0.875));
}
