//! Networks to train from scratch: the same as in PyTorch, and open to everything else.

use std::sync::Arc;

use brickwork::{Architecture, ArchitectureOptions, Classifier, Stem, initialise, inspect};
use brickwork_formats::onnx::{decode, encode};
use brickwork_graph::{Channels, Graph, Keep, Patch, cut, mask};
use brickwork_tensor::Tensor;
use serde_json::Value;

use crate::common::{fixture, images, noise, relative, run};

/// An architecture by name.
fn find(name: &str) -> &'static Architecture {
    Architecture::find(name).unwrap_or_else(|| panic!("no architecture `{name}`"))
}

/// A light variant of every architecture, of two channels or more in every layer: an only one cannot
/// be cut.
fn small() -> impl Iterator<Item = (&'static Architecture, Graph)> {
    Architecture::all().iter().map(|architecture| {
        let width = if architecture.name.starts_with("densenet") { 0.2 } else { 0.1 };
        let options = ArchitectureOptions { size: [32, 32], width, ..architecture.usual(5) };
        let graph = architecture.build(&options).unwrap();
        (architecture, initialise(&graph, 1).apply(&graph).unwrap())
    })
}

/// What `fixtures/make_architectures.py` wrote.
fn expected() -> Value {
    let text = std::fs::read_to_string(fixture("architectures.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn number(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

/// Numbers in -1..1 that belong to a name, as the script makes them.
fn named_noise(name: &str) -> impl Iterator<Item = f32> {
    let fnv = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    let seed = name.bytes().fold(0x811C_9DC5, fnv);
    (0u32..).map(move |place| {
        let mut x = place.wrapping_mul(0x9E37_79B1).wrapping_add(seed);
        x = (x ^ (x >> 16)).wrapping_mul(0x7FEB_352D);
        x = (x ^ (x >> 15)).wrapping_mul(0x846C_A68B);
        x ^= x >> 16;
        ((x >> 8) as i32 - (1 << 23)) as f32 / (1 << 23) as f32
    })
}

/// The array of this name and shape, as the script fills it.
fn filled(name: &str, shape: &[usize]) -> Tensor {
    let (factor, shift) = match name.rsplit('.').next().unwrap() {
        "image" => (1.0, 0.0),
        "running_var" => (0.5, 1.0),
        "running_mean" | "bias" => (0.125, 0.0),
        _ if shape.len() == 1 => (0.25, 1.0),
        _ => ((6.0 / shape[1..].iter().product::<usize>() as f64).sqrt() as f32, 0.0),
    };
    let count = shape.iter().product();
    Tensor::new(shape, named_noise(name).take(count).map(|x| x * factor + shift).collect())
}

/// The network with the script's weights.
fn with_known_weights(graph: &Graph) -> Graph {
    let mut patch = Patch::new("known weights");
    for id in graph.value_ids() {
        let value = graph.value(id);
        // A single number is part of a formula.
        if let Some(data) = value.constant.as_ref().filter(|data| data.rank() > 0) {
            patch.constant(id, Arc::new(filled(&value.name, data.shape())));
        }
    }
    patch.apply(graph).unwrap()
}

fn options_of(case: &Value) -> ArchitectureOptions {
    ArchitectureOptions {
        classes: number(&case["classes"]),
        channels: number(&case["channels"]),
        size: [0, 1].map(|axis| number(&case["size"][axis])),
        width: case["width"].as_f64().unwrap(),
        stem: match case["stem"].as_str() {
            None => None,
            Some("cifar") => Some(Stem::Cifar),
            Some(other) => Some(Stem::Imagenet).filter(|_| other == "imagenet"),
        },
    }
}

#[test]
fn scores_are_those_of_pytorch() {
    let expected = expected();
    let cases = expected["cases"].as_array().unwrap();
    for architecture in Architecture::all() {
        assert!(
            cases.iter().any(|case| case["name"] == architecture.name),
            "{}",
            architecture.name
        );
    }
    for case in cases {
        let (name, options) = (case["name"].as_str().unwrap(), options_of(case));
        let graph = find(name).build(&options).unwrap();
        assert_eq!(graph.parameters(), number(&case["parameters"]), "{name} {options:?}");
        let graph = with_known_weights(&graph);
        let [height, width] = options.size;
        let image = filled("image", &[2, options.channels, height, width]);
        let logits = run(graph, &image);
        assert_eq!(logits.shape(), [2, options.classes]);
        // Of many classes the first ten are stored.
        let known = case["logits"].as_array().unwrap();
        let known: Vec<f32> = known.iter().map(|x| x.as_f64().unwrap() as f32).collect();
        let stored = known.len() / 2;
        let found = logits.take(1, &(0..stored).collect::<Vec<_>>());
        let off = relative(&found, &Tensor::new([2, stored], known));
        assert!(off <= 1e-4, "{name} {options:?}: {off}");
    }
}

#[test]
fn sizes_are_the_published_ones() {
    let cifar = expected();
    for architecture in Architecture::all() {
        let name = architecture.name;
        let graph = architecture.build(&architecture.usual(10)).unwrap();
        assert_eq!(graph.parameters(), number(&cifar["parameters"][name]), "{name}");
    }
    // Model LEGO's networks for CIFAR-10.
    let published = [
        ("lenet5", 62_006),
        ("simnet", 10_661_600),
        ("alexnet", 23_272_266),
        ("vgg16", 33_646_666),
        ("resnet50", 23_520_842),
        ("googlenet", 6_310_314),
        ("simplenet_v1", 5_498_378),
    ];
    for (name, parameters) in published {
        assert_eq!(number(&cifar["parameters"][name]), parameters, "{name}");
    }
    // torchvision's for ImageNet, as its documentation lists them; the third without auxiliary head.
    let published = [
        ("resnet18", 224, 11_689_512, 1.81e9),
        ("resnet34", 224, 21_797_672, 3.66e9),
        ("resnet50", 224, 25_557_032, 4.09e9),
        ("mobilenet_v2", 224, 3_504_872, 0.30e9),
        ("densenet121", 224, 7_978_856, 2.83e9),
        ("inception_v3", 299, 23_834_568, 5.71e9),
    ];
    for (name, side, parameters, macs) in published {
        let architecture = find(name);
        let options = ArchitectureOptions { size: [side, side], ..architecture.usual(1000) };
        let graph = architecture.build(&options).unwrap();
        assert_eq!(graph.parameters(), parameters, "{name}");
        assert!((graph.macs() as f64 / macs - 1.0).abs() < 0.02, "{name}: {}", graph.macs());
    }
}

#[test]
fn the_file_reads_back_the_same() {
    for (architecture, graph) in small() {
        let again = decode(&encode(&graph).unwrap(), None, &Default::default()).unwrap();
        assert_eq!(again.to_string(), graph.to_string(), "{}", architecture.name);
        let image = images(&graph, 1);
        assert_eq!(run(again, &image), run(graph, &image), "{}", architecture.name);
    }
}

/// Of transformers also what runs past all blocks, since it is normalised across its channels.
#[test]
fn only_images_are_frozen() {
    for (architecture, graph) in small() {
        let model = Classifier::new(architecture.name, graph).unwrap();
        for group in inspect(&model).groups {
            let places: Vec<&str> = group.members.iter().map(|m| m.value.as_str()).collect();
            let stream = architecture.name.starts_with("vit") && places.contains(&"pos_embed");
            assert_eq!(
                group.frozen.is_some(),
                places == ["image"] || stream,
                "{}: {places:?}",
                architecture.name
            );
        }
    }
}

#[test]
fn cuts_compute_what_masks_compute() {
    for (architecture, graph) in small() {
        let channels = Channels::of(&graph);
        let wanted = |label| noise(u64::from(channels.group(label)), 5) < 0.5;
        let keep = Keep::closed(&graph, &channels, wanted, |_| 0.0);
        let small = cut(&graph, &channels, &keep).unwrap().apply(&graph).unwrap();
        let masked = mask(&graph, &channels, &keep).apply(&graph).unwrap();
        assert!(small.parameters() < graph.parameters(), "{}", architecture.name);
        let image = images(&graph, 1);
        let (_, labels) = channels.axis(graph.logits()).unwrap();
        let classes = keep.indices(&channels, labels);
        let off = relative(&run(small, &image), &run(masked, &image).take(1, &classes));
        assert!(off <= 1e-5, "{}: {off}", architecture.name);
    }
}

#[test]
fn names_are_pytorchs() {
    let graph = find("resnet50").build(&find("resnet50").usual(10)).unwrap();
    let names = graph.names();
    for name in ["conv1.weight", "layer1.0.bn3.running_var", "layer4.2.conv3.weight", "fc.bias"] {
        assert!(names.contains_key(name), "{name}");
    }
    assert_eq!(graph.value(graph.outputs()[0]).name, "logits");
    assert!(graph.find_node("layer2.0.downsample.1").is_some());
}

#[test]
fn stems_follow_the_size_unless_they_are_chosen() {
    let network = find("resnet18");
    let first = |size: usize, stem: Option<Stem>| {
        let options = ArchitectureOptions { size: [size; 2], stem, ..network.usual(2) };
        let graph = network.build(&options).unwrap();
        let kernel = graph.value(graph.find_value("conv1.weight").unwrap()).shape.sample()[2];
        let known = network.stem(&options).unwrap();
        assert_eq!(kernel, if known == Stem::Cifar { 3 } else { 7 });
        known
    };
    assert_eq!(first(95, None), Stem::Cifar);
    assert_eq!(first(96, None), Stem::Imagenet);
    assert_eq!(first(96, Some(Stem::Cifar)), Stem::Cifar);
    assert_eq!(first(32, Some(Stem::Imagenet)), Stem::Imagenet);
    assert_eq!(find("vgg11").stem(&find("vgg11").usual(2)), None);
}

#[test]
fn what_cannot_be_is_refused() {
    let refused = |name: &str, change: &dyn Fn(&mut ArchitectureOptions), words: &[&str]| {
        let mut options = find(name).usual(10);
        change(&mut options);
        let text = find(name).build(&options).unwrap_err().to_string();
        for word in words {
            assert!(text.contains(word), "{text}");
        }
        text.lines().count()
    };
    let small = ["`vgg16`", "16x20", "`features.43` (MaxPool)", "[n, 512, 1, 1]", "[2, 2]"];
    // What follows from a problem is not reported.
    assert_eq!(refused("vgg16", &|options| options.size = [16, 20], &small), 1);
    refused("lenet5", &|options| options.size = [8, 8], &["`conv2` (Conv)", "[n, 6, 4, 4]"]);
    refused("alexnet", &|options| options.size = [28, 28], &["`avgpool`", "1x1 has no 2x2"]);
    refused("inception_v3", &|options| options.size = [8, 8], &["`Mixed_7a.", "[3, 3]"]);
    refused("lenet5", &|options| options.size = [60_000; 2], &["`fc1.weight`", "exceeds"]);
    refused("vgg11", &|options| options.width = 64.0, &["parameters"]);
    refused("vgg11", &|options| options.stem = Some(Stem::Cifar), &["no choice of stems"]);
    for width in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        refused("vgg11", &|options| options.width = width, &["the width"]);
    }
    refused("vgg11", &|options| options.classes = 0, &["from 1 to"]);
    refused("vgg11", &|options| options.channels = 1 << 20, &["from 1 to"]);
    assert!(Architecture::find("vgg17").is_none());
}

/// Mean and variance.
fn moments(data: &[f32]) -> [f64; 2] {
    let mean = |f: &dyn Fn(f64) -> f64| {
        data.iter().map(|&x| f(f64::from(x))).sum::<f64>() / data.len() as f64
    };
    let middle = mean(&|x| x);
    [middle, mean(&|x| (x - middle).powi(2))]
}

#[test]
fn first_weights_are_drawn_as_they_should_be() {
    let network = find("mobilenet_v2");
    let empty =
        network.build(&ArchitectureOptions { size: [32; 2], ..network.usual(100) }).unwrap();
    let graph = initialise(&empty, 3).apply(&empty).unwrap();
    let data = |name: &str| graph.value(graph.find_value(name).unwrap()).constant.clone().unwrap();
    let check = |name: &str, variance: f64| {
        let data = data(name);
        let [mean, found] = moments(data.data());
        let slack = 6.0 / (data.data().len() as f64).sqrt();
        assert!(mean.abs() < slack * variance.sqrt(), "{name}: mean {mean}");
        assert!((found / variance - 1.0).abs() < slack, "{name}: {found}, not {variance}");
    };
    check("features.0.0.weight", 2.0 / (32.0 * 9.0));
    check("features.18.0.weight", 2.0 / 1280.0);
    // Depthwise: every channel is read by one filter.
    check("features.17.conv.1.0.weight", 2.0 / 9.0);
    check("classifier.1.weight", 1.0 / (3.0 * 1280.0));
    let bound = 1.0 / 1280f32.sqrt();
    let (weight, bias) = (data("classifier.1.weight"), data("classifier.1.bias"));
    assert!(weight.data().iter().chain(bias.data()).all(|x| x.abs() <= bound));
    assert!(moments(bias.data())[1] > 0.0);
    // Normal, not uniform: some are far out.
    let weight = data("features.18.0.weight");
    let deviation = (2.0f32 / 1280.0).sqrt();
    let beyond = weight.data().iter().filter(|x| x.abs() > 2.0 * deviation).count();
    let share = beyond as f64 / weight.data().len() as f64;
    assert!((share - 0.0455).abs() < 0.003, "{share}");
}

#[test]
fn first_weights_replace_learned_ones() {
    let network = find("googlenet");
    let options = ArchitectureOptions { width: 0.1, ..network.usual(4) };
    let learned = with_known_weights(&network.build(&options).unwrap());
    let fresh = |seed| initialise(&learned, seed).apply(&learned).unwrap();
    for value in fresh(0).values() {
        let Some(data) = &value.constant else { continue };
        let all = |x: f32| data.data().iter().all(|&y| y == x);
        let rest = ["fc.weight", "fc.bias"].contains(&value.name.as_str());
        match value.name.rsplit_once('.').unwrap() {
            _ if rest => assert!(!all(data.data()[0]), "{}", value.name),
            (layer, "weight" | "running_var") if layer.ends_with(".bn") => assert!(all(1.0)),
            (_, "bias" | "running_mean") => assert!(all(0.0), "{}", value.name),
            _ => assert!(!all(data.data()[0]), "{}", value.name),
        }
    }
    let scores = |graph: Graph| run(graph, &images(&learned, 1));
    assert_eq!(scores(fresh(0)), scores(fresh(0)));
    assert_ne!(scores(fresh(0)), scores(fresh(1)));
}
