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
use crate::model::text::stored;

/// The metadata key of the header.
const KEY: &str = "brickwork.checkpoint";

/// The format version written.
pub(super) const FORMAT: u32 = 1;

/// The version of files without a number.
fn first() -> u32 {
    1
}

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
    #[serde(default = "first")]
    pub(super) format: u32,
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

    /// What differs from the start `now` of a run of `model`, in words.
    pub(super) fn differences(&self, now: &Self, model: &Classifier) -> Vec<String> {
        let mut found = Vec::new();
        if !model.has_fingerprint(&self.model) {
            found.push(format!("network: {}, now {}", self.model, now.model));
        }
        let mut compare = |what: &str, then: &str, now: &str| {
            if then != now {
                found.push(format!("{what}: {then}, now {now}"));
            }
        };
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
    /// If it cannot be written; it is then as it was. Nor can a run whose losses are not finite.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let header = stored(&self.header)
            .map_err(|why| Error::file(format!("the checkpoint cannot be written: {why}")))?;
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
        if header.format > FORMAT {
            let newer = header.format;
            return Err(format!("it is of format {newer}, this program knows {FORMAT}; update it"));
        }
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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use brickwork_data::Dataset;
    use proptest::prelude::*;
    use safetensors::Dtype;

    use super::*;
    use crate::images::matching::Numbered;
    use crate::images::source::Source;
    use crate::model::classifier::Classifier;
    use crate::model::percent::Percent;
    use crate::train::{Epoch, Labels, Score, Trainer};

    /// The fingerprint of `net.onnx` in files of version 1.
    const FIRST: &str = "e2d56f385322e5e685231d414ac76973201f885d9a0015a3c8864679007450ec";

    /// Options as the first version wrote them.
    const OPTIONS: &str = r#"{"epochs":1,"batch":2,
        "optimiser":{"sgd":{"momentum":0.9,"nesterov":true,"decay":0.0005}},
        "schedule":{"rate":0.1,"warmup":0.0,"curve":{"cosine":{"floor":0.0}}},"clip":null,
        "decay_weights_only":false,"augment":{"pad_crop":null,"flip":false,"cutout":null},
        "keep_zeros":false,"only":[],"seed":0}"#;

    fn net() -> Classifier {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/formats/v1/net.onnx");
        Classifier::load(&path, &Default::default(), None).unwrap()
    }

    /// Two black images in `folder`.
    fn black(folder: &Path, model: &Classifier) -> Source {
        let array = |name: &str, shape: &[usize]| Array {
            name: name.to_owned(),
            dtype: Dtype::U8,
            shape: shape.to_vec(),
            bytes: vec![0; shape.iter().product()],
        };
        let path = folder.join("black.safetensors");
        sealed::write(
            &path,
            &[array("images", &[2, 28, 28]), array("labels", &[2])],
            HashMap::new(),
        )
        .unwrap();
        let dataset = Dataset::open(&path, None).unwrap();
        Source::new("black", dataset, &Numbered::new(model.class_names(), None)).unwrap()
    }

    #[test]
    fn checkpoints_of_all_versions_go_on() {
        let (model, folder) = (net(), tempfile::tempdir().unwrap());
        let train = black(folder.path(), &model);
        let preprocess = model.card().preprocess.clone().unwrap();
        let material = Material { train: &train, held: None, preprocess: &preprocess };
        let mut labels = Labels::default();
        let options: TrainOptions = serde_json::from_str(OPTIONS).unwrap();
        let mut trainer = Trainer::new(&model, material, &options, &mut labels).unwrap();
        let mut checkpoint = trainer.checkpoint();
        trainer.resume(checkpoint.clone()).unwrap();
        checkpoint.header.start.model = FIRST.to_owned();
        trainer.resume(checkpoint.clone()).unwrap();
        checkpoint.header.start.model = FIRST.replace('e', "f");
        let error = trainer.resume(checkpoint.clone()).unwrap_err().to_string();
        assert!(error.contains("network: f2d56f38") && !error.contains("samples: "), "{error}");

        // A file without a number is of the first format, one of a later format is refused.
        let header = serde_json::to_value(&checkpoint.header).unwrap();
        assert_eq!(header["format"], FORMAT);
        let mut unnumbered = header.clone();
        unnumbered.as_object_mut().unwrap().remove("format");
        assert_eq!(serde_json::from_value::<Header>(unnumbered).unwrap().format, 1);
        checkpoint.header.format = FORMAT + 1;
        let path = folder.path().join("run.checkpoint");
        checkpoint.save(&path).unwrap();
        let error = Checkpoint::load(&path).unwrap_err().to_string();
        assert!(error.contains("is of format 2, this program knows 1"), "{error}");
    }

    proptest! {
        #[test]
        fn checkpoints_are_read_as_they_were_written(
            seed: u64,
            steps: u64,
            numbers in prop::collection::vec(any::<u32>().prop_map(f32::from_bits), 0..5),
            loss in prop_oneof![prop::num::f64::ANY, Just(-0.0)],
            name in "\\PC{0,8}",
            best in 0_usize..2,
        ) {
            let start = Start {
                model: name.clone(),
                data: String::new(),
                goal: name.clone(),
                preprocess: "{}".to_owned(),
                options: TrainOptions {
                    only: vec![name.clone()],
                    seed,
                    ..serde_json::from_str(OPTIONS).unwrap()
                },
            };
            let score = Score { loss, accuracy: Percent::of(0.5) };
            let log = vec![Epoch { epoch: 1, rate: 0.1, train: score, held: Some(score) }];
            let state = State { epoch: usize::MAX, log, best, ..State::default() };
            let moments = vec![format!("{name}.0"), format!("{name}.1")];
            let tensors = moments.iter().map(|key| (key.clone(), numbers.clone())).collect();
            let header = Header { format: FORMAT, start, state, steps, moments, parameters: 2 };
            let (first, second) = (numbers.clone(), vec![0.5]);
            let made = Checkpoint {
                header,
                parameters: vec![first.clone(), second.clone()],
                best: if best > 0 { vec![second, first] } else { Vec::new() },
                optimiser: OptimiserState { step: steps, tensors },
            };
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("run.checkpoint");
            if loss.is_finite() {
                made.save(&path).unwrap();
                let read = Checkpoint::load(&path).unwrap();
                // In words, where -0.0 is not 0.0, and NaN is NaN.
                prop_assert_eq!(format!("{read:?}"), format!("{made:?}"));
            } else {
                let error = made.save(&path).unwrap_err().to_string();
                prop_assert!(error.contains("cannot be written: it holds a number"), "{error}");
                prop_assert!(!path.exists());
            }
        }
    }
}
