//! Kept channels by the names of layers: what goes into metadata and reports, and what a user may
//! give instead of a profile.

use std::collections::BTreeMap;

use brickwork_graph::{Channels, Graph, Keep, Label};

use crate::model::card::KeptLayer;
use crate::model::error::Error;
use crate::model::layers::LayerInfo;

/// Kept channels by layer name.
pub type KeptMap = BTreeMap<String, KeptLayer>;

/// What `keep` leaves of every layer, in the graph's own channel numbers.
pub fn kept_map(channels: &Channels, layers: &[LayerInfo], keep: &Keep) -> KeptMap {
    layers
        .iter()
        .filter_map(|layer| {
            let ends = channels.layer(layer.node)?;
            let kept = KeptLayer {
                input: keep.indices(channels, &ends.inputs),
                output: keep.indices(channels, &ends.outputs),
            };
            Some((layer.name.clone(), kept))
        })
        .collect()
}

/// For every label, whether `map` asks for its group. Groups at no layer of the map are kept: who
/// names one layer means to cut that one.
///
/// # Errors
/// Every layer that does not exist and every channel out of range.
pub fn wanted_labels(
    graph: &Graph,
    channels: &Channels,
    layers: &[LayerInfo],
    map: &KeptMap,
) -> Result<Vec<bool>, Error> {
    let mut problems = Vec::new();
    let mut listed: Vec<(&[Label], &[usize])> = Vec::new();
    for (name, kept) in map {
        let node = graph.find_node(name);
        let layer = layers.iter().find(|layer| Some(layer.node) == node);
        let Some(ends) = layer.and_then(|layer| channels.layer(layer.node)) else {
            problems.push(format!("`{name}` is no weighted layer of the model"));
            continue;
        };
        for (side, labels, indices) in
            [("input", &ends.inputs, &kept.input), ("output", &ends.outputs, &kept.output)]
        {
            match indices.iter().find(|&&index| index >= labels.len()) {
                Some(index) => {
                    problems.push(format!(
                        "`{name}` has {} {side} channels, {index} is none of them",
                        labels.len()
                    ));
                }
                None => listed.push((labels, indices)),
            }
        }
    }
    if !problems.is_empty() {
        problems.truncate(20);
        return Err(Error::options(format!(
            "the kept channels do not fit the model: {}; `brickwork inspect` lists the layers",
            problems.join("; ")
        )));
    }
    let mut asked: BTreeMap<Label, bool> = BTreeMap::new();
    for (labels, indices) in &listed {
        for (index, &label) in labels.iter().enumerate() {
            *asked.entry(channels.group(label)).or_default() |= indices.contains(&index);
        }
    }
    let wanted = (0..channels.len() as Label)
        .map(|label| asked.get(&channels.group(label)).copied().unwrap_or(true))
        .collect();
    Ok(wanted)
}

/// What `full` keeps beyond `asked`, layer by layer; layers without additions are left out.
pub fn additions(asked: &KeptMap, full: &KeptMap) -> KeptMap {
    let beyond = |full: &[usize], asked: &[usize]| -> Vec<usize> {
        full.iter().copied().filter(|index| !asked.contains(index)).collect()
    };
    full.iter()
        .filter_map(|(name, kept)| {
            let known = asked.get(name)?;
            let more = KeptLayer {
                input: beyond(&kept.input, &known.input),
                output: beyond(&kept.output, &known.output),
            };
            (more != KeptLayer::default()).then(|| (name.clone(), more))
        })
        .collect()
}

/// All channels of what `kept` leaves, in its own numbers.
pub(crate) fn everything(kept: &KeptMap) -> KeptMap {
    let all = |layer: &KeptLayer| KeptLayer {
        input: (0..layer.input.len()).collect(),
        output: (0..layer.output.len()).collect(),
    };
    kept.iter().map(|(name, layer)| (name.clone(), all(layer))).collect()
}

/// What `inner` keeps of what `outer` keeps.
pub(crate) fn within(outer: &KeptMap, inner: &KeptMap) -> KeptMap {
    let of = |outer: &[usize], inner: &[usize]| inner.iter().map(|&k| outer[k]).collect();
    let both = |(name, layer): (&String, &KeptLayer)| {
        let outer = outer.get(name)?;
        let (input, output) = (of(&outer.input, &layer.input), of(&outer.output, &layer.output));
        Some((name.clone(), KeptLayer { input, output }))
    };
    inner.iter().filter_map(both).collect::<BTreeMap<_, _>>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_of_a_cut_is_a_cut() {
        let map = |input: &[usize], output: &[usize]| -> KeptMap {
            let layer = KeptLayer { input: input.to_vec(), output: output.to_vec() };
            [("a".to_owned(), layer)].into()
        };
        let outer = map(&[1, 4, 6], &[0, 2]);
        assert_eq!(within(&outer, &map(&[0, 2], &[1])), map(&[1, 6], &[2]));
        assert_eq!(within(&outer, &everything(&outer)), outer);
    }
}
