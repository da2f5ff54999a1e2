//! Networks that classify the nodes of a graph.

mod disassemble;
mod eval;
mod train;

use std::path::{Path, PathBuf};

use brickwork_formats::onnx;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use disassemble::{GcnDisassemble, GcnDisassembleAnswer, NodeRefitting};
pub use eval::{GcnEval, GcnEvalAnswer, NodeSplit};
pub use train::{GcnTrain, GcnTrainAnswer};

use super::Context;
use super::memory::{InMemory, stem_of};
use crate::gcn::{Gcn, Nodes};
use crate::model::error::{Error, Problem};
use crate::model::provenance::Provenance;

/// The model of this name.
fn load(name: &Path, context: &Context<'_>) -> Result<Gcn, Error> {
    match context.held(name)? {
        None => Gcn::load(name),
        Some(InMemory::File(bytes)) => Gcn::decode(stem_of(name), &bytes),
        Some(_) => Err(Error::options(format!("`{}` classifies no nodes", name.display()))),
    }
}

/// Writes a model under this name.
fn save(model: &Gcn, name: &Path, context: &Context<'_>) -> Result<(), Error> {
    let made = context.provenance()?;
    context.write(&onnx::encode(&Provenance::on(made.as_ref(), &model.to_graph()?)?)?, name)
}

/// Which graph.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct NodesInput {
    /// A graph with labelled nodes: an .npz file with edges, labels, feat_indptr, feat_indices, train,
    /// val and test, or a folder with nodes.csv (node,label,split,word_ids) and edges.csv (src,dst)
    #[schemars(extend("format" = "DATA"))]
    pub data: PathBuf,
}

impl NodesInput {
    fn open(&self) -> Result<Nodes, Error> {
        Nodes::open(&self.data)
    }

    fn problem(&self) -> Option<Problem> {
        let given = !self.data.as_os_str().is_empty();
        Problem::unless(given, "data", "no graph is given; pass `data=`")
    }
}
