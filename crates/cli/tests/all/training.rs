//! train, finetune and distill as a user runs them.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use crate::common::{JOINED_DATA, Own, has_keys, prepared, shared};

/// A quick run on a few images.
const QUICK: &str = "--samples 20 --hold-out 25% --batch 32 --epochs 2";

#[test]
fn train_writes_a_model_that_eval_and_profile_take() {
    let own = Own::new();
    let line = format!(
        "train --arch lenet5 --data data/digits {QUICK} --lr 0.02 --augment crop=2 --log OUT/log.csv \
         --curve OUT/curve.svg -o OUT/net.onnx"
    );
    let said = own.json(&line);
    has_keys(
        &said,
        &["output", "images", "held_out", "parameters", "macs", "best_epoch", "epochs"],
    );
    assert_eq!((said["images"].as_u64(), said["held_out"].as_u64()), (Some(150), Some(50)));
    assert_eq!(said["parameters"], 61_706);
    let log = String::from_utf8(own.read("log.csv")).unwrap();
    let rows: Vec<Vec<&str>> = log.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row.len() == rows[0].len() && row.iter().all(|x| !x.is_empty())));
    assert!(String::from_utf8(own.read("curve.svg")).unwrap().contains("held out"));
    assert!(!own.path("net.checkpoint").exists());
    let card = own.json("eval OUT/net.onnx --data data/digits");
    has_keys(&card, &["accuracy_per_image", "base"]);
    own.succeeds("profile OUT/net.onnx --data data/digits --samples all -o OUT/p");
}

#[test]
fn some_classes_may_be_learned_alone() {
    let own = Own::new();
    let train = format!("train --arch lenet5 --classes 8,3,5 --data data/digits {QUICK} --lr 0.02");
    let said = own.json(&format!("{train} -o OUT/net.onnx"));
    assert_eq!((said["images"].as_u64(), said["held_out"].as_u64()), (Some(45), Some(15)));
    let classes = |model: &str| own.json(&format!("inspect {model}"))["classes"].clone();
    assert_eq!(classes("OUT/net.onnx"), serde_json::json!(["3", "5", "8"]));
    let eval = own.json("eval OUT/net.onnx --data data/digits --allow-missing");
    assert_eq!(eval["images"], 300);
    own.succeeds(&train.replace("8,3,5", "3,5,8").replace("lenet5", "lenet5 -o OUT/again.onnx"));
    assert_eq!(own.bare("net.onnx"), own.bare("again.onnx"));
    let garments =
        "train --arch lenet5 --data data/garments --samples 5 --epochs 1 --hold-out none";
    own.succeeds(&format!("{garments} --classes 0-1,9 -o OUT/other.onnx"));
    own.refused(&format!("{garments} --classes cat -o OUT/no.onnx"), &["cat"]);
}

#[test]
fn the_same_run_gives_the_same_file() {
    let own = Own::new();
    let line = |threads: usize, name: &str| {
        format!(
            "train --arch lenet5 --data data/digits {QUICK} --seed 3 --threads {threads} -o OUT/{name}"
        )
    };
    own.succeeds(&line(1, "a.onnx"));
    own.succeeds(&line(3, "b.onnx"));
    assert_eq!(own.read("a.onnx"), own.read("b.onnx"));
    own.succeeds(&line(2, "c.onnx").replace("--seed 3", "--seed 4"));
    assert_ne!(own.read("a.onnx"), own.read("c.onnx"));
}

#[test]
fn finetune_says_both_scores() {
    prepared();
    let own = Own::new();
    let said = own.json(&format!("finetune joined.onnx {JOINED_DATA} {QUICK} -o OUT/tuned.onnx"));
    has_keys(&said, &["score1", "score2", "best_epoch"]);
    let accuracy = |score: &str| said[score]["accuracy"].as_f64().unwrap();
    assert!(accuracy("score1") > 50.0 && accuracy("score2") >= accuracy("score1"), "{said:#}");
    // The parts are still known.
    let tuned = own.json(&format!("eval OUT/tuned.onnx {JOINED_DATA}"));
    has_keys(&tuned, &["parts"]);
}

#[test]
fn zero_blocks_of_a_padded_assembly_stay_zero() {
    prepared();
    let own = Own::new();
    own.succeeds("assemble low.onnx high.onnx --layout padded -o OUT/padded.onnx");
    let line = format!("finetune OUT/padded.onnx --data data/digits {QUICK} --keep-zero-blocks");
    own.succeeds(&format!("{line} -o OUT/tuned.onnx"));
    let zeros = |name: &str| {
        let graph = brickwork_formats::onnx::load(&own.path(name), &Default::default()).unwrap();
        let constants = graph.values().iter().filter_map(|value| value.constant.clone());
        let weights = constants.filter(|data| data.rank() > 1 && data.data().len() > 100);
        weights.map(|w| w.data().iter().filter(|&&x| x == 0.0).count()).sum::<usize>()
    };
    assert!(zeros("padded.onnx") > 1_000);
    assert!(zeros("tuned.onnx") >= zeros("padded.onnx"));
}

#[test]
fn distill_teaches_an_architecture() {
    prepared();
    let own = Own::new();
    let line =
        format!("distill --teacher low.onnx high.onnx --student lenet5 --data data/digits {QUICK}");
    let said = own.json(&format!("{line} --lr 0.02 -o OUT/student.onnx"));
    assert_eq!(said["parameters"], 61_706);
    let student = own.json("inspect OUT/student.onnx");
    assert_eq!(student["classes"].as_array().map(Vec::len), Some(10));
}

#[test]
fn classes_with_the_same_number_are_merged_with_a_word() {
    let own = Own::new();
    for name in ["digits", "garments"] {
        let from = shared().join("data").join(name);
        for entry in std::fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            let file = path.file_name().unwrap().to_string_lossy().into_owned();
            own.write(&format!("{name}/{file}"), std::fs::read(path).unwrap());
        }
    }
    let line = format!("train --arch lenet5 --data OUT/digits --data OUT/garments {QUICK}");
    let words = "classes of digits and garments only have numbers";
    let ran = own.run(&format!("{line} -o OUT/merged.onnx"));
    assert!(ran.err.contains(words), "{}", ran.err);
    own.write("garments/classes.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n");
    let ran = own.run(&format!("{line} -o OUT/apart.onnx"));
    assert!(!ran.err.contains("only have numbers"), "{}", ran.err);
    let classes = |name: &str| own.json(&format!("inspect OUT/{name}.onnx"))["classes"].clone();
    assert_eq!(classes("merged").as_array().map(Vec::len), Some(10));
    assert_eq!(classes("apart").as_array().map(Vec::len), Some(20));
}

/// Starts a long run, waits until it is at work, and sends a signal.
fn interrupted(own: &Own, line: &str) -> (Option<i32>, String) {
    let mut child = own.command(line).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    // The first epoch is over.
    while !said.contains("epoch 1:") {
        assert!(errors.read_line(&mut said).unwrap() > 0, "{said}");
    }
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
    errors.read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code(), said)
}

#[test]
fn an_interrupted_run_goes_on_to_the_same_file() {
    let own = Own::new();
    let line = |name: &str| {
        format!(
            "train --arch lenet5 --data data/digits --hold-out 20 --batch 8 --epochs 12 -o OUT/{name}"
        )
    };
    let (code, said) = interrupted(&own, &line("a.onnx"));
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("stopping after this step") && said.contains("--resume"), "{said}");
    assert!(own.path("a.checkpoint").exists() && !own.path("a.onnx").exists());
    // A new run does not overwrite what was kept.
    own.refused(&line("a.onnx"), &["unfinished run", "--resume"]);
    own.refused(&format!("{} --resume --lr 0.3", line("a.onnx")), &["another run", "schedule"]);
    own.succeeds(&format!("{} --resume", line("a.onnx")));
    assert!(!own.path("a.checkpoint").exists());
    own.succeeds(&line("b.onnx"));
    assert_eq!(own.read("a.onnx"), own.read("b.onnx"));
}

#[test]
fn what_cannot_work_is_refused_at_once() {
    prepared();
    let own = Own::new();
    let train = "train --arch lenet5 --data data/digits";
    own.refused(&format!("{train} -o OUT/no/net.onnx"), &["there is no folder"]);
    own.refused(&format!("{train} --log OUT/log.txt -o OUT/net.onnx"), &[".csv or .json"]);
    own.refused(&format!("{train} --schedule step -o OUT/net.onnx"), &["--milestones"]);
    own.refused(&format!("{train} --resume -o OUT/net.onnx"), &["no checkpoint"]);
    own.refused(
        &format!("{train} --hold-out 1000 -o OUT/net.onnx"),
        &["no class has more than 1000 images", "--hold-out"],
    );
    own.refused(
        &format!("{train} --lr -1 -o OUT/net.onnx").replace("--lr -1", "--lr=-1"),
        &["rate"],
    );
    own.refused(&format!("{train} --size 9 -o OUT/net.onnx"), &["lenet5", "9x9"]);
    own.refused(&format!("{train} --mean 0.5 -o OUT/net.onnx"), &["--mean and --std"]);
    own.misused("train --arch lenet6 --data data/digits -o OUT/net.onnx", &["resnet20"]);
    own.misused(&format!("{train} --augment mirror -o OUT/net.onnx"), &["flip"]);
    own.write("bad.checkpoint", "no checkpoint at all");
    own.refused(
        &format!("{train} --checkpoint OUT/bad.checkpoint --resume -o OUT/net.onnx"),
        &["no usable checkpoint"],
    );
    let other = "distill --teacher digits.onnx --student pieces.onnx --data data/garments";
    own.refused(&format!("{other} -o OUT/s.onnx"), &["none of the student's classes"]);
    let wrong = "distill --teacher digits.onnx --student lenet7 --data data/digits";
    own.refused(&format!("{wrong} -o OUT/s.onnx"), &["lenet7", "no .onnx file", "resnet20"]);
    let feature = "distill --teacher digits.onnx --student lenet5 --feature a=b --data data/digits";
    own.refused(&format!("{feature} -o OUT/s.onnx"), &["no value"]);
    assert!(shared().join("digits.onnx").exists());
}
