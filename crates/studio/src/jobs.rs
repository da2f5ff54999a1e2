//! Long work: jobs that run one after the other, tell how far they are, can be stopped, and are remembered.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use brickwork::verbs::Context;
use brickwork::{Error, Progress};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

use crate::failure::StudioError;
use crate::lock::held;
use crate::shelf::Shelf;
use crate::store::Store;
use crate::work::Step;

/// How many notes of a job are kept.
const NOTES: usize = 200;

/// What a job is at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    #[default]
    Waiting,
    Running,
    Done,
    Failed,
    Stopped,
    /// The studio ended while it ran.
    Interrupted,
}

impl State {
    /// Whether nothing will happen any more by itself.
    pub(crate) fn is_over(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }

    /// In a word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Interrupted => "interrupted",
        }
    }
}

/// All that is known of a job, and kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: u64,
    pub(crate) title: String,
    pub(crate) steps: Vec<Step>,
    pub(crate) state: State,
    /// The answers of the steps that are done.
    pub(crate) answers: Vec<Value>,
    /// What the user should know, as it came up.
    pub(crate) notes: Vec<String>,
    /// Interim results by their name, in the order they came.
    pub(crate) found: BTreeMap<String, Vec<Value>>,
    /// Why it failed.
    pub(crate) error: Option<String>,
}

/// How far a step is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Phase {
    pub(crate) name: String,
    pub(crate) done: u64,
    pub(crate) total: u64,
    pub(crate) since: Option<Instant>,
}

/// A job. Everyone who shows it waits for [`changes`](Self::changes).
pub(crate) struct Job {
    record: Mutex<Record>,
    phase: Mutex<Phase>,
    stop: AtomicBool,
    changed: watch::Sender<u64>,
}

/// All jobs, of which one runs at a time.
pub(crate) struct Jobs {
    all: Mutex<Vec<Arc<Job>>>,
    waiting: Sender<Arc<Job>>,
    store: Store,
}

impl Job {
    fn new(record: Record) -> Arc<Self> {
        let (record, phase) = (Mutex::new(record), Mutex::default());
        Arc::new(Self {
            record,
            phase,
            stop: AtomicBool::new(false),
            changed: watch::Sender::new(0),
        })
    }

    /// All that is known now.
    pub(crate) fn record(&self) -> Record {
        held(&self.record).clone()
    }

    /// What it is at.
    pub(crate) fn state(&self) -> State {
        held(&self.record).state
    }

    /// How far the running step is.
    pub(crate) fn phase(&self) -> Phase {
        held(&self.phase).clone()
    }

    /// Is told whenever something is new.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Asks it to stop at the next batch.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.tell();
    }

    fn tell(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    fn change(&self, change: impl FnOnce(&mut Record)) -> Record {
        let record = {
            let mut record = held(&self.record);
            change(&mut record);
            record.clone()
        };
        self.tell();
        record
    }
}

impl Progress for Job {
    fn begin(&self, phase: &str, total: u64) {
        *held(&self.phase) =
            Phase { name: phase.to_owned(), done: 0, total, since: Some(Instant::now()) };
        self.tell();
    }

    fn step(&self, done: u64) {
        held(&self.phase).done += done;
        self.tell();
    }

    fn note(&self, text: &str) {
        self.change(|record| {
            record.notes.push(text.to_owned());
            let more = record.notes.len().saturating_sub(NOTES);
            record.notes.drain(..more);
        });
    }

    fn found(&self, name: &str, value: Value) {
        self.change(|record| record.found.entry(name.to_owned()).or_default().push(value));
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl Jobs {
    /// The jobs that are remembered, and a thread that does those to come. What ran when the studio ended is interrupted.
    ///
    /// # Errors
    /// If the thread cannot start.
    pub(crate) fn start(store: Store, shelf: Arc<Shelf>) -> Result<Arc<Self>, StudioError> {
        let (waiting, queue) = channel();
        let jobs =
            Arc::new(Self { all: Mutex::new(remembered(&store)), waiting, store: store.clone() });
        let thread = std::thread::Builder::new().name("jobs".to_owned());
        thread
            .spawn(move || work_off(&queue, &store, &shelf))
            .map_err(|error| StudioError::Place { place: "a thread for jobs".to_owned(), error })?;
        Ok(jobs)
    }

    /// All jobs, the oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Job>> {
        held(&self.all).clone()
    }

    /// The job with this number.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn job(&self, id: u64) -> Result<Arc<Job>, StudioError> {
        let found = held(&self.all).iter().find(|job| held(&job.record).id == id).cloned();
        found.ok_or_else(|| StudioError::missing(format!("there is no job {id}")))
    }

    /// Begins a job as soon as those before it are over; gives its number.
    ///
    /// # Errors
    /// If the first step cannot be done as it is asked for.
    pub(crate) fn begin(&self, title: String, steps: Vec<Step>) -> Result<u64, StudioError> {
        steps.first().map_or(Ok(()), Step::check)?;
        let mut all = held(&self.all);
        let id = all.iter().map(|job| held(&job.record).id).max().unwrap_or(0) + 1;
        let job = Job::new(Record { id, title, steps, ..Record::default() });
        keep(&self.store, &job.record())?;
        all.push(Arc::clone(&job));
        // The thread ends only with the process.
        let _ = self.waiting.send(job);
        Ok(id)
    }

    /// Stops the job that runs, and waits until it has.
    pub(crate) fn end(&self) {
        for job in self.all().iter().filter(|job| job.state() == State::Running) {
            job.stop();
            while !job.state().is_over() {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// Goes on with a job that was interrupted, stopped or failed: the steps that are done stay done.
    ///
    /// # Errors
    /// If there is no such job, or it is not over.
    pub(crate) fn go_on(&self, id: u64) -> Result<(), StudioError> {
        let job = self.job(id)?;
        if !matches!(job.state(), State::Interrupted | State::Stopped | State::Failed) {
            return Err(StudioError::request(format!("job {id} has nothing left to do")));
        }
        job.stop.store(false, Ordering::Relaxed);
        let record = job.change(|record| {
            record.state = State::Waiting;
            record.error = None;
            record.found.clear();
        });
        keep(&self.store, &record)?;
        let _ = self.waiting.send(job);
        Ok(())
    }
}

/// Does all jobs that come, one after the other.
fn work_off(queue: &Receiver<Arc<Job>>, store: &Store, shelf: &Shelf) {
    while let Ok(job) = queue.recv() {
        let record = job.change(|record| record.state = State::Running);
        let result = keep(store, &record).and_then(|()| work(&job, store, shelf));
        let record = job.change(|record| match result {
            Ok(()) => record.state = State::Done,
            Err(StudioError::Library(Error::Stopped(_))) => record.state = State::Stopped,
            Err(error) => {
                record.state = State::Failed;
                record.error = Some(error.to_string());
            }
        });
        if let Err(error) = keep(store, &record) {
            job.note(&error.to_string());
        }
    }
}

/// Does the steps of a job that are not yet done.
fn work(job: &Job, store: &Store, shelf: &Shelf) -> Result<(), StudioError> {
    let cache = store.cache();
    let context = Context { progress: job, cache: Some(&cache), ..Context::default() };
    let steps = job.record().steps;
    for step in steps.iter().skip(job.record().answers.len()) {
        if job.stopped() {
            return Err(Error::Stopped("stopped".into()).into());
        }
        let answered = step.run(&context)?;
        if let Some((file, answer)) = &answered.measured {
            let report = &answer.report;
            shelf.note_accuracy(
                &file.to_string_lossy(),
                report.accuracy_per_image,
                report.images,
            )?;
        }
        keep(store, &job.change(|record| record.answers.push(answered.answer)))?;
    }
    Ok(())
}

fn keep(store: &Store, record: &Record) -> Result<(), StudioError> {
    store.write(&format!("jobs/{}.json", record.id), record)
}

/// The jobs of earlier sittings, by number.
fn remembered(store: &Store) -> Vec<Arc<Job>> {
    let files = std::fs::read_dir(store.place("jobs")).into_iter().flatten().flatten();
    let mut records: Vec<Record> = files
        .filter_map(|file| serde_json::from_slice(&std::fs::read(file.path()).ok()?).ok())
        .collect();
    records.sort_by_key(|record| record.id);
    for record in records.iter_mut().filter(|record| !record.state.is_over()) {
        record.state = State::Interrupted;
    }
    records.into_iter().map(Job::new).collect()
}
