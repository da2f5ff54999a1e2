//! The box: the models and the images in the folder, as they are now.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use brickwork::{Card, Classifier, Numbered, Origin, Part, Percent, Source};
use brickwork_data::{Dataset, Split};
use brickwork_formats::onnx::ReadOptions;
use serde::{Deserialize, Serialize};

use crate::failure::StudioError;
use crate::folder::{self, Place};
use crate::lock::held;
use crate::store::Store;

/// Where measured accuracies are remembered.
const MEASURED: &str = "measured.json";

/// The models and images of the folder. What was read of a file is kept until the file changes.
pub(crate) struct Shelf {
    models: Files<Result<Arc<Facts>, String>>,
    sets: Files<Option<Arc<Images>>>,
    measured: Mutex<BTreeMap<String, Measured>>,
    store: Store,
}

/// What is known of files, by their paths.
type Files<T> = Mutex<BTreeMap<String, Known<T>>>;

/// What is known of a file that was written at a time, with a length.
type Known<T> = (Option<(SystemTime, u64)>, T);

/// A file that should hold a model.
#[derive(Clone)]
pub(crate) struct Entry {
    /// Its path in the folder.
    pub(crate) file: String,
    /// What it holds, or why it cannot be used.
    pub(crate) facts: Result<Arc<Facts>, String>,
}

/// A model at a glance.
pub(crate) struct Facts {
    /// Its path in the folder.
    pub(crate) file: String,
    pub(crate) name: String,
    pub(crate) classes: Vec<String>,
    pub(crate) params: usize,
    pub(crate) macs: u64,
    pub(crate) bytes: u64,
    pub(crate) fingerprint: String,
    pub(crate) card: Card,
}

/// Accuracy on images that neither selection nor calibration saw.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// In words: percent.
    pub(crate) accuracy: String,
    /// How many images.
    pub(crate) images: usize,
}

/// Labelled images.
pub(crate) struct Images {
    /// Their path in the folder.
    pub(crate) path: String,
    pub(crate) train: Option<Dataset>,
    pub(crate) test: Option<Dataset>,
    /// Those to look at: to learn from, if there are any.
    pub(crate) shown: Dataset,
}

/// Images that suit a model, or one of its parts.
pub(crate) struct Suited {
    /// The part, if the model has any.
    pub(crate) part: Option<String>,
    pub(crate) images: Arc<Images>,
    /// The classes of the model, or the part.
    pub(crate) classes: Numbered,
}

impl Facts {
    fn read(file: &str) -> Result<Self, brickwork::Error> {
        let model = Classifier::load(Path::new(file), &ReadOptions::default(), None)?;
        Ok(Self {
            file: file.to_owned(),
            name: model.name.clone(),
            classes: model.class_names(),
            params: model.graph().parameters(),
            macs: model.graph().macs(),
            bytes: folder::stamp(file).map_or(0, |(_, bytes)| bytes),
            fingerprint: model.fingerprint(),
            card: model.card().clone(),
        })
    }

    /// The component it is cut from another model as, if it is one.
    pub(crate) fn origin(&self) -> Option<&Origin> {
        self.card.origin.as_ref()
    }

    /// Its classes with the numbers that they have in data.
    pub(crate) fn numbered(&self) -> Numbered {
        Numbered::new(self.classes.clone(), self.origin())
    }

    /// What kind of thing it is, in a word or two.
    pub(crate) fn kind(&self) -> String {
        match (self.origin(), self.card.parts.len()) {
            (Some(origin), _) => format!("component of {}", origin.source),
            (None, 0) => "model".to_owned(),
            (None, parts) => format!("assembled of {parts}"),
        }
    }
}

impl Images {
    fn open(path: &str) -> Option<Self> {
        let part = |split| Dataset::open(path, Some(split)).ok();
        let (train, test) = (part(Split::Train), part(Split::Test));
        let whole =
            if train.is_none() && test.is_none() { Dataset::open(path, None).ok() } else { None };
        let train = train.or(whole);
        let shown = train.clone().or_else(|| test.clone())?;
        Some(Self { path: path.to_owned(), train, test, shown })
    }

    /// The images as a model with these classes sees them, if they show any.
    pub(crate) fn seen_by(&self, classes: &Numbered) -> Option<Source> {
        Source::new(self.path.clone(), self.shown.clone(), classes).ok()
    }

    /// How well they suit a model that is called `name`: the higher, the better.
    fn suits(&self, name: &str, classes: &Numbered) -> (bool, usize) {
        let called = Path::new(&self.path).file_stem().is_some_and(|stem| stem == name);
        let own = self.shown.classes();
        (called, classes.names.iter().filter(|name| own.contains(name)).count())
    }
}

impl Shelf {
    pub(crate) fn new(store: Store) -> Self {
        let measured = Mutex::new(store.read(MEASURED));
        Self { models: Mutex::default(), sets: Mutex::default(), measured, store }
    }

    /// All models in the folder, by name of their file.
    pub(crate) fn models(&self) -> Vec<Entry> {
        let places = folder::places().into_iter();
        let files = places.filter(|place| !place.is_folder && place.path.ends_with(".onnx"));
        files.map(|place| Entry { facts: self.facts(&place.path), file: place.path }).collect()
    }

    /// All of them that can be used.
    pub(crate) fn usable(&self) -> impl Iterator<Item = Arc<Facts>> {
        self.models().into_iter().filter_map(|entry| entry.facts.ok())
    }

    /// The model in this file of the folder.
    ///
    /// # Errors
    /// If there is no such file in the folder, or it holds no model that can be used.
    pub(crate) fn model(&self, file: &str) -> Result<Arc<Facts>, StudioError> {
        if !folder::is_place(file) || !file.ends_with(".onnx") || Path::new(file).is_dir() {
            return Err(StudioError::missing(format!("there is no model `{file}` in the folder")));
        }
        self.facts(file).map_err(StudioError::Request)
    }

    fn facts(&self, file: &str) -> Result<Arc<Facts>, String> {
        let read = || Facts::read(file).map(Arc::new).map_err(|error| error.to_string());
        remembered(&self.models, file, read)
    }

    /// All images in the folder. Folders that are in data are no data of their own.
    pub(crate) fn sets(&self) -> Vec<Arc<Images>> {
        let mut found: Vec<Arc<Images>> = Vec::new();
        for Place { path, is_folder } in folder::places() {
            let inside = |set: &Arc<Images>| {
                path.strip_prefix(&set.path).is_some_and(|rest| rest.starts_with('/'))
            };
            let may_be = is_folder
                || [".npz", ".tar", ".csv", ".parquet"].iter().any(|ending| path.ends_with(ending));
            if may_be && !found.iter().any(inside) {
                found.extend(self.images(&path));
            }
        }
        found
    }

    /// The images at this path of the folder.
    ///
    /// # Errors
    /// If there are none.
    pub(crate) fn set(&self, path: &str) -> Result<Arc<Images>, StudioError> {
        let images = folder::is_place(path).then(|| self.images(path)).flatten();
        images.ok_or_else(|| {
            StudioError::missing(format!("there are no labelled images `{path}` in the folder"))
        })
    }

    fn images(&self, path: &str) -> Option<Arc<Images>> {
        remembered(&self.sets, path, || Images::open(path).map(Arc::new))
    }

    /// Images that show classes of a model, those that suit it best first. `name` is what it, or what it was cut from, is called.
    fn sets_for(&self, name: &str, classes: &Numbered) -> Vec<Arc<Images>> {
        let mut sets = self.sets();
        sets.retain(|set| set.seen_by(classes).is_some());
        sets.sort_by_key(|set| std::cmp::Reverse(set.suits(name, classes)));
        sets
    }

    /// Images that show classes of a model, those that suit it best first.
    pub(crate) fn sets_of(&self, facts: &Facts) -> Vec<Arc<Images>> {
        self.sets_for(source_of(facts.origin(), &facts.name), &facts.numbered())
    }

    /// For a model, or for each of its parts, the images that suit it best, if there are any.
    pub(crate) fn suited(&self, facts: &Facts) -> Vec<Suited> {
        let best = |part, name: &str, classes| {
            let images = self.sets_for(name, &classes).into_iter().next()?;
            Some(Suited { part, images, classes })
        };
        let of_part = |part: &Part| {
            let (name, origin) = (part.name.clone(), part.origin.as_ref());
            let classes = Numbered::new(part.classes.clone(), origin);
            best(Some(name.clone()), source_of(origin, &name), classes)
        };
        match &facts.card.parts[..] {
            [] => best(None, source_of(facts.origin(), &facts.name), facts.numbered())
                .into_iter()
                .collect(),
            parts => parts.iter().filter_map(of_part).collect(),
        }
    }

    /// Remembers how accurate the model in `file` is.
    ///
    /// # Errors
    /// If the file holds no model, or it cannot be written down.
    pub(crate) fn note_accuracy(
        &self,
        file: &str,
        accuracy: Percent,
        images: usize,
    ) -> Result<(), StudioError> {
        let facts = self.facts(file).map_err(StudioError::Request)?;
        let mut measured = held(&self.measured);
        measured
            .insert(facts.fingerprint.clone(), Measured { accuracy: accuracy.to_string(), images });
        self.store.write(MEASURED, &*measured)
    }

    /// How accurate a model is, if it was measured.
    pub(crate) fn accuracy(&self, facts: &Facts) -> Option<Measured> {
        held(&self.measured).get(&facts.fingerprint).cloned()
    }
}

/// What a model was cut from, or else the model itself, is called.
pub(crate) fn source_of<'a>(origin: Option<&'a Origin>, name: &'a str) -> &'a str {
    origin.map_or(name, |origin| &origin.source)
}

/// What is known of a file, or what `read` finds if it has changed since.
fn remembered<T: Clone>(known: &Files<T>, file: &str, read: impl FnOnce() -> T) -> T {
    let stamp = folder::stamp(file);
    if let Some((at, value)) = held(known).get(file)
        && *at == stamp
    {
        return value.clone();
    }
    let value = read();
    held(known).insert(file.to_owned(), (stamp, value.clone()));
    value
}
