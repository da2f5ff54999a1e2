//! The layout of all crates: which modules may use which, and that no pass knows an operator.
//!
//! A module is a file: of `plan.rs` and `plan/*.rs`, `plan` is one and each file below it another. A
//! module uses another if its code outside of tests names something that the other has. What a module
//! hands on with `pub use` is used by whoever takes it, not by the module.

mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use brickwork_graph::SUPPORTED;
use source::{Arrow, Crate, ROOT, Text};

const CRATES: &[&str] =
    &["box", "brickwork", "cli", "data", "exec", "formats", "graph", "python", "studio", "tensor"];

/// For each crate its folders and files at the top, from the lowest to the highest: an arrow leads to one
/// that stands before. `a+b` share a place and may use each other.
const ORDER: &[(&str, &str)] = &[
    ("tensor", "buffer nd order simd kernels"),
    (
        "graph",
        "attrs error forest labels bundles remains names weighted shape lower training execute joint_node+channels+graph+op \
         groups blocks keep text read ops fold simplify check patch reorder build cut",
    ),
    ("formats", "error fingerprint memory file weights onnx"),
    ("data", "split error image samples sources dataset preprocess augment batch batches"),
    ("exec", "error fuse loss schedule optimiser memory plan runner stages session training"),
    ("box", "error files facts brick name pieces index store"),
    ("studio", "lock failure folder store shelf work jobs plate app pages guard server"),
    (
        "brickwork",
        "model files images relevance cut refit join measure shrink train architectures gcn show verbs recipe reports",
    ),
];

/// Folders and files that may use nothing but these others.
const ONLY: &[(&str, &str, &str)] = &[
    ("graph", "text", "attrs graph op"),
    ("brickwork", "images", "model"),
    ("brickwork", "architectures", "model"),
    ("brickwork", "train", "model files images"),
];

/// Modules that use each other in a circle. None may be added.
const CYCLES: &[(&str, &str)] = &[
    // An operator says what it does to the channels of a graph, whose nodes hold operators.
    ("graph", "channels graph joint_node op"),
];

/// Functions that add a node to a graph, and fields of a node's form: whoever makes nodes says which.
const MAKERS: &[&str] = &["operation", "node", "place", "global", "step", "kind"];

/// Modules that look for operators by name. None may be added.
const KNOWING: &[(&str, &str)] = &[
    // Which constants of a new network start as ones, which as zeros.
    ("brickwork", "initialise"),
];

fn crates() -> impl Iterator<Item = (&'static str, Crate)> {
    CRATES.iter().map(|name| {
        let mut files = BTreeMap::new();
        let folder = format!("{}/../{name}/src", env!("CARGO_MANIFEST_DIR"));
        list(Path::new(&folder), Path::new(""), &mut files);
        (*name, Crate::of(files))
    })
}

/// Adds all Rust files in `folder` of `root`.
fn list(root: &Path, folder: &Path, files: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(root.join(folder)).expect("the folder is there") {
        let path = folder.join(entry.expect("the folder can be read").file_name());
        if root.join(&path).is_dir() {
            list(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(root.join(&path)).expect("the file is text");
            files.insert(path, text);
        }
    }
}

/// Fails with all of `problems`.
fn none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

/// Of a path `plan::steps`, the folder or file at the top.
fn top(module: &str) -> &str {
    module.split("::").next().unwrap_or(module)
}

#[test]
fn arrows_come_from_code_outside_of_tests() {
    let sources = Crate::of(BTreeMap::from(
        [
            (
                "lib.rs",
                "mod a; mod b; #[cfg(test)] mod fixture; pub use b::{Shallow, inner::Deep};",
            ),
            (
                "a.rs",
                "use crate::{b::{self, inner::Deep as D, }, Other}; //! crate::d
                fn f() -> impl Sized + use<> { vec![\"crate::e\", b::inner::Deep::g()] }
                #[cfg(test)] mod tests { use crate::c::C; }",
            ),
            ("b.rs", "mod inner; mod outer; pub(crate) use inner::Deep; fn f() { outer::f(Deep) }"),
            ("b/inner.rs", "fn f() -> super::Shallow { crate::Shallow }"),
            ("b/outer.rs", "mod own { use super::super::Deep; use super::Own; }"),
            ("fixture.rs", "use crate::a;"),
            ("stray.rs", ""),
        ]
        .map(|(file, source)| (PathBuf::from(file), source.to_owned())),
    ));
    let found: Vec<String> =
        sources.arrows().into_iter().map(|a| format!("{}>{}", a.from, a.to)).collect();
    let expected = [
        "a>b",
        "a>b::inner",
        "a>crate",
        "b>b::inner",
        "b>b::outer",
        "b::inner>b",
        "b::outer>b::inner",
    ];
    assert_eq!(found, expected);
    assert_eq!(
        cycles(&sources.arrows()),
        BTreeSet::from([BTreeSet::from(["b", "b::inner", "b::outer"])])
    );
    assert_eq!(sources.strays.into_keys().collect::<Vec<_>>(), [Path::new("stray.rs")]);
}

/// A file that is declared inside a macro is seen by neither `rustfmt` nor `clippy` nor the tests here.
#[test]
fn every_file_is_a_module() {
    let mut problems = Vec::new();
    for (name, sources) in crates() {
        let strays = sources.strays.keys();
        problems.extend(strays.map(|file| format!("{name}: {} has no `mod` line", file.display())));
    }
    none(&problems);
}

#[test]
fn arrows_lead_downwards() {
    let mut problems = Vec::new();
    for (name, sources) in crates() {
        let Some((_, order)) = ORDER.iter().find(|(owner, _)| *owner == name) else { continue };
        let places = order.split(' ').enumerate();
        let levels: BTreeMap<&str, usize> = places
            .flat_map(|(level, names)| names.split('+').map(move |name| (name, level)))
            .collect();
        let present: BTreeSet<&str> = sources.modules.keys().map(|module| top(module)).collect();
        let listed: BTreeSet<&str> = levels.keys().copied().chain([ROOT]).collect();
        let odd = present.symmetric_difference(&listed);
        problems.extend(odd.map(|odd| format!("{name}: `{odd}` is not in both sources and table")));
        for Arrow { from, to, place } in sources.arrows() {
            let (from, to) = (top(&from), top(&to));
            let only = ONLY.iter().find(|(owner, module, _)| (*owner, *module) == (name, from));
            let fits = match only {
                Some((.., others)) => others.split(' ').any(|other| other == to),
                None => levels.get(to) <= levels.get(from),
            };
            // The root stands above all of the table.
            if from != ROOT && from != to && (to == ROOT || !fits) {
                problems.push(format!("{name}: `{from}` may not use `{to}`: {place}"));
            }
        }
    }
    none(&problems);
}

#[test]
fn modules_do_not_use_each_other_in_circles() {
    let mut problems = Vec::new();
    for (name, sources) in crates() {
        let arrows = sources.arrows();
        let found = cycles(&arrows);
        let own = CYCLES.iter().filter(|(owner, _)| *owner == name);
        let known: Vec<BTreeSet<&str>> = own.map(|(_, list)| list.split(' ').collect()).collect();
        for cycle in found.iter().filter(|cycle| !known.iter().any(|known| cycle.is_subset(known)))
        {
            problems.push(format!("{name}: modules use each other in a circle: {cycle:?}"));
            let inside = arrows.iter().filter(|arrow| {
                cycle.contains(arrow.from.as_str()) && cycle.contains(arrow.to.as_str())
            });
            problems
                .extend(inside.map(|a| format!("    `{}` uses `{}`: {}", a.from, a.to, a.place)));
        }
        for known in
            known.iter().filter(|known| !found.iter().any(|cycle| cycle.is_superset(known)))
        {
            let left: Vec<_> = found.iter().filter(|cycle| cycle.is_subset(known)).collect();
            problems.push(format!(
                "{name}: of the circle {known:?}, {left:?} is left; shorten the list"
            ));
        }
    }
    none(&problems);
}

/// The largest sets of modules that all reach each other.
fn cycles(arrows: &[Arrow]) -> BTreeSet<BTreeSet<&str>> {
    let modules: BTreeSet<&str> = arrows.iter().map(|arrow| arrow.from.as_str()).collect();
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        modules.iter().map(|module| (*module, reached(module, arrows))).collect();
    let circle = |module: &&str| -> BTreeSet<&str> {
        let other_ends = reach[module].iter().copied();
        other_ends.filter(|end| reach.get(end).is_some_and(|back| back.contains(module))).collect()
    };
    modules.iter().map(circle).filter(|circle| circle.len() > 1).collect()
}

/// The modules that `start` uses, directly or by way of others.
fn reached<'a>(start: &'a str, arrows: &'a [Arrow]) -> BTreeSet<&'a str> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![start]);
    while let Some(module) = open.pop() {
        let next = arrows.iter().filter(|arrow| arrow.from == module);
        open.extend(next.map(|arrow| arrow.to.as_str()).filter(|&to| reached.insert(to)));
    }
    reached
}

#[test]
fn passes_name_no_operator() {
    let mut problems = Vec::new();
    let mut needed = BTreeSet::new();
    for (name, sources) in crates() {
        let inside = |module: &str| name == "graph" && top(module) == "ops";
        for (path, module) in sources.modules.iter().filter(|(path, _)| !inside(path)) {
            let last = path.rsplit("::").next().unwrap_or(path);
            let found = module.texts.iter().filter(|text| SUPPORTED.contains(&text.text.as_str()));
            for text in found.filter(|text| !MAKERS.contains(&text.receiver.as_str())) {
                if KNOWING.contains(&(name, last)) {
                    needed.insert(last.to_owned());
                } else {
                    let file = module.file.display();
                    let Text { text, line, .. } = text;
                    problems.push(format!("{name}: {file}:{line} names the operator {text}"));
                }
            }
        }
        for Arrow { from, to, place } in sources.arrows() {
            if name == "graph" && !inside(&from) && to.starts_with("ops::") {
                problems.push(format!("`{from}` uses the operator `{to}`: {place}"));
            }
        }
    }
    let idle = KNOWING.iter().filter(|(_, module)| !needed.contains(*module));
    problems.extend(idle.map(|idle| format!("{idle:?} names none; strike it")));
    none(&problems);
}
