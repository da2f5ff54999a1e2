//! Take trained image classifiers apart and build new ones from the pieces, without training.
//!
//! One verb per file. Every verb takes values and returns a value; nothing here prints, reads the
//! clock or the environment, or draws a random number without a seed.

mod batching;
mod card;
mod classes;
mod classifier;
mod disassemble;
mod error;
mod kept;
mod layers;
mod link;
mod profile;
mod progress;
mod random;
mod refit;
mod select;
mod source;
mod stages;
mod store;

pub use batching::batch_size;
pub use card::{CalibrationNote, Card, KEY, KeptLayer, Origin, Part, RefitNote, SampleNote};
pub use classes::parse as parse_classes;
pub use classifier::{Classifier, Scorer};
pub use disassemble::{Choice, Plan, TOLERANCE, class_labels, with_card};
pub use error::Error;
pub use kept::{KeptMap, additions, kept_map, wanted_labels};
pub use layers::{LayerInfo, layers};
pub use link::{Relevance, Rule, Thresholds, link, reference_masks};
pub use profile::{Header, LayerSums, Profile, ProfileOptions, profile};
pub use progress::{Progress, Silent};
pub use random::{random_weights, uniform};
pub use refit::{RefitOptions, image_limit, refit};
pub use select::{ClassSamples, Sample, Sampling, margin, select, top_class};
pub use source::Source;
pub use store::{load_profile, save_masks, save_profile};
