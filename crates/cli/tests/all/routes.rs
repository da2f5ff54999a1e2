//! `brickwork route` on real models and images.

use serde_json::{Value, json};

use crate::common::{Own, has_keys, prepared, steady};

const PETS: &str = "route garments.profile --model garments.onnx --classes sandal,bag";

fn ready() -> Own {
    prepared();
    Own::new()
}

fn text(own: &Own, name: &str) -> String {
    String::from_utf8(own.read(name)).unwrap()
}

#[test]
fn what_it_says() {
    let own = ready();
    insta::assert_snapshot!("route", steady(&own.succeeds(&format!("{PETS} -o OUT/route.svg"))));
    let found = own.json(&format!("{PETS} -o OUT/route.svg"));
    assert_eq!(found["classes"], json!(["sandal", "bag"]));
    assert_eq!(found["profiled"].as_array().unwrap().len(), 10);
    assert_eq!(found["merges"].as_array().unwrap().len(), 9);
    for layer in found["layers"].as_array().unwrap() {
        has_keys(layer, &["name", "channels", "relevant", "private", "shared", "jaccard"]);
        let sum = |key: &str| layer[key].as_array().unwrap().iter().filter_map(Value::as_u64).sum();
        let (relevant, private): (u64, u64) = (sum("relevant"), sum("private"));
        assert_eq!(relevant, private + 2 * layer["shared"].as_u64().unwrap());
    }
}

#[test]
fn relevant_channels_are_those_that_a_component_keeps() {
    let own = ready();
    let thresholds = "--alpha-conv 0.4 --beta-linear 0.2";
    own.succeeds(&format!(
        "route digits.profile --model digits.onnx --classes 1,7 {thresholds} -o OUT/route.json"
    ));
    let routes: Value = serde_json::from_str(&text(&own, "route.json")).unwrap();
    let cut = "disassemble digits.onnx --profile digits.profile --classes 1,7 --dry-run";
    let kept = own.json(&format!("{cut} {thresholds}"))["kept"].clone();
    // Nothing is coupled in this network, so a component keeps what is relevant.
    for layer in routes["layers"].as_array().unwrap() {
        let sets = layer["relevant"].as_array().unwrap().iter();
        let mut relevant: Vec<u64> =
            sets.flat_map(|set| set.as_array().unwrap().iter().filter_map(Value::as_u64)).collect();
        relevant.sort_unstable();
        relevant.dedup();
        assert_eq!(json!(relevant), kept[layer["name"].as_str().unwrap()]["output"]);
    }
}

#[test]
fn a_drawing() {
    let own = ready();
    own.succeeds(&format!("{PETS} -o OUT/route.svg"));
    let text = text(&own, "route.svg");
    let svg = roxmltree::Document::parse(&text).unwrap();
    let words: String = svg.descendants().filter_map(|node| node.text()).collect();
    for word in ["Decision routes of sandal and bag", "only sandal", "shared", "ankle-boot"] {
        assert!(words.contains(word), "no `{word}`");
    }
    let inside =
        |name: &str| -> f64 { svg.root_element().attribute(name).unwrap().parse().unwrap() };
    let (width, height) = (inside("width"), inside("height"));
    for circle in svg.descendants().filter(|node| node.has_tag_name("circle")) {
        let at = |name: &str| -> f64 { circle.attribute(name).unwrap().parse().unwrap() };
        assert!(at("cx") < width && at("cy") < height);
    }
}

#[test]
fn a_page() {
    let own = ready();
    own.succeeds(&format!("{PETS} -o OUT/route.html"));
    let page = text(&own, "route.html");
    let layers = own.json(&format!("{PETS} -o OUT/route.json"))["layers"].as_array().unwrap().len();
    let overlaps = page.matches("<details class=\"overlap\"").count();
    assert_eq!(overlaps, layers - 1, "every layer but the head");
    assert!(!page.contains("<script"));
    assert_eq!(page.matches("<svg").count(), 2);
    assert_eq!(page.matches("http://").count(), 2, "only the names of the drawings' kind");
    assert!(!page.contains("https://"));
}

#[test]
fn chosen_layers() {
    let own = ready();
    own.succeeds(&format!("{PETS} --layers layer1.0.conv1,layer3.0.conv1,fc -o OUT/route.json"));
    let found: Value = serde_json::from_str(&text(&own, "route.json")).unwrap();
    let drawn: Vec<&Value> =
        found["layers"].as_array().unwrap().iter().filter(|l| !l["column"].is_null()).collect();
    let names: Vec<&str> = drawn.iter().map(|layer| layer["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["layer1.0.conv1", "layer3.0.conv1", "fc"]);
    assert_eq!(drawn.iter().map(|l| l["column"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn the_same_file_with_any_number_of_threads() {
    let own = ready();
    for form in ["svg", "html", "json"] {
        for threads in [1, 3] {
            own.succeeds(&format!("{PETS} --threads {threads} -o OUT/{threads}.{form}"));
        }
        assert!(own.read(&format!("1.{form}")) == own.read(&format!("3.{form}")), "{form}");
    }
}

#[test]
fn refusals() {
    let own = ready();
    own.refused(&format!("{PETS} -o OUT/route.png"), &["route.png", ".svg, .html or .json"]);
    own.refused(&format!("{PETS} -o OUT/route"), &[".svg, .html or .json"]);
    own.refused(&format!("{PETS} -o OUT/lost/route.svg"), &["there is no folder"]);
    own.refused(&format!("{PETS} --layers fc,conv9 -o OUT/x.svg"), &["`conv9`", "layer3.0.conv1"]);
    let route = "route garments.profile --model garments.onnx -o OUT/x.svg --classes";
    own.refused(&format!("{route} sandals"), &["sandals", "sandal"]);
    own.refused(&format!("{route} 0-7"), &["1 to 7", "not 8"]);
    let other = "route garments.profile --model digits.onnx --classes 0 -o OUT/x.svg";
    own.refused(other, &["the profile is of `garments`", "not of `digits`"]);
    own.refused(
        "route garments.onnx --model garments.onnx --classes 0 -o OUT/x.svg",
        &["not a profile"],
    );
}
