//! `refit`: whole classifiers towards another's scores.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Own, has_keys, number, shared};

#[test]
fn joined_halves_come_nearer_to_their_source() {
    shared();
    let own = Own::new();
    for (classes, name) in [("0-4", "low"), ("5-9", "high")] {
        own.succeeds(&format!(
            "disassemble digits.onnx --classes {classes} --data data/digits --refit-samples 20 --refit layers \
             --hold-out none --macs 20% -o OUT/{name}.onnx"
        ));
    }
    own.succeeds("assemble OUT/low.onnx OUT/high.onnx -o OUT/both.onnx");
    let line =
        "refit OUT/both.onnx --source digits.onnx --data data/digits --passes 3 -o OUT/near.onnx";
    let found = own.json(line);
    has_keys(&found, &["output", "source", "classes", "images", "passes", "divergence"]);
    assert!((1.0..=3.0).contains(&number(&found["passes"])), "{found}");
    let [before, after] = ["before", "after"].map(|key| number(&found["divergence"][key]));
    assert!(after < 0.7 * before, "{found}");
    let [bare, near] = ["both", "near"].map(|name| {
        let eval = own.json(&format!("eval OUT/{name}.onnx --data data/digits --no-latency"));
        number(&eval["accuracy_per_image"])
    });
    assert!(near > bare, "{bare} to {near}");
    // The same again, to the bit.
    own.succeeds(&line.replace("near.onnx", "again.onnx"));
    assert!(own.read("near.onnx") == own.read("again.onnx"));
}

#[test]
fn refusals() {
    shared();
    let own = Own::new();
    let refit = |words: &str| format!("refit digits.onnx --data data/digits -o OUT/x.onnx {words}");
    own.refused(&refit("--source garments.onnx"), &["`garments` has no class 0, 1", "it has"]);
    own.refused(&refit("--source digits.onnx --samples 5"), &["on 50 images", "80 or more"]);
    own.refused(&refit("--source nothing.onnx"), &["nothing.onnx"]);
    own.misused(&refit("--source digits.onnx --passes 0"), &["from 1 to 1000"]);
    own.misused(&refit(""), &["--source"]);
}
