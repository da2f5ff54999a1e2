//! Pages of answers and models, cards for the hub, data for Model Explorer.

use serde_json::{Value, json};

use crate::common::{JOINED_DATA, Own, number, prepared};

const FOLDER: &str = "disassemble garments.onnx --profile garments.profile --data data/garments";

fn ready() -> Own {
    prepared();
    Own::new()
}

fn text(own: &Own, name: &str) -> String {
    String::from_utf8(own.read(name)).unwrap()
}

/// A page that loads and runs nothing.
fn page(own: &Own, name: &str) -> String {
    let page = text(own, name);
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("default-src 'none'"), "{name}");
    for word in ["<script", " style=\"", "src=\"http", "href=", "NaN"] {
        assert!(!page.contains(word), "{name}: {word}");
    }
    page
}

#[test]
fn every_answer_is_a_page() {
    let own = ready();
    let cut = format!("{FOLDER} --classes sandal,bag --refit none --dry-run");
    let joined = format!("eval joined.onnx --no-latency {JOINED_DATA}");
    let sized =
        "disassemble digits.onnx --classes 3,8 --data data/digits --macs 40% --step 40% --dry-run";
    let trained = "finetune low.onnx --data data/digits --epochs 1 -o OUT/tuned.onnx";
    let cases: [(&str, &[&str]); 10] = [
        (&cut, &["sandal, bag from garments", "Channels kept", "layer3.2.conv2", "bare cut"]),
        (sized, &["The way down", "<polyline", "tr class=\"chosen\""]),
        (
            &joined,
            &["sent to", "class=\"pictures\"", "<img alt=\"\"", "Reliability", "bound: every"],
        ),
        (
            "assemble low.onnx pieces.onnx -o OUT/both.onnx",
            &["class=\"baseplate\"", "0, 1, 2, 3, 4"],
        ),
        (
            &format!("calibrate joined.onnx --method affine {JOINED_DATA} -o OUT/c.onnx"),
            &["factor", "affine"],
        ),
        ("diff garments.onnx pieces.onnx", &["garments and pieces", "weights moved"]),
        (trained, &["Epoch by epoch", "held out", "<polyline"]),
        (
            "route garments.profile --model garments.onnx --classes sandal,bag -o OUT/r.svg",
            &["Overlap at"],
        ),
        ("predict low.onnx data/digits", &["likeliest classes"]),
        ("bench digits.onnx --batch 1 --runs 1", &["Bench", "Answer"]),
    ];
    for (line, words) in cases {
        let own = ready();
        own.succeeds(&format!("{line} --report OUT/page.html"));
        let page = page(&own, "page.html");
        for word in words.iter().chain(&["How it was made", "--report"]) {
            assert!(page.contains(word), "{line}: no `{word}`");
        }
    }
    let plain = own.json("diff garments.onnx pieces.onnx");
    assert_eq!(own.json("diff garments.onnx pieces.onnx --report OUT/a.html"), plain);
}

#[test]
fn a_page_about_a_model() {
    let own = ready();
    own.succeeds("report joined.onnx -o OUT/joined.html");
    let whole = page(&own, "joined.html");
    assert_eq!(whole.matches("class=\"brick hue-").count(), 2, "a brick for every part");
    assert_eq!(whole.matches("class=\"stud\"").count(), 7, "a stud for every class");
    assert!(!whole.contains("Mistakes"), "nothing was measured");
    let line = "report pieces.onnx --data data/garments --source garments.onnx -o OUT/pieces.html";
    let found = own.json(line);
    let pieces = page(&own, "pieces.html");
    let accuracy = number(&found["eval"]["accuracy_per_image"]);
    assert!(pieces.contains(&format!("{accuracy:.2} %")) && pieces.contains("source, restricted"));
    let bins = found["eval"]["reliability"].as_array().unwrap();
    let counted: u64 = bins.iter().map(|bin| bin["images"].as_u64().unwrap()).sum();
    assert_eq!(json!(counted), found["eval"]["images"], "every answer is in a bin");
    own.refused("report pieces.onnx --source garments.onnx -o OUT/x.html", &["--data"]);
}

#[test]
fn a_page_that_cannot_be_written_is_refused_before_the_work() {
    let own = ready();
    own.refused(
        "inspect digits.onnx --report OUT/lost/x.html",
        &["--report", "there is no folder"],
    );
    own.refused("demo --out OUT/demo --report OUT/x.html", &["--report", "leave it out"]);
}

#[test]
fn a_card_says_what_is_known() {
    let own = ready();
    let bare = own.succeeds("card pieces.onnx");
    let head: Vec<&str> = bare.split("---\n").nth(1).unwrap().lines().collect();
    assert_eq!(head[..2], ["library_name: brickwork", "pipeline_tag: image-classification"]);
    assert!(!bare.contains("license") && !bare.contains("metrics"), "{bare}");
    assert!(bare.contains("Nothing was measured") && bare.contains("of `garments`"), "{bare}");
    let given = "--license mit --base-model me/garments --datasets zalando-datasets/fashion_mnist";
    own.succeeds(&format!(
        "card pieces.onnx --data data/garments --source garments.onnx {given} -o OUT/README.md"
    ));
    let card = text(&own, "README.md");
    for word in [
        "license: \"mit\"",
        "base_model: \"me/garments\"",
        "- \"zalando-datasets/fashion_mnist\"",
        "- accuracy",
        "- component",
        "      split: test\n",
        "Measured on 200 images of `garments`, test part (200 of 1000 images)",
        "its source, restricted to these classes",
    ] {
        assert!(card.contains(word), "no `{word}` in\n{card}");
    }
    let accuracy = number(
        &own.json("eval pieces.onnx --data data/garments --no-latency")["accuracy_per_image"],
    );
    assert!(card.contains(&format!("| this model | {accuracy:.2} |")), "{card}");
    let two = own.succeeds("card pieces.onnx --data data/garments --datasets one --datasets two");
    assert!(!two.contains("model-index"), "a figure is of one data set:\n{two}");
}

#[test]
fn data_of_nodes() {
    let own = ready();
    let found = own.json("diff garments.onnx pieces.onnx --node-data OUT/kept.json");
    let read = |name: &str| -> Value { serde_json::from_str(&text(&own, name)).unwrap() };
    let kept = read("kept.json");
    for layer in found["layers"].as_array().unwrap() {
        let [before, after] = [0, 1].map(|k| number(&layer["outputs"][k]));
        let told = number(&kept["results"][layer["name"].as_str().unwrap()]["value"]);
        assert!((told - 100.0 * after / before).abs() < 1e-4, "{layer}");
    }
    let total = |name: &str| -> f64 {
        read(name)["results"].as_object().unwrap().values().map(|node| number(&node["value"])).sum()
    };
    assert_eq!(total("kept.params.json"), number(&found["params"][1]));
    assert_eq!(total("kept.macs.json"), number(&found["macs"][1]));
    let cut = format!("{FOLDER} --classes sandal,bag --refit none --dry-run");
    own.succeeds(&format!("{cut} --node-data OUT/cut.json"));
    assert_eq!(read("cut.json"), kept, "the same channels");
    own.refused(
        "diff garments.onnx pieces.onnx --node-data OUT/lost/x.json",
        &["lost/x.json", "lost/x.macs.json", "no folder"],
    );
}
