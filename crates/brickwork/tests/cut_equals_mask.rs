//! For every architecture of the zoo, on random weights: a cut graph computes what its source
//! computes with the removed channels zeroed where they are read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use brickwork::random_weights;
use brickwork_exec::Session;
use brickwork_formats::onnx;
use brickwork_graph::{Channels, Graph, Keep, Label, cut, mask};
use brickwork_tensor::Tensor;

fn zoo(name: &str) -> Graph {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/zoo");
    let graph = onnx::load(&path.join(format!("{name}.onnx")), &Default::default()).unwrap();
    random_weights(&graph, 7).apply(&graph).unwrap()
}

/// A number in 0..1 that depends on both arguments.
fn noise(a: u64, b: u64) -> f64 {
    let mut x = a.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ b.wrapping_mul(0xD1B5_4A32_D192_ED03);
    x = (x ^ (x >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    ((x ^ (x >> 32)) >> 11) as f64 / (1u64 << 53) as f64
}

fn image(graph: &Graph, batch: usize) -> Vec<f32> {
    let shape = graph.value(graph.inputs()[0]).shape.at(batch);
    (0..shape.iter().product::<usize>()).map(|k| noise(k as u64, 3) as f32 * 2.0 - 1.0).collect()
}

fn run(graph: Graph, batch: usize) -> Tensor {
    let feed = image(&graph, batch);
    let output = graph.outputs()[0];
    Session::new(Arc::new(graph), &[output]).outputs(batch, &feed).unwrap().remove(0)
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
    let (a, b) = (run(small, 1), run(masked, 1).take(1, &classes));
    let c = run(graph.clone(), 1).take(1, &classes);
    let top = b.data().iter().fold(1e-3f32, |top, x| top.max(x.abs()));
    assert!(top.is_finite());
    Outcome { worst: difference(&a, &b) / top, effect: difference(&b, &c) / top, share }
}

fn difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.shape(), b.shape());
    a.data().iter().zip(b.data()).fold(0f32, |worst, (x, y)| worst.max((x - y).abs()))
}

fn check(name: &str, shrinks_to: f64) {
    let graph = zoo(name);
    let half = compare(&graph, |group| noise(u64::from(group), 11) < 0.5);
    println!(
        "{name}: {:.1e} off, masking changes {:.1e}, {:.2} of the parameters",
        half.worst, half.effect, half.share
    );
    assert!(half.worst < 1e-4, "{name}: {}", half.worst);
    assert!(half.effect > 1e-3, "{name}: the mask has no effect");
    assert!(half.share < shrinks_to, "{name}: {}", half.share);
    // Structured keeps: every third group, the least that can be kept, everything.
    let third = compare(&graph, |group| group % 3 == 1);
    assert!(third.worst < 1e-4, "{name}, every third: {}", third.worst);
    let least = compare(&graph, |_| false);
    assert!(least.worst < 1e-4, "{name}, least: {}", least.worst);
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
    resnet50: 0.95,
    resnext50_32x4d: 0.95,
    shufflenet_v2_x1_0: 0.75,
    squeezenet1_1: 0.5,
    vgg16: 0.75,
    vgg16_bn: 0.75,
}
