//! What `docs` holds of the commands is what the code says.

mod common;
mod python;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::{Own, has_keys};
use serde_json::Value;

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");

/// Asserts that a file of the documents is as the code makes it, or makes it so.
fn kept(name: &str, made: &str) {
    kept_at(&Path::new(DOCS).join(name), made);
}

/// Asserts that a file is as the code makes it, or makes it so.
#[allow(clippy::unwrap_used)]
fn kept_at(path: &Path, made: &str) {
    if std::env::var_os("BRICKWORK_UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, made).unwrap();
    }
    let kept = fs::read_to_string(path).unwrap_or_default();
    let update = "BRICKWORK_UPDATE=1 cargo test --workspace --test reference";
    let place = path.display();
    assert!(kept == made, "{place} is not what the code says; update it with\n  {update}");
}

#[test]
fn the_reference_is_what_the_code_says() {
    let text = Own::new().succeeds("reference");
    let help = "\n## brickwork gcn eval\n\nMeasure accuracy and leakage.\n\n```text\nbrickwork gcn eval \
                [OPTIONS] --data <DATA> <MODEL.onnx>\n```\n";
    assert!(text.contains(help), "{text}");
    assert!(text.contains("\n- `-o`, `--output <FILE>`: Where to write"), "{text}");
    kept("reference.md", &text);
}

#[test]
fn the_functions_of_python_are_what_the_code_says() {
    python::all_are_placed();
    let text = python::module();
    let evaluate = text.split("    def ").find(|text| text.starts_with("evaluate("));
    let evaluate = evaluate.unwrap_or_default();
    for words in [
        "\n        data: Data = (),\n        *,\n",
        "\n        no_latency: bool = False,\n",
        ") -> EvalAnswer:\n        \"\"\"Measure accuracy, leakage, size and speed.\n",
        "\n            foreign: Images of which none is of the model's classes",
        "\n                \"source\": source,\n",
    ] {
        assert!(evaluate.contains(words), "{words}\nin\n{evaluate}");
    }
    kept_at(&Path::new(DOCS).join("../crates/python/python/brickwork/_verbs.py"), &text);
}

#[test]
fn the_schemas_are_what_the_code_says() {
    let own = Own::new();
    let Value::Object(all) = own.json("schema") else { panic!("no object") };
    let mut files = BTreeMap::new();
    for (name, schemas) in &all {
        let file = name.replace(' ', "-");
        if let "error" | "recipe.toml" = &name[..] {
            files.insert(format!("{}.json", name.trim_end_matches(".toml")), schemas);
            continue;
        }
        for (kind, schema) in schemas.as_object().unwrap() {
            assert!(matches!(&kind[..], "request" | "answer"), "{name}: {kind}");
            files.insert(format!("{file}.{kind}.json"), schema);
        }
        assert_eq!(&own.json(&format!("schema {name}")), schemas);
    }
    for (file, schema) in &files {
        has_keys(schema, &["$schema", "title"]);
        let text = serde_json::to_string_pretty(schema).unwrap() + "\n";
        kept(&format!("schema/{file}"), &text);
    }
    let found = fs::read_dir(Path::new(DOCS).join("schema")).unwrap();
    for found in found {
        let name = found.unwrap().file_name().into_string().unwrap();
        assert!(files.contains_key(&name), "nothing makes docs/schema/{name}; remove it");
    }
    own.refused("schema evil", &["`evil` has no schema", "error, eval, "]);
}

#[test]
fn shells_complete_commands_and_options() {
    let own = Own::new();
    for (shell, words) in [
        (
            "bash",
            &["complete -F _brickwork", "brickwork__subcmd__gcn__subcmd__train", "--refit-samples"]
                [..],
        ),
        ("zsh", &["#compdef brickwork", "Measure accuracy and leakage", "--refit-samples"]),
        ("fish", &["complete -c brickwork", "-l refit-samples"]),
    ] {
        let script = own.succeeds(&format!("completions {shell}"));
        for word in words {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    own.misused("completions sh", &["bash", "fish"]);
}

#[test]
fn every_command_has_a_manual_page() {
    let own = Own::new();
    own.succeeds("man OUT/man");
    let pages = own.files();
    let page = |name: &str| String::from_utf8(pages[&format!("man/{name}.1")].clone()).unwrap();
    assert!(page("brickwork").contains("Show what differs between two models"));
    let (eval, train) = (page("brickwork-eval"), page("brickwork-gcn-train"));
    for word in
        ["Measure accuracy, leakage, size and speed", "no\\-latency", "brickwork eval net.onnx"]
    {
        assert!(eval.contains(word), "{word} in {eval}");
    }
    assert!(train.contains("\n.SH OPTIONS\n"), "{train}");
    assert!(!pages.contains_key("man/brickwork-reference.1"));
}
