//! Checkpoints: all that a run needs to go on bit by bit as if it had never stopped.

use std::path::Path;

use brickwork_exec::OptimiserState;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::options::{Material, TrainOptions};
use super::state::State;
use crate::files::sealed::{self, Array, Sealed};
use crate::model::classifier::Classifier;
use crate::model::error::Error;

/// The metadata key of the header.
const KEY: &str = "brickwork.checkpoint";

/// A run, stopped.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    pub(super) header: Header,
    pub(super) parameters: Vec<Vec<f32>>,
    pub(super) best: Vec<Vec<f32>>,
    pub(super) optimiser: OptimiserState,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Header {
    /// What the run started from: a resumed run must start from the same.
    pub(super) start: Start,
    pub(super) state: State,
    /// Steps of the optimiser.
    pub(super) steps: u64,
    /// Names of its arrays.
    pub(super) moments: Vec<String>,
    pub(super) parameters: usize,
}

/// What makes a run the run it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Start {
    /// Fingerprint of the network before training.
    model: String,
    /// Digest of the places and classes of all samples.
    data: String,
    goal: String,
    preprocess: String,
    options: TrainOptions,
}

impl Start {
    /// Of a run of `model` towards a `goal`.
    pub(super) fn of(
        model: &Classifier,
        material: &Material<'_>,
        goal: String,
        options: &TrainOptions,
    ) -> Self {
        let mut hash = Sha256::new();
        for source in std::iter::once(material.train).chain(material.held) {
            hash.update(format!("{} {};", source.name, source.dataset.len()));
            for index in 0..source.dataset.len() {
                let class = source.class(index).map_or(u64::MAX, |class| class as u64);
                hash.update((source.dataset.origin(index) as u64).to_le_bytes());
                hash.update(class.to_le_bytes());
            }
        }
        let data: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            model: model.fingerprint(),
            data,
            goal,
            preprocess: serde_json::to_string(material.preprocess).unwrap_or_default(),
            options: options.clone(),
        }
    }

    /// What differs, in words.
    pub(super) fn differences(&self, now: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare = |what: &str, then: &str, now: &str| {
            if then != now {
                found.push(format!("{what}: {then}, now {now}"));
            }
        };
        compare("network", &self.model, &now.model);
        compare("samples", &self.data, &now.data);
        compare("goal", &self.goal, &now.goal);
        compare("preprocessing", &self.preprocess, &now.preprocess);
        let options = [&self.options, &now.options].map(serde_json::to_value);
        if let [Ok(serde_json::Value::Object(then)), Ok(serde_json::Value::Object(new))] = options {
            for (name, value) in &then {
                let other = new.get(name).cloned().unwrap_or_default();
                compare(name, &value.to_string(), &other.to_string());
            }
        }
        found
    }
}

impl Checkpoint {
    /// Writes the file.
    ///
    /// # Errors
    /// If it cannot be written; it is then as it was.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let header = serde_json::to_string(&self.header)
            .map_err(|error| Error::file(format!("the checkpoint cannot be written: {error}")))?;
        sealed::seal(path, KEY, header, self.arrays())
    }

    fn arrays(&self) -> Vec<Array> {
        let named = |kind: &str, list: &[Vec<f32>]| -> Vec<Array> {
            let array = |(k, data): (usize, &Vec<f32>)| {
                Array::floats(format!("{kind}.{k}"), &[data.len()], data)
            };
            list.iter().enumerate().map(array).collect()
        };
        let mut arrays = named("parameter", &self.parameters);
        arrays.extend(named("best", &self.best));
        for name in &self.header.moments {
            let data = &self.optimiser.tensors[name];
            arrays.push(Array::floats(format!("optimiser.{name}"), &[data.len()], data));
        }
        arrays
    }

    /// Reads the file.
    ///
    /// # Errors
    /// If it cannot be read, is no checkpoint, or is damaged.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let bytes = sealed::read(path)?;
        Self::decode(&bytes).map_err(|why| {
            Error::file(format!("{} is no usable checkpoint: {why}", path.display()))
        })
    }

    fn decode(bytes: &[u8]) -> Result<Self, String> {
        let file = Sealed::open(bytes, KEY)?;
        let header: Header = serde_json::from_str(file.header()).map_err(|e| e.to_string())?;
        let mut names = Vec::new();
        let mut read = |name: String| -> Result<Vec<f32>, String> {
            let data = sealed::floats(&file.array(&name)?).map_err(|e| format!("`{name}`: {e}"))?;
            names.push(name);
            Ok(data)
        };
        let list =
            |kind: &str, count: usize, read: &mut dyn FnMut(String) -> Result<Vec<f32>, String>| {
                (0..count).map(|k| read(format!("{kind}.{k}"))).collect::<Result<Vec<_>, _>>()
            };
        let parameters = list("parameter", header.parameters, &mut read)?;
        let finished = if header.state.best > 0 { header.parameters } else { 0 };
        let best = list("best", finished, &mut read)?;
        let tensors = header
            .moments
            .iter()
            .map(|name| Ok((name.clone(), read(format!("optimiser.{name}"))?)))
            .collect::<Result<_, String>>()?;
        file.check(names.iter().map(String::as_str))?;
        let optimiser = OptimiserState { step: header.steps, tensors };
        Ok(Self { header, parameters, best, optimiser })
    }
}
