//! What a component says of the cut that made it.

use std::collections::BTreeMap;

use brickwork_formats::same_fingerprint;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::criterion::Criterion;
use super::thresholds::{Rule, Thresholds};

/// How a component was cut out of its source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Origin {
    /// The source model's name.
    pub source: String,
    /// The source graph's fingerprint.
    pub fingerprint: String,
    /// The task: indices of its classes in the source.
    pub classes: Vec<usize>,
    /// How many classes the source has.
    pub of: usize,
    /// How relevance was linked; none if the channels were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
    /// Thresholds used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thresholds: Option<Thresholds>,
    /// What the channels were chosen by, if they were given up step by step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub criterion: Option<Criterion>,
    /// The kept channels, by the source node's name, in the source's numbers.
    pub kept: BTreeMap<String, KeptLayer>,
    /// For the reference rule: inputs that each layer reads; the weights of its others are zero.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reads: BTreeMap<String, Vec<usize>>,
    /// Largest difference between the cut graph and the masked source, relative to the largest
    /// logit, before any refit.
    pub checked: f32,
    /// The refit that followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refit: Option<RefitNote>,
    /// The samples behind the profile, per class of the task.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<SampleNote>,
    /// Whether its weights were trained after the cut.
    #[serde(default, skip_serializing_if = "is_false")]
    pub trained: bool,
    /// What other versions say besides.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Origin {
    /// Whether both were cut from one model. Fingerprints of different versions cannot be compared; then
    /// the source's name and number of classes decide.
    pub(crate) fn same_source(&self, other: &Self) -> bool {
        same_fingerprint(&self.fingerprint, &other.fingerprint)
            .unwrap_or_else(|| (&self.source, self.of) == (&other.source, other.of))
    }
}

/// Whether something need not be said.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference.
fn is_false(said: &bool) -> bool {
    !said
}

/// Channels of a layer that were kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeptLayer {
    /// Input channels (features, for a linear layer).
    pub input: Vec<usize>,
    /// Output channels.
    pub output: Vec<usize>,
}

/// How a component was refitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RefitNote {
    /// Calibration images.
    pub images: usize,
    /// Rows of the least-squares problem of a layer, at most.
    pub rows: usize,
    /// Ridge, relative to the mean diagonal of the second moments.
    pub lambda: f64,
    /// Whether layers put right what earlier ones got wrong in the values they are added to.
    #[serde(default)]
    pub corrects: bool,
    /// How often a layer was solved again with what its activation flattens left free.
    #[serde(default)]
    pub rounds: usize,
    /// Passes over all layers together that brought the scores closer to the source's.
    #[serde(default)]
    pub passes: usize,
    /// Features of the readout of all layers; 0 without one.
    #[serde(default)]
    pub readout: usize,
    /// How often it agrees with its source, where it has several classes and some images took no part.
    /// Answers give it in percent, beside the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub agreement: Option<SourceAgreement>,
    /// Seed of the choice of images and rows.
    pub seed: u64,
}

/// How often a component gives an image the class that its source, restricted to the same classes, gives it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceAgreement {
    /// The share of images that it was refitted on.
    pub fitted: f64,
    /// How many of these were looked at.
    pub fitted_images: usize,
    /// The share of images that took no part.
    pub held_out: f64,
    /// How many there are.
    pub held_out_images: usize,
}

/// The profiled samples of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SampleNote {
    /// Its index in the source.
    pub class: usize,
    /// How many samples.
    pub count: usize,
    /// Their places in the data, most confident first; left out where every sample was taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indices: Vec<usize>,
    /// Their margins.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "crate::model::text::numbers")]
    #[schemars(with = "Vec<Value>")]
    pub margins: Vec<f32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_from(source: &str, fingerprint: &str) -> Origin {
        let text = format!(
            r#"{{"source": "{source}", "fingerprint": "{fingerprint}", "classes": [], "of": 3, "kept": {{}}, "checked": 0}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn one_source_is_known_in_files_of_all_versions() {
        let (old, new) = (cut_from("net", "ab12"), cut_from("net", "v2:cd34"));
        assert!(old.same_source(&new) && new.same_source(&old));
        assert!(!old.same_source(&cut_from("other", "v2:cd34")));
        assert!(!old.same_source(&Origin { of: 4, ..new.clone() }));
        // Where fingerprints can be compared, they decide.
        assert!(new.same_source(&cut_from("renamed", "v2:cd34")));
        assert!(!new.same_source(&cut_from("net", "v2:ab12")));
        assert!(!old.same_source(&cut_from("net", "cd34")));
    }
}
