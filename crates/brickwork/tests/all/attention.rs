//! Attention: whole heads, and widths inside of heads, are groups like others.

use std::collections::{BTreeMap, BTreeSet};

use std::sync::Arc;

use brickwork::{
    Choice, Classifier, CompressOptions, Criterion, Cut, Ground, ImageSet, KeptMap, Plan, Ranking,
    RefitOptions, RouteOptions, Rule, Shrink, ShrinkOptions, Silent, Sizes, Thresholds, Unit,
    inspect, kept_map, layers, refit, route, verify,
};
use brickwork_formats::onnx::{decode, encode};
use brickwork_graph::{Channels, Graph, Keep, Label, Patch, cut, mask};
use brickwork_tensor::Tensor;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use crate::common::transformer::{DEPTH, HEADS, Way, transformer};
use crate::common::{classifier, images, is_closed, noise, random_images, relative, run, stored};
use crate::routing::profiled;

const CLASSES: [&str; 4] = ["a", "b", "c", "d"];

fn model(ways: &[Way], seed: u64) -> Classifier {
    classifier("vit", transformer(ways, 4, seed), &CLASSES)
}

/// Everything, but of what the layers in `wanted` make only these channels and what belongs to them; earlier
/// channels before later ones.
pub(crate) fn closed(graph: &Graph, wanted: &[(&str, &[usize])]) -> (Channels, Keep) {
    let channels = Channels::of(graph);
    let mut asked: BTreeMap<Label, bool> = BTreeMap::new();
    for (name, indices) in wanted {
        let layer = layers(graph).into_iter().find(|layer| layer.name == *name).unwrap();
        let outputs = &channels.layer(layer.node).unwrap().outputs;
        for (index, &label) in outputs.iter().enumerate() {
            *asked.entry(channels.group(label)).or_default() |= indices.contains(&index);
        }
    }
    let asked = |label| asked.get(&channels.group(label)).copied().unwrap_or(true);
    let keep = Keep::closed(graph, &channels, asked, |label| -f64::from(label));
    (channels, keep)
}

/// The cut, once its scores are known to be those of the mask.
pub(crate) fn checked(graph: &Graph, channels: &Channels, keep: &Keep) -> Graph {
    let small = cut(graph, channels, keep).unwrap().apply(graph).unwrap();
    let masked = mask(graph, channels, keep).apply(graph).unwrap();
    let (_, labels) = channels.axis(graph.logits()).unwrap();
    let images = images(graph, 3);
    let expected = run(masked, &images).take(1, &keep.indices(channels, labels));
    let off = relative(&run(small.clone(), &images), &expected);
    assert!(off <= 1e-5, "{off} in {graph}");
    small
}

fn kept(graph: &Graph, channels: &Channels, keep: &Keep) -> KeptMap {
    kept_map(channels, &layers(graph), keep)
}

fn shape(graph: &Graph, value: &str) -> String {
    graph.value(graph.find_value(value).unwrap()).shape.to_string()
}

#[test]
fn heads_go_whole_and_widths_stay_equal() {
    let graph = transformer(&[Way::Apart], 2, 1);
    // Of queries, by head: none, two, one. Of values: none, one, two.
    let (channels, keep) = closed(
        &graph,
        &[("block0.attn.q.flat.product", &[4, 6, 9]), ("block0.attn.v.flat.product", &[4, 6, 7])],
    );
    let small = checked(&graph, &channels, &keep);
    let kept = kept(&graph, &channels, &keep);
    // The first of those that were not asked for is added.
    assert_eq!(kept["block0.attn.q.flat.product"].output, [4, 6, 8, 9]);
    assert_eq!(kept["block0.attn.k.flat.product"].output, [4, 6, 8, 9]);
    assert_eq!(kept["block0.attn.v.flat.product"].output, [3, 4, 6, 7]);
    assert_eq!(kept["block0.attn.proj.product"].input, [3, 4, 6, 7]);
    assert_eq!(kept["block0.attn.proj.product"].output, (0..6).collect::<Vec<_>>());
    assert_eq!(shape(&small, "block0.attn.q"), "[n, 2, 4, 2]");
    assert_eq!(shape(&small, "block0.attn.v"), "[n, 2, 4, 2]");
    assert_eq!(shape(&small, "block0.attn.places"), "[1, 2, 4, 4]");
    assert_eq!(shape(&small, "block0.attn.biased"), "[n, 2, 4, 4]");
    // The scale is the source's.
    let scale = |graph: &Graph| {
        graph.value(graph.find_value("block0.attn.scale").unwrap()).constant.clone().unwrap()
    };
    assert_eq!(scale(&small), scale(&graph));
}

#[test]
fn one_layer_for_all_keeps_equal_widths_of_each() {
    let graph = transformer(&[Way::Fused], 2, 2);
    let all = HEADS * DEPTH;
    // Two queries of head 1, a value of heads 1 and 2.
    let wanted = [4, 5, 2 * all + 5, 2 * all + 8];
    let (channels, keep) = closed(&graph, &[("block0.attn.qkv.product", &wanted)]);
    let small = checked(&graph, &channels, &keep);
    let kept = kept(&graph, &channels, &keep);
    let expected = [[4, 5, 8, 9], [16, 17, 20, 21], [28, 29, 32, 33]].concat();
    assert_eq!(kept["block0.attn.qkv.product"].output, expected);
    assert_eq!(kept["block0.attn.proj.product"].input, [4, 5, 8, 9]);
    assert_eq!(shape(&small, "block0.attn.apart"), "[n, 4, 3, 2, 2]");
}

/// How many groups can be cut, by the layer that makes them.
pub(crate) fn free(graph: &Graph, layer: &str) -> usize {
    let channels = Channels::of(graph);
    let frozen = channels.frozen();
    let layer = layers(graph).into_iter().find(|found| found.name == layer).unwrap();
    let outputs = &channels.layer(layer.node).unwrap().outputs;
    let free = outputs.iter().filter(|&&label| !frozen[label as usize]);
    let groups: BTreeSet<Label> = free.map(|&label| channels.group(label)).collect();
    groups.len()
}

#[test]
fn what_treats_a_head_alike_keeps_it_whole() {
    let q = "block0.attn.q.flat.product";
    let by_way = |way, layer| free(&transformer(&[way], 2, 3), layer);
    assert_eq!(by_way(Way::Apart, q), HEADS * DEPTH);
    assert_eq!(by_way(Way::Normalised, q), HEADS);
    assert_eq!(by_way(Way::Normalised, "block0.attn.v.flat.product"), HEADS * DEPTH);
    assert_eq!(by_way(Way::ByHead, "block0.attn.qkv.product"), HEADS);
    assert_eq!(by_way(Way::Talking, q), HEADS * DEPTH);
    assert_eq!(by_way(Way::Talking, "block0.attn.before.mixed.product"), HEADS);
    assert_eq!(by_way(Way::Shared, q), DEPTH);
    assert_eq!(by_way(Way::Planes, "block0.attn.qkv"), 2 * HEADS * DEPTH);
    for way in Way::ALL {
        assert_eq!(by_way(way, "block0.fc1.product"), 10, "{way:?}");
        assert_eq!(by_way(way, "block0.attn.proj.product"), 0, "{way:?}");
    }
}

fn runner(cases: u32) -> TestRunner {
    let rng_seed = RngSeed::Fixed(26);
    TestRunner::new(Config { cases, rng_seed, failure_persistence: None, ..Config::default() })
}

fn ways() -> impl Strategy<Value = Vec<Way>> {
    vec(proptest::sample::select(Way::ALL.to_vec()), 1..3)
}

#[test]
fn cuts_compute_what_masks_compute() {
    let property = |(ways, share, seed): (Vec<Way>, f64, u64)| {
        let graph = transformer(&ways, 3, seed);
        let channels = Channels::of(&graph);
        let wanted = |label: Label| noise(u64::from(channels.group(label)), seed) < share;
        let score = |label: Label| noise(u64::from(channels.group(label)), seed + 1);
        let keep = Keep::closed(&graph, &channels, wanted, score);
        let small = checked(&graph, &channels, &keep);
        let sizes = Sizes::new(&graph, &channels, false);
        prop_assert_eq!(sizes.macs(&keep), Unit::Macs.of(&small), "{:?}", ways);
        prop_assert_eq!(sizes.parameters(&keep), Unit::Parameters.of(&small), "{:?}", ways);
        let again = decode(&encode(&small).unwrap(), None, &Default::default()).unwrap();
        prop_assert_eq!(again.to_string(), small.to_string());
        Ok(())
    };
    runner(200).run(&(ways(), 0.0..1.0, any::<u64>()), property).unwrap();
}

#[test]
fn what_is_kept_is_closed() {
    let property = |(ways, share, seed, step): (Vec<Way>, f64, u64, usize)| {
        let graph = transformer(&ways, 3, seed);
        let channels = Channels::of(&graph);
        let wanted = |label: Label| noise(u64::from(channels.group(label)), seed) < share;
        let mut keep = Keep::closed(&graph, &channels, wanted, |_| 0.0);
        prop_assert!(is_closed(&graph, &channels, &keep));
        keep.round_up(&graph, &channels, |_, kept| kept.next_multiple_of(step.max(1)), |_| 0.0);
        prop_assert!(is_closed(&graph, &channels, &keep));
        checked(&graph, &channels, &keep);
        Ok(())
    };
    runner(60).run(&(ways(), 0.0..1.0, any::<u64>(), 2usize..5), property).unwrap();
}

#[test]
fn everything_but_the_stream_between_blocks_is_free() {
    let graph = transformer(&[Way::Fused, Way::Apart], 2, 4);
    let seen = inspect(&Classifier::new("vit", graph).unwrap());
    let frozen: Vec<usize> = seen
        .groups
        .iter()
        .filter(|group| group.frozen.is_some())
        .map(|group| group.channels)
        .collect();
    assert!(!frozen.is_empty());
    let free: usize =
        seen.groups.iter().filter(|group| group.frozen.is_none()).map(|g| g.channels).sum();
    // Queries with keys and values of both blocks, hidden units, classes.
    let widths = 2 * HEADS * DEPTH + HEADS * (2 * DEPTH - 1);
    assert_eq!(free, widths + 2 * 10 + 2);
}

/// `graph` with rows of a weight `[inputs, outputs]` zeroed.
fn without_inputs(graph: &Graph, weight: &str, rows: std::ops::Range<usize>) -> Graph {
    let value = graph.find_value(weight).unwrap();
    let mut data = (**graph.value(value).constant.as_ref().unwrap()).clone();
    let each = data.shape()[1];
    data.data_mut()[rows.start * each..rows.end * each].fill(0.0);
    let mut patch = Patch::new("zeroing");
    patch.constant(value, Arc::new(data));
    patch.apply(graph).unwrap()
}

#[test]
fn a_head_that_contributes_nothing_goes() {
    for (way, each) in [(Way::Fused, DEPTH), (Way::Apart, DEPTH - 1)] {
        let graph = transformer(&[way], 4, 6);
        let graph = without_inputs(&graph, "block0.attn.proj.weight", each..2 * each);
        let model = classifier("vit", graph, &CLASSES);
        let profile = profiled(&model, &random_images(40, model.input(), 2));
        let choice = Choice::Profile(&profile, Rule::Graph, Thresholds::default());
        let plan = Plan::new(&model, &[0, 2], &choice, 1).unwrap();
        let inputs = &plan.kept["block0.attn.proj.product"].input;
        assert!(!inputs.is_empty() && inputs.iter().all(|input| input / each != 1), "{inputs:?}");
        let part = plan.component(&model, &choice, 1).unwrap();
        assert_eq!(shape(part.graph(), "block0.attn.shares"), "[n, 2, 4, 4]", "{way:?}");
        // The queries of heads that stay are all needed.
        let queries = shape(part.graph(), "block0.attn.q");
        assert_eq!(queries, format!("[n, 2, 4, {DEPTH}]"), "{way:?}");
        let images = random_images(30, model.input(), 3);
        assert!(verify(&model, &stored(&part), &images).unwrap().holds);
        let cut = Cut {
            source: model.graph(),
            graph: part.graph(),
            kept: &plan.kept,
            classes: &plan.classes,
            apart: false,
        };
        let options = RefitOptions::default();
        let (graph, note) = refit(&cut, &images.clone().into(), 8, &options, &Silent).unwrap();
        let mut card = part.card().clone();
        card.origin.as_mut().unwrap().refit = Some(note);
        let refitted = Classifier::described("refitted", graph, card).unwrap();
        assert!(verify(&model, &stored(&refitted), &images).unwrap().holds, "{way:?}");
        let options = RouteOptions { classes: vec![0, 2], ..RouteOptions::default() };
        let route = route(&model, &profile, &options, &Silent).unwrap();
        assert!(route.layers.iter().any(|layer| layer.name == "block0.attn.proj.product"));
    }
}

#[test]
fn half_of_a_transformer_is_a_component_that_holds() {
    let model = model(&[Way::Fused, Way::Apart], 5);
    let images = random_images(48, model.input(), 1);
    let set = ImageSet::from(images.clone());
    for criterion in [
        Criterion::Taylor,
        Criterion::NetContribution,
        Criterion::Energy,
        Criterion::Reconstruction,
        Criterion::L1,
        Criterion::Random,
    ] {
        let usual = ShrinkOptions::default();
        let options = ShrinkOptions { criterion, ..usual };
        let mut shrink = Shrink::new(&model, &[1, 3], Some(&set), options).unwrap();
        let budget = shrink.size() / 2;
        while shrink.size() > budget {
            let limit = shrink.next_limit(budget);
            shrink.step(limit, &Silent).unwrap();
        }
        let end = shrink.component().unwrap();
        assert!(Unit::Macs.of(end.graph()) <= budget);
        assert!(verify(&model, &stored(&end), &images).unwrap().holds, "{criterion:?}");
    }
}

/// Heads whose channels are worth nothing go whole, others keep their best, all equally many.
#[test]
fn heads_are_ranked_as_heads() {
    let graph = transformer(&[Way::Apart], 4, 7);
    let each = DEPTH - 1;
    // Of head 0 nothing is read, and of the others not their first values.
    let mut graph = without_inputs(&graph, "block0.attn.proj.weight", 0..each + 1);
    graph = without_inputs(&graph, "block0.attn.proj.weight", 2 * each..2 * each + 1);
    let model = classifier("vit", graph, &CLASSES);
    let images = random_images(64, model.input(), 4);
    let ground = Ground::new(&model, None, Some(&images), 1).unwrap();
    let options = CompressOptions { floor: 0.0, ..CompressOptions::default() };
    let ranking = Ranking::new(&ground, Criterion::Taylor, &options).unwrap();
    // All but what is worth nothing: three values of head 0, one of each other, and head 0's queries.
    let keep = ranking.keep(ranking.len() - each - 2 - DEPTH);
    let kept = ranking.kept(&keep);
    let expected = [each + 1, each + 2, 2 * each + 1, 2 * each + 2];
    assert_eq!(kept["block0.attn.proj.product"].input, expected);
    assert_eq!(kept["block0.attn.q.flat.product"].output, (DEPTH..3 * DEPTH).collect::<Vec<_>>());
}

/// The first-order worth of a query's channel is how far the scores move with it.
#[test]
fn queries_are_worth_what_their_products_change() {
    let model = model(&[Way::Apart], 8);
    let images = random_images(32, model.input(), 5);
    let ground = Ground::new(&model, None, Some(&images), 1).unwrap();
    let worth = Criterion::Taylor.scores(&ground).unwrap();
    let channels = ground.channels();
    let layer = layers(model.graph()).into_iter().find(|l| l.name.contains("q.flat")).unwrap();
    let outputs = channels.layer(layer.node).unwrap().outputs.clone();
    // Silencing a channel by a little, in the weights and the bias that make it.
    let whole = run((**model.graph()).clone(), &images);
    let little = 1e-2;
    for (index, &label) in outputs.iter().enumerate().step_by(5) {
        let mut patch = Patch::new("silencing");
        for name in ["block0.attn.q.flat.weight", "block0.attn.q.flat.bias"] {
            let value = model.graph().find_value(name).unwrap();
            let mut data: Tensor =
                (**model.graph().value(value).constant.as_ref().unwrap()).clone();
            let columns = outputs.len();
            data.data_mut()
                .iter_mut()
                .skip(index)
                .step_by(columns)
                .for_each(|x| *x *= 1.0 - little);
            patch.constant(value, Arc::new(data));
        }
        let moved = run(patch.apply(model.graph()).unwrap(), &images);
        let squares = whole.data().chunks(4).zip(moved.data().chunks(4)).map(|(a, b)| {
            let change: Vec<f64> = a.iter().zip(b).map(|(a, b)| f64::from(a - b)).collect();
            let mean = change.iter().sum::<f64>() / 4.0;
            change.iter().map(|x| (x - mean).powi(2)).sum::<f64>()
        });
        let expected = squares.sum::<f64>() / 32.0 / f64::from(little).powi(2);
        let found = worth[label as usize];
        // Drawn directions give twice or half of it at worst, over so many images.
        assert!((0.5..2.0).contains(&(found / expected)), "{index}: {found} for {expected}");
    }
}
