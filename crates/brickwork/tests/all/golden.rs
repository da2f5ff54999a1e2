//! The published algorithm's own numbers: contributions, and masks bit for bit.

use std::collections::BTreeMap;

use brickwork::{
    Choice, Classifier, LayerInfo, Plan, Profile, ProfileOptions, Rule, Sampling, Silent,
    Thresholds, layers, profile, reference_masks,
};
use brickwork_data::{Dataset, Preprocess};
use brickwork_tensor::Tensor;
use safetensors::SafeTensors;

use crate::common::{classifier, fixture, source};

const CLASSES: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// Expected arrays by name; masks as zeros and ones.
fn expected(name: &str) -> BTreeMap<String, Tensor> {
    let bytes = std::fs::read(fixture(&format!("golden/{name}.safetensors"))).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = |view: &safetensors::tensor::TensorView<'_>| {
        let data: Vec<f32> = match view.dtype() {
            safetensors::Dtype::U8 => view.data().iter().map(|&kept| f32::from(kept)).collect(),
            _ => view
                .data()
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect(),
        };
        Tensor::new(view.shape(), data)
    };
    file.iter().map(|(name, view)| (name.to_owned(), tensor(&view))).collect()
}

fn lenet() -> Classifier {
    let path = fixture("golden/lenet_fashion.onnx");
    let model = Classifier::load(&path, &Default::default(), None).unwrap();
    classifier("lenet", (**model.graph()).clone(), &CLASSES)
}

/// The profile of the fifty images that were chosen of every class.
fn lenet_profile(model: &Classifier, sampling: Sampling) -> Profile {
    let dataset = Dataset::open(fixture("golden/lenet_fashion.npz"), None).unwrap();
    let places = |class: usize| (0..dataset.len()).filter(move |k| k / 50 == class).collect();
    let given = (0..10).map(|class| (class, places(class))).collect();
    let preprocess =
        Preprocess { mean: vec![0.5], std: vec![0.5], ..Preprocess::plain([32, 32], 3) };
    let options = ProfileOptions {
        classes: (0..10).collect(),
        sampling,
        given: (sampling != Sampling::All).then_some(given),
    };
    profile(model, &preprocess, &[source("fashion", dataset, model)], &options, &Silent).unwrap()
}

/// A layer as the golden files name it.
fn golden_name<'a>(model: &'a Classifier, layer: &LayerInfo) -> &'a str {
    model.graph().value(layer.weight).name.trim_end_matches(".weight")
}

/// The largest error of summed contributions, relative to the largest of their row.
fn contribution_error(model: &Classifier, profile: &Profile) -> f32 {
    let expected = expected("lenet_fashion");
    let (mut worst, mut compared) = (0f32, 0);
    for (place, layer) in layers(model.graph()).iter().enumerate() {
        let weights = layer.tap_weights(model.graph());
        for class in 0..10 {
            let name = format!("contributions/{class}/{}", golden_name(model, layer));
            let Some(expected) = expected.get(&name) else { continue };
            let found = profile.contributions(class, place, layer, &weights).map(|v| v * 50.0);
            assert_eq!(found.shape(), expected.shape());
            let inputs = expected.shape()[1];
            for (a, b) in found.data().chunks(inputs).zip(expected.data().chunks(inputs)) {
                let top = b.iter().fold(1e-6f32, |top, x| top.max(*x));
                let error = a.iter().zip(b).fold(0f32, |e, (x, y)| e.max((x - y).abs()));
                worst = worst.max(error / top);
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 32);
    worst
}

#[test]
fn contributions_of_chosen_samples() {
    let model = lenet();
    let error = contribution_error(&model, &lenet_profile(&model, Sampling::Count(50)));
    assert!(error < 1e-5, "{error}");
}

#[test]
fn contributions_added_up_over_all_samples() {
    let model = lenet();
    let error = contribution_error(&model, &lenet_profile(&model, Sampling::All));
    assert!(error < 1e-5, "{error}");
}

#[test]
fn masks_of_a_sequential_network() {
    let model = lenet();
    let profile = lenet_profile(&model, Sampling::Count(50));
    let choice = Choice::Profile(&profile, Rule::Reference, Thresholds::default());
    let all: Vec<usize> = (0..10).collect();
    let plan = Plan::new(&model, &all, &choice, 1).unwrap();
    let expected = expected("lenet_fashion");
    for ((name, found), layer) in plan.masks.iter().zip(&plan.layers) {
        assert_eq!(*name, layer.name);
        let found = found.iter().flatten().map(|&kept| f32::from(u8::from(kept))).collect();
        let expected = &expected[&format!("masks/{}", golden_name(&model, layer))];
        assert_eq!(Tensor::new(expected.shape(), found), *expected, "{name}");
    }
    assert_eq!(plan.masks.len(), 5);
}

/// The residual network changes its width where nothing says so to a rule that walks layer by
/// layer: masks that do not fit start anew.
#[test]
fn masks_of_a_residual_network() {
    let expected = expected("resnet20");
    let model = lenet();
    let kinds = layers(model.graph());
    // Counted from the classifier backwards.
    let names: Vec<&str> =
        expected.keys().rev().filter_map(|name| name.strip_prefix("contributions/")).collect();
    let values = |place: usize| expected[&format!("contributions/{}", names[place])].clone();
    let layers: Vec<LayerInfo> = (0..names.len())
        .map(|place| {
            let kind = if place + 1 == names.len() { kinds.len() - 1 } else { 0 };
            let mut layer = kinds[kind].clone();
            layer.weighted.outputs = values(place).shape()[0];
            layer.weighted.inputs = values(place).shape()[1];
            layer
        })
        .collect();
    let masks = reference_masks(&layers, 5, &Thresholds::default(), values);
    assert_eq!(masks.len(), 20);
    for (mask, name) in masks.iter().zip(&names) {
        let found: Vec<f32> = mask.iter().map(|&kept| f32::from(u8::from(kept))).collect();
        assert_eq!(found, expected[&format!("masks/{name}")].data(), "{name}");
    }
}
