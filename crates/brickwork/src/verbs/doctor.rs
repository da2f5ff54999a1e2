//! Whether a model and data fit together, before any work.

use brickwork_data::{PixelRange, Preprocess, Split};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inputs::{self, Labelled};
use super::{Context, DataInput, ModelInput, Verb};
use crate::images::account::DataAccount;
use crate::images::source::Source;
use crate::measure::agreement::{Agreement, Alternative, Looked, ScoreFacts, alternatives};
use crate::model::classifier::Classifier;
use crate::model::error::{Error, Problem};
use crate::model::head::HeadKind;
use crate::model::names::first_few;
use crate::model::progress::Silent;

/// Images that other preprocessings are tried on, at most.
const TRIED: usize = 64;

/// A share of one answer from which on a network is taken to answer all images alike.
const COLLAPSED: f64 = 0.95;

/// Look whether a model and data fit together: classes, pixels, scores, labels
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Doctor {
    /// Which model.
    #[serde(flatten)]
    pub model: ModelInput,
    /// Which images.
    #[serde(flatten)]
    pub data: DataInput,
    /// How many images to look at
    pub images: usize,
}

impl Default for Doctor {
    fn default() -> Self {
        Self { model: ModelInput::default(), data: DataInput::default(), images: 256 }
    }
}

/// What was found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DoctorAnswer {
    /// The model.
    pub model: ModelFacts,
    /// What the data holds of the model's classes.
    pub data: Option<DataAccount>,
    /// Pixels of every data set, as they are stored.
    pub pixels: Vec<PixelFacts>,
    /// The model's scores.
    pub scores: Option<ScoreFacts>,
    /// Its answers against the labels; none where an image may be of several classes.
    pub agreement: Option<Agreement>,
    /// Other preprocessings that do clearly better on the same images, the best first.
    pub alternatives: Vec<Alternative>,
    /// What looks wrong, the worst first.
    pub findings: Vec<Finding>,
}

/// What a model takes and gives.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ModelFacts {
    /// Its name.
    pub name: String,
    /// Channels, height and width of its images.
    pub input: [usize; 3],
    /// How many classes it has.
    pub classes: usize,
    /// Their names, if it has them.
    pub class_names: Vec<String>,
    /// How pixels become its input, if that is known.
    pub preprocess: Option<Preprocess>,
    /// Learned parameters.
    pub params: usize,
    /// Multiply-accumulates of one image.
    pub macs: u64,
}

/// Pixels of some images of a data set.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PixelFacts {
    /// The data set.
    pub name: String,
    /// The least pixel.
    pub least: f32,
    /// The largest pixel.
    pub largest: f32,
    /// Whether they are bytes.
    pub bytes: bool,
}

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Figures would be wrong.
    Wrong,
    /// It may be meant.
    Doubtful,
}

/// Something that looks wrong.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is, and what to do.
    pub message: String,
}

impl Verb for Doctor {
    type Answer = DoctorAnswer;

    const NAME: &'static str = "doctor";

    fn problems(&self) -> Vec<Problem> {
        let data = self.data.needed("models are held against images");
        data.into_iter().chain(inputs::no_count("images", Some(self.images))).collect()
    }

    fn work(&self, context: &Context<'_>) -> Result<DoctorAnswer, Error> {
        let mut model = self.model.load(&self.data.pixels, context)?;
        let mut visit = Visit { findings: Vec::new(), context };
        let (sources, account) = visit.data(self, &mut model)?;
        let preprocess = visit.kept(Severity::Wrong, self.data.pixels.preprocess(&model));
        let mut answer = DoctorAnswer {
            model: facts(&model, preprocess.clone()),
            data: account,
            pixels: pixels(&sources),
            scores: None,
            agreement: None,
            alternatives: Vec::new(),
            findings: Vec::new(),
        };
        if let Some(preprocess) = preprocess {
            visit.doubts(&preprocess, &answer.pixels);
            visit.look(self, &model, &preprocess, &sources, &mut answer)?;
        }
        visit.findings.sort_by_key(|finding| finding.severity);
        answer.findings = visit.findings;
        Ok(answer)
    }
}

fn facts(model: &Classifier, preprocess: Option<Preprocess>) -> ModelFacts {
    ModelFacts {
        name: model.name.clone(),
        input: model.input(),
        classes: model.class_count(),
        class_names: model.card().classes.clone(),
        preprocess,
        params: model.graph().parameters(),
        macs: model.graph().macs(),
    }
}

fn pixels(sources: &[Source]) -> Vec<PixelFacts> {
    let of = |source: &Source| {
        let PixelRange { least, largest, bytes } = PixelRange::of(&source.dataset)?;
        Some(PixelFacts { name: source.name.clone(), least, largest, bytes })
    };
    sources.iter().filter_map(of).collect()
}

/// What is noted on the way.
struct Visit<'a> {
    findings: Vec<Finding>,
    context: &'a Context<'a>,
}

impl Visit<'_> {
    fn note(&mut self, severity: Severity, message: impl Into<String>) {
        self.findings.push(Finding { severity, message: message.into() });
    }

    /// What is there; what keeps it from being there is a finding.
    fn kept<T>(&mut self, severity: Severity, found: Result<T, Error>) -> Option<T> {
        found.map_err(|error| self.note(severity, error.to_string())).ok()
    }

    /// The data sets; where their classes cannot be told, without classes.
    fn data(
        &mut self,
        request: &Doctor,
        model: &mut Classifier,
    ) -> Result<(Vec<Source>, Option<DataAccount>), Error> {
        // What would be noted on the way is found below.
        let context = &Context { progress: &Silent, ..*self.context };
        let usual = Split::Test;
        let lenient = DataInput { allow_missing: true, ..request.data.clone() };
        match lenient.labelled(model, None, usual, context) {
            Ok(data) => {
                self.account(&data, request.data.allow_missing);
                Ok((data.sources, Some(data.account)))
            }
            Err(Error::Classes(refusal)) => {
                self.note(Severity::Wrong, refusal.message);
                let opened = request.data.open(usual, context)?.into_iter();
                let foreign = opened.map(|one| Source::all_foreign(one.label, one.dataset));
                Ok((foreign.collect(), None))
            }
            Err(other) => Err(other),
        }
    }

    /// What does not match. Classes without images are wrong unless that is `allowed`.
    fn account(&mut self, data: &Labelled, allowed: bool) {
        if let Some(missing) = data.account.missing(data.classes.len()) {
            let (severity, advice) = match allowed {
                true => (Severity::Doubtful, ""),
                false => (Severity::Wrong, "; if they are not wanted, say `allow_missing=true`"),
            };
            self.note(severity, missing + advice);
        }
        for set in &data.account.sets {
            let remarks = set.remarks();
            remarks.into_iter().for_each(|remark| self.note(Severity::Doubtful, remark));
        }
    }

    fn doubts(&mut self, preprocess: &Preprocess, pixels: &[PixelFacts]) {
        for &PixelFacts { ref name, least, largest, bytes } in pixels {
            for doubt in preprocess.doubts(PixelRange { least, largest, bytes }) {
                self.note(Severity::Wrong, format!("`{name}`: {doubt}"));
            }
        }
    }

    /// Runs the model over some images.
    fn look(
        &mut self,
        request: &Doctor,
        model: &Classifier,
        preprocess: &Preprocess,
        sources: &[Source],
        answer: &mut DoctorAnswer,
    ) -> Result<(), Error> {
        let progress = self.context.progress;
        let places = spread(sources, request.images);
        progress.begin("looking at images", places.iter().map(|p| p.len() as u64).sum());
        let looked = Looked::at(model, preprocess, sources, &places, progress);
        let looked = match looked {
            Err(stopped @ Error::Stopped(_)) => return Err(stopped),
            other => self.kept(Severity::Wrong, other),
        };
        let Some(looked) = looked else { return Ok(()) };
        let names = model.class_names();
        let scores = looked.scores(&names);
        self.scores(&scores);
        answer.scores = Some(scores);
        if model.head() == HeadKind::Multilabel {
            return Ok(());
        }
        answer.agreement = looked.agreement();
        let Some(agreement) = &answer.agreement else { return Ok(()) };
        if let Some(pairs) = looked.reordering() {
            let told = |(label, answer): &(usize, usize)| {
                format!("{} is answered as {}", names[*label], names[*answer])
            };
            let told: Vec<String> = pairs.iter().map(told).collect();
            let message = format!(
                "labels seem to be in another order than the scores: {}; give the names in the order of \
                 the scores (`class_names=`)",
                first_few(&told)
            );
            self.note(Severity::Wrong, message);
        }
        if agreement.interval[0] <= agreement.chance && agreement.images > 1 {
            let message = format!(
                "only {:.0} of {} images are answered with their class, where always answering the most \
                 frequent one gets {:.0}: labels, preprocessing or model are wrong",
                agreement.share, agreement.images, agreement.chance
            );
            self.note(Severity::Wrong, message);
        }
        answer.alternatives = self.alternatives(model, preprocess, sources)?;
        Ok(())
    }

    fn scores(&mut self, scores: &ScoreFacts) {
        if scores.not_finite > 0 {
            let count = scores.not_finite;
            let message = format!(
                "{count} scores are infinite or no numbers: the weights are damaged, or inputs far out"
            );
            self.note(Severity::Wrong, message);
        }
        let most = scores.answers.iter().max_by_key(|(_, count)| **count);
        if let Some((name, &count)) = most
            && scores.images > 8
            && count as f64 > COLLAPSED * scores.images as f64
        {
            let message = format!(
                "{count} of {} images are answered as `{name}`: inputs are far from what the model was \
                 trained on, or all images are of this class",
                scores.images
            );
            self.note(Severity::Doubtful, message);
        }
        if scores.largest - scores.least < 1e-6 * scores.largest.abs() {
            self.note(Severity::Wrong, "all scores are the same: the model has no trained weights");
        }
    }

    /// Other preprocessings that do clearly better than the model's own on a few of the images.
    fn alternatives(
        &mut self,
        model: &Classifier,
        own: &Preprocess,
        sources: &[Source],
    ) -> Result<Vec<Alternative>, Error> {
        let (places, progress) = (spread(sources, TRIED), self.context.progress);
        let others = alternatives(own);
        let images: usize = places.iter().map(Vec::len).sum();
        progress.begin("trying other preprocessings", (images * (others.len() + 1)) as u64);
        let measured = |preprocess: &Preprocess| -> Result<Option<Agreement>, Error> {
            Ok(Looked::at(model, preprocess, sources, &places, progress)?.agreement())
        };
        let Some(present) = measured(own)? else { return Ok(Vec::new()) };
        let mut better = Vec::new();
        for other in others {
            let Some(found) = measured(&other.preprocess)? else { continue };
            if found.interval[0] > present.interval[1] {
                better.push(Alternative { change: other.change, share: found.share });
            }
        }
        better.sort_by(|a, b| b.share.share().total_cmp(&a.share.share()));
        if let Some(best) = better.first() {
            let message = format!(
                "with {} {:.0} of {} images are answered with their class instead of {:.0}",
                best.change, best.share, present.images, present.share
            );
            self.note(Severity::Wrong, message);
        }
        Ok(better)
    }
}

/// At most `count` images of all data sets together, spread evenly.
fn spread(sources: &[Source], count: usize) -> Vec<Vec<usize>> {
    let each = count.div_ceil(sources.len().max(1));
    let of = |source: &Source| {
        let all = source.dataset.len();
        let taken = all.min(each);
        (0..taken).map(|k| k * all / taken).collect()
    };
    sources.iter().map(of).collect()
}
