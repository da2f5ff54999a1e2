//! `compress` on real models and images.

use serde_json::{Value, json};

use crate::common::{Own, has_keys, number, prepared, steady};

const CRITERIA: [&str; 9] = [
    "taylor",
    "contribution",
    "net-contribution",
    "energy",
    "reconstruction",
    "l1",
    "fpgm",
    "bn-scale",
    "random",
];

fn ready() -> Own {
    prepared();
    Own::new()
}

fn macs(own: &Own, model: &str) -> f64 {
    number(&own.json(&format!("inspect {model}"))["macs"])
}

/// Which group just fits may depend on how a machine rounds.
fn without_sizes(text: &str) -> String {
    fn plain(word: &str) -> &str {
        let is_size = word.chars().all(|c| c == ',' || c.is_ascii_digit());
        if is_size && !word.is_empty() { "#" } else { word }
    }
    let line = |line: &str| line.split(' ').map(plain).collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn comparison_of_all_criteria_at_equal_cost() {
    let own = ready();
    let line = "compress garments.onnx --data data/garments --macs 50% --compare --refit-samples 10 \
                --step 50% --hold-out 20 --keep-all OUT/all -o OUT/half.onnx";
    let found = own.json(line);
    has_keys(&found, &["output", "kept_all", "criterion", "budget", "source", "models"]);
    assert_eq!(found["budget"], json!({ "unit": "MACs", "limit": 3_891_936 }));
    assert_eq!((&found["held_out"], &found["refit_images"]), (&json!(200), &json!(100)));
    let models = found["models"].as_array().unwrap();
    assert_eq!(models.iter().map(|model| &model["criterion"]).collect::<Vec<_>>(), CRITERIA);
    for model in models {
        let name = model["criterion"].as_str().unwrap();
        has_keys(model, &["params", "macs", "kept"]);
        // One of the costliest groups takes 10 % of the whole.
        let left = 3_891_936.0 - number(&model["macs"]);
        assert!((0.0..780_000.0).contains(&left), "{name}: {left}");
        let [bare, refitted] =
            [format!("OUT/all/{name}.bare.onnx"), format!("OUT/all/{name}.onnx")];
        assert_eq!(macs(&own, &bare), number(&model["macs"]));
        assert_eq!(macs(&own, &refitted), number(&model["macs"]));
        own.succeeds(&format!("verify garments.onnx {bare}"));
        own.succeeds(&format!("verify garments.onnx {refitted}"));
        let [before, after] =
            ["accuracy_before_refit", "accuracy_after_refit"].map(|key| number(&model[key]));
        assert!(after > before && after > 70.0, "{name}: {before} and {after}");
    }
    assert!(own.bare("half.onnx") == own.bare("all/taylor.onnx"));
    assert_eq!(own.files().len(), 19);
    assert_eq!(
        own.json("inspect OUT/half.onnx")["classes"],
        own.json("inspect garments.onnx")["classes"]
    );
}

#[test]
fn what_is_printed() {
    let own = ready();
    let line = "compress digits.onnx --data data/digits --params 60% --compare --refit-samples 5 \
                --hold-out 10 -o OUT/x.onnx";
    insta::assert_snapshot!("compare", without_sizes(&steady(&own.succeeds(line))));
    let bare = "compress digits.onnx --macs 200000 --criterion fpgm --no-refit -o OUT/x.onnx";
    insta::assert_snapshot!("without_data", steady(&own.succeeds(bare)));
    let found = own.json(bare);
    assert_eq!((&found["held_out"], &found["refit_images"]), (&Value::Null, &Value::Null));
    assert_eq!(found["models"][0]["accuracy_after_refit"], Value::Null);
}

#[test]
fn the_profile_may_be_given() {
    let own = ready();
    let line = "compress digits.onnx --macs 40% --no-refit --criterion contribution";
    own.succeeds(&format!("{line} --profile digits.profile -o OUT/given.onnx"));
    own.succeeds(&format!("{line} --data data/digits --profile digits.profile -o OUT/both.onnx"));
    own.succeeds(&format!("{line} --data data/digits -o OUT/made.onnx"));
    for name in ["given", "both", "made"] {
        let size = macs(&own, &format!("OUT/{name}.onnx"));
        assert!((140_000.0..=166_608.0).contains(&size), "{name}: {size}");
        own.succeeds(&format!("verify digits.onnx OUT/{name}.onnx"));
    }
    assert!(own.bare("given.onnx") == own.bare("both.onnx"));
}

#[test]
fn all_of_it_is_the_model_itself() {
    let own = ready();
    let found = own.json("compress digits.onnx --data data/digits --macs 100% -o OUT/x.onnx");
    let (source, same) = (&found["source"], &found["models"][0]);
    for key in ["params", "macs"] {
        assert_eq!(source[key], same[key]);
    }
    assert_eq!(source["accuracy"], same["accuracy_before_refit"]);
    assert_eq!(source["accuracy"], same["accuracy_after_refit"]);
    let differences = own.json("diff digits.onnx OUT/x.onnx");
    assert_eq!(differences["macs"][0], differences["macs"][1]);
}

#[test]
fn the_smallest_model_within_a_drop() {
    let own = ready();
    let line =
        "compress digits.onnx --data data/digits --refit-samples 20 --hold-out 50 --max-drop";
    let found = |points: &str| own.json(&format!("{line} {points} -o OUT/x.onnx"));
    let drop = |found: &Value| {
        let after = number(&found["models"][0]["accuracy_after_refit"]);
        number(&found["source"]["accuracy"]) - after
    };
    let [strict, loose] = [found("0.5"), found("8")];
    assert!(drop(&strict) <= 0.5 + 1e-9 && drop(&loose) <= 8.0 + 1e-9);
    let size = |found: &Value| number(&found["models"][0]["macs"]);
    assert!(size(&loose) < 0.9 * size(&strict), "{} and {}", size(&loose), size(&strict));
    assert!(size(&strict) < 0.9 * number(&found("0")["source"]["macs"]));
    // One more step would have cost too much.
    let limit = 0.7 * size(&strict);
    let less = own.json(&format!(
        "compress digits.onnx --data data/digits --refit-samples 20 --hold-out 50 --macs {} -o OUT/y.onnx",
        limit as u64
    ));
    assert!(drop(&less) > 0.5, "{}", drop(&less));
}

#[test]
fn threads_change_nothing() {
    let own = ready();
    for threads in [1, 3] {
        own.succeeds(&format!(
            "compress garments.onnx --data data/garments --macs 60% --compare --refit-samples 5 \
             --step 50% --threads {threads} --seed 4 --keep-all OUT/{threads}"
        ));
    }
    for name in CRITERIA {
        for kind in ["onnx", "bare.onnx"] {
            let file = |threads: u8| own.read(&format!("{threads}/{name}.{kind}"));
            assert!(file(1) == file(3), "{name}.{kind}");
        }
    }
}

#[test]
fn what_cannot_be_done_is_refused() {
    let own = ready();
    let digits = "compress digits.onnx --data data/digits -o OUT/x.onnx";
    own.refused(
        &format!("{digits} --macs 0.01%"),
        &["41 MACs (0.0 %) cannot be reached", "the smallest cut has", "--floor"],
    );
    own.refused(&format!("{digits} --params 200K"), &["there are only 61706 parameters, 200000"]);
    own.refused(
        &format!("{digits} --macs 50% --criterion bn-scale"),
        &["none follows 4 layers: conv1, conv2, fc1, fc2", "another criterion"],
    );
    own.refused(
        &format!("{digits} --macs 50% --criterion contribution --profile garments.profile"),
        &["the profile is of `garments`"],
    );
    let everything = own.refused(
        "compress digits.onnx --max-drop 1 --hold-out none --compare -o OUT/no/x.onnx --keep-all digits.onnx",
        &["pass --data", "the refit", "contributions", "--max-drop needs images", "--compare"],
    );
    for problem in ["there is no folder OUT/no", "there is no folder digits.onnx"] {
        assert!(everything.contains(problem), "{everything}");
    }
    own.refused(
        "compress digits.onnx --macs 50% --criterion l1 --no-refit --profile digits.profile -o OUT/x.onnx",
        &["--profile says nothing to the criterion l1"],
    );
    own.succeeds("profile digits.onnx --data data/digits --samples 2 --classes 0-4 -o OUT/low");
    own.refused(
        "compress digits.onnx --macs 50% --no-refit --criterion contribution --profile OUT/low -o OUT/x.onnx",
        &["class `5` is not in the profile"],
    );
    own.succeeds("annotate digits.onnx --class-names 9,8,7,6,5,4,3,2,1,zero -o OUT/named.onnx");
    let named = "compress OUT/named.onnx --data data/digits --macs 50% -o OUT/x.onnx";
    own.refused(named, &["no image of 1 of the 10 classes: zero", "--allow-missing"]);
}
