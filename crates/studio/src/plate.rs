//! The baseplate: components that are to be joined.

use brickwork::OnDuplicate;
use serde::{Deserialize, Serialize};

use crate::failure::StudioError;
use crate::store::Store;

/// Where it is remembered.
const PLATE: &str = "plate.json";

/// What lies on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plate {
    /// Files of components, in order.
    pub(crate) parts: Vec<String>,
    /// What to do about classes that several of them have.
    pub(crate) on_duplicate: OnDuplicate,
}

impl Plate {
    /// As it was left.
    pub(crate) fn remembered(store: &Store) -> Self {
        store.read(PLATE)
    }

    /// Remembers it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn keep(&self, store: &Store) -> Result<(), StudioError> {
        store.write(PLATE, self)
    }

    /// Puts a component on it, before place `at`, or at the end; one that lies there moves.
    pub(crate) fn put(&mut self, file: &str, at: Option<usize>) {
        let before = self.parts.iter().position(|part| part == file);
        self.take(file);
        // What lay before the place moved up by one.
        let at = at.map(|at| at - usize::from(before.is_some_and(|before| before < at)));
        self.parts.insert(at.unwrap_or(self.parts.len()).min(self.parts.len()), file.to_owned());
    }

    /// Takes a component off.
    pub(crate) fn take(&mut self, file: &str) {
        self.parts.retain(|part| part != file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_put_on_moved_and_taken_off() {
        let mut plate = Plate::default();
        ["a", "b", "c"].iter().for_each(|file| plate.put(file, None));
        plate.put("c", Some(0));
        assert_eq!(plate.parts, ["c", "a", "b"]);
        plate.put("c", Some(2));
        assert_eq!(plate.parts, ["a", "c", "b"]);
        plate.put("a", Some(9));
        assert_eq!(plate.parts, ["c", "b", "a"]);
        plate.take("b");
        assert_eq!(plate.parts, ["c", "a"]);
    }
}
