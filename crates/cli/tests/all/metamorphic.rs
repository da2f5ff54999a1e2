//! What must not change a result does not: how classes are listed and named, and in which order they
//! are stored; in which order samples stand, and where batches begin and end; classes of the data
//! that the model does not have, and the other way round.
//!
//! Results are the same to the bit unless a test says otherwise. Random draws are by the place of a
//! sample and the number of its class: what draws is compared only where places and numbers stay.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use brickwork::{Card, Classifier, LayerSums, layers, load_profile, uniform};
use brickwork_data::{Dataset, Pixels, Split};
use brickwork_formats::onnx::ReadOptions;
use brickwork_graph::Patch;
use serde_json::{Value, json};

use crate::common::{Own, number, shared};

const DIGITS: [&str; 10] =
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/// Labelled images in memory.
#[derive(Clone)]
struct Images {
    names: Vec<String>,
    /// Training, then test: pixels and class.
    splits: [Vec<(Vec<u8>, usize)>; 2],
}

impl Images {
    /// The first of every class of a data set of the demo: so many to train, so many to test.
    fn first(name: &str, each: [usize; 2]) -> Self {
        let mut names = Vec::new();
        let splits = [(Split::Train, each[0]), (Split::Test, each[1])].map(|(split, each)| {
            let data = Dataset::open(shared().join("data").join(name), Some(split)).unwrap();
            names = data.classes().to_vec();
            let mut seen = vec![0; names.len()];
            let all = (0..data.len()).map(|index| (pixels(&data, index), data.label(index)));
            let first = all.filter(|(_, class)| {
                seen[*class] += 1;
                seen[*class] <= each
            });
            first.collect()
        });
        Self { names, splits }
    }

    /// Eight and five of each of ten digits.
    fn digits() -> Self {
        Self::first("digits", [8, 5]).named(&DIGITS)
    }

    /// The same under other names.
    fn named(self, names: &[impl ToString]) -> Self {
        Self { names: names.iter().map(ToString::to_string).collect(), ..self }
    }

    /// The same samples from last to first.
    fn reversed(mut self) -> Self {
        self.splits.iter_mut().for_each(|split| split.reverse());
        self
    }

    /// The same classes from last to first.
    fn renumbered(mut self) -> Self {
        self.names.reverse();
        let last = self.names.len() - 1;
        self.splits.iter_mut().flatten().for_each(|(_, class)| *class = last - *class);
        self
    }

    /// Half of the samples of a class under another name of it.
    fn doubled(mut self, class: usize) -> Self {
        let other = self.names.len();
        self.names.push(self.names[class].to_uppercase());
        for split in &mut self.splits {
            let its = split.iter_mut().filter(|sample| sample.1 == class);
            its.step_by(2).for_each(|sample| sample.1 = other);
        }
        self
    }

    /// Only the first classes.
    fn only(mut self, count: usize) -> Self {
        self.names.truncate(count);
        self.splits.iter_mut().for_each(|split| split.retain(|(_, class)| *class < count));
        self
    }

    /// Images of other classes among them.
    fn among(mut self, other: Self) -> Self {
        let first = self.names.len();
        self.names.extend(other.names);
        for (split, others) in self.splits.iter_mut().zip(other.splits) {
            for (k, (pixels, class)) in others.into_iter().enumerate() {
                split.insert((3 * k).min(split.len()), (pixels, first + class));
            }
        }
        self
    }

    /// So many of the first samples, and the others.
    fn apart(mut self, first: usize) -> [Self; 2] {
        let mut other = self.clone();
        for (split, rest) in self.splits.iter_mut().zip(&mut other.splits) {
            *rest = split.split_off(first);
        }
        [self, other]
    }

    /// Writes `NAME/set.safetensors` into a folder.
    fn write(&self, folder: &Path, name: &str) {
        let (mut entries, mut bytes) = (serde_json::Map::new(), Vec::new());
        for (split, part) in self.splits.iter().zip(["train", "test"]) {
            let mut array = |name: &str, kind: &str, shape: &[usize], data: Vec<u8>| {
                let place = [bytes.len(), bytes.len() + data.len()];
                let entry = json!({ "dtype": kind, "shape": shape, "data_offsets": place });
                entries.insert(format!("{part}_{name}"), entry);
                bytes.extend(data);
            };
            let pixels = split.iter().flat_map(|(pixels, _)| pixels.clone()).collect();
            array("images", "U8", &[split.len(), 28, 28], pixels);
            let labels = split.iter().flat_map(|(_, class)| (*class as i64).to_le_bytes());
            array("labels", "I64", &[split.len()], labels.collect());
        }
        let names = serde_json::to_string(&self.names).unwrap();
        entries.insert("__metadata__".to_owned(), json!({ "class_names": names }));
        let header = Value::Object(entries).to_string();
        let file = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &bytes].concat();
        fs::create_dir_all(folder.join(name)).unwrap();
        fs::write(folder.join(name).join("set.safetensors"), file).unwrap();
    }
}

fn pixels(data: &Dataset, index: usize) -> Vec<u8> {
    match data.image(index).unwrap().pixels() {
        Pixels::U8(pixels) => pixels.clone(),
        other => panic!("{other:?} are no bytes"),
    }
}

const BASE: &str = "base/set.safetensors";

/// `named.onnx` and its profile; `turned.onnx`, the same with its classes from last to first; the
/// components `below.onnx` and `above.onnx`, both in `both.onnx`; images in [`BASE`].
fn ready() -> Own {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| {
        Images::digits().write(shared(), "base");
        let own = Own::new();
        let names = DIGITS.join(",");
        own.succeeds(&format!("annotate digits.onnx --class-names {names} -o named.onnx"));
        turned(&load(&shared().join("named.onnx"))).save(&shared().join("turned.onnx")).unwrap();
        own.succeeds(&format!("profile named.onnx --data {BASE} --samples 3 -o named.profile"));
        let cut = "disassemble named.onnx --profile named.profile --refit none";
        own.succeeds(&format!("{cut} --classes 0-4 -o below.onnx"));
        own.succeeds(&format!("{cut} --classes 5-9 -o above.onnx"));
        own.succeeds("assemble below.onnx above.onnx -o both.onnx");
    });
    Own::new()
}

fn load(path: &Path) -> Classifier {
    Classifier::load(path, &ReadOptions::default(), None).unwrap()
}

/// A model with the rows of its head, a fully connected layer, from last to first.
fn turned(model: &Classifier) -> Classifier {
    let graph = model.graph();
    let order: Vec<usize> = (0..model.class_count()).rev().collect();
    let head = graph.node(layers(graph).pop().unwrap().node);
    let mut patch = Patch::new("turning");
    for &value in head.inputs[1..].iter().flatten() {
        let constant = graph.value(value).constant.as_ref().unwrap();
        patch.constant(value, Arc::new(constant.take(0, &order)));
    }
    let classes = model.class_names().into_iter().rev().collect();
    let card = Card { classes, ..model.card().clone() };
    Classifier::described("named", patch.apply(graph).unwrap(), card).unwrap()
}

/// What a command said, but for times and what the data holds and is found of it, which it tells as the data calls it.
fn result(own: &Own, line: &str) -> Value {
    let mut found = own.json(line);
    for told in ["data", "findings", "fitted", "measured", "speed", "file_bytes"] {
        found.as_object_mut().unwrap().remove(told);
    }
    found
}

/// What commands said, but for where they wrote it, and the files they wrote.
type Outcome = (Vec<Value>, BTreeMap<String, Vec<u8>>);

/// Runs commands that write into `OUT/NAME/`, which they call `TO`.
fn outcome(own: &Own, name: &str, lines: &[String]) -> Outcome {
    fs::create_dir_all(own.path(name)).unwrap();
    let said = lines.iter().map(|line| {
        let mut found = result(own, &line.replace("TO/", &format!("OUT/{name}/")));
        found.as_object_mut().unwrap().remove("output");
        found
    });
    let (said, start) = (said.collect(), format!("{name}/"));
    // Files say what they were made of, which differs.
    let files = own.files().into_keys();
    let files =
        files.filter_map(|file| Some((file.strip_prefix(&start)?.to_owned(), own.bare(&file))));
    (said, files.collect())
}

/// That two outcomes are the same to the bit.
fn same(name: &str, lines: &[String], found: &Outcome, expected: &Outcome) {
    for ((line, found), expected) in lines.iter().zip(&found.0).zip(&expected.0) {
        assert_eq!(found, expected, "{name}: {line}");
    }
    assert!(found.1.keys().eq(expected.1.keys()), "{name}: {:?}", found.1.keys());
    for (file, bytes) in &found.1 {
        assert!(*bytes == expected.1[file], "{name}: {file} differs");
    }
}

/// Every command that cuts or measures by images, on some classes.
fn on_classes(data: &str, classes: &str) -> Vec<String> {
    let (data, few) = (format!("--data {data} --classes {classes}"), "--refit-samples 6");
    vec![
        format!("profile named.onnx {data} --samples 3 -o TO/few"),
        format!("profile named.onnx {data} --samples all -o TO/all"),
        format!(
            "disassemble named.onnx {data} --profile named.profile {few} --refit layers \
             --masks-out TO/masks -o TO/cut.onnx"
        ),
        format!(
            "disassemble named.onnx {data} --macs 50% --step 30% --hold-out 2 {few} --refit layers \
             -o TO/small.onnx"
        ),
        format!("eval named.onnx {data} --no-latency"),
    ]
}

/// The other commands that look at images.
fn on_all(data: &str) -> Vec<String> {
    let data = format!("--data {data}");
    vec![
        format!(
            "compress named.onnx {data} --macs 60% --step 60% --hold-out 2 --refit-samples 6 \
             -o TO/less.onnx"
        ),
        format!("calibrate both.onnx {data} --method affine --samples 6 -o TO/affine.onnx"),
        format!("calibrate both.onnx {data} --method paper -o TO/paper.onnx"),
        format!("eval below.onnx {data} --source named.onnx --no-latency"),
        format!("reject below.onnx {data} --rate 20% -o TO/safe.onnx"),
    ]
}

#[test]
fn a_list_of_classes_is_a_set() {
    let own = ready();
    let lines = |classes: &str| {
        let mut lines = on_classes(BASE, classes);
        lines.extend([
            format!("probe below.onnx named.onnx --data {BASE} --classes {classes}"),
            format!("route named.profile --model named.onnx --classes {classes} -o TO/route.json"),
        ]);
        lines
    };
    let expected = outcome(&own, "range", &lines("1-3"));
    assert!(number(&expected.0[3]["frontier"][0]["accuracy"]) > 80.0, "{}", expected.0[3]);
    for (name, classes) in
        [("names", "three,one,two"), ("ranges", "one-two,three"), ("indices", "3,1-2")]
    {
        let found = outcome(&own, name, &lines(classes));
        same(name, &lines(classes), &found, &expected);
    }
}

#[test]
fn classes_of_the_data_may_be_stored_and_named_otherwise() {
    let own = ready();
    let lines = |data: &str| {
        let others = [format!("doctor named.onnx --data {data}")];
        [on_classes(data, "0-4"), on_all(data), others.to_vec()].concat()
    };
    // What is asked for are classes of the data.
    let probe = |data: &str| {
        let found = own.json(&format!("probe below.onnx named.onnx --data {data} --samples 8"));
        assert_eq!(found["classes"].as_array().unwrap().len(), 5, "{found}");
        found["models"].clone()
    };
    let expected = (outcome(&own, "base", &lines(BASE)), probe(BASE));
    let loosely = DIGITS.map(|name| format!("{}!", name.to_uppercase()));
    let wide = |c: char| char::from_u32(c as u32 + 0xfee0).unwrap();
    let in_another_form = DIGITS.map(|name| name.chars().map(wide).collect::<String>());
    for (name, images) in [
        ("turned", Images::digits().renumbered()),
        ("unicode", Images::digits().named(&in_another_form)),
        ("doubled", Images::digits().doubled(1)),
        ("loosely", Images::digits().named(&loosely)),
        ("numbered", Images::digits().named(&(0..10).collect::<Vec<_>>())),
    ] {
        images.write(&own.path("data"), name);
        let data = format!("OUT/data/{name}/set.safetensors");
        same(name, &lines(&data), &outcome(&own, name, &lines(&data)), &expected.0);
        assert_eq!(probe(&data), expected.1, "{name}");
    }
}

#[test]
fn images_have_the_same_answers_in_any_order_and_company() {
    let own = ready();
    Images::digits().reversed().write(&own.path("data"), "reversed");
    let foreign = Images::first("garments", [4, 3]);
    Images::digits().among(foreign).write(&own.path("data"), "more");
    let answers = |data: &str| {
        let said = own.succeeds(&format!("predict below.onnx {data} --json"));
        let answer = |line: &str| {
            let found: Value = serde_json::from_str(line).unwrap();
            assert!(found["classes"][0]["logit"].is_number(), "{line}");
            found["classes"].to_string()
        };
        let mut answers: Vec<String> = said.lines().map(answer).collect();
        answers.sort();
        answers
    };
    let base = answers(BASE);
    assert!(base == answers("OUT/data/reversed/set.safetensors"));
    let more = answers("OUT/data/more/set.safetensors");
    assert!(more.len() > base.len() && base.iter().all(|answer| more.contains(answer)));
}

/// Margins and sums of a profile of the most confident three samples of each class, and of one of
/// all; not their places.
fn profiled(
    own: &Own,
    model: &str,
    data: &str,
    classes: &str,
) -> Vec<Vec<(Vec<f32>, Vec<LayerSums>)>> {
    let of = |samples: &str| {
        own.succeeds(&format!(
            "profile {model}.onnx --data {data} --classes {classes} --samples {samples} -o OUT/p"
        ));
        let profile = load_profile(&own.path("p")).unwrap();
        let classes = profile.header.samples.into_iter();
        let margins = classes.map(|class| class.taken.iter().map(|sample| sample.margin).collect());
        margins.zip(profile.sums).collect()
    };
    vec![of("3"), of("all")]
}

#[test]
fn samples_may_stand_in_any_order() {
    let own = ready();
    Images::digits().reversed().write(&own.path("data"), "reversed");
    let data = "OUT/data/reversed/set.safetensors";
    assert!(profiled(&own, "named", data, "2-4") == profiled(&own, "named", BASE, "2-4"));
    let lines = |data: &str| {
        let cut = format!("--data {data} --macs 60% --no-refit --hold-out none --criterion");
        let mut lines = vec![
            format!(
                "disassemble named.onnx --data {data} --profile named.profile --classes 0-4 \
                 --refit none -o TO/cut.onnx"
            ),
            format!("compress named.onnx {cut} taylor -o TO/taylor.onnx"),
            format!("compress named.onnx {cut} contribution -o TO/contribution.onnx"),
            format!("eval named.onnx --data {data} --classes 0-4 --no-latency"),
            format!("probe below.onnx named.onnx --data {data}"),
        ];
        lines.extend(on_all(data).into_iter().filter(|line| !line.contains("samples")));
        lines
    };
    let expected = outcome(&own, "base", &lines(BASE));
    same("reversed", &lines(data), &outcome(&own, "reversed", &lines(data)), &expected);
}

/// Every class's scores of some images, by name.
fn scores(model: &Path) -> BTreeMap<String, Vec<u32>> {
    let model = load(model);
    let [c, h, w] = model.input();
    let scores = model.scorer().logits(&uniform([7, c, h, w], 0.0, 1.0, 3)).unwrap();
    let of = |class: usize| scores.take(1, &[class]).data().iter().map(|x| x.to_bits()).collect();
    model.class_names().into_iter().enumerate().map(|(class, name)| (name, of(class))).collect()
}

/// That two answers differ by no more than the order of a few sums of doubles explains.
fn same_but_rounding(a: &Value, b: &Value) {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            assert!(x.keys().eq(y.keys()), "{a}\n{b}");
            x.values().zip(y.values()).for_each(|(x, y)| same_but_rounding(x, y));
        }
        (Value::Number(_), Value::Number(_)) => close(a, b, 1e-12),
        _ => assert_eq!(a, b),
    }
}

/// That a number is another one but for so much of it.
fn close(a: &Value, b: &Value, part: f64) {
    assert!((number(a) - number(b)).abs() <= part * number(a).abs(), "{a} and {b}");
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("{value} is no list"))
}

#[test]
fn classes_of_the_model_may_be_stored_in_any_order() {
    let own = ready();
    let both = |line: &str| ["named", "turned"].map(|name| own.json(&line.replace("MODEL", name)));
    let [named, mut turned] = ["named", "turned"].map(|name| profiled(&own, name, BASE, "0-9"));
    turned.iter_mut().for_each(|classes| classes.reverse());
    for (named, turned) in named.iter().flatten().zip(turned.iter().flatten()) {
        assert!(named.1 == turned.1);
    }
    both(&format!("profile MODEL.onnx --data {BASE} --samples 3 -o OUT/MODEL.profile"));
    let [named, turned] = both(
        "disassemble MODEL.onnx --profile OUT/MODEL.profile --classes zero,one,two --refit none \
         -o OUT/MODEL.cut.onnx",
    );
    assert_eq!(named["macs"], turned["macs"]);
    for layer in ["conv1", "conv2", "fc1", "fc2"] {
        assert_eq!(named["kept"][layer], turned["kept"][layer], "{layer}");
    }
    let [named, turned] =
        ["named", "turned"].map(|name| scores(&own.path(&format!("{name}.cut.onnx"))));
    assert_eq!(named, turned);
    for line in ["MODEL.onnx --classes zero,two", "OUT/MODEL.cut.onnx --source MODEL.onnx"] {
        let found = both(&format!("eval {line} --data {BASE} --no-latency"));
        // The card may be a digit longer.
        let [named, turned] = found.map(|mut found| {
            found["file_bytes"].take();
            found
        });
        same_but_rounding(&named, &turned);
    }
    let [named, turned] =
        both(&format!("reject OUT/MODEL.cut.onnx --data {BASE} --rate 20% -o OUT/MODEL.safe.onnx"));
    assert_eq!(named["reject"], turned["reject"]);
    let [named, turned] = both(&format!("probe MODEL.onnx --data {BASE} --classes three,four"));
    assert_eq!(named["models"][0]["probe"], turned["models"][0]["probe"]);
    let [named, turned] =
        both("route OUT/MODEL.profile --model MODEL.onnx --classes zero,two -o OUT/MODEL.json");
    for (named, turned) in list(&named["layers"]).iter().zip(list(&turned["layers"])) {
        assert_eq!((&named["name"], &named["shared"]), (&turned["name"], &turned["shared"]));
        assert!(list(&named["relevant"]).iter().eq(list(&turned["relevant"]).iter().rev()));
    }
}

#[test]
fn classes_that_the_model_does_not_have_change_nothing() {
    let own = ready();
    let foreign = Images::first("garments", [4, 3]);
    foreign.write(&own.path("data"), "foreign");
    Images::digits().among(foreign).write(&own.path("data"), "more");
    let more = "OUT/data/more/set.safetensors";
    assert!(profiled(&own, "named", more, "0-9") == profiled(&own, "named", BASE, "0-9"));
    let lines = |data: &str| {
        let mut lines = [on_classes(data, "0-4"), on_all(data)].concat();
        // Profiles hold places; leakage and thresholds are about images of other classes too.
        let verbs = ["disassemble", "compress", "calibrate"];
        lines.retain(|line| verbs.iter().any(|verb| line.starts_with(verb)));
        lines.push(format!("probe below.onnx named.onnx --data {data} --classes five,six,nine"));
        lines
    };
    let expected = outcome(&own, "base", &lines(BASE));
    same("more", &lines(more), &outcome(&own, "more", &lines(more)), &expected);
    // Among the images or beside them, foreign is foreign.
    let beside = format!("{BASE} --foreign OUT/data/foreign/set.safetensors");
    for line in [
        "eval below.onnx --source named.onnx --no-latency --data",
        "eval named.onnx --no-latency --data",
        "reject below.onnx -o OUT/x.onnx --rate 20% --data",
        "reject below.onnx -o OUT/x.onnx --recall 90% --data",
    ] {
        let [among, beside] = [more, &beside].map(|data| result(&own, &format!("{line} {data}")));
        assert_eq!(among, beside, "{line}");
    }
    let [among, without] = [more, BASE].map(|data| {
        let found = own.json(&format!("eval below.onnx --data {data} --no-latency"));
        ["images", "accuracy_per_class", "mean_class_accuracy"].map(|key| found[key].clone())
    });
    assert_eq!(among, without);
}

#[test]
fn classes_that_the_data_does_not_have_change_nothing() {
    let own = ready();
    Images::digits().only(3).write(&own.path("data"), "fewer");
    let fewer = "OUT/data/fewer/set.safetensors";
    assert!(profiled(&own, "named", fewer, "0-2") == profiled(&own, "named", BASE, "0-2"));
    // Moments of other classes are measured where there are any; the network is the same.
    let [found, expected] = [fewer, BASE].map(|data| {
        let said = result(&own, &format!(
            "disassemble named.onnx --data {data} --classes 0-2 --hold-out 2 --macs 50% --step 30% \
             --refit layers --refit-samples 6 -o OUT/cut.onnx"
        ));
        (said, load(&own.path("cut.onnx")).fingerprint())
    });
    assert_eq!(found, expected);
    let [found, expected] = [fewer, BASE].map(|data| {
        let found = own.json(&format!("eval below.onnx --data {data} --classes 0-2 --no-latency"));
        ["images", "accuracy_per_class", "mean_class_accuracy"].map(|key| found[key].clone())
    });
    assert_eq!(found, expected);
}

#[test]
fn batches_may_begin_and_end_anywhere() {
    let own = ready();
    for (images, name) in Images::digits().apart(31).iter().zip(["first", "second"]) {
        images.write(&own.path("data"), name);
    }
    let two = "OUT/data/first/set.safetensors --data OUT/data/second/set.safetensors";
    let lines = |data: &str| {
        let mut lines = on_all(data);
        // What is drawn is drawn of each data set.
        lines.retain(|line| !line.contains("samples"));
        lines.extend([
            format!(
                "disassemble named.onnx --data {data} --classes 0-4 --profile named.profile \
                 --refit layers -o TO/cut.onnx"
            ),
            format!(
                "compress named.onnx --data {data} --macs 60% --hold-out none \
                 --criterion contribution -o TO/contribution.onnx"
            ),
            format!("calibrate both.onnx --data {data} --method affine -o TO/affine.onnx"),
            format!("probe below.onnx named.onnx --data {data}"),
        ]);
        lines
    };
    let expected = outcome(&own, "one", &lines(BASE));
    same("two", &lines(two), &outcome(&own, "two", &lines(two)), &expected);
    let model = load(&shared().join("named.onnx"));
    let images = uniform([9, 1, 28, 28], 0.0, 1.0, 5);
    let whole = model.scorer().logits(&images).unwrap();
    let mut alone = model.single_scorer();
    for image in 0..9 {
        let found = alone.logits(&images.take(0, &[image])).unwrap();
        assert_eq!(found, whole.take(0, &[image]), "image {image}");
    }
}

#[test]
fn components_may_be_joined_in_any_order() {
    let own = ready();
    own.succeeds("assemble below.onnx above.onnx -o OUT/both.onnx");
    own.succeeds("assemble above.onnx below.onnx -o OUT/turned.onnx");
    let both = |line: &str| ["both", "turned"].map(|name| own.json(&line.replace("MODEL", name)));
    assert_eq!(scores(&own.path("both.onnx")), scores(&own.path("turned.onnx")));
    let [eval, turned] = both(&format!("eval OUT/MODEL.onnx --data {BASE} --no-latency"));
    for key in ["accuracy_per_class", "accuracy_per_image", "params", "macs"] {
        assert_eq!(eval[key], turned[key], "{key}");
    }
    // Sums over the scores of all parts are rounded in their order.
    for method in ["paper", "affine"] {
        let [both, turned] = both(&format!(
            "calibrate OUT/MODEL.onnx --data {BASE} --method {method} -o OUT/MODEL.ready.onnx"
        ));
        for key in ["scale", "shift"] {
            let [both, turned] = [&both, &turned].map(|found| list(&found["calibration"][key]));
            for (k, number) in both.iter().enumerate() {
                close(number, &turned[(k + 5) % 10], 1e-4);
            }
        }
    }
}
