//! Files of earlier versions open for ever.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::PathBuf;

use brickwork::{
    Checkpoint, Classifier, Weights, load_profile, part_images, uniform, verify, verify_assembled,
};

fn file(name: &str) -> PathBuf {
    common::fixture(&format!("formats/v1/{name}"))
}

fn load(name: &str) -> Classifier {
    Classifier::load(&file(name), &Default::default(), None).unwrap()
}

#[test]
fn files_of_version_1() {
    let (net, low, bare, ready) =
        (load("net.onnx"), load("low.onnx"), load("bare.onnx"), load("ready.onnx"));
    load_profile(&file("net.profile.safetensors")).unwrap().check_model(&net).unwrap();
    Checkpoint::load(&file("run.checkpoint")).unwrap();
    let [c, h, w] = net.input();
    let images = uniform([3, c, h, w], -1.0, 1.0, 1);
    assert!(verify(&net, &bare, &images).unwrap().holds);
    // Its cut is proved; what its weights were, files of this version do not say.
    let found = verify(&net, &low, &images).unwrap();
    assert!(found.worst <= found.tolerance && !found.holds && found.weights == Weights::Unknown);
    let own = part_images(&ready, &images).unwrap();
    assert!(verify_assembled(&ready, &[low, bare], &images, &own).unwrap().holds);
    assert_eq!((net.card().version, ready.card().version), (1, 1));
    assert!(ready.card().reject.is_some() && ready.card().calibration.is_some());
}
