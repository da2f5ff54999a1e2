//! What must hold for any network: networks grown at random, cut at random.

use std::cell::Cell;
use std::sync::Arc;

use brickwork::{Card, Classifier, inspect, kept_map, layers};
use brickwork_formats::onnx::{decode, encode};
use brickwork_graph::{Channels, Graph, Keep, Label, cut, mask};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use crate::common;
use crate::common::grown::{Gene, grow};
use crate::common::{noise, relative, run};

/// The same cases every time.
fn runner(cases: u32) -> TestRunner {
    let rng_seed = RngSeed::Fixed(20);
    TestRunner::new(Config { cases, rng_seed, failure_persistence: None, ..Config::default() })
}

fn genes() -> impl Strategy<Value = Vec<Gene>> {
    vec(any::<Gene>(), 1..9)
}

struct Cut {
    channels: Channels,
    keep: Keep,
    small: Graph,
}

/// Keeps about `share` of the groups.
fn cut_at_random(graph: &Graph, share: f64, seed: u64) -> Cut {
    let channels = Channels::of(graph);
    let wanted = |label: Label| noise(u64::from(channels.group(label)), seed) < share;
    let score = |label: Label| noise(u64::from(channels.group(label)), seed + 1);
    let keep = Keep::closed(graph, &channels, wanted, score);
    let small = cut(graph, &channels, &keep).unwrap().apply(graph).unwrap();
    Cut { channels, keep, small }
}

#[test]
fn cuts_compute_what_masks_compute() {
    let (exact, cases) = (Cell::new(0), Cell::new(0));
    let property = |(genes, share, seed): (Vec<Gene>, f64, u64)| {
        let graph = grow(&genes, 4, seed);
        let Cut { channels, keep, small } = cut_at_random(&graph, share, seed);
        let masked = mask(&graph, &channels, &keep).apply(&graph).unwrap();
        let (_, labels) = channels.axis(graph.logits()).unwrap();
        let images = common::images(&graph, 3);
        let expected = run(masked, &images).take(1, &keep.indices(&channels, labels));
        let off = relative(&run(small, &images), &expected);
        prop_assert!(off <= 1e-4, "{off} in {graph}");
        exact.set(exact.get() + usize::from(off == 0.0));
        cases.set(cases.get() + 1);
        Ok(())
    };
    runner(150).run(&(genes(), 0.0..1.0, any::<u64>()), property).unwrap();
    // Nearly always even the rounding is the same.
    assert!(exact.get() * 4 > cases.get() * 3, "{} of {}", exact.get(), cases.get());
}

#[test]
fn written_cuts_read_back_the_same() {
    let property = |(genes, share, seed): (Vec<Gene>, f64, u64)| {
        let small = cut_at_random(&grow(&genes, 3, seed), share, seed).small;
        let again = decode(&encode(&small).unwrap(), None, &Default::default()).unwrap();
        prop_assert_eq!(again.to_string(), small.to_string());
        let images = common::images(&small, 2);
        prop_assert_eq!(run(again, &images), run(small, &images));
        Ok(())
    };
    runner(60).run(&(genes(), 0.0..1.0, any::<u64>()), property).unwrap();
}

#[test]
fn cuts_have_the_size_that_is_announced() {
    let property = |(genes, share, seed): (Vec<Gene>, f64, u64)| {
        let graph = grow(&genes, 5, seed);
        let Cut { channels, keep, small } = cut_at_random(&graph, share, seed);
        let kept = kept_map(&channels, &layers(&graph), &keep);
        let left = layers(&small);
        prop_assert_eq!(left.len(), kept.len());
        let mut params = 0;
        for layer in &left {
            let (weighted, kept) = (&layer.weighted, &kept[&layer.name]);
            prop_assert_eq!(
                (weighted.inputs, weighted.outputs),
                (kept.input.len(), kept.output.len())
            );
            params += weighted.outputs * (weighted.inputs / weighted.groups * weighted.taps() + 1);
        }
        let norms = small.nodes().iter().filter(|node| node.op.kind() == "BatchNormalization");
        params += norms.map(|n| 2 * small.value(n.outputs[0]).shape.sample()[1]).sum::<usize>();
        // As it is in memory: a single score would else be read as one for two classes.
        let model = Classifier::described("small", small.clone(), Card::default()).unwrap();
        let seen = inspect(&model);
        prop_assert_eq!((seen.params, small.parameters()), (params, params));
        prop_assert_eq!(seen.layers.iter().map(|row| row.params).sum::<usize>(), params);
        prop_assert_eq!(seen.layers.iter().map(|row| row.macs).sum::<u64>(), small.macs());
        Ok(())
    };
    runner(60).run(&(genes(), 0.0..1.0, any::<u64>()), property).unwrap();
}

#[test]
fn keeping_everything_changes_nothing() {
    let property = |(genes, seed): (Vec<Gene>, u64)| {
        let graph = grow(&genes, 3, seed);
        let channels = Channels::of(&graph);
        let same = cut(&graph, &channels, &Keep::all(&channels)).unwrap().apply(&graph).unwrap();
        prop_assert_eq!(same.to_string(), graph.to_string());
        let images = common::images(&graph, 2);
        prop_assert_eq!(run(same, &images), run(graph, &images));
        Ok(())
    };
    runner(40).run(&(genes(), any::<u64>()), property).unwrap();
}

#[test]
fn what_is_kept_is_closed() {
    let property = |(genes, share, seed, step): (Vec<Gene>, f64, u64, usize)| {
        let graph = grow(&genes, 3, seed);
        let Cut { channels, mut keep, .. } = cut_at_random(&graph, share, seed);
        prop_assert!(common::is_closed(&graph, &channels, &keep));
        keep.round_up(&graph, &channels, |_, kept| kept.next_multiple_of(step.max(1)), |_| 0.0);
        prop_assert!(common::is_closed(&graph, &channels, &keep));
        let rounded = cut(&graph, &channels, &keep).unwrap().apply(&graph).unwrap();
        let images = common::images(&graph, 1);
        let masked = Arc::new(mask(&graph, &channels, &keep).apply(&graph).unwrap());
        let (_, labels) = channels.axis(graph.logits()).unwrap();
        let classes = keep.indices(&channels, labels);
        let expected = run((*masked).clone(), &images).take(1, &classes);
        prop_assert!(relative(&run(rounded, &images), &expected) <= 1e-4);
        Ok(())
    };
    runner(60).run(&(genes(), 0.0..1.0, any::<u64>(), 2usize..5), property).unwrap();
}
