//! Assembling: one image in, all parts' logits side by side out.

use brickwork_graph::{Builder, Shape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::assembly::Assembly;
use super::head::head;
use super::shared::SHARED;
use super::{branches, padded};
use crate::model::card::OnDuplicate;
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::layers::layers;

/// How the parts are laid out in the assembled graph. The function is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// As parallel branches; any parts; the cost is the sum of the parts', less what several of
    /// them have in common, which is stored and run once.
    #[default]
    Branches,
    /// As one network of block-diagonal layers (the paper's alignment padding); parts of one
    /// architecture only.
    Padded,
}

/// How to assemble.
#[derive(Clone, Copy, Debug, Default)]
pub struct AssembleOptions {
    /// The layout.
    pub layout: Layout,
    /// What to do about classes of one name.
    pub on_duplicate: OnDuplicate,
}

/// Joins `parts` into one classifier.
///
/// Parts with equal preprocessing share the input as it is. Otherwise the input is the plain image
/// (pixels times the common scale) at the largest part's size, and every part gets nodes of its own
/// that convert colours, resize and normalise.
///
/// # Errors
/// If a part lacks preprocessing, classes share a name and are not to be joined, or the layout
/// cannot hold the parts.
pub fn assemble(parts: &[Classifier], options: &AssembleOptions) -> Result<Classifier, Error> {
    let assembly = Assembly::new(parts, options.on_duplicate)?;
    let mut builder = Builder::new("assembled", 17, None);
    let [height, width] = assembly.shared.size;
    builder.input("image", Shape::batched(&[assembly.shared.channels, height, width]));
    let joined = match options.layout {
        Layout::Branches => branches::build(&mut builder, &assembly),
        Layout::Padded => padded::build(&mut builder, &assembly)?,
    };
    head(&mut builder, &assembly, &joined);
    builder.output("logits");
    Classifier::described("assembled", builder.finish()?, assembly.card())
}

/// The weighted layers of an assembled model that several of its parts use.
pub fn shared_layers(whole: &Classifier) -> Vec<String> {
    let prefix = format!("{SHARED}/");
    let names = layers(whole.graph()).into_iter().map(|layer| layer.name);
    names.filter(|name| !whole.card().parts.is_empty() && name.starts_with(&prefix)).collect()
}
