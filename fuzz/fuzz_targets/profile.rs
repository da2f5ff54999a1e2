//! Any bytes as a profile, with their digest put right: refused in words, or a profile that can be
//! written, reads the same again, and is refused for a small network or cuts it.
#![no_main]

use std::collections::HashMap;
use std::sync::LazyLock;

use brickwork::{Choice, Classifier, Plan, Profile, decode_profile, load_profile, save_profile};
use brickwork_formats::onnx::{ReadOptions, decode};
use libfuzzer_sys::{Corpus, fuzz_target};
use safetensors::{SafeTensors, tensor::TensorView};
use serde_json::Value;
use sha2::{Digest, Sha256};

const KEY: &str = "brickwork.profile";

static NET: LazyLock<Classifier> = LazyLock::new(|| {
    let bytes = include_bytes!("../../fixtures/formats/v1/net.onnx");
    let graph = decode(bytes, None, &ReadOptions::default()).expect("a model of the fixtures");
    Classifier::new("net", graph).expect("a classifier")
});

static FOLDER: LazyLock<tempfile::TempDir> =
    LazyLock::new(|| tempfile::tempdir().expect("a folder"));

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let sealed = sealed(bytes).unwrap_or_else(|| bytes.to_vec());
    match decode_profile(&sealed) {
        Err(why) => {
            assert!(!why.is_empty());
            // What only lacks arrays or a right number can become a profile.
            if why.contains("metadata has no") { Corpus::Reject } else { Corpus::Keep }
        }
        Ok(profile) => {
            check(profile);
            Corpus::Keep
        }
    }
});

fn check(profile: Profile) {
    let path = FOLDER.path().join("profile");
    if save_profile(&profile, &path).is_ok() {
        let again = load_profile(&path).expect("what was written is read");
        assert_eq!(format!("{again:?}"), format!("{profile:?}"));
    }
    for class in 0..NET.class_count() {
        let choice = Choice::Profile(&profile, Default::default(), Default::default());
        let _ = Plan::new(&NET, &[class], &choice, 1);
    }
    let _ = Profile::merge(vec![profile.clone(), profile]);
}

/// The file with the digest that its header and arrays have.
fn sealed(bytes: &[u8]) -> Option<Vec<u8>> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).ok()?;
    let text = metadata.metadata().as_ref()?.get(KEY)?.clone();
    let file = SafeTensors::deserialize(bytes).ok()?;
    let header: Value = serde_json::from_str(&text).ok()?;
    let mut hash = Sha256::new();
    hash.update(&text);
    for entry in header["samples"].as_array()? {
        for layer in header["layers"].as_array()? {
            let name = format!("{}/{}", entry["class"], layer.as_str()?);
            let view = file.tensor(&name).ok()?;
            hash.update(format!("{name} {:?} {:?}", view.dtype(), view.shape()));
            hash.update(view.data());
        }
    }
    let digest = hash.finalize();
    let mut arrays: Vec<(String, TensorView<'_>)> =
        file.tensors().into_iter().filter(|(name, _)| name != "digest").collect();
    let view = TensorView::new(safetensors::Dtype::U8, vec![digest.len()], &digest).ok()?;
    arrays.push(("digest".to_owned(), view));
    safetensors::serialize(arrays, Some(HashMap::from([(KEY.to_owned(), text)]))).ok()
}
