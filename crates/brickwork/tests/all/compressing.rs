//! Criteria against scores worked out by hand, and cuts that fit their budgets.

use brickwork::{
    Classifier, CompressOptions, Criterion, Error, Ground, Profile, ProfileOptions, Ranking,
    RefitOptions, Sampling, Silent, Sizes, Unit, Variant, Widths, class_labels, layers, profile,
    variant,
};
use brickwork_graph::{Channels, Graph, Keep, cut, families};
use brickwork_tensor::Tensor;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use crate::common::grown::{Gene, grow};
use crate::common::{Net, classifier, dataset, difference, random_images, relative, run, source};

/// Three channels: `relu(norm(weight * pixel))`, then means and a linear head.
fn three_channels() -> Classifier {
    let mut net = Net::new([1, 2, 2]);
    net.conv("image", "conv", [3, 1, 1], 1).norm("conv", "norm", 3).then("Relu", "norm", "relu");
    net.means("relu", "flat").linear("flat", "head", [2, 3]);
    net.given("conv.weight", &[3, 1, 1, 1], &[1.0, -2.0, 3.0]).given("conv.bias", &[3], &[0.0; 3]);
    net.given("norm.scale", &[3], &[0.5, -2.0, 0.0]).given("norm.shift", &[3], &[0.0; 3]);
    net.given("norm.mean", &[3], &[0.0; 3]).given("norm.var", &[3], &[1.0; 3]);
    net.given("head.weight", &[2, 3], &[2.0, 1.0, 5.0, 0.0, 0.5, 1.0]);
    classifier("three", net.finish("head", 0), &["a", "b"])
}

/// White images of the first class, black ones of the second, as -1.
fn black_and_white(model: &Classifier) -> Profile {
    let pixels = Tensor::new([2, 1, 2, 2], [[1.0; 4], [-1.0; 4]].concat());
    let data = source("data", dataset(&pixels, &[0, 1], &["a", "b"]), model);
    let options = ProfileOptions { classes: vec![0, 1], sampling: Sampling::All, given: None };
    let preprocess = model.card().preprocess.clone().unwrap();
    profile(model, &preprocess, &[data], &options, &Silent).unwrap()
}

/// What a criterion says of the outputs of a layer.
fn scores(
    model: &Classifier,
    profile: Option<&Profile>,
    criterion: Criterion,
    layer: &str,
) -> Result<Vec<f64>, Error> {
    let ground = Ground::new(model, profile, None, 0)?;
    let scores = criterion.scores(&ground)?;
    let layer = layers(model.graph()).into_iter().find(|info| info.name == layer).unwrap();
    let outputs = &ground.channels().layer(layer.node).unwrap().outputs;
    Ok(outputs.iter().map(|&label| scores[label as usize]).collect())
}

fn close(found: &[f64], expected: &[f64]) {
    let near = found.len() == expected.len()
        && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5);
    assert!(near, "{found:?} is not {expected:?}");
}

#[test]
fn criteria_by_hand() {
    let model = three_channels();
    let of = |criterion| scores(&model, None, criterion, "conv").unwrap();
    close(&of(Criterion::L1), &[0.5, 1.0, 1.5]);
    // Distances 3 + 2, 3 + 5 and 2 + 5.
    close(&of(Criterion::Fpgm), &[0.75, 1.2, 1.05]);
    close(&of(Criterion::BnScale), &[0.6, 2.4, 0.0]);
    let random = of(Criterion::Random);
    assert!(random.iter().all(|score| (0.0..1.0).contains(score)) && random[0] != random[1]);
    // White images bring 0.5, 4 and 0 to the head, which makes 1, 4, 0 and 0, 2, 0 of it; black ones
    // bring nothing: deviations 0.5, 2, 0 and 0, 1, 0.
    let profile = black_and_white(&model);
    let found = scores(&model, Some(&profile), Criterion::Contribution, "conv").unwrap();
    close(&found, &[3.0 / 7.0, 18.0 / 7.0, 0.0]);
}

#[test]
fn criteria_that_look_at_images() {
    let model = three_channels();
    let white = Tensor::new([5, 1, 2, 2], vec![1.0; 20]);
    let of = |criterion: Criterion| {
        let ground = Ground::new(&model, None, Some(&white), 3).unwrap();
        let scores = criterion.scores(&ground).unwrap();
        let conv = &layers(model.graph())[0];
        let outputs = &ground.channels().layer(conv.node).unwrap().outputs;
        outputs.iter().map(|&label| scores[label as usize]).collect::<Vec<_>>()
    };
    // Values 0.5, 4 and 0, squared, times 2^2, 1 + 0.5^2 and 5^2 + 1, over their mean.
    close(&of(Criterion::Energy), &[1.0 / 7.0, 20.0 / 7.0, 0.0]);
    // They add 1, 4 and 0 to the first score, 0, 2 and 0 to the second.
    close(&of(Criterion::NetContribution), &[3.0 / 7.0, 18.0 / 7.0, 0.0]);
    // Silencing them moves the scores' difference by 1, 2 and 0, each score by half of it, but for what the
    // normalisation adds to variances.
    let taylor = of(Criterion::Taylor);
    assert!((taylor[0] - 0.5).abs() < 1e-4, "{taylor:?}");
    close(&[taylor[1] / taylor[0], taylor[2]], &[4.0, 0.0]);
}

/// Scores of two channels that on two images, which are `first` and `second`, add what they are to a
/// channel behind a normalisation.
fn net_scores(scale: f32, first: [f32; 2], second: [f32; 2]) -> Vec<f64> {
    let mut net = Net::new([3, 1, 1]);
    net.conv("image", "colours", [2, 3, 1], 1).conv("colours", "conv", [1, 2, 1], 1);
    net.norm("conv", "norm", 1).then("Relu", "norm", "relu");
    net.means("relu", "flat").linear("flat", "head", [2, 1]);
    net.given("colours.weight", &[2, 3, 1, 1], &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    net.given("colours.bias", &[2], &[0.0; 2]).given("conv.weight", &[1, 2, 1, 1], &[1.0; 2]);
    net.given("conv.bias", &[1], &[9.0]).given("norm.scale", &[1], &[scale]);
    net.given("norm.shift", &[1], &[0.0]).given("norm.mean", &[1], &[0.0]);
    net.given("norm.var", &[1], &[1.0]).given("head.weight", &[2, 1], &[1.0, -1.0]);
    let model = classifier("net", net.finish("head", 0), &["a", "b"]);
    let images = [first, second].map(|[red, green]| [red, green, 0.0]).concat();
    let images = Tensor::new([2, 3, 1, 1], images);
    let ground = Ground::new(&model, None, Some(&images), 0).unwrap();
    let scores = Criterion::NetContribution.scores(&ground).unwrap();
    let outputs = &ground.channels().layer(layers(model.graph())[0].node).unwrap().outputs;
    outputs.iter().map(|&label| scores[label as usize]).collect()
}

#[test]
fn net_contributions_cancel_and_go_by_the_sign_of_the_scale() {
    // 3 - 1 and 4 - 4 over the two images; then 6 and 2, which a negative scale turns down.
    close(&net_scores(1.0, [3.0, 4.0], [-1.0, -4.0]), &[2.0, 0.0]);
    close(&net_scores(2.0, [3.0, 1.0], [3.0, 1.0]), &[1.5, 0.5]);
    close(&net_scores(-2.0, [3.0, -1.0], [3.0, -1.0]), &[0.0, 2.0]);
}

#[test]
fn what_others_tell_as_well_is_little_to_lose() {
    let mut net = Net::new([3, 2, 2]);
    net.conv("image", "conv", [3, 3, 1], 1).means("conv", "flat").linear("flat", "head", [2, 3]);
    // The first two channels are multiples of one colour, the last is another.
    let weights = [1.0, 0.0, 0.0, -2.0, 0.0, 0.0, 0.0, 1.0, 0.0];
    net.given("conv.weight", &[3, 3, 1, 1], &weights).given("conv.bias", &[3], &[0.0; 3]);
    net.given("head.weight", &[2, 3], &[1.0, 0.5, 1.0, 0.0, 0.5, 0.0]);
    let model = classifier("copies", net.finish("head", 0), &["a", "b"]);
    let images = random_images(40, [3, 2, 2], 7);
    let ground = Ground::new(&model, None, Some(&images), 0).unwrap();
    let scores = Criterion::Reconstruction.scores(&ground).unwrap();
    let conv = &layers(model.graph())[0];
    let outputs = &ground.channels().layer(conv.node).unwrap().outputs;
    let of: Vec<f64> = outputs.iter().map(|&label| scores[label as usize]).collect();
    assert!(of[0] < 0.1 * of[2] && of[1] < 0.1 * of[2] && of[2] > 1.0, "{of:?}");
    let black = Tensor::filled([4, 3, 2, 2], 0.0);
    let ground = Ground::new(&model, None, Some(&black), 0).unwrap();
    let same = Criterion::Reconstruction.scores(&ground).unwrap();
    assert!(same.iter().all(|score| (score - 1.0).abs() < 1e-9), "{same:?}");
}

#[test]
fn savings_are_what_a_group_takes_with_it() {
    check(60, |genes, _, seed| {
        let model = grown(&genes, seed);
        let channels = Channels::of(model.graph());
        let sizes = Sizes::new(model.graph(), &channels, false);
        let whole = Keep::all(&channels);
        let classes = class_labels(model.graph(), &channels).unwrap();
        for unit in [Unit::Macs, Unit::Parameters] {
            let of = |keep: &Keep| sizes.of(&unit, keep);
            let savings = sizes.savings(&unit);
            for group in families(model.graph(), &channels).into_iter().flatten() {
                let others = |label| channels.group(label) != group;
                let keep = Keep::closed(model.graph(), &channels, others, |_| 0.0);
                // A group that cannot be given up alone is none of interest.
                if !keep.has(&channels, group) && !classes.contains(&group) {
                    prop_assert_eq!(of(&whole) - of(&keep), savings[group as usize]);
                }
            }
        }
        Ok(())
    });
}

#[test]
fn a_group_is_worth_the_mean_of_what_its_layers_say() {
    let mut net = Net::new([1, 2, 2]);
    net.conv("image", "first", [2, 1, 1], 1).conv("first", "second", [2, 2, 1], 1);
    net.node("Add", &["first", "second"], &["sum"], &[]);
    net.means("sum", "flat").linear("flat", "head", [2, 2]);
    net.given("first.weight", &[2, 1, 1, 1], &[1.0, 3.0]);
    net.given("second.weight", &[2, 2, 1, 1], &[1.0, -1.0, 0.0, 0.0]);
    let model = classifier("sum", net.finish("head", 0), &["a", "b"]);
    for layer in ["first", "second"] {
        close(&scores(&model, None, Criterion::L1, layer).unwrap(), &[1.25, 0.75]);
    }
}

#[test]
fn what_a_criterion_needs_and_lacks_is_said() {
    let mut net = Net::new([1, 2, 2]);
    net.conv("image", "bare", [2, 1, 1], 1).conv("bare", "normed", [2, 2, 1], 1);
    net.norm("normed", "norm", 2).means("norm", "flat").linear("flat", "head", [2, 2]);
    let model = classifier("half", net.finish("head", 0), &["a", "b"]);
    let refusal = |criterion| match scores(&model, None, criterion, "bare") {
        Err(error) => error.to_string(),
        Ok(scores) => panic!("{scores:?}"),
    };
    let said = refusal(Criterion::BnScale);
    assert!(said.contains("none follows 1 layers: bare;"), "{said}");
    assert!(refusal(Criterion::Contribution).contains("needs a profile"));
    let other = three_channels();
    let profile = black_and_white(&other);
    let said = Ground::new(&model, Some(&profile), None, 0).err().unwrap().to_string();
    assert!(said.contains("profile this model"), "{said}");
}

/// The same cases every time.
fn check(cases: u32, property: impl Fn(Vec<Gene>, f64, u64) -> Result<(), TestCaseError>) {
    let rng_seed = RngSeed::Fixed(8);
    let config = Config { cases, rng_seed, failure_persistence: None, ..Config::default() };
    let cases = (vec(any::<Gene>(), 1..9), 0.0..1.0, any::<u64>());
    TestRunner::new(config)
        .run(&cases, |(genes, share, seed)| property(genes, share, seed))
        .unwrap();
}

fn grown(genes: &[Gene], seed: u64) -> Classifier {
    classifier("grown", grow(genes, 4, seed), &["a", "b", "c", "d"])
}

fn bare(options: &CompressOptions) -> CompressOptions {
    CompressOptions { refits: false, ..options.clone() }
}

#[test]
fn cuts_fit_their_budget_and_the_next_group_would_not() {
    let tight = std::cell::Cell::new(0);
    check(60, |genes, share, seed| {
        let model = grown(&genes, seed);
        let ground = Ground::new(&model, None, None, seed).unwrap();
        for (criterion, uniform, round_to, unit) in [
            (Criterion::L1, false, 1, Unit::Macs),
            (Criterion::Fpgm, true, 1, Unit::Parameters),
            (Criterion::Random, false, 4, Unit::Macs),
        ] {
            let options = CompressOptions {
                uniform,
                widths: Widths::of(Some(round_to)),
                ..bare(&CompressOptions::default())
            };
            let ranking = Ranking::new(&ground, criterion, &options).unwrap();
            let size = |count| {
                let keep = ranking.keep(count);
                let patch = cut(model.graph(), ground.channels(), &keep).unwrap();
                let small = patch.apply(model.graph()).unwrap();
                let announced =
                    (ranking.size(&Unit::Macs, &keep), ranking.size(&Unit::Parameters, &keep));
                assert_eq!(announced, (small.macs(), small.parameters() as u64));
                unit.of(&small)
            };
            let (least, whole) = (size(0), size(ranking.len()));
            prop_assert_eq!(whole, unit.of(model.graph()));
            let budget = least + ((whole - least) as f64 * share) as u64;
            let count = ranking.within(&unit, budget).unwrap();
            prop_assert!(size(count) <= budget);
            prop_assert!(count == ranking.len() || size(count + 1) > budget);
            let filled = ranking.fitting(&unit, budget).unwrap();
            let kept = |keep: &Keep| {
                ranking.kept(keep).values().map(|layer| layer.output.len()).sum::<usize>()
            };
            prop_assert!(ranking.size(&unit, &filled) <= budget);
            prop_assert!(kept(&filled) >= kept(&ranking.keep(count)));
            tight.set(tight.get() + usize::from(0 < count && count < ranking.len()));
            let said = ranking.within(&unit, least - 1).unwrap_err().to_string();
            prop_assert!(said.contains(&format!("the smallest cut has {least}")), "{}", said);
        }
        Ok(())
    });
    assert!(tight.get() > 60, "{}", tight.get());
}

fn made(
    model: &Classifier,
    options: &CompressOptions,
    share: f64,
    images: Option<&Tensor>,
) -> Variant {
    let ground = Ground::new(model, None, None, 0).unwrap();
    let ranking = Ranking::new(&ground, Criterion::L1, options).unwrap();
    let (least, whole) =
        (ranking.size(&Unit::Parameters, &ranking.keep(0)), model.graph().parameters());
    let budget = least + ((whole as u64 - least) as f64 * share) as u64;
    let keep = ranking.keep(ranking.within(&Unit::Parameters, budget).unwrap());
    let made = variant(
        model,
        ranking.kept(&keep),
        images.map(|images| images.clone().into()).as_ref(),
        &RefitOptions::default(),
        &Silent,
    )
    .unwrap();
    let announced = (ranking.size(&Unit::Macs, &keep), ranking.size(&Unit::Parameters, &keep));
    let found = &made.best().graph();
    assert_eq!(announced, (found.macs(), found.parameters() as u64));
    made
}

/// Layers without biases, some of which come before anything that can be cut.
fn without_biases() -> Classifier {
    let mut net = Net::new([3, 6, 6]);
    for (layer, shape) in [("one", [8, 3, 3, 3]), ("two", [8, 8, 3, 3])] {
        let weight = format!("{layer}.weight");
        net.constant(&weight, &shape, vec![0.5; shape.iter().product()]);
    }
    let pads = || [("pads", brickwork_graph::Attr::Ints(vec![1; 4]))];
    net.node("Conv", &["image", "one.weight"], &["one"], &pads()).then("Relu", "one", "x");
    net.node("Conv", &["x", "two.weight"], &["two"], &pads()).then("Relu", "two", "y");
    net.means("y", "flat").linear("flat", "head", [4, 8]);
    classifier("biasless", net.finish("head", 5), &["a", "b", "c", "d"])
}

#[test]
fn biases_that_a_refit_adds_are_in_the_budget() {
    let model = without_biases();
    let images = random_images(40, model.input(), 1);
    let small = made(&model, &CompressOptions::default(), 0.5, Some(&images));
    let refitted = small.refitted.unwrap();
    assert!(refitted.graph().parameters() > small.bare.graph().parameters());
    let (a, b) = (random_images(20, model.input(), 2), model.graph().clone());
    let target = run((*b).clone(), &a);
    let off = |graph: &Graph| relative(&run(graph.clone(), &a), &target);
    assert!(off(refitted.graph()) < off(small.bare.graph()));
    assert_eq!(refitted.card().classes, model.class_names());
    assert!(refitted.card().origin.as_ref().unwrap().refit.is_some());
    assert!(small.bare.card().origin.as_ref().unwrap().refit.is_none());
}

#[test]
fn the_whole_budget_changes_nothing() {
    check(20, |genes, _, seed| {
        let model = grown(&genes, seed);
        let images = random_images(3, model.input(), seed);
        let same = made(&model, &CompressOptions::default(), 1.0, Some(&images));
        let expected = run((**model.graph()).clone(), &images);
        for found in [&same.bare, same.best()] {
            prop_assert_eq!(found.graph().to_string(), model.graph().to_string());
            prop_assert_eq!(difference(&run((**found.graph()).clone(), &images), &expected), 0.0);
        }
        Ok(())
    });
}

/// Two layers of 20 and 10 channels; the weights of the second differ much more.
fn two_layers() -> Classifier {
    let mut net = Net::new([1, 4, 4]);
    net.conv("image", "wide", [20, 1, 1], 1).conv("wide", "narrow", [10, 20, 1], 1);
    net.means("narrow", "flat").linear("flat", "head", [2, 10]);
    let wide: Vec<f32> = (0..20).map(|k| 1.0 + 0.001 * k as f32).collect();
    let narrow: Vec<f32> = (0..200).map(|k| (k / 20) as f32).collect();
    net.given("wide.weight", &[20, 1, 1, 1], &wide).given(
        "narrow.weight",
        &[10, 20, 1, 1],
        &narrow,
    );
    classifier("two", net.finish("head", 0), &["a", "b"])
}

#[test]
fn widths_follow_floor_uniform_and_rounding() {
    let model = two_layers();
    let ground = Ground::new(&model, None, None, 0).unwrap();
    let widths = |options: CompressOptions, share: f64| {
        let ranking = Ranking::new(&ground, Criterion::L1, &options).unwrap();
        let count = match share {
            0.0 => 0,
            share => {
                ranking.within(&Unit::Macs, (model.graph().macs() as f64 * share) as u64).unwrap()
            }
        };
        let kept = ranking.kept(&ranking.keep(count));
        [&kept["wide"], &kept["narrow"]].map(|layer| layer.output.clone())
    };
    let usual = CompressOptions::default;
    let count = |[wide, narrow]: [Vec<usize>; 2]| (wide.len(), narrow.len());
    // The lower half of the narrow layer is worth less than any of the wide one.
    let [wide, narrow] = widths(usual(), 0.6);
    assert_eq!((wide.len(), narrow), (20, vec![5, 6, 7, 8, 9].into_iter().collect()));
    let uniform = CompressOptions { uniform: true, ..usual() };
    let [wide, narrow] = widths(uniform, 0.3);
    assert_eq!((wide, narrow), ((10..20).collect(), (5..10).collect()));
    assert_eq!(count(widths(CompressOptions { floor: 0.0, ..usual() }, 0.0)), (1, 1));
    assert_eq!(count(widths(CompressOptions { floor: 0.26, ..usual() }, 0.0)), (6, 3));
    assert_eq!(
        count(widths(CompressOptions { widths: Widths::of(Some(4)), ..usual() }, 0.0)),
        (4, 4)
    );
    assert_eq!(count(widths(CompressOptions { floor: 1.0, ..usual() }, 0.0)), (20, 10));
}
