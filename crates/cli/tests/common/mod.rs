//! Runs the command on the demo's models and images.

// Not every test program needs everything.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use brickwork::Classifier;
use serde_json::Value;
use tempfile::TempDir;

const ASSETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets");

/// The folder in which every command runs: `digits.onnx`, `garments.onnx` and their images in `data/`.
pub(crate) fn shared() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(env!("CARGO_CRATE_NAME"));
        let _ = fs::remove_dir_all(&folder);
        for name in ["digits", "garments"] {
            let model = format!("{name}.onnx");
            fs::create_dir_all(folder.join("data").join(name)).unwrap();
            fs::copy(Path::new(ASSETS).join(&model), folder.join(&model)).unwrap();
            for file in
                ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"]
            {
                let to = folder.join(format!("data/{name}/{file}-ubyte.gz"));
                fs::copy(Path::new(ASSETS).join(format!("{name}-{file}-ubyte.gz")), to).unwrap();
            }
        }
        folder
    })
}

/// The same with profiles, components and assembled models beside the sources.
pub(crate) fn prepared() -> &'static Path {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| {
        let own = Own::new();
        let run = |line: &str| own.succeeds(line);
        for name in ["digits", "garments"] {
            run(&format!("profile {name}.onnx --data data/{name} --samples 5 -o {name}.profile"));
        }
        let digits = "disassemble digits.onnx --profile digits.profile --data data/digits";
        let garments = "disassemble garments.onnx --profile garments.profile --data data/garments";
        run(&format!("{digits} --classes 0-4 --refit-samples 20 -o low.onnx"));
        run(&format!("{digits} --classes 5-9 --refit none -o high.onnx"));
        run(&format!("{garments} --classes sandal,bag --refit-samples 20 -o pieces.onnx"));
        run("assemble low.onnx pieces.onnx -o joined.onnx");
    });
    shared()
}

/// Images for `joined.onnx`.
pub(crate) const JOINED_DATA: &str = "--data low=data/digits --data pieces=data/garments";

/// A JSON value that must be a number.
pub(crate) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// What a command said.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A folder of its own for what a test writes; command lines call it `OUT`.
pub(crate) struct Own {
    folder: TempDir,
}

impl Own {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// The bytes of a file but for the recipe that it carries, if it is a model or a profile: those of files that
    /// were made otherwise can be the same.
    pub(crate) fn bare(&self, name: &str) -> Vec<u8> {
        let bytes = self.read(name);
        if let Ok(mut profile) = brickwork::decode_profile(&bytes) {
            assert!(profile.header.provenance.take().is_some(), "{name} carries no recipe");
            return brickwork::encode_profile(&profile).unwrap();
        }
        let (reading, head) = Default::default();
        match Classifier::decode_as("model", &bytes, &reading, None, &head) {
            Ok(model) => model.made(None).encode().unwrap(),
            Err(_) => bytes,
        }
    }

    /// Every file with its content.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        self.walk(self.folder.path(), &mut files);
        files
    }

    fn walk(&self, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.walk(&path, files);
            } else {
                let name = path.strip_prefix(self.folder.path()).unwrap().display().to_string();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }

    pub(crate) fn command(&self, line: &str) -> Command {
        let own = self.folder.path().display().to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_brickwork"));
        command.args(line.split_whitespace().map(|word| word.replace("OUT", &own)));
        command.current_dir(shared()).env("COLUMNS", "100").stdin(Stdio::null());
        // What another run computed would hide what this one does.
        command.env("BRICKWORK_CACHE", "none");
        command
    }

    pub(crate) fn run(&self, line: &str) -> Ran {
        let done = self.command(line).output().unwrap();
        let own = self.folder.path().display().to_string();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(&own, "OUT");
        let ran = Ran { code: done.status.code(), out: text(done.stdout), err: text(done.stderr) };
        assert!(!ran.err.contains("panicked"), "{line}\n{}", ran.err);
        ran
    }

    /// Runs a command that must succeed; gives its standard output.
    pub(crate) fn succeeds(&self, line: &str) -> String {
        let ran = self.run(line);
        assert_eq!(ran.code, Some(0), "{line}\n{}", ran.err);
        ran.out
    }

    /// Runs a command that must succeed with one JSON document on standard output.
    pub(crate) fn json(&self, line: &str) -> Value {
        let out = self.succeeds(&format!("{line} --json"));
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{line}: {error}\n{out}"))
    }

    /// Runs a command that must be refused, saying each of `words`; gives the message. No file may
    /// appear or change, whether or not the output is there already.
    pub(crate) fn refused(&self, line: &str, words: &[&str]) -> String {
        let error = self.fails(line, 1, words);
        assert!(error.contains("error: "), "{line}\n{error}");
        let mut rest = line.split_whitespace().skip_while(|word| *word != "-o").skip(1);
        if let Some(output) = rest.next().and_then(|word| word.strip_prefix("OUT/"))
            && !self.path(output).exists()
            && self.path(output).parent().is_some_and(Path::is_dir)
        {
            self.write(output, "here before");
            self.fails(line, 1, words);
            fs::remove_file(self.path(output)).unwrap();
        }
        error
    }

    /// Runs a command line that makes no sense.
    pub(crate) fn misused(&self, line: &str, words: &[&str]) -> String {
        self.fails(line, 2, words)
    }

    fn fails(&self, line: &str, code: i32, words: &[&str]) -> String {
        let before = self.files();
        let Ran { code: found, out, err } = self.run(line);
        assert_eq!(found, Some(code), "{line}\n{err}");
        assert_eq!(out, "", "{line}: a failure has no result");
        let changed = self.files() != before;
        assert!(!changed, "{line}: files changed, now {:?}", self.files().keys());
        for word in words {
            assert!(err.contains(word), "{line}\nexpected `{word}` in\n{err}");
        }
        err
    }
}

/// The lines of a text that tell no times, which no two runs have in common.
pub(crate) fn untimed(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with("time  "))
}

/// A text without what may differ between machines: numbers with decimals become `#`, columns, which depend on them,
/// are not aligned, and lines of times, one for every number of threads, are left out.
pub(crate) fn steady(text: &str) -> String {
    let steady_word = |word: &str| {
        let number = word.trim_matches(['(', ')', ';', ',']);
        match number.contains('.') && number.parse::<f64>().is_ok() {
            true => word.replace(number, "#"),
            false => word.to_owned(),
        }
    };
    let line = |line: &str| line.split_whitespace().map(steady_word).collect::<Vec<_>>().join(" ");
    untimed(text).map(line).collect::<Vec<_>>().join("\n")
}

/// Asserts that a JSON object has these keys, and no null among them.
pub(crate) fn has_keys(value: &Value, keys: &[&str]) {
    for key in keys {
        assert!(value.get(key).is_some_and(|found| !found.is_null()), "no `{key}` in {value:#}");
    }
}
