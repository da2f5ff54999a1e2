//! For every architecture of the zoo, on random weights: a cut graph computes what its source
//! computes with the removed channels zeroed where they are read.

use brickwork::random_weights;
use brickwork_formats::onnx;
use brickwork_graph::{Channels, Graph, Keep, Label, cut, mask};

use crate::common::{fixture, images, noise, relative, run};

/// How far a cut may be from the mask, relative to the largest score: kernels may add up fewer
/// channels in another order.
const TOLERANCE: f32 = 1e-5;

fn zoo(name: &str) -> Graph {
    let graph = onnx::load(&fixture(&format!("zoo/{name}.onnx")), &Default::default()).unwrap();
    random_weights(&graph, 7).apply(&graph).unwrap()
}

struct Outcome {
    /// Largest difference between cut and masked graph, relative to the largest output.
    worst: f32,
    /// The same between masked and unmasked graph.
    effect: f32,
    /// Share of the parameters that is left.
    share: f64,
}

/// Cuts and masks, keeping at least the groups for which `wanted` is true.
fn compare(graph: &Graph, wanted: impl Fn(Label) -> bool) -> Outcome {
    let channels = Channels::of(graph);
    let keep = Keep::closed(graph, &channels, |label| wanted(channels.group(label)), |_| 0.0);
    let small = cut(graph, &channels, &keep).unwrap().apply(graph).unwrap();
    let masked = mask(graph, &channels, &keep).apply(graph).unwrap();
    let (_, labels) = channels.axis(graph.outputs()[0]).expect("classes lie along an axis");
    let classes = keep.indices(&channels, labels);
    let share = small.parameters() as f64 / graph.parameters() as f64;
    let image = images(graph, 1);
    let (a, b) = (run(small, &image), run(masked, &image).take(1, &classes));
    let c = run(graph.clone(), &image).take(1, &classes);
    Outcome { worst: relative(&a, &b), effect: relative(&c, &b), share }
}

fn check(name: &str, shrinks_to: f64) {
    let graph = zoo(name);
    let half = compare(&graph, |group| noise(u64::from(group), 11) < 0.5);
    assert!(half.worst <= TOLERANCE, "{name}: {}", half.worst);
    assert!(half.effect > 1e-3, "{name}: the mask has no effect");
    assert!(half.share < shrinks_to, "{name}: {}", half.share);
    // Structured keeps: every third group, the least that can be kept, everything.
    let third = compare(&graph, |group| group % 3 == 1);
    assert!(third.worst <= TOLERANCE, "{name}, every third: {}", third.worst);
    let least = compare(&graph, |_| false);
    assert!(least.worst <= TOLERANCE, "{name}, least: {}", least.worst);
    let all = compare(&graph, |_| true);
    assert_eq!((all.worst, all.effect, all.share), (0.0, 0.0, 1.0), "{name}, all");
}

macro_rules! zoo_tests {
    ($($name:ident: $shrinks_to:literal),* $(,)?) => {
        $(#[test]
        fn $name() {
            check(stringify!($name), $shrinks_to);
        })*
    };
}

zoo_tests! {
    alexnet: 0.75,
    convnext_tiny: 0.6,
    densenet121: 0.5,
    efficientnet_b0: 0.75,
    googlenet: 0.5,
    inception_v3: 0.5,
    mnasnet1_0: 0.75,
    mobilenet_v2: 0.75,
    mobilenet_v3_large: 0.75,
    mobilenet_v3_small: 0.75,
    regnet_x_400mf: 0.9,
    regnet_y_400mf: 0.9,
    resnet18: 0.95,
    resnet20_cifar: 0.95,
    resnet50: 0.95,
    resnext50_32x4d: 0.95,
    shufflenet_v2_x1_0: 0.75,
    squeezenet1_1: 0.5,
    vgg16: 0.75,
    vgg16_bn: 0.75,
    vgg16_cifar: 0.75,
}
