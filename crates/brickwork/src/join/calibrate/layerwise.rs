//! The published layer-wise scaling.

use std::sync::Arc;

use brickwork_data::Preprocess;
use brickwork_graph::Patch;
use brickwork_tensor::Tensor;

use super::factors::with_factors;
use super::method::{Method, loss_of};
use super::scores::collect;
use crate::images::source::Source;
use crate::model::card::{CalibrationNote, Part};
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::layers::{LayerInfo, layers};
use crate::model::progress::Progress;

/// Equations 12 to 14: front to back, output `j` of a layer is multiplied by `mean(e) / e_j`, where
/// `e_j` is its summed activation on its part's own images and the mean runs over the matching
/// layers of all parts. Parts of different depth are matched from the head backwards. Outputs whose
/// sum is not positive cannot be scaled and stay as they are.
pub(super) fn layerwise(
    model: &Classifier,
    preprocess: &Preprocess,
    sources: &[Source],
    progress: &dyn Progress,
) -> Result<Classifier, Error> {
    let parts = &model.card().parts;
    let by_part = branches(model)?;
    let before = collect(model, preprocess, sources, None, progress)?.right(|_, z| z);
    let depth = by_part.iter().map(Vec::len).min().unwrap_or(0);
    let mut current = model.clone();
    let mut unscaled = 0;
    let mut images = 0;
    progress.begin("scaling layers", depth as u64);
    for place in (1..=depth).rev() {
        let matched: Vec<&LayerInfo> =
            by_part.iter().map(|list| &list[list.len() - place]).collect();
        let sums = activation_sums(&current, preprocess, sources, &matched)?;
        images = sums.1;
        let all: Vec<f64> = sums.0.iter().flatten().copied().collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let mut patch = Patch::new("scaling layers");
        for (layer, sums) in matched.iter().zip(&sums.0) {
            let factors: Vec<f32> = sums
                .iter()
                .map(|&e| {
                    let factor = (mean / e) as f32;
                    let usable = e > 0.0 && mean > 0.0 && factor.is_finite();
                    unscaled += usize::from(!usable);
                    if usable { factor } else { 1.0 }
                })
                .collect();
            scale_outputs(&current, layer, &factors, &mut patch);
        }
        current = current.with_graph(patch.apply(current.graph())?)?;
        progress.advance(1)?;
    }
    let mut notes = vec![format!("{depth} layers of each part were scaled")];
    if unscaled > 0 {
        notes.push(format!(
            "{unscaled} outputs whose summed activation is not positive were left unscaled"
        ));
    }
    let after = collect(&current, preprocess, sources, None, progress)?.right(|_, z| z);
    notes.extend(loss_of(Method::Layerwise, before, after));
    notes.iter().for_each(|note| progress.note(note));
    let count: usize = parts.iter().map(|part| part.logits.len()).sum();
    let note = CalibrationNote {
        method: Method::Layerwise.name().to_owned(),
        images,
        scale: vec![1.0; count],
        shift: vec![0.0; count],
        notes,
        held_out: None,
    };
    with_factors(&current, Some(note))
}

/// The layers of every part.
fn branches(model: &Classifier) -> Result<Vec<Vec<LayerInfo>>, Error> {
    let all = layers(model.graph());
    let of = |part: &Part| {
        let prefix = format!("{}/", part.name);
        all.iter().filter(|layer| layer.name.starts_with(&prefix)).cloned().collect()
    };
    let by_part: Vec<Vec<LayerInfo>> = model.card().parts.iter().map(of).collect();
    if by_part.iter().any(Vec::is_empty) {
        return Err(Error::options(
            "layer-wise scaling needs parts in branches; assemble with `layout=branches`"
                .to_owned(),
        ));
    }
    Ok(by_part)
}

/// For each layer, the mean over its part's own images of every output's sum over positions.
fn activation_sums(
    model: &Classifier,
    preprocess: &Preprocess,
    sources: &[Source],
    matched: &[&LayerInfo],
) -> Result<(Vec<Vec<f64>>, usize), Error> {
    let mut all = Vec::new();
    let mut images = 0;
    for (part, layer) in model.card().parts.iter().zip(matched) {
        let mut sums = vec![0.0f64; layer.weighted.outputs];
        let mut session = model.session(&[layer.output]);
        let mut seen = 0;
        for source in sources {
            let job = source.samples_of(&part.logits);
            seen += job.len();
            source.for_each_batch(&job, model.batch_size(), preprocess, |indices, batch| {
                let values = session.outputs(indices.len(), batch.data())?.remove(0);
                let axis = layer.weighted.channel_axis(values.rank());
                let inner: usize = values.shape()[axis + 1..].iter().product();
                for (k, &value) in values.data().iter().enumerate() {
                    sums[k / inner % layer.weighted.outputs] += f64::from(value);
                }
                Ok(())
            })?;
        }
        images += seen;
        all.push(sums.into_iter().map(|sum| sum / seen as f64).collect());
    }
    Ok((all, images))
}

fn scale_outputs(model: &Classifier, layer: &LayerInfo, factors: &[f32], patch: &mut Patch) {
    let graph = model.graph();
    let Some(stored) = &graph.value(layer.weight).constant else { return };
    let mut weights = layer.weights(graph);
    let each = weights.data().len() / factors.len().max(1);
    for (row, factor) in weights.data_mut().chunks_mut(each.max(1)).zip(factors) {
        row.iter_mut().for_each(|w| *w *= factor);
    }
    patch.constant(layer.weight, Arc::new(layer.weighted.store(&weights, stored)));
    let bias = layer.weighted.bias_slot.and_then(|slot| graph.node(layer.node).input(slot));
    if let Some((id, old)) =
        bias.and_then(|id| graph.value(id).constant.as_ref().map(|old| (id, old)))
    {
        let data = old.data().iter().zip(factors).map(|(b, factor)| b * factor).collect();
        patch.constant(id, Arc::new(Tensor::new(old.shape(), data)));
    }
}
