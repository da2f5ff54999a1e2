//! `probe`: what components still know of the classes they gave up.

use serde_json::{Value, json};

use crate::common::{Own, prepared};

fn ready() -> Own {
    prepared();
    Own::new()
}

#[test]
fn a_component_knows_less_of_what_was_cut_than_its_source() {
    let own = ready();
    let line = "probe low.onnx digits.onnx --data data/digits";
    let found = own.json(line);
    assert_eq!(found["classes"], json!(["5", "6", "7", "8", "9"]));
    let models = found["models"].as_array().unwrap();
    let probes: Vec<&Value> = models.iter().map(|model| &model["probe"]).collect();
    assert_eq!(models.iter().map(|m| &m["name"]).collect::<Vec<_>>(), ["low", "digits"]);
    let accuracy: Vec<f64> = probes.iter().map(|p| p["accuracy"].as_f64().unwrap()).collect();
    assert!(accuracy[1] > 95.0 && accuracy[0] < accuracy[1] - 2.0, "{accuracy:?}");
    assert!(accuracy[0] > probes[0]["chance"].as_f64().unwrap(), "{accuracy:?}");
    assert_eq!((&probes[0]["images"], &probes[0]["fitted_on"]), (&json!(500), &json!(1000)));
    // What was looked at, and what was not.
    for (what, taken) in [("fitted", 1000), ("measured", 500)] {
        let set = &found[what][0];
        assert_eq!((&set["name"], &set["taken"]), (&json!("digits"), &json!(taken)), "{what}");
        let untouched = set["untouched"].as_array().unwrap();
        assert_eq!((untouched.len(), &untouched[0]["class"]), (5, &json!("0")), "{what}");
    }
    // Its own classes it knows as well as its source does, and the same on any number of threads.
    let own_classes = own.json(&format!("{line} --classes 0-4 --samples 50 --threads 1"));
    assert!(own_classes["models"][0]["probe"]["accuracy"].as_f64().unwrap() > 95.0);
    assert_eq!(own_classes, own.json(&format!("{line} --classes 0-4 --samples 50 --threads 3")));
    let said = own.succeeds(line);
    assert!(said.contains("chance") && said.contains("20.00"), "{said}");
    assert!(said.contains("measured on 500 of 1000 images of digits, none of 0 (100)"), "{said}");
}

#[test]
fn what_cannot_be_probed_is_refused() {
    let own = ready();
    own.refused("probe digits.onnx --data data/digits", &["at least two classes", "--classes"]);
    own.refused("probe low.onnx --data data/digits --split test", &["leave --split out"]);
    own.refused(
        "probe joined.onnx --data data/digits --classes 5-9",
        &["2 parts", "probe the parts"],
    );
    own.refused("probe low.onnx", &["measured on images: pass --data"]);
    own.refused("probe low.onnx --data data/digits --classes ten,11", &["ten", "11"]);
}
