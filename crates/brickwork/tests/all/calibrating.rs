//! Calibration against numbers worked out by hand, and what must hold for any scores.

use brickwork::{
    AssembleOptions, CalibrateOptions, CalibrationNote, Card, Classifier, HeldOutCounts, Layout,
    Method, OnDuplicate, Silent, Source, assemble, calibrate, verify_assembled, with_moments,
};
use brickwork_data::Preprocess;
use brickwork_tensor::Tensor;

use crate::common::{
    Net, classifier, dataset, noise, owned, pixel_reader, random_images, rows, source, stored,
};

const CLASSES: [&str; 4] = ["a", "b", "c", "d"];
const METHODS: [Method; 6] = [
    Method::None,
    Method::Paper,
    Method::Layerwise,
    Method::Affine,
    Method::Background,
    Method::Linear,
];

/// Two parts whose scores are the four pixels of a row.
fn pixels() -> Classifier {
    let parts = [
        pixel_reader("first", &[(0, 1.0), (1, 1.0)], 4, &CLASSES[..2]),
        pixel_reader("second", &[(2, 1.0), (3, 1.0)], 4, &CLASSES[2..]),
    ];
    assemble(&parts, &AssembleOptions::default()).unwrap()
}

fn calibrated(model: &Classifier, data: &[Source], method: Method) -> Classifier {
    let preprocess = model.card().preprocess.clone().unwrap();
    calibrate(model, &preprocess, data, &CalibrateOptions::by(method), &Silent).unwrap()
}

fn note(model: &Classifier) -> CalibrationNote {
    model.card().calibration.clone().unwrap()
}

fn close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= 1e-6 * b.abs().max(1.0), "{found:?}, expected {expected:?}");
    }
}

fn scores(model: &Classifier, rows: &Tensor) -> Tensor {
    model.scorer().logits(rows).unwrap()
}

#[test]
fn moments_are_of_the_classes_that_the_data_have() {
    let reader = pixel_reader("part", &[(0, 1.0), (1, 1.0)], 2, &CLASSES[..2]);
    let origin = serde_json::json!({
        "source": "whole", "fingerprint": "", "classes": [0, 1], "of": usize::MAX, "kept": {}, "checked": 0
    });
    let origin = Some(serde_json::from_value(origin).unwrap());
    let part = reader.with_card(Card { origin, ..reader.card().clone() }).unwrap();
    let data = rows(
        &[(0, &[1.0, 0.0]), (1, &[0.0, 1.0]), (1, &[0.0, 3.0]), (2, &[5.0, 7.0])],
        &CLASSES[..3],
    );
    let mut data = source("rows", data, &part);
    data.class_of[2] = Some(2);
    let preprocess = part.card().preprocess.clone().unwrap();
    let told = with_moments(&part, &preprocess, &[data], 0).unwrap();
    let moments = told.card().moments.clone().unwrap();
    assert_eq!((moments.own_images, moments.foreign_images), (3, 1));
    assert_eq!(moments.means, [[1.0, 0.0], [0.0, 2.0]]);
    assert_eq!(moments.foreign_mean, [5.0, 7.0]);
}

#[test]
fn the_published_scaling_by_hand() {
    let model = pixels();
    let data = rows(
        &[
            // Class a wins within its part with 10 and 5; the other part's 99 does not count.
            (0, &[10.0, 1.0, 99.0, 0.0]),
            (0, &[5.0, 2.0, 0.0, 0.0]),
            (0, &[1.0, 8.0, 0.0, 0.0]),
            (1, &[0.0, 4.0, 0.0, 0.0]),
            (2, &[0.0, 0.0, 0.5, 0.25]),
            (2, &[9.0, 9.0, 1.0, 0.25]),
            // Class d never wins.
            (3, &[0.0, 0.0, 1.0, 0.5]),
        ],
        &CLASSES,
    );
    let after = calibrated(&model, &[source("rows", data, &model)], Method::Paper);
    let note = note(&after);
    let [a, b, c] = [1.0 / 7.5, 1.0 / 4.0, 1.0 / 0.75];
    close(&note.scale, &[a, b, c, c]);
    close(&note.shift, &[0.0; 4]);
    assert_eq!((note.images, note.method.as_str(), note.notes.len()), (7, "paper", 1));
    assert!(note.notes[0].contains("class `d`: no calibration image is classified correctly"));
    let row = Tensor::new([1, 1, 1, 4], vec![3.0, 2.0, 6.0, 1.5]);
    close(scores(&after, &row).data(), &[3.0 * a, 2.0 * b, 6.0 * c, 1.5 * c]);
}

#[test]
fn layer_equations_by_hand() {
    let model = pixels();
    let data = rows(
        &[
            (0, &[3.0, 1.0, 50.0, 50.0]),
            (1, &[1.0, 3.0, 50.0, 50.0]),
            (2, &[50.0, 50.0, 6.0, -1.0]),
            (3, &[50.0, 50.0, 2.0, -1.0]),
        ],
        &CLASSES,
    );
    let after = calibrated(&model, &[source("rows", data, &model)], Method::Layerwise);
    // Mean scores over each part's own images: 2, 2, 4 and -1, in the mean 7/4. The last is not
    // positive and stays.
    let row = Tensor::new([1, 1, 1, 4], vec![1.0, 1.0, 1.0, 1.0]);
    close(scores(&after, &row).data(), &[0.875, 0.875, 0.4375, 1.0]);
    assert!(note(&after).notes[1].contains("1 outputs whose summed activation is not positive"));
}

#[test]
fn layers_are_scaled_front_to_back() {
    let two_layers = |name: &str, factor: f32, classes: &[&str]| {
        let mut net = Net::new([1, 1, 2]);
        net.then("Flatten", "image", "flat").linear("flat", "inner", [2, 2]);
        net.then("Relu", "inner", "x").linear("x", "scores", [2, 2]);
        for layer in ["inner", "scores"] {
            net.given(&format!("{layer}.weight"), &[2, 2], &[factor, 0.0, 0.0, factor]);
            net.given(&format!("{layer}.bias"), &[2], &[0.0, 0.0]);
        }
        classifier(name, net.finish("scores", 0), classes)
    };
    let parts = [two_layers("weak", 1.0, &["a", "b"]), two_layers("strong", 3.0, &["c", "d"])];
    let model = assemble(&parts, &AssembleOptions::default()).unwrap();
    let images: [(usize, &[f32]); 4] =
        [(0, &[3.0, 1.0]), (1, &[1.0, 3.0]), (2, &[3.0, 1.0]), (3, &[1.0, 3.0])];
    let data = source("rows", rows(&images, &CLASSES), &model);
    let after = calibrated(&model, &[data], Method::Layerwise);
    // Inner means 2, 2, 6, 6 all become 4, so the scores are 4, 4, 12, 12, and all become 8.
    let found = scores(&after, &Tensor::new([1, 1, 1, 2], vec![2.0, 1.0]));
    close(found.data(), &[8.0, 4.0, 8.0, 4.0]);
}

/// The mean cross-entropy over a data set of one-row images.
fn loss(model: &Classifier, images: &Tensor, labels: &[usize]) -> f64 {
    let scores = scores(model, images);
    let classes = scores.shape()[1];
    let rows = scores.data().chunks(classes).zip(labels).map(|(row, &label)| {
        let top = row.iter().fold(f32::NEG_INFINITY, |top, &z| top.max(z));
        let sum: f64 = row.iter().map(|&z| f64::from(z - top).exp()).sum();
        sum.ln() - f64::from(row[label] - top)
    });
    rows.sum::<f64>() / labels.len() as f64
}

#[test]
fn affine_never_raises_the_loss() {
    let model = pixels();
    let mut gains = 0;
    for case in 0..60 {
        // From tame to absurd: shared offsets, spreads up to 10^4, scores that rank the wrong way.
        let spread = 10f32.powi(case % 7 - 2);
        let direction = [1.0, -1.0, 0.0][case as usize % 3];
        let count = [2, 5, 40][case as usize / 20];
        let labels: Vec<usize> = (0..count).map(|k| (2 * k + k / 2 + case as usize) % 4).collect();
        let pixel = |k: usize| {
            let hit = if k % 4 == labels[k / 4] { direction } else { 0.0 };
            let part = if k % 4 < 2 { spread } else { 1.0 };
            part * (hit + noise(k as u64, case as u64) as f32) + (case % 5) as f32
        };
        let data: Vec<f32> = (0..4 * count).map(pixel).collect();
        let images = Tensor::new([count, 1, 1, 4], data);
        let source = source("rows", dataset(&images, &labels, &CLASSES), &model);
        let after = calibrated(&model, &[source], Method::Affine);
        let (before, after) = (loss(&model, &images, &labels), loss(&after, &images, &labels));
        assert!(after <= before * (1.0 + 1e-6) + 1e-7, "case {case}: {before} to {after}");
        gains += usize::from(after < before * 0.99);
    }
    assert!(gains > 50, "{gains}");
}

#[test]
fn affine_makes_unequal_parts_comparable() {
    let model = pixels();
    let (mut data, mut labels) = (Vec::new(), Vec::new());
    for k in 0..80 {
        labels.push(k % 4);
        for class in 0..4 {
            let size = if class < 2 { 20.0 } else { 1.0 };
            let hit = if class == k % 4 { 1.0 } else { 0.3 };
            data.push(size * (hit + 0.2 * noise(k as u64, class as u64) as f32));
        }
    }
    let images = Tensor::new([80, 1, 1, 4], data);
    let hits = |model: &Classifier| {
        let scores = scores(model, &images);
        let right = scores.data().chunks(4).zip(&labels);
        right.filter(|(row, label)| brickwork::top_class(row) == **label).count()
    };
    let source = source("rows", dataset(&images, &labels, &CLASSES), &model);
    assert_eq!(hits(&model), 40);
    let after = calibrated(&model, &[source], Method::Affine);
    assert_eq!(hits(&after), 80);
    let counts = HeldOutCounts { images: 80, right_before: 40, right_after: 80 };
    assert_eq!(note(&after).held_out, Some(counts));
}

#[test]
fn images_held_out_tell_what_was_learnt_by_heart() {
    // Scores that say nothing of the classes: what fits them is chance.
    let model = pixels();
    let labels: Vec<usize> = (0..24).map(|k| k % 4).collect();
    let data = (0..24 * 4).map(|k| noise(k / 4, 50 + k % 4) as f32).collect();
    let images = Tensor::new([24, 1, 1, 4], data);
    let data = [source("rows", dataset(&images, &labels, &CLASSES), &model)];
    let (mut held_out, mut by_heart) = (0, 0);
    for method in [Method::Paper, Method::Affine, Method::Background, Method::Linear] {
        let after = calibrated(&model, &data, method);
        let counts = note(&after).held_out.expect("images are held out");
        let right = |model| hits(model, &images, &labels, |a, b| a == b);
        assert_eq!((counts.images, counts.right_before), (24, right(&model)), "{method:?}");
        held_out += counts.right_after;
        by_heart += right(&after);
    }
    assert!(held_out < by_heart, "{held_out} of {by_heart}");
    for method in [Method::None, Method::Layerwise] {
        let card = calibrated(&model, &data, method).card().clone();
        assert_eq!(card.calibration.and_then(|note| note.held_out), None);
    }
}

/// Parts of layers that can go quiet, on data in which classes are missing, never right, or all.
#[test]
fn scores_stay_finite_and_classes_in_order() {
    let part = |name: &str, seed, classes: &[&str]| {
        let mut net = Net::new([1, 4, 4]);
        net.conv("image", "stem", [5, 1, 3], 1).then("Relu", "stem", "x");
        net.conv("x", "inner", [4, 5, 3], 1).then("Relu", "inner", "y").means("y", "flat");
        net.linear("flat", "head", [2, 4]);
        // One output that is always zero, and one that is always negative.
        if seed == 1 {
            net.given("head.weight", &[2, 4], &[0.0; 8]).given("head.bias", &[2], &[0.0, -3.0]);
        }
        classifier(name, net.finish("head", seed), classes)
    };
    let parts = [part("first", 1, &CLASSES[..2]), part("second", 2, &CLASSES[2..])];
    let images = random_images(24, [1, 4, 4], 3);
    for layout in [Layout::Branches, Layout::Padded] {
        let options = AssembleOptions { layout, ..AssembleOptions::default() };
        let model = assemble(&parts, &options).unwrap();
        for labels in [[0, 1, 2, 3], [0, 0, 2, 2], [1, 1, 3, 3], [1, 2, 1, 2]] {
            let labels: Vec<usize> = (0..24).map(|k| labels[k % 4]).collect();
            let source = source("set", dataset(&images, &labels, &CLASSES), &model);
            for method in METHODS {
                if (layout, method) == (Layout::Padded, Method::Layerwise) {
                    continue;
                }
                let after = calibrated(&model, std::slice::from_ref(&source), method);
                assert_eq!(after.class_names(), owned(&CLASSES));
                let found = scores(&after, &images);
                assert!(found.data().iter().all(|z| z.is_finite()), "{method:?} {labels:?}");
                if matches!(method, Method::None | Method::Paper) {
                    // Only sizes change, never signs.
                    for (a, b) in found.data().iter().zip(scores(&model, &images).data()) {
                        assert!(a * b >= 0.0, "{method:?}: {b} became {a}");
                    }
                }
            }
        }
    }
}

/// A sum that is almost zero must not become an infinite factor.
#[test]
fn tiny_scores_do_not_blow_up() {
    let model = pixels();
    let least = 1e-44;
    let images: [(usize, &[f32]); 4] = [
        (0, &[least, 0.0, 0.0, 0.0]),
        (1, &[0.0, 1.0, 0.0, 0.0]),
        (2, &[0.0, 0.0, 1.0, 0.0]),
        (3, &[0.0, 0.0, 0.0, 1.0]),
    ];
    let data = source("rows", rows(&images, &CLASSES), &model);
    for method in METHODS {
        let after = calibrated(&model, std::slice::from_ref(&data), method);
        let found = scores(
            &after,
            &Tensor::new([2, 1, 1, 4], vec![1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]),
        );
        assert!(found.data().iter().all(|z| z.is_finite()), "{method:?}: {found:?}");
    }
}

#[test]
fn calibrating_again_starts_afresh() {
    let model = pixels();
    let images: [(usize, &[f32]); 4] = [
        (0, &[7.0, 1.0, 0.0, 1.0]),
        (1, &[0.0, 5.0, 0.0, 2.0]),
        (2, &[2.0, 0.0, 1.0, 0.0]),
        (3, &[0.0, 1.0, 0.0, 0.5]),
    ];
    let data = [source("rows", rows(&images, &CLASSES), &model)];
    let once = calibrated(&model, &data, Method::Affine);
    let paper = calibrated(&once, &data, Method::Paper);
    assert_eq!(note(&paper), note(&calibrated(&model, &data, Method::Paper)));
    let none = calibrated(&paper, &data, Method::None);
    assert_eq!(none.fingerprint(), model.fingerprint());
    assert_eq!(none.card().calibration, None);
}

/// Images of six pixels: four scores, of which a part takes the other's images and its own classes for
/// each other, and two pixels that tell the truth.
fn told_by_pixels() -> (Classifier, Source, Tensor, Vec<usize>) {
    let parts = [
        pixel_reader("first", &[(0, 1.0), (1, 1.0)], 6, &CLASSES[..2]),
        pixel_reader("second", &[(2, 1.0), (3, 1.0)], 6, &CLASSES[2..]),
    ];
    let model = assemble(&parts, &AssembleOptions::default()).unwrap();
    let labels: Vec<usize> = (0..80).map(|k| k % 4).collect();
    let pixel = |k: usize, at: usize| match at {
        4 => (labels[k] % 2) as f32,
        5 => (labels[k] / 2) as f32,
        _ => 2.0 * noise(k as u64, at as u64) as f32,
    };
    let data = (0..80).flat_map(|k| (0..6).map(move |at| (k, at))).map(|(k, at)| pixel(k, at));
    let images = Tensor::new([80, 1, 1, 6], data.collect());
    let source = source("rows", dataset(&images, &labels, &CLASSES), &model);
    (model, source, images, labels)
}

fn hits(
    model: &Classifier,
    images: &Tensor,
    labels: &[usize],
    same: impl Fn(usize, usize) -> bool,
) -> usize {
    let scores = scores(model, images);
    let rows = scores.data().chunks(4).zip(labels);
    rows.filter(|(row, label)| same(brickwork::top_class(row), **label)).count()
}

#[test]
fn corrections_tell_what_factors_and_shifts_cannot() {
    let (model, source, images, labels) = told_by_pixels();
    let data = [source];
    let [affine, background, linear] = [Method::Affine, Method::Background, Method::Linear]
        .map(|method| calibrated(&model, &data, method));
    let right = |model| hits(model, &images, &labels, |a, b| a == b);
    let part = |model| hits(model, &images, &labels, |a, b| a / 2 == b / 2);
    assert!(right(&affine) < 40 && part(&affine) < 60, "{} {}", right(&affine), part(&affine));
    // A gate finds the part, and leaves the choice within it.
    assert!(part(&background) == 80 && right(&background) < 60, "{}", right(&background));
    assert_eq!(right(&linear), 80);
    let notes = note(&linear).notes;
    assert!(notes[0].contains("held out in turns") && notes[0].contains("penalty"), "{notes:?}");
    assert!(linear.graph().macs() > model.graph().macs());
}

#[test]
fn a_correction_can_be_taken_back() {
    let (model, source, images, _) = told_by_pixels();
    let data = [source];
    let affine = calibrated(&model, &data, Method::Affine);
    for method in [Method::Background, Method::Linear] {
        let corrected = calibrated(&model, &data, method);
        assert_ne!(corrected.fingerprint(), affine.fingerprint());
        assert_eq!(calibrated(&corrected, &data, Method::None).fingerprint(), model.fingerprint());
        let again = calibrated(&corrected, &data, Method::Affine);
        assert_eq!((again.fingerprint(), again.card()), (affine.fingerprint(), affine.card()));
        assert_eq!(scores(&again, &images), scores(&affine, &images));
        let twice = calibrated(&corrected, &data, method);
        assert_eq!(
            (twice.fingerprint(), twice.card()),
            (corrected.fingerprint(), corrected.card())
        );
    }
}

/// Features of several positions, parts in one network, classes of two parts.
#[test]
fn corrections_of_every_layout() {
    let part = |name: &str, seed, classes: &[&str]| {
        let mut net = Net::new([1, 4, 4]);
        net.conv("image", "stem", [5, 1, 3], 1).then("Relu", "stem", "x");
        net.conv("x", "head", [2, 5, 3], 1).means("head", "scores");
        classifier(name, net.finish("scores", seed), classes)
    };
    let images = random_images(60, [1, 4, 4], 3);
    let labels: Vec<usize> = (0..60)
        .map(|k| {
            let mean = images.data()[16 * k..16 * k + 8].iter().sum::<f32>();
            let other = images.data()[16 * k + 8..16 * k + 16].iter().sum::<f32>();
            usize::from(mean > 0.0) + 2 * usize::from(other > 0.0)
        })
        .collect();
    let cases = [
        (Layout::Branches, OnDuplicate::Refuse, ["a", "b", "c", "d"]),
        (Layout::Padded, OnDuplicate::Refuse, ["a", "b", "c", "d"]),
        (Layout::Branches, OnDuplicate::Max, ["a", "b", "b", "c"]),
        (Layout::Padded, OnDuplicate::Mean, ["a", "b", "b", "c"]),
    ];
    for (layout, on_duplicate, names) in cases {
        let parts = [part("first", 1, &names[..2]), part("second", 2, &names[2..])];
        let model = assemble(&parts, &AssembleOptions { layout, on_duplicate }).unwrap();
        let count = model.class_count();
        let labels: Vec<usize> = labels.iter().map(|&label| label % count).collect();
        let data = [source("set", dataset(&images, &labels, &CLASSES[..count]), &model)];
        let affine = calibrated(&model, &data, Method::Affine);
        for method in [Method::Background, Method::Linear] {
            let after = calibrated(&model, &data, method);
            let (before, now) = (loss(&affine, &images, &labels), loss(&after, &images, &labels));
            assert!(now <= before + 1e-6, "{layout:?} {method:?}: {before} to {now}");
            let own = vec![images.clone(); 2];
            let proof = verify_assembled(&stored(&after), &parts, &images, &own).unwrap();
            assert!(proof.holds, "{layout:?} {method:?} {proof:?}");
            let none = calibrated(&after, &data, Method::None);
            assert_eq!(none.fingerprint(), model.fingerprint(), "{layout:?} {method:?}");
        }
        let linear = calibrated(&model, &data, Method::Linear);
        assert!(loss(&linear, &images, &labels) < loss(&affine, &images, &labels) - 0.01);
    }
}

#[test]
fn what_cannot_be_calibrated_is_refused() {
    let alone = pixel_reader("alone", &[(0, 1.0), (1, 1.0)], 4, &CLASSES[..2]);
    let data = |model: &Classifier| source("rows", rows(&[(0, &[1.0; 4])], &CLASSES), model);
    let preprocess = Preprocess::plain([1, 4], 1);
    let refused = |model: &Classifier, data: Source, method| {
        calibrate(model, &preprocess, &[data], &CalibrateOptions::by(method), &Silent)
            .unwrap_err()
            .to_string()
    };
    let error = refused(&alone, data(&alone), Method::Paper);
    assert!(error.contains("`alone` was not assembled by brickwork"), "{error}");
    // No image of the second part.
    let model = pixels();
    let error = refused(&model, data(&model), Method::Layerwise);
    assert!(error.contains("the data has no image of part `second`"), "{error}");
}
