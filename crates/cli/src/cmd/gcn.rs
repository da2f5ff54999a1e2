//! `brickwork gcn`

mod disassemble;
mod eval;
mod train;

/// The command that holds the others.
pub(crate) fn group() -> clap::Command {
    clap::Command::new("gcn")
        .about("Graph convolutional networks: train, disassemble and measure")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help(
            "Example:
  brickwork gcn train --data cora.npz -o gcn.onnx
  brickwork gcn disassemble gcn.onnx --data cora.npz --classes 1-2 -o component.onnx
  brickwork gcn eval component.onnx --data cora.npz --source gcn.onnx",
        )
}
