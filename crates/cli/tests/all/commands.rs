//! Every command on real models and images: what it prints, and what it prints for machines.

use serde_json::{Value, json};

use crate::common::{JOINED_DATA, Own, has_keys, prepared, steady};

const CONV1: &str = "conv1";

fn ready() -> Own {
    prepared();
    Own::new()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn init() {
    let own = Own::new();
    insta::assert_snapshot!("init_list", own.succeeds("init --list"));
    let listed = own.json("init --list");
    assert_eq!(listed[0]["input"], json!([3, 32, 32]));
    has_keys(&listed[0], &["name", "params", "macs"]);
    let line = "init --arch resnet20 --class-names cat,dog --size 24x32 --channels 1 --width 0.25";
    insta::assert_snapshot!("init", own.succeeds(&format!("{line} -o OUT/pets.onnx")));
    let found = own.json(&format!("{line} --seed 1 -o OUT/other.onnx"));
    assert_eq!(found["classes"], json!(["cat", "dog"]));
    assert_eq!((&found["stem"], &found["seed"]), (&json!("cifar"), &json!(1)));
    assert!(own.read("pets.onnx") != own.read("other.onnx"));
    own.succeeds(&format!("{line} -o OUT/again.onnx"));
    assert!(own.read("pets.onnx") == own.read("again.onnx"));
    let read = own.json("inspect OUT/pets.onnx");
    assert_eq!((&read["params"], &read["macs"]), (&found["params"], &found["macs"]));
    assert_eq!((&read["classes"], &read["input"]), (&found["classes"], &json!("[n, 1, 24, 32]")));
    let numbered = own.json("init --arch lenet5 --classes 3 --width 0.1 -o OUT/lenet.onnx");
    assert_eq!(numbered["classes"], json!(["0", "1", "2"]));
    assert_eq!(numbered["stem"], Value::Null);
}

#[test]
fn inspect() {
    let own = ready();
    insta::assert_snapshot!("inspect", own.succeeds("inspect digits.onnx"));
    let found = own.json("inspect digits.onnx");
    assert_eq!((&found["params"], &found["macs"]), (&json!(61_706), &json!(416_520)));
    for layer in found["layers"].as_array().unwrap() {
        has_keys(layer, &["name", "op", "input", "output", "params", "macs"]);
    }
    for group in found["groups"].as_array().unwrap() {
        has_keys(group, &["channels", "members"]);
    }
    let sum = |key: &str| -> f64 {
        found["layers"].as_array().unwrap().iter().map(|layer| number(&layer[key])).sum()
    };
    assert_eq!((sum("params"), sum("macs")), (61_706.0, 416_520.0));
    assert!(own.succeeds("inspect digits.onnx --all").contains("MaxPool  [n"));
}

#[test]
fn inspect_why() {
    let own = ready();
    insta::assert_snapshot!(
        "why_free",
        own.succeeds(&format!("inspect digits.onnx --why {CONV1}"))
    );
    insta::assert_snapshot!(
        "why_coupled",
        own.succeeds("inspect garments.onnx --why layer2.0.conv2")
    );
    insta::assert_snapshot!("why_frozen", own.succeeds("inspect digits.onnx --why image"));
    let found = own.json("inspect garments.onnx --why layer2.0.conv2");
    assert_eq!(found["value"], "layer2.0.conv2");
    assert_eq!(found["why"].as_array().unwrap().len(), 2);
}

#[test]
fn profile() {
    let own = ready();
    let line = "profile digits.onnx --data data/digits --samples 3 --classes 1,4-6 -o OUT/p";
    insta::assert_snapshot!("profile", steady(&own.succeeds(line)));
    let found = own.json(line);
    has_keys(&found, &["output", "model", "fingerprint", "sampling", "layers"]);
    let classes: Vec<&Value> = found["classes"].as_array().unwrap().iter().collect();
    assert_eq!(
        classes.iter().map(|c| number(&c["class"])).collect::<Vec<_>>(),
        [1.0, 4.0, 5.0, 6.0]
    );
    assert!(classes.iter().all(|c| c["used"] == 3 && c["seen"] == 200));
    let share =
        own.json("profile digits.onnx --data data/digits --samples 1% --classes 0 -o OUT/p");
    assert_eq!(share["classes"][0]["used"], 2);
    let all = own.json("profile digits.onnx --data data/digits --samples all --classes 0 -o OUT/p");
    assert_eq!(all["classes"][0]["used"], 200);
}

#[test]
fn profile_of_given_samples() {
    let own = ready();
    let chosen = "profile digits.onnx --data data/digits --samples 2 --classes 7 -o OUT/chosen";
    own.succeeds(chosen);
    let header: Value = {
        let bytes = own.read("chosen");
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let file: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        serde_json::from_str(file["__metadata__"]["brickwork.profile"].as_str().unwrap()).unwrap()
    };
    let places: Vec<&Value> = header["samples"][0]["taken"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sample| &sample["index"])
        .collect();
    own.write("places.json", json!({ "7": places }).to_string());
    own.succeeds(
        "profile digits.onnx --data data/digits --indices OUT/places.json --classes 7 -o OUT/given",
    );
    let cut = |profile: &str| {
        let cut = format!("disassemble digits.onnx --profile OUT/{profile} --classes 7 --dry-run");
        own.json(&cut)["kept"].clone()
    };
    assert_eq!(cut("chosen"), cut("given"));
}

#[test]
fn profile_merge_of_different_classes() {
    let own = ready();
    for (name, classes) in [("whole", "0-3"), ("a", "0,1"), ("b", "2,3")] {
        own.succeeds(&format!(
            "profile digits.onnx --data data/digits --samples 2 --classes {classes} -o OUT/{name}"
        ));
    }
    let found = own.json("profile --merge OUT/b OUT/a -o OUT/both");
    assert_eq!(found["classes"].as_array().unwrap().len(), 4);
    assert!(own.bare("both") == own.bare("whole"));
}

#[test]
fn a_profile_of_a_single_class_is_read_again() {
    let own = ready();
    let bare = "--classes 7 --refit none";
    own.succeeds(&format!(
        "disassemble digits.onnx --profile digits.profile {bare} -o OUT/seven.onnx"
    ));
    // Without a second class there is nothing to be less sure of.
    let text =
        own.succeeds("profile OUT/seven.onnx --data data/digits --samples 3 -o OUT/seven.profile");
    assert!(text.contains("inf"), "{text}");
    let again =
        format!("disassemble OUT/seven.onnx --profile OUT/seven.profile {bare} -o OUT/again.onnx");
    own.succeeds(&again);
    own.succeeds("verify OUT/seven.onnx OUT/again.onnx");
}

#[test]
fn disassemble() {
    let own = ready();
    let cut = "disassemble digits.onnx --profile digits.profile --classes";
    let bare = own.succeeds(&format!("{cut} 0-4 --refit none -o OUT/bare.onnx"));
    insta::assert_snapshot!("disassemble_bare", steady(&bare));
    let refit = format!("{cut} 0-4 --data data/digits --refit-samples 20 -o OUT/refit.onnx");
    insta::assert_snapshot!("disassemble_refit", steady(&own.succeeds(&refit)));
    let found = own.json(&refit);
    has_keys(&found, &["output", "source", "classes", "kept", "params", "macs", "refit"]);
    has_keys(&found["kept"][CONV1], &["input", "output"]);
    for size in ["params", "macs"] {
        assert!(number(&found[size]["after"]) < number(&found[size]["before"]));
    }
    assert_eq!(
        number(&found["params"]["after"]),
        number(&own.json("inspect OUT/refit.onnx")["params"])
    );
}

#[test]
fn disassemble_dry_run_writes_nothing() {
    let own = ready();
    let line =
        "disassemble digits.onnx --profile digits.profile --classes 3 --dry-run -o OUT/x.onnx";
    insta::assert_snapshot!("disassemble_dry_run", steady(&own.succeeds(line)));
    let found = own.json(line);
    assert_eq!((&found["dry_run"], &found["output"]), (&json!(true), &json!(null)));
    assert!(own.files().is_empty());
}

#[test]
fn disassemble_by_given_channels() {
    let own = ready();
    let cut = "disassemble digits.onnx --classes 0-4 --refit none -o";
    let found = own.json(&format!("{cut} OUT/first.onnx --profile digits.profile"));
    // The whole result does, and so does its `kept` alone.
    for (name, keep) in [("whole", &found), ("kept", &found["kept"])] {
        own.write("keep.json", keep.to_string());
        let again = own.json(&format!("{cut} OUT/{name}.onnx --keep OUT/keep.json"));
        assert_eq!(again["kept"], found["kept"]);
        assert_eq!(again["added"], json!({}));
    }
    let params = |name: &str| own.json(&format!("inspect OUT/{name}.onnx"))["params"].clone();
    assert_eq!(params("first"), params("whole"));
}

#[test]
fn disassemble_masks() {
    let own = ready();
    let cut = "disassemble digits.onnx --profile digits.profile --classes 4,2 --refit none";
    own.succeeds(&format!("{cut} --masks-out OUT/masks -o OUT/brick.onnx"));
    let bytes = own.read("masks");
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    assert_eq!(header["__metadata__"]["classes"], r#"["2","4"]"#);
    assert_eq!(header[CONV1]["shape"], json!([2, 1]));
    assert_eq!(header["fc3"]["shape"], json!([2, 84]));
    assert!(bytes[8 + length..].iter().all(|&byte| byte <= 1));
}

#[test]
fn disassemble_controls_have_the_same_widths() {
    let own = ready();
    let cut =
        "disassemble digits.onnx --profile digits.profile --classes 0,1 --refit none --dry-run";
    let widths = |choose: &str| -> Vec<(String, usize)> {
        let found = own.json(&format!("{cut} --choose {choose}"));
        let kept = found["kept"].as_object().unwrap();
        kept.iter().map(|(name, k)| (name.clone(), k["output"].as_array().unwrap().len())).collect()
    };
    let own_widths = widths("contribution");
    assert_eq!(widths("random"), own_widths);
    assert_eq!(widths("magnitude"), own_widths);
}

#[test]
fn classes_by_name_index_and_range() {
    let own = ready();
    let classes = |text: &str| {
        let cut = "disassemble garments.onnx --profile garments.profile --dry-run --classes";
        own.json(&format!("{cut} {text}"))["classes"].clone()
    };
    assert_eq!(classes("8,0"), json!(["t-shirt", "bag"]));
    assert_eq!(classes("5-7"), json!(["sandal", "shirt", "sneaker"]));
    assert_eq!(classes("sandal-sneaker"), classes("5-7"));
    assert_eq!(classes("ankle-boot,t-shirt"), json!(["t-shirt", "ankle-boot"]));
}

#[test]
fn assemble_in_both_layouts() {
    let own = ready();
    insta::assert_snapshot!(
        "assemble",
        steady(&own.succeeds("assemble low.onnx pieces.onnx -o OUT/x.onnx"))
    );
    let branches = own.json("assemble low.onnx high.onnx -o OUT/branches.onnx");
    let padded = own.json("assemble low.onnx high.onnx --layout padded -o OUT/padded.onnx");
    let digits: Vec<String> = (0..10).map(|k| k.to_string()).collect();
    assert_eq!(branches["classes"], json!(digits));
    assert_eq!(padded["classes"], json!(digits));
    assert!(number(&padded["params"]) > number(&branches["params"]));
    for found in [&branches, &padded] {
        has_keys(found, &["output", "classes", "parts", "params", "macs", "difference_from_parts"]);
        assert!(number(&found["difference_from_parts"]) < 1e-4);
    }
    let accuracy = |name: &str| {
        let found = own.json(&format!("eval OUT/{name}.onnx --data data/digits --no-latency"));
        found["accuracy_per_class"].clone()
    };
    assert_eq!(accuracy("branches"), accuracy("padded"));
}

#[test]
fn assemble_joins_duplicates() {
    let own = ready();
    for (how, classes) in [("max", 10), ("mean", 10), ("keep-both", 15)] {
        let line = format!("assemble digits.onnx low.onnx --on-duplicate {how} -o OUT/{how}.onnx");
        assert_eq!(own.json(&line)["classes"].as_array().unwrap().len(), classes, "{how}");
        own.succeeds(&format!("verify digits.onnx low.onnx OUT/{how}.onnx"));
    }
    let kept = own.json("inspect OUT/keep-both.onnx")["classes"].clone();
    assert_eq!(
        (&kept[0], &kept[9], &kept[10]),
        (&json!("0 (digits)"), &json!("9"), &json!("0 (low)"))
    );
}

#[test]
fn calibrate_by_each_method() {
    let own = ready();
    for method in ["affine", "paper", "layerwise", "none"] {
        let line = format!(
            "calibrate joined.onnx {JOINED_DATA} --samples 20 --method {method} -o OUT/{method}.onnx"
        );
        let found = own.json(&line);
        assert_eq!(found["method"], method);
        if method != "none" {
            has_keys(&found["calibration"], &["method", "images", "scale", "shift"]);
            assert_eq!(found["calibration"]["images"], 140);
        }
        let text = steady(&own.succeeds(&line));
        assert!(text.contains(&format!("written OUT/{method}.onnx")), "{text}");
        own.json(&format!("eval OUT/{method}.onnx {JOINED_DATA} --no-latency"));
    }
    insta::assert_snapshot!(
        "calibrate",
        steady(
            &own.succeeds(&format!(
                "calibrate joined.onnx {JOINED_DATA} --samples 5 -o OUT/x.onnx"
            ))
        )
    );
    // What a calibration did, `none` undoes.
    own.succeeds(
        "calibrate OUT/affine.onnx --data low=data/digits --method none -o OUT/undone.onnx",
    );
    assert!(own.bare("undone.onnx") == own.bare("none.onnx"));
}

#[test]
fn a_calibration_that_loses_accuracy_says_so() {
    let own = ready();
    let said = |method: &str| {
        let line = format!(
            "calibrate joined.onnx {JOINED_DATA} --samples 20 --method {method} -o OUT/x.onnx"
        );
        own.run(&line).err
    };
    let words = "the method layerwise lowers the accuracy on the calibration images from ";
    assert!(said("layerwise").contains(words), "{}", said("layerwise"));
    assert!(!said("affine").contains("lowers the accuracy"), "{}", said("affine"));
}

const EVAL_KEYS: [&str; 7] = [
    "images",
    "accuracy_per_image",
    "accuracy_per_class",
    "mean_class_accuracy",
    "params",
    "macs",
    "file_bytes",
];

/// A text up to what differs between machines.
fn before<'a>(text: &'a str, end: &str) -> &'a str {
    text.split_once(end).unwrap_or_else(|| panic!("no `{end}` in {text}")).0
}

#[test]
fn eval_of_a_refitted_component_and_its_bare_cut() {
    let own = ready();
    let line = "eval low.onnx --data data/digits --source digits.onnx";
    let text = own.succeeds(&format!("{line} --no-latency"));
    insta::assert_snapshot!("eval_component", steady(before(&text, "\n500 images")));
    let found = own.json(line);
    has_keys(&found, &EVAL_KEYS);
    has_keys(&found, &["latency_ms"]);
    for key in ["base", "base_restricted", "before_refit"] {
        has_keys(&found[key], &["per_image", "per_class"]);
    }
    for key in ["leakage", "base_leakage"] {
        has_keys(
            &found[key],
            &["auroc", "false_accepts_at_95_recall", "recall_at_5_false_accepts"],
        );
    }
    let names: Vec<&String> = found["accuracy_per_class"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["0", "1", "2", "3", "4"]);
    let refit = number(&found["accuracy_per_image"]);
    assert!(refit > number(&found["before_refit"]["per_image"]), "{found:#}");
    assert!(refit > 90.0, "{found:#}");
    let bare = own.json("eval high.onnx --data data/digits --source digits.onnx --no-latency");
    assert_eq!((&bare["before_refit"], &bare["latency_ms"]), (&Value::Null, &Value::Null));
}

#[test]
fn controls_are_other_channels_in_the_same_numbers() {
    let own = ready();
    let line = "eval high.onnx --data data/digits --source digits.onnx --controls --no-latency";
    let found = own.json(line);
    let controls = found["controls"].as_array().unwrap();
    let chosen: Vec<&str> = controls.iter().filter_map(|one| one["choose"].as_str()).collect();
    assert_eq!(chosen, ["random", "magnitude"]);
    // What `disassemble` itself makes of the same choices.
    for (choose, control) in chosen.iter().zip(controls) {
        own.succeeds(&format!(
            "disassemble digits.onnx --profile digits.profile --classes 5-9 --refit none \
             --choose {choose} -o OUT/{choose}.onnx"
        ));
        let alone = own.json(&format!("eval OUT/{choose}.onnx --data data/digits --no-latency"));
        assert_eq!(control["per_image"], alone["accuracy_per_image"], "{choose}");
        assert_eq!(control["interval"], alone["accuracy_interval"], "{choose}");
    }
    let text = own.succeeds(line);
    assert!(text.contains("as many random channels, no refit"), "{text}");
    own.succeeds(&line.replace("eval", "report").replace("--no-latency", "-o OUT/page.html"));
    let page = String::from_utf8(own.read("page.html")).unwrap();
    assert!(page.contains("as many of the largest weights, no refit"));
    own.refused("eval high.onnx --data data/digits --controls", &["pass --source"]);
    own.refused(
        "eval joined.onnx --source digits.onnx --data low=data/digits --data pieces=data/garments --controls",
        &["match"],
    );
}

#[test]
fn eval_of_whole_and_assembled_models() {
    let own = ready();
    let whole = own.json("eval garments.onnx --data data/garments --classes 8,0-2 --no-latency");
    has_keys(&whole, &EVAL_KEYS);
    has_keys(&whole, &["base", "base_restricted", "leakage"]);
    assert_eq!(whole["accuracy_per_class"].as_object().unwrap().len(), 4);
    assert_eq!(whole["images"], 400);
    let line = format!("eval joined.onnx {JOINED_DATA} --no-latency");
    insta::assert_snapshot!("eval_assembled", steady(before(&own.succeeds(&line), "\nlow ")));
    let joined = own.json(&line);
    has_keys(&joined, &EVAL_KEYS);
    has_keys(&joined["parts"], &["parts", "images", "perfect_routing"]);
    assert_eq!(joined["parts"]["parts"], json!(["low", "pieces"]));
}

#[test]
fn verify() {
    let own = ready();
    for (name, line) in [
        ("verify_bare", "verify digits.onnx high.onnx"),
        ("verify_refitted", "verify digits.onnx low.onnx"),
        ("verify_assembled", "verify low.onnx pieces.onnx joined.onnx"),
    ] {
        let found = own.json(line);
        has_keys(&found, &["holds", "worst", "worst_layer", "layers", "scores", "tolerance"]);
        assert_eq!(found["holds"], true);
        let text = own.succeeds(&format!("{line} --images 2"));
        insta::assert_snapshot!(name, text.lines().next().unwrap());
    }
    own.succeeds("verify digits.onnx high.onnx --data data/digits");
}

#[test]
fn masks() {
    let own = ready();
    insta::assert_snapshot!("masks", own.succeeds("masks low.onnx"));
    let found = own.json("masks low.onnx");
    has_keys(&found, &["source", "fingerprint", "classes", "of", "kept"]);
    assert_eq!(found["classes"], json!([0, 1, 2, 3, 4]));
}

#[test]
fn diff() {
    let own = ready();
    insta::assert_snapshot!("diff", steady(&own.succeeds("diff digits.onnx high.onnx")));
    let same = own.json("diff digits.onnx digits.onnx");
    has_keys(&same, &["layers", "params", "macs"]);
    assert!(
        same["layers"].as_array().unwrap().iter().all(|layer| number(&layer["weights"]) == 0.0)
    );
}

#[test]
fn annotate() {
    let own = ready();
    let names = "zero,one,two,three,four,five,six,seven,eight,nine";
    let line =
        format!("annotate digits.onnx --class-names {names} --mean 0.5 --std 0.25 -o OUT/x.onnx");
    insta::assert_snapshot!("annotate", own.succeeds(&line));
    let found = own.json(&line);
    assert_eq!(found["classes"][3], "three");
    assert_eq!(found["preprocess"]["mean"], json!([0.5]));
    assert_eq!(own.json("inspect OUT/x.onnx")["classes"], found["classes"]);
    own.write("names.txt", names.replace(',', "\n"));
    own.succeeds("annotate OUT/x.onnx --class-names @OUT/names.txt -o OUT/y.onnx");
    assert!(own.bare("y.onnx") == own.bare("x.onnx"));
}

#[test]
fn bench() {
    let own = ready();
    let found = own.json("bench digits.onnx --batch 1,2 --runs 1 --profile");
    has_keys(&found, &["model", "threads"]);
    for run in found["runs"].as_array().unwrap() {
        has_keys(run, &["batch", "forward_ms", "profile_ms", "profile_ratio"]);
    }
    assert!(own.succeeds("bench digits.onnx --runs 1").contains("forward, ms"));
    let nodes = own.json("bench digits.onnx --layers");
    has_keys(&nodes["nodes"][0], &["name", "ms"]);
}

#[test]
fn quiet_says_nothing_but_the_result() {
    let own = ready();
    let line = "eval low.onnx --data data/digits --no-latency";
    let loud = own.run(line);
    let quiet = own.run(&format!("{line} -q"));
    assert!(loud.err.contains("evaluating"));
    assert_eq!((quiet.err.as_str(), &quiet.out), ("", &loud.out));
}
