//! Data as people keep it: however folders, samples and classes are called, listed and stored, figures are
//! of what they seem to be of, or are refused.

use std::collections::BTreeMap;
use std::path::Path;

use brickwork_data::{Dataset, Pixels, Split};
use serde_json::{Value, json};

use crate::common::{Own, number, prepared, shared};

/// The garments in the order of the model's scores.
const GARMENTS: [&str; 10] = [
    "t-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle-boot",
];

/// Writes the first `count` test images of every garment as files: of class `k` into the folder
/// `OUT/name/folder(k)`, or nowhere.
fn tree(own: &Own, name: &str, count: usize, folder: impl Fn(usize) -> Option<String>) {
    let data = Dataset::open(shared().join("data/garments"), Some(Split::Test)).unwrap();
    let mut written = [0; 10];
    for index in 0..data.len() {
        let class = data.label(index);
        let Some(folder) = folder(class).filter(|_| written[class] < count) else { continue };
        let Pixels::U8(pixels) = data.image(index).unwrap().pixels().clone() else {
            panic!("bytes")
        };
        let image = image::GrayImage::from_raw(28, 28, pixels).unwrap();
        let path = own.path(&format!("{name}/{folder}/{}.png", written[class]));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        image.save(path).unwrap();
        written[class] += 1;
    }
}

fn eval(own: &Own, line: &str) -> Value {
    own.json(&format!("eval garments.onnx --no-latency {line}"))
}

/// Accuracy by class, by the model's names.
fn by_class(found: &Value) -> BTreeMap<String, f64> {
    let classes = found["accuracy_per_class"].as_object().unwrap();
    classes.iter().map(|(name, share)| (name.clone(), number(share))).collect()
}

/// A refit needs no labels: images of a folder without class folders are what the model says.
#[test]
fn a_folder_of_nothing_but_images_serves_where_no_labels_are_needed() {
    let own = Own::new();
    tree(&own, "by", 6, |class| (class < 3).then(|| GARMENTS[class].to_owned()));
    std::fs::create_dir(own.path("flat")).unwrap();
    for class in &GARMENTS[..3] {
        for k in 0..6 {
            let (from, to) = (format!("by/{class}/{k}.png"), format!("flat/{class}-{k}.png"));
            std::fs::copy(own.path(&from), own.path(&to)).unwrap();
        }
    }
    let cut = "disassemble garments.onnx --classes 0-2 --macs 60% --refit layers --data OUT/flat";
    let ran = own.run(&format!("{cut} -o OUT/cut.onnx --json"));
    assert!(ran.err.contains("has no labels"), "{}", ran.err);
    let found: Value = serde_json::from_str(&ran.out).unwrap();
    let data = &found["data"]["sets"][0];
    assert_eq!((&data["images"], &data["matched"]), (&json!(18), &json!(18)));
    assert!(number(&found["macs"]["after"]) <= 0.6 * number(&found["macs"]["before"]));
    own.refused(
        "refit OUT/cut.onnx --source garments.onnx --data OUT/flat -o OUT/x.onnx",
        &["has no labels", "on 18 images: it takes 80 or more"],
    );
    own.refused(
        "eval garments.onnx --data OUT/flat",
        &["a folder of 18 image files", "one folder of PNG"],
    );
    own.refused(
        &format!("{cut} --data OUT/by -o OUT/y.onnx"),
        &["OUT/by has labels", "others of the data have none"],
    );
}

#[test]
fn names_are_matched_up_to_their_spelling() {
    let own = Own::new();
    tree(&own, "plain", 5, |class| Some(GARMENTS[class].to_owned()));
    tree(&own, "odd", 5, |class| Some(GARMENTS[class].to_uppercase().replace('-', "_")));
    let (plain, odd) = (eval(&own, "--data OUT/plain"), eval(&own, "--data OUT/odd"));
    assert_eq!(by_class(&plain), by_class(&odd));
    assert_eq!(plain["data"]["sets"][0]["respelt"], json!([]));
    let respelt = odd["data"]["sets"][0]["respelt"].as_array().unwrap();
    assert!(respelt.contains(&json!({"data": "ANKLE_BOOT", "model": "ankle-boot"})), "{respelt:?}");
    let said = own.run("eval garments.onnx --no-latency --data OUT/odd").err;
    assert!(said.contains("classes spelt otherwise: ANKLE_BOOT is ankle-boot"), "{said}");
}

#[test]
fn numbers_are_indices_whichever_folders_there_are() {
    let own = Own::new();
    tree(&own, "named", 5, |class| Some(GARMENTS[class].to_owned()));
    tree(&own, "numbered", 5, |class| Some(class.to_string()));
    tree(&own, "some", 5, |class| (class != 4).then(|| format!("{class:02}")));
    tree(&own, "from-one", 5, |class| Some((class + 1).to_string()));
    let named = by_class(&eval(&own, "--data OUT/named"));
    assert_eq!(by_class(&eval(&own, "--data OUT/numbered")), named);
    let some = by_class(&eval(&own, "--data OUT/some --allow-missing"));
    assert_eq!(some.len(), 9);
    assert!(some.iter().all(|(name, share)| named[name] == *share), "{some:?}");
    own.refused(
        "eval garments.onnx --data OUT/from-one",
        &["the numbers 1, 2, 3", "no indices of its classes", "--labels FILE"],
    );
    let lines: String = (0..10).map(|k| format!("{},{}\n", k + 1, GARMENTS[k])).collect();
    own.write("labels.csv", format!("folder,name\n{lines}"));
    let labelled = eval(&own, "--data OUT/from-one --labels OUT/labels.csv");
    assert_eq!(by_class(&labelled), named);
    assert_eq!(labelled["data"]["sets"][0]["by"], "label");
}

#[test]
fn numbers_and_names_with_commas_are_chosen_as_names() {
    let own = Own::new();
    tree(&own, "from-one", 4, |class| Some((class + 1).to_string()));
    let names: Vec<String> = (1..=10).map(|name| name.to_string()).collect();
    let line = format!("--data OUT/from-one --class-names {}", names.join(","));
    let found = eval(&own, &format!("{line} --classes 1,2"));
    assert_eq!(by_class(&found).keys().collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!((&found["images"], &found["data"]["sets"][0]["by"]), (&json!(8), &json!("name")));
    let said = own.run(&format!("eval garments.onnx --no-latency {line} --classes 1,2")).err;
    assert!(said.contains("taking these for names: 1, 2"), "{said}");
    for (classes, says) in [("0,1", "no such class: `0`"), ("0-1", "`0-1`"), ("1,1", "twice")] {
        own.refused(&format!("eval garments.onnx {line} --classes {classes}"), &[says]);
    }
    // A name that holds a comma is chosen whole, or from a file.
    let spelt = |class: usize| match class {
        0 => "tench,Tinca".to_owned(),
        class => GARMENTS[class].to_owned(),
    };
    tree(&own, "fish", 4, |class| Some(spelt(class)));
    own.write("names.txt", (0..10).map(|class| spelt(class) + "\n").collect::<String>());
    own.write("chosen.txt", "tench,Tinca\n");
    let line = "--data OUT/fish --class-names @OUT/names.txt --classes";
    let alone = eval(&own, &format!("{line} tench,Tinca"));
    assert_eq!(by_class(&alone).keys().collect::<Vec<_>>(), ["tench,Tinca"]);
    assert_eq!(eval(&own, &format!("{line} @OUT/chosen.txt")), alone);
    assert_eq!(by_class(&eval(&own, &format!("{line} \"tench,Tinca\",bag"))).len(), 2);
}

/// Writes arrays as a file: of each its name, type, shape and bytes.
fn arrays(own: &Own, name: &str, arrays: &[(&str, &str, &[usize], Vec<u8>)]) {
    let mut header = serde_json::Map::new();
    let mut bytes = Vec::new();
    for (name, element, shape, data) in arrays {
        let start = bytes.len();
        bytes.extend(data);
        let entry = json!({"dtype": element, "shape": shape, "data_offsets": [start, bytes.len()]});
        header.insert((*name).to_owned(), entry);
    }
    let header = Value::Object(header).to_string();
    own.write(name, [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &bytes].concat());
}

#[test]
fn arrays_are_read_as_they_are_published() {
    let own = Own::new();
    let data = Dataset::open(shared().join("data/garments"), Some(Split::Test)).unwrap();
    let pixels: Vec<u8> = (0..30)
        .flat_map(|index| match data.image(index).unwrap().pixels().clone() {
            Pixels::U8(pixels) => pixels,
            Pixels::F32(_) => panic!("bytes"),
        })
        .collect();
    let labels: Vec<i64> = (0..30).map(|index| data.label(index) as i64).collect();
    let labels: Vec<u8> = labels.iter().flat_map(|label| label.to_le_bytes()).collect();
    let bytes = ("U8", pixels.clone());
    let wide = pixels.iter().flat_map(|&x| i64::from(x).to_le_bytes()).collect();
    let real = pixels.iter().flat_map(|&x| (f64::from(x) / 255.0).to_le_bytes()).collect();
    let forms = [
        ("med", ["test_images", "test_labels"], bytes.clone(), &[30, 1][..]),
        ("keras", ["x_test", "y_test"], bytes.clone(), &[30, 1]),
        ("plain", ["images", "labels"], bytes.clone(), &[30]),
        ("data", ["data", "target"], bytes, &[30]),
        ("int64", ["images", "labels"], ("I64", wide), &[30]),
        ("float64", ["images", "labels"], ("F64", real), &[30]),
    ];
    let mut expected = None;
    for (name, [images, targets], (element, pixels), shape) in forms {
        let file = format!("{name}.safetensors");
        let images = (images, element, &[30, 28, 28][..], pixels);
        arrays(&own, &file, &[images, (targets, "I64", shape, labels.clone())]);
        let mut found = eval(&own, &format!("--data OUT/{file} --allow-missing"));
        assert_eq!(found["images"], json!(30), "{name}");
        for key in ["data", "calibration_error", "reliability"] {
            found[key] = Value::Null;
        }
        assert_eq!(&found, expected.get_or_insert(found.clone()), "{name}");
    }
}

#[test]
fn a_figure_is_never_of_fewer_classes_without_a_word() {
    let own = Own::new();
    prepared();
    tree(&own, "typo", 4, |class| {
        Some(if class == 1 { "trouzers".to_owned() } else { GARMENTS[class].to_owned() })
    });
    let says = ["no image of 1 of the 10 classes: trouser", "--allow-missing"];
    for line in [
        "eval garments.onnx",
        "profile garments.onnx -o OUT/x",
        "compress garments.onnx --macs 60% -o OUT/x.onnx",
        "disassemble garments.onnx --classes bag,coat,trouser --macs 60% -o OUT/x.onnx",
        "finetune garments.onnx --epochs 1 -o OUT/x.onnx",
        "reject garments.onnx --recall 95% -o OUT/x.onnx",
    ] {
        let says = if line.contains("--classes") {
            ["no image of 1 of the 3 classes: trouser", "--allow-missing"]
        } else {
            says
        };
        own.refused(&format!("{line} --data OUT/typo"), &says);
    }
    let found = eval(&own, "--data OUT/typo --allow-missing");
    assert_eq!(found["data"]["without_images"], json!(["trouser"]));
    assert_eq!(found["data"]["sets"][0]["foreign"], json!([{"class": "trouzers", "images": 4}]));
    assert_eq!(found["data"]["sets"][0]["matched"], 36);
    let text = own.succeeds("eval garments.onnx --no-latency --data OUT/typo --allow-missing");
    assert!(text.contains("These figures are of 9 of 10 classes"), "{text}");
    // The classes that are asked for are all there.
    let chosen = eval(&own, "--data OUT/typo --classes bag,coat");
    assert_eq!(chosen["data"]["without_images"], json!([]));
    let compressed = own.json(
        "compress garments.onnx --data OUT/typo --allow-missing --macs 60% --hold-out none -o OUT/c.onnx",
    );
    assert_eq!(compressed["data"]["without_images"], json!(["trouser"]));
    tree(&own, "strange", 2, |class| {
        Some(if class < 7 { format!("thing{class}") } else { GARMENTS[class].to_owned() })
    });
    own.refused(
        "eval garments.onnx --data OUT/strange --classes sneaker,bag",
        &["only 6 of the 20 images", "--labels"],
    );
}

#[test]
fn classes_and_folders_in_any_order_give_the_same() {
    let own = Own::new();
    tree(&own, "plain", 6, |class| Some(GARMENTS[class].to_owned()));
    tree(&own, "wrapped", 6, |class| Some(format!("inner/Testing/{}", GARMENTS[class])));
    tree(&own, "deep", 6, |class| Some(format!("{}/more", GARMENTS[class])));
    tree(&own, "flat", 6, |class| Some(format!("images/{class}")));
    let mut lines: Vec<String> = (0..10)
        .flat_map(|class| (0..6).map(move |k| format!("{class}/{k}.png,{}", GARMENTS[class])))
        .collect();
    lines.reverse();
    own.write("flat/labels.csv", format!("path,label\n{}\n", lines.join("\n")));
    let expected = by_class(&eval(&own, "--data OUT/plain"));
    for name in ["wrapped", "deep", "flat", "flat/labels.csv"] {
        assert_eq!(by_class(&eval(&own, &format!("--data OUT/{name}"))), expected, "{name}");
    }
    let chosen = ["bag,coat,dress", "dress,bag,coat", "8,3,4", "3-4,8"];
    let found = chosen.map(|classes| {
        let mut found = eval(&own, &format!("--data OUT/plain --classes {classes}"));
        found["data"] = Value::Null;
        found
    });
    assert!(found.iter().all(|one| *one == found[0]));
    own.refused(
        "eval garments.onnx --data OUT/plain --classes bag,3",
        &["is a name and `3` an index"],
    );
    own.refused("eval garments.onnx --data OUT/plain --classes bag,bag", &["selected twice"]);
}

#[test]
fn files_that_cannot_be_read_are_left_out_on_request() {
    let own = Own::new();
    tree(&own, "some", 3, |class| Some(GARMENTS[class].to_owned()));
    own.write("some/bag/7.png", "no image");
    own.write("some/coat/8.heic", "no image");
    own.refused("eval garments.onnx --data OUT/some", &["8.heic", "--skip-bad"]);
    std::fs::remove_file(own.path("some/coat/8.heic")).unwrap();
    own.refused("eval garments.onnx --data OUT/some", &["7.png"]);
    let found = eval(&own, "--data OUT/some --skip-bad");
    assert_eq!(found["images"], 30);
    let left = found["data"]["sets"][0]["left_out"].as_array().unwrap();
    assert!(left.len() == 1 && left[0].as_str().unwrap().contains("7.png"), "{left:?}");
}

#[test]
fn a_proof_says_which_images_it_is_of() {
    prepared();
    let own = Own::new();
    tree(&own, "some", 2, |class| Some(class.to_string()));
    own.write("some/3/7.png", "no image");
    let line = "verify garments.onnx pieces.onnx --data OUT/some --images 5";
    own.refused(line, &["7.png"]);
    let found = own.json(&format!("{line} --skip-bad"));
    let set = &found["data"][0];
    assert_eq!((&set["images"], &set["taken"]), (&json!(20), &json!(5)));
    assert!(set["left_out"][0].as_str().unwrap().contains("7.png"), "{set:#}");
    let said = own.run(&format!("{line} --skip-bad"));
    assert!(said.out.contains("compared on 5 of 20 images of some, none of"), "{}", said.out);
    assert!(said.err.contains("some: 1 files left out"), "{}", said.err);
    assert_eq!(own.json("verify garments.onnx pieces.onnx")["data"], json!([]));
}

#[test]
fn numbers_in_names_are_never_put_in_the_order_of_text() {
    prepared();
    let own = Own::new();
    own.succeeds("init --arch lenet5 --classes 10 --size 28x28 --channels 1 -o OUT/net.onnx");
    let eval = "eval OUT/net.onnx --mean 0 --std 1 --no-latency --data";
    tree(&own, "signed", 2, |class| Some((class as i32 - 1).to_string()));
    own.refused(&format!("{eval} OUT/signed"), &["the numbers", "no indices of its classes"]);
    tree(&own, "words", 2, |class| Some(format!("class_{}", class + 1)));
    own.refused(
        &format!("{eval} OUT/words"),
        &["the order of text", "class_1, class_10, class_2", "--class-names"],
    );
    tree(&own, "padded", 2, |class| Some(format!("class_{:02}", class + 1)));
    let found = own.json(&format!("{eval} OUT/padded"));
    assert!(found["accuracy_per_class"]["class_10"].is_number(), "{found:#}");
    let names: Vec<String> = (1..=10).map(|k| format!("class_{k}")).collect();
    let line = format!("{eval} OUT/words --class-names {}", names.join(","));
    assert_eq!(own.json(&line)["images"], json!(20));
}

#[test]
fn every_image_is_answered_as_eval_counts_it() {
    let own = Own::new();
    tree(&own, "some", 4, |class| Some(GARMENTS[class].to_owned()));
    let found = eval(&own, "--data OUT/some --confusion OUT/c.csv --per-image OUT/i.csv");
    let ran = own.run("predict garments.onnx OUT/some --top 2 --csv OUT/p.csv --json");
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let answers: Vec<Value> = ran.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(answers.len(), 40);
    let is_right = |answer: &&Value| {
        let folder = Path::new(answer["image"].as_str().unwrap()).parent().unwrap();
        folder.ends_with(answer["classes"][0]["class"].as_str().unwrap())
    };
    let right = answers.iter().filter(is_right).count();
    let percent = 100.0 * right as f64 / 40.0;
    assert_eq!(percent, number(&found["accuracy_per_image"]));
    let [low, high] = [0, 1].map(|k| number(&found["accuracy_interval"][k]));
    assert!(low < percent && percent < high);
    // Both tables say the same.
    let text = |name: &str| String::from_utf8(own.read(name)).unwrap();
    let rows = |name: &str| text(name).lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(rows("p.csv").len(), 80);
    let images = rows("i.csv");
    let cell = |row: &str, k: usize| row.split(',').nth(k).unwrap().to_owned();
    assert_eq!(images.iter().filter(|row| cell(row, 2) == cell(row, 4)).count(), right);
    let matrix: Vec<Vec<usize>> = rows("c.csv")
        .iter()
        .map(|row| row.split(',').skip(1).map(|count| count.parse().unwrap()).collect())
        .collect();
    assert_eq!((0..10).map(|k| matrix[k][k]).sum::<usize>(), right);
    assert_eq!(matrix.iter().flatten().sum::<usize>(), 40);
}

#[test]
fn what_cannot_be_looked_at_is_listed_at_the_end() {
    let own = Own::new();
    tree(&own, "some", 1, |class| (class < 3).then(|| GARMENTS[class].to_owned()));
    own.write("some/bag/7.png", "no image");
    let ran = own.run("predict garments.onnx OUT/some OUT/nowhere.png");
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.out.contains("2 images could not be read"), "{}", ran.out);
    assert!(ran.out.contains("7.png") && ran.out.contains("nowhere.png"), "{}", ran.out);
    assert_eq!(ran.out.lines().filter(|line| line.contains('%')).count(), 3, "{}", ran.out);
}

#[test]
fn the_doctor_finds_what_is_wrong() {
    let own = Own::new();
    tree(&own, "right", 12, |class| Some(GARMENTS[class].to_owned()));
    let found = own.json("doctor garments.onnx --data OUT/right");
    assert_eq!(found["findings"], json!([]), "{found:#}");
    assert!(number(&found["agreement"]["share"]) > 70.0);
    tree(&own, "turned", 12, |class| Some(GARMENTS[(class + 1) % 10].to_owned()));
    let wrong = |line: &str, words: &str| {
        let ran = own.run(&format!("doctor garments.onnx {line}"));
        assert_eq!(ran.code, Some(1), "{line}: {}{}", ran.out, ran.err);
        assert!(ran.out.contains("WRONG") && ran.out.contains(words), "{line}: {}", ran.out);
    };
    wrong("--data OUT/turned", "another order than the scores");
    wrong("--data OUT/right --mean 70 --std 90", "the mean is 70");
    wrong("--data OUT/right --mean 0.9 --std 3", "with --mean");
    tree(&own, "some", 12, |class| (class < 4).then(|| GARMENTS[class].to_owned()));
    wrong("--data OUT/some", "no image of 6 of the 10 classes");
    let found = own.json("doctor garments.onnx --data OUT/some --allow-missing");
    assert_eq!(found["findings"][0]["severity"], "doubtful", "{found:#}");
    tree(&own, "typo", 3, |class| Some(format!("{}s", GARMENTS[class])));
    wrong("--data OUT/typo", "none of the model's classes");
}

#[test]
fn one_field_can_be_annotated_alone() {
    let own = Own::new();
    own.succeeds("init --arch lenet5 --classes 3 -o OUT/net.onnx");
    let found = own.json("annotate OUT/net.onnx --class-names a,b,c -o OUT/named.onnx");
    assert_eq!((&found["classes"], &found["preprocess"]), (&json!(["a", "b", "c"]), &Value::Null));
    own.refused("annotate OUT/net.onnx --mean 0.5 -o OUT/x.onnx", &["--std"]);
    let found = own.json("annotate OUT/named.onnx --mean 0.5 --std 0.25 -o OUT/both.onnx");
    assert_eq!((&found["classes"][2], &found["preprocess"]["mean"]), (&json!("c"), &json!([0.5])));
    let found = own.json("annotate OUT/both.onnx --fit cover -o OUT/both.onnx");
    assert_eq!((&found["classes"][2], &found["preprocess"]["fit"]), (&json!("c"), &json!("cover")));
}
