//! Work that several processes share gives what one process gives, to the bit, however it is shared.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use brickwork::verbs::{
    Context, DataInput, Disassemble, Divisible, Eval, InMemory, Memory, ModelInput, Partial,
    Portion, Profile, RefitLayer, RefitLayerAnswer, Refitting, Samples, Verb, layers_to_refit,
};
use brickwork::{Classifier, Error, encode_profile, layers};
use brickwork_data::{Dataset, ImageArray, Pixels, Split};
use brickwork_tensor::Nd;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

const ASSETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../cli/assets");

/// Images of the tests in memory.
const COUNT: usize = 60;

static DIGITS: LazyLock<Dataset> = LazyLock::new(|| {
    let files = format!("{ASSETS}/digits");
    let all = Dataset::open(files, Some(Split::Test)).unwrap();
    // Images of all classes.
    all.subset(&(0..COUNT).map(|k| 16 * k).collect::<Vec<_>>()).unwrap()
});

fn digits() -> PathBuf {
    Path::new(ASSETS).join("digits.onnx")
}

fn of_files() -> DataInput {
    let data = vec![format!("{ASSETS}/digits")];
    DataInput { data, split: Some(Split::Test), ..DataInput::default() }
}

fn in_memory() -> DataInput {
    DataInput { data: vec!["memory:images".to_owned()], ..DataInput::default() }
}

fn profile(data: DataInput, samples: &str) -> Profile {
    let samples = samples.parse().map(Samples).unwrap();
    Profile { model: ModelInput::file(digits()), data, samples, ..Profile::default() }
}

/// Leaves foreign images, and compares with a source.
fn eval(data: DataInput) -> Eval {
    let (model, source) = (ModelInput::file(digits()), Some(digits()));
    let classes = Some("0-7".to_owned());
    Eval { model, data, classes, source, no_latency: true, ..Eval::default() }
}

/// Some of the images, in arrays of their own.
fn images(indices: &[usize]) -> Dataset {
    let mut pixels = Vec::new();
    for &index in indices {
        match DIGITS.image(index).unwrap().pixels() {
            Pixels::U8(image) => pixels.extend_from_slice(image),
            Pixels::F32(_) => unreachable!("digits are bytes"),
        }
    }
    let labels: Vec<i64> = indices.iter().map(|&index| DIGITS.label(index) as i64).collect();
    let shape = [indices.len(), 28, 28, 1];
    let array = ImageArray { shape, pixels: Pixels::U8(pixels), channels_first: false };
    let labels = Nd::new([indices.len()], labels);
    Dataset::of_arrays("images", array, Some(&labels), Some(DIGITS.classes().to_vec())).unwrap()
}

/// What is found on some images, through bytes.
fn found_on<V: Divisible>(request: &V, dataset: Dataset) -> Partial {
    let memory = Memory::default();
    memory.put("memory:images", InMemory::Images(dataset));
    let context = Context { memory: Some(&memory), ..Context::default() };
    sent(&request.partial(None, &context).unwrap())
}

fn sent(partial: &Partial) -> Partial {
    let back = Partial::decode(&partial.encode().unwrap()).unwrap();
    assert_eq!(&back, partial);
    back
}

fn sum(partials: impl IntoIterator<Item = Partial>) -> Result<Partial, Error> {
    let mut partials = partials.into_iter();
    let first = partials.next().expect("a partial");
    partials.try_fold(first, Partial::with)
}

/// Everything that a verb gives.
trait Told: Divisible {
    fn told(&self, answer: Self::Answer) -> Vec<u8>;
}

impl Told for Profile {
    fn told(&self, answer: Self::Answer) -> Vec<u8> {
        let mut bytes = encode_profile(&answer.profile).unwrap();
        bytes.extend(serde_json::to_vec(&answer).unwrap());
        bytes
    }
}

impl Told for Eval {
    fn told(&self, answer: Self::Answer) -> Vec<u8> {
        serde_json::to_vec_pretty(&answer).unwrap()
    }
}

fn same<V: Told>(request: &V, found: V::Answer, expected: V::Answer) {
    let [found, expected] = [found, expected].map(|answer| request.told(answer));
    assert!(found == expected, "{} differs", V::NAME);
}

fn portions_make_the_whole<V: Told>(request: &V) {
    let context = Context::default();
    for of in [1, 2, 3, 7] {
        let found = |place| request.partial(Some(Portion { place, of }), &context).unwrap();
        let mut partials: Vec<Partial> = (1..=of).map(found).collect();
        partials.rotate_left(of / 2);
        partials.swap(0, of - 1);
        let found = request.finish(sum(partials).unwrap(), &context).unwrap();
        same(request, found, request.run(&context).unwrap());
    }
}

#[test]
fn a_profile_of_portions_is_that_of_the_whole() {
    portions_make_the_whole(&profile(of_files(), "5"));
    portions_make_the_whole(&profile(of_files(), "all"));
}

#[test]
fn an_evaluation_of_portions_is_that_of_the_whole() {
    portions_make_the_whole(&eval(of_files()));
}

#[test]
fn a_file_tells_how_it_was_made_however_it_was_shared() {
    let folder = tempfile::tempdir().unwrap();
    let output = Some(folder.path().join("profile"));
    let request = Profile { output: output.clone(), ..profile(of_files(), "3") };
    let read = || std::fs::read(output.as_ref().unwrap()).unwrap();
    let context = Context::default();
    request.run(&context).unwrap();
    let expected = read();
    let partials =
        [1, 2].map(|place| request.partial(Some(Portion { place, of: 2 }), &context).unwrap());
    request.finish(sum(partials).unwrap(), &context).unwrap();
    assert!(read() == expected, "the file differs");
}

/// For every image the process that looks at it, and a seed of the order in which what they found is added.
fn shares() -> impl Strategy<Value = (Vec<usize>, u64)> {
    (prop::collection::vec(0_usize..8, COUNT), any::<u64>())
}

fn shared<V: Told>(request: &V, shares: &[usize], seed: u64, expected: &[u8]) {
    let most = *shares.iter().max().unwrap();
    let mut partials = Vec::new();
    for process in 0..=most {
        let own: Vec<usize> = (0..COUNT).filter(|&index| shares[index] == process).collect();
        if !own.is_empty() {
            partials.push(found_on(request, images(&own).part_of(own, COUNT).unwrap()));
        }
    }
    let count = partials.len() as u64;
    for k in (1..partials.len()).rev() {
        partials.swap(k, ((seed >> (k % 48)) % count.min(k as u64 + 1)) as usize);
    }
    let found = request.finish(sum(partials).unwrap(), &Context::default()).unwrap();
    assert!(request.told(found) == expected, "{} differs", V::NAME);
}

fn in_one<V: Told>(request: &V) -> Vec<u8> {
    let memory = Memory::default();
    memory.put("memory:images", InMemory::Images(images(&(0..COUNT).collect::<Vec<_>>())));
    let context = Context { memory: Some(&memory), ..Context::default() };
    request.told(request.run(&context).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn images_may_be_shared_in_any_way((shares, seed) in shares()) {
        for samples in ["2", "all"] {
            let request = profile(in_memory(), samples);
            shared(&request, &shares, seed, &in_one(&request));
        }
        let request = eval(in_memory());
        shared(&request, &shares, seed, &in_one(&request));
    }
}

#[test]
fn one_image_a_process_will_do() {
    let shares: Vec<usize> = (0..COUNT).collect();
    let request = profile(in_memory(), "2");
    shared(&request, &shares, 7, &in_one(&request));
    let request = eval(in_memory());
    shared(&request, &shares, 7, &in_one(&request));
}

/// More processes than images: some find nothing, which changes nothing.
#[test]
fn a_process_without_images_adds_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("few.safetensors");
    let few = images(&[0, 1, 2, 3, 4]);
    let pixels: Vec<u8> = (0..5)
        .flat_map(|k| match few.image(k).unwrap().pixels() {
            Pixels::U8(image) => image.clone(),
            Pixels::F32(_) => Vec::new(),
        })
        .collect();
    let labels: Vec<u8> =
        few.labels().iter().flat_map(|&label| (label as i64).to_le_bytes()).collect();
    let view = |dtype, shape: Vec<usize>, data| {
        safetensors::tensor::TensorView::new(dtype, shape, data).unwrap()
    };
    let arrays = [
        ("images", view(safetensors::Dtype::U8, vec![5, 28, 28], &pixels)),
        ("labels", view(safetensors::Dtype::I64, vec![5], &labels)),
    ];
    std::fs::write(&file, safetensors::serialize(arrays, None).unwrap()).unwrap();
    let data = vec![file.display().to_string()];
    let data = DataInput { data, allow_missing: true, ..DataInput::default() };
    let (profile, context) = (profile(data.clone(), "2"), Context::default());
    let eval = Eval { source: None, classes: None, ..eval(data) };
    let portion = |place| Some(Portion { place, of: 9 });
    let whole = sum((1..=9).map(|k| sent(&profile.partial(portion(k), &context).unwrap())));
    let found = profile.finish(whole.unwrap(), &context).unwrap();
    same(&profile, found, profile.run(&context).unwrap());
    let whole = sum((1..=9).map(|k| sent(&eval.partial(portion(k), &context).unwrap())));
    same(&eval, eval.finish(whole.unwrap(), &context).unwrap(), eval.run(&context).unwrap());
}

#[test]
fn nothing_is_lost_and_nothing_counted_twice() {
    let (request, context) = (eval(of_files()), Context::default());
    let part = |place, of| request.partial(Some(Portion { place, of }), &context).unwrap();
    let refused = |partials: Vec<Partial>, why: &str| {
        let said = sum(partials).and_then(|whole| request.finish(whole, &context).map(|_| ()));
        let said = said.unwrap_err().to_string();
        assert!(said.contains(why), "{said}");
    };
    refused(vec![part(1, 2)], "of the 1000 images of digits, 500 were looked at");
    refused(vec![part(1, 2), part(1, 2)], "image 0 of digits is in two");
    refused(vec![part(1, 2), part(2, 3)], "image 333 of digits is in two");
    refused(vec![part(1, 3), part(3, 3)], "of the 1000 images of digits, 667 were looked at");
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let context = Context::default();
    let half = |place| Some(Portion { place, of: 2 });
    let own = eval(of_files());
    let (first, second) =
        (own.partial(half(1), &context).unwrap(), own.partial(half(2), &context).unwrap());
    let refused = |other: Partial, why: &[&str]| {
        let said = first.clone().with(other).unwrap_err().to_string();
        assert!(why.iter().all(|why| said.contains(why)), "{said}");
    };
    let others = Eval { source: None, ..own.clone() };
    refused(others.partial(half(2), &context).unwrap(), &["different work: source \"v2:"]);
    let others = Eval { classes: Some("1-7".to_owned()), ..own.clone() };
    refused(others.partial(half(2), &context).unwrap(), &["different work: asked [0,1,2,"]);
    let mut others = own.clone();
    others.data.split = Some(Split::Train);
    refused(others.partial(half(2), &context).unwrap(), &["different data: digits (1000 images"]);
    let others = profile(of_files(), "2");
    refused(
        others.partial(half(2), &context).unwrap(),
        &["different work:", "verb \"eval\" and \"profile\""],
    );

    let whole = first.with(second).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.onnx");
    let model = Classifier::load(&digits(), &Default::default(), None).unwrap();
    let named = (0..10).map(|k| format!("number {k}")).collect();
    model.with_classes(named).unwrap().save(&other).unwrap();
    let request = Eval { model: ModelInput::file(other), source: None, ..own.clone() };
    let said = request.finish(whole.clone(), &context).map(|_| ()).unwrap_err().to_string();
    assert!(said.contains("different work: classes"), "{said}");
    let said = profile(of_files(), "2").finish(whole, &context).map(|_| ()).unwrap_err();
    assert!(said.to_string().contains("is no profile"), "{said}");
    let said = profile(of_files(), "10%").partial(half(1), &context).unwrap_err().to_string();
    assert!(said.contains("a percentage of parts is not that of the whole"), "{said}");
}

#[test]
fn a_class_without_images_is_missed_in_the_end() {
    let (request, context) = (profile(in_memory(), "2"), Context::default());
    let zeros: Vec<usize> = (0..COUNT).filter(|&k| DIGITS.label(k) == 0).collect();
    let count = zeros.len();
    let found = found_on(&request, images(&zeros).part_of((0..count).collect(), count).unwrap());
    let said = request.finish(found, &context).map(|_| ()).unwrap_err().to_string();
    assert!(said.contains("there is no image of 9 of the 10 classes"), "{said}");
}

#[test]
fn damaged_bytes_are_refused() {
    let few = || images(&[0, 1, 2]).part_of(vec![0, 1, 2], COUNT).unwrap();
    for partial in [
        found_on(&profile(in_memory(), "1"), few()),
        found_on(&profile(in_memory(), "all"), few()),
        found_on(&eval(in_memory()), few()),
    ] {
        let bytes = partial.encode().unwrap();
        for end in (0..bytes.len()).step_by(bytes.len() / 200 + 1) {
            assert!(Partial::decode(&bytes[..end]).is_err(), "{end} bytes");
        }
        for at in (0..bytes.len()).step_by(bytes.len() / 300 + 1) {
            let mut changed = bytes.clone();
            changed[at] ^= 0x41;
            // What only looks otherwise means the same.
            if let Ok(back) = Partial::decode(&changed) {
                assert_eq!(back, partial, "byte {at}");
            }
        }
    }
    let said = Partial::decode(b"no file").unwrap_err().to_string();
    assert!(said.contains("this is not what a process found"), "{said}");
}

/// The bytes of a partial with a digit of its header changed, and the digest put right.
fn forged(bytes: &[u8], at: usize, digit: char) -> Vec<u8> {
    let (_, metadata) = safetensors::SafeTensors::read_metadata(bytes).unwrap();
    let key = "brickwork.partial";
    let mut text = metadata.metadata().as_ref().unwrap()[key].clone();
    let digits: Vec<usize> =
        text.match_indices(|c: char| c.is_ascii_digit()).map(|(k, _)| k).collect();
    let at = digits[at % digits.len()];
    text.replace_range(at..=at, &digit.to_string());
    let file = safetensors::SafeTensors::deserialize(bytes).unwrap();
    let found = file.tensor("found").unwrap();
    let mut hash = Sha256::new();
    hash.update(&text);
    hash.update(format!("found {:?} {:?}", found.dtype(), found.shape()));
    hash.update(found.data());
    let digest = hash.finalize().to_vec();
    let shape = vec![digest.len()];
    let digest =
        safetensors::tensor::TensorView::new(safetensors::Dtype::U8, shape, &digest).unwrap();
    let metadata = std::collections::HashMap::from([(key.to_owned(), text)]);
    safetensors::serialize([("found", found), ("digest", digest)], Some(metadata)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    /// Whoever forges what a process found is refused, or taken at his word; nothing ends the program.
    #[test]
    fn forged_headers_do_no_harm(at in any::<usize>(), digit in 0_u32..10) {
        static HONEST: LazyLock<[(Vec<u8>, Partial); 2]> = LazyLock::new(|| {
            let [first, second] = [[0, 1, 2], [3, 4, 5]].map(|own| {
                let part = || images(&own).part_of(own.to_vec(), 6).unwrap();
                [found_on(&profile(in_memory(), "1"), part()), found_on(&eval(in_memory()), part())]
            });
            let mut pairs = first.into_iter().zip(second);
            std::array::from_fn(|_| {
                let (first, second) = pairs.next().unwrap();
                (first.encode().unwrap(), second)
            })
        });
        let digit = char::from_digit(digit, 10).unwrap();
        let mut profile = profile(in_memory(), "1");
        profile.data.allow_missing = true;
        let mut eval = eval(in_memory());
        eval.data.allow_missing = true;
        for (bytes, other) in HONEST.iter() {
            let Ok(forged) = Partial::decode(&forged(bytes, at, digit)) else { continue };
            if let Ok(whole) = forged.with(other.clone()) {
                let _ = profile.finish(whole.clone(), &Context::default());
                let _ = eval.finish(whole, &Context::default());
            }
        }
    }
}

fn load(path: &Path) -> Classifier {
    Classifier::load(path, &Default::default(), None).unwrap()
}

/// The component for 0 to 4, as it was cut.
fn component(folder: &Path) -> PathBuf {
    let (output, context) = (folder.join("low.onnx"), Context::default());
    let made = Some(folder.join("profile"));
    Profile { output: made.clone(), ..profile(of_files(), "5") }.run(&context).unwrap();
    let request = Disassemble {
        model: ModelInput::file(digits()),
        profile: made,
        classes: "0-4".to_owned(),
        refit: Refitting::None,
        output: Some(output.clone()),
        ..Disassemble::default()
    };
    request.run(&context).unwrap();
    output
}

fn refit(component: &Path, layer: &str) -> RefitLayer {
    RefitLayer {
        model: ModelInput::file(component),
        source: digits(),
        layer: layer.to_owned(),
        data: of_files(),
        ..RefitLayer::default()
    }
}

/// How far the weights of two models of one shape are from each other, relative to the largest of their layer.
fn apart(a: &Classifier, b: &Classifier) -> f32 {
    let weights = |model: &Classifier| {
        let of = |layer: brickwork::LayerInfo| layer.weights(model.graph()).into_data();
        layers(model.graph()).into_iter().map(of).collect::<Vec<_>>()
    };
    let of = |(a, b): (Vec<f32>, Vec<f32>)| {
        let largest = a.iter().fold(0.0, |top: f32, x| top.max(x.abs()));
        a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / largest
    };
    weights(a).into_iter().zip(weights(b)).map(of).fold(0.0, f32::max)
}

/// How far the scores of a component are from its source's: the mean square.
fn misses(component: &Classifier) -> f64 {
    let images: Vec<usize> = (0..1000).filter(|k| k % 3 == 0).collect();
    let data = Dataset::open(format!("{ASSETS}/digits"), Some(Split::Test)).unwrap();
    let preprocess = component.card().preprocess.clone().unwrap();
    let images = data.batch(&images, &preprocess).unwrap();
    let (own, source) = (
        component.scorer().logits(&images).unwrap(),
        load(&digits()).scorer().logits(&images).unwrap(),
    );
    let theirs = source.take(1, &[0, 1, 2, 3, 4]);
    let squares = own.data().iter().zip(theirs.data()).map(|(a, b)| f64::from(a - b).powi(2));
    squares.sum::<f64>() / own.data().len() as f64
}

#[test]
fn a_layer_refitted_from_sums_of_portions_is_that_of_the_whole_up_to_rounding() {
    let folder = tempfile::tempdir().unwrap();
    let (bare, context) = (component(folder.path()), Context::default());
    let names = layers_to_refit(&load(&digits()), &load(&bare)).unwrap();
    assert!(names.len() > 2, "{names:?}");
    let (before, mut current) = (misses(&load(&bare)), bare);
    for (k, name) in names.iter().enumerate() {
        let output = folder.path().join(format!("{k}.onnx"));
        let request = RefitLayer { output: Some(output.clone()), ..refit(&current, name) };
        let RefitLayerAnswer { model: whole, images, rows, .. } = request.run(&context).unwrap();
        assert!(rows >= images && images == 500, "{rows} rows of {images} images");
        for of in [2, 3, 7] {
            let found =
                |place| sent(&request.partial(Some(Portion { place, of }), &context).unwrap());
            let sum = sum((1..=of).rev().map(found)).unwrap();
            let off = apart(&whole, &request.finish(sum, &context).unwrap().model);
            assert!(off < 1e-6, "{name} in {of} portions: {off}");
        }
        current = output;
    }
    let (after, note) = (misses(&load(&current)), load(&current).card().origin.clone().unwrap());
    assert!(after < 0.5 * before, "{before} before, {after} after");
    assert_eq!(note.refit.unwrap().images, 500);
}

#[test]
fn moments_of_other_layers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (bare, context) = (component(folder.path()), Context::default());
    let names = layers_to_refit(&load(&digits()), &load(&bare)).unwrap();
    let half = |place| Some(Portion { place, of: 2 });
    let [one, other] = [&names[0], &names[1]].map(|name| refit(&bare, name));
    let first = one.partial(half(1), &context).unwrap();
    let said = first.with(other.partial(half(2), &context).unwrap()).unwrap_err().to_string();
    assert!(said.contains("different work: layer"), "{said}");
    let said = refit(&bare, "none").partial(half(1), &context).unwrap_err().to_string();
    assert!(
        said.contains("`layer=none` is no layer that lost anything; those that did:"),
        "{said}"
    );
    let said = refit(&digits(), &names[0]).partial(None, &context).unwrap_err().to_string();
    assert!(said.contains("does not say which model it was cut from"), "{said}");
}
