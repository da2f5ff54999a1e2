//! `calibrate` beyond factors and shifts, and without images.

use crate::common::{JOINED_DATA, Own, number, prepared};

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
    let line = "calibrate joined.onnx --samples 50 --seed 1";
    let calibrate = |method: &str| {
        own.json(&format!("{line} {JOINED_DATA} --method {method} -o OUT/{method}.onnx"))
    };
    calibrate("affine");
    for method in ["background", "linear"] {
        let found = calibrate(method);
        let notes = found["calibration"]["notes"].as_array().unwrap();
        assert!(notes[0].as_str().unwrap().contains("held out in turns"), "{notes:?}");
        let model = format!("OUT/{method}.onnx");
        assert!(accuracy(&own, &model) > accuracy(&own, "OUT/affine.onnx") - 1.0);
        own.succeeds(&format!("verify low.onnx pieces.onnx {model}"));
        own.succeeds(&format!("calibrate {model} --method none -o OUT/undone.onnx"));
        own.succeeds("calibrate joined.onnx --method none -o OUT/none.onnx");
        assert!(own.bare("undone.onnx") == own.bare("none.onnx"));
    }
    assert_ne!(own.read("linear.onnx").len(), own.read("affine.onnx").len());
    let usual =
        own.json(&format!("{line} {JOINED_DATA} -o OUT/usual.onnx --report OUT/usual.html"));
    assert_eq!(usual["method"], "linear");
    let page = String::from_utf8(own.read("usual.html")).unwrap();
    for way in ["before", "after"] {
        let share = format!("{:.2} % (", number(&usual["held_out"][way]));
        assert!(page.contains(&share), "the page lacks {way}: {share}");
    }
    assert!(own.bare("usual.onnx") == own.bare("linear.onnx"));
    let few = own.run(&format!(
        "calibrate joined.onnx {JOINED_DATA} --samples 3 --method linear -o OUT/few.onnx"
    ));
    assert!(few.err.contains("fewer than 5 calibration images of `0` (3), "), "{}", few.err);
}

#[test]
fn parts_that_carry_moments_need_no_images() {
    let own = ready();
    own.succeeds("assemble low.onnx high.onnx -o OUT/joined.onnx");
    let found = own.json("calibrate OUT/joined.onnx -o OUT/ready.onnx");
    assert_eq!(
        (&found["method"], number(&found["calibration"]["images"])),
        (&"affine".into(), 0.0)
    );
    let notes = found["calibration"]["notes"].as_array().unwrap();
    let said = notes[0].as_str().unwrap();
    assert!(said.contains("drawn from the moments") && said.contains("of 2000 images"), "{said}");
    assert_eq!(notes.len(), 1);
    let [bare, ready] = ["joined", "ready"].map(|model| {
        let line = format!("eval OUT/{model}.onnx --data data/digits --no-latency");
        number(&own.json(&line)["accuracy_per_image"])
    });
    assert!(ready > bare + 10.0 && ready > 90.0, "{bare} to {ready}");
    // The same seed, the same draws; what it does is undone like any other.
    own.succeeds("calibrate OUT/joined.onnx -o OUT/again.onnx");
    assert!(own.read("ready.onnx") == own.read("again.onnx"));
    own.succeeds("calibrate OUT/ready.onnx --method none -o OUT/undone.onnx");
    own.succeeds("calibrate OUT/joined.onnx --method none -o OUT/none.onnx");
    assert!(own.bare("undone.onnx") == own.bare("none.onnx"));
    // Of other sources' images the parts say nothing.
    let ran = own.run("calibrate joined.onnx -o OUT/far.onnx");
    assert!(ran.err.contains("cut from different models"), "{}", ran.err);
}

#[test]
fn parts_without_moments_need_images() {
    let own = ready();
    let bare = "disassemble digits.onnx --profile digits.profile --classes 5-9 --refit none";
    own.succeeds(&format!("{bare} -o OUT/bare.onnx"));
    own.succeeds("assemble OUT/bare.onnx pieces.onnx -o OUT/joined.onnx");
    own.refused("calibrate OUT/joined.onnx -o OUT/x.onnx", &["part `bare` carries no", "--data"]);
    // Other weights, other scores: what was measured before counts no more.
    own.succeeds("finetune low.onnx --data data/digits --epochs 1 -o OUT/tuned.onnx");
    own.succeeds("assemble OUT/tuned.onnx pieces.onnx -o OUT/joined.onnx");
    own.refused("calibrate OUT/joined.onnx -o OUT/x.onnx", &["part `tuned` carries no"]);
    own.refused("calibrate joined.onnx --method linear -o OUT/x.onnx", &["linear needs some"]);
    own.refused("calibrate joined.onnx --samples 5 -o OUT/x.onnx", &["--samples counts images"]);
}
