//! Errors in words of the command line, and what to do about them, which the libraries do not know.

use brickwork::Error;
use brickwork::verbs::{DescribedError, DescribedProblem, Failure, hint as hint_of, with_causes};

/// What went wrong, and why, options as they are typed.
pub(crate) fn words(error: &anyhow::Error) -> String {
    with_flags(&with_causes(error.as_ref()))
}

/// What the user can do about `error`, if that goes beyond its own words.
pub(crate) fn hint(error: &anyhow::Error) -> Option<&'static str> {
    error.downcast_ref::<Error>().and_then(hint_of)
}

/// The error for programs, options as they are typed.
pub(crate) fn described(error: &anyhow::Error) -> Failure {
    let own = error.downcast_ref::<Error>().map(|own| Failure::of(own).error);
    let found =
        own.unwrap_or_else(|| DescribedError { kind: "command", ..DescribedError::default() });
    let typed = |problem: DescribedProblem| DescribedProblem {
        message: with_flags(&problem.message),
        ..problem
    };
    let error = DescribedError {
        message: words(error),
        problems: found.problems.into_iter().map(typed).collect(),
        hint: found.hint.as_deref().map(with_flags),
        ..found
    };
    Failure { error }
}

/// The name of an option on a command line.
pub(crate) fn flag(name: &str) -> String {
    name.replace('_', "-")
}

/// Options, which the library calls `name=` or `name=value`, as they are typed.
pub(crate) fn with_flags(text: &str) -> String {
    let mut words = String::new();
    for (place, part) in text.split('`').enumerate() {
        let option = part.split_once('=').filter(|(name, _)| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        });
        // Between two backticks.
        match option.filter(|_| place % 2 == 1) {
            Some((name, "" | "true")) => words.push_str(&format!("--{}", flag(name))),
            Some((name, value)) => words.push_str(&format!("--{} {value}", flag(name))),
            None if place % 2 == 1 => words.push_str(&format!("`{part}`")),
            None => words.push_str(part),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_told_as_they_are_typed() {
        for (text, typed) in [
            (
                "pass `data=`, or `refit=none` for the bare cut",
                "pass --data, or --refit none for the bare cut",
            ),
            ("`max_drop=` needs images", "--max-drop needs images"),
            ("class `cat` of `a=B`, `Data=x`", "class `cat` of --a B, `Data=x`"),
        ] {
            assert_eq!(with_flags(text), typed);
        }
    }
}
