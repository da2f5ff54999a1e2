//! Students that learn from models.

use std::path::{Path, PathBuf};

use brickwork_data::{Preprocess, Split};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::forms::Feature;
use super::training::{FROM_SCRATCH, each_once, untrained};
use super::{Context, DataInput, RunInput, TrainAnswer, Verb, inputs};
use crate::architectures::{Architecture, ArchitectureOptions};
use crate::model::classifier::Classifier;
use crate::model::error::{Error, Problem};
use crate::train::{DistillOptions, Distillation, Teacher};

/// Teach a student what one or several models know
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Distill {
    /// The teachers
    pub teacher: Vec<PathBuf>,
    /// The student: an architecture, or a model to begin from
    pub student: String,
    /// Factor of the numbers of hidden channels of a student that is an architecture
    pub width: f64,
    /// Temperature that softens the scores
    pub temperature: f64,
    /// Share of the labels in the loss, from 0 to 1; the rest is the teachers'
    pub label_share: f64,
    /// Also learn inner values: STUDENT_VALUE=TEACHER_VALUE of the first teacher; repeat for several
    pub feature: Vec<Feature>,
    /// Factor of the distance between inner values
    pub feature_weight: f64,
    /// Which images.
    #[serde(flatten)]
    pub data: DataInput,
    /// How the run goes.
    #[serde(flatten)]
    pub run: RunInput,
}

impl Default for Distill {
    fn default() -> Self {
        Self {
            teacher: Vec::new(),
            student: String::new(),
            width: 1.0,
            temperature: 4.0,
            label_share: 0.1,
            feature: Vec::new(),
            feature_weight: 1.0,
            data: DataInput::default(),
            run: RunInput::default(),
        }
    }
}

impl Verb for Distill {
    type Answer = TrainAnswer;

    const NAME: &'static str = "distill";

    fn problems(&self) -> Vec<Problem> {
        let unknown = Architecture::named(&self.student).err();
        let unknown = unknown.filter(|_| self.student_file().is_none());
        let own = [
            Problem::unless(
                !self.teacher.is_empty(),
                "teacher",
                "no teacher is given; pass `teacher=`",
            ),
            unknown.map(|error| {
                Problem::new("student", format!("the student is no .onnx file, and {error}"))
            }),
            Problem::unless(
                self.temperature > 0.0 && self.temperature.is_finite(),
                "temperature",
                "`temperature=` must be above 0",
            ),
            Problem::unless(
                (0.0..=1.0).contains(&self.label_share),
                "label_share",
                "`label_share=` goes from 0 to 1",
            ),
            self.data.needed("students learn from images"),
        ];
        let mut found = self.run.problems(FROM_SCRATCH);
        found.extend(own.into_iter().flatten());
        found
    }

    fn work(&self, context: &Context<'_>) -> Result<TrainAnswer, Error> {
        let models = self.teacher.iter().map(|path| inputs::load(path, context));
        let models = models.collect::<Result<Vec<_>, _>>()?;
        let first = models.first().ok_or_else(|| Error::options("no teacher is given"))?;
        let (mut student, preprocess) = self.begin(&models, first, context)?;
        models
            .iter()
            .chain([&student])
            .try_for_each(|model| inputs::exclusive(model, "distill"))?;
        let data = self.data.labelled(&mut student, None, Split::Train, context)?;
        self.data.pixels.question(&data.sources, &preprocess, context)?;
        let images = self.run.images(data, context)?;
        let names = student.class_names();
        let teachers = models.iter().map(|model| Teacher::new(model, &names, &preprocess));
        let teachers = teachers.collect::<Result<Vec<_>, _>>()?;
        let unknown = |class: &usize| !teachers.iter().any(|teacher| teacher.knows(*class));
        if let Some(orphan) = (0..names.len()).find(unknown) {
            let name = &names[orphan];
            context
                .progress
                .note(&format!("no teacher knows `{name}`; it is learned from labels alone"));
        }
        let features = self.feature.iter();
        let goal = DistillOptions {
            temperature: self.temperature,
            share: self.label_share,
            smoothing: self.run.smoothing,
            features: features.map(|f| (f.student.clone(), f.teacher.clone())).collect(),
            weight: self.feature_weight,
        };
        let mut objective = Distillation::new(teachers, goal, first)?;
        let options = self.run.options(FROM_SCRATCH, context.seed);
        self.run.train(&student, &images, &preprocess, &options, &mut objective, context)
    }
}

impl Distill {
    /// The student's file, if it is a model.
    fn student_file(&self) -> Option<&Path> {
        let path = Path::new(&self.student);
        path.extension().is_some_and(|extension| extension == "onnx").then_some(path)
    }

    /// The student as it begins, with the teachers' classes, and how its images are prepared: as the
    /// first teacher's.
    fn begin(
        &self,
        teachers: &[Classifier],
        first: &Classifier,
        context: &Context<'_>,
    ) -> Result<(Classifier, Preprocess), Error> {
        if let Some(path) = self.student_file() {
            let student = inputs::load(path, context)?;
            let preprocess = self.data.pixels.preprocess(&student)?;
            return Ok((student, preprocess));
        }
        let architecture = Architecture::named(&self.student)?;
        let preprocess = self.data.pixels.preprocess(first)?;
        let names = each_once(teachers.iter().flat_map(Classifier::class_names));
        let options = ArchitectureOptions {
            classes: names.len(),
            channels: preprocess.channels,
            size: preprocess.size,
            width: self.width,
            stem: None,
        };
        Ok((untrained(architecture, &options, names, context.seed)?, preprocess))
    }
}
