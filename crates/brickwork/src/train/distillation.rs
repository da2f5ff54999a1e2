//! Learning from teachers.

use brickwork_data::Preprocess;
use brickwork_exec::{Session, Target, distillation, squared_error};
use brickwork_graph::{Graph, ValueId};
use brickwork_tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::objective::{Labels, Objective, broken};
use crate::model::classifier::Classifier;
use crate::model::error::Error;

/// How much of what is learned from teachers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DistillOptions {
    /// Temperature of the scores, above 0.
    pub temperature: f64,
    /// Share of the labels in the loss, 0 to 1; the rest is the teachers'.
    pub share: f64,
    /// Label smoothing, 0 to 1.
    pub smoothing: f64,
    /// Names of values, the student's and the first teacher's, whose mean squared distance counts
    /// too.
    pub features: Vec<(String, String)>,
    /// The factor of that distance.
    pub weight: f64,
}

/// A network to learn from.
pub struct Teacher {
    name: String,
    session: Session,
    /// For every class of the student, the teacher's, if it has it.
    classes: Vec<Option<usize>>,
    count: usize,
    /// What takes the student's input to the teacher's, per channel: factor and summand.
    adapt: Vec<(f32, f32)>,
    size: [usize; 2],
}

impl Teacher {
    /// A teacher for a student with classes `names` whose images are prepared by `preprocess`.
    ///
    /// # Errors
    /// If it shares no class with the student, does not say how its own images are prepared, or takes
    /// images of another size or channel order.
    pub fn new(
        model: &Classifier,
        names: &[String],
        preprocess: &Preprocess,
    ) -> Result<Self, Error> {
        let refuse = |why: String| Error::options(format!("teacher `{}` {why}", model.name));
        let own = model.class_names();
        let classes: Vec<Option<usize>> =
            names.iter().map(|name| own.iter().position(|other| other == name)).collect();
        if classes.iter().all(Option::is_none) {
            return Err(refuse(format!(
                "has none of the student's classes: it has {}, the student {}",
                own.join(", "),
                names.join(", ")
            )));
        }
        let its = model.card().preprocess.as_ref().ok_or_else(|| {
            refuse("does not say how pixels become its input; annotate writes it".to_owned())
        })?;
        let [channels, height, width] = model.input();
        if [channels, height, width]
            != [preprocess.channels, preprocess.size[0], preprocess.size[1]]
            || its.order != preprocess.order
        {
            return Err(refuse(format!(
                "takes {height}x{width} images with {channels} channels in its own order, the student \
                 {}x{} with {}; both must agree",
                preprocess.size[0], preprocess.size[1], preprocess.channels
            )));
        }
        Ok(Self {
            name: model.name.clone(),
            count: own.len(),
            classes,
            adapt: (0..channels).map(|c| between(preprocess, its, c)).collect(),
            size: [height, width],
            session: Session::new(model.graph().clone(), &[model.graph().logits()]),
        })
    }

    /// Whether it knows the student's class.
    pub fn knows(&self, class: usize) -> bool {
        self.classes[class].is_some()
    }

    /// Its values for images `[n, c, h, w]` prepared for the student.
    fn values(&mut self, images: &Tensor) -> Result<Vec<Tensor>, Error> {
        let plane = self.size[0] * self.size[1];
        let mut own = images.data().to_vec();
        for (k, pixels) in own.chunks_mut(plane).enumerate() {
            let (factor, summand) = self.adapt[k % self.adapt.len()];
            pixels.iter_mut().for_each(|x| *x = *x * factor + summand);
        }
        Ok(self.session.outputs(images.shape()[0], &own)?)
    }
}

/// `y' = factor * y + summand` for pixels prepared in one way and in another:
/// `y = (x * scale - mean) / std`.
fn between(from: &Preprocess, to: &Preprocess, channel: usize) -> (f32, f32) {
    let of = |list: &[f32]| list[channel % list.len()];
    // Pixels of bytes are scaled alike where neither says otherwise.
    let ratio = to.scale.unwrap_or(1.0 / 255.0) / from.scale.unwrap_or(1.0 / 255.0);
    let factor = of(&from.std) * ratio / of(&to.std);
    (factor, (of(&from.mean) * ratio - of(&to.mean)) / of(&to.std))
}

/// Towards the scores of teachers (Hinton et al. 2015) and towards labels. A sample learns from the
/// teachers that know its class; classes that such a teacher does not have get probability 0, so that
/// the student learns to tell the teachers' classes apart. Samples that no teacher knows learn from
/// their labels alone.
pub struct Distillation {
    teachers: Vec<Teacher>,
    options: DistillOptions,
}

impl Distillation {
    /// # Errors
    /// If the first teacher has no value that is named as a feature.
    pub fn new(
        mut teachers: Vec<Teacher>,
        options: DistillOptions,
        first: &Classifier,
    ) -> Result<Self, Error> {
        let fetches: Vec<ValueId> = std::iter::once(Ok(first.graph().logits()))
            .chain(options.features.iter().map(|(_, name)| find(first.graph(), name, "teacher")))
            .collect::<Result<_, _>>()?;
        if let Some(teacher) = teachers.first_mut() {
            teacher.session = Session::new(first.graph().clone(), &fetches);
        }
        Ok(Self { teachers, options })
    }
}

fn find(graph: &Graph, name: &str, whose: &str) -> Result<ValueId, Error> {
    graph.find_value(name).ok_or_else(|| {
        Error::options(format!(
            "the {whose} has no value `{name}`; values are named as in the file it was read from"
        ))
    })
}

impl Objective for Distillation {
    fn describe(&self) -> String {
        let names: Vec<&str> = self.teachers.iter().map(|teacher| &teacher.name[..]).collect();
        format!("teachers {}, {:?}", names.join(", "), self.options)
    }

    fn targets(&self, graph: &Graph) -> Result<Vec<ValueId>, Error> {
        let features = self.options.features.iter().map(|(name, _)| find(graph, name, "student"));
        std::iter::once(Ok(graph.logits())).chain(features).collect()
    }

    fn loss(
        &mut self,
        images: &Tensor,
        labels: &[Vec<usize>],
        targets: &mut [Target<'_>],
    ) -> Result<(f64, usize), Error> {
        let options = &self.options;
        let (scores, features) = targets.split_at_mut(1);
        let by_labels = &mut Labels { smoothing: options.smoothing, ..Labels::default() };
        let (mut loss, hits) = by_labels.loss(images, labels, scores)?;
        let labels = &labels.concat();
        let Target { data, gradient, .. } = &mut scores[0];
        loss *= options.share;
        gradient.iter_mut().for_each(|g| *g *= options.share as f32);
        let mut inner = Vec::new();
        for (k, teacher) in self.teachers.iter_mut().enumerate() {
            let mut values = teacher.values(images)?;
            let wanted = values.remove(0);
            loss +=
                (1.0 - options.share) * teacher.teach(&wanted, labels, data, gradient, options)?;
            if k == 0 {
                inner = values;
            }
        }
        for (feature, wanted) in features.iter_mut().zip(&inner) {
            let distance =
                squared_error(feature.data, wanted.data(), feature.gradient).map_err(broken)?;
            loss += options.weight * distance;
            feature.gradient.iter_mut().for_each(|g| *g *= options.weight as f32);
        }
        Ok((loss, hits))
    }
}

impl Teacher {
    /// Adds the gradient of its part of the loss, over the samples whose class it knows.
    fn teach(
        &self,
        wanted: &Tensor,
        labels: &[usize],
        scores: &[f32],
        gradient: &mut [f32],
        options: &DistillOptions,
    ) -> Result<f64, Error> {
        let rows: Vec<usize> = (0..labels.len()).filter(|&row| self.knows(labels[row])).collect();
        if rows.is_empty() {
            return Ok(0.0);
        }
        let count = self.classes.len();
        let student: Vec<f32> =
            rows.iter().flat_map(|&row| &scores[row * count..][..count]).copied().collect();
        let score = |row: usize, own: Option<usize>| {
            own.map_or(f32::NEG_INFINITY, |k| wanted.data()[row * self.count + k])
        };
        let of = |&row: &usize| self.classes.iter().map(move |&own| score(row, own));
        let teacher: Vec<f32> = rows.iter().flat_map(of).collect();
        let mut slopes = vec![0.0; student.len()];
        let loss = distillation(&student, &teacher, count, options.temperature, &mut slopes)
            .map_err(broken)?;
        // The mean is over all samples of the batch.
        let part = rows.len() as f64 / labels.len() as f64;
        let factor = ((1.0 - options.share) * part) as f32;
        for (&row, slopes) in rows.iter().zip(slopes.chunks(count)) {
            let gradients = &mut gradient[row * count..][..count];
            gradients.iter_mut().zip(slopes).for_each(|(sum, slope)| *sum += factor * slope);
        }
        Ok(part * loss)
    }
}
