//! Nothing but `eval` and `probe` looks at test images: everything else works beside a test split that
//! cannot be read.

use serde_json::json;

use crate::common::{Own, number, shared};

#[test]
fn test_images_are_for_measuring_alone() {
    let folder = shared();
    let own = Own::new();
    for name in ["digits", "garments"] {
        let to = own.path(name);
        std::fs::create_dir_all(&to).unwrap();
        for file in ["train-images-idx3", "train-labels-idx1"] {
            let file = format!("{file}-ubyte.gz");
            std::fs::copy(folder.join("data").join(name).join(&file), to.join(&file)).unwrap();
        }
        for file in ["t10k-images-idx3", "t10k-labels-idx1"] {
            std::fs::write(to.join(format!("{file}-ubyte.gz")), b"no images").unwrap();
        }
    }
    let (digits, both) = ("--data OUT/digits", "--data low=OUT/digits --data two=OUT/garments");
    for line in [
        &format!("profile digits.onnx {digits} --samples 3 -o OUT/p"),
        &format!(
            "disassemble digits.onnx --profile OUT/p --classes 0-4 {digits} --refit-samples 5 -o OUT/low.onnx"
        ),
        &format!(
            "disassemble digits.onnx --classes 0,1 {digits} --refit-samples 5 --macs 60% -o OUT/x.onnx"
        ),
        &format!(
            "disassemble digits.onnx --classes 0,1 {digits} --refit-samples 5 --max-drop 1 -o OUT/x.onnx"
        ),
        "disassemble garments.onnx --classes bag,coat --data OUT/garments --refit-samples 5 --macs 60% -o OUT/two.onnx",
        &format!("compress digits.onnx {digits} --refit-samples 5 --macs 60% --step 50% --compare"),
        "assemble OUT/low.onnx OUT/two.onnx -o OUT/both.onnx",
        &format!("calibrate OUT/both.onnx {both} --samples 10 -o OUT/ready.onnx"),
        &format!("calibrate OUT/both.onnx {both} --samples 10 --method paper -o OUT/ready.onnx"),
        &format!("reject OUT/low.onnx {digits} -o OUT/safe.onnx"),
        &format!("refit OUT/low.onnx --source digits.onnx {digits} --samples 20 -o OUT/near.onnx"),
        &format!(
            "finetune OUT/low.onnx {digits} --samples 20 --epochs 1 --hold-out 5 -o OUT/tuned.onnx"
        ),
        &format!(
            "train --arch lenet5 {digits} --samples 20 --epochs 1 --hold-out 5 -o OUT/net.onnx"
        ),
        &format!(
            "distill --teacher digits.onnx --student lenet5 {digits} --samples 20 --epochs 1 --hold-out 5 -o OUT/net.onnx"
        ),
    ] {
        own.succeeds(line);
    }
    own.refused(&format!("eval OUT/low.onnx {digits}"), &["the test part was asked for"]);
    own.refused(&format!("probe OUT/low.onnx {digits}"), &["the test part was asked for"]);
}

#[test]
fn a_part_of_its_own_may_say_what_is_lost() {
    let folder = shared().join("data/digits");
    let own = Own::new();
    std::fs::create_dir_all(own.path("set")).unwrap();
    for (from, to) in [("train", "train"), ("t10k", "validation")] {
        for kind in ["images-idx3", "labels-idx1"] {
            let named = |part: &str| format!("{part}-{kind}-ubyte.gz");
            std::fs::copy(folder.join(named(from)), own.path("set").join(named(to))).unwrap();
        }
    }
    let line = "disassemble digits.onnx --classes 3,0,8 --data OUT/set --refit-samples 10 --max-drop 5 --step 40% \
                --hold-out-split val";
    let found = own.json(&format!("{line} --keep-all OUT/all -o OUT/x.onnx"));
    assert_eq!((&found["held_out"], &found["held_out_split"]), (&json!(300), &json!("val")));
    let points = found["frontier"].as_array().unwrap();
    for (k, point) in points.iter().enumerate() {
        let step = own.json(&format!("eval OUT/all/step-{k}.onnx --data OUT/set --split val"));
        assert_eq!(step["accuracy_per_image"], point["accuracy"], "step {k}");
    }
    let said = own.succeeds(&format!("{line} -o OUT/y.onnx"));
    assert!(said.contains("accuracy on 300 images of the val part"), "{said}");
    let compress =
        "compress digits.onnx --data OUT/set --refit-samples 5 --macs 50% --hold-out-split val";
    let small = own.json(&format!("{compress} -o OUT/z.onnx"));
    let whole = own.json("eval digits.onnx --data OUT/set --split val --no-latency");
    assert_eq!(small["source"]["accuracy"], whole["accuracy_per_image"]);
    assert_eq!(number(&small["held_out"]), 1000.0);
    let usual = own.json("eval digits.onnx --data OUT/set --no-latency");
    assert_eq!(usual["accuracy_per_image"], whole["accuracy_per_image"]);
    assert_eq!(usual["data"]["sets"][0]["split"], "val", "the part that was read");
    let card = own.succeeds("card digits.onnx --data OUT/set --datasets mnist");
    assert!(
        card.contains("      split: val\n") && card.contains("`set`, val part (1000"),
        "{card}"
    );
    own.refused(
        &compress.replace("split val", "split train"),
        &["--hold-out-split train is the part that the others are of"],
    );
    own.refused(
        &line.replace("OUT/set", "data/digits").replace("--max-drop", "-o OUT/n.onnx --max-drop"),
        &["the val part was asked for"],
    );
}
