//! Verification holds for what the verbs make, and for nothing else.

use std::sync::Arc;

use brickwork::{
    AssembleOptions, CalibrateOptions, Choice, Classifier, Cut, KeptLayer, KeptMap, Layout, Method,
    Origin, Plan, RefitOptions, Silent, Verification, Weights, assemble, calibrate, recut, refit,
    verify, verify_assembled,
};
use brickwork_graph::{Attr, Graph, Patch};
use brickwork_tensor::Tensor;

use crate::common::{Net, classifier, dataset, random_images, relative, run, source, stored};

const CLASSES: [&str; 3] = ["a", "b", "c"];

fn model(seed: u64) -> Classifier {
    let mut net = Net::new([3, 8, 8]);
    net.conv("image", "stem", [6, 3, 3], 1).norm("stem", "normed", 6).then("Relu", "normed", "x");
    net.conv("x", "inner", [6, 6, 3], 1).node("Add", &["x", "inner"], &["sum"], &[]);
    net.conv("sum", "side", [4, 6, 1], 1);
    net.node("Concat", &["side", "sum"], &["joined"], &[("axis", Attr::Int(1))]);
    net.means("joined", "flat").linear("flat", "head", [3, 10]);
    classifier("model", net.finish("head", seed), &CLASSES)
}

fn kept() -> KeptMap {
    let layer = |output: &[usize]| KeptLayer { input: Vec::new(), output: output.to_vec() };
    [("stem", &[0, 2, 5][..]), ("side", &[1, 3])].map(|(n, o)| (n.to_owned(), layer(o))).into()
}

fn component(source: &Classifier) -> (Plan, Classifier) {
    let choice = Choice::Given(kept());
    let plan = Plan::new(source, &[0, 2], &choice, 1).unwrap();
    let (graph, checked) = plan.cut(source, 1).unwrap();
    let card = plan.card(source, &choice, checked);
    let made = Classifier::described("component", graph, card).unwrap();
    (plan, made)
}

fn images() -> Tensor {
    random_images(4, [3, 8, 8], 2)
}

fn verified(source: &Classifier, component: &Classifier) -> Verification {
    verify(source, component, &images()).unwrap()
}

/// The model with one weight of a layer moved.
fn changed(model: &Classifier, layer: &str, by: f32) -> Classifier {
    let graph = model.graph();
    let node = graph.find_node(layer).unwrap();
    let value = graph.node(node).input(1).unwrap();
    let mut weights = (**graph.constant(node, 1).unwrap()).clone();
    weights.data_mut()[0] += by;
    let mut patch = Patch::new("changing a weight");
    patch.constant(value, Arc::new(weights));
    model.with_graph(patch.apply(graph).unwrap()).unwrap()
}

#[test]
fn a_true_cut_holds() {
    let source = model(1);
    let (_, part) = component(&source);
    let found = verified(&source, &part);
    assert!(found.holds && found.worst <= 1e-5 && found.scores <= 1e-5, "{found:?}");
    assert_eq!((found.layers, found.weights, found.moved), (4, Weights::Compared, None));
    let again = recut(&source, &part).unwrap();
    assert_eq!(again.fingerprint(), part.fingerprint());
}

#[test]
fn a_changed_weight_is_found_in_its_layer() {
    let source = model(1);
    let (_, part) = component(&source);
    for layer in ["stem", "inner", "side", "head"] {
        let found = verified(&source, &changed(&part, layer, 0.5));
        assert!(!found.holds && found.worst > 1e-3, "{layer}: {found:?}");
        // Later layers differ as well, but earlier ones do not.
        let order = ["stem", "inner", "side", "head"];
        let place = |name: &str| order.iter().position(|known| *known == name).unwrap();
        assert!(place(&found.worst_layer) >= place(layer), "{layer}: {found:?}");
        // Within the tolerance nothing is said.
        assert!(verified(&source, &changed(&part, layer, 1e-7)).holds);
    }
    let found = verified(&source, &changed(&part, "head", 0.5));
    assert_eq!(found.worst_layer, "head");
}

/// NaN for one image of several must not get lost among good numbers.
#[test]
fn scores_that_are_no_numbers_are_found() {
    let source = model(1);
    let (_, part) = component(&source);
    for layer in ["stem", "head"] {
        let found = verified(&source, &changed(&part, layer, f32::NAN));
        assert!(!found.holds, "{layer}: {found:?}");
    }
}

#[test]
fn a_card_that_lies_is_refused() {
    let source = model(1);
    let (_, part) = component(&source);
    let with = |edit: &dyn Fn(&mut Origin)| {
        let mut card = part.card().clone();
        card.origin.as_mut().map(edit).unwrap();
        let lying = part.with_card(card);
        let proof = lying.and_then(|lying| verify(&source, &lying, &images()));
        proof.unwrap_err().to_string()
    };
    // Widths that the graph does not have are noticed before anything is compared.
    let error = with(&|origin| origin.kept.get_mut("stem").unwrap().output = vec![0, 2]);
    assert!(error.contains("keeps 3 inputs and 2 outputs, but it has 3 and 3"), "{error}");
    let error = with(&|origin| origin.kept.get_mut("stem").unwrap().output = vec![0, 2, 4]);
    assert!(error.contains("cannot be cut as they stand"), "{error}");
    // Channel 3 of `side` is also what `head` reads at place 3.
    let error = with(&|origin| {
        origin.kept.get_mut("side").unwrap().output.retain(|k| *k != 3);
        origin.kept.get_mut("head").unwrap().input.retain(|k| *k != 3);
    });
    assert!(error.contains("layer `side`") && error.contains("layer `head`"), "{error}");
    let error = with(&|origin| origin.kept.get_mut("head").unwrap().output[1] = 7);
    assert!(error.contains("`head` has 3 output channels, 7 is none of them"), "{error}");
    let error = with(&|origin| drop(origin.kept.insert("ghost".to_owned(), KeptLayer::default())));
    assert!(error.contains("`ghost` keeps channels, but it has no such layer"), "{error}");
    let error = verify(&model(2), &part, &images()).unwrap_err().to_string();
    assert!(error.contains("was cut from `model` (fingerprint"), "{error}");
    let error = verify(&source, &source, &images()).unwrap_err().to_string();
    assert!(error.contains("does not say which model it was cut from"), "{error}");
}

#[test]
fn a_refitted_cut_is_checked_on_the_sources_weights() {
    let source = model(1);
    let (plan, part) = component(&source);
    let options = RefitOptions::default();
    let (kept, classes) = (&plan.kept, &plan.classes[..]);
    let cut = Cut { source: source.graph(), graph: part.graph(), kept, classes, apart: false };
    let (graph, note) = refit(&cut, &images().into(), 4, &options, &Silent).unwrap();
    let mut card = part.card().clone();
    card.origin.as_mut().unwrap().refit = Some(note);
    let refitted = Classifier::described("refitted", graph, card).unwrap();
    // What was never written says nothing of its weights.
    let found = verified(&source, &refitted);
    assert!(!found.holds && found.weights == Weights::Unknown, "{found:?}");
    let written = stored(&refitted);
    let found = verified(&source, &written);
    assert!(found.holds && found.weights == Weights::AsWritten, "{found:?}");
    // A weight that is not the one that was written, be it zeroed or hardly moved.
    let changed = changed(&written, "head", 1e-6);
    assert_eq!(verified(&source, &changed).weights, Weights::Changed);
    let zeroed = verified(&source, &zeroed(&written));
    assert!(!zeroed.holds && zeroed.weights == Weights::Changed, "{zeroed:?}");
    let (new, bare) =
        (run((**refitted.graph()).clone(), &images()), run((**part.graph()).clone(), &images()));
    assert!((found.moved.unwrap() - relative(&new, &bare)).abs() < 1e-6);
    assert!(found.moved.unwrap() > 1e-3);
    assert_eq!(recut(&source, &refitted).unwrap().fingerprint(), part.fingerprint());
}

/// The model with all its weights zero.
fn zeroed(model: &Classifier) -> Classifier {
    let graph = model.graph();
    let mut patch = Patch::new("zeroing");
    for (k, value) in graph.values().iter().enumerate() {
        if let Some(data) = &value.constant {
            let id = graph.find_value(&value.name).unwrap();
            assert_eq!(id.index(), k);
            patch.constant(id, Arc::new(Tensor::filled(data.shape().to_vec(), 0.0)));
        }
    }
    model.with_graph(patch.apply(graph).unwrap()).unwrap()
}

fn pair() -> [Classifier; 2] {
    let second = model(3);
    let renamed = classifier("second", (**second.graph()).clone(), &["d", "e", "f"]);
    [component(&model(1)).1, renamed]
}

fn verified_whole(whole: &Classifier, parts: &[Classifier]) -> Result<Verification, String> {
    let own = vec![images(); parts.len()];
    verify_assembled(whole, parts, &images(), &own).map_err(|error| error.to_string())
}

#[test]
fn true_assemblies_hold() {
    let parts = pair();
    let whole = assemble(&parts, &AssembleOptions::default()).unwrap();
    assert!(verified_whole(&whole, &parts).unwrap().holds);
    let labels: Vec<usize> = (0..30).map(|k| k % 5).collect();
    let classes = ["a", "c", "d", "e", "f"];
    let data = source("set", dataset(&random_images(30, [3, 8, 8], 5), &labels, &classes), &whole);
    let preprocess = whole.card().preprocess.clone().unwrap();
    for method in [Method::Paper, Method::Affine] {
        let data = std::slice::from_ref(&data);
        let options = CalibrateOptions::by(method);
        let after = calibrate(&whole, &preprocess, data, &options, &Silent).unwrap();
        let found = verified_whole(&after, &parts).unwrap();
        assert!(found.holds, "{method:?}: {found:?}");
        // The uncalibrated scores under the card of the calibrated ones.
        let lying = whole.with_card(after.card().clone()).unwrap();
        assert!(!verified_whole(&lying, &parts).unwrap().holds);
    }
}

#[test]
fn changed_assemblies_do_not_hold() {
    let parts = pair();
    let whole = assemble(&parts, &AssembleOptions::default()).unwrap();
    for (layer, part) in [("component/head", "component"), ("second/stem", "second")] {
        let found = verified_whole(&changed(&whole, layer, 0.5), &parts).unwrap();
        assert!(!found.holds);
        assert_eq!(found.worst_layer, part);
        assert!(!verified_whole(&changed(&whole, layer, f32::NAN), &parts).unwrap().holds);
    }
    let error = verified_whole(&whole, &parts[..1]).unwrap_err();
    assert!(error.contains("has 2 parts, 1 are given"), "{error}");
    let swapped = [parts[1].clone(), parts[0].clone()];
    let error = verified_whole(&whole, &swapped).unwrap_err();
    assert!(error.contains("`second` is not the part `component` that was assembled"), "{error}");
}

#[test]
fn padded_assemblies_hold() {
    let parts = [
        classifier("first", (**model(1).graph()).clone(), &CLASSES),
        classifier("second", (**model(3).graph()).clone(), &["d", "e", "f"]),
    ];
    let options = AssembleOptions { layout: Layout::Padded, ..AssembleOptions::default() };
    let whole = assemble(&parts, &options).unwrap();
    let found = verified_whole(&whole, &parts).unwrap();
    assert!(found.holds && found.worst <= 1e-5, "{found:?}");
    let nodes: Vec<String> = layer_names(whole.graph());
    let found = verified_whole(&changed(&whole, &nodes[0], 0.5), &parts).unwrap();
    assert!(!found.holds && found.worst_layer == "first", "{found:?}");
}

fn layer_names(graph: &Graph) -> Vec<String> {
    brickwork::layers(graph).into_iter().map(|layer| layer.name).collect()
}
