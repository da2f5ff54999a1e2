//! Measuring a network that classifies nodes.

use super::{Gcn, Nodes};
use crate::measure::eval::Report;
use crate::measure::scored::Scored;
use crate::model::error::{Error, Refusal};

/// Measures `model` at the nodes `at` on the task `classes` (its own numbers), next to the source it was
/// cut from. In the report, images are nodes.
///
/// # Errors
/// If a class of a model is none of the data's, or none of the nodes has a class of the task.
pub fn eval_gcn(
    model: &Gcn,
    nodes: &Nodes,
    at: &[usize],
    classes: &[usize],
    source: Option<&Gcn>,
) -> Result<Report, Error> {
    model.check_data(nodes)?;
    let own = places(&model.class_names(), &nodes.classes, &model.name)?;
    let scored = scored(model, nodes, at, &own, classes)?;
    if scored.own.is_empty() {
        return Err(Error::options("no node to measure at has a class of the task".to_owned()));
    }
    let mut report = Report::of(&scored, classes, &model.class_names(), model.card());
    if let Some(source) = source {
        let names = source.class_names();
        let indices = places(&model.class_names(), &names, &source.name)?;
        let base = self::scored(source, nodes, at, &own, classes)?;
        report.compare(base, classes, &indices, names.len());
    }
    Ok(report)
}

/// Where each of `names` stands in `list`.
fn places(names: &[String], list: &[String], of: &str) -> Result<Vec<usize>, Error> {
    let place = |name: &String| {
        list.iter().position(|other| other == name).ok_or_else(|| {
            let message = format!("class `{name}` of `{of}` is none of {}", list.join(", "));
            Error::options(Refusal { message, class: Some(name.clone()), ..Refusal::default() })
        })
    };
    names.iter().map(place).collect()
}

/// The scores of `network` at the nodes `at`. The task `classes` is in numbers of the model under test,
/// whose numbers in the data are `own`.
fn scored(
    network: &Gcn,
    nodes: &Nodes,
    at: &[usize],
    own: &[usize],
    classes: &[usize],
) -> Result<Scored, Error> {
    network.check_data(nodes)?;
    let scores = network.scores(&nodes.matrix())?;
    let count = scores.shape()[1];
    let mut scored = Scored { own: Vec::new(), foreign: Vec::new() };
    for &node in at {
        let row = scores.data()[node * count..(node + 1) * count].to_vec();
        let class = own.iter().position(|&class| class == nodes.labels[node]);
        match class.filter(|class| classes.contains(class)) {
            Some(class) => scored.own.push((class, row)),
            None => scored.foreign.push(row),
        }
    }
    Ok(scored)
}
