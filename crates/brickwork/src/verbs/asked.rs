//! What was asked, as the files that come of it tell it.

use serde_json::{Map, Value};

use super::roles::{Role, role};

/// A request at work.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    pub(super) verb: &'static str,
    /// Its options that have not their defaults, but for what it writes and how it runs.
    pub(super) request: Map<String, Value>,
}

/// Options that do not change what is made.
const NO_MATTER: &[&str] = &["resume"];

impl Asked {
    /// The request `said` to a verb whose request has these `defaults`.
    pub(super) fn of(verb: &'static str, said: &Value, defaults: &Value) -> Self {
        let matters = |(option, value): &(&String, &Value)| {
            defaults.get(option) != Some(value)
                && !role(option).is_some_and(Role::writes)
                && !NO_MATTER.contains(&&option[..])
        };
        let said = said.as_object().into_iter().flatten().filter(matters);
        let request = said.map(|(option, value)| (option.clone(), value.clone())).collect();
        Self { verb, request }
    }
}
