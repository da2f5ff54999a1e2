//! Recipes on the command line: what files carry, builds that are killed, and the examples.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Stdio;

use common::{Own, number, shared};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/recipes");

/// The demo's chain, from profiles to a calibrated model, with fewer images.
const CHAIN: &[&str] = &[
    "profile digits.onnx --data data/digits --samples 5 -o OUT/digits.profile.safetensors",
    "profile garments.onnx --data data/garments --samples 5 -o OUT/garments.profile.safetensors",
    "disassemble digits.onnx --profile OUT/digits.profile.safetensors --classes 0-4 --data data/digits \
     --refit-samples 20 -o OUT/low.onnx",
    "disassemble garments.onnx --profile OUT/garments.profile.safetensors --classes sandal,bag --data \
     data/garments --refit-samples 20 --seed 3 -o OUT/pieces.onnx",
    "assemble OUT/low.onnx OUT/pieces.onnx -o OUT/joined.onnx",
    "calibrate OUT/joined.onnx --data low=data/digits --data pieces=data/garments --samples 20 -o OUT/ready.onnx",
];

/// The demo's models and images, as the recipe that a file carries expects them beside it.
fn lay_out(own: &Own, folder: &str) {
    fs::create_dir_all(own.path(folder)).unwrap();
    for name in ["digits", "garments"] {
        let model = format!("{name}.onnx");
        fs::copy(shared().join(&model), own.path(folder).join(&model)).unwrap();
        let images = own.path(folder).join(name);
        fs::create_dir_all(&images).unwrap();
        for entry in fs::read_dir(shared().join("data").join(name)).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), images.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn building_what_a_file_carries_makes_the_same_file() {
    let own = Own::new();
    CHAIN.iter().for_each(|line| drop(own.succeeds(line)));
    let text = own.succeeds("recipe OUT/ready.onnx");
    for words in [
        "garments = { path = \"garments.onnx\", sha256 = \"sha256-",
        "[garments-profile]\nverb = \"profile\"\n",
        "parts = [\"@low\", \"@pieces\"]",
        "seed = 3",
        "[ready]\nverb = \"calibrate\"\nmodel = \"@joined\"\n",
    ] {
        assert!(text.contains(words), "{words} in\n{text}");
    }
    let here = own.path("").display().to_string();
    assert!(!text.contains(&here) && !text.contains("data/"), "{text}");

    lay_out(&own, "again");
    own.succeeds("recipe OUT/ready.onnx -o OUT/again/recipe.toml");
    own.succeeds("build OUT/again/recipe.toml --out OUT/again/made");
    for name in ["ready.onnx", "joined.onnx", "low.onnx", "pieces.onnx"] {
        assert!(own.read(&format!("again/made/{name}")) == own.read(name), "{name}");
    }
    assert_eq!(own.succeeds("recipe OUT/again/made/ready.onnx"), text);

    // Other data are noticed before any work.
    fs::copy(shared().join("garments.onnx"), own.path("again/digits.onnx")).unwrap();
    let words = ["is another one than the recipe was made with", "digits.onnx"];
    own.refused("build OUT/again/recipe.toml --out OUT/again/other", &words);
    own.refused("recipe data/digits", &[]);
    own.refused("recipe digits.onnx", &["carries no recipe"]);
}

#[test]
fn builds_that_are_killed_go_on_where_they_were() {
    let own = Own::new();
    lay_out(&own, "job");
    let recipe = fs::read_to_string(Path::new(EXAMPLES).join("two-models.toml")).unwrap();
    own.write("job/recipe.toml", recipe.replace("data/", ""));
    own.succeeds("build OUT/job/recipe.toml --out OUT/whole");
    let expected = own.read("whole/ready.onnx");

    let steps = 6;
    let mut kills = 0;
    for count in 1.. {
        let mut child = own
            .command("build OUT/job/recipe.toml --out OUT/killed")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Killed as soon as one more step is begun, whatever it has written by then.
        let begun = |own: &Own| {
            let text = fs::read(own.path("killed/recipe.built.json")).unwrap_or_default();
            let state: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
            state["steps"].as_object().map_or(0, serde_json::Map::len)
        };
        while begun(&own) < count.min(steps) && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        kills += usize::from(!child.wait().unwrap().success());
        if count > steps {
            break;
        }
    }
    assert!(kills > 2, "{kills} of the builds were killed");
    own.succeeds("build OUT/job/recipe.toml --out OUT/killed");
    assert!(own.read("killed/ready.onnx") == expected);
    let again = own.json("build OUT/job/recipe.toml --out OUT/killed");
    let fresh = again["steps"].as_array().unwrap().iter().all(|step| step["outcome"] == "fresh");
    assert!(fresh, "{again}");
}

#[test]
fn every_example_can_be_built() {
    let own = Own::new();
    lay_out(&own, "examples/data");
    for name in ["digits", "garments"] {
        let file = format!("examples/{name}.onnx");
        fs::copy(shared().join(format!("{name}.onnx")), own.path(&file)).unwrap();
    }
    let mut found = 0;
    for entry in fs::read_dir(EXAMPLES).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.ends_with(".toml") {
            continue;
        }
        found += 1;
        fs::copy(&path, own.path(&format!("examples/{name}"))).unwrap();
        let out = name.trim_end_matches(".toml");
        let built = own.json(&format!("build OUT/examples/{name} --out OUT/made/{out}"));
        let steps = built["steps"].as_array().unwrap();
        assert!(steps.iter().all(|step| step["outcome"] == "built"), "{name}: {built}");
        let planned =
            own.json(&format!("build OUT/examples/{name} --out OUT/made/{out} --dry-run"));
        let planned = planned["planned"].as_array().unwrap();
        assert!(
            planned.iter().all(|step| step["why"].is_null() && number(&step["bytes"]) > 0.0),
            "{name}"
        );
    }
    assert_eq!(found, 5);
}

#[test]
fn recipes_to_begin_with_and_drawings() {
    let own = Own::new();
    own.succeeds("init-recipe OUT/recipe.toml");
    own.refused("init-recipe OUT/recipe.toml", &["is there already"]);
    let missing =
        ["recipe.toml:10: step `low`: `model`: there is no ", "recipe.toml:13: step `low`: `data`"];
    own.refused("build OUT/recipe.toml", &missing);
    lay_out(&own, "data");
    for name in ["digits", "garments"] {
        let file = format!("{name}.onnx");
        fs::copy(shared().join(&file), own.path(&file)).unwrap();
    }
    let line = "build OUT/recipe.toml --dry-run --graph OUT/recipe.svg --set low.macs=20%";
    let said = own.succeeds(line);
    assert!(said.contains("low       disassemble  -  to do: it is new"), "{said}");
    assert!(own.read("recipe.svg").starts_with(b"<svg "));
    own.refused("build OUT/recipe.toml --set lowest.macs=1", &["there is no step `lowest`"]);
    own.refused("build OUT/recipe.toml --graph OUT/x.png --jobs 0", &["--graph", "--jobs"]);
    assert!(!own.path("low.onnx").exists());
}
