//! What models gave for labelled images: all that an evaluation is made of, from one process or from several.

use brickwork_data::Preprocess;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use crate::files::sealed::{self, Array, Sealed};
use crate::images::source::Source;
use crate::measure::multilabel::Decided;
use crate::measure::scored::{Scored, foreign_of};
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::head::HeadKind;
use crate::model::progress::Progress;

/// The metadata key of their file's header.
const KEY: &str = "brickwork.scores";

/// Where an image stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// The data set, by number.
    set: usize,
    /// The place there.
    index: usize,
}

/// The logits that a model gave.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answers {
    /// Where classes exclude each other.
    Exclusive(Scored),
    /// Where an image may be of several.
    Several(Decided),
}

/// What models gave for the same images: four bytes for every image, class and model.
///
/// They are kept image by image because much of what is reported depends on all scores and their order: areas under
/// curves, thresholds, means of floating-point numbers. Put in the order of the images, those of several processes
/// make what one would have made, to the bit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scores {
    /// Images of the classes asked for; where an image may be of several, all of them.
    own: Vec<Place>,
    /// All others.
    foreign: Vec<Place>,
    /// Of the model.
    pub(crate) model: Answers,
    /// Of the bare cut behind it.
    pub(crate) before_refit: Option<Answers>,
    /// Of the model that it is compared with.
    pub(crate) source: Option<Answers>,
}

/// A model that is to score images.
pub(crate) struct Run<'a> {
    pub(crate) model: &'a Classifier,
    pub(crate) preprocess: &'a Preprocess,
}

/// The images that are scored, of every data set.
pub(crate) struct Jobs {
    pub(crate) own: Vec<Vec<usize>>,
    pub(crate) foreign: Vec<Vec<usize>>,
}

impl Jobs {
    /// All images of `sources`; for a model whose classes exclude each other, those of `classes` and others apart.
    pub(crate) fn of(head: HeadKind, sources: &[Source], classes: &[usize]) -> Self {
        let all = |source: &Source| (0..source.dataset.len()).collect();
        match head {
            HeadKind::Multilabel => Self {
                own: sources.iter().map(all).collect(),
                foreign: vec![Vec::new(); sources.len()],
            },
            HeadKind::Single | HeadKind::Binary => Self {
                own: sources.iter().map(|source| source.samples_of(classes)).collect(),
                foreign: sources.iter().map(|source| foreign_of(source, classes)).collect(),
            },
        }
    }

    /// How many images.
    pub(crate) fn len(&self) -> usize {
        self.own.iter().chain(&self.foreign).map(Vec::len).sum()
    }
}

impl Scores {
    /// Runs the model, the bare cut behind it and the model that it is compared with on the images of `jobs`.
    ///
    /// # Errors
    /// If an image cannot be read, or a model cannot run.
    pub(crate) fn of(
        run: Run<'_>,
        before_refit: Option<Run<'_>>,
        source: Option<Run<'_>>,
        sources: &[Source],
        jobs: &Jobs,
        progress: &dyn Progress,
    ) -> Result<Self, Error> {
        let others = [&before_refit, &source].into_iter().flatten().count();
        progress.begin("evaluating", ((1 + others) * jobs.len()) as u64);
        let several = run.model.head() == HeadKind::Multilabel;
        let answers = |Run { model, preprocess }: Run<'_>| match several {
            true => Decided::of(model, preprocess, sources, progress).map(Answers::Several),
            false => {
                let jobs = [&jobs.own, &jobs.foreign];
                Scored::of(model, preprocess, sources, jobs, progress).map(Answers::Exclusive)
            }
        };
        let places = |job: &[Vec<usize>]| -> Vec<Place> {
            let of = |(set, indices): (usize, &Vec<usize>)| {
                let place =
                    |&index: &usize| Place { set, index: sources[set].dataset.origin(index) };
                indices.iter().map(place).collect::<Vec<_>>()
            };
            job.iter().enumerate().flat_map(of).collect()
        };
        Ok(Self {
            own: places(&jobs.own),
            foreign: places(&jobs.foreign),
            model: answers(run)?,
            before_refit: before_refit.map(answers).transpose()?,
            source: source.map(answers).transpose()?,
        })
    }

    /// Adds what the same models gave for other images.
    ///
    /// # Errors
    /// If other models ran, or one has other classes.
    pub(crate) fn join(&mut self, other: Self) -> Result<(), Error> {
        self.own.extend(other.own);
        self.foreign.extend(other.foreign);
        let runs = [
            (Some(&mut self.model), Some(other.model)),
            (self.before_refit.as_mut(), other.before_refit),
            (self.source.as_mut(), other.source),
        ];
        for run in runs {
            match run {
                (Some(own), Some(others)) if own.width() == others.width() => own.join(others)?,
                (None, None) => {}
                (Some(own), Some(others)) if own.is_empty() => *own = others,
                (Some(_), Some(others)) if others.is_empty() => {}
                _ => return Err(differ()),
            }
        }
        Ok(())
    }

    /// The same in the order in which one process looks at images.
    #[must_use]
    pub(crate) fn in_order(mut self) -> Self {
        let order = |places: &mut Vec<Place>| -> Vec<usize> {
            let mut order: Vec<usize> = (0..places.len()).collect();
            order.sort_by_key(|&k| places[k]);
            *places = order.iter().map(|&k| places[k]).collect();
            order
        };
        let (own, foreign) = (order(&mut self.own), order(&mut self.foreign));
        let runs = [Some(&mut self.model), self.before_refit.as_mut(), self.source.as_mut()];
        runs.into_iter().flatten().for_each(|answers| answers.reorder(&own, &foreign));
        self
    }

    /// The bytes of a file that holds them.
    ///
    /// # Errors
    /// If there can be no such file.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Error> {
        let mut arrays = Vec::new();
        for (name, places) in [("own", &self.own), ("foreign", &self.foreign)] {
            let numbers = places.iter().flat_map(|place| [place.set, place.index]);
            arrays.push(whole_numbers(name.to_owned(), &[places.len(), 2], numbers));
        }
        for (name, answers) in
            RUNS.iter().zip([Some(&self.model), self.before_refit.as_ref(), self.source.as_ref()])
        {
            if let Some(answers) = answers {
                answers.write(name, &mut arrays);
            }
        }
        let names: Vec<&str> = arrays.iter().map(|array| &array.name[..]).collect();
        let header =
            serde_json::to_string(&names).map_err(|error| Error::file(error.to_string()))?;
        sealed::sealed(KEY, header, arrays)
    }

    /// Those in a file of these bytes.
    ///
    /// # Errors
    /// In words, if there are none.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let file = Sealed::open(bytes, KEY)?;
        let names: Vec<String> =
            serde_json::from_str(file.header()).map_err(|error| error.to_string())?;
        file.check(names.iter().map(String::as_str))?;
        let places = |name: &str| -> Result<Vec<Place>, String> {
            let numbers = read_whole_numbers(&file.array(name)?)?;
            let place = |pair: &[usize; 2]| Place { set: pair[0], index: pair[1] };
            let (pairs, rest) = numbers.as_chunks::<2>();
            if rest.is_empty() { Ok(pairs.iter().map(place).collect()) } else { Err(odd(name)) }
        };
        let (own, foreign) = (places("own")?, places("foreign")?);
        let run = |name: &str| -> Result<Option<Answers>, String> {
            let there = names.iter().any(|one| one.starts_with(&format!("{name}/")));
            let read = || Answers::read(name, &file, own.len(), foreign.len());
            there.then(read).transpose()
        };
        let [model, before_refit, source] = RUNS.map(run);
        let model = model?.ok_or("it has no scores of a model")?;
        Ok(Self { model, before_refit: before_refit?, source: source?, own, foreign })
    }
}

/// What the models are called in a file.
const RUNS: [&str; 3] = ["model", "before-refit", "source"];

fn differ() -> Error {
    Error::options("what was found is of different models; ask all processes the same".to_owned())
}

fn odd(name: &str) -> String {
    format!("array `{name}` has another length than it should")
}

impl Answers {
    /// That they are those of a model with so many classes.
    ///
    /// # Errors
    /// If they are not.
    pub(crate) fn check(&self, classes: usize, several: bool) -> Result<(), Error> {
        let kind = matches!(self, Self::Several(_)) == several;
        let fits = kind && self.width().is_none_or(|width| width == classes);
        if fits { Ok(()) } else { Err(differ()) }
    }

    /// Numbers of an image; nothing if there is none.
    fn width(&self) -> Option<usize> {
        match self {
            Self::Exclusive(scored) => {
                let own = scored.own.first().map(|(_, logits)| logits);
                own.or(scored.foreign.first()).map(Vec::len)
            }
            Self::Several(decided) => decided.logits.first().map(Vec::len),
        }
    }

    fn is_empty(&self) -> bool {
        self.width().is_none()
    }

    fn join(&mut self, other: Self) -> Result<(), Error> {
        match (self, other) {
            (Self::Exclusive(own), Self::Exclusive(others)) => {
                own.own.extend(others.own);
                own.foreign.extend(others.foreign);
            }
            (Self::Several(own), Self::Several(others)) => {
                own.logits.extend(others.logits);
                own.labels.extend(others.labels);
            }
            _ => return Err(differ()),
        }
        Ok(())
    }

    fn reorder(&mut self, own: &[usize], foreign: &[usize]) {
        match self {
            Self::Exclusive(scored) => {
                scored.own = taken(&mut scored.own, own);
                scored.foreign = taken(&mut scored.foreign, foreign);
            }
            Self::Several(decided) => {
                decided.logits = taken(&mut decided.logits, own);
                decided.labels = taken(&mut decided.labels, own);
            }
        }
    }

    /// Adds their arrays: labels `[n]` or, of several, all of them with their number `[n]`, and logits `[n, k]`.
    fn write(&self, name: &str, arrays: &mut Vec<Array>) {
        let width = self.width().unwrap_or(0);
        let mut logits = |part: &str, rows: &[&Vec<f32>]| {
            let data: Vec<f32> = rows.iter().flat_map(|row| row.iter().copied()).collect();
            arrays.push(Array::floats(format!("{name}/{part}"), &[rows.len(), width], &data));
        };
        let numbers = |part: &str, numbers: Vec<usize>| {
            whole_numbers(format!("{name}/{part}"), &[numbers.len()], numbers.into_iter())
        };
        match self {
            Self::Exclusive(scored) => {
                logits("own", &scored.own.iter().map(|(_, row)| row).collect::<Vec<_>>());
                logits("foreign", &scored.foreign.iter().collect::<Vec<_>>());
                let labels = scored.own.iter().map(|(class, _)| *class).collect();
                arrays.push(numbers("classes", labels));
            }
            Self::Several(decided) => {
                logits("all", &decided.logits.iter().collect::<Vec<_>>());
                arrays.push(numbers("counts", decided.labels.iter().map(Vec::len).collect()));
                arrays.push(numbers("labels", decided.labels.concat()));
            }
        }
    }

    fn read(name: &str, file: &Sealed<'_>, own: usize, foreign: usize) -> Result<Self, String> {
        let logits = |part: &str, count: usize| {
            let name = format!("{name}/{part}");
            rows(&file.array(&name)?, count).map_err(|why| format!("array `{name}`: {why}"))
        };
        let numbers = |part: &str| read_whole_numbers(&file.array(&format!("{name}/{part}"))?);
        if file.array(&format!("{name}/all")).is_err() {
            let classes = numbers("classes")?;
            let (own, foreign) = (logits("own", own)?, logits("foreign", foreign)?);
            let width = own.first().or(foreign.first()).map_or(0, Vec::len);
            if classes.len() != own.len() || classes.iter().any(|class| *class >= width) {
                return Err(odd("classes"));
            }
            let own = classes.into_iter().zip(own).collect();
            return Ok(Self::Exclusive(Scored { own, foreign }));
        }
        let (logits, counts) = (logits("all", own)?, numbers("counts")?);
        let (mut all, mut labels) = (numbers("labels")?.into_iter(), Vec::new());
        for count in counts {
            labels.push(all.by_ref().take(count).collect::<Vec<usize>>());
        }
        if labels.len() != logits.len() || all.len() > 0 {
            return Err(odd("labels"));
        }
        Ok(Self::Several(Decided { logits, labels }))
    }
}

/// The items in another order.
fn taken<T: Default>(items: &mut [T], order: &[usize]) -> Vec<T> {
    order.iter().map(|&k| std::mem::take(&mut items[k])).collect()
}

/// The rows of an array `[count, k]` of `f32`.
fn rows(view: &TensorView<'_>, count: usize) -> Result<Vec<Vec<f32>>, String> {
    let shape = view.shape();
    let &[found, width] = shape else { return Err(format!("shape {shape:?}, expected [n, k]")) };
    if found != count || (count > 0 && width == 0) {
        return Err(format!("shape {shape:?} for {count} images"));
    }
    let data = sealed::floats(view)?;
    if data.iter().any(|logit| logit.is_nan()) {
        return Err("it holds NaN".to_owned());
    }
    Ok(data.chunks(width.max(1)).map(<[f32]>::to_vec).collect())
}

/// An array of whole numbers.
fn whole_numbers(name: String, shape: &[usize], numbers: impl Iterator<Item = usize>) -> Array {
    let bytes = numbers.flat_map(|number| (number as u64).to_le_bytes()).collect();
    Array { name, dtype: Dtype::U64, shape: shape.to_vec(), bytes }
}

fn read_whole_numbers(view: &TensorView<'_>) -> Result<Vec<usize>, String> {
    if view.dtype() != Dtype::U64 {
        return Err(format!("{:?}, expected U64", view.dtype()));
    }
    let number = |bytes: &[u8; 8]| usize::try_from(u64::from_le_bytes(*bytes));
    let numbers = view.data().as_chunks::<8>().0.iter().map(number);
    numbers.collect::<Result<_, _>>().map_err(|error| error.to_string())
}
