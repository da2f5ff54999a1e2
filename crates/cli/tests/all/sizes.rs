//! `disassemble` to a size: budgets, frontiers and what is refused.

use serde_json::{Value, json};

use crate::common::{Own, has_keys, number, shared};

const CUT: &str = "disassemble garments.onnx --classes sandal,bag,coat --data data/garments \
                   --refit-samples 20 --hold-out 20";

fn ready() -> Own {
    shared();
    Own::new()
}

#[test]
fn a_share_of_the_multiply_accumulates() {
    let own = ready();
    let line = format!("{CUT} --macs 30% --step 30% --frontier OUT/all.json -o OUT/x.onnx");
    let found = own.json(&line);
    has_keys(&found, &["output", "classes", "criterion", "kept", "macs", "params", "frontier"]);
    assert_eq!((&found["criterion"], &found["held_out"]), (&json!("taylor"), &json!(60)));
    let points = found["frontier"].as_array().unwrap();
    let macs: Vec<f64> = points.iter().map(|point| number(&point["macs"])).collect();
    assert!(macs.windows(2).all(|pair| pair[1] < pair[0]), "{macs:?}");
    assert!(*macs.last().unwrap() <= 0.3 * macs[0] && macs[macs.len() - 2] > 0.3 * macs[0]);
    assert_eq!(number(&found["chosen"]), (points.len() - 1) as f64);
    assert_eq!(number(&own.json("inspect OUT/x.onnx")["macs"]), *macs.last().unwrap());
    own.succeeds("verify garments.onnx OUT/x.onnx");
    let written: Value = serde_json::from_slice(&own.read("all.json")).unwrap();
    assert_eq!(written, found["frontier"]);
    let eval = own.json("eval OUT/x.onnx --data data/garments --no-latency");
    assert!(number(&eval["accuracy_per_image"]) > 90.0, "{eval}");
    // The same again, to the bit.
    own.succeeds(&line.replace("OUT/x.onnx", "OUT/y.onnx"));
    assert!(own.read("x.onnx") == own.read("y.onnx"));
}

#[test]
fn what_may_be_lost_and_what_is_picked() {
    let own = ready();
    let found = own.json(&format!("{CUT} --max-drop 2 --step 60% --cache OUT/kept -o OUT/x.onnx"));
    let points = found["frontier"].as_array().unwrap();
    let accuracy: Vec<f64> = points.iter().map(|point| number(&point["accuracy"])).collect();
    let chosen = number(&found["chosen"]) as usize;
    assert!(chosen > 0 && accuracy[0] - accuracy[chosen] <= 2.0 + 1e-9, "{accuracy:?}");
    assert!(accuracy[chosen + 1..].iter().all(|a| accuracy[0] - a > 2.0));
    let picked = own.json(&format!(
        "{CUT} --step 60% --cache OUT/kept --frontier OUT/f.html --pick 0.5 --keep-all OUT/all -o OUT/y.onnx"
    ));
    let points = picked["frontier"].as_array().unwrap();
    let shares: Vec<f64> =
        points.iter().map(|point| number(&point["macs"]) / number(&points[0]["macs"])).collect();
    let chosen = number(&picked["chosen"]) as usize;
    assert!(shares[chosen] <= 0.5 && shares[chosen - 1] > 0.5 && *shares.last().unwrap() < 0.08);
    assert!(own.bare("y.onnx") == own.bare(&format!("all/step-{chosen}.onnx")));
    let page = String::from_utf8(own.read("f.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("kept"));
}

#[test]
fn components_with_one_trunk_share_it_once_assembled() {
    let own = ready();
    let layers = own.json("inspect digits.onnx")["layers"].as_array().unwrap().clone();
    let macs =
        |name: &str| number(&layers.iter().find(|layer| layer["name"] == name).unwrap()["macs"]);
    let base = "disassemble digits.onnx --data data/digits --refit-samples 20 --hold-out none \
                --macs 90%";
    own.succeeds(&format!("{base} --trunk conv2 --classes 0-4 -o OUT/some.onnx"));
    own.succeeds(&format!("{base} --trunk conv2 --classes 5-9 -o OUT/others.onnx"));
    let whole = own.json("assemble OUT/some.onnx OUT/others.onnx -o OUT/whole.onnx");
    let shared = whole["shared_layers"].as_array().unwrap();
    assert_eq!((shared.len(), &shared[1]), (2, &json!("shared/conv2")));
    let parts = whole["parts"].as_array().unwrap();
    let apart: f64 = parts.iter().map(|part| number(&part["macs"])).sum();
    assert_eq!(apart - number(&whole["macs"]), macs("conv1") + macs("conv2"));
    own.succeeds("verify OUT/some.onnx OUT/others.onnx OUT/whole.onnx");
    let eval = own.json("eval OUT/whole.onnx --data data/digits --no-latency");
    assert!(number(&eval["accuracy_per_image"]) > 80.0, "{eval}");
    let data = "--data data/digits";
    own.succeeds(&format!("calibrate OUT/whole.onnx {data} --method linear -o OUT/linear.onnx"));
    let short = "--samples 40 --epochs 1";
    own.succeeds(&format!("finetune OUT/linear.onnx {data} {short} -o OUT/tuned.onnx"));
    let text = own.succeeds("assemble OUT/some.onnx OUT/others.onnx -o OUT/again.onnx");
    assert!(text.contains("2 layers are the same in several parts"), "{text}");
    own.refused(
        &format!("{base} --classes 0,1 --trunk layer2 -o OUT/x.onnx"),
        &["no weighted layer `layer2`", "it has conv1, conv2, fc1"],
    );
}

/// A table says that the second convolution takes nearly all the time, and no less until half its channels are gone.
#[test]
fn a_table_of_another_runtime_says_what_is_fast() {
    let own = ready();
    let base = "disassemble digits.onnx --classes 0-4 --data data/digits --refit-samples 5 --hold-out none \
                --refit layers";
    let whole = own.json(&format!("{base} --macs 100% --dry-run"));
    let count = |layer: &Value, side: &str| layer[side].as_array().unwrap().len();
    let times = |(name, layer): (&String, &Value)| {
        let (inputs, outputs) = (count(layer, "input"), count(layer, "output"));
        let ms = if name == "conv2" { 8.0 } else { 0.5 };
        let half = json!({ "inputs": inputs, "outputs": outputs.div_ceil(2), "ms": 0.9 * ms });
        let small = json!({ "inputs": inputs, "outputs": outputs.div_ceil(4), "ms": 0.1 * ms });
        let all = json!({ "inputs": inputs, "outputs": outputs, "ms": ms });
        (name.clone(), json!([all, half, small]))
    };
    let layers = whole["kept"].as_object().unwrap().iter().map(times).collect::<Value>();
    let table = json!({
        "runtime": "another 1.0", "threads": 1, "batch": 1, "block": 1, "model_ms": 20.0, "layers": layers,
    });
    own.write("table.json", table.to_string());
    let fast =
        own.json(&format!("{base} --speed 4x --latency-table OUT/table.json -o OUT/fast.onnx"));
    let time = &fast["by_table"];
    assert_eq!((&time["runtime"], &time["before_ms"]), (&json!("another 1.0"), &json!(20.0)));
    assert!(number(&time["after_ms"]) <= 5.0, "{time}");
    let kept = |name: &str| count(&fast["kept"][name], "output") as f64;
    let whole = |name: &str| count(&whole["kept"][name], "output") as f64;
    assert!(kept("conv2") <= whole("conv2") / 2.0, "{}", fast["kept"]);
    let slow =
        own.json(&format!("{base} --latency 12ms --latency-table OUT/table.json -o OUT/slow.onnx"));
    assert!(number(&slow["by_table"]["after_ms"]) <= 12.0);
    assert!(number(&slow["macs"]["after"]) > number(&fast["macs"]["after"]));
    let text = own.succeeds(&format!("{base} --macs 50% -o OUT/half.onnx"));
    let times = text.lines().filter(|line| line.starts_with("time  ")).count();
    assert!(
        times >= 2 && text.contains("ms (") && text.contains("for 8 images on 1 thread"),
        "{text}"
    );
    assert_eq!(slow["speed"].as_array().unwrap().iter().filter(|s| s["threads"] == 1).count(), 2);

    let mut other = table;
    other["layers"].as_object_mut().unwrap().remove("fc1");
    other["layers"]["conv1"][0]["ms"] = json!(0);
    own.write("other.json", other.to_string());
    own.refused(
        &format!("{base} --speed 2x --latency-table OUT/other.json -o OUT/x.onnx"),
        &["layer `conv1` must have times", "no times of `fc1`", "another model"],
    );
    own.refused(
        &format!("{base} --macs 50% --latency-table OUT/table.json -o OUT/x.onnx"),
        &["--latency-table says how long", "pass --latency or --speed"],
    );
}

#[test]
fn refusals_come_before_any_work() {
    let own = ready();
    let base = "disassemble digits.onnx --classes 0,1 -o OUT/x.onnx";
    own.refused(&format!("{base} --macs 30%"), &["pass --data"]);
    own.refused(
        &format!("{base} --data data/digits --max-drop 1 --hold-out none --frontier OUT/a.png"),
        &["--hold-out none", "OUT/a.png", ".html, .svg, .csv or .json"],
    );
    own.refused(&format!("{base} --data data/digits --macs 99999999"), &["99999999", "MACs"]);
    let small = format!("{base} --data data/digits --refit-samples 5 --macs 10");
    own.refused(&small, &["cannot be reached", "the smallest cut has"]);
    let quick = format!("{base} --data data/digits --refit-samples 5 --latency 0.001us");
    own.refused(&quick, &["no step fits", "ms: ask for more"]);
    own.misused(&format!("{base} --data data/digits --speed 0.5x"), &["above 1, such as 2x"]);
    assert!(own.files().is_empty());
}

#[test]
fn short_of_time_steps_are_larger_and_passes_fewer() {
    let own = ready();
    let cut = CUT.replace("garments", "digits").replace("sandal,bag,coat", "0,3,7");
    let hurried = own.json(&format!(
        "{cut} --macs 10% --step 80% --minutes 0.0001 -o OUT/x.onnx --cache OUT/kept"
    ));
    assert_eq!(hurried["frontier"].as_array().unwrap().len(), 3, "whole, a step, the rest");
    assert_eq!(hurried["refit"]["passes"], 0);
    assert_eq!(own.json("cache --cache OUT/kept")["files"], 0, "what was cut short is not kept");
    own.succeeds("verify digits.onnx OUT/x.onnx");
    // Who has time enough gets what others get.
    own.succeeds(&format!("{cut} --macs 40% --minutes 600 -o OUT/y.onnx"));
    own.succeeds(&format!("{cut} --macs 40% -o OUT/z.onnx"));
    assert_eq!(own.bare("y.onnx"), own.bare("z.onnx"));
    let compress = "compress digits.onnx --data data/digits --refit-samples 5 --macs 20%";
    let small = own.json(&format!("{compress} --minutes 0.0001 -o OUT/small.onnx"));
    let model = &small["models"][0];
    assert!(number(&model["macs"]) <= 0.2 * number(&small["source"]["macs"]));
    own.refused(
        &format!("{cut} --macs 40% --minutes 0 -o OUT/n.onnx"),
        &["--minutes must be more"],
    );
}
