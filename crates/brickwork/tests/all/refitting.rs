//! The refit brings a cut closer to its source, and changes nothing where nothing is lost.

use std::sync::Arc;

use brickwork::{
    Choice, Classifier, Cut, KeptLayer, KeptMap, Plan, RefitNote, RefitOptions, Silent, Towards,
    random_weights, refit,
};
use brickwork_exec::Session;
use brickwork_graph::Graph;
use brickwork_tensor::Tensor;

use crate::common;
use crate::common::grown::grow;
use crate::common::{Net, classifier, difference, random_images, relative, run, varied_images};

const CLASSES: [&str; 4] = ["a", "b", "c", "d"];

fn model() -> Classifier {
    let mut net = Net::new([3, 8, 8]);
    net.conv("image", "stem", [10, 3, 3], 1).norm("stem", "normed", 10).then("Relu", "normed", "x");
    net.conv("x", "grouped", [12, 5, 3], 2).then("Relu", "grouped", "y");
    net.conv("y", "depthwise", [12, 1, 3], 12).conv("depthwise", "point", [10, 12, 1], 1);
    net.node("Add", &["x", "point"], &["sum"], &[]).then("Relu", "sum", "z");
    net.means("z", "flat").linear("flat", "head", [4, 10]);
    classifier("model", net.finish("head", 3), &CLASSES)
}

/// A cut to the first classes that keeps half of the channels.
fn half(model: &Classifier, classes: usize) -> (Plan, Graph) {
    let task: Vec<usize> = (0..classes).collect();
    let whole = Plan::new(model, &[0, 1, 2, 3], &Choice::Everything, 1).unwrap();
    let mut kept = whole.kept.clone();
    for layer in kept.values_mut() {
        layer.output = layer.output.iter().copied().filter(|k| k % 2 == 0).collect();
        layer.input = Vec::new();
    }
    kept.insert("head".to_owned(), KeptLayer { input: Vec::new(), output: task.clone() });
    let plan = Plan::new(model, &task, &Choice::Given(kept), 1).unwrap();
    let (small, _) = plan.cut(model, 1).unwrap();
    assert!(small.parameters() * 2 < model.graph().parameters());
    (plan, small)
}

fn refitted(
    model: &Classifier,
    small: &Graph,
    kept: &KeptMap,
    images: &Tensor,
    batch: usize,
    options: &RefitOptions,
) -> (Graph, RefitNote) {
    let all = (0..model.class_count()).collect();
    let classes: Vec<usize> = kept.get("head").map_or(all, |head| head.output.clone());
    let source = model.graph();
    let cut = Cut { source, graph: small, kept, classes: &classes, apart: false };
    refit(&cut, &images.clone().into(), batch, options, &Silent).unwrap()
}

/// All constants by name.
fn constants(graph: &Graph) -> Vec<(String, Tensor)> {
    let values = graph.values().iter();
    let mut found: Vec<(String, Tensor)> = values
        .filter_map(|value| Some((value.name.clone(), (**value.constant.as_ref()?).clone())))
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

#[test]
fn nothing_cut_nothing_changed() {
    let images = random_images(20, [3, 8, 8], 1);
    for genes in [&[(4, 1), (5, 3)][..], &[(7, 2), (6, 0), (9, 1)], &[(10, 0), (2, 1), (8, 1)]] {
        let model = classifier("model", grow(genes, 4, 1), &CLASSES);
        let plan = Plan::new(&model, &[0, 1, 2, 3], &Choice::Everything, 1).unwrap();
        let (same, _) = plan.cut(&model, 1).unwrap();
        let (again, _) = refitted(&model, &same, &plan.kept, &images, 8, &RefitOptions::default());
        assert_eq!(constants(&again), constants(model.graph()));
    }
}

#[test]
fn a_cut_of_the_head_alone_keeps_the_scores() {
    let model = model();
    let plan = Plan::new(&model, &[1, 3], &Choice::Everything, 1).unwrap();
    let (small, _) = plan.cut(&model, 1).unwrap();
    let images = random_images(20, [3, 8, 8], 1);
    let (again, _) = refitted(&model, &small, &plan.kept, &images, 8, &RefitOptions::default());
    let others = random_images(10, [3, 8, 8], 2);
    let expected = run((**model.graph()).clone(), &others).take(1, &[1, 3]);
    assert!(relative(&run(again, &others), &expected) <= 1e-5);
}

fn squared(a: &Tensor, b: &Tensor) -> f64 {
    let pairs = a.data().iter().zip(b.data());
    pairs.map(|(x, y)| f64::from(x - y).powi(2)).sum::<f64>()
}

#[test]
fn scores_come_closer_to_the_source() {
    let model = model();
    let (plan, small) = half(&model, 3);
    let (seen, unseen) = (random_images(60, [3, 8, 8], 1), random_images(40, [3, 8, 8], 2));
    let (again, note) = refitted(&model, &small, &plan.kept, &seen, 16, &RefitOptions::default());
    assert_eq!((note.images, note.rows), (60, 8192));
    assert_eq!(again.to_string().lines().count(), small.to_string().lines().count());
    assert_eq!(again.parameters(), small.parameters());
    let names =
        |graph: &Graph| constants(graph).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(&again), names(&small));
    for (images, share) in [(&seen, 0.2), (&unseen, 0.4)] {
        let expected = run((**model.graph()).clone(), images).take(1, &[0, 1, 2]);
        let before = squared(&run(small.clone(), images), &expected);
        let after = squared(&run(again.clone(), images), &expected);
        assert!(after < share * before, "{before} to {after}");
    }
}

/// Two residual blocks: what the first gets wrong, the second can put right.
fn two_blocks() -> Classifier {
    let mut net = Net::new([3, 8, 8]);
    net.conv("image", "stem", [10, 3, 3], 1).then("Relu", "stem", "x");
    for (from, inner, outer, sum, to) in
        [("x", "in1", "out1", "sum1", "y"), ("y", "in2", "out2", "sum2", "z")]
    {
        let hidden = format!("{inner}.on");
        net.conv(from, inner, [8, 10, 3], 1).then("Relu", inner, &hidden);
        net.conv(&hidden, outer, [10, 8, 3], 1);
        net.node("Add", &[from, outer], &[sum], &[]).then("Relu", sum, to);
    }
    net.means("z", "flat").linear("flat", "head", [4, 10]);
    classifier("two", net.finish("head", 3), &CLASSES)
}

#[test]
fn errors_of_earlier_layers_are_put_right() {
    let model = two_blocks();
    let mut kept = Plan::new(&model, &[0, 1, 2, 3], &Choice::Everything, 1).unwrap().kept;
    kept.retain(|name, _| name.starts_with("in"));
    kept.values_mut()
        .for_each(|layer| *layer = KeptLayer { input: (0..10).collect(), output: vec![1, 4, 6] });
    let plan = Plan::new(&model, &[0, 1, 2, 3], &Choice::Given(kept), 1).unwrap();
    let (small, _) = plan.cut(&model, 1).unwrap();
    let (seen, unseen) = (random_images(80, [3, 8, 8], 1), random_images(60, [3, 8, 8], 2));
    let best = RefitOptions::default();
    let off = |options: &RefitOptions| {
        let (again, note) = refitted(&model, &small, &plan.kept, &seen, 16, options);
        assert_eq!((note.corrects, note.rounds), (options.corrects, options.rounds));
        let last = |graph: &Graph| value_of(graph, "z", &unseen);
        squared(&last(&again), &last(model.graph()))
    };
    let (plain, corrected) = (off(&best.plain()), off(&RefitOptions { rounds: 0, ..best }));
    assert!(corrected < 0.99 * plain, "{plain} to {corrected}");
    let eased = off(&best);
    assert!(eased < 0.99 * corrected, "{corrected} to {eased}");
}

/// A value of a graph.
fn value_of(graph: &Graph, name: &str, images: &Tensor) -> Tensor {
    let value = graph.find_value(name).unwrap();
    let mut session = Session::new(Arc::new(graph.clone()), &[value]);
    session.outputs(images.shape()[0], images.data()).unwrap().remove(0)
}

/// A layer that gets all it needs is found exactly: the second layer copies, so that half of the
/// first is enough for it.
#[test]
fn what_can_be_computed_is_found() {
    let mut net = Net::new([1, 4, 4]);
    net.conv("image", "stem", [4, 1, 3], 1).conv("stem", "mixed", [4, 4, 1], 1);
    net.means("mixed", "flat").linear("flat", "head", [4, 4]);
    // Outputs 2 and 3 of the stem are what 0 and 1 are, times 2 and plus 1.
    let stem: Vec<f32> = (0..18).map(|k| common::noise(k, 5) as f32 - 0.5).collect();
    let doubled: Vec<f32> = stem.iter().map(|w| 2.0 * w).collect();
    net.given("stem.weight", &[4, 1, 3, 3], &[stem, doubled].concat());
    net.given("stem.bias", &[4], &[0.1, 0.2, 1.2, 1.4]);
    let model = classifier("model", net.finish("head", 4), &CLASSES);
    let kept = |input: &[usize], output: &[usize]| KeptLayer {
        input: input.to_vec(),
        output: output.to_vec(),
    };
    let map = KeptMap::from([("mixed".to_owned(), kept(&[0, 1], &[0, 1, 2, 3]))]);
    let plan = Plan::new(&model, &[0, 1, 2, 3], &Choice::Given(map), 1).unwrap();
    let (small, _) = plan.cut(&model, 1).unwrap();
    let options = RefitOptions { lambda: 1e-9, ..RefitOptions::default() };
    let images = random_images(50, [1, 4, 4], 1);
    let (again, _) = refitted(&model, &small, &plan.kept, &images, 50, &options);
    let others = random_images(10, [1, 4, 4], 2);
    let expected = run((**model.graph()).clone(), &others);
    assert!(relative(&run(small, &others), &expected) > 0.05);
    assert!(relative(&run(again, &others), &expected) < 1e-3);
}

/// On a handful of images a layer can be made to fit what does not hold for others.
#[test]
fn a_refit_on_few_images_holds_for_others() {
    let model = model();
    let (plan, small) = half(&model, 4);
    let others = random_images(200, [3, 8, 8], 9);
    let expected = run((**model.graph()).clone(), &others);
    let given = RefitOptions { lambda: 1e-6, ..RefitOptions::default().layers() };
    let off = |images: &Tensor| {
        let graph = refitted(&model, &small, &plan.kept, images, 50, &given).0;
        relative(&run(graph, &others), &expected)
    };
    let bare = relative(&run(small.clone(), &others), &expected);
    for count in [5, 9, 20, 100] {
        let found = off(&random_images(count, [3, 8, 8], 1));
        assert!(found < bare, "{count} images: {found} of {bare}");
    }
}

/// Layers on their own stop short of what all of them together can do for the scores.
#[test]
fn all_layers_together_come_closer_to_the_scores() {
    let model = two_blocks();
    let mut kept = Plan::new(&model, &[0, 1, 2, 3], &Choice::Everything, 1).unwrap().kept;
    kept.retain(|name, _| name.starts_with("in"));
    kept.values_mut()
        .for_each(|layer| *layer = KeptLayer { input: (0..10).collect(), output: vec![1, 4] });
    kept.insert("head".to_owned(), KeptLayer { input: Vec::new(), output: vec![0, 1, 2] });
    let plan = Plan::new(&model, &[0, 1, 2], &Choice::Given(kept), 1).unwrap();
    let (small, _) = plan.cut(&model, 1).unwrap();
    let (seen, unseen) = (varied_images(300, [3, 8, 8], 1), varied_images(200, [3, 8, 8], 2));
    let off = |options: RefitOptions, passes: std::ops::Range<usize>| {
        let (again, note) = refitted(&model, &small, &plan.kept, &seen, 16, &options);
        assert!(passes.contains(&note.passes), "{} passes", note.passes);
        let [found, expected] = [again, (**model.graph()).clone()].map(|graph| run(graph, &unseen));
        squared(&centred(&found), &centred(&expected.take(1, &[0, 1, 2])))
    };
    let layers = off(RefitOptions::default().layers(), 0..1);
    let together = off(RefitOptions::default(), 1..9);
    assert!(together < 0.9 * layers, "{layers} to {together}");
}

/// What a refit left is where the next one starts, and it comes closer still.
#[test]
fn a_second_refit_goes_on_where_the_first_ended() {
    let source = two_blocks();
    let other = random_weights(source.graph(), 8).apply(source.graph()).unwrap();
    let other = classifier("other", other, &CLASSES);
    let images = varied_images(300, [3, 8, 8], 1);
    let options = RefitOptions::default();
    let nearer = |model: &Classifier| {
        let towards = Towards::new(model, &source).unwrap();
        let (better, nearer) = towards.refit(&images.clone().into(), &options, &Silent).unwrap();
        (better, nearer.passes.unwrap())
    };
    let (once, first) = nearer(&other);
    let (_, second) = nearer(&once);
    assert!(first.passes > 1 && first.after < first.before, "{first:?}");
    assert_eq!(second.before, first.after);
    assert!(second.passes > 0 && second.after < second.before, "{second:?}");
}

/// Scores `[n, k]` without the mean of every row.
fn centred(scores: &Tensor) -> Tensor {
    let classes = scores.shape()[1];
    let rows = scores.data().chunks(classes).flat_map(|row| {
        let mean = row.iter().sum::<f32>() / classes as f32;
        row.iter().map(move |score| score - mean)
    });
    Tensor::new(scores.shape(), rows.collect::<Vec<_>>())
}

#[test]
fn batches_and_threads_do_not_matter() {
    let model = model();
    let (plan, small) = half(&model, 3);
    let images = varied_images(300, [3, 8, 8], 1);
    let options = RefitOptions { rows: 500, ..RefitOptions::default() };
    let (expected, note) = refitted(&model, &small, &plan.kept, &images, 30, &options);
    let expected = constants(&expected);
    assert!(note.passes > 0);
    for (threads, batch) in [(1, 1), (1, 30), (2, 7), (3, 30)] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let found = pool.install(|| refitted(&model, &small, &plan.kept, &images, batch, &options));
        assert_eq!(constants(&found.0), expected, "{threads} threads, batches of {batch}");
    }
}

#[test]
fn the_seed_chooses_the_rows() {
    let model = model();
    let (plan, small) = half(&model, 3);
    let images = random_images(10, [3, 8, 8], 1);
    let with = |seed| {
        let options = RefitOptions { rows: 200, seed, ..RefitOptions::default() };
        run(refitted(&model, &small, &plan.kept, &images, 10, &options).0, &images)
    };
    assert_eq!(with(1), with(1));
    assert!(difference(&with(1), &with(2)) > 0.0);
}

/// With few images there are more weights than rows; a single image is enough to run.
#[test]
fn few_images_do_not_break_it() {
    let model = model();
    let (plan, small) = half(&model, 2);
    for count in [1, 2, 5] {
        let images = random_images(count, [3, 8, 8], 1);
        let (again, _) = refitted(&model, &small, &plan.kept, &images, 4, &RefitOptions::default());
        let expected = run((**model.graph()).clone(), &images).take(1, &[0, 1]);
        let (before, after) = (run(small.clone(), &images), run(again, &images));
        assert!(squared(&after, &expected) < squared(&before, &expected), "{count} images");
    }
    // Blank images tell nothing of weights, but means of targets.
    let blank = Tensor::filled([4, 3, 8, 8], 0.0);
    let (again, _) = refitted(&model, &small, &plan.kept, &blank, 4, &RefitOptions::default());
    let expected = run((**model.graph()).clone(), &blank).take(1, &[0, 1]);
    assert!(relative(&run(again, &blank), &expected) < 1e-3);
}

/// Layers that share weights are refitted each for itself.
#[test]
fn shared_weights_part_ways() {
    let mut net = Net::new([1, 6, 6]);
    net.conv("image", "stem", [6, 1, 3], 1).then("Relu", "stem", "x");
    net.conv("x", "first", [6, 6, 3], 1).then("Relu", "first", "y");
    let pads = [("pads", brickwork_graph::Attr::Ints(vec![1; 4]))];
    net.node("Conv", &["y", "first.weight", "first.bias"], &["second"], &pads);
    net.means("second", "flat").linear("flat", "head", [4, 6]);
    let model = classifier("model", net.finish("head", 4), &CLASSES);
    let map = KeptMap::from([(
        "first".to_owned(),
        KeptLayer { input: vec![0, 2, 3, 5], output: vec![0, 2, 3, 5] },
    )]);
    let plan = Plan::new(&model, &[0, 1, 2, 3], &Choice::Given(map), 1).unwrap();
    let (small, _) = plan.cut(&model, 1).unwrap();
    let images = random_images(40, [1, 6, 6], 1);
    let (again, _) = refitted(&model, &small, &plan.kept, &images, 40, &RefitOptions::default());
    let expected = run((**model.graph()).clone(), &images);
    let (before, after) = (run(small, &images), run(again.clone(), &images));
    assert!(squared(&after, &expected) < 0.5 * squared(&before, &expected));
    let weights = |name: &str| {
        let node = again.find_node(name).unwrap();
        Arc::clone(again.constant(node, 1).unwrap())
    };
    assert!(difference(&weights("first"), &weights("second")) > 0.0);
    let names: Vec<String> = constants(&again).into_iter().map(|(name, _)| name).collect();
    let expected = ["first.bias", "first.bias_2", "first.weight", "first.weight_2"];
    assert!(expected.iter().all(|name| names.iter().any(|own| own == name)), "{names:?}");
}
