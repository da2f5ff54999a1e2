//! `assemble --remove` and `--replace`: what is not touched stays as it was, to the bit.

use brickwork::{Classifier, uniform};
use brickwork_formats::onnx::ReadOptions;
use serde_json::{Value, json};

use crate::common::{JOINED_DATA, Own, prepared};

fn ready() -> Own {
    prepared();
    Own::new()
}

/// Class names, and the scores of some images.
fn scores(own: &Own, name: &str) -> (Vec<String>, Vec<Vec<f32>>) {
    let model = Classifier::load(&own.path(name), &ReadOptions::default(), None).unwrap();
    let [c, h, w] = model.input();
    let scores = model.scorer().logits(&uniform([40, c, h, w], 0.0, 1.0, 1)).unwrap();
    let count = model.class_count();
    (model.class_names(), scores.data().chunks(count).map(<[f32]>::to_vec).collect())
}

/// That two models give the classes for which `counts` is true the same scores, to the bit.
fn same_scores(own: &Own, one: &str, other: &str, counts: impl Fn(&str) -> bool) {
    let ((names, found), (known, expected)) = (scores(own, one), scores(own, other));
    for (class, name) in names.iter().enumerate().filter(|(_, name)| counts(name)) {
        let place = known.iter().position(|known| known == name).unwrap();
        for (row, whole) in found.iter().zip(&expected) {
            assert_eq!(row[class].to_bits(), whole[place].to_bits(), "{name}");
        }
    }
}

#[test]
fn other_classes_keep_their_scores() {
    let own = ready();
    let said = own.json("assemble low.onnx pieces.onnx --remove 2,bag -o OUT/less.onnx");
    assert_eq!(said["classes"], json!(["0", "1", "3", "4", "sandal"]));
    own.succeeds("assemble low.onnx pieces.onnx -o OUT/all.onnx");
    same_scores(&own, "less.onnx", "all.onnx", |_| true);
    // A part without a class left is gone.
    let said = own.json("assemble low.onnx pieces.onnx --remove sandal,bag -o OUT/one.onnx");
    assert_eq!(said["parts"].as_array().unwrap().len(), 1);
    // The whole still works: calibrated and measured.
    let data = JOINED_DATA;
    own.succeeds(&format!("calibrate OUT/less.onnx {data} --samples 20 -o OUT/ready.onnx"));
    let found = own.json(&format!("eval OUT/ready.onnx {data} --no-latency"));
    assert!(found["accuracy_per_image"].as_f64().unwrap() > 80.0, "{found}");
}

#[test]
fn a_class_may_come_from_another_component() {
    let own = ready();
    let digits = "disassemble digits.onnx --profile digits.profile --data data/digits";
    own.succeeds(&format!("{digits} --classes 2,3,7 --refit-samples 20 -o OUT/better.onnx"));
    let line = "assemble low.onnx pieces.onnx --replace 2=OUT/better.onnx -o OUT/new.onnx";
    let said = own.json(line);
    assert_eq!(said["classes"], json!(["0", "1", "3", "4", "sandal", "bag", "2"]));
    let parts: Vec<&Value> =
        said["parts"].as_array().unwrap().iter().map(|part| &part["classes"]).collect();
    assert_eq!(parts[2], &json!(["2"]));
    assert!(said["difference_from_parts"].as_f64().unwrap() < 1e-4);
    own.succeeds("assemble low.onnx pieces.onnx -o OUT/all.onnx");
    same_scores(&own, "new.onnx", "all.onnx", |name| name != "2");
    own.refused(
        "assemble low.onnx --replace 9=OUT/better.onnx -o OUT/x.onnx",
        &["no part has a class 9"],
    );
    own.refused(
        "assemble low.onnx --replace 4=OUT/better.onnx -o OUT/x.onnx",
        &["has no class 4", "2, 3, 7"],
    );
    own.refused("assemble low.onnx --remove 1 --replace 1=low.onnx -o OUT/x.onnx", &["twice"]);
    own.refused("assemble joined.onnx --remove 1 -o OUT/x.onnx", &["is assembled"]);
}
