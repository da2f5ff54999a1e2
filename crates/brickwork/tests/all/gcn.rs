//! Networks that classify nodes: reading graphs, training, cutting, measuring.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use brickwork::{
    Gcn, GcnCutOptions, GcnOptions, GcnTraining, Nodes, Silent, disassemble_gcn, eval_gcn,
    train_gcn,
};
use brickwork_formats::onnx::{ReadOptions, decode, encode};
use brickwork_graph::{Attr, Channels, Graph, why};
use brickwork_tensor::Tensor;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::common::{Net, difference, images, relative, run, unwritten};

/// Three villages of sixteen. A node has three of its village's six words and one of six that all share,
/// and knows two neighbours in its village and sometimes one elsewhere.
fn villages() -> Nodes {
    let count = 48;
    let words = |node: usize| {
        let own = (0..3).map(|k| node % 3 * 6 + (node / 3 + k * k) % 6);
        own.chain([18 + node % 6]).collect()
    };
    let near = (0..count).flat_map(|node| [[node, (node + 3) % count], [node, (node + 6) % count]]);
    let far = (0..count).step_by(7).map(|node| [node, (node + 1) % count]);
    Nodes {
        name: "villages".to_owned(),
        classes: ["0", "1", "2"].map(str::to_owned).to_vec(),
        labels: (0..count).map(|node| node % 3).collect(),
        words: (0..count).map(words).collect(),
        edges: near.chain(far).collect(),
        train: (0..6).collect(),
        held: (6..18).collect(),
        test: (20..count).collect(),
    }
}

fn trained(nodes: &Nodes) -> Gcn {
    let model = Gcn::build(nodes, &GcnOptions { hidden: 12, ..GcnOptions::default() }).unwrap();
    let options = GcnTraining { epochs: 60, ..GcnTraining::default() };
    let outcome = train_gcn(&model, nodes, &options, &Silent).unwrap();
    assert_eq!(outcome.log.len(), 60);
    let best = &outcome.log[outcome.best - 1];
    let held = outcome.log.iter().filter_map(|epoch| Some(epoch.held?.accuracy.share()));
    assert_eq!(best.held.unwrap().accuracy.share(), held.fold(0.0, f64::max));
    outcome.model
}

fn write_tables(nodes: &Nodes, folder: &Path) {
    let mut table = "node,label,split,word_ids\n".to_owned();
    for node in 0..nodes.len() {
        let splits = [("train", &nodes.train), ("val", &nodes.held), ("test", &nodes.test)];
        let split = splits.iter().find(|(_, list)| list.contains(&node)).map_or("none", |s| s.0);
        let words: Vec<String> = nodes.words[node].iter().map(ToString::to_string).collect();
        table += &format!("{node},{},{split},{}\n", nodes.labels[node], words.join(" "));
    }
    fs::write(folder.join("nodes.csv"), table).unwrap();
    let edges: Vec<String> = nodes.edges.iter().map(|[a, b]| format!("{a},{b}\n")).collect();
    fs::write(folder.join("edges.csv"), format!("src,dst\n{}", edges.concat())).unwrap();
}

/// An array's name, shape and numbers.
type Named = (&'static str, (String, Vec<usize>));

/// An NPZ file of arrays of 32-bit integers.
fn npz(arrays: &[Named]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, (shape, numbers)) in arrays {
        let head = format!("{{'descr': '<i4', 'fortran_order': False, 'shape': {shape}, }}\n");
        let size = (head.len() as u16).to_le_bytes();
        let numbers: Vec<u8> = numbers.iter().flat_map(|&x| (x as i32).to_le_bytes()).collect();
        let file = [&b"\x93NUMPY\x01\x00"[..], &size, head.as_bytes(), &numbers].concat();
        writer.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
        writer.write_all(&file).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn tables_and_arrays_say_the_same() {
    let nodes = villages();
    let folder = tempfile::tempdir().unwrap();
    let tables = folder.path().join("villages");
    fs::create_dir(&tables).unwrap();
    write_tables(&nodes, &tables);
    assert_eq!(Nodes::open(&tables).unwrap(), nodes);
    let ends = nodes.words.iter().scan(0, |end, words| {
        *end += words.len();
        Some(*end)
    });
    let list = |list: &[usize]| (format!("({},)", list.len()), list.to_vec());
    let edges = (format!("({}, 2)", nodes.edges.len()), nodes.edges.as_flattened().to_vec());
    let arrays = [
        ("edges", edges),
        ("labels", list(&nodes.labels)),
        ("feat_indptr", list(&std::iter::once(0).chain(ends).collect::<Vec<_>>())),
        ("feat_indices", list(&nodes.words.concat())),
        ("train", list(&nodes.train)),
        ("val", list(&nodes.held)),
        ("test", list(&nodes.test)),
    ];
    let path = folder.path().join("villages.npz");
    fs::write(&path, npz(&arrays)).unwrap();
    assert_eq!(Nodes::open(&path).unwrap(), nodes);
    let refused = |arrays: &[Named], says: &str| {
        fs::write(&path, npz(arrays)).unwrap();
        let said = Nodes::open(&path).unwrap_err().to_string();
        assert!(said.contains(says), "{said}");
    };
    refused(&arrays[1..], "it has no array edges, only feat_indices, feat_indptr, labels");
    let lies = |name: &str, shape: &str, numbers: &[usize], says: &str| {
        let mut arrays = arrays.clone();
        let lie = arrays.iter_mut().find(|(known, _)| *known == name).unwrap();
        lie.1 = (shape.to_owned(), numbers.to_vec());
        refused(&arrays, says);
    };
    lies("feat_indptr", "(2,)", &[0, 9], "does not rise from 0 to the 192");
    lies("feat_indptr", "(2,)", &[0, 192], "1 nodes have words, 48 have labels");
    lies("edges", "(4,)", &[0; 4], "edges have shape [4], expected [e, 2]");
    lies("edges", "(1, 2)", &[3, 48], "an edge names node 48 of 48");
    lies("labels", "(2,)", &[1, 1 << 20], "a label is 1048576");
    lies("train", "(0,)", &[], "nodes for train, val and test are needed");
    lies("test", "(1,)", &[u32::MAX as usize], "it holds -1, expected numbers from 0");
}

#[test]
fn tables_that_lie() {
    let folder = tempfile::tempdir().unwrap();
    let said = || Nodes::open(folder.path()).unwrap_err().to_string();
    write_tables(&villages(), folder.path());
    let lies = |name: &str, from: &str, to: &str, says: &str| {
        let path = folder.path().join(name);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let said = said();
        assert!(said.contains(says), "{said}");
        fs::write(&path, text).unwrap();
    };
    lies("nodes.csv", "node,label", "id,label", "expected `node,label,split,word_ids`");
    lies("nodes.csv", "\n1,1,", "\n7,1,", "nodes.csv, line 3: node 7, expected 1");
    lies("nodes.csv", "\n1,1,", "\n1,cat,", "line 3: `cat`, expected a whole number");
    lies(
        "nodes.csv",
        "\n1,1,train,",
        "\n1,1,training,",
        "line 3: split `training`, expected train",
    );
    lies("nodes.csv", "\n1,1,", "\n1,1,1,", "line 3 has 5 fields; expected 4");
    lies("nodes.csv", "\n1,1,train,", "\n1,1,train,99999999999 ", "fit no matrix");
    lies("edges.csv", "\n0,3", "\n0,99", "an edge names node 99 of 48");
    fs::remove_file(folder.path().join("edges.csv")).unwrap();
    assert!(said().contains("edges.csv"));
}

#[test]
fn neighbours_are_weighed_by_degree() {
    let path = Nodes {
        labels: vec![0; 3],
        edges: vec![[0, 1], [2, 1], [1, 2], [0, 0]],
        ..Nodes::default()
    };
    let (a, b) = (1.0 / 2.0, 1.0 / 6f32.sqrt());
    let expected = [a, b, 0.0, b, 1.0 / 3.0, b, 0.0, b, a];
    assert!(difference(&path.adjacency(), &Tensor::new([3, 3], expected.to_vec())) < 1e-6);
    let words = Nodes { words: vec![vec![2], vec![], vec![0, 1]], ..path };
    assert_eq!(words.matrix().data(), [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.5, 0.5, 0.0]);
}

#[test]
fn scores_are_those_of_the_formula() {
    let nodes = villages();
    let model = Gcn::build(&nodes, &GcnOptions { hidden: 5, ..GcnOptions::default() }).unwrap();
    let constant = |name: &str| {
        let id = model.graph().find_value(name).unwrap();
        model.graph().value(id).constant.clone().unwrap()
    };
    let product = |a: &Tensor, b: &Tensor| {
        let [m, k, n] = [a.shape()[0], a.shape()[1], b.shape()[1]];
        let sum = |at: usize| -> f32 {
            (0..k).map(|j| a.data()[at / n * k + j] * b.data()[j * n + at % n]).sum()
        };
        Tensor::new([m, n], (0..m * n).map(sum).collect())
    };
    let adjacency = nodes.adjacency();
    let features = nodes.matrix().reshape([48, 24]);
    let layer = |x: &Tensor, w: &str| product(&product(&adjacency, x), &constant(w));
    let hidden = layer(&features, "layer1.weight").map(|x| x.max(0.0));
    let scores = layer(&hidden, "layer2.weight");
    let found = model.scores(&nodes.matrix()).unwrap();
    assert!(relative(&found, &scores) < 1e-5);
    assert_eq!(model.graph().parameters(), 24 * 5 + 5 + 5 * 3 + 3);
    assert_eq!(model.graph().macs(), 48 * (24 * 5 + 5 * 3));
}

#[test]
fn villages_are_told_apart() {
    let nodes = villages();
    let model = trained(&nodes);
    let report = eval_gcn(&model, &nodes, &nodes.test, &[0, 1, 2], None).unwrap();
    assert_eq!(report.images, 28);
    assert!(report.accuracy_per_image.share() > 0.9, "{}", report.accuracy_per_image);
    let adjacency = model.graph().find_value("adjacency").unwrap();
    let kept = model.graph().value(adjacency).constant.as_deref();
    assert_eq!(kept, Some(&nodes.adjacency()), "neighbours are not learned");
    assert_eq!(encode(trained(&nodes).graph()).unwrap(), encode(model.graph()).unwrap());
}

#[test]
fn parts_keep_what_their_classes_need() {
    let nodes = villages();
    let model = trained(&nodes);
    for (classes, refit) in [(vec![0], None), (vec![2, 1], None), (vec![1, 2], Some(1e-2))] {
        let options = GcnCutOptions { classes: classes.clone(), refit, ..GcnCutOptions::default() };
        let cut = disassemble_gcn(&model, &nodes, &options).unwrap();
        let features = &cut.features;
        // The other villages' words decide nothing.
        let foreign = |word: usize| word < 18 && !classes.contains(&(word / 6));
        assert!(features.iter().all(|&word| !foreign(word)), "{classes:?}: {features:?}");
        assert!(classes.iter().all(|class| features.iter().any(|word| word / 6 == *class)));
        assert_eq!(&cut.kept["layer1"].input, features);
        assert_eq!(cut.kept["layer1"].output, cut.kept["layer2"].input);
        assert!(cut.kept["layer2"].input.len() < 12);
        assert_eq!(cut.part.input(), model.input());
        let mut names: Vec<String> = classes.iter().map(ToString::to_string).collect();
        names.sort();
        assert_eq!(cut.part.class_names(), names);
        let all: Vec<usize> = (0..classes.len()).collect();
        let report = eval_gcn(&cut.part, &nodes, &nodes.test, &all, Some(&model)).unwrap();
        let restricted = report.base_restricted.as_ref().unwrap().per_image;
        assert!(
            report.accuracy_per_image.points_above(restricted) >= -10.0,
            "{classes:?}: {report:?}"
        );
        assert!(report.leakage.unwrap().auroc > 0.9);
    }
}

#[test]
fn a_refit_brings_the_part_closer_to_its_source() {
    let nodes = villages();
    let model = trained(&nodes);
    let whole = model.scores(&nodes.matrix()).unwrap().take(1, &[0, 1]).take(0, &nodes.known());
    let distance = |refit: Option<f64>| {
        let options = GcnCutOptions { classes: vec![0, 1], refit, ..GcnCutOptions::default() };
        let part = disassemble_gcn(&model, &nodes, &options).unwrap().part;
        let scores = part.scores(&nodes.matrix()).unwrap().take(0, &nodes.known());
        scores.data().iter().zip(whole.data()).map(|(a, b)| (a - b).powi(2)).sum::<f32>()
    };
    let (bare, refitted) = (distance(None), distance(Some(1e-3)));
    assert!(refitted < 0.5 * bare, "{bare} {refitted}");
}

#[test]
fn files_hold_all_there_is_to_know() {
    let nodes = villages();
    let options = GcnCutOptions { classes: vec![0, 2], ..GcnCutOptions::default() };
    let part = disassemble_gcn(&trained(&nodes), &nodes, &options).unwrap().part;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part.onnx");
    part.save(&path).unwrap();
    let again = Gcn::load(&path).unwrap();
    let written = unwritten(again.card());
    assert_eq!(&written, part.card());
    let origin = again.card().origin.as_ref().unwrap();
    assert_eq!((origin.classes.as_slice(), origin.of), (&[0, 2][..], 3));
    let features = nodes.matrix();
    assert_eq!(again.scores(&features).unwrap(), part.scores(&features).unwrap());
}

#[test]
fn models_and_data_that_do_not_fit() {
    let nodes = villages();
    let model = Gcn::build(&nodes, &GcnOptions::default()).unwrap();
    let mut more = nodes.clone();
    more.words[0].push(40);
    let said = |error: brickwork::Error| error.to_string();
    let cut = GcnCutOptions { classes: vec![0], ..GcnCutOptions::default() };
    for refused in [
        said(train_gcn(&model, &more, &GcnTraining::default(), &Silent).unwrap_err()),
        said(disassemble_gcn(&model, &more, &cut).unwrap_err()),
        said(eval_gcn(&model, &more, &more.test, &[0], None).unwrap_err()),
    ] {
        assert!(refused.contains("takes 48 nodes with 24 features"), "{refused}");
        assert!(refused.contains("villages has 48 with 41"), "{refused}");
    }
    let none = GcnOptions { hidden: 0, ..GcnOptions::default() };
    assert!(said(Gcn::build(&nodes, &none).unwrap_err()).contains("0 hidden channels"));
    let never = GcnTraining { epochs: 0, ..GcnTraining::default() };
    let refused = said(train_gcn(&model, &nodes, &never, &Silent).unwrap_err());
    assert!(refused.contains("must be above 0"), "{refused}");
    let wild = GcnTraining { rate: f32::MAX, ..GcnTraining::default() };
    let refused = said(train_gcn(&model, &nodes, &wild, &Silent).unwrap_err());
    assert!(refused.contains("the loss became"), "{refused}");
    let other = Nodes { classes: vec!["a".to_owned(); 3], ..nodes };
    let refused = said(eval_gcn(&model, &other, &other.test, &[0], None).unwrap_err());
    assert!(refused.contains("class `0` of `gcn` is none of a"), "{refused}");
}

/// A network from `[n, 2, 3, 4]` through a layer of five outputs, turned if asked for, to its product with
/// a constant on the left.
fn mixed(turned: bool, matrix: &[f32]) -> Graph {
    let mut net = Net::new([2, 3, 4]);
    let shape = [2, matrix.len() / 2];
    net.constant("w", &[4, 5], vec![0.0; 20]).node("MatMul", &["image", "w"], &["h"], &[]);
    net.constant("a", &shape, matrix.to_vec()).given("a", &shape, matrix);
    if turned {
        net.node("Transpose", &["h"], &["t"], &[("perm", Attr::Ints(vec![0, 1, 3, 2]))]);
    }
    net.node("MatMul", &["a", if turned { "t" } else { "h" }], &["y"], &[]);
    net.finish("y", 3)
}

#[test]
fn channels_pass_a_constant_on_the_left_unless_it_sums_over_them() {
    let passes = mixed(false, &[0.5; 6]);
    let channels = Channels::of(&passes);
    let labels = channels.axis(passes.outputs()[0]).map(|(axis, labels)| (axis, labels.len()));
    assert_eq!(labels, Some((3, 5)));
    let sums = mixed(true, &[0.5; 10]);
    assert_eq!(Channels::of(&sums).axis(sums.outputs()[0]), None);
    let why = why(&sums, &Channels::of(&sums), sums.find_value("h").unwrap());
    let why = format!("{why:?}");
    assert!(why.contains("it sums over channels with a constant"), "{why}");
}

#[test]
fn sparse_and_dense_constants_compute_the_same() {
    let sparse = mixed(false, &[0.0, 0.0, 0.7, 0.0, 0.0, 0.0]);
    // Far below a rounding error, but not zero.
    let dense = mixed(false, &[1e-30, 1e-30, 0.7, 1e-30, 1e-30, 1e-30]);
    let x = images(&sparse, 3);
    let (a, b) = (run(sparse.clone(), &x), run(dense, &x));
    assert_eq!(a.shape(), [3, 2, 2, 5]);
    assert!(relative(&a, &b) < 1e-6);
    assert!(a.data().iter().any(|x| x.abs() > 0.1));
    let again = decode(&encode(&sparse).unwrap(), None, &ReadOptions::default()).unwrap();
    assert_eq!(run(again, &x), a);
}
