//! `reject`: thresholds are fitted on training images, carried by the file, and measured on others.

use serde_json::Value;

use crate::common;
use crate::common::{Own, number, prepared};

fn ready() -> Own {
    prepared();
    Own::new()
}

#[test]
fn foreign_classes_of_the_data_set_the_threshold() {
    let own = ready();
    let fitted = own.json("reject low.onnx --data data/digits --rate 10% -o OUT/safe.onnx");
    let reject = &fitted["reject"];
    assert_eq!(
        (number(&reject["own_images"]), number(&reject["foreign_images"])),
        (1000.0, 1000.0)
    );
    assert!(number(&reject["false_accepts"]) <= 10.0 && number(&reject["false_accepts"]) > 9.0);
    let found = own.json("eval OUT/safe.onnx --data data/digits --no-latency");
    let said = &found["reject"];
    assert_eq!(said["threshold"], reject["threshold"]);
    let [accepted, right, foreign] =
        ["accepted", "accepted_and_right", "false_accepts"].map(|key| number(&said[key]));
    assert!(right <= accepted && right <= number(&found["accuracy_per_image"]));
    assert!(accepted > 60.0 && (2.0..25.0).contains(&foreign), "{said}");
    // Without a threshold nothing is said of one.
    let plain = own.json("eval low.onnx --data data/digits --no-latency");
    assert_eq!(plain["reject"], Value::Null);
    assert_eq!(plain["accuracy_per_image"], found["accuracy_per_image"]);
}

#[test]
fn other_data_may_be_foreign() {
    let own = ready();
    own.refused("reject digits.onnx --data data/digits -o OUT/x.onnx", &["--foreign", "--recall"]);
    own.succeeds("reject digits.onnx --data data/digits --recall 95% -o OUT/own.onnx");
    let fitted =
        own.json("reject digits.onnx --data data/digits --foreign data/garments -o OUT/both.onnx");
    assert_eq!(number(&fitted["reject"]["foreign_images"]), 2000.0);
    for (name, least) in [("own", 90.0), ("both", 30.0)] {
        let found = own.json(&format!(
            "eval OUT/{name}.onnx --data data/digits --foreign data/garments --no-latency"
        ));
        let said = &found["reject"];
        assert!(number(&said["accepted"]) > least, "{name}: {said}");
        assert!(number(&said["false_accepts"]) < 50.0, "{name}: {said}");
        assert!(number(&found["leakage"]["foreign_images"]) > 0.0);
    }
}

#[test]
fn new_scores_drop_the_threshold() {
    let own = ready();
    let data = common::JOINED_DATA;
    own.succeeds(&format!("reject joined.onnx {data} --recall 90% -o OUT/safe.onnx"));
    let found = own.json(&format!("eval OUT/safe.onnx {data} --no-latency"));
    assert!(number(&found["reject"]["accepted"]) > 80.0);
    own.succeeds(&format!("calibrate OUT/safe.onnx {data} --samples 20 -o OUT/again.onnx"));
    let found = own.json(&format!("eval OUT/again.onnx {data} --no-latency"));
    assert_eq!(found["reject"], Value::Null);
}
