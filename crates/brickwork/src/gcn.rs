//! Graph convolutional networks: the nodes of one graph are classified by their features and those of
//! their neighbours (Kipf and Welling, "Semi-supervised classification with graph convolutional
//! networks", 2017).
//!
//! The same rule takes them apart: a node is a sample, and what a layer sums over are channels.

mod disassemble;
mod eval;
mod model;
mod nodes;
mod train;

pub use disassemble::{GcnCut, GcnCutOptions, disassemble_gcn};
pub use eval::eval_gcn;
pub use model::{Gcn, GcnOptions};
pub use nodes::Nodes;
pub use train::{GcnOutcome, GcnTraining, train_gcn};
