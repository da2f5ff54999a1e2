//! What is wrong is refused with a message that names it and says what to do, and nothing is written.

use std::fs;
use std::path::Path;

use brickwork::show::png;
use brickwork::{Card, Classifier, KEY};
use brickwork_data::{Dataset, Split};
use brickwork_formats::onnx::{self, ReadOptions};
use brickwork_graph::{Builder, Form, Patch, Shape};
use serde_json::{Value, json};

use crate::common::{JOINED_DATA, Own, prepared, shared};

const PROFILE: &str = "--data data/digits --samples 2 -o OUT/x";
const CUT: &str = "disassemble digits.onnx --classes 0,1 --refit none -o OUT/x.onnx";

fn ready() -> Own {
    prepared();
    Own::new()
}

fn load(path: &Path) -> Classifier {
    Classifier::load(path, &ReadOptions::default(), None).unwrap()
}

/// The bytes of a model with the first weight of its first convolution replaced.
fn with_weight(model: &str, weight: f32) -> Vec<u8> {
    let path = shared().join(model);
    let model = load(&path);
    let graph = model.graph();
    let mut constants = graph.values().iter().filter_map(|value| value.constant.as_ref());
    let first = constants.find(|data| data.rank() == 4).unwrap();
    let start: Vec<u8> = first.data()[..4].iter().flat_map(|x| x.to_le_bytes()).collect();
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.windows(16).position(|window| window == start).unwrap();
    bytes[at..at + 4].copy_from_slice(&weight.to_le_bytes());
    bytes
}

/// An ONNX file of one Relu.
fn relu(own: &Own, name: &str, extents: &[usize]) {
    let mut builder = Builder::new("relu", 17, None);
    builder.input("x", Shape::batched(extents));
    builder.node(&Form {
        name: "relu".to_owned(),
        kind: "Relu".to_owned(),
        inputs: vec!["x".to_owned()],
        outputs: vec!["y".to_owned()],
        ..Form::default()
    });
    builder.output("y");
    onnx::save(&builder.finish().unwrap(), &own.path(name)).unwrap();
}

/// A safetensors data set of black images with these labels.
fn labelled(own: &Own, name: &str, side: usize, labels: &[i64], metadata: &str) {
    let pixels = labels.len() * side * side;
    let header = format!(
        r#"{{"images":{{"dtype":"U8","shape":[{n},{side},{side}],"data_offsets":[0,{pixels}]}},"labels":{{"dtype":"I64","shape":[{n}],"data_offsets":[{pixels},{end}]}}{metadata}}}"#,
        n = labels.len(),
        end = pixels + 8 * labels.len()
    );
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + pixels, 0);
    bytes.extend(labels.iter().flat_map(|label| label.to_le_bytes()));
    own.write(name, bytes);
}

/// Test images as PNG files: `images` of each class, in the folder of the class that `folder` gives.
fn tree(own: &Own, name: &str, images: usize, folder: impl Fn(usize) -> usize) {
    let data = Dataset::open(shared().join("data/digits"), Some(Split::Test)).unwrap();
    for class in 0..10 {
        let places = (0..data.len()).filter(|&index| data.label(index) == class).take(images);
        for (k, index) in places.enumerate() {
            let file = format!("{name}/{}/{class}-{k}.png", folder(class));
            own.write(&file, png(&data.image(index).unwrap()));
        }
    }
}

#[test]
fn files_that_are_no_onnx() {
    let own = ready();
    let whole = fs::read(shared().join("digits.onnx")).unwrap();
    own.write("cut.onnx", &whole[..whole.len() / 2]);
    own.write("empty.onnx", "");
    own.write("words.onnx", "this is no model");
    let mut torn = whole;
    torn[40..80].fill(0xff);
    own.write("torn.onnx", torn);
    for name in ["cut", "empty", "words", "torn"] {
        let file = format!("OUT/{name}.onnx");
        own.refused(&format!("inspect {file}"), &[&file, "hint: the file is cut short, damaged"]);
        own.refused(&format!("profile {file} {PROFILE}"), &[&file]);
    }
    own.refused(&format!("profile missing.onnx {PROFILE}"), &["missing.onnx", "No such file"]);
    own.refused(
        &format!("profile data {PROFILE}"),
        &["cannot read data", "hint: this is a folder"],
    );
    own.refused("diff digits.onnx missing.onnx", &["missing.onnx"]);
}

#[test]
fn models_that_are_no_classifiers() {
    let own = ready();
    relu(&own, "flat.onnx", &[8]);
    relu(&own, "map.onnx", &[1, 8, 8]);
    let expected = "expected one input [n, c, h, w] and one output of scores [n, k], found";
    own.refused(
        "inspect OUT/flat.onnx",
        &["`flat` is no image classifier", expected, "input [n, 8]"],
    );
    own.refused("inspect OUT/map.onnx", &["`map` is no", expected, "output [n, 1, 8, 8]"]);
}

#[test]
fn weights_that_are_no_numbers() {
    let own = ready();
    own.write("nan.onnx", with_weight("digits.onnx", f32::NAN));
    let says = ["OUT/nan.onnx", "conv1.weight", "1 NaN", "hint: "];
    own.refused(&format!("profile OUT/nan.onnx {PROFILE}"), &says);
    own.refused("eval OUT/nan.onnx --data data/digits", &says);
}

#[test]
fn classes_that_do_not_exist() {
    let own = ready();
    let message = own.refused(
        &format!("profile garments.onnx --classes bag,sandel,10,7-5 {PROFILE}")
            .replace("digits", "garments"),
        &["`sandel` (did you mean `sandal`?)", "`10`", "`7-5`", "there are 10: t-shirt", "0 to 9"],
    );
    insta::assert_snapshot!("unknown_classes", message);
    own.refused("eval digits.onnx --data data/digits --classes ten", &["`ten`"]);
    own.refused(
        "disassemble digits.onnx --profile digits.profile --classes ten,11 --refit none -o OUT/x.onnx",
        &["`ten`", "`11`"],
    );
    own.refused("eval digits.onnx --data data/digits --classes ,", &["name at least one"]);
}

#[test]
fn classes_without_images() {
    let own = ready();
    tree(&own, "tree", 2, |class| class.min(7));
    own.refused(
        "eval digits.onnx --data OUT/tree --classes 8,9",
        &["no image of 2 of the 2 classes: 8, 9", "--classes"],
    );
    for samples in ["1", "all"] {
        let line = format!(
            "profile digits.onnx --data OUT/tree --classes 0,8,9 --samples {samples} -o OUT/x"
        );
        own.refused(&line, &["no image of 2 of the 3 classes: 8, 9", "--classes"]);
    }
    own.refused(
        "disassemble digits.onnx --profile digits.profile --classes 1,9 --data OUT/tree -o OUT/x.onnx",
        &["no image of 1 of the 2 classes: 9"],
    );
    // The classes that the data has are profiled, where that is allowed.
    let line = "profile digits.onnx --data OUT/tree --samples 1";
    own.refused(
        &format!("{line} -o OUT/x"),
        &["no image of 2 of the 10 classes", "--allow-missing"],
    );
    let found = own.json(&format!("{line} --allow-missing -o OUT/x"));
    assert_eq!(found["classes"].as_array().unwrap().len(), 8);
}

#[test]
fn labels_out_of_range() {
    let own = ready();
    labelled(&own, "negative", 28, &[0, 1, -1], "");
    own.refused("eval digits.onnx --data OUT/negative", &["OUT/negative", "label 2 is -1"]);
    let names = r#","__metadata__":{"class_names":"[\"a\",\"b\"]"}"#;
    labelled(&own, "beyond", 28, &[0, 1, 2], names);
    own.refused("eval digits.onnx --data OUT/beyond", &["label 2 is 2", "2 classes"]);
    // More numbers than the model has classes, and the model's have names.
    labelled(&own, "many", 28, &(0..13).collect::<Vec<_>>(), "");
    own.refused("eval garments.onnx --data OUT/many", &["no indices of its classes", "--labels"]);
}

#[test]
fn images_of_the_wrong_size() {
    let own = ready();
    labelled(&own, "small", 20, &(0..10).collect::<Vec<_>>(), "");
    own.refused(
        "eval digits.onnx --data OUT/small",
        &["the image is 20 by 20", "expected 28 by 28", "hint: --fit cover"],
    );
    own.json("eval digits.onnx --data OUT/small --fit cover --no-latency");
    own.refused("eval digits.onnx --data OUT/small --size 20", &["28x28", "20x20", "--fit cover"]);
}

#[test]
fn one_unreadable_image_among_many() {
    let own = ready();
    tree(&own, "tree", 2, |class| class);
    let line = "eval digits.onnx --data OUT/tree --no-latency";
    assert_eq!(own.json(line)["images"], 20);
    own.write("tree/3/3-1.png", "no picture");
    own.refused(line, &["OUT/tree/3/3-1.png", "replace or remove the file"]);
    let whole = own.read("tree/4/4-1.png");
    own.write("tree/3/3-1.png", &whole[..whole.len() / 2]);
    own.refused(&format!("{line} -q"), &["OUT/tree/3/3-1.png"]);
    own.refused(
        "profile digits.onnx --data OUT/tree --samples 1 -o OUT/x",
        &["OUT/tree/3/3-1.png"],
    );
    own.write("tree/7/7-0.png", "no picture either");
    own.refused(line, &["2 images cannot be read", "OUT/tree/3/3-1.png", "OUT/tree/7/7-0.png"]);
}

#[test]
fn data_of_no_known_kind() {
    let own = ready();
    own.write("notes.txt", "no data");
    own.write("stuff/notes.txt", "no data");
    for data in ["OUT/notes.txt", "OUT/stuff"] {
        let line = format!("eval digits.onnx --data {data}");
        own.refused(&line, &[data, "not a known kind of data", "IDX", "CIFAR", ".npz"]);
    }
    own.refused("eval digits.onnx --data nowhere", &["nowhere", "No such file"]);
    own.refused("eval digits.onnx --data data", &["2 data sets", "for example data/digits"]);
    own.refused("eval digits.onnx", &["pass --data"]);
    own.refused(
        "eval digits.onnx --data data/digits --data data/digits",
        &["data/digits is given twice"],
    );
}

#[test]
fn splits_that_are_not_there() {
    let own = ready();
    labelled(&own, "whole", 28, &(0..10).collect::<Vec<_>>(), "");
    own.refused(
        "eval digits.onnx --data OUT/whole --split test",
        &["no train and test parts", "hint: leave --split out"],
    );
    own.json("eval digits.onnx --data OUT/whole --no-latency");
    for file in ["images-idx3", "labels-idx1"] {
        let name = format!("train-{file}-ubyte.gz");
        own.write(
            &format!("half/{name}"),
            fs::read(shared().join("data/digits").join(&name)).unwrap(),
        );
    }
    own.refused("eval digits.onnx --data OUT/half", &["only the train part", "hint: ", "--split"]);
}

#[test]
fn preprocessing_that_nobody_said() {
    let own = ready();
    let plain = load(&shared().join("digits.onnx")).with_card(Card::default()).unwrap();
    plain.save(&own.path("plain.onnx")).unwrap();
    let message =
        own.refused(&format!("profile OUT/plain.onnx {PROFILE}"), &["pass --mean and --std"]);
    insta::assert_snapshot!("no_preprocessing", message);
    own.refused("eval OUT/plain.onnx --data data/digits --mean 0.1", &["pass --std (one number"]);
    own.refused(
        "assemble OUT/plain.onnx low.onnx -o OUT/x.onnx",
        &["`plain`", "annotate with --mean and --std"],
    );
    let said = "--mean 0.1307 --std 0.3081";
    let found = own.json(&format!("eval OUT/plain.onnx --data data/digits --no-latency {said}"));
    let known = own.json("eval digits.onnx --data data/digits --no-latency");
    assert_eq!(found["accuracy_per_image"], known["accuracy_per_image"]);
    for (wrong, words) in [
        ("--mean 0,0 --std 1", ["2 values of `mean`", "expected 1"]),
        ("--mean 0 --std 0", ["`std` is [0.0]", "above 0"]),
        ("--mean 0 --std 1 --scale 0", ["the scale is", "other than 0"]),
    ] {
        own.refused(&format!("eval OUT/plain.onnx --data data/digits {wrong}"), &words);
    }
}

#[test]
fn class_names_that_do_not_fit() {
    let own = ready();
    let line = "annotate digits.onnx -o OUT/x.onnx --class-names";
    own.refused(&format!("{line} a,b,c"), &["gives 3 names", "10 classes"]);
    own.refused(&format!("{line} a,b,c,d,e,f,g,h,i,a"), &["`a`", "twice"]);
    own.refused(&format!("{line} @OUT/none.txt"), &["none.txt", "No such file"]);
}

#[test]
fn networks_that_cannot_be_made() {
    let own = Own::new();
    let refused = |arch: &str, words: &[&str]| {
        own.refused(&format!("init -o OUT/x.onnx --arch {arch}"), words);
    };
    refused("vgg16 --classes 2 --size 28", &["`vgg16`", "28x28", "MaxPool", "smaller than"]);
    refused("vgg16 --classes 2 --stem cifar", &["`vgg16` has no choice of stems"]);
    refused("vgg16 --classes 0", &["classes", "from 1 to"]);
    refused("lenet5 --classes 2 --width 0", &["the width must be above 0"]);
    refused("lenet5 --classes 2 --size 16000", &["parameters"]);
    refused("lenet5 --class-names cat,cat", &["`cat`", "twice"]);
}

#[test]
fn profiles_that_do_not_fit() {
    let own = ready();
    let cut = "disassemble garments.onnx --classes bag -o OUT/x.onnx";
    let both = ["the profile is of `digits`", "not of `garments`", "profile this model"];
    own.refused(&format!("{cut} --profile digits.profile --refit none"), &both);
    own.refused(&format!("{cut} --profile digits.profile --data data/garments"), &both);
    own.refused(
        &format!("{cut} --profile none.profile --refit none"),
        &["none.profile", "No such file"],
    );
    own.refused(&format!("{cut} --profile garments.onnx --refit none"), &["not a profile"]);
    let whole = fs::read(shared().join("garments.profile")).unwrap();
    own.write("torn", &whole[..whole.len() - 10]);
    own.refused(&format!("{cut} --profile OUT/torn --refit none"), &["OUT/torn: not a profile"]);
    own.refused(&format!("{cut} --profile garments.profile"), &["--data", "--refit none"]);
    let zero = "profile digits.onnx --data data/digits --classes 0 --samples 2 -o OUT/zero";
    own.succeeds(zero);
    own.refused(&format!("{CUT} --profile OUT/zero"), &["1", "profile"]);
    own.refused("profile --merge OUT/zero -o OUT/x", &["at least two"]);
    own.refused("profile --merge OUT/zero OUT/zero -o OUT/x", &["in both profiles", "--part"]);
    own.refused("profile --merge OUT/zero garments.profile -o OUT/x", &["different models"]);
    own.refused(
        &format!("profile digits.onnx --part 1/9000 {PROFILE}"),
        &["part 1 of 9000", "fewer parts"],
    );
}

#[test]
fn samples_that_do_not_fit() {
    let own = ready();
    let line =
        "profile digits.onnx --data data/digits --classes 0 --indices OUT/places.json -o OUT/x";
    own.refused(line, &["OUT/places.json"]);
    for (text, words) in [
        ("{", "expected an object"),
        ("[1]", "expected an object"),
        (r#"{"1":[0]}"#, "no samples are given for class 0"),
        (r#"{"0":[99999]}"#, "sample 99999"),
        (r#"{"0":[1999]}"#, "not labelled so"),
    ] {
        own.write("places.json", text);
        own.refused(line, &[words]);
    }
}

#[test]
fn kept_channels_that_do_not_fit() {
    let own = ready();
    let line = format!("{CUT} --keep OUT/keep.json");
    own.refused(&line, &["OUT/keep.json", "No such file"]);
    for (text, words) in [
        ("{\"kept\":", ["not JSON", "\"LAYER\""]),
        (r#"{"conv":[1]}"#, ["expected JSON such as {\"LAYER\"", "a sequence"]),
        (r#"{"conv":{"input":[-1],"output":[]}}"#, ["expected JSON such as {\"LAYER\"", "-1"]),
    ] {
        own.write("keep.json", text);
        own.refused(&line, &words);
    }
    let wrong = r#"{"conv":{"input":[],"output":[]},
        "conv1":{"input":[0,1],"output":[3,6]}}"#;
    own.write("keep.json", wrong);
    let message = own
        .refused(&line, &["`conv` is no weighted layer", "1 input channels", "6 output channels"]);
    insta::assert_snapshot!("kept_channels", message);
    own.write("keep.json", "{}");
    own.refused(&format!("{line} --masks-out OUT/masks"), &["--masks-out needs --profile"]);
    own.refused(&format!("{line} --choose random"), &["--choose needs --profile"]);
    own.refused(
        &format!("{line} --profile digits.profile"),
        &["--profile and --keep", "leave one"],
    );
}

#[test]
fn parts_that_cannot_be_joined() {
    let own = ready();
    let message = own.refused(
        "assemble low.onnx digits.onnx -o OUT/x.onnx",
        &["5 classes", "0, 1, 2, 3, 4", "--on-duplicate"],
    );
    insta::assert_snapshot!("duplicate_classes", message);
    own.refused(
        "assemble digits.onnx garments.onnx --layout padded -o OUT/x.onnx",
        &["`digits` and `garments` differ in architecture", "--layout branches"],
    );
    own.refused("assemble low.onnx missing.onnx -o OUT/x.onnx", &["missing.onnx"]);
}

#[test]
fn models_that_are_no_components() {
    let own = ready();
    own.refused("masks digits.onnx", &["`digits`", "brickwork disassemble"]);
    own.refused("verify digits.onnx digits.onnx", &["`digits`", "cut from"]);
    own.refused(
        "verify garments.onnx low.onnx",
        &["`low` was cut from `digits`", "not from `garments`"],
    );
    own.refused("verify low.onnx joined.onnx", &["2 parts"]);
    own.refused(
        "eval low.onnx --data data/digits --source garments.onnx",
        &["not cut from `garments`"],
    );
    own.refused("inspect digits.onnx --why nothing", &["`nothing`"]);
    own.refused(
        "calibrate digits.onnx --data data/digits -o OUT/x.onnx",
        &["`digits` was not assembled by brickwork"],
    );
    own.refused(
        "calibrate joined.onnx --data other=data/digits -o OUT/x.onnx",
        &["no part `other`", "low, pieces"],
    );
    own.refused(
        "calibrate joined.onnx --data low=data/digits -o OUT/x.onnx",
        &["no image of 2 of the 7 classes: sandal, bag"],
    );
}

/// A model whose card was edited in its file: `edits` are places in the JSON and what stands there now.
fn edited(own: &Own, model: &str, name: &str, edits: &[(&str, Value)]) {
    let graph = load(&shared().join(model)).to_graph().unwrap();
    let mut card: Value = serde_json::from_str(&graph.metadata()[KEY]).unwrap();
    for (place, value) in edits {
        *card.pointer_mut(place).expect(place) = value.clone();
    }
    let mut patch = Patch::new("an edit");
    patch.metadata(KEY, card.to_string());
    onnx::save(&patch.apply(&graph).unwrap(), &own.path(name)).unwrap();
}

#[test]
fn cards_that_contradict_their_model() {
    let own = ready();
    let cut = "says it was cut to 0 classes, but it has 5";
    let beyond = "says it has class 99 of a source with 10";
    let kept = "says layer `conv1` keeps 1 inputs and 1 outputs, but it has 1 and";
    for (place, value, says) in [
        ("/origin/classes", json!([]), cut),
        ("/origin/classes", json!([5, 6, 7, 8, 99]), beyond),
        (
            "/origin/classes",
            json!([9, 8, 7, 6, 5]),
            "lists the classes that it was cut to out of order",
        ),
        ("/origin/kept/conv1", json!({ "input": [0], "output": [0] }), kept),
        (
            "/origin/kept/fc1/input",
            json!([1, 1]),
            "lists the channels that it keeps of layer `fc1` out of order",
        ),
        (
            "/preprocess/size",
            json!([9, 9]),
            "says images are 9x9 with 1 channels, but its input is 28x28 with 1",
        ),
        ("/classes", json!(["a"]), "names 1 classes, but it has 5 scores"),
    ] {
        edited(&own, "high.onnx", "x.onnx", &[(place, value)]);
        for line in [
            "inspect OUT/x.onnx",
            "masks OUT/x.onnx",
            "eval OUT/x.onnx --data data/digits --source digits.onnx",
            "verify digits.onnx OUT/x.onnx",
            "assemble OUT/x.onnx pieces.onnx --remove 7 -o OUT/y.onnx",
        ] {
            own.refused(line, &["the metadata of `x`", says]);
        }
    }
    // All at once.
    let edits = [("/origin/classes", json!([])), ("/classes", json!(["a"]))];
    edited(&own, "high.onnx", "x.onnx", &edits);
    own.refused("masks OUT/x.onnx", &["names 1 classes", cut]);
}

#[test]
fn cards_that_contradict_their_parts() {
    let own = ready();
    for (place, value, says) in [
        ("/parts/0/logits/4", json!(7), "describes part `low` with scores it does not have"),
        (
            "/parts/1/origin/classes",
            json!([1, 10]),
            "says part `pieces` has class 10 of a source with 10",
        ),
        (
            "/parts/0/preprocess/std",
            json!([0]),
            "has preprocessing of part `low` that is not valid",
        ),
        (
            "/parts/0/moments/means",
            json!([[0]]),
            "has moments of part `low` scores that are not of 5 classes",
        ),
    ] {
        edited(&own, "joined.onnx", "x.onnx", &[(place, value)]);
        own.refused("inspect OUT/x.onnx", &["the metadata of `x`", says]);
        let line = format!("calibrate OUT/x.onnx {JOINED_DATA} -o OUT/y.onnx");
        own.refused(&line, &["the metadata of `x`", says]);
    }
}

#[test]
fn a_tampered_component_does_not_verify() {
    let own = ready();
    own.write("high.onnx", with_weight("high.onnx", 0.75));
    let ran = own.run("verify digits.onnx OUT/high.onnx");
    assert_eq!(ran.code, Some(1));
    let first = ran.out.lines().next().unwrap();
    assert_eq!(first, "DOES NOT HOLD: `high` does not compute what the masked source computes");
    assert!(ran.out.contains("worst layer `"), "{}", ran.out);
    let ran = own.run("verify digits.onnx OUT/high.onnx --json");
    let found: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &found["holds"]), (Some(1), &false.into()));
    assert!(found["worst"].as_f64().unwrap() > found["tolerance"].as_f64().unwrap());
}

#[test]
fn calibration_without_a_correct_image_of_a_class() {
    let own = ready();
    // The images in folder 0 show ones and the other way round.
    tree(&own, "tree", 3, |class| if class < 2 { 1 - class } else { class });
    for method in ["paper", "affine", "layerwise"] {
        let line = format!(
            "calibrate joined.onnx --data low=OUT/tree --data pieces=data/garments --samples 5 \
             --method {method} -o OUT/{method}.onnx --json"
        );
        let ran = own.run(&line);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let found: Value = serde_json::from_str(&ran.out).unwrap();
        for key in ["scale", "shift"] {
            let numbers = found["calibration"][key].as_array().unwrap();
            assert!(numbers.iter().all(Value::is_number), "{method}: {numbers:?}");
        }
        if method == "paper" {
            for class in ["0", "1"] {
                let says = format!("class `{class}`: no calibration image is classified correctly");
                assert!(ran.err.contains(&says), "{}", ran.err);
            }
        }
    }
    own.refused(
        "profile digits.onnx --data OUT/tree --samples 1 -o OUT/x",
        &["0 (3 samples, 0 correct), 1 (3 samples, 0 correct);", "--samples all"],
    );
}

#[test]
fn layerwise_calibration_is_not_calibrated_again() {
    let own = ready();
    let line =
        format!("calibrate joined.onnx {JOINED_DATA} --samples 2 --method layerwise -o OUT/l.onnx");
    own.succeeds(&line);
    for method in ["none", "affine", "layerwise"] {
        own.refused(
            &format!("calibrate OUT/l.onnx {JOINED_DATA} --method {method} -o OUT/x.onnx"),
            &["`l` was calibrated by the method layerwise", "as it was assembled"],
        );
    }
}

#[test]
fn places_that_cannot_be_written() {
    let own = ready();
    own.write("file", "");
    fs::create_dir(own.path("folder")).unwrap();
    let lines = [
        "profile digits.onnx --data data/digits -o",
        "disassemble digits.onnx --profile digits.profile --classes 0 --refit none -o",
        "assemble low.onnx pieces.onnx -o",
        "calibrate joined.onnx --data low=data/digits -o",
        "annotate digits.onnx -o",
        "init --arch lenet5 --classes 2 -o",
    ];
    for line in lines {
        own.refused(
            &format!("{line} OUT/none/x"),
            &["OUT/none/x", "no folder OUT/none", "make it"],
        );
        own.refused(&format!("{line} OUT/folder"), &["OUT/folder", "it is a folder"]);
        own.refused(&format!("{line} OUT/file/x"), &["OUT/file/x"]);
    }
    let masks = format!("{CUT} --profile digits.profile --masks-out OUT/none/masks");
    own.refused(&masks, &["OUT/none/masks"]);
    own.refused("demo --out OUT/file", &["OUT/file"]);
}

#[cfg(unix)]
#[test]
fn folders_and_devices_that_cannot_be_written() {
    use std::os::unix::fs::PermissionsExt;
    let own = ready();
    fs::create_dir(own.path("locked")).unwrap();
    fs::set_permissions(own.path("locked"), fs::Permissions::from_mode(0o555)).unwrap();
    own.refused("annotate digits.onnx -o OUT/locked/x", &["OUT/locked/x", "read-only"]);
    own.refused("annotate digits.onnx -o /dev/null", &["/dev/null", "no regular file"]);
}

#[cfg(unix)]
#[test]
fn a_full_disk() {
    use std::process::Stdio;
    let own = ready();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = own.command("inspect digits.onnx --json");
    let done = command.stdout(Stdio::from(full)).output().unwrap();
    assert_eq!(done.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&done.stderr).starts_with("error: "));
    // No file may grow beyond a few blocks, as on a disk that is full.
    own.write("x.onnx", "here before");
    let line = own.command("assemble low.onnx pieces.onnx -o OUT/x.onnx");
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "sh"]);
    limited.arg(line.get_program()).args(line.get_args()).current_dir(shared());
    let done = limited.output().unwrap();
    let error = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{error}");
    assert!(error.contains("error: cannot write") && error.contains("x.onnx"), "{error}");
    assert_eq!(own.files().len(), 1);
    assert_eq!(own.read("x.onnx"), b"here before");
}
