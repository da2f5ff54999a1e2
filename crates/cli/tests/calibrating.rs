//! `calibrate` beyond factors and shifts, and without images.

#![allow(clippy::unwrap_used)]

mod common;

use common::{JOINED_DATA, Own, number, prepared};

fn ready() -> Own {
    prepared();
    Own::new()
}

fn accuracy(own: &Own, model: &str) -> f64 {
    let found = own.json(&format!("eval {model} {JOINED_DATA} --no-latency"));
    number(&found["accuracy_per_image"])
}

#[test]
fn a_linear_correction_travels_in_the_file() {
    let own = ready();
    let calibrate = |method: &str| {
        let line = "calibrate joined.onnx --samples 50 --seed 1";
        own.json(&format!("{line} {JOINED_DATA} --method {method} -o OUT/{method}.onnx"))
    };
    calibrate("affine");
    for method in ["background", "linear"] {
        let found = calibrate(method);
        let notes = found["calibration"]["notes"].as_array().unwrap();
        assert!(notes[0].as_str().unwrap().contains("held out in turns"), "{notes:?}");
        let model = format!("OUT/{method}.onnx");
        assert!(accuracy(&own, &model) > accuracy(&own, "OUT/affine.onnx") - 0.01);
        own.succeeds(&format!("verify low.onnx pieces.onnx {model}"));
        own.succeeds(&format!("calibrate {model} --method none -o OUT/undone.onnx"));
        own.succeeds("calibrate joined.onnx --method none -o OUT/none.onnx");
        assert!(own.read("undone.onnx") == own.read("none.onnx"));
    }
    assert_ne!(own.read("linear.onnx").len(), own.read("affine.onnx").len());
    let few = own.run(&format!(
        "calibrate joined.onnx {JOINED_DATA} --samples 3 --method linear -o OUT/few.onnx"
    ));
    assert!(few.err.contains("fewer than 5 calibration images of `0` (3), "), "{}", few.err);
}

#[test]
fn parts_that_carry_moments_need_no_images() {
    let own = ready();
    let found = own.json("calibrate joined.onnx -o OUT/ready.onnx");
    assert_eq!(
        (&found["method"], number(&found["calibration"]["images"])),
        (&"affine".into(), 0.0)
    );
    let note = found["calibration"]["notes"][0].as_str().unwrap();
    assert!(note.contains("drawn from the moments") && note.contains("of 2000 images"), "{note}");
    let [bare, ready] = ["joined.onnx", "OUT/ready.onnx"].map(|model| accuracy(&own, model));
    assert!(ready > bare, "{bare} to {ready}");
    // The same seed, the same draws; what it does is undone like any other.
    own.succeeds("calibrate joined.onnx -o OUT/again.onnx");
    assert!(own.read("ready.onnx") == own.read("again.onnx"));
    own.succeeds("calibrate OUT/ready.onnx --method none -o OUT/undone.onnx");
    own.succeeds("calibrate joined.onnx --method none -o OUT/none.onnx");
    assert!(own.read("undone.onnx") == own.read("none.onnx"));
}

#[test]
fn parts_without_moments_need_images() {
    let own = ready();
    // `high` was cut without images.
    own.succeeds("assemble high.onnx pieces.onnx -o OUT/joined.onnx");
    own.refused("calibrate OUT/joined.onnx -o OUT/x.onnx", &["part `high` carries no", "--data"]);
    own.refused("calibrate joined.onnx --method linear -o OUT/x.onnx", &["linear needs some"]);
    own.refused("calibrate joined.onnx --samples 5 -o OUT/x.onnx", &["--samples counts images"]);
}
