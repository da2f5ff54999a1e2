//! A profile does not depend on how it was made: in parts, batches or threads.

use std::slice::from_ref;

use brickwork::{
    Classifier, Error, Profile, ProfileOptions, Sampling, Silent, Source, layers, load_profile,
    margin, profile, save_profile, top_class,
};
use brickwork_data::Preprocess;
use brickwork_tensor::Tensor;

use crate::common;
use crate::common::{Net, classifier, dataset, pixel_reader, random_images, rows, source};

const CLASSES: [&str; 3] = ["a", "b", "c"];

/// A network with all kinds of layers, and images for it with the labels it gives them.
fn model() -> Classifier {
    let mut net = Net::new([1, 6, 6]);
    net.conv("image", "stem", [4, 1, 3], 1).then("Relu", "stem", "x");
    net.conv("x", "grouped", [4, 2, 3], 2).then("Relu", "grouped", "y");
    net.conv("y", "depthwise", [4, 1, 3], 4).conv("depthwise", "point", [5, 4, 1], 1);
    net.then("Flatten", "point", "flat").linear("flat", "head", [3, 180]);
    classifier("model", net.finish("head", 5), &CLASSES)
}

fn labelled(model: &Classifier, count: usize, seed: u64) -> (Tensor, Vec<usize>) {
    let images = random_images(count, model.input(), seed);
    let logits = model.scorer().logits(&images).unwrap();
    // Centred, so that every class wins sometimes.
    let mean = |class: usize| -> f32 {
        logits.data().iter().skip(class).step_by(3).sum::<f32>() / count as f32
    };
    let means = [mean(0), mean(1), mean(2)];
    let labels = logits
        .data()
        .chunks(3)
        .map(|row| top_class(&row.iter().zip(means).map(|(z, mean)| z - mean).collect::<Vec<_>>()));
    (images, labels.collect())
}

fn data(model: &Classifier, name: &str, count: usize, seed: u64) -> Source {
    let (images, labels) = labelled(model, count, seed);
    source(name, dataset(&images, &labels, &CLASSES), model)
}

fn made(model: &Classifier, sources: &[Source], classes: &[usize], sampling: Sampling) -> Profile {
    try_made(model, sources, classes, sampling).unwrap()
}

fn try_made(
    model: &Classifier,
    sources: &[Source],
    classes: &[usize],
    sampling: Sampling,
) -> Result<Profile, Error> {
    let [channels, height, width] = model.input();
    let preprocess = Preprocess::plain([height, width], channels);
    let options = ProfileOptions { classes: classes.to_vec(), sampling, given: None };
    profile(model, &preprocess, sources, &options, &Silent)
}

/// Every class's contributions to every profiled layer.
fn contributions(model: &Classifier, profile: &Profile) -> Vec<Tensor> {
    let all = layers(model.graph());
    let mut found = Vec::new();
    for place in 0..profile.header.samples.len() {
        for (at, name) in profile.header.layers.iter().enumerate() {
            let layer = all.iter().find(|layer| layer.name == *name).unwrap();
            let weights = layer.tap_weights(model.graph());
            found.push(profile.contributions(place, at, layer, &weights));
        }
    }
    found
}

fn part(whole: &Source, part: usize, parts: usize) -> Source {
    let mut source = whole.clone();
    source.keep_part(part, parts).unwrap();
    source
}

#[test]
fn parts_of_a_data_set_make_the_whole() {
    let model = model();
    let whole = data(&model, "set", 90, 1);
    for sampling in [Sampling::Count(7), Sampling::Count(1000), Sampling::All] {
        let expected = made(&model, from_ref(&whole), &[0, 1, 2], sampling);
        let parts: Vec<Profile> =
            (0..3).map(|k| made(&model, &[part(&whole, k, 3)], &[0, 1, 2], sampling)).collect();
        for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
            let merged = Profile::merge(order.map(|k| parts[k].clone()).to_vec()).unwrap();
            assert_eq!(merged.header, expected.header, "{sampling:?} {order:?}");
            assert_eq!(contributions(&model, &merged), contributions(&model, &expected));
        }
        // Merged in pairs.
        let pair = Profile::merge(vec![parts[2].clone(), parts[1].clone()]).unwrap();
        let merged = Profile::merge(vec![pair, parts[0].clone()]).unwrap();
        assert_eq!(contributions(&model, &merged), contributions(&model, &expected));
    }
}

#[test]
fn several_data_sets_and_classes_make_the_whole() {
    let model = model();
    let sets = [data(&model, "one", 40, 1), data(&model, "two", 50, 2)];
    for sampling in [Sampling::Count(9), Sampling::All] {
        let expected = made(&model, &sets, &[0, 1, 2], sampling);
        let by_set: Vec<Profile> =
            sets.iter().map(|set| made(&model, from_ref(set), &[0, 1, 2], sampling)).collect();
        assert_eq!(Profile::merge(by_set).unwrap(), expected);
        let by_class =
            [[1, 2].as_slice(), &[0]].map(|classes| made(&model, &sets, classes, sampling));
        assert_eq!(Profile::merge(by_class.to_vec()).unwrap(), expected);
    }
    let halves = [[0].as_slice(), &[1, 2]].map(|c| made(&model, &sets, c, Sampling::Percent(20.0)));
    let whole = made(&model, &sets, &[0, 1, 2], Sampling::Percent(20.0));
    assert_eq!(Profile::merge(halves.to_vec()).unwrap(), whole);
}

#[test]
fn threads_do_not_matter() {
    let model = model();
    let sets = [data(&model, "set", 70, 1)];
    for sampling in [Sampling::Count(8), Sampling::All] {
        let made = [1, 2, 3].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| made(&model, &sets, &[0, 1, 2], sampling))
        });
        assert_eq!(made[0], made[1]);
        assert_eq!(made[0], made[2]);
    }
}

/// Samples are run in batches of at most 64; alone or among others, each gives the same.
#[test]
fn batches_do_not_matter() {
    let model = model();
    let whole = data(&model, "set", 150, 1);
    for sampling in [Sampling::Count(1000), Sampling::All] {
        let expected = made(&model, from_ref(&whole), &[0], sampling);
        let one_by_one = (0..150).map(|k| part(&whole, k, 150)).filter_map(|source| {
            // A part may hold nothing that counts.
            try_made(&model, &[source], &[0], sampling).ok()
        });
        let merged = Profile::merge(one_by_one.collect()).unwrap();
        assert_eq!(merged.header.samples[0].taken, expected.header.samples[0].taken);
        assert_eq!(contributions(&model, &merged), contributions(&model, &expected));
    }
}

#[test]
fn what_does_not_belong_together_is_not_merged() {
    let model = model();
    let whole = data(&model, "set", 60, 1);
    let refused = |a: Profile, b: Profile, why: &str| {
        let error = Profile::merge(vec![a, b]).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    };
    for sampling in [Sampling::Count(5), Sampling::All] {
        let own = made(&model, from_ref(&whole), &[0, 1], sampling);
        refused(own.clone(), own.clone(), "in both profiles");
        let half = made(&model, &[part(&whole, 0, 2)], &[0, 1], sampling);
        refused(half, own.clone(), "in both profiles");
        let other = classifier("other", common::grown::grow(&[(4, 1)], 3, 1), &CLASSES);
        let theirs = made(&other, &[data(&other, "theirs", 30, 2)], &[0, 1], Sampling::All);
        refused(own, theirs, "are of different models or preprocessing");
    }
    let count = made(&model, from_ref(&whole), &[0], Sampling::Count(5));
    let all = made(&model, from_ref(&whole), &[1], Sampling::All);
    refused(count.clone(), all, "sampled differently");
    let percent = |k| made(&model, &[part(&whole, k, 2)], &[0], Sampling::Percent(10.0));
    refused(percent(0), percent(1), "a percentage of two parts is not that of the whole");
    let mut moved = count.clone();
    moved.header.preprocess.mean = vec![0.5];
    refused(count, moved, "are of different models or preprocessing");
    assert!(Profile::merge(Vec::new()).is_err());
}

#[test]
fn profiles_survive_their_file() {
    let model = model();
    let sets = [data(&model, "set", 40, 1)];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.profile");
    for sampling in [Sampling::Count(4), Sampling::Percent(12.5), Sampling::All] {
        let made = made(&model, &sets, &[0, 2], sampling);
        save_profile(&made, &path).unwrap();
        assert_eq!(load_profile(&path).unwrap(), made);
    }
}

#[test]
fn damaged_files_are_refused() {
    let model = model();
    let made = made(&model, &[data(&model, "set", 30, 1)], &[0], Sampling::Count(2));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.profile");
    save_profile(&made, &path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let load = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        load_profile(&path)
    };
    for kept in (0..bytes.len()).step_by(bytes.len() / 100) {
        load(&bytes[..kept]).unwrap_err();
    }
    for at in (0..bytes.len()).step_by(7) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        load(&flipped)
            .err()
            .unwrap_or_else(|| panic!("byte {at} of {} is not missed", bytes.len()));
    }
    // Of the same length, so that only the version is wrong.
    let version = br#"\"format\":1"#;
    let at = bytes.windows(version.len()).position(|window| window == version).unwrap();
    let mut other = bytes.clone();
    other[at + version.len() - 1] = b'9';
    let error = load(&other).unwrap_err().to_string();
    assert!(error.contains("format 9, expected 1"), "{error}");
    assert!(load_profile(&folder.path().join("missing")).is_err());
}

#[test]
fn profiles_of_other_models_are_refused() {
    let model = model();
    let mut made = made(&model, &[data(&model, "set", 30, 1)], &[0], Sampling::Count(2));
    made.header.fingerprint = "0".repeat(64);
    let choice = brickwork::Choice::Profile(&made, Default::default(), Default::default());
    let error = brickwork::Plan::new(&model, &[0], &choice, 1).err().unwrap().to_string();
    assert!(error.contains("fingerprint 000000000000"), "{error}");
}

#[test]
fn forged_shapes_are_refused() {
    let model = model();
    let source = data(&model, "images", 60, 1);
    for sampling in [Sampling::Count(4), Sampling::All] {
        let honest = made(&model, from_ref(&source), &[0, 1], sampling);
        honest.check_model(&model).unwrap();
        let mut forged = honest.clone();
        forged.sums.iter_mut().for_each(|sums| sums.swap(0, 2));
        let refused = forged.check_model(&model).unwrap_err().to_string();
        assert!(refused.contains("shapes of the layers of `model`"), "{refused}");
        let refused = Profile::merge(vec![honest, forged]).unwrap_err().to_string();
        assert!(refused.contains("differ in shape"), "{refused}");
    }
}

/// Six rows of class a by falling margin: places 1, 4, then 0 and 3 (equal), 2 (wrong), 5 (least).
fn six() -> (Classifier, Source) {
    let model = pixel_reader("pixels", &[(0, 1.0), (1, 1.0), (2, 1.0)], 4, &CLASSES);
    let data = rows(
        &[
            (0, &[3.0, 0.0, 0.0, 0.0]),
            (0, &[9.0, 0.0, 0.0, 0.0]),
            (0, &[0.0, 2.0, 0.0, 0.0]),
            (0, &[3.0, 0.0, 0.0, 0.0]),
            (0, &[5.0, 0.0, 0.0, 0.0]),
            (0, &[1.0, 0.0, 0.0, 0.0]),
            (1, &[0.0, 1.0, 0.0, 0.0]),
            (1, &[1.0, 0.0, 0.0, 0.0]),
        ],
        &CLASSES,
    );
    let source = source("six", data, &model);
    (model, source)
}

fn taken(sampling: Sampling, class: usize) -> Vec<usize> {
    let (model, source) = six();
    let made = made(&model, &[source], &[class], sampling);
    made.header.samples[0].taken.iter().map(|sample| sample.index).collect()
}

#[test]
fn the_most_confident_correct_samples_are_taken() {
    assert_eq!(taken(Sampling::Count(2), 0), [1, 4]);
    assert_eq!(taken(Sampling::Count(3), 0), [1, 4, 0]);
    assert_eq!(taken(Sampling::Count(50), 0), [1, 4, 0, 3, 5]);
    // Percentages are of all six samples and round up.
    assert_eq!(taken(Sampling::Percent(17.0), 0), [1, 4]);
    assert_eq!(taken(Sampling::Percent(50.0), 0), [1, 4, 0]);
    assert_eq!(taken(Sampling::Percent(100.0), 0), [1, 4, 0, 3, 5]);
    assert_eq!(taken(Sampling::Count(50), 1), [6]);
    let (model, source) = six();
    let made = made(&model, &[source], &[0, 1], Sampling::Count(1));
    let [a, b] = &made.header.samples[..] else { panic!("two classes") };
    assert_eq!((a.class, a.seen, a.correct), (0, 6, 5));
    assert_eq!((b.class, b.seen, b.correct), (1, 2, 1));
    assert_eq!(a.taken[0].margin, margin(&[9.0, 0.0, 0.0], 0));
}

#[test]
fn classes_without_a_sample_to_take_are_named() {
    let (model, source) = six();
    let error = try_made(&model, &[source], &[0, 2], Sampling::Count(1)).unwrap_err().to_string();
    assert!(error.contains("no sample to take for: c (0 samples, 0 correct)"), "{error}");
}

/// The class's mean pixels are what its scores are made of.
#[test]
fn contributions_are_means_of_positive_parts() {
    let (model, source) = six();
    let made = made(&model, &[source], &[0], Sampling::Count(3));
    let found = contributions(&model, &made);
    let expected =
        Tensor::new([3, 4], vec![17.0 / 3.0, 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0.]);
    assert_eq!(found, [expected]);
}

#[test]
fn given_samples_are_checked() {
    let (model, source) = six();
    let try_given = |list: &[usize]| {
        let options = ProfileOptions {
            classes: vec![0],
            sampling: Sampling::Count(9),
            given: Some([(0, list.to_vec())].into()),
        };
        let plain = Preprocess::plain([1, 4], 1);
        profile(&model, &plain, from_ref(&source), &options, &Silent)
    };
    let made = try_given(&[4, 0]).unwrap();
    assert_eq!(contributions(&model, &made)[0].data()[0], 4.0);
    for (list, why) in [
        (&[4, 6][..], "sample 6 of `six` is given for class 0 but is not labelled so"),
        (&[4, 99], "sample 99 of `six` is given for class 0 but is not labelled so"),
        (&[4, 0, 4], "sample 4 of `six` is given twice"),
        (&[], "no samples are given for class 0"),
    ] {
        let error = try_given(list).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn data_sets_of_one_name_are_refused() {
    let (model, source) = six();
    let error = try_made(&model, &[source.clone(), source], &[0], Sampling::Count(1)).unwrap_err();
    assert!(error.to_string().contains("two data sets are called `six`"), "{error}");
}
