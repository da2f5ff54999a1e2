//! Proof that a component or an assembled model computes what its sources compute.

use std::sync::Arc;

use brickwork_exec::Session;
use brickwork_graph::{Channels, Graph, Keep, ValueId, cut, mask, own_constants};
use brickwork_tensor::Tensor;
use schemars::JsonSchema;
use serde::Serialize;

use crate::cut::kept_channels::{additions, kept_map, wanted_labels};
use crate::cut::plan::{TOLERANCE, class_labels, relative_difference, silence};
use crate::join::calibrate::CORRECTION;
use crate::join::input::adapted_name;
use crate::model::card::{Card, OnDuplicate, Origin, Part};
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::layers::{LayerInfo, layers};
use crate::refit::without_readout;

/// What was compared and how far apart it was.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Verification {
    /// Whether everything is within tolerance.
    pub holds: bool,
    /// Largest difference, relative to the largest element of the compared value, over all layers.
    pub worst: f32,
    /// The layer where it was found.
    pub worst_layer: String,
    /// Number of layers compared.
    pub layers: usize,
    /// The largest difference of the scores.
    pub scores: f32,
    /// What is known of the weights.
    pub weights: Weights,
    /// Where weights were refitted or trained after the cut, which then is checked on the source's own:
    /// how far the scores are from the bare cut's, relative to the largest.
    pub moved: Option<f32>,
    /// The tolerance.
    pub tolerance: f32,
}

/// What is known of the weights of a model that was cut or assembled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Weights {
    /// They were compared: they compute what the sources' do.
    Compared,
    /// They were refitted, calibrated or trained since, and are those that were written then.
    AsWritten,
    /// They were refitted, calibrated or trained since, and are not those that were written then.
    Changed,
    /// They were refitted, calibrated or trained since, and the file does not say to what: it is of an
    /// earlier version, or was never written.
    Unknown,
}

impl Weights {
    /// Of a model whose weights are not its sources' own.
    fn of(model: &Classifier) -> Self {
        match &model.card().written {
            Some(written) if model.has_fingerprint(written) => Self::AsWritten,
            Some(_) => Self::Changed,
            None => Self::Unknown,
        }
    }
}

impl Verification {
    /// Before anything was compared.
    fn of(layers: usize) -> Self {
        Self {
            holds: true,
            worst: 0.0,
            worst_layer: String::new(),
            layers,
            scores: 0.0,
            weights: Weights::Compared,
            moved: None,
            tolerance: TOLERANCE,
        }
    }

    /// Takes in the difference at one layer or part.
    fn note(&mut self, place: &str, difference: f32) {
        if self.worst_layer.is_empty() || difference > self.worst || difference.is_nan() {
            (self.worst, self.worst_layer) = (difference, place.to_owned());
        }
    }

    /// With the verdict, once all differences and the weights are known.
    fn judged(mut self) -> Self {
        let proved = matches!(self.weights, Weights::Compared | Weights::AsWritten);
        self.holds = self.worst <= TOLERANCE && self.scores <= TOLERANCE && proved;
        self
    }
}

/// Checks that `component` is a cut of `source` that kept the function: cut again by the kept
/// channels in its card, the source gives a graph of the same nodes and shapes, whose every layer
/// computes on `images` `[n, c, h, w]` what the source computes with the removed channels masked.
/// Unless it was refitted or trained, the file computes the same; else its weights are those that were
/// written then.
///
/// # Errors
/// If the component does not say where it comes from, or comes from another model.
pub fn verify(
    source: &Classifier,
    component: &Classifier,
    images: &Tensor,
) -> Result<Verification, Error> {
    let Again { origin, source, channels, layers: all, keep, graph: mut again } =
        cut_again(source, component)?;
    if origin.refit.as_ref().is_some_and(|note| note.readout > 0) {
        // A readout of the refit is no part of the cut, and takes the place of the source's.
        let [cut, file] = [&again, component.graph()].map(without_readout);
        same_structure(&cut?, &file?, &component.name)?;
    } else {
        same_structure(&again, component.graph(), &component.name)?;
    }
    let mut masked = mask(&source, &channels, &keep).apply(&source)?;
    if !origin.reads.is_empty() {
        again = silence(&again, &origin.reads, Some(&origin.kept))?;
        masked = silence(&masked, &origin.reads, None)?;
    }
    let moved = origin.refit.is_some() || origin.trained;
    let judged = if moved { Arc::new(again) } else { component.graph().clone() };
    let mut found = compare(&Arc::new(masked), &judged, &all, &channels, &keep, images)?;
    if moved {
        found.weights = Weights::of(component);
        found.moved = Some(relative_difference(
            &logits(component.graph(), images)?,
            &logits(&judged, images)?,
        ));
    }
    Ok(found.judged())
}

fn check_origin(source: &Classifier, component: &Classifier, origin: &Origin) -> Result<(), Error> {
    if source.has_fingerprint(&origin.fingerprint) {
        return Ok(());
    }
    let found = source.fingerprint();
    Err(Error::model(format!(
        "`{}` was cut from `{}` (fingerprint {:.15}), not from `{}` (fingerprint {:.15})",
        component.name, origin.source, origin.fingerprint, source.name, found
    )))
}

/// The closed keep of a card; it must be exactly what the card says.
fn keep_of(
    graph: &Graph,
    channels: &Channels,
    all: &[LayerInfo],
    origin: &Origin,
) -> Result<Keep, Error> {
    let mut wanted = wanted_labels(graph, channels, all, &origin.kept)?;
    for (class, &label) in class_labels(graph, channels)?.iter().enumerate() {
        wanted[label as usize] = origin.classes.contains(&class);
    }
    let keep = Keep::closed(graph, channels, |label| wanted[label as usize], |_| 0.0);
    let more = additions(&origin.kept, &kept_map(channels, all, &keep));
    match more.keys().next() {
        None => Ok(keep),
        Some(layer) => Err(Error::model(format!(
            "the kept channels in the file cannot be cut as they stand: layer `{layer}` needs others too"
        ))),
    }
}

/// Same nodes in the same order, same shapes.
fn same_structure(expected: &Graph, found: &Graph, name: &str) -> Result<(), Error> {
    let outline = |graph: &Graph| -> Vec<String> {
        graph
            .nodes()
            .iter()
            .map(|node| {
                let shapes: Vec<String> =
                    node.outputs.iter().map(|&v| graph.value(v).shape.to_string()).collect();
                format!("{} {} {}", node.name, node.op.kind(), shapes.join(" "))
            })
            .collect()
    };
    let (expected, found) = (outline(expected), outline(found));
    match expected.iter().zip(&found).find(|(a, b)| a != b) {
        None if expected.len() == found.len() => Ok(()),
        Some((a, b)) => Err(Error::model(format!(
            "`{name}` is not the cut its card describes: expected `{a}`, found `{b}`"
        ))),
        None => Err(Error::model(format!(
            "`{name}` is not the cut its card describes: expected {} nodes, found {}",
            expected.len(),
            found.len()
        ))),
    }
}

fn run(graph: &Arc<Graph>, fetches: &[ValueId], images: &Tensor) -> Result<Vec<Tensor>, Error> {
    let mut session = Session::new(graph.clone(), fetches).unfused();
    Ok(session.outputs(images.shape()[0], images.data())?)
}

fn compare(
    masked: &Arc<Graph>,
    small: &Arc<Graph>,
    all: &[LayerInfo],
    channels: &Channels,
    keep: &Keep,
    images: &Tensor,
) -> Result<Verification, Error> {
    let names: Vec<&LayerInfo> = all.iter().collect();
    let fetches = |graph: &Graph| -> Result<Vec<ValueId>, Error> {
        names
            .iter()
            .map(|layer| {
                let node = graph.find_node(&layer.name);
                node.map(|id| graph.node(id).outputs[0]).ok_or_else(|| {
                    Error::model(format!("layer `{}` is missing from the component", layer.name))
                })
            })
            .collect()
    };
    let ours = run(small, &fetches(small)?, images)?;
    let theirs = run(masked, &fetches(masked)?, images)?;
    let mut found = Verification::of(names.len());
    for ((layer, a), b) in names.iter().zip(&ours).zip(&theirs) {
        let Some(ends) = channels.layer(layer.node) else { continue };
        let axis = layer.weighted.channel_axis(b.rank());
        let difference =
            relative_difference(a, &b.take(axis, &keep.indices(channels, &ends.outputs)));
        found.note(&layer.name, difference);
    }
    let classes = keep.indices(channels, &class_labels(masked, channels)?);
    let (ours, theirs) = (logits(small, images)?, logits(masked, images)?);
    found.scores = relative_difference(&ours, &theirs.take(1, &classes));
    Ok(found.judged())
}

/// A component's source, cut once more.
struct Again<'a> {
    origin: &'a Origin,
    /// The source, with constants of its own for every node: what is only stored together may have been
    /// cut apart.
    source: Graph,
    channels: Channels,
    layers: Vec<LayerInfo>,
    keep: Keep,
    graph: Graph,
}

/// Cuts the source by the kept channels in the component's card.
fn cut_again<'a>(source: &Classifier, component: &'a Classifier) -> Result<Again<'a>, Error> {
    let origin = component.card().origin.as_ref().ok_or_else(|| {
        Error::model(format!("`{}` does not say which model it was cut from", component.name))
    })?;
    check_origin(source, component, origin)?;
    let source = own_constants(source.graph());
    let channels = Channels::of(&source);
    let layers = layers(&source);
    let keep = keep_of(&source, &channels, &layers, origin)?;
    let graph = cut(&source, &channels, &keep)?.apply(&source)?;
    Ok(Again { origin, source, channels, layers, keep, graph })
}

/// The bare cut behind a component: its source cut again by the kept channels in its card, with the
/// source's own weights.
///
/// # Errors
/// If the component does not come from `source`.
pub fn recut(source: &Classifier, component: &Classifier) -> Result<Classifier, Error> {
    let Again { origin, graph: mut again, .. } = cut_again(source, component)?;
    if !origin.reads.is_empty() {
        again = silence(&again, &origin.reads, Some(&origin.kept))?;
    }
    let card = Card { classes: component.class_names(), ..Card::default() };
    Classifier::described(component.name.clone(), again, card)
}

/// The images of an assembled model as each of its parts sees them.
///
/// # Errors
/// If the model cannot run.
pub fn part_images(whole: &Classifier, images: &Tensor) -> Result<Vec<Tensor>, Error> {
    let adapted = |part: &Part| match whole.graph().find_value(&adapted_name(&part.name)) {
        Some(value) => run(whole.graph(), &[value], images).map(|mut values| values.remove(0)),
        None => Ok(images.clone()),
    };
    whole.card().parts.iter().map(adapted).collect()
}

/// Checks that an assembled model computes its parts' logits, scaled and shifted as its card says; a
/// linear correction is taken as the model computes it.
/// `parts` are the components in the card's order; `images` `[n, c, h, w]` are in the assembled
/// model's own preprocessing, and `own` gives the same images in each part's.
///
/// # Errors
/// If a part is not the one that was assembled.
pub fn verify_assembled(
    whole: &Classifier,
    parts: &[Classifier],
    images: &Tensor,
    own: &[Tensor],
) -> Result<Verification, Error> {
    let card: &Card = whole.card();
    if card.parts.len() != parts.len() {
        return Err(Error::model(format!(
            "`{}` has {} parts, {} are given",
            whole.name,
            card.parts.len(),
            parts.len()
        )));
    }
    for (note, part) in card.parts.iter().zip(parts) {
        if !part.has_fingerprint(&note.fingerprint) {
            return Err(Error::model(format!(
                "`{}` is not the part `{}` that was assembled (fingerprint {:.15}, expected {:.15})",
                part.name,
                note.name,
                part.fingerprint(),
                note.fingerprint
            )));
        }
    }
    let scores = logits(whole.graph(), images)?;
    let correction = correction(whole.graph(), images)?;
    let expected = expected_scores(card, parts, own, correction.as_ref(), scores.shape()[1])?;
    let mut found = Verification::of(parts.len());
    if correction.is_some() {
        // It is no part's: only the file knows it.
        found.weights = Weights::of(whole);
    }
    found.scores = relative_difference(&scores, &expected);
    for note in &card.parts {
        let difference =
            relative_difference(&scores.take(1, &note.logits), &expected.take(1, &note.logits));
        found.note(&note.name, difference);
    }
    Ok(found.judged())
}

fn logits(graph: &Arc<Graph>, images: &Tensor) -> Result<Tensor, Error> {
    Ok(run(graph, &[graph.logits()], images)?.remove(0))
}

/// What the linear correction of an assembled model adds to each part's logits, if it has one.
fn correction(graph: &Arc<Graph>, images: &Tensor) -> Result<Option<Tensor>, Error> {
    let value = graph.find_value(CORRECTION);
    value.map(|value| Ok(run(graph, &[value], images)?.remove(0))).transpose()
}

/// The scores an assembled model should give, from its parts run one by one.
fn expected_scores(
    card: &Card,
    parts: &[Classifier],
    own: &[Tensor],
    correction: Option<&Tensor>,
    classes: usize,
) -> Result<Tensor, Error> {
    let images = own.first().map_or(0, |images| images.shape()[0]);
    let mut columns: Vec<Vec<Vec<f32>>> = vec![Vec::new(); classes];
    let mut raw = 0;
    for ((note, part), images) in card.parts.iter().zip(parts).zip(own) {
        let logits = logits(part.graph(), images)?;
        for (k, &place) in note.logits.iter().enumerate() {
            let (scale, shift) = match &card.calibration {
                Some(note) => (note.scale[raw + k], note.shift[raw + k]),
                None => (1.0, 0.0),
            };
            let column = logits.data().iter().skip(k).step_by(logits.shape()[1]);
            let added =
                |row: usize| correction.map_or(0.0, |c| c.data()[row * c.shape()[1] + raw + k]);
            let calibrated = |(row, z): (usize, &f32)| z * scale + added(row) + shift;
            columns[place].push(column.enumerate().map(calibrated).collect());
        }
        raw += note.logits.len();
    }
    let score = |row: usize, place: usize| -> f32 {
        OnDuplicate::join(card.joined, columns[place].iter().map(|column| column[row]))
    };
    let data = (0..images * classes).map(|k| score(k / classes, k % classes)).collect();
    Ok(Tensor::new([images, classes], data))
}
