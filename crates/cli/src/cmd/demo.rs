//! `brickwork demo`: the commands a user would give, on embedded models and images.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use brickwork::show::{
    Bar, Brick, Page, Picture, Tone, bars, baseplate, pictures, png, side_by_side, table,
};
use brickwork::verbs::PixelInput;
use brickwork::{Classifier, Numbered, Percent, Source, layers, top_class};
use brickwork_data::{Dataset, Split};
use brickwork_formats::onnx::ReadOptions;
use brickwork_formats::write_atomically;
use serde_json::{Value, json};

use crate::args::{DemoArgs, Global};
use crate::line::{typed, whole};
use crate::print::{Out, thousands};

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

pub(crate) fn run(args: &DemoArgs, global: &Global, out: &Out) -> anyhow::Result<()> {
    let folder = &args.out;
    unpack(folder)?;
    let told = out.collecting();
    let mut demo = Demo { folder, global, out: &told, steps: Vec::new() };
    demo.commands()?;
    let steps = demo.steps;
    let page = folder.join("index.html");
    write_atomically(&page, page_of(folder, &steps)?.as_bytes())?;
    let result = json!({ "out": folder, "page": page, "steps": steps });
    out.result(&result, || {
        format!(
            "Everything is in {0}/. Look at {0}/index.html, open the .onnx files in Netron, run them in\n\
             onnxruntime. Then try:\n\n  brickwork inspect {0}/garments.onnx\n  brickwork diff {0}/garments.onnx \
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
        self.step("verify low.onnx shoes.onnx clothes.onnx ready.onnx")
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
            None if word.ends_with(".onnx")
                || word.ends_with(".safetensors")
                || word.starts_with("data/") =>
            {
                here(word)
            }
            None => word.to_owned(),
        }
    }
}

fn load(path: &Path) -> anyhow::Result<Classifier> {
    Ok(Classifier::load(path, &ReadOptions::default(), None)?)
}

fn result_of<'a>(steps: &'a [Value], command: &str) -> &'a Value {
    let found =
        steps.iter().find(|step| step["command"].as_str().is_some_and(|c| c.starts_with(command)));
    found.map_or(&Value::Null, |step| &step["result"])
}

/// A number of percent in an answer.
fn percent(value: &Value) -> String {
    value.as_f64().map_or("-".to_owned(), |number| format!("{number:.2}"))
}

fn page_of(folder: &Path, steps: &[Value]) -> anyhow::Result<String> {
    let mut page = Page::new("A classifier made of three components");
    page.kicker("Brickwork demo");
    page.lead(
        "Two trained classifiers, one of handwritten digits and one of garments, were taken apart; three \
         components were joined into one new classifier. Nothing was trained.",
    );
    page.text(
        "A component's channels were chosen by what each contributes to each class, its weights refitted in closed \
         form, and all scores made comparable on training images. All figures are from test images that none of \
         this has seen.",
    );
    page.add(baseplate(&component_bricks(steps)));

    page.section(
        "The components",
        table(
            "Size, and accuracy on the component's classes",
            COMPONENT_HEAD,
            &component_rows(steps),
        ),
    );
    page.section(
        "The joint classifier",
        table("Accuracy on all eleven classes", JOINT_HEAD, &joint_rows(steps)),
    );
    page.section("What it says", pictures(&sample_pictures(folder)?));
    page.heading("Channels kept");
    let mut kept = Vec::new();
    for (hue, (name, source, _)) in COMPONENTS.into_iter().enumerate() {
        kept.push(bars(
            &format!("{name}, cut from {source}"),
            &kept_bars(folder, name, source, hue)?,
        ));
    }
    page.add(side_by_side(&kept));
    Ok(page.to_html())
}

/// For every layer of the source, the share of its output channels that a component keeps.
fn kept_bars(folder: &Path, name: &str, source: &str, hue: usize) -> anyhow::Result<Vec<Bar>> {
    let model = load(&folder.join(format!("{source}.onnx")))?;
    let component = load(&folder.join(format!("{name}.onnx")))?;
    let kept = component.card().origin.as_ref().map(|origin| &origin.kept);
    let bar = |layer: brickwork::LayerInfo| {
        let (kept, width) = (kept?.get(&layer.name)?.output.len(), layer.weighted.outputs);
        let share = Percent::ratio(kept as u64, width as u64).share();
        Some(Bar {
            name: layer.name,
            share,
            words: format!("{kept} of {width}"),
            tone: Tone::Hue(hue),
            ..Bar::default()
        })
    };
    Ok(layers(model.graph()).into_iter().filter_map(bar).collect())
}

/// The answer of the command that cut this component.
fn cut_of<'a>(steps: &'a [Value], name: &str) -> &'a Value {
    let written = format!("{name}.onnx");
    let is_cut = |result: &&Value| {
        result["output"].as_str().is_some_and(|path| path.ends_with(&written))
            && result["kept"].is_object()
    };
    steps.iter().map(|step| &step["result"]).find(is_cut).unwrap_or(&Value::Null)
}

fn classes_of(cut: &Value) -> Vec<String> {
    let names = cut["classes"].as_array().into_iter().flatten().filter_map(Value::as_str);
    names.map(str::to_owned).collect()
}

fn component_bricks(steps: &[Value]) -> Vec<Brick> {
    let brick = |(hue, (name, source, _)): (usize, (&str, &str, &str))| {
        let (cut, eval) = (cut_of(steps, name), result_of(steps, &format!("eval {name}.onnx")));
        Brick::new(name, &classes_of(cut), hue)
            .fact("cut from", source)
            .fact("accuracy", format!("{} %", percent(&eval["accuracy_per_image"])))
            .fact("parameters", thousands(cut["params"]["after"].as_u64().unwrap_or(0)))
    };
    COMPONENTS.into_iter().enumerate().map(brick).collect()
}

const COMPONENT_HEAD: &[&str] = &[
    "component",
    "classes",
    "parameters",
    "MACs",
    "source, same classes, %",
    "before refit, %",
    "after refit, %",
];

const JOINT_HEAD: &[&str] = &["joint classifier", "per image, %", "per class, %"];

fn component_rows(steps: &[Value]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for (name, _, _) in COMPONENTS {
        let cut = cut_of(steps, name);
        let eval = result_of(steps, &format!("eval {name}.onnx"));
        let size = |key: &str| {
            let number = |when: &str| cut[key][when].as_u64().unwrap_or(0);
            format!("{} of {}", thousands(number("after")), thousands(number("before")))
        };
        rows.push(vec![
            name.to_owned(),
            classes_of(cut).join(", "),
            size("params"),
            size("macs"),
            percent(&eval["base_restricted"]["per_image"]),
            percent(&eval["before_refit"]["per_image"]),
            percent(&eval["accuracy_per_image"]),
        ]);
    }
    rows
}

fn joint_rows(steps: &[Value]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for (label, command) in
        [("joined, as they come", "eval joined.onnx"), ("calibrated", "eval ready.onnx")]
    {
        let eval = result_of(steps, command);
        rows.push(vec![
            label.to_owned(),
            percent(&eval["accuracy_per_image"]),
            percent(&eval["mean_class_accuracy"]),
        ]);
    }
    let bound = &result_of(steps, "eval ready.onnx")["parts"]["perfect_routing"];
    rows.push(vec![
        "bound: every image to its own part".to_owned(),
        percent(&bound["per_image"]),
        percent(&bound["per_class"]),
    ]);
    rows
}

/// Test images of every class with the joint model's answers.
fn sample_pictures(folder: &Path) -> anyhow::Result<Vec<Picture>> {
    let model: Classifier = load(&folder.join("ready.onnx"))?;
    let preprocess = PixelInput::default().preprocess(&model)?;
    let names = model.class_names();
    let mut scorer = model.scorer();
    let mut pictures = Vec::new();
    for part in &model.card().parts {
        let data = if part.name == "low" { "data/digits" } else { "data/garments" };
        let dataset = Dataset::open(folder.join(data), Some(Split::Test))?;
        let classes = Numbered::new(part.classes.clone(), part.origin.as_ref());
        let source = Source::new(part.name.clone(), dataset, &classes)?;
        for class in 0..part.classes.len() {
            let chosen: Vec<usize> = source.samples_of(&[class]).into_iter().take(2).collect();
            let logits = scorer.logits(&source.dataset.batch(&chosen, &preprocess)?)?;
            for (&index, row) in chosen.iter().zip(logits.data().chunks(names.len())) {
                let (said, truth) = (top_class(row), part.logits[class]);
                let right = said == truth;
                let note = if right { String::new() } else { format!("is {}", names[truth]) };
                let (png, caption) = (png(&source.dataset.image(index)?), names[said].clone());
                pictures.push(Picture { png, caption, note, right: Some(right) });
            }
        }
    }
    Ok(pictures)
}
