//! The box on the command line: what commands take from it, many writers, and whatever may befall it.

#![cfg(feature = "box")]
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use brickwork::Classifier;
use common::{Own, number, prepared};
use serde_json::Value;

/// A box of its own with the demo's model of digits in other words for its classes: `model-0`, `model-1` …
struct Boxed {
    own: Own,
}

impl Boxed {
    fn new(models: usize) -> Self {
        let own = Own::new();
        prepared();
        let digits = common::shared().join("digits.onnx");
        let model = Classifier::load(&digits, &Default::default(), None).unwrap();
        for k in 0..models {
            let names = (0..10).map(|class| format!("{k}-{class}")).collect();
            let path = own.path(&format!("model-{k}.onnx"));
            model.with_classes(names).unwrap().save(&path).unwrap();
        }
        Self { own }
    }

    fn start(&self, line: &str) -> Child {
        let mut command = self.own.command(&format!("{line} --box OUT/box"));
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn succeeds(&self, line: &str) -> String {
        self.own.succeeds(&format!("{line} --box OUT/box"))
    }

    fn json(&self, line: &str) -> Value {
        self.own.json(&format!("{line} --box OUT/box"))
    }

    fn refused(&self, line: &str, words: &[&str]) -> String {
        self.own.refused(&format!("{line} --box OUT/box"), words)
    }

    /// The first names of all models.
    fn names(&self) -> Vec<String> {
        let found = self.json("box ls");
        let first = |brick: &Value| brick["names"][0].as_str().unwrap_or("-").to_owned();
        found.as_array().unwrap().iter().map(first).collect()
    }

    /// That all of these are there as they were added, and nothing is damaged.
    fn holds(&self, models: &[usize]) {
        let names = self.names();
        for k in models {
            let name = format!("model-{k}");
            assert!(names.contains(&name), "{name} is lost: {names:?}");
            self.succeeds(&format!("box export {name} -o OUT/exported.onnx"));
            assert!(
                self.own.read("exported.onnx") == self.own.read(&format!("{name}.onnx")),
                "{name}"
            );
        }
        let checked = self.json("box check");
        assert_eq!(checked["damage"], Value::Array(Vec::new()));
    }

    /// Bytes of all blobs.
    fn blobs(&self) -> u64 {
        let mut bytes = 0;
        for folder in fs::read_dir(self.own.path("box/blobs")).unwrap() {
            for file in fs::read_dir(folder.unwrap().path()).unwrap() {
                bytes += file.unwrap().metadata().unwrap().len();
            }
        }
        bytes
    }
}

#[test]
fn commands_take_models_out_of_the_box() {
    let boxed = Boxed::new(1);
    boxed.succeeds("box add digits.onnx --accuracy 97.5 --licence MIT");
    boxed.succeeds("box add low.onnx pieces.onnx joined.onnx");
    let said = boxed.succeeds("box ls");
    assert!(said.contains("low     component") && said.contains("joined   assembly"), "{said}");
    for (query, expected) in [
        ("--class 7", &["digits"][..]),
        ("--class 3", &["digits", "joined", "low"]),
        ("--source digits", &["low"]),
        ("--source low", &["joined"]),
        ("--least-accuracy 97", &["digits"]),
        ("--licence mit --most-bytes 10", &[]),
    ] {
        let found = boxed.json(&format!("box ls {query}"));
        let found: Vec<&str> = found
            .as_array()
            .unwrap()
            .iter()
            .map(|brick| brick["names"][0].as_str().unwrap())
            .collect();
        assert_eq!(found, expected, "{query}");
    }
    let shown = boxed.json("box show digits");
    assert_eq!(number(&shown["facts"]["accuracy"]), 97.5);
    let digest = shown["digest"].as_str().unwrap().to_owned();

    // One file, however it is named.
    let inspected = boxed.json("inspect low.onnx");
    for name in ["box:low", "box:digits/0,1,2,3,4", "box:digits@latest/4,3,2,1,0"] {
        assert_eq!(boxed.json(&format!("inspect {name}"))["params"], inspected["params"], "{name}");
    }
    boxed.succeeds(&format!("inspect box:{}", &digest[..14]));
    boxed.succeeds("box tag digits digits@v1");
    boxed.succeeds("verify box:digits@v1 box:low");
    boxed.succeeds("assemble box:low box:pieces -o OUT/joined.onnx");
    assert_eq!(
        boxed.json("inspect OUT/joined.onnx")["classes"],
        boxed.json("inspect joined.onnx")["classes"]
    );
    boxed.own.write(
        "recipe.toml",
        "[both]\nverb = 'assemble'\nparts = ['box:low', 'box:pieces']\n[gone]\nverb = 'inspect'\nmodel = 'box:gone'\n",
    );
    boxed.refused(
        "build OUT/recipe.toml",
        &["recipe.toml:6: step `gone`: `model`: there is no `gone` in the box"],
    );
    boxed.succeeds("build OUT/recipe.toml --out OUT/made --set gone.model=box:low");
    assert!(boxed.own.read("made/both.onnx").len() > 1000);

    for (line, words) in [
        ("inspect box:gone", &["there is no `gone` in the box; there are digits"][..]),
        ("inspect box:digits/1,2", &["no component of `digits` for 1,2", "0,1,2,3,4"]),
        ("inspect box:sha256-zz", &["looks like a digest"]),
        ("assemble box:low -o box:new", &["put it into the box"]),
        ("box add data/digits", &[]),
        ("box add low.onnx --name a/b", &["is no name"]),
        ("box add low.onnx pieces.onnx --name a", &["--name is for one model"]),
    ] {
        boxed.refused(line, words);
    }
    boxed.own.refused("inspect box:low --box OUT/nowhere", &["there is no box at OUT/nowhere"]);
}

#[test]
fn what_models_have_in_common_is_stored_once() {
    let boxed = Boxed::new(2);
    boxed.succeeds("box add OUT/model-0.onnx");
    let one = boxed.blobs();
    boxed.succeeds("box add OUT/model-1.onnx OUT/model-0.onnx");
    let both = boxed.blobs();
    assert!(both < one + one / 2, "{one} bytes for one model, {both} for two that differ in words");
    boxed.succeeds("box tag model-0 other");
    boxed.succeeds("box rm model-0");
    boxed.holds(&[1]);
    assert_eq!(boxed.names(), ["model-1", "other"]);
    boxed.succeeds("box rm other");
    assert!(boxed.blobs() == both && number(&boxed.json("box gc")["files"]) > 0.0);
    assert!(boxed.blobs() <= one + 100, "{} bytes for one model", boxed.blobs());
    boxed.holds(&[1]);
}

#[test]
fn eight_writers_at_once_lose_nothing() {
    let boxed = Boxed::new(8);
    let add = |k: usize| {
        boxed.start(&format!("box add OUT/model-{k}.onnx OUT/model-{}.onnx", (k + 1) % 8))
    };
    let mut writers: Vec<Child> = (0..8).map(add).collect();
    assert!(writers.iter_mut().all(|writer| writer.wait().unwrap().success()));
    boxed.holds(&[0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(boxed.names().len(), 8);
}

#[test]
fn two_hundred_kills_lose_nothing_that_was_there() {
    const MODELS: usize = 4;
    let boxed = Boxed::new(MODELS);
    let (mut random, mut kept, mut kills) = (1_u64, Vec::new(), 0);
    let mut draw = |below: u64| {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    while kills < 200 {
        let k = draw(MODELS as u64) as usize;
        let line = match draw(4) {
            0 => format!("box tag model-{k} tagged-{k}"),
            1 => "box gc".to_owned(),
            2 => "box check".to_owned(),
            _ => format!("box add OUT/model-{k}.onnx"),
        };
        let mut child = boxed.start(&line);
        std::thread::sleep(Duration::from_micros(draw(40_000)));
        child.kill().unwrap();
        match child.wait().unwrap().code() {
            Some(0) if line.starts_with("box add") => kept.push(k),
            Some(_) => {}
            None => kills += 1,
        }
        if kills % 50 == 0 {
            boxed.holds(&kept);
        }
    }
    kept.sort_unstable();
    kept.dedup();
    boxed.holds(&kept);
    // It goes on as if nothing had been.
    (0..MODELS).for_each(|k| drop(boxed.succeeds(&format!("box add OUT/model-{k}.onnx"))));
    boxed.holds(&[0, 1, 2, 3]);
    boxed.succeeds("box gc");
    assert_eq!(fs::read_dir(boxed.own.path("box/new")).unwrap().count(), 0);
    assert!(!boxed.own.path("box/stale").exists());
}

/// A program that can write no file of more than so many blocks, as on a full disk.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_box_as_it_was() {
    let boxed = Boxed::new(3);
    boxed.succeeds("box add OUT/model-0.onnx");
    let before = boxed.names();
    let mut lines = vec!["box add garments.onnx"; 3];
    lines.extend(["box check", "box tag model-0 other"]);
    for (line, blocks) in lines.into_iter().zip([0, 1, 8, 8, 0]) {
        let command = boxed.own.command(&format!("{line} --box OUT/box"));
        let words: Vec<String> = std::iter::once(command.get_program())
            .chain(command.get_args())
            .map(|word| format!("'{}'", word.to_str().unwrap()))
            .collect();
        let limited = format!("trap '' XFSZ; ulimit -f {blocks}; exec {}", words.join(" "));
        let mut shell = std::process::Command::new("sh");
        shell.arg("-c").arg(limited).current_dir(common::shared()).stdin(Stdio::null());
        let done = shell.output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!done.status.success() && said.contains("error: "), "{line}, {blocks}: {said}");
        boxed.holds(&[0]);
        assert_eq!(boxed.names(), before, "{line}");
    }
    boxed.succeeds("box add garments.onnx OUT/model-1.onnx");
    boxed.holds(&[0, 1]);
}

/// Whoever may only read a box can use it, and learns that nothing can be put in.
#[cfg(unix)]
#[test]
fn a_read_only_box_can_be_read() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    let boxed = Boxed::new(2);
    boxed.succeeds("box add OUT/model-0.onnx");
    let mode = |path: &Path, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let mut all = Vec::new();
    walk(&boxed.own.path(""), &mut all);
    all.iter().for_each(|path| mode(path, if path.is_dir() { 0o555 } else { 0o444 }));
    // The superuser may write everything, and is somebody else here.
    let superuser = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    let program = boxed.own.path("");
    mode(&program, 0o755);
    let program = program.join("program");
    fs::copy(env!("CARGO_BIN_EXE_brickwork"), &program).unwrap();
    mode(&program, 0o755);
    let run = |line: &str| {
        let place = boxed.own.path("");
        let own = place.to_str().unwrap().trim_end_matches('/');
        let mut command = std::process::Command::new(&program);
        command.args(line.split_whitespace().map(|word| word.replace("OUT", own)));
        command.args(["--box", &format!("{own}/box")]).current_dir("/").stdin(Stdio::null());
        if superuser {
            command.uid(65534).gid(65534);
        }
        let done = command.output().unwrap();
        let text = [done.stdout, done.stderr].concat();
        (done.status.success(), String::from_utf8(text).unwrap())
    };
    let (listed, said) = run("box ls");
    assert!(listed && said.contains("model-0"), "{said}");
    let (inspected, said) = run("inspect box:model-0");
    assert!(inspected && said.contains("10 classes"), "{said}");
    let (added, said) = run("box add OUT/model-1.onnx");
    assert!(!added && said.contains("cannot write"), "{said}");
    // An index that is not there is made in memory.
    mode(&boxed.own.path("box"), 0o755);
    fs::remove_file(boxed.own.path("box/index.sqlite")).unwrap();
    mode(&boxed.own.path("box"), 0o555);
    let (listed, said) = run("box ls");
    assert!(listed && said.contains("model-0"), "{said}");
    all.iter().for_each(|path| {
        if path.exists() {
            mode(path, if path.is_dir() { 0o755 } else { 0o644 })
        }
    });
    boxed.holds(&[0]);
}

fn walk(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, all);
        }
        all.push(path);
    }
}

#[test]
fn an_index_that_is_gone_or_garbled_is_made_again() {
    let boxed = Boxed::new(2);
    boxed.succeeds("box add OUT/model-0.onnx OUT/model-1.onnx");
    boxed.succeeds("box tag model-1 second@v2");
    let expected = boxed.json("box ls");
    let index = boxed.own.path("box/index.sqlite");
    let whole = fs::read(&index).unwrap();
    let garbled = |from: usize| {
        let mut bytes = whole.clone();
        bytes[from..].iter_mut().for_each(|byte| *byte ^= 0x5a);
        bytes
    };
    for bytes in [
        Vec::new(),
        b"no index".to_vec(),
        whole[..whole.len() / 2].to_vec(),
        garbled(0),
        garbled(100),
        garbled(whole.len() / 2),
    ] {
        fs::write(&index, bytes).unwrap();
        assert_eq!(boxed.json("box ls"), expected);
        assert_eq!(boxed.json("box show second@v2")["facts"]["called"], "model-1");
    }
    fs::remove_file(&index).unwrap();
    assert_eq!(boxed.json("box ls"), expected);
    // A blob that is not as it was written is told, and not taken for a model.
    let mut all = Vec::new();
    walk(&boxed.own.path("box/blobs"), &mut all);
    let largest =
        all.iter().filter(|path| path.is_file()).max_by_key(|path| path.metadata().unwrap().len());
    fs::write(largest.unwrap(), "damaged").unwrap();
    boxed.refused("inspect box:model-0", &["`brickwork box check` tells what else is damaged"]);
    let checked = boxed.own.run("box check --json --box OUT/box");
    assert_eq!(checked.code, Some(1), "{}", checked.err);
    let checked: Value = serde_json::from_str(&checked.out).unwrap();
    assert_eq!(checked["damage"].as_array().map(Vec::len), Some(2), "{checked}");
    assert_eq!(boxed.json("box ls"), expected, "what is known of them is still there");
}
