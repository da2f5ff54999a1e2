//! Names that no other value, or no other node, of a graph has.

use std::collections::HashMap;

/// Names in use, each with the number to try next behind it.
#[derive(Default)]
pub(crate) struct Names(HashMap<String, usize>);

impl Names {
    /// `name`, or `name` with the first free number behind it.
    pub(crate) fn unique(&mut self, name: &str) -> String {
        let Some(mut number) = self.0.get(name).copied() else {
            self.0.insert(name.to_owned(), 2);
            return name.to_owned();
        };
        let mut candidate = format!("{name}_{number}");
        while self.0.contains_key(&candidate) {
            number += 1;
            candidate = format!("{name}_{number}");
        }
        self.0.insert(name.to_owned(), number + 1);
        self.0.insert(candidate.clone(), 2);
        candidate
    }
}

impl FromIterator<String> for Names {
    fn from_iter<I: IntoIterator<Item = String>>(names: I) -> Self {
        Self(names.into_iter().map(|name| (name, 2)).collect())
    }
}
