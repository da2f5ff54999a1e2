//! Verbs whose models, images and profiles are in memory give what they give of files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use brickwork::verbs::{
    Assemble, Bench, Calibrate, Context, DataInput, Disassemble, Eval, InMemory, Memory,
    ModelInput, Predict, Profile, Refitting, Route, Train, Verb,
};
use brickwork::{Classifier, HeadKind, decode_profile, encode_profile};
use brickwork_data::{Dataset, Split};

const ASSETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../cli/assets");

fn digits() -> PathBuf {
    Path::new(ASSETS).join("digits.onnx")
}

fn data(name: &str) -> DataInput {
    DataInput { data: vec![name.to_owned()], ..DataInput::default() }
}

/// Where things are that a job makes and needs.
struct Places<'a> {
    model: &'a Path,
    images: &'a str,
    folder: &'a Path,
}

/// Two halves of a model, joined again. Gives what the last model is worth, as JSON.
fn job(places: &Places<'_>, context: &Context<'_>) -> String {
    let at = |name: &str| places.folder.join(name);
    let model = ModelInput::file(places.model);
    let profile = Some(at("digits.profile"));
    let samples = "5".parse().map(brickwork::verbs::Samples).unwrap();
    let (output, images) = (profile.clone(), data(places.images));
    let request =
        Profile { model: model.clone(), data: images, output, samples, ..Profile::default() };
    request.run(context).unwrap();
    for (name, classes) in [("low.onnx", "0-4"), ("high.onnx", "5-9")] {
        let (model, profile, output) = (model.clone(), profile.clone(), Some(at(name)));
        let (classes, refit) = (classes.to_owned(), Refitting::None);
        let request =
            Disassemble { model, classes, profile, output, refit, ..Disassemble::default() };
        request.run(context).unwrap();
    }
    let parts = vec![at("low.onnx"), at("high.onnx")];
    Assemble { parts, output: Some(at("joined.onnx")), ..Assemble::default() }
        .run(context)
        .unwrap();
    let sets = ["low", "high"].map(|part| format!("{part}={}", places.images)).to_vec();
    let (data, samples) = (DataInput { data: sets, ..DataInput::default() }, Some(4));
    let (model, output) = (at("joined.onnx"), Some(at("ready.onnx")));
    let request = Calibrate { model, data: data.clone(), output, samples, ..Calibrate::default() };
    request.run(context).unwrap();
    let model = ModelInput::file(at("ready.onnx"));
    let answer = Eval { model, data, no_latency: true, ..Eval::default() }.run(context).unwrap();
    let mut told = serde_json::to_value(&answer).unwrap();
    // Files tell of the files that they were made of.
    assert!(told.as_object_mut().unwrap().remove("file_bytes").is_some());
    told.to_string()
}

#[test]
fn the_main_job_gives_the_same_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let files = format!("{ASSETS}/digits");
    let train = Dataset::open(&files, Some(Split::Train)).unwrap();
    // What is in memory has no splits: this set is what `eval` measures, too.
    let arrays = folder.path().join("digits.safetensors");
    write_arrays(&train, &arrays);
    let images = arrays.display().to_string();
    let own = digits();
    let places = Places { model: &own, images: &images, folder: folder.path() };
    let of_files = job(&places, &Context::default());

    let memory = Memory::default();
    let context = Context { memory: Some(&memory), ..Context::default() };
    let model = Classifier::load(&own, &Default::default(), None).unwrap();
    memory.put("memory:1/digits.onnx", InMemory::Model(model.into()));
    memory.put("memory:2", InMemory::Images(Dataset::open(&arrays, None).unwrap()));
    let model = Path::new("memory:1/digits.onnx");
    let places = Places { model, images: "memory:2", folder: Path::new("memory:made") };
    assert_eq!(of_files, job(&places, &context));

    let bytes = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    for name in ["low.onnx", "high.onnx", "joined.onnx", "ready.onnx"] {
        match memory.take(format!("memory:made/{name}")) {
            // What was made of things in memory tells of no files.
            Some(InMemory::File(made)) => assert!(bare(&made) == bare(&bytes(name)), "{name}"),
            other => panic!("{name}: {other:?}"),
        }
        assert!(memory.get(format!("memory:made/{name}")).is_none());
    }
    match memory.get("memory:made/digits.profile") {
        Some(InMemory::Profile(profile)) => {
            let mut kept = decode_profile(&bytes("digits.profile")).unwrap();
            let mut profile = Arc::unwrap_or_clone(profile);
            assert!(kept.header.provenance.take().is_some());
            assert!(profile.header.provenance.take().is_some());
            assert!(encode_profile(&profile).unwrap() == encode_profile(&kept).unwrap());
        }
        other => panic!("{other:?}"),
    }
}

/// The bytes of a model's file without how it was made.
fn bare(bytes: &[u8]) -> Vec<u8> {
    let (reading, head) = Default::default();
    let model = Classifier::decode_as("model", bytes, &reading, None, &head).unwrap();
    assert!(model.provenance().is_some());
    model.made(None).encode().unwrap()
}

/// Writes images and labels as arrays.
fn write_arrays(dataset: &Dataset, path: &Path) {
    use brickwork_data::Pixels;
    use safetensors::Dtype;
    use safetensors::tensor::TensorView;
    let bytes: Vec<u8> = (0..dataset.len())
        .flat_map(|index| match dataset.image(index).unwrap().pixels() {
            Pixels::U8(bytes) => bytes.clone(),
            Pixels::F32(_) => panic!("floats"),
        })
        .collect();
    let labels: Vec<u8> = dataset.labels().iter().map(|&label| label as u8).collect();
    let shape = vec![dataset.len(), 28, 28];
    let views = [
        ("images", TensorView::new(Dtype::U8, shape, &bytes).unwrap()),
        ("labels", TensorView::new(Dtype::U8, vec![labels.len()], &labels).unwrap()),
    ];
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

#[test]
fn bytes_are_read_as_files_are() {
    let memory = Memory::default();
    let context = Context { memory: Some(&memory), ..Context::default() };
    let bytes: Arc<[u8]> = std::fs::read(digits()).unwrap().into();
    memory.put("memory:digits.onnx", InMemory::File(bytes));
    let input = ModelInput::file("memory:digits.onnx");
    let model = input.load(&Default::default(), &context).unwrap();
    assert_eq!((&model.name[..], model.class_count()), ("digits", 10));
    // What is said of a model beside its file holds of one that was read before, too.
    memory.put("memory:other.onnx", InMemory::Model(model.clone().into()));
    let head = Some(HeadKind::Multilabel);
    let other = ModelInput { head, ..ModelInput::file("memory:other.onnx") };
    let other = other.load(&Default::default(), &context).unwrap();
    assert_eq!((&other.name[..], other.head()), ("other", HeadKind::Multilabel));

    memory.put("memory:net.onnx", InMemory::Model(model.into()));
    let set = Dataset::open(format!("{ASSETS}/digits"), Some(Split::Test)).unwrap();
    memory.put("memory:set", InMemory::Images(set.subset(&[0, 1, 2]).unwrap()));
    let model = ModelInput::file("memory:net.onnx");
    let images = vec!["memory:set".into()];
    let found = Predict { model, images, ..Predict::default() }.run(&context).unwrap();
    assert_eq!(found.images.len(), 3);
}

#[test]
fn names_of_nothing_are_refused() {
    let memory = Memory::default();
    let context = Context { memory: Some(&memory), ..Context::default() };
    let refused = |request: &dyn Fn(&Context<'_>) -> brickwork::Error, word: &str| {
        let error = request(&context).to_string();
        assert!(error.contains(word), "{error}");
    };
    let bench = |name: &str| Bench { model: ModelInput::file(name), ..Bench::default() };
    refused(&|c| bench("memory:1").run(c).unwrap_err(), "there is nothing in memory as `memory:1`");
    let set = Dataset::open(format!("{ASSETS}/digits"), Some(Split::Test)).unwrap();
    memory.put("memory:set", InMemory::Images(set));
    refused(&|c| bench("memory:set").run(c).unwrap_err(), "`memory:set` is no model");
    let model = ModelInput::file(digits());
    let eval = Eval { model: model.clone(), data: data("memory:digits"), ..Eval::default() };
    refused(&|c| eval.run(c).unwrap_err(), "there is nothing in memory as `memory:digits`");
    let split = DataInput { split: Some(Split::Train), ..data("memory:set") };
    let eval = Eval { model: model.clone(), data: split, ..Eval::default() };
    refused(&|c| eval.run(c).unwrap_err(), "no train and test parts");
    let profile = PathBuf::from("memory:set");
    let route = Route { profile, model, classes: "0".to_owned(), ..Route::default() };
    refused(&|c| route.run(c).unwrap_err(), "`memory:set` is no profile");

    // Where nothing can be in memory, that is known before any work.
    let parts = vec![digits()];
    let output = Some("memory:1/out.onnx".into());
    let error = Assemble { parts, output, ..Assemble::default() }.run(&Context::default());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("call it `./memory:1/out.onnx`"), "{error}");
    let mut train = Train { data: data("low=memory:set"), ..Train::default() };
    train.arch = "lenet5".to_owned();
    let error = train.run(&Context::default()).unwrap_err().to_string();
    assert!(error.contains("`memory:set` names something in memory"), "{error}");
}
