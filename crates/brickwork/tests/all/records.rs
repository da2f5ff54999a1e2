//! Every stored record is read as it was written, and what could not be is refused when it is written.

use std::collections::BTreeMap;

use brickwork::{
    CalibrationNote, Card, ClassSamples, Classifier, Criterion, Header, HeldOutCounts, KEY,
    KeptLayer, LayerSums, Moments, OnDuplicate, Origin, Part, Profile, RefitNote, Reject, Rule,
    Sample, SampleNote, Sampling, SourceAgreement, Thresholds, load_profile, save_masks,
    save_profile,
};
use brickwork_data::{ChannelOrder, Filter, Fit, Preprocess};
use brickwork_graph::{Graph, Patch};
use brickwork_tensor::Tensor;
use brickwork_tensor::kernels::exact::ExactSums;
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::common::Net;

fn names() -> impl Strategy<Value = String> {
    let special =
        &["", " ", "caf\u{e9}", "cafe\u{301}", "猫 🦀", "a\"b\\c\n\0", "__metadata__", "a/b"];
    prop_oneof![select(&special[..]).prop_map(str::to_owned), "\\PC{0,6}"]
}

fn counts() -> impl Strategy<Value = usize> {
    prop_oneof![Just(0), Just(usize::MAX), any::<usize>()]
}

/// Any number that is finite: subnormal ones, the largest, both zeros.
fn finite() -> impl Strategy<Value = f32> {
    let special = [0.0, -0.0, f32::MAX, f32::MIN, f32::MIN_POSITIVE, 1e-45, -1e-45, 0.1];
    prop_oneof![select(special.to_vec()), any::<u32>().prop_map(f32::from_bits)]
        .prop_filter("finite", |x| x.is_finite())
}

fn finite_doubles() -> impl Strategy<Value = f64> {
    let special = [0.0, -0.0, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, 0.1];
    prop_oneof![select(special.to_vec()), any::<u64>().prop_map(f64::from_bits)]
        .prop_filter("finite", |x| x.is_finite())
}

fn margins() -> impl Strategy<Value = f32> {
    prop_oneof![finite(), Just(f32::INFINITY), Just(f32::NEG_INFINITY)]
}

/// Fields that other versions may have written.
fn others() -> impl Strategy<Value = BTreeMap<String, Value>> {
    let values = [
        Value::Null,
        json!(u64::MAX),
        json!(i64::MIN),
        json!(-0.0),
        json!(5e-324),
        json!({"": ["猫", {"version": 7}]}),
    ];
    btree_map(names().prop_map(|name| format!("other.{name}")), select(values.to_vec()), 0..3)
}

prop_compose! {
    fn preprocesses()(
        size in [counts(), counts()],
        channels in counts(),
        scale in of(finite()),
        mean in vec(finite(), 0..4),
        std in vec(finite(), 0..4),
        order in select(vec![ChannelOrder::Rgb, ChannelOrder::Bgr]),
        fit in select(vec![Fit::Exact, Fit::Cover]),
        crop in of(finite()),
        filter in of(select(vec![Filter::Nearest, Filter::Bicubic])),
    ) -> Preprocess {
        Preprocess { size, channels, scale, mean, std, order, fit, crop, filter }
    }
}

prop_compose! {
    fn thresholds()([a, b, c, d] in [finite(), finite(), finite(), finite()]) -> Thresholds {
        Thresholds { alpha_conv: a, beta_conv: b, alpha_linear: c, beta_linear: d }
    }
}

prop_compose! {
    fn refits()(
        images in counts(),
        rows in counts(),
        lambda in finite_doubles(),
        corrects: bool,
        [rounds, passes, readout] in [counts(), counts(), counts()],
        agreement in of(agreements()),
        seed: u64,
    ) -> RefitNote {
        RefitNote { images, rows, lambda, corrects, rounds, passes, readout, agreement, seed }
    }
}

prop_compose! {
    fn agreements()(
        [fitted, held_out] in [finite_doubles(), finite_doubles()],
        [fitted_images, held_out_images] in [counts(), counts()],
    ) -> SourceAgreement {
        SourceAgreement { fitted, fitted_images, held_out, held_out_images }
    }
}

prop_compose! {
    fn notes()(
        class in counts(),
        count in counts(),
        indices in vec(counts(), 0..3),
        margins in vec(margins(), 0..3),
    ) -> SampleNote {
        SampleNote { class, count, indices, margins }
    }
}

prop_compose! {
    fn layers()(input in vec(counts(), 0..3), output in vec(counts(), 0..3)) -> KeptLayer {
        KeptLayer { input, output }
    }
}

prop_compose! {
    fn origins()(
        (source, fingerprint) in (names(), names()),
        classes in vec(counts(), 0..3),
        all in counts(),
        rule in of(select(vec![Rule::Graph, Rule::Reference])),
        thresholds in of(thresholds()),
        criterion in of(select(Criterion::ALL.to_vec())),
        (kept, reads) in (btree_map(names(), layers(), 0..3), btree_map(names(), vec(counts(), 0..3), 0..3)),
        (checked, trained) in (finite(), any::<bool>()),
        refit in of(refits()),
        samples in vec(notes(), 0..3),
        other in others(),
    ) -> Origin {
        Origin {
            source, fingerprint, classes, of: all, rule, thresholds, criterion, kept, reads, checked, refit,
            samples, trained, other,
        }
    }
}

prop_compose! {
    fn moments()(
        fingerprint in names(),
        (own_images, foreign_images) in (counts(), counts()),
        (means, covariances) in (vec(vec(finite(), 0..3), 0..3), vec(vec(finite(), 0..3), 0..3)),
        (foreign_mean, foreign_covariance) in (vec(finite(), 0..3), vec(finite(), 0..3)),
    ) -> Moments {
        Moments { fingerprint, own_images, foreign_images, means, covariances, foreign_mean, foreign_covariance }
    }
}

prop_compose! {
    fn parts()(
        (name, fingerprint) in (names(), names()),
        classes in vec(names(), 0..3),
        logits in vec(counts(), 0..3),
        preprocess in preprocesses(),
        origin in of(origins()),
        moments in of(moments()),
        other in others(),
    ) -> Part {
        Part { name, fingerprint, classes, logits, preprocess, origin, moments, other }
    }
}

prop_compose! {
    fn calibrations()(
        method in names(),
        images in counts(),
        (scale, shift) in (vec(finite(), 0..3), vec(finite(), 0..3)),
        notes in vec(names(), 0..3),
        held_out in of((counts(), counts(), counts())),
    ) -> CalibrationNote {
        let held_out = held_out.map(|(images, right_before, right_after)| {
            HeldOutCounts { images, right_before, right_after }
        });
        CalibrationNote { method, images, scale, shift, notes, held_out }
    }
}

prop_compose! {
    fn rejects()(
        threshold in finite(),
        (own_images, foreign_images) in (counts(), counts()),
        (recall, false_accepts) in (finite_doubles(), of(finite_doubles())),
    ) -> Reject {
        Reject { threshold, own_images, foreign_images, recall, false_accepts }
    }
}

prop_compose! {
    fn cards()(
        classes in vec(names(), 0..3),
        preprocess in of(preprocesses()),
        origin in of(origins()),
        moments in of(moments()),
        parts in vec(parts(), 0..3),
        joined in of(select(vec![
            OnDuplicate::Refuse, OnDuplicate::Max, OnDuplicate::Mean, OnDuplicate::KeepBoth,
        ])),
        calibration in of(calibrations()),
        reject in of(rejects()),
        other in others(),
    ) -> Card {
        Card {
            classes, preprocess, origin, moments, parts, joined, calibration, reject, other,
            ..Card::default()
        }
    }
}

prop_compose! {
    /// Samples of a class and the sums of two layers over them.
    fn measured(class: usize)(
        (seen, correct) in (counts(), counts()),
        taken in vec((names(), counts(), margins()), 0..3),
        all in btree_map(names(), vec(counts(), 0..3), 0..3),
        numbers in vec(finite(), 12),
        doubles in vec(finite_doubles(), 4),
    ) -> (ClassSamples, Vec<LayerSums>) {
        let sample = |(data, index, margin)| Sample { data, index, margin };
        let taken: Vec<Sample> = taken.into_iter().map(sample).collect();
        let rows = taken.len();
        let (high, low) = doubles.split_at(2);
        let sums = vec![
            LayerSums::Samples(Tensor::new([rows, 2, 3], numbers.into_iter().cycle().take(6 * rows).collect())),
            LayerSums::Totals(ExactSums::from_parts(high.to_vec(), low.to_vec())),
        ];
        (ClassSamples { class, seen, correct, taken, all }, sums)
    }
}

prop_compose! {
    fn profiles()(
        (model, fingerprint) in (names(), names()),
        classes in [names(), names(), names()],
        preprocess in preprocesses(),
        sampling in prop_oneof![
            counts().prop_map(Sampling::Count),
            finite_doubles().prop_map(Sampling::Percent),
            Just(Sampling::All),
        ],
        data in vec(names(), 0..3),
        layer in names(),
        (first, last) in (measured(0), measured(2)),
    ) -> Profile {
        let (samples, sums) = [first, last].into_iter().unzip();
        let layers = vec![format!("{layer}.0"), format!("{layer}.1")];
        let classes = classes.to_vec();
        let provenance = None;
        let header = Header { format: 1, model, fingerprint, classes, preprocess, sampling, data, samples, layers, provenance };
        Profile { header, sums }
    }
}

fn graph() -> Graph {
    let mut net = Net::new([1, 1, 2]);
    net.then("Flatten", "image", "flat").linear("flat", "scores", [2, 2]);
    net.finish("scores", 0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    // Compared in words, where -0.0 is not 0.0.

    #[test]
    fn cards_are_read_as_they_were_written(card in cards()) {
        let read = Card::of(&card.on(&graph()).unwrap()).unwrap();
        let Card { version, tool, written, .. } = read.clone();
        let expected = Card { version, tool, written, ..card };
        prop_assert_eq!(format!("{read:?}"), format!("{expected:?}"));
    }

    #[test]
    fn profiles_are_read_as_they_were_written(made in profiles()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made.profile");
        save_profile(&made, &path).unwrap();
        prop_assert_eq!(format!("{:?}", load_profile(&path).unwrap()), format!("{made:?}"));
    }

    #[test]
    fn masks_are_read_as_they_were_written(
        rows in btree_map(names(), vec([any::<bool>(), any::<bool>()], 0..3), 0..3),
        classes in vec(names(), 0..3),
    ) {
        let masks: Vec<(String, Vec<Vec<bool>>)> = rows
            .into_iter()
            .map(|(name, rows)| (format!("layer {name}"), rows.iter().map(|row| row.to_vec()).collect()))
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("masks.safetensors");
        save_masks(&masks, &classes, &path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        let told = &metadata.metadata().as_ref().unwrap()["classes"];
        prop_assert_eq!(serde_json::from_str::<Vec<String>>(told).unwrap(), classes);
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        prop_assert_eq!(file.len(), masks.len());
        for (name, rows) in &masks {
            let view = file.tensor(name).unwrap();
            prop_assert_eq!(view.shape(), &[rows.len(), if rows.is_empty() { 0 } else { 2 }]);
            let kept: Vec<u8> = rows.iter().flatten().map(|&kept| u8::from(kept)).collect();
            prop_assert_eq!(view.data(), kept);
        }
    }
}

/// A card with every record in it.
fn full() -> Card {
    let text = r#"{
        "preprocess": {"size": [1, 2], "channels": 1, "scale": 1, "mean": [0], "std": [1], "order": "rgb",
            "fit": "exact"},
        "origin": {"source": "", "fingerprint": "", "classes": [], "of": 0, "kept": {}, "checked": 0,
            "thresholds": {"alpha_conv": 0, "beta_conv": 0, "alpha_linear": 0, "beta_linear": 0},
            "refit": {"images": 0, "rows": 0, "lambda": 0, "seed": 0},
            "samples": [{"class": 0, "count": 1, "margins": [1]}]},
        "moments": {"fingerprint": "", "own_images": 1, "foreign_images": 1, "means": [[0]],
            "covariances": [[1]], "foreign_mean": [0], "foreign_covariance": [1]},
        "calibration": {"method": "", "images": 0, "scale": [1], "shift": [0]},
        "reject": {"threshold": 0, "own_images": 1, "foreign_images": 1, "recall": 1, "false_accepts": 0}
    }"#;
    serde_json::from_str(text).unwrap()
}

#[test]
fn cards_with_numbers_that_no_file_can_hold_are_not_written() {
    let graph = graph();
    full().on(&graph).unwrap();
    let places: [fn(&mut Card, f32); 17] = [
        |card, x| card.preprocess.as_mut().unwrap().scale = Some(x),
        |card, x| card.preprocess.as_mut().unwrap().mean[0] = x,
        |card, x| card.preprocess.as_mut().unwrap().std[0] = x,
        |card, x| card.origin.as_mut().unwrap().checked = x,
        |card, x| card.origin.as_mut().unwrap().thresholds.as_mut().unwrap().alpha_conv = x,
        |card, x| card.origin.as_mut().unwrap().thresholds.as_mut().unwrap().beta_linear = x,
        |card, x| card.origin.as_mut().unwrap().refit.as_mut().unwrap().lambda = x.into(),
        |card, x| card.moments.as_mut().unwrap().means[0][0] = x,
        |card, x| card.moments.as_mut().unwrap().covariances[0][0] = x,
        |card, x| card.moments.as_mut().unwrap().foreign_mean[0] = x,
        |card, x| card.moments.as_mut().unwrap().foreign_covariance[0] = x,
        |card, x| card.calibration.as_mut().unwrap().scale[0] = x,
        |card, x| card.calibration.as_mut().unwrap().shift[0] = x,
        |card, x| card.reject.as_mut().unwrap().threshold = x,
        |card, x| card.reject.as_mut().unwrap().recall = x.into(),
        |card, x| card.reject.as_mut().unwrap().false_accepts = Some(x.into()),
        |card, x| card.origin.as_mut().unwrap().samples[0].margins[0] = x,
    ];
    for (k, place) in places.iter().enumerate() {
        for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut card = full();
            place(&mut card, number);
            let written = card.on(&graph);
            // A margin is infinite where there is a single class.
            if k == 16 && number.is_infinite() {
                assert!(written.is_ok());
                continue;
            }
            let error = written.unwrap_err().to_string();
            assert!(error.contains("cannot be written: it holds"), "place {k}, {number}: {error}");
        }
    }
}

#[test]
fn profiles_with_numbers_that_no_file_can_hold_are_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.profile");
    let sample = Sample { data: String::new(), index: 0, margin: 1.0 };
    let class = ClassSamples { taken: vec![sample], ..ClassSamples::default() };
    let header = Header {
        format: 1,
        model: "net".to_owned(),
        fingerprint: String::new(),
        classes: vec!["a".to_owned()],
        preprocess: Preprocess::plain([1, 1], 1),
        sampling: Sampling::Percent(1.0),
        data: Vec::new(),
        samples: vec![class],
        layers: vec!["conv".to_owned()],
        provenance: None,
    };
    let sums = vec![vec![LayerSums::Samples(Tensor::new([1, 1, 1], vec![0.5]))]];
    let good = Profile { header, sums };
    save_profile(&good, &path).unwrap();
    let before = std::fs::read(&path).unwrap();
    let refused = |change: &dyn Fn(&mut Profile), words: &str| {
        let mut bad = good.clone();
        change(&mut bad);
        let error = save_profile(&bad, &path).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    };
    for number in [f32::NAN, f32::INFINITY] {
        let sums = |number| LayerSums::Samples(Tensor::new([1, 1, 1], vec![number]));
        refused(&|bad| bad.sums[0][0] = sums(number), "the sums of layer `conv` are not finite");
        let totals = |number| LayerSums::Totals(ExactSums::from_parts(vec![0.0], vec![number]));
        refused(
            &|bad| bad.sums[0][0] = totals(number.into()),
            "the sums of layer `conv` are not finite",
        );
        let header = "the profile's header cannot be written: it holds";
        refused(&|bad| bad.header.sampling = Sampling::Percent(number.into()), header);
        refused(&|bad| bad.header.preprocess.mean[0] = number, header);
    }
    refused(&|bad| bad.header.samples[0].taken[0].margin = f32::NAN, "it holds NaN");
}

#[test]
fn a_rewritten_card_keeps_what_other_versions_say_and_tells_what_was_changed() {
    let graph = graph();
    let said = json!({
        "classes": ["a", "b"],
        "origin": {"source": "s", "fingerprint": "", "classes": [0, 4], "of": 5, "kept": {}, "checked": 0,
            "later": [1, null]},
        "parts": [{"name": "p", "fingerprint": "", "classes": ["a", "b"], "logits": [0, 1],
            "preprocess": Preprocess::plain([1, 2], 1), "later": "猫"}],
        "later": {"deep": u64::MAX},
    });
    let mut patch = Patch::new("a card of another version");
    patch.metadata(KEY, said.to_string());
    let model = Classifier::new("net", patch.apply(&graph).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("renamed.onnx");
    let names = vec!["x".to_owned(), "y".to_owned()];
    model.with_classes(names.clone()).unwrap().save(&path).unwrap();
    let again = Classifier::load(&path, &Default::default(), None).unwrap();
    assert_eq!(again.class_names(), names);
    let kept: Value = serde_json::from_str(&again.to_graph().unwrap().metadata()[KEY]).unwrap();
    for place in ["/later", "/origin/later", "/parts/0/later"] {
        assert_eq!(kept.pointer(place), said.pointer(place), "{place}");
    }
}
