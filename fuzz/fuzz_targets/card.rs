//! Any text as the card of a small component or assembled model: refused in words, or the model can be
//! written, reads the same again, and whatever looks at the card works.
#![no_main]

use std::sync::LazyLock;

use brickwork::{
    Card, Classifier, Silent, calibrate_from_moments, diff, part_images, uniform, verify,
    verify_assembled, without,
};
use brickwork_formats::onnx::{ReadOptions, decode};
use brickwork_tensor::Tensor;
use libfuzzer_sys::{Corpus, fuzz_target};

/// A network, two components of it, and the components joined.
static MODELS: LazyLock<[Classifier; 4]> = LazyLock::new(|| {
    [
        ("net", &include_bytes!("../../fixtures/formats/v1/net.onnx")[..]),
        ("low", include_bytes!("../../fixtures/formats/v1/low.onnx")),
        ("bare", include_bytes!("../../fixtures/formats/v1/bare.onnx")),
        ("ready", include_bytes!("../../fixtures/formats/v1/ready.onnx")),
    ]
    .map(|(name, bytes)| {
        let graph = decode(bytes, None, &ReadOptions::default()).expect("a model of the fixtures");
        Classifier::new(name, graph).expect("a classifier")
    })
});

static IMAGES: LazyLock<Tensor> = LazyLock::new(|| uniform([2, 1, 28, 28], -1.0, 1.0, 1));

fuzz_target!(|text: &str| -> Corpus {
    match Card::read(text) {
        Err(why) => {
            assert!(!why.is_empty());
            Corpus::Reject
        }
        Ok(card) => {
            MODELS.iter().for_each(|model| check(model, &card));
            Corpus::Keep
        }
    }
});

fn check(model: &Classifier, card: &Card) {
    let described = match model.with_card(card.clone()) {
        Ok(described) => described,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    if let Ok(written) = described.to_graph() {
        let again = Classifier::new(&*model.name, written).expect("what was written is read");
        let Card { version, tool, written, .. } = again.card().clone();
        let expected = Card { version, tool, written, ..card.clone() };
        assert_eq!(format!("{:?}", again.card()), format!("{expected:?}"));
    }
    let [net, low, bare, _] = &*MODELS;
    let _ = verify(net, &described, &IMAGES);
    let _ = without(&described, &described.class_names()[..1]);
    let _ = calibrate_from_moments(&described, 0, &Silent);
    if let Ok(own) = part_images(&described, &IMAGES) {
        let _ = verify_assembled(&described, &[low.clone(), bare.clone()], &IMAGES, &own);
    }
    diff(net, &described);
}
