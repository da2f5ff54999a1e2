//! Files of earlier versions open for ever.

use std::collections::BTreeMap;
use std::path::PathBuf;

use brickwork::verbs::{Context, ModelInput, Profile, Verb};
use brickwork::{
    Checkpoint, Classifier, ProfileOptions, Sampling, Silent, Weights, load_profile, part_images,
    profile, save_profile, uniform, verify, verify_assembled,
};

use crate::common;

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

#[test]
fn profiles_of_version_1_merge_with_those_of_today() {
    let (net, stored) = (load("net.onnx"), load_profile(&file("net.profile.safetensors")).unwrap());
    let names = net.class_names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let images = common::dataset(&uniform([3, 1, 28, 28], 0.0, 1.0, 1), &[4; 3], &names);
    let options = ProfileOptions {
        classes: vec![4],
        sampling: Sampling::Count(3),
        given: Some(BTreeMap::from([(4, vec![0, 1, 2])])),
    };
    let sources = [common::source("noise", images, &net)];
    let made = profile(&net, &stored.header.preprocess, &sources, &options, &Silent).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.safetensors");
    save_profile(&made, &path).unwrap();
    let merge = vec![file("net.profile.safetensors"), path];
    let unnamed = Profile { merge, ..Profile::default() };
    let error = unnamed.run(&Context::default()).unwrap_err().to_string();
    assert!(error.contains("written by different versions; name the model"), "{error}");
    let other = ModelInput::file(file("low.onnx"));
    let error = Profile { model: other, ..unnamed.clone() }.run(&Context::default()).unwrap_err();
    assert!(error.to_string().contains("the profile is of `net`"), "{error}");
    let model = ModelInput::file(file("net.onnx"));
    let merged = Profile { model, ..unnamed }.run(&Context::default()).unwrap();
    merged.profile.check_model(&net).unwrap();
    assert_eq!(merged.fingerprint, net.fingerprint());
    assert_eq!(merged.profile.header.data, ["digits", "noise"]);
    let seen: Vec<usize> = merged.classes.iter().map(|class| class.seen).collect();
    assert_eq!(seen, [200, 200, 200, 200, 203, 200, 200, 200, 200, 200]);
}
