//! What differs between two models, layer by layer.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::measure::stages::{Stage, stages};
use crate::model::card::KeptLayer;
use crate::model::classifier::Classifier;
use crate::model::layers::{LayerInfo, layers};

/// Two models compared.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Difference {
    /// Learned parameters of both.
    pub params: [usize; 2],
    /// Multiply-accumulates of both.
    pub macs: [u64; 2],
    /// Weighted layers by name, in the first model's order, then those only the second has.
    pub layers: Vec<LayerDifference>,
    /// How the first model's layers read each other.
    #[serde(skip)]
    pub stages: Vec<Stage>,
}

/// One weighted layer in two models.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct LayerDifference {
    /// Its name.
    pub name: String,
    /// Input channels in both; missing where the model lacks the layer.
    pub inputs: [Option<usize>; 2],
    /// Output channels in both.
    pub outputs: [Option<usize>; 2],
    /// Multiply-accumulates in both.
    pub macs: [Option<u64>; 2],
    /// The kept channels of the first model, if the second was cut from it.
    pub kept: Option<KeptLayer>,
    /// Largest difference of the weights that both have, relative to the largest weight.
    pub weights: Option<f32>,
}

/// Compares two models by the names of their layers.
pub fn diff(a: &Classifier, b: &Classifier) -> Difference {
    let (ours, theirs) = (layers(a.graph()), layers(b.graph()));
    let find =
        |list: &[LayerInfo], name: &str| list.iter().find(|layer| layer.name == name).cloned();
    let origin = b.card().origin.as_ref().filter(|origin| a.has_fingerprint(&origin.fingerprint));
    let empty = BTreeMap::new();
    let kept = origin.map_or(&empty, |origin| &origin.kept);
    let mut names: Vec<&String> = ours.iter().map(|layer| &layer.name).collect();
    names.extend(theirs.iter().map(|layer| &layer.name).filter(|n| find(&ours, n).is_none()));
    let rows = names
        .into_iter()
        .map(|name| {
            let pair = [find(&ours, name), find(&theirs, name)];
            let get = |k: usize, f: fn(&LayerInfo) -> usize| pair[k].as_ref().map(f);
            let macs = |k: usize, model: &Classifier| {
                pair[k].as_ref().map(|l| model.graph().node_macs(l.node))
            };
            let whole = KeptLayer {
                input: (0..get(0, |l| l.weighted.inputs).unwrap_or(0)).collect(),
                output: (0..get(0, |l| l.weighted.outputs).unwrap_or(0)).collect(),
            };
            let weights = match &pair {
                [Some(x), Some(y)] => moved(a, x, b, y, kept.get(name).unwrap_or(&whole)),
                _ => None,
            };
            LayerDifference {
                name: name.clone(),
                inputs: [get(0, |l| l.weighted.inputs), get(1, |l| l.weighted.inputs)],
                outputs: [get(0, |l| l.weighted.outputs), get(1, |l| l.weighted.outputs)],
                macs: [macs(0, a), macs(1, b)],
                kept: kept.get(name).cloned(),
                weights,
            }
        })
        .collect();
    Difference {
        params: [a.graph().parameters(), b.graph().parameters()],
        macs: [a.graph().macs(), b.graph().macs()],
        layers: rows,
        stages: stages(a.graph()),
    }
}

/// How far the weights of `y` are from the kept weights of `x`.
fn moved(
    a: &Classifier,
    x: &LayerInfo,
    b: &Classifier,
    y: &LayerInfo,
    kept: &KeptLayer,
) -> Option<f32> {
    let fits = |list: &[usize], extent: usize| list.iter().all(|&index| index < extent);
    let known = fits(&kept.output, x.weighted.outputs) && fits(&kept.input, x.weighted.inputs);
    if x.weighted.groups > 1 || !known {
        return None;
    }
    let expected = x.weights(a.graph()).take(0, &kept.output).take(1, &kept.input);
    let found = y.weights(b.graph());
    (expected.shape() == found.shape())
        .then(|| crate::cut::plan::relative_difference(&found, &expected))
}
