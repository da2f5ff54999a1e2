//! Recipes: what is refused before any work, what is done and what is not.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use brickwork::recipe::{BuildOptions, BuiltStep, Outcome, Recipe};
use brickwork::verbs::{Annotate, Assemble, Context, ModelInput, PixelInput, Verb};
use brickwork::{Error, Progress, Provenance};
use tempfile::TempDir;

const ASSETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../cli/assets");

/// Two models with other names for their classes, and both as one.
const TEXT: &str = r#"
[measured]
verb = "inspect"
model = "@joined"

[numbers]
verb = "annotate"
model = "digits.onnx"
class_names = "0,1,2,3,4,5,6,7,8,9"

[letters]
verb = "annotate"
model = "digits.onnx"
class_names = "a,b,c,d,e,f,g,h,i,j"

[joined]
verb = "assemble"
parts = ["@numbers", "@letters"]
"#;

/// A folder with the demo's model of digits, in which recipes are built.
struct Folder {
    folder: TempDir,
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model = Path::new(ASSETS).join("digits.onnx");
        std::fs::copy(model, folder.path().join("digits.onnx")).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn recipe(&self, text: &str) -> Recipe {
        Recipe::parse(text).unwrap().in_folder(self.folder.path())
    }

    fn options(&self) -> BuildOptions {
        BuildOptions { out: self.path("out"), ..BuildOptions::default() }
    }

    fn build(&self, recipe: &Recipe) -> Vec<BuiltStep> {
        recipe.build(&self.options(), &Context::default()).unwrap()
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path("out").join(name)).unwrap()
    }

    /// What the recipe is refused for.
    fn refused(&self, text: &str) -> String {
        let recipe = self.recipe(text);
        let error = recipe.check(&self.path("out"), &Context::default()).unwrap_err().to_string();
        let built = recipe.build(&self.options(), &Context::default()).unwrap_err().to_string();
        assert_eq!(error, built);
        assert!(!self.path("out").exists(), "nothing is done");
        error
    }
}

/// The names of the steps that were done.
fn done(steps: &[BuiltStep]) -> Vec<&str> {
    let done = steps.iter().filter(|step| step.outcome == Outcome::Built);
    done.map(|step| &step.name[..]).collect()
}

#[test]
fn only_what_changed_is_done() {
    let folder = Folder::new();
    let mut recipe = folder.recipe(TEXT);
    let built = folder.build(&recipe);
    assert_eq!(done(&built), ["numbers", "letters", "joined", "measured"]);
    let answer: serde_json::Value = serde_json::from_slice(&folder.bytes("measured.json")).unwrap();
    assert_eq!(answer["classes"].as_array().map(Vec::len), Some(20));
    assert_eq!(built[3].answer.as_ref(), Some(&answer));
    assert!(done(&folder.build(&recipe)).is_empty());

    recipe.set("letters.class_names=k,l,m,n,o,p,q,r,s,t").unwrap();
    let planned = recipe.plan(&folder.path("out"), &Context::default()).unwrap();
    let why: Vec<Option<&str>> = planned.iter().map(|step| step.why.as_deref()).collect();
    let expected = [
        None,
        Some("its options changed"),
        Some("`letters` comes first"),
        Some("`joined` comes first"),
    ];
    assert_eq!(why, expected);
    assert_eq!(done(&folder.build(&recipe)), ["letters", "joined", "measured"]);

    // What comes out the same makes nothing else old.
    std::fs::remove_file(folder.path("out/letters.onnx")).unwrap();
    assert_eq!(done(&folder.build(&recipe)), ["letters"]);
    recipe.set("seed=5").unwrap();
    assert_eq!(done(&folder.build(&recipe)).len(), 4);

    let source = std::fs::read(folder.path("out/numbers.onnx")).unwrap();
    std::fs::write(folder.path("digits.onnx"), source).unwrap();
    let why = folder.build(&recipe)[0].why.clone();
    assert_eq!(why.as_deref(), Some("digits.onnx changed"));
}

#[test]
fn files_that_the_build_did_not_make_so_are_spared() {
    let folder = Folder::new();
    let recipe = folder.recipe(TEXT);
    std::fs::create_dir(folder.path("out")).unwrap();
    std::fs::write(folder.path("out/letters.onnx"), "mine").unwrap();
    let spared = |words: &str| {
        let error = recipe.build(&folder.options(), &Context::default()).unwrap_err().to_string();
        assert!(error.contains(words) && error.contains("`overwrite=true`"), "{error}");
    };
    spared("letters.onnx");
    assert_eq!(folder.bytes("letters.onnx"), b"mine");
    assert!(!folder.path("out/numbers.onnx").exists(), "nothing is done");
    let options = BuildOptions { overwrite: true, ..folder.options() };
    recipe.build(&options, &Context::default()).unwrap();

    std::fs::write(folder.path("out/joined.onnx"), "changed").unwrap();
    spared("joined.onnx");
    let built = recipe.build(&options, &Context::default()).unwrap();
    assert_eq!(done(&built), ["joined"]);
    assert!(built[2].why.as_ref().unwrap().contains("changed by hand"));
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let folder = Folder::new();
    let error = folder.refused(
        "[a]\nverb = 'evil'\n[b]\nverb = 'eval'\nmodell = 'digits.onnx'\nmodel = '@nothing'\ndry_run = true\n\
         [c]\nverb = 'disassemble'\nmodel = 'gone.onnx'\ndry_run = true\n[d]\nverb = 'bench'\nmodel = '@b'\nruns = 0\n",
    );
    for words in [
        "line 1: step `a`: there is no verb `evil`; there are init, ",
        "line 5: step `b`: `eval` has no option `modell`",
        "line 6: step `b`: `model`: there is nothing called `@nothing`; there are a, b",
        "line 7: step `b`: `eval` has no option `dry_run`",
        "line 10: step `c`: `model`: there is no ",
        "line 11: step `c`: leave `dry_run` out: it makes nothing",
        "line 15: step `d`: `runs=0`",
    ] {
        assert!(error.contains(words), "{words} in\n{error}");
    }
    let error = folder.refused(
        "[data]\ngone = 'no/where'\n[a]\nverb = 'assemble'\nparts = ['@b', '@gone']\n\
         [b]\nverb = 'assemble'\nparts = ['@a']\nlayout = 'round'\n\
         [c]\nverb = 'annotate'\nmodel = 'digits.onnx'\noutput = 'a.onnx'\nsize = 'x'\n",
    );
    for words in [
        "line 3: these steps wait for each other's results: a, b",
        "line 5: step `a`: `parts`: there is no ",
        "line 9: step `b`: `layout=`: ",
        "line 10: steps `a` and `c` both write ",
        "line 14: step `c`: `size=`: ",
    ] {
        assert!(error.contains(words), "{words} in\n{error}");
    }
    for outside in ["../x.onnx", "/tmp/x.onnx", "a/../../x.onnx", ""] {
        let text = format!("[a]\nverb = 'annotate'\nmodel = 'digits.onnx'\noutput = '{outside}'\n");
        let error = folder.refused(&text);
        assert!(
            error.contains("line 4: step `a`: `output`: ") && error.contains("not below"),
            "{error}"
        );
    }
    let error = folder.recipe("[digits]\nverb = 'annotate'\nmodel = 'digits.onnx'\n");
    let error = error.check(folder.folder.path(), &Context::default()).unwrap_err().to_string();
    assert!(error.contains("would overwrite") && error.contains("`@digits`"), "{error}");
}

#[test]
fn steps_that_need_none_that_failed_go_on() {
    let folder = Folder::new();
    std::fs::write(folder.path("broken.onnx"), "no model").unwrap();
    let text = TEXT.replacen("digits.onnx", "broken.onnx", 1);
    let recipe = folder.recipe(&text);
    let error = recipe.build(&folder.options(), &Context::default()).unwrap_err().to_string();
    assert!(error.contains("line 6: step `numbers` failed: "), "{error}");
    assert!(!folder.path("out/letters.onnx").exists());
    let options = BuildOptions { keep_going: true, ..folder.options() };
    let built = recipe.build(&options, &Context::default()).unwrap();
    let outcomes: Vec<Outcome> = built.iter().map(|step| step.outcome).collect();
    let expected = [Outcome::Failed, Outcome::Built, Outcome::LeftOut, Outcome::LeftOut];
    assert_eq!(outcomes, expected);
    assert_eq!(built[2].why.as_deref(), Some("`numbers` was not made"));
}

#[test]
fn steps_at_the_same_time_make_the_same() {
    let (one, other) = (Folder::new(), Folder::new());
    one.build(&one.recipe(TEXT));
    let options = BuildOptions { jobs: 4, ..other.options() };
    let context = Context { threads: Some(3), ..Context::default() };
    other.recipe(TEXT).build(&options, &context).unwrap();
    for name in ["numbers.onnx", "letters.onnx", "joined.onnx"] {
        assert!(one.bytes(name) == other.bytes(name), "{name}");
    }
}

/// Stops the work after so many questions.
struct Stops {
    after: AtomicUsize,
}

impl Progress for Stops {
    fn begin(&self, _: &str, _: u64) {}
    fn step(&self, _: u64) {}
    fn note(&self, _: &str) {}
    fn stopped(&self) -> bool {
        let left = self.after.load(Ordering::SeqCst);
        self.after.store(left.saturating_sub(1), Ordering::SeqCst);
        left == 0
    }
}

#[test]
fn training_that_was_stopped_goes_on_to_the_same_bits() {
    let text = format!(
        "[net]\nverb = 'train'\narch = 'lenet5'\ndata = '{ASSETS}/digits'\nsamples = 20\nepochs = 3\nbatch = 16\n\
         mean = 0\nstd = 1\nlr = 0.01\n"
    );
    let (whole, stopped) = (Folder::new(), Folder::new());
    whole.build(&whole.recipe(&text));
    let recipe = stopped.recipe(&text);
    let mut stops = 0;
    loop {
        let progress = Stops { after: AtomicUsize::new(14) };
        let context = Context { progress: &progress, ..Context::default() };
        match recipe.build(&stopped.options(), &context) {
            Ok(_) => break,
            Err(Error::Stopped(_)) => stops += 1,
            Err(other) => panic!("{other}"),
        }
        assert!(stops < 50, "it gets nowhere");
    }
    assert!(stops > 1, "it was stopped {stops} times");
    assert!(whole.bytes("net.onnx") == stopped.bytes("net.onnx"));
    assert!(!stopped.path("out/net.checkpoint").exists());
}

#[test]
fn results_of_other_options_have_names_too() {
    let folder = Folder::new();
    let text = format!(
        "[data]\nassets = '{ASSETS}'\n[measured]\nverb = 'eval'\nmodel = 'digits.onnx'\ndata = '@assets/digits'\n\
         no_latency = true\nconfusion = 'table.csv'\n[again]\nverb = 'eval'\nmodel = 'digits.onnx'\n\
         data = '{ASSETS}/digits'\nno_latency = true\nlabels = '@measured.confusion'\n"
    );
    let recipe = folder.recipe(&text);
    let planned = recipe.plan(&folder.path("out"), &Context::default()).unwrap();
    assert_eq!(planned[1].why.as_deref(), Some("`measured` comes first"));
    let dot = recipe.to_dot();
    assert!(dot.contains("label=\"measured\\neval\"") && dot.contains("n2 -> n3"), "{dot}");
    let error = folder.refused(&text.replace("@measured.confusion", "@measured.csv"));
    assert!(error.contains("step `measured` writes nothing for `csv`"), "{error}");
}

#[test]
fn drawings_are_whole_documents() {
    let folder = Folder::new();
    let recipe = folder.recipe(TEXT);
    let svg = recipe.to_svg();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let boxes = document.descendants().filter(|node| node.has_tag_name("rect")).count();
    let lines = document.descendants().filter(|node| node.has_tag_name("path")).count();
    assert_eq!((boxes, lines), (5, 5), "{svg}");
    assert_eq!(recipe.to_dot().matches(" -> ").count(), 5);
}

#[test]
fn what_a_file_tells_is_input_like_any_other() {
    let folder = Folder::new();
    let told = |text: &str| Recipe::of(&Provenance::read(text).unwrap(), "made");
    let outside = told(
        r#"{"version": 1, "steps": [
            {"verb": "init", "name": "a", "stem": "../../a", "request": {"arch": "lenet5", "classes": 2}},
            {"verb": "inspect", "request": {"model": "@a"}}]}"#,
    );
    let outside = outside.unwrap().in_folder(folder.folder.path());
    let error = outside.check(&folder.path("out"), &Context::default()).unwrap_err().to_string();
    assert!(error.contains("is not below the folder"), "{error}");
    let quoted = told(
        r#"{"version": 1, "sources": [{"name": "a]\n[b", "file": "\"x", "sha256": "\"\nevil = 1"}],
            "steps": [{"verb": "inspect", "request": {"model": "@a"}}]}"#,
    );
    assert!(matches!(quoted, Err(Error::Recipe(_))), "{quoted:?}");
    for (text, words) in [
        ("{}", "cannot be understood"),
        (r#"{"version": 1, "steps": []}"#, "it names no request"),
        (r#"{"version": 9, "steps": []}"#, "it is of version 9, this program knows 1"),
    ] {
        let error = Provenance::read(text).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn lists_in_files_are_read_and_tell_themselves() {
    let folder = Folder::new();
    let names = |first: &str| format!("{first}\n\"b\"\nc\nd\ne\nf\ng\nh\ni\nj, k\n");
    std::fs::write(folder.path("names.txt"), names("a")).unwrap();
    let text = "[named]\nverb = 'annotate'\nmodel = 'digits.onnx'\nclass_names = '@names.txt'\n";
    let recipe = folder.recipe(text);
    assert_eq!(done(&folder.build(&recipe)), ["named"]);
    let carried = Recipe::of_file(&folder.path("out/named.onnx")).unwrap();
    let told = carried.step("named").unwrap().option("class_names").unwrap();
    assert_eq!(told, r#"a,"""b""",c,d,e,f,g,h,i,"j, k""#);
    let again = carried.in_folder(folder.folder.path());
    let options = BuildOptions { out: folder.path("again"), ..BuildOptions::default() };
    again.build(&options, &Context::default()).unwrap();
    assert!(std::fs::read(folder.path("again/named.onnx")).unwrap() == folder.bytes("named.onnx"));

    std::fs::write(folder.path("names.txt"), names("z")).unwrap();
    assert_eq!(folder.build(&recipe)[0].why.as_deref(), Some("names.txt changed"));
    let error = folder.recipe(&text.replace("names.txt", "gone.txt"));
    let error = error.check(&folder.path("out"), &Context::default()).unwrap_err().to_string();
    assert!(error.contains("line 4: step `named`: `class_names`: there is no "), "{error}");
}

/// Files that chains of requests make tell of all of them, each once, and stay small.
#[test]
fn long_stories_are_cut_short() {
    let folder = Folder::new();
    let context = Context::default();
    let mut model = folder.path("digits.onnx");
    let mut sizes = Vec::new();
    for k in 0..105 {
        let output = folder.path(&format!("m{k}.onnx"));
        let names = Some((0..10).map(|class| format!("{k}-{class}")).collect::<Vec<_>>().join(","));
        let pixels = PixelInput { class_names: names, ..PixelInput::default() };
        let request =
            Annotate { model: ModelInput::file(&model), output: Some(output.clone()), pixels };
        request.run(&context).unwrap();
        let told = Recipe::of_file(&output).unwrap();
        sizes.push(told.steps().len());
        model = output;
    }
    let expected: Vec<usize> = (1..=100).chain(1..=5).collect();
    assert_eq!(sizes, expected);
    // What two parts have in common is told once.
    let parts = vec![folder.path("m3.onnx"), folder.path("m5.onnx")];
    let output = Some(folder.path("both.onnx"));
    Assemble { parts, output, ..Assemble::default() }.run(&context).unwrap();
    let told = Recipe::of_file(&folder.path("both.onnx")).unwrap();
    assert_eq!((told.steps().len(), told.data().len()), (7, 1));
}

#[test]
fn one_build_at_a_time_and_only_of_the_files_that_are_meant() {
    let folder = Folder::new();
    folder.build(&folder.recipe("[a]\nverb = 'annotate'\nmodel = 'digits.onnx'\n"));
    let lock = std::fs::File::open(folder.path("out/recipe.built.lock")).unwrap();
    lock.lock().unwrap();
    let recipe = folder.recipe(TEXT);
    let error = recipe.build(&folder.options(), &Context::default()).unwrap_err().to_string();
    assert!(error.contains("another build of this recipe is at work"), "{error}");
    assert!(!folder.path("out/numbers.onnx").exists());
    drop(lock);
    folder.build(&recipe);

    // All of them are looked at before any work.
    let text = "[data]\nfirst = 'digits.onnx'\nother = { path = 'digits.onnx', sha256 = 'sha256-00' }\n\
                [b]\nverb = 'annotate'\nmodel = '@first'\n[c]\nverb = 'annotate'\nmodel = '@other'\n\
                [d]\nverb = 'inspect'\nmodel = '@other'\n";
    let options = BuildOptions { out: folder.path("more"), ..BuildOptions::default() };
    let error = folder.recipe(text).build(&options, &Context::default()).unwrap_err().to_string();
    for words in ["line 9: step `c`: `model`: ", "line 12: step `d`", "expected sha256-00"] {
        assert!(error.contains(words), "{words} in {error}");
    }
    assert!(!folder.path("more").exists());
}
