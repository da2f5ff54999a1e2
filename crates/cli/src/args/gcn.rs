//! What the user may say about networks that classify the nodes of a graph.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{Choices, one_of, parse_threshold};

/// Whether kept weights are refitted.
const REFITS: Choices<bool> = &[("lsq", true), ("none", false)];

/// Graph convolutional networks: train, disassemble and measure
#[derive(Args)]
#[command(after_help = "Example:
  brickwork gcn train --data cora.npz -o gcn.onnx
  brickwork gcn disassemble gcn.onnx --data cora.npz --classes 1-2 -o part.onnx
  brickwork gcn eval part.onnx --data cora.npz --source gcn.onnx")]
pub(crate) struct GcnArgs {
    #[command(subcommand)]
    pub(crate) command: GcnCommand,
}

#[derive(Subcommand)]
pub(crate) enum GcnCommand {
    Train(GcnTrainArgs),
    Disassemble(GcnCutArgs),
    Eval(GcnEvalArgs),
}

/// Train two layers on the nodes of a graph
#[derive(Args)]
#[command(after_help = "Example:
  brickwork gcn train --data cora.npz -o gcn.onnx

The best epoch is chosen on the validation nodes. Measure the result with `brickwork gcn eval`.")]
pub(crate) struct GcnTrainArgs {
    #[command(flatten)]
    pub(crate) data: NodesArgs,
    /// Where to write the model
    #[arg(short, long, value_name = "GCN.onnx")]
    pub(crate) output: PathBuf,
    /// Hidden channels
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub(crate) hidden: usize,
    /// Share of features and hidden channels that are dropped, from 0 to below 1
    #[arg(long, value_name = "X", default_value_t = 0.5)]
    pub(crate) dropout: f32,
    /// Steps, each on all nodes
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) epochs: u32,
    /// Learning rate of Adam
    #[arg(long, value_name = "X", default_value_t = 0.01)]
    pub(crate) lr: f32,
    /// Weight decay of the first layer, as part of the loss
    #[arg(long, value_name = "X", default_value_t = 5e-4)]
    pub(crate) weight_decay: f32,
}

/// Cut the part for some classes out of a model
#[derive(Args)]
#[command(after_help = "Example:
  brickwork gcn disassemble gcn.onnx --data cora.npz --classes 1-2 -o part.onnx

The part takes the same features as the model and reads those it keeps.")]
pub(crate) struct GcnCutArgs {
    /// The model
    #[arg(value_name = "GCN.onnx")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) data: NodesArgs,
    /// Classes of the part: names, indices, inclusive ranges
    #[arg(long, value_name = "CLASSES")]
    pub(crate) classes: String,
    /// Where to write the part
    #[arg(short, long, value_name = "PART.onnx")]
    pub(crate) output: PathBuf,
    /// Nodes per class that decide, at most: the most confident correct ones of train and val
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) samples: u32,
    /// An input counts for an output above this relative contribution
    #[arg(long, value_name = "A", default_value_t = 0.4, value_parser = parse_threshold)]
    pub(crate) alpha: f32,
    /// An input is relevant above this relative count
    #[arg(long, value_name = "B", default_value_t = 0.3, value_parser = parse_threshold)]
    pub(crate) beta: f32,
    /// Refit the kept weights in closed form at the nodes of train and val
    #[arg(long, value_name = "HOW", default_value = "lsq", action = clap::ArgAction::Set, value_parser = one_of(REFITS))]
    pub(crate) refit: bool,
}

/// Measure accuracy and leakage
#[derive(Args)]
#[command(after_help = "Examples:
  brickwork gcn eval gcn.onnx --data cora.npz --classes 1-2
  brickwork gcn eval part.onnx --data cora.npz --source gcn.onnx --json")]
pub(crate) struct GcnEvalArgs {
    /// The model or the part
    #[arg(value_name = "MODEL.onnx")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) data: NodesArgs,
    /// Classes to measure: names, indices, inclusive ranges [default: all of the model's]
    #[arg(long, value_name = "CLASSES")]
    pub(crate) classes: Option<String>,
    /// The nodes to measure at; choose thresholds by val, report test
    #[arg(long, value_enum, default_value_t = NodeSplit::Test)]
    pub(crate) split: NodeSplit,
    /// The model it was cut from, to compare with
    #[arg(long, value_name = "SOURCE.onnx")]
    pub(crate) source: Option<PathBuf>,
}

/// Which nodes.
#[derive(Args)]
pub(crate) struct NodesArgs {
    /// A graph with labelled nodes: an .npz file with edges, labels, feat_indptr, feat_indices, train,
    /// val and test, or a folder with nodes.csv (node,label,split,word_ids) and edges.csv (src,dst)
    #[arg(long, value_name = "DATA")]
    pub(crate) data: PathBuf,
}

/// Nodes that a network may be measured at.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum NodeSplit {
    /// Those that the best epoch was chosen by
    Val,
    /// Those that nothing has seen
    Test,
}
