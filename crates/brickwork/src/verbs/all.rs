//! All verbs, by name.

use super::named::NamedVerb;
use super::{
    Annotate, Assemble, Bench, Calibrate, Card, Compress, Diff, Disassemble, Distill, Doctor, Eval,
    Finetune, GcnDisassemble, GcnEval, GcnTrain, Init, Inspect, Masks, Predict, Probe, Profile,
    Refit, Reject, Report, Route, Train, Verify,
};

/// All verbs, in the order in which they are told of.
pub const ALL: &[NamedVerb] = &[
    NamedVerb::of::<Init>(),
    NamedVerb::of::<Inspect>(),
    NamedVerb::of::<Report>(),
    NamedVerb::of::<Card>(),
    NamedVerb::of::<Profile>(),
    NamedVerb::of::<Disassemble>(),
    NamedVerb::of::<Compress>(),
    NamedVerb::of::<Assemble>(),
    NamedVerb::of::<Calibrate>(),
    NamedVerb::of::<Refit>(),
    NamedVerb::of::<Reject>(),
    NamedVerb::of::<Eval>(),
    NamedVerb::of::<Predict>(),
    NamedVerb::of::<Doctor>(),
    NamedVerb::of::<Probe>(),
    NamedVerb::of::<Train>(),
    NamedVerb::of::<Finetune>(),
    NamedVerb::of::<Distill>(),
    NamedVerb::of::<GcnTrain>(),
    NamedVerb::of::<GcnDisassemble>(),
    NamedVerb::of::<GcnEval>(),
    NamedVerb::of::<Verify>(),
    NamedVerb::of::<Masks>(),
    NamedVerb::of::<Diff>(),
    NamedVerb::of::<Route>(),
    NamedVerb::of::<Annotate>(),
    NamedVerb::of::<Bench>(),
];

/// The verb of this name.
pub fn find(name: &str) -> Option<&'static NamedVerb> {
    ALL.iter().find(|verb| verb.name == name)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::verbs::roles::role;

    /// Options of words that name no files.
    const WORDS: &[&str] = &[
        "arch",
        "base_model",
        "datasets",
        "explain",
        "layers",
        "license",
        "only",
        "remove",
        "scores",
        "trunk",
        "why",
    ];

    /// Every option that could name a file is either known to do so or known not to.
    #[test]
    fn every_option_of_words_has_a_role_or_is_no_file() {
        let mut unclear = Vec::new();
        for verb in ALL {
            let schema = verb.request_schema().to_value();
            let options = schema["properties"].as_object().into_iter().flatten();
            for (name, property) in options {
                let outer =
                    if property["items"].is_object() { &property["items"] } else { property };
                let of = |kind: &str| match &outer["type"] {
                    Value::Array(all) => all.iter().any(|one| one == kind),
                    one => one == kind,
                };
                let text = of("string") && !of("number") && outer.get("enum").is_none();
                if text && role(name).is_none() && !WORDS.contains(&&name[..]) {
                    unclear.push(format!("{} {name}", verb.name));
                }
            }
        }
        assert!(unclear.is_empty(), "{unclear:?}: say in roles.rs what they do with files");
    }
}
