//! Take trained image classifiers apart and build new ones from the pieces, without training.
//!
//! One verb per file. Every verb takes values and returns a value; nothing here prints, reads the
//! clock or the environment, or draws a random number without a seed.

mod architectures;
mod assemble;
mod batching;
mod calibrate;
mod card;
mod classes;
mod classifier;
mod compress;
mod control;
mod criterion;
mod diff;
mod disassemble;
mod error;
mod eval;
mod gcn;
mod initialise;
mod inspect;
mod kept;
mod layers;
mod link;
mod moments;
mod padded;
mod probe;
mod profile;
mod progress;
mod random;
mod rebuild;
mod refit;
mod regression;
mod reject;
mod report;
mod route;
mod sealed;
mod select;
mod shrink;
mod sizes;
mod source;
mod stages;
mod store;
mod train;
mod verify;
mod without;

pub use architectures::{Architecture, ArchitectureOptions, Stem};
pub use assemble::{AssembleOptions, Layout, assemble, shared_layers};
pub use batching::batch_size;
pub use calibrate::{Method, calibrate, calibrate_from_moments};
pub use card::{
    CalibrationNote, Card, KEY, KeptLayer, OnDuplicate, Origin, Part, RefitNote, SampleNote,
};
pub use classes::parse as parse_classes;
pub use classifier::{Classifier, Scorer};
pub use compress::{CompressOptions, Ranking, Unit, Variant, smallest_share, variant};
pub use control::Control;
pub use criterion::{Criterion, Ground};
pub use diff::{Difference, LayerDifference, diff};
pub use disassemble::{Choice, Plan, TOLERANCE, class_labels, with_card};
pub use error::Error;
pub use eval::{Accuracy, EvalOptions, Leakage, PartConfusion, Report, eval};
pub use gcn::{
    Gcn, GcnCut, GcnCutOptions, GcnOptions, GcnOutcome, GcnTraining, Nodes, disassemble_gcn,
    eval_gcn, train_gcn,
};
pub use initialise::initialise;
pub use inspect::{GroupRow, Inspection, LayerRow, MemberRow, explain, inspect};
pub use kept::{KeptMap, additions, kept_map, wanted_labels};
pub use layers::{LayerInfo, layers};
pub use link::{Relevance, Rule, Thresholds, link, reference_masks};
pub use moments::{Moments, with_moments};
pub use probe::{Probe, ProbeImages, probe};
pub use profile::{
    Header, LayerSums, Profile, ProfileOptions, ProfilingPass, profile, profiling_pass,
};
pub use progress::{Progress, Silent};
pub use random::{random_weights, uniform};
pub use refit::{
    Alignment, Cut, Nearer, Readout, RefitOptions, Towards, align, image_limit, refit,
};
pub use reject::{Reject, RejectAt, Rejection, fit_reject};
pub use report::{Page, Picture, png};
pub use route::{
    Kind, LayerOverlap, Merge, Overlap, Route, RouteLayer, RouteLink, RouteNode, RouteOptions,
    RouteRow, route,
};
pub use select::{ClassSamples, Sample, Sampling, margin, select, top_class};
pub use shrink::{Shrink, ShrinkOptions};
pub use sizes::Sizes;
pub use source::{Held, Numbered, Source, random_images};
pub use store::{load_profile, save_masks, save_profile};
pub use train::{
    Checkpoint, DistillOptions, Distillation, Epoch, Labels, Material, Objective, Outcome, Score,
    Teacher, TrainOptions, Trainer, Watch, score,
};
pub use verify::{Verification, part_images, recut, verify, verify_assembled};
pub use without::without;
