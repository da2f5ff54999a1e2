//! `refit`: whole classifiers towards another's scores.

use crate::common::{Own, has_keys, number, shared};

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
fn all_layers_are_read() {
    shared();
    let own = Own::new();
    for (classes, name) in [("0-4", "low"), ("5-9", "high")] {
        let line = format!(
            "disassemble garments.onnx --classes {classes} --data data/garments --refit layers \
             --hold-out none --macs 10%"
        );
        own.succeeds(&format!("{line} -o OUT/{name}.plain.onnx"));
        let found = own.json(&format!("{line} --readout -o OUT/{name}.onnx"));
        assert!(
            number(&found["macs"]["after"]) <= 0.1 * number(&found["macs"]["before"]),
            "{found}"
        );
        assert!(number(&found["refit"]["readout"]) > 0.0, "{found}");
        let [plain, read] = [".plain", ""].map(|kind| {
            let line = format!("eval OUT/{name}{kind}.onnx --data data/garments --no-latency");
            number(&own.json(&line)["accuracy_per_image"])
        });
        assert!(read > plain, "{plain} to {read}");
        own.succeeds(&format!("verify garments.onnx OUT/{name}.onnx"));
    }
    own.succeeds("diff garments.onnx OUT/low.onnx");
    // Such components are classifiers as any other.
    for layout in ["branches", "padded"] {
        own.succeeds(&format!(
            "assemble OUT/low.onnx OUT/high.onnx --layout {layout} -o OUT/{layout}.onnx"
        ));
        own.succeeds(&format!("verify OUT/low.onnx OUT/high.onnx OUT/{layout}.onnx"));
        own.succeeds(&format!(
            "calibrate OUT/{layout}.onnx --data data/garments --samples 20 -o OUT/c.onnx"
        ));
    }
    own.succeeds("assemble OUT/low.onnx OUT/high.onnx --remove bag -o OUT/nine.onnx");
    own.succeeds(
        "disassemble OUT/low.onnx --classes 0,1 --data data/garments --refit layers --refit-samples 20 --macs 70% -o OUT/two.onnx",
    );
    own.succeeds("verify OUT/low.onnx OUT/two.onnx");
}

#[test]
fn any_classifier_can_be_given_a_readout() {
    shared();
    let own = Own::new();
    own.succeeds(
        "compress digits.onnx --data data/digits --macs 10% --refit-samples 20 -o OUT/small.onnx",
    );
    let line = "refit OUT/small.onnx --source digits.onnx --data data/digits --readout --passes 0 -o OUT/read.onnx";
    let found = own.json(line);
    assert!(found["divergence"].is_null() && number(&found["passes"]) == 0.0, "{found}");
    let [before, after] = ["before", "after"].map(|key| number(&found["readout"][key]));
    assert!(after < before && number(&found["readout"]["features"]) > 0.0, "{found}");
    own.succeeds(&line.replace("read.onnx", "again.onnx"));
    assert!(own.read("read.onnx") == own.read("again.onnx"));
    // Scores as near as the source's own need none.
    let found = own.json(&line.replace("OUT/small.onnx", "digits.onnx"));
    assert!(found["readout"].is_null(), "{found}");
}

#[test]
fn refusals() {
    shared();
    let own = Own::new();
    let refit = |words: &str| format!("refit digits.onnx --data data/digits -o OUT/x.onnx {words}");
    own.refused(&refit("--source garments.onnx"), &["`garments` has no class 0, 1", "it has"]);
    own.refused(&refit("--source digits.onnx --samples 5"), &["on 50 images", "80 or more"]);
    own.refused(&refit("--source nothing.onnx"), &["nothing.onnx"]);
    own.refused(&refit("--source digits.onnx --passes 1001"), &["from 0 to 1000"]);
    own.refused(&refit("--source digits.onnx --passes 0"), &["--readout"]);
    let cut = "disassemble digits.onnx --classes 0,1 --data data/digits --refit none --readout -o OUT/x.onnx";
    own.refused(&format!("{cut} --macs 50%"), &["--readout is part of a refit"]);
    own.refused(&format!("{cut} --keep OUT/none.json"), &["--readout is part of a refit"]);
    own.misused(&refit(""), &["--source"]);
}
