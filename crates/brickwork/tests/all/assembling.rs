//! An assembled model computes what its parts compute one by one, in either layout.

use brickwork::{
    AssembleOptions, Card, Choice, Classifier, Layout, OnDuplicate, Plan, assemble, part_images,
    verify_assembled,
};
use brickwork_data::{ChannelOrder, Fit, Preprocess};
use brickwork_formats::onnx::{decode, encode};
use brickwork_graph::{Attr, Graph};
use brickwork_tensor::Tensor;

use crate::common;
use crate::common::grown::grow;
use crate::common::{
    Net, classifier, owned, photos, pixel_reader, random_images, relative, unwritten,
};

fn assembled(parts: &[Classifier], layout: Layout, on_duplicate: OnDuplicate) -> Classifier {
    assemble(parts, &AssembleOptions { layout, on_duplicate }).unwrap()
}

fn side_by_side(parts: &[Classifier], images: &Tensor) -> Tensor {
    let logits: Vec<Tensor> = parts.iter().map(|p| p.scorer().logits(images).unwrap()).collect();
    Tensor::concat(&logits.iter().collect::<Vec<_>>(), 1)
}

fn plain(width: usize, classes: usize, seed: u64) -> Graph {
    let mut net = Net::new([3, 8, 8]);
    net.conv("image", "a", [width, 3, 3], 1).norm("a", "b", width).then("Relu", "b", "c");
    net.conv("c", "d", [width + 1, width, 3], 1).then("Flatten", "d", "flat");
    net.linear("flat", "head", [classes, (width + 1) * 64]);
    net.finish("head", seed)
}

fn residual(width: usize, classes: usize, seed: u64) -> Graph {
    let mut net = Net::new([3, 8, 8]);
    net.conv("image", "stem", [width, 3, 3], 1).then("Relu", "stem", "x");
    net.conv("x", "up", [width + 2, width, 3], 1).then("Relu", "up", "y");
    net.conv("y", "down", [width, width + 2, 1], 1).node("Add", &["x", "down"], &["sum"], &[]);
    net.means("sum", "flat").linear("flat", "head", [classes, width]);
    net.finish("head", seed)
}

fn concat(width: usize, classes: usize, seed: u64) -> Graph {
    let mut net = Net::new([3, 8, 8]);
    net.conv("image", "stem", [width, 3, 3], 1).then("Relu", "stem", "x");
    net.conv("x", "a", [3, width, 3], 1).conv("x", "b", [width, width, 1], 1);
    net.node("Concat", &["b", "x", "a"], &["joined"], &[("axis", Attr::Int(1))]);
    net.conv("joined", "mixed", [4, 2 * width + 3, 1], 1);
    net.conv("mixed", "each", [4, 1, 3], 4);
    net.means("each", "flat").linear("flat", "head", [classes, 4]);
    net.finish("head", seed)
}

type Architecture = fn(usize, usize, u64) -> Graph;

/// Three parts of one architecture, of different widths, class counts and weights.
fn parts(architecture: Architecture) -> Vec<Classifier> {
    vec![
        classifier("first", architecture(4, 2, 1), &["a", "b"]),
        classifier("second", architecture(6, 3, 2), &["c", "d", "e"]),
        classifier("third", architecture(5, 2, 3), &["f", "g"]),
    ]
}

fn check_layouts(architecture: Architecture) {
    let parts = parts(architecture);
    let images = random_images(5, [3, 8, 8], 4);
    let expected = side_by_side(&parts, &images);
    for layout in [Layout::Branches, Layout::Padded] {
        let whole = assembled(&parts, layout, OnDuplicate::Refuse);
        let off = relative(&whole.scorer().logits(&images).unwrap(), &expected);
        assert!(off <= 1e-5, "{layout:?}: {off}");
        assert_eq!(whole.card().classes, owned(&["a", "b", "c", "d", "e", "f", "g"]));
        let stored = whole.to_graph().unwrap();
        let again = decode(&encode(&stored).unwrap(), None, &Default::default()).unwrap();
        let again = Classifier::new("again", again).unwrap();
        let written = unwritten(again.card());
        assert_eq!(&written, whole.card());
        assert!(relative(&again.scorer().logits(&images).unwrap(), &expected) <= 1e-5);
    }
}

#[test]
fn plain_parts() {
    check_layouts(plain);
}

#[test]
fn residual_parts() {
    check_layouts(residual);
}

#[test]
fn joined_parts() {
    check_layouts(concat);
}

#[test]
fn branches_cost_the_sum_of_their_parts() {
    let parts = parts(residual);
    let whole = assembled(&parts, Layout::Branches, OnDuplicate::Refuse);
    assert_eq!(whole.graph().macs(), parts.iter().map(|part| part.graph().macs()).sum::<u64>());
    // A factor and a shift for each of seven scores.
    let params: usize = parts.iter().map(|part| part.graph().parameters()).sum();
    assert_eq!(whole.graph().parameters(), params + 14);
}

/// The same stem and first layer, and from there on others.
fn of_one_trunk(seed: u64) -> Graph {
    let mut net = Net::new([3, 8, 8]);
    net.conv("image", "stem", [4, 3, 3], 1).norm("stem", "norm", 4).then("Relu", "norm", "x");
    net.conv("x", "own", [4, 4, 3], 1).node("Add", &["x", "own"], &["sum"], &[]);
    net.means("sum", "flat").linear("flat", "head", [2, 4]);
    let stem: Vec<f32> = (0..108).map(|k| (k % 7) as f32 / 7.0 - 0.4).collect();
    net.given("stem.weight", &[4, 3, 3, 3], &stem).given("stem.bias", &[4], &[0.1; 4]);
    for (name, value) in [("scale", 0.8), ("shift", -0.1), ("mean", 0.2), ("var", 1.5)] {
        net.given(&format!("norm.{name}"), &[4], &[value; 4]);
    }
    net.finish("head", seed)
}

#[test]
fn what_parts_have_in_common_is_there_once() {
    let parts = [
        classifier("first", of_one_trunk(1), &["a", "b"]),
        classifier("second", of_one_trunk(2), &["c", "d"]),
        classifier("third", residual(5, 2, 3), &["e", "f"]),
        classifier("shared", of_one_trunk(4), &["g", "h"]),
    ];
    let whole = assembled(&parts, Layout::Branches, OnDuplicate::Refuse);
    let images = random_images(5, [3, 8, 8], 4);
    let off = relative(&whole.scorer().logits(&images).unwrap(), &side_by_side(&parts, &images));
    assert!(off <= 1e-5, "{off}");
    let names: Vec<&str> = whole.graph().nodes().iter().map(|node| node.name.as_str()).collect();
    let shared: Vec<_> = names.iter().filter(|name| name.starts_with("shared/")).collect();
    assert_eq!(shared, ["shared/stem", "shared/norm", "shared/x"].iter().collect::<Vec<_>>());
    assert!(names.contains(&"shared'/own") && names.contains(&"third/stem"), "{names:?}");
    let sum: u64 = parts.iter().map(|part| part.graph().macs()).sum();
    assert_eq!(whole.graph().macs(), sum - 2 * 3 * 4 * 9 * 64);
    let own = part_images(&whole, &images).unwrap();
    assert!(verify_assembled(&whole, &parts, &images, &own).unwrap().holds);
}

#[test]
fn parts_that_are_the_same_keep_a_last_layer_each() {
    let part = |name| classifier(name, of_one_trunk(1), &["a", "b"]);
    let parts = [part("first"), part("second")];
    let whole = assembled(&parts, Layout::Branches, OnDuplicate::Mean);
    let images = random_images(5, [3, 8, 8], 4);
    let alone = parts[0].scorer().logits(&images).unwrap();
    assert!(relative(&whole.scorer().logits(&images).unwrap(), &alone) <= 1e-6);
    let heads = whole.graph().nodes().iter().filter(|node| node.name.ends_with("/head"));
    let heads: Vec<&str> = heads.map(|node| node.name.as_str()).collect();
    assert_eq!(heads, ["first/head", "second/head"]);
}

#[test]
fn components_of_one_source_in_both_layouts() {
    let source = classifier("source", residual(8, 4, 9), &["a", "b", "c", "d"]);
    let control = |seed| brickwork::Control::Random(seed);
    let whole = Plan::new(&source, &[0, 1, 2, 3], &Choice::Everything, 1).unwrap();
    let component = |classes: &[usize], seed: u64| {
        let choice = Choice::Control(&whole, control(seed));
        let plan = Plan::new(&source, classes, &choice, 1).unwrap();
        let (graph, checked) = plan.cut(&source, 1).unwrap();
        let card = plan.card(&source, &choice, checked);
        Classifier::described(format!("{classes:?}"), graph, card).unwrap()
    };
    let parts = [component(&[0, 3], 1), component(&[1], 2)];
    let images = random_images(4, [3, 8, 8], 4);
    let expected = side_by_side(&parts, &images);
    for layout in [Layout::Branches, Layout::Padded] {
        let whole = assembled(&parts, layout, OnDuplicate::Refuse);
        assert!(relative(&whole.scorer().logits(&images).unwrap(), &expected) <= 1e-5);
        assert_eq!(whole.card().classes, owned(&["a", "d", "b"]));
    }
}

/// Any architecture goes into branches; into the padded layout only what the layout can express,
/// and then it is the same function.
#[test]
fn grown_networks_in_both_layouts() {
    let mut padded = 0;
    for case in 0..40u8 {
        let genes: Vec<(u8, u8)> = (0..1 + case % 5)
            .map(|k| (case.wrapping_mul(7) ^ k.wrapping_mul(29), k + case))
            .collect();
        let parts = [
            classifier("first", grow(&genes, 2, 1), &["a", "b"]),
            classifier("second", grow(&genes, 3, 2), &["c", "d", "e"]),
        ];
        let images = random_images(2, [3, 8, 8], 4);
        let expected = side_by_side(&parts, &images);
        let whole = assembled(&parts, Layout::Branches, OnDuplicate::Refuse);
        assert!(relative(&whole.scorer().logits(&images).unwrap(), &expected) <= 1e-5, "{genes:?}");
        let options = AssembleOptions { layout: Layout::Padded, ..AssembleOptions::default() };
        if let Ok(whole) = assemble(&parts, &options) {
            let off = relative(&whole.scorer().logits(&images).unwrap(), &expected);
            assert!(off <= 1e-5, "{off} with {genes:?} in {}", whole.graph());
            padded += 1;
        }
    }
    assert!(padded >= 20, "only {padded} of 40 could be padded");
}

#[test]
fn other_architectures_are_not_padded() {
    let parts = [
        classifier("first", plain(4, 2, 1), &["a", "b"]),
        classifier("second", residual(4, 2, 2), &["c", "d"]),
    ];
    let options = AssembleOptions { layout: Layout::Padded, ..AssembleOptions::default() };
    let error = assemble(&parts, &options).err().unwrap().to_string();
    assert!(error.contains("`first` and `second` differ in architecture"), "{error}");
    let images = random_images(2, [3, 8, 8], 4);
    let whole = assembled(&parts, Layout::Branches, OnDuplicate::Refuse);
    let off = relative(&whole.scorer().logits(&images).unwrap(), &side_by_side(&parts, &images));
    assert!(off <= 1e-5, "{off}");
}

/// Two parts that both know `cat`, with scores 3 and 5, 7 and 2 for one image.
fn with_duplicates(on_duplicate: OnDuplicate) -> Result<(Vec<String>, Vec<f32>), String> {
    let parts = [
        pixel_reader("home", &[(0, 1.0), (1, 1.0)], 4, &["cat", "dog"]),
        pixel_reader("zoo", &[(2, 1.0), (3, 1.0)], 4, &["lion", "cat"]),
    ];
    let image = Tensor::new([1, 1, 1, 4], vec![3.0, 5.0, 7.0, 2.0]);
    let options = AssembleOptions { on_duplicate, ..AssembleOptions::default() };
    let whole = assemble(&parts, &options).map_err(|error| error.to_string())?;
    let checked = verify_assembled(&whole, &parts, &image, &[image.clone(), image.clone()]);
    assert!(checked.unwrap().holds);
    Ok((whole.class_names(), whole.scorer().logits(&image).unwrap().into_data()))
}

#[test]
fn classes_of_one_name() {
    let error = with_duplicates(OnDuplicate::Refuse).unwrap_err();
    assert!(error.contains("1 classes have the same name in several parts: cat"), "{error}");
    let expect = |on_duplicate, names: &[&str], scores: &[f32]| {
        assert_eq!(with_duplicates(on_duplicate), Ok((owned(names), scores.to_vec())));
    };
    expect(OnDuplicate::Max, &["cat", "dog", "lion"], &[3.0, 5.0, 7.0]);
    expect(OnDuplicate::Mean, &["cat", "dog", "lion"], &[2.5, 5.0, 7.0]);
    let apart = ["cat (home)", "dog", "lion", "cat (zoo)"];
    expect(OnDuplicate::KeepBoth, &apart, &[3.0, 5.0, 7.0, 2.0]);
}

#[test]
fn a_class_in_three_parts() {
    let part = |name: &str, pixel| pixel_reader(name, &[(pixel, 1.0)], 4, &["cat"]);
    let parts = [part("a", 0), part("b", 1), part("c", 2)];
    for (image, most, mean) in
        [([1.0, 4.0, 2.5, 0.0], 4.0, 2.5), ([-1.0, -4.0, -2.5, 0.0], -1.0, -2.5)]
    {
        let image = Tensor::new([1, 1, 1, 4], image.to_vec());
        for (on_duplicate, score) in [(OnDuplicate::Max, most), (OnDuplicate::Mean, mean)] {
            let whole = assembled(&parts, Layout::Branches, on_duplicate);
            assert_eq!(whole.class_names(), owned(&["cat"]));
            let found = whole.scorer().logits(&image).unwrap().into_data();
            assert!((found[0] - score).abs() < 1e-6, "{found:?}, expected {score}");
        }
    }
}

/// Parts of their own means, deviations, scales, colour orders, channels and sizes.
fn mixed_inputs() -> Vec<Classifier> {
    let grow_for = |[c, h, w]: [usize; 3], seed: u64| {
        let mut net = Net::new([c, h, w]);
        net.conv("image", "stem", [4, c, 3], 1).then("Relu", "stem", "x");
        net.means("x", "flat").linear("flat", "head", [2, 4]);
        net.finish("head", seed)
    };
    let part = |name: &str, seed, classes: &[&str], preprocess: Preprocess| {
        let [height, width] = preprocess.size;
        let graph = grow_for([preprocess.channels, height, width], seed);
        let part = classifier(name, graph, classes);
        let card = Card { preprocess: Some(preprocess), ..part.card().clone() };
        part.with_card(card).unwrap()
    };
    let rgb = Preprocess::plain([8, 8], 3);
    vec![
        part("plain", 1, &["a", "b"], rgb.clone()),
        part(
            "normalised",
            2,
            &["c", "d"],
            Preprocess { mean: vec![0.4, 0.5, 0.6], std: vec![0.2, 0.3, 0.25], ..rgb.clone() },
        ),
        part(
            "caffe",
            3,
            &["e", "f"],
            Preprocess {
                scale: Some(1.0),
                mean: vec![104.0, 117.0, 123.0],
                order: ChannelOrder::Bgr,
                ..rgb.clone()
            },
        ),
        part(
            "grey",
            4,
            &["g", "h"],
            Preprocess { mean: vec![0.1307], ..Preprocess::plain([8, 8], 1) },
        ),
    ]
}

#[test]
fn every_part_sees_the_image_as_it_is_used_to() {
    let parts = mixed_inputs();
    let whole = assembled(&parts, Layout::Branches, OnDuplicate::Refuse);
    let bytes: Vec<u8> = (0..3 * 3 * 64).map(|k| (common::noise(k, 1) * 256.0) as u8).collect();
    let data = photos(&[3, 3, 8, 8], &bytes, &[0, 0, 0], &["a"]);
    let seen_by = |model: &Classifier| {
        data.batch(&[0, 1, 2], model.card().preprocess.as_ref().unwrap()).unwrap()
    };
    let image = seen_by(&whole);
    let own: Vec<Tensor> = parts.iter().map(seen_by).collect();
    for ((found, own), part) in part_images(&whole, &image).unwrap().iter().zip(&own).zip(&parts) {
        assert!(relative(found, own) <= 1e-5, "{}", part.name);
    }
    let logits = parts.iter().zip(&own).map(|(p, own)| p.scorer().logits(own).unwrap());
    let expected = Tensor::concat(&logits.collect::<Vec<_>>().iter().collect::<Vec<_>>(), 1);
    let off = relative(&whole.scorer().logits(&image).unwrap(), &expected);
    assert!(off <= 1e-5, "{off}");
    assert!(verify_assembled(&whole, &parts, &image, &own).unwrap().holds);
}

/// Where sizes differ, the smaller part gets the large image made smaller; a constant image stays
/// what it is.
#[test]
fn sizes_are_brought_together() {
    let small = classifier("small", grow(&[(4, 1)], 2, 1), &["a", "b"]);
    let mut net = Net::new([3, 16, 16]);
    net.conv("image", "stem", [4, 3, 3], 1).means("stem", "flat").linear("flat", "head", [2, 4]);
    let large = classifier("large", net.finish("head", 2), &["c", "d"]);
    let whole = assembled(&[small.clone(), large.clone()], Layout::Branches, OnDuplicate::Refuse);
    assert_eq!(whole.input(), [3, 16, 16]);
    assert_eq!(whole.card().preprocess.as_ref().unwrap().fit, Fit::Exact);
    let even = |side: usize| Tensor::filled([1, 3, side, side], 0.7);
    let found = whole.scorer().logits(&even(16)).unwrap();
    let parts =
        [small.scorer().logits(&even(8)).unwrap(), large.scorer().logits(&even(16)).unwrap()];
    assert!(relative(&found, &Tensor::concat(&parts.iter().collect::<Vec<_>>(), 1)) <= 1e-5);
}

#[test]
fn parts_of_one_name_stay_apart() {
    let part = |seed, classes: &[&str]| classifier("part", plain(3, 2, seed), classes);
    let parts = [part(1, &["a", "b"]), part(2, &["c", "d"])];
    let whole = assembled(&parts, Layout::Branches, OnDuplicate::Refuse);
    let names: Vec<&str> = whole.card().parts.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names, ["part", "part'"]);
    let images = random_images(2, [3, 8, 8], 4);
    let off = relative(&whole.scorer().logits(&images).unwrap(), &side_by_side(&parts, &images));
    assert!(off <= 1e-5, "{off}");
}

/// An assembled model is a part like any other.
#[test]
fn assembled_models_can_be_assembled() {
    let [first, second, third] = &parts(residual)[..] else { unreachable!() };
    let pair = assembled(&[first.clone(), second.clone()], Layout::Branches, OnDuplicate::Refuse);
    let whole = assembled(&[pair, third.clone()], Layout::Branches, OnDuplicate::Refuse);
    let images = random_images(2, [3, 8, 8], 4);
    let expected = side_by_side(&[first.clone(), second.clone(), third.clone()], &images);
    assert!(relative(&whole.scorer().logits(&images).unwrap(), &expected) <= 1e-5);
}

#[test]
fn parts_without_preprocessing_are_refused() {
    let bare = Classifier::new("bare", plain(3, 2, 1)).unwrap();
    let error = assemble(&[bare], &AssembleOptions::default()).err().unwrap().to_string();
    assert!(error.contains("the preprocessing of `bare` is not known"), "{error}");
    assert!(assemble(&[], &AssembleOptions::default()).is_err());
}
