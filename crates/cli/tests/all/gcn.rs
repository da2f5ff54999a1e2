//! Networks that classify the nodes of a graph.

use serde_json::json;

use crate::common::{Own, has_keys};

/// A folder `OUT/clubs` with three clubs of twelve, each with words of its own and one that all share.
fn clubs() -> Own {
    let own = Own::new();
    let (mut nodes, mut edges) = ("node,label,split,word_ids\n".to_owned(), "src,dst\n".to_owned());
    for node in 0..36 {
        let club = node % 3;
        let split = ["train", "val", "test", "none"][(node / 6).min(3) % 4];
        let split = if node >= 18 { "test" } else { split };
        let words = [club * 4 + node / 3 % 4, club * 4 + (node / 3 + 1) % 4, 12];
        nodes += &format!("{node},{club},{split},{} {} {}\n", words[0], words[1], words[2]);
        edges += &format!("{node},{}\n{},{node}\n", (node + 3) % 36, (node + 6) % 36);
    }
    own.write("clubs/nodes.csv", nodes);
    own.write("clubs/edges.csv", edges);
    own
}

const TRAIN: &str = "gcn train --data OUT/clubs --hidden 8 --epochs 80 -o OUT/gcn.onnx";
const CUT: &str = "gcn disassemble OUT/gcn.onnx --data OUT/clubs -o OUT/part.onnx --classes";

#[test]
fn train_disassemble_eval() {
    let own = clubs();
    let trained = own.json(TRAIN);
    has_keys(&trained, &["output", "best_epoch", "held_out", "edges"]);
    assert_eq!(
        (&trained["nodes"], &trained["features"], &trained["classes"]),
        (&json!(36), &json!(13), &json!(["0", "1", "2"]))
    );
    assert_eq!(trained["epochs"].as_array().unwrap().len(), 80);
    assert_eq!(trained["params"], json!(13 * 8 + 8 + 8 * 3 + 3));
    let model = own.read("gcn.onnx");
    let said = own.succeeds(TRAIN);
    assert!(said.contains("36 nodes with 13 features, 3 classes, 139 parameters\n"), "{said}");
    assert!(model == own.read("gcn.onnx"), "the same seed trains the same network");

    let whole = own.json("gcn eval OUT/gcn.onnx --data OUT/clubs --classes 0-1");
    has_keys(&whole, &["base", "base_restricted", "leakage", "params", "macs"]);
    assert!(whole["base"]["per_image"].as_f64().unwrap() > 90.0, "{whole:#}");

    let held = own.json("gcn eval OUT/gcn.onnx --data OUT/clubs --split val");
    assert_eq!(held["accuracy"], trained["held_out"]["accuracy"]);
    assert_eq!(held["nodes"], json!(6));

    let cut = own.json(&format!("{CUT} 0-1"));
    assert_eq!(cut["classes"], json!(["0", "1"]));
    assert_eq!(cut["refit"], json!(true));
    let kept = cut["kept"]["layer1"]["input"].as_array().unwrap().len();
    assert_eq!(cut["features"], json!({ "before": 13, "after": kept }));
    assert!((2..=9).contains(&kept), "{cut:#}");
    let part = own.json("gcn eval OUT/part.onnx --data OUT/clubs --source OUT/gcn.onnx");
    assert_eq!(part["base"], whole["base"]);
    assert_eq!(part["base_restricted"], whole["base_restricted"]);
    assert_eq!(part["base_leakage"], whole["leakage"]);
    assert_eq!(part["params"], cut["params"]["after"]);
    assert!(part["accuracy"].as_f64().unwrap() > 90.0, "{part:#}");

    let said = own.succeeds(&format!("{CUT} 2 --refit none"));
    assert!(said.starts_with("classes     2\nfeatures    13 -> "), "{said}");
    let said = own.succeeds("gcn eval OUT/part.onnx --data OUT/clubs --source OUT/gcn.onnx");
    for words in ["source, restricted to these classes", "look at the leakage", "AUROC"] {
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let own = clubs();
    own.refused(&TRAIN.replace("clubs", "none"), &["none", "No such file"]);
    own.refused(&TRAIN.replace("80", "80 --lr 0"), &["learning rate must be above 0"]);
    own.refused(&format!("{TRAIN} --dropout 1"), &["dropout 1", "below 1"]);
    own.refused(&format!("{TRAIN}/x.onnx"), &["cannot write", "there is no folder"]);
    own.succeeds(TRAIN);
    own.refused(&format!("{CUT} 3"), &["`3`", "0, 1, 2"]);
    own.refused(&format!("{CUT} 0").replace("OUT/gcn", "digits"), &["does not classify nodes"]);
    own.refused("gcn eval digits.onnx --data OUT/clubs", &["does not classify nodes"]);
    own.refused("inspect OUT/gcn.onnx", &["is no image classifier"]);
    own.write("edges.csv", "src,dst\n0,1\n");
    own.write("nodes.csv", "node,label,split,word_ids\n0,0,train,1\n1,0,val,2\n2,1,test,0\n");
    own.refused("gcn eval OUT/gcn.onnx --data OUT", &["takes 36 nodes with 13 features", "has 3"]);
    own.misused("gcn", &["train", "disassemble", "eval"]);
    own.refused(&format!("{CUT} 0 --alpha 2"), &["--alpha 2", "from 0 to 1"]);
}

#[test]
fn help() {
    let own = Own::new();
    for command in ["gcn", "gcn train", "gcn disassemble", "gcn eval"] {
        let name = command.replace(' ', "_");
        insta::assert_snapshot!(name, own.succeeds(&format!("{command} --help")));
    }
}
