//! What is typed of `brickwork box`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// A store of models and components on this machine
///
/// Wherever a command takes a model, it takes box:NAME, box:NAME@TAG, box:NAME/CLASSES for the component of that
/// model for these classes, and box:sha256-AB12 for a model whose digest begins so.
#[derive(Args)]
#[command(arg_required_else_help = true)]
#[command(after_help = "Examples:
  brickwork box add digits.onnx low.onnx
  brickwork box ls --class 7
  brickwork eval box:digits --data data/digits
  brickwork assemble box:digits/0,1,2,3,4 box:shoes -o joined.onnx")]
pub(crate) struct BoxArgs {
    #[command(subcommand)]
    pub(crate) command: BoxCommand,
}

#[derive(Subcommand)]
pub(crate) enum BoxCommand {
    /// Put models into the box
    #[command(after_help = "Examples:
  brickwork box add low.onnx shoes.onnx
  brickwork box add resnet20.onnx --name resnet20@v2 --accuracy 92.1 --licence MIT")]
    Add(AddArgs),
    /// List what is in the box
    #[command(after_help = "Examples:
  brickwork box ls
  brickwork box ls --class cat --most-bytes 1000000 --least-accuracy 90")]
    Ls(LsArgs),
    /// Show what is known of a model
    #[command(after_help = "Example:\n  brickwork box show digits")]
    Show(NameArgs),
    /// Take names away, and models that have no other
    #[command(after_help = "Example:\n  brickwork box rm digits shoes@v1")]
    Rm {
        /// Names or digests
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
    },
    /// Give a model another name
    #[command(after_help = "Example:\n  brickwork box tag digits digits@v1")]
    Tag {
        /// Its name or digest
        name: String,
        /// The new name: NAME or NAME@TAG
        #[arg(value_name = "NEW")]
        new: String,
    },
    /// Look at every file of the box, and make its index again
    #[command(after_help = "Example:\n  brickwork box check")]
    Check,
    /// Write a model's file
    #[command(after_help = "Example:\n  brickwork box export digits@v1 -o digits.onnx")]
    Export {
        /// Its name or digest
        name: String,
        /// Where to write it
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Remove the bytes that no model needs any more
    #[command(after_help = "Example:\n  brickwork box gc")]
    Gc,
}

#[derive(Args)]
pub(crate) struct AddArgs {
    /// The models
    #[arg(value_name = "MODEL.onnx", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// What to call it: NAME or NAME@TAG [default: as its file]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Its accuracy in percent, to search by
    #[arg(long, value_name = "PERCENT")]
    pub(crate) accuracy: Option<f64>,
    /// Its licence, to search by [default: what it says itself]
    #[arg(long)]
    pub(crate) licence: Option<String>,
}

#[derive(Args)]
pub(crate) struct LsArgs {
    /// Only what has this class
    #[arg(long)]
    pub(crate) class: Option<String>,
    /// Only what was cut from this model, or has this part
    #[arg(long)]
    pub(crate) source: Option<String>,
    /// Only files of at most so many bytes
    #[arg(long, value_name = "N")]
    pub(crate) most_bytes: Option<u64>,
    /// Only models of at most so many parameters
    #[arg(long, value_name = "N")]
    pub(crate) most_params: Option<u64>,
    /// Only models of at least this accuracy
    #[arg(long, value_name = "PERCENT")]
    pub(crate) least_accuracy: Option<f64>,
    /// Only models of this licence
    #[arg(long)]
    pub(crate) licence: Option<String>,
}

#[derive(Args)]
pub(crate) struct NameArgs {
    /// Its name or digest
    pub(crate) name: String,
}
