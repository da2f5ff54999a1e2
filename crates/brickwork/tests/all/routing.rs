//! Decision routes of networks small enough to work them out by hand, and of networks grown at
//! random.

use brickwork::{
    Choice, Classifier, Ownership, Plan, Profile, ProfileOptions, Route, RouteOptions, Rule,
    Sampling, Silent, Thresholds, profile, route,
};
use brickwork_data::Preprocess;
use brickwork_graph::Attr;
use brickwork_tensor::Tensor;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use crate::common;
use crate::common::grown::{Gene, grow};
use crate::common::{Net, classifier, dataset, random_images, source};

/// A convolution of single pixels with these weights: a row per output, `#` for 1.
fn conv(net: &mut Net, from: &str, to: &str, rows: &[&str]) {
    let [outputs, inputs] = [rows.len(), rows[0].len()];
    net.conv(from, to, [outputs, inputs, 1], 1);
    given(net, to, &[outputs, inputs, 1, 1], rows);
}

/// A linear layer, likewise.
fn linear(net: &mut Net, from: &str, to: &str, rows: &[&str]) {
    let shape = [rows.len(), rows[0].len()];
    net.linear(from, to, shape);
    given(net, to, &shape, rows);
}

fn given(net: &mut Net, layer: &str, shape: &[usize], rows: &[&str]) {
    let weights = rows.iter().flat_map(|row| row.chars().map(|c| f32::from(u8::from(c == '#'))));
    net.given(&format!("{layer}.weight"), shape, &weights.collect::<Vec<f32>>());
    net.given(&format!("{layer}.bias"), &shape[..1], &vec![0.0; shape[0]]);
}

/// A profile of these images, labelled with one class after the other.
pub(crate) fn profiled(model: &Classifier, images: &Tensor) -> Profile {
    let names = model.class_names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let labels: Vec<usize> = (0..images.shape()[0]).map(|k| k % names.len()).collect();
    let sources = [source("images", dataset(images, &labels, &names), model)];
    let [channels, height, width] = model.input();
    let preprocess = Preprocess::plain([height, width], channels);
    let classes = (0..names.len()).collect();
    let options = ProfileOptions { classes, sampling: Sampling::All, given: None };
    profile(model, &preprocess, &sources, &options, &Silent).unwrap()
}

/// The routes of both classes of a network of white images.
fn routes(net: Net, layers: &[&str]) -> Route {
    let model = classifier("net", net.finish("head", 1), &["a", "b"]);
    let [c, h, w] = model.input();
    let profile = profiled(&model, &Tensor::filled([2, c, h, w], 1.0));
    route(&model, &profile, &options(&[0, 1], layers), &Silent).unwrap()
}

fn options(classes: &[usize], layers: &[&str]) -> RouteOptions {
    RouteOptions {
        classes: classes.to_vec(),
        layers: common::owned(layers),
        ..RouteOptions::default()
    }
}

/// A layer: its name, its column, and its nodes as (channels, kind).
type Drawn<'a> = (&'a str, usize, Vec<(&'a [usize], Ownership)>);

/// Every drawn layer.
fn drawn(route: &Route) -> Vec<Drawn<'_>> {
    let layers = route.layers.iter().filter_map(|layer| {
        let nodes = layer.nodes.iter().map(|node| (node.channels.as_slice(), node.kind));
        Some((layer.name.as_str(), layer.column?, nodes.collect()))
    });
    layers.collect()
}

/// Every link as "from.channel to.channel classes".
fn links(route: &Route) -> Vec<String> {
    let end = |[layer, node]: [usize; 2]| {
        let layer = &route.layers[layer];
        format!("{}.{}", layer.name, layer.nodes[node].channels[0])
    };
    let mut links: Vec<String> = route
        .links
        .iter()
        .map(|link| {
            let classes: String =
                link.classes.iter().map(|&class| route.classes[class].as_str()).collect();
            format!("{} {} {classes}", end(link.from), end(link.to))
        })
        .collect();
    links.sort();
    links
}

/// A stem, a residual sum with `inner`, a head that reads channel 0 for a and 1 for b.
fn residual() -> Net {
    let mut net = Net::new([1, 2, 2]);
    conv(&mut net, "image", "stem", &["#", "#", "#", "#"]);
    conv(&mut net, "stem", "inner", &["..#.", "#...", ".#..", "...#"]);
    net.node("Add", &["stem", "inner"], &["sum"], &[]).means("sum", "flat");
    linear(&mut net, "flat", "head", &["#...", ".#.."]);
    net
}

const A: Ownership = Ownership::Private(0);
const B: Ownership = Ownership::Private(1);

#[test]
fn through_a_residual_sum() {
    let found = routes(residual(), &[]);
    let expected: [Drawn<'_>; 3] = [
        // Both read the stem through the sum, and `inner` reads 2 for a and 0 for b.
        ("stem", 0, vec![(&[2], A), (&[0], Ownership::All), (&[1], B)]),
        ("inner", 1, vec![(&[0], A), (&[1], B)]),
        ("head", 2, vec![(&[0], A), (&[1], B)]),
    ];
    assert_eq!(drawn(&found), expected);
    // The head is linked to the nearest layer that feeds it.
    let expected = ["inner.0 head.0 a", "inner.1 head.1 b", "stem.0 inner.1 b", "stem.2 inner.0 a"];
    assert_eq!(links(&found), expected);
    assert!(found.links.iter().all(|link| link.strength == 1.0));
}

#[test]
fn what_classes_have_in_common() {
    let found = routes(residual(), &[]);
    let rows = found.rows();
    assert_eq!((&rows[0].relevant, &rows[0].private), (&vec![2, 2], &vec![1, 1]));
    assert_eq!((rows[0].shared, rows[0].jaccard), (1, Some(1.0 / 3.0)));
    assert_eq!((rows[1].shared, rows[1].jaccard), (0, Some(0.0)));
    let overlap = &found.overlap;
    let names: Vec<&str> = overlap.layers.iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(names, ["stem", "inner"], "the head says nothing");
    assert_eq!(overlap.layers[0].shared, [[2, 1], [1, 2]]);
    assert_eq!(overlap.similarity[0][1], 1.0 / 6.0);
    assert_eq!(overlap.merges[0].height, 1.0 - 1.0 / 6.0);
}

#[test]
fn links_are_joined_across_layers_that_are_not_drawn() {
    let found = routes(residual(), &["stem", "hea"]);
    let columns: Vec<Option<usize>> = found.layers.iter().map(|layer| layer.column).collect();
    assert_eq!(columns, [Some(0), None, Some(1)]);
    assert!(found.layers[1].nodes.is_empty() && found.layers[1].relevant == [[0], [1]]);
    assert_eq!(links(&found), ["stem.0 head.1 b", "stem.2 head.0 a"]);
}

#[test]
fn branches_stand_side_by_side() {
    let mut net = Net::new([1, 2, 2]);
    conv(&mut net, "image", "stem", &["#", "#"]);
    conv(&mut net, "stem", "short", &["#.", ".#"]);
    conv(&mut net, "stem", "first", &[".#", ".#"]);
    conv(&mut net, "first", "second", &["#.", "##"]);
    net.node("Concat", &["short", "second"], &["joined"], &[("axis", Attr::Int(1))]);
    net.means("joined", "flat");
    linear(&mut net, "flat", "head", &["#..#", "..##"]);
    let found = routes(net, &[]);
    let columns: Vec<(&str, usize)> = drawn(&found).iter().map(|l| (l.0, l.1)).collect();
    let expected = [("stem", 0), ("short", 2), ("first", 1), ("second", 2), ("head", 3)];
    assert_eq!(columns, expected);
    let into_head: Vec<String> =
        links(&found).into_iter().filter(|link| link.contains("head")).collect();
    let expected =
        ["second.0 head.1 b", "second.1 head.0 a", "second.1 head.1 b", "short.0 head.0 a"];
    assert_eq!(into_head, expected);
    assert!(links(&found).contains(&"stem.0 short.0 a".to_owned()));
}

#[test]
fn through_depthwise_and_grouped_layers() {
    let mut net = Net::new([1, 2, 2]);
    conv(&mut net, "image", "stem", &["#", "#", "#", "#"]);
    net.conv("stem", "depthwise", [4, 1, 1], 4);
    net.given("depthwise.weight", &[4, 1, 1, 1], &[1.0; 4]);
    net.given("depthwise.bias", &[4], &[0.0; 4]);
    net.conv("depthwise", "grouped", [2, 2, 1], 2);
    given(&mut net, "grouped", &[2, 2, 1, 1], &["#.", ".#"]);
    net.means("grouped", "flat");
    linear(&mut net, "flat", "head", &["#.", ".#"]);
    let found = routes(net, &[]);
    assert_eq!(drawn(&found).iter().map(|l| l.0).collect::<Vec<_>>(), ["stem", "grouped", "head"]);
    // The second group's second input is channel 3.
    let expected =
        ["grouped.0 head.0 a", "grouped.1 head.1 b", "stem.0 grouped.0 a", "stem.3 grouped.1 b"];
    assert_eq!(links(&found), expected);
}

/// Convolutions one after the other.
fn chain(depth: usize, width: usize) -> Classifier {
    let mut net = Net::new([3, 4, 4]);
    net.conv("image", "conv0", [width, 3, 3], 1);
    for k in 1..depth {
        net.conv(&format!("conv{}", k - 1), &format!("conv{k}"), [width, width, 1], 1);
    }
    net.means(&format!("conv{}", depth - 1), "flat").linear("flat", "head", [3, width]);
    classifier("chain", net.finish("head", 3), &["a", "b", "c"])
}

fn routes_of(model: &Classifier, options: &RouteOptions) -> Route {
    let profile = profiled(model, &random_images(12, model.input(), 2));
    route(model, &profile, options, &Silent).unwrap()
}

#[test]
fn wide_layers_become_blocks() {
    let found = routes_of(&chain(2, 260), &options(&[0, 1, 2], &[]));
    for layer in &found.layers[..2] {
        assert!(layer.nodes.len() <= 5, "{} kinds", layer.nodes.len());
        let mut channels: Vec<usize> =
            layer.nodes.iter().flat_map(|node| node.channels.clone()).collect();
        channels.sort_unstable();
        let mut relevant = layer.relevant.concat();
        relevant.sort_unstable();
        relevant.dedup();
        assert!(relevant.len() > 40);
        assert_eq!(channels, relevant);
    }
    let into = |layer: usize| found.links.iter().filter(move |link| link.to[0] == layer);
    for layer in [1, 2] {
        let strongest = into(layer).map(|link| link.strength).fold(0.0, f64::max);
        assert_eq!(strongest, 1.0);
    }
}

#[test]
fn deep_networks_are_thinned() {
    let found = routes_of(&chain(29, 4), &options(&[0, 1], &[]));
    let columns: Vec<usize> = found.layers.iter().filter_map(|layer| layer.column).collect();
    assert_eq!(found.every, 2);
    assert_eq!(columns, (0..16).collect::<Vec<_>>());
    for column in 1..16 {
        let joins = |layer: usize| found.layers[layer].column.unwrap();
        assert!(
            found.links.iter().any(|l| (joins(l.from[0]), joins(l.to[0])) == (column - 1, column)),
            "no link into column {column}"
        );
    }
    assert!(found.to_svg().contains("one column of 2 is drawn"));
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    let model = classifier("net", residual().finish("head", 1), &["a", "b"]);
    let mut profile = profiled(&model, &Tensor::filled([2, 1, 2, 2], 1.0));
    let refused = |profile: &Profile, options: &RouteOptions, words: &str| {
        let error = route(&model, profile, options, &Silent).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    refused(&profile, &options(&[0, 1], &["conv"]), "`conv`");
    refused(&profile, &options(&[0, 1], &["conv"]), "stem, inner, head");
    refused(&profile, &options(&[], &[]), "not 0");
    refused(&profile, &options(&[0; 8], &[]), "1 to 7");
    profile.header.samples.pop();
    profile.sums.pop();
    refused(&profile, &options(&[0, 1], &[]), "class `b` is not in the profile");
    let other = classifier("other", chain(1, 4).graph().as_ref().clone(), &["a", "b", "c"]);
    let error = route(&other, &profile, &options(&[0], &[]), &Silent).unwrap_err();
    assert!(error.to_string().contains("profile this model"), "{error}");
}

#[test]
fn drawings_are_well_formed_whatever_the_names() {
    let model = chain(3, 50);
    let mut profile = profiled(&model, &random_images(12, model.input(), 2));
    profile.header.classes = common::owned(&["<a & b>", "\"c\"", "ü'"]);
    let found = route(&model, &profile, &options(&[0, 1, 2], &[]), &Silent).unwrap();
    let text = found.to_svg();
    let svg = roxmltree::Document::parse(&text).unwrap();
    let titles: Vec<&str> =
        svg.descendants().filter(|n| n.has_tag_name("title")).filter_map(|n| n.text()).collect();
    assert_eq!(titles[0], "Decision routes of <a & b>, \"c\" and ü'");
    assert!(titles.iter().any(|title| title.starts_with("conv0, ")));
    assert!(titles.iter().any(|title| title.starts_with("conv0 (") && title.contains("strength")));
    let page = found.to_html();
    assert!(page.contains("&lt;a &amp; b&gt;") && !page.contains("<a & b>"));
    assert!(!page.contains("src=") && !page.contains("href="), "the page loads nothing");
}

#[test]
fn one_class_has_a_route_too() {
    let found = routes_of(&chain(2, 6), &options(&[1], &[]));
    let nodes = || found.layers.iter().flat_map(|layer| &layer.nodes);
    assert!(nodes().count() > 0 && nodes().all(|node| node.kind == A));
    assert!(found.rows().iter().all(|row| row.jaccard.is_none()));
    roxmltree::Document::parse(&found.to_svg()).unwrap();
}

/// The same cases every time.
fn runner() -> TestRunner {
    let rng_seed = RngSeed::Fixed(21);
    TestRunner::new(Config { cases: 60, rng_seed, failure_persistence: None, ..Config::default() })
}

#[test]
fn routes_stay_within_what_a_cut_keeps() {
    let property = |(genes, seed, published): (Vec<Gene>, u64, bool)| {
        let model = classifier("grown", grow(&genes, 4, seed), &["a", "b", "c", "d"]);
        let profile = profiled(&model, &random_images(8, model.input(), seed));
        let rule = if published { Rule::Reference } else { Rule::Graph };
        let options = RouteOptions { rule, ..options(&[2, 0], &[]) };
        let found = route(&model, &profile, &options, &Silent).unwrap();
        let choice = Choice::Profile(&profile, rule, Thresholds::default());
        let plan = Plan::new(&model, &[0, 2], &choice, 1).unwrap();
        for layer in &found.layers {
            let kept = &plan.kept[&layer.name].output;
            let relevant = layer.relevant.concat();
            prop_assert!(relevant.iter().all(|c| kept.contains(c)), "{} of {genes:?}", layer.name);
        }
        let column = |layer: usize| found.layers[layer].column;
        for link in &found.links {
            prop_assert!(
                column(link.from[0]) < column(link.to[0]) && column(link.from[0]).is_some()
            );
            prop_assert!(link.strength > 0.0 && link.strength <= 1.0 && !link.classes.is_empty());
            let ends = [link.from, link.to].map(|[layer, node]| &found.layers[layer].nodes[node]);
            prop_assert!(
                ends.iter().all(|end| link.classes.iter().all(|c| end.classes.contains(c)))
            );
        }
        let svg = found.to_svg();
        prop_assert!(roxmltree::Document::parse(&svg).is_ok() && !svg.contains("NaN"));
        let again = route(&model, &profile, &options, &Silent).unwrap();
        prop_assert!(again == found && again.to_svg() == svg && again.to_html() == found.to_html());
        Ok(())
    };
    runner().run(&(vec(any::<Gene>(), 1..9), 0..1000u64, any::<bool>()), property).unwrap();
}
