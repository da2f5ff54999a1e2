//! The same work gives the same files, byte for byte, whatever the number of threads.

use serde_json::Value;

use crate::common;
use crate::common::{JOINED_DATA, Own, prepared};

/// Every step from profile to evaluation, with everything it wrote and said.
fn whole_job(threads: usize) -> (Own, Vec<Value>) {
    let own = Own::new();
    let cut =
        "disassemble digits.onnx --profile OUT/p --data data/digits --refit-samples 20 --seed 7";
    let lines = [
        "profile digits.onnx --data data/digits --samples 5 -o OUT/p".to_owned(),
        "profile digits.onnx --data data/digits --samples all --classes 0,1 -o OUT/all".to_owned(),
        format!("{cut} --classes 0-4 --masks-out OUT/masks -o OUT/low.onnx"),
        format!("{cut} --classes 5-9 --choose random -o OUT/random.onnx"),
        "assemble OUT/low.onnx pieces.onnx -o OUT/joined.onnx".to_owned(),
        "assemble OUT/low.onnx high.onnx --layout padded -o OUT/padded.onnx".to_owned(),
        format!("calibrate OUT/joined.onnx {JOINED_DATA} --samples 20 -o OUT/ready.onnx"),
        format!(
            "calibrate OUT/joined.onnx {JOINED_DATA} --samples 20 --method layerwise -o OUT/layered.onnx"
        ),
        "eval OUT/low.onnx --data data/digits --source digits.onnx".to_owned(),
        format!("eval OUT/ready.onnx {JOINED_DATA}"),
        "verify digits.onnx OUT/low.onnx".to_owned(),
    ];
    let said = lines.iter().map(|line| {
        let mut found = own.json(&format!("{line} --threads {threads}"));
        for told in ["latency_ms", "source_latency_ms", "speed"] {
            found.as_object_mut().unwrap().remove(told);
        }
        let text = found.to_string().replace(&own.path("").display().to_string(), "OUT/");
        serde_json::from_str(&text).unwrap()
    });
    let said = said.collect();
    (own, said)
}

#[test]
fn threads_change_nothing() {
    prepared();
    let (one, said) = whole_job(1);
    for threads in [2, 3] {
        let (other, other_said) = whole_job(threads);
        assert_eq!(other_said, said, "{threads} threads");
        for (name, bytes) in one.files() {
            assert!(other.read(&name) == bytes, "{name} differs with {threads} threads");
        }
    }
}

#[test]
fn merged_parts_are_the_whole() {
    let own = Own::new();
    for samples in ["4", "all"] {
        let profile =
            format!("profile digits.onnx --data data/digits --classes 2-4 --samples {samples}");
        own.succeeds(&format!("{profile} -o OUT/whole"));
        own.succeeds(&format!("{profile} --part 1/2 -o OUT/first"));
        own.succeeds(&format!("{profile} --part 2/2 -o OUT/second"));
        for order in ["OUT/first OUT/second", "OUT/second OUT/first"] {
            own.succeeds(&format!("profile --merge {order} -o OUT/merged"));
            // They were made otherwise, and say so.
            assert!(own.bare("merged") == own.bare("whole"), "--samples {samples}, {order}");
        }
        assert!(own.read("first") != own.read("whole"));
    }
}

#[test]
fn the_seed_decides_random_choices() {
    prepared();
    let own = Own::new();
    let kept = |seed: u32| {
        let cut = "disassemble digits.onnx --profile digits.profile --classes 0 --choose random --dry-run";
        own.json(&format!("{cut} --seed {seed}"))["kept"].clone()
    };
    assert_eq!(kept(1), kept(1));
    assert_ne!(kept(1), kept(2));
    let calibrated = |seed: u32| {
        let line = format!("calibrate joined.onnx {JOINED_DATA} --samples 5 -o OUT/{seed}.onnx");
        own.json(&format!("{line} --seed {seed}"))["calibration"]["scale"].clone()
    };
    assert_eq!(calibrated(1), calibrated(1));
    assert_ne!(calibrated(1), calibrated(2));
}

#[test]
fn data_sets_of_one_name_are_told_apart() {
    let own = Own::new();
    for (from, to) in [("t10k", "a/images"), ("t10k", "b/images")] {
        for kind in ["images-idx3", "labels-idx1"] {
            let file = format!("{from}-{kind}-ubyte.gz");
            let bytes = std::fs::read(common::shared().join("data/digits").join(&file)).unwrap();
            own.write(&format!("{to}/{file}"), bytes);
        }
    }
    let profile = "profile digits.onnx --split test --samples 4 --classes 0";
    let once = own.json(&format!("{profile} --data OUT/a/images -o OUT/once"));
    let both = own.json(&format!("{profile} --data OUT/a/images --data OUT/b/images -o OUT/both"));
    // Every image is there twice, so the four best are the two best of each.
    assert_eq!((&once["classes"][0]["used"], &both["classes"][0]["used"]), (&4.into(), &4.into()));
    assert_eq!(both["classes"][0]["seen"], 200);
    let margin = |found: &Value| found["classes"][0]["lowest_margin"].as_f64().unwrap();
    assert!(margin(&both) > margin(&once));
}
