//! `brickwork demo`: the commands a user would give, on embedded models and images.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use brickwork_formats::write_atomically;
use serde_json::{Value, json};

use crate::args::{DemoArgs, Global};
use crate::line::{typed, whole};
use crate::print::Out;

macro_rules! assets {
    ($($from:literal => $to:literal),* $(,)?) => {
        &[$(($to, include_bytes!(concat!("../../assets/", $from)))),*]
    };
}

/// Embedded files and where they go.
pub(crate) const ASSETS: &[(&str, &[u8])] = assets! {
    "digits.onnx" => "digits.onnx",
    "garments.onnx" => "garments.onnx",
    "digits-train-images-idx3-ubyte.gz" => "data/digits/train-images-idx3-ubyte.gz",
    "digits-train-labels-idx1-ubyte.gz" => "data/digits/train-labels-idx1-ubyte.gz",
    "digits-t10k-images-idx3-ubyte.gz" => "data/digits/t10k-images-idx3-ubyte.gz",
    "digits-t10k-labels-idx1-ubyte.gz" => "data/digits/t10k-labels-idx1-ubyte.gz",
    "garments-train-images-idx3-ubyte.gz" => "data/garments/train-images-idx3-ubyte.gz",
    "garments-train-labels-idx1-ubyte.gz" => "data/garments/train-labels-idx1-ubyte.gz",
    "garments-t10k-images-idx3-ubyte.gz" => "data/garments/t10k-images-idx3-ubyte.gz",
    "garments-t10k-labels-idx1-ubyte.gz" => "data/garments/t10k-labels-idx1-ubyte.gz",
    "garments-classes.txt" => "data/garments/classes.txt",
    "README.md" => "data/LICENCES.md",
};

/// The components: name, source, classes.
const COMPONENTS: [(&str, &str, &str); 3] = [
    ("low", "digits", "0-4"),
    ("shoes", "garments", "sandal,sneaker,ankle-boot"),
    ("clothes", "garments", "trouser,dress,coat"),
];

/// The images of every part of the joint classifier.
const DATA: &str = "--data low=data/digits --data shoes=data/garments --data clothes=data/garments";

/// How the names of files end.
const FILES: [&str; 3] = [".onnx", ".safetensors", ".html"];

pub(crate) fn run(args: &DemoArgs, global: &Global, out: &Out) -> anyhow::Result<()> {
    let folder = &args.out;
    unpack(folder)?;
    let told = out.collecting();
    let mut demo = Demo { folder, global, out: &told, steps: Vec::new() };
    demo.commands()?;
    let steps = demo.steps;
    let page = folder.join("index.html");
    let result = json!({ "out": folder, "page": page, "steps": steps });
    out.result(&result, || {
        format!(
            "Everything is in {0}/. Look at {0}/index.html, open the .onnx files in Netron, run them in\n\
             onnxruntime. Then try:\n\n  brickwork report {0}/shoes.onnx -o shoes.html\n  brickwork diff {0}/garments.onnx \
             {0}/shoes.onnx\n  brickwork disassemble {0}/digits.onnx --profile {0}/digits.profile.safetensors \\\n      \
             --classes 7 --data {0}/data/digits -o seven.onnx\n  brickwork eval seven.onnx --data \
             {0}/data/digits --source {0}/digits.onnx",
            folder.display()
        )
    })
}

/// Writes the embedded files into `folder`.
fn unpack(folder: &Path) -> anyhow::Result<()> {
    for (name, bytes) in ASSETS {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)
                .with_context(|| format!("cannot make {}", parent.display()))?;
        }
        write_atomically(&path, bytes)?;
    }
    Ok(())
}

struct Demo<'a> {
    folder: &'a Path,
    global: &'a Global,
    out: &'a Out,
    steps: Vec<Value>,
}

impl Demo<'_> {
    fn say(&self, text: &str) {
        if !self.global.json && !self.global.quiet {
            let _ = self.out.result_text(&format!("\n{text}\n"));
        }
    }

    /// All commands, with what they are for.
    fn commands(&mut self) -> anyhow::Result<()> {
        self.say("Two classifiers of different architecture, trained on different data: which channels\ndecide which class?");
        for source in ["digits", "garments"] {
            self.step(&format!(
                "profile {source}.onnx --data data/{source} -o {source}.profile.safetensors"
            ))?;
        }
        self.say(
            "Cut three components out of them, each for a few classes, and refit them in closed form.",
        );
        for (name, source, classes) in COMPONENTS {
            self.step(&format!(
                "disassemble {source}.onnx --profile {source}.profile.safetensors --classes {classes} \
                 --data data/{source} -o {name}.onnx"
            ))?;
            self.step(&format!("eval {name}.onnx --data data/{source} --source {source}.onnx"))?;
        }
        self.say("Join the three into one new classifier. No training.");
        self.step("assemble low.onnx shoes.onnx clothes.onnx -o joined.onnx")?;
        self.step(&format!("eval joined.onnx {DATA}"))?;
        self.say("Its parts were trained apart, so their scores are not comparable yet. Calibrate on training\nimages, then measure again on test images that nothing has seen.");
        self.step(&format!("calibrate joined.onnx -o ready.onnx {DATA}"))?;
        self.step(&format!("eval ready.onnx {DATA}"))?;
        self.say("Was the function kept? Compare a component with its masked source, the joint model with its\nparts.");
        self.step("verify garments.onnx shoes.onnx")?;
        self.step("verify low.onnx shoes.onnx clothes.onnx ready.onnx")?;
        self.say("All of it on one page, with images that it gets right and wrong.");
        self.step(&format!("report ready.onnx -o index.html {DATA}"))
    }

    /// Runs one command as if it had been typed, in the demo's folder.
    fn step(&mut self, line: &str) -> anyhow::Result<()> {
        if !self.global.json && !self.global.quiet {
            self.out.result_text(&format!("\n$ brickwork {line}\n"))?;
        }
        let words = line.split(' ').map(|word| self.placed(word));
        let matches =
            whole().try_get_matches_from(std::iter::once("brickwork".to_owned()).chain(words))?;
        let (entry, options) = typed(&matches).context("the demo runs verbs alone")?;
        if (entry.run)(options, self.global, self.out)? != ExitCode::SUCCESS {
            bail!("`brickwork {line}` failed");
        }
        for result in self.out.taken() {
            self.steps.push(json!({ "command": line, "result": result }));
        }
        Ok(())
    }

    /// Paths as seen from outside the demo's folder.
    fn placed(&self, word: &str) -> String {
        let here = |path: &str| self.folder.join(path).display().to_string();
        match word.split_once('=') {
            Some((name, path)) => format!("{name}={}", here(path)),
            None if FILES.iter().any(|end| word.ends_with(end)) || word.starts_with("data/") => {
                here(word)
            }
            None => word.to_owned(),
        }
    }
}
