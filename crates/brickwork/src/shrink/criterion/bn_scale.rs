//! Scales of batch normalisation (Liu et al. 2017, "Learning efficient convolutional networks through
//! network slimming").

use brickwork_graph::{Binding, Graph};

use super::ground::Ground;
use super::opinions::Opinions;
use crate::model::error::Error;

/// The slot of a normalisation's scale.
const SCALE: usize = 1;

/// `|scale|` of every channel, from the normalisations it passes.
pub(super) fn scores(ground: &Ground<'_>) -> Result<Vec<f64>, Error> {
    let mut opinions = Opinions::new(&ground.channels);
    for binding in ground.channels.bindings().iter().filter(|b| is_scale(ground.graph, b)) {
        if let Some(scale) = &ground.graph.value(binding.constant).constant {
            let sizes: Vec<f64> = scale.data().iter().map(|x| f64::from(x.abs())).collect();
            opinions.add(&binding.labels, &sizes);
        }
    }
    refuse_unheard(ground, &opinions)?;
    Ok(opinions.means())
}

/// A node that keeps running statistics normalises.
fn is_scale(graph: &Graph, binding: &Binding) -> bool {
    let node = graph.node(binding.node);
    let normalises = (0..node.inputs.len()).any(|slot| node.op.is_statistic(slot));
    normalises && binding.slot == SCALE
}

fn refuse_unheard(ground: &Ground<'_>, opinions: &Opinions<'_>) -> Result<(), Error> {
    let frozen = ground.channels.frozen();
    let lost: Vec<&str> = ground
        .layers
        .iter()
        .filter(|layer| {
            let outputs = ground.channels.layer(layer.node).map_or(&[][..], |ends| &ends.outputs);
            outputs.iter().any(|&label| {
                let free = !frozen[label as usize] && !ground.classes.contains(&label);
                free && !opinions.heard(label)
            })
        })
        .map(|layer| layer.name.as_str())
        .collect();
    if lost.is_empty() {
        return Ok(());
    }
    let more = if lost.len() > 8 { ", ..." } else { "" };
    Err(Error::model(format!(
        "bn-scale judges by batch normalisation, but none follows {} layers: {}{more}; where it was folded \
         into the layers, export the model without folding it, or choose another criterion",
        lost.len(),
        lost[..lost.len().min(8)].join(", ")
    )))
}
