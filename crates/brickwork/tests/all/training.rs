//! Training on small data: it learns, repeats itself to the bit, and refuses what makes no sense.

use std::sync::atomic::AtomicUsize;

use brickwork::verbs::{Context, Course, DataInput, RunInput, Train, Verb};
use brickwork::{
    Checkpoint, Classifier, DistillOptions, Distillation, Error, Held, Labels, Material, Outcome,
    Source, Teacher, TrainOptions, Trainer, initialise, score,
};
use brickwork_data::{Augment, Preprocess};
use brickwork_exec::{Curve, OptimiserKind, Schedule};
use brickwork_tensor::Tensor;

use crate::common::{Net, StopAfter, classifier, dataset, noise, source};

const CLASSES: [&str; 3] = ["left", "right", "even"];

/// Images of 6x6 with noise, brighter on the left, on the right or on neither side.
fn shades(count: usize, seed: u64) -> (Tensor, Vec<usize>) {
    let labels: Vec<usize> = (0..count).map(|k| k % 3).collect();
    let pixel = |at: usize| {
        let (k, column) = (at / 36, at % 6);
        let bright = match labels[k] {
            0 => column < 3,
            1 => column >= 3,
            _ => false,
        };
        noise(at as u64, seed) as f32 + if bright { 0.8 } else { 0.0 }
    };
    (Tensor::new([count, 1, 6, 6], (0..count * 36).map(pixel).collect()), labels)
}

fn shaded(count: usize, seed: u64, model: &Classifier) -> Source {
    let (images, labels) = shades(count, seed);
    source("shades", dataset(&images, &labels, &CLASSES), model)
}

/// Convolution, normalisation, dropout, linear layer.
fn student(name: &str, width: usize) -> Classifier {
    let mut net = Net::new([1, 6, 6]);
    net.conv("image", "conv", [width, 1, 3], 1).norm("conv", "norm", width);
    net.then("Relu", "norm", "relu").then("Dropout", "relu", "drop");
    net.then("Flatten", "drop", "flat").linear("flat", "scores", [3, 36 * width]);
    let graph = net.finish("scores", 0);
    let graph = initialise(&graph, 5).apply(&graph).unwrap();
    classifier(name, graph, &CLASSES)
}

fn options(epochs: usize) -> TrainOptions {
    TrainOptions {
        epochs,
        batch: 16,
        optimiser: OptimiserKind::Sgd { momentum: 0.9, nesterov: true, decay: 1e-4 },
        schedule: Schedule { rate: 0.05, warmup: 0.0, curve: Curve::Cosine { floor: 0.0 } },
        clip: None,
        decay_weights_only: false,
        augment: Augment { pad_crop: Some(1), ..Augment::default() },
        keep_zeros: false,
        only: Vec::new(),
        seed: 3,
    }
}

fn preprocess() -> Preprocess {
    Preprocess::plain([6, 6], 1)
}

fn never() -> StopAfter {
    StopAfter(AtomicUsize::new(usize::MAX))
}

/// Trains `model` on shades from where `from` stopped, until `watch` stops it.
fn run_with(
    model: &Classifier,
    options: &TrainOptions,
    from: Option<Checkpoint>,
    watch: &StopAfter,
) -> Result<Outcome, Error> {
    let (train, held) = shaded(120, 1, model).split_off(Held::PerClass(8), 0)?;
    let preprocess = preprocess();
    let material = Material { train: &train, held: Some(&held), preprocess: &preprocess };
    let mut labels = Labels { smoothing: 0.05, ..Labels::default() };
    let mut trainer = Trainer::new(model, material, options, &mut labels)?;
    if let Some(checkpoint) = from {
        trainer.resume(checkpoint)?;
    }
    trainer.run(watch, &mut |_| Ok(()))
}

fn run(model: &Classifier, options: &TrainOptions) -> Outcome {
    run_with(model, options, None, &never()).unwrap()
}

/// All constants of a model.
fn weights(model: &Classifier) -> Vec<Vec<u32>> {
    let constants = model.graph().values().iter().filter_map(|value| value.constant.as_ref());
    constants.map(|data| data.data().iter().map(|x| x.to_bits()).collect()).collect()
}

#[test]
fn a_network_learns_and_keeps_its_best_epoch() {
    let model = student("net", 8);
    let outcome = run(&model, &options(12));
    let fresh = shaded(90, 9, &model);
    let before = score(&model, &fresh, &preprocess(), &never()).unwrap();
    let after = score(&outcome.model, &fresh, &preprocess(), &never()).unwrap();
    assert!(before.accuracy.share() < 0.6 && after.accuracy.share() > 0.95, "{before:?} {after:?}");
    assert!(after.loss < 0.3 * before.loss, "{before:?} {after:?}");
    assert_eq!(outcome.log.len(), 12);
    let held: Vec<f64> = outcome.log.iter().map(|e| e.held.unwrap().accuracy.share()).collect();
    let best = held.iter().copied().fold(0.0, f64::max);
    let first = held.iter().position(|&x| x == best).unwrap();
    assert_eq!(outcome.best, first + 1);
    assert!(outcome.log[11].train.loss < outcome.log[0].train.loss);
    // Running statistics moved too.
    let variance = |model: &Classifier| {
        let value = model.graph().find_value("norm.var").unwrap();
        model.graph().value(value).constant.clone().unwrap()
    };
    assert_ne!(variance(&model), variance(&outcome.model));
}

#[test]
fn what_is_held_out_is_not_learned_from() {
    let model = student("net", 2);
    let all = shaded(60, 1, &model);
    let (train, held) = all.split_off(Held::Fraction(0.25), 4).unwrap();
    let places = |source: &Source| -> Vec<usize> {
        (0..source.dataset.len()).map(|k| source.dataset.origin(k)).collect()
    };
    let (a, b) = (places(&train), places(&held));
    assert_eq!((a.len(), b.len()), (45, 15));
    assert!(b.iter().all(|place| !a.contains(place)));
    for class in 0..3 {
        assert_eq!(held.samples_of(&[class]).len(), 5);
    }
}

#[test]
fn a_stopped_run_goes_on_to_the_same_bits() {
    let model = student("net", 4);
    for optimiser in [
        options(3).optimiser,
        OptimiserKind::AdamW { betas: [0.9, 0.999], epsilon: 1e-8, decay: 0.01 },
    ] {
        let options = TrainOptions { optimiser, ..options(3) };
        let whole = run(&model, &options);
        // In the first epoch, at the end of one, while it is measured, in the last.
        for steps in [2, 5, 6, 15] {
            let watch = StopAfter(AtomicUsize::new(steps));
            let stopped = run_with(&model, &options, None, &watch).unwrap();
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("run.checkpoint");
            stopped.stopped.unwrap().save(&path).unwrap();
            let checkpoint = Checkpoint::load(&path).unwrap();
            let resumed = run_with(&model, &options, Some(checkpoint), &never()).unwrap();
            assert_eq!(weights(&resumed.model), weights(&whole.model), "after {steps}");
            assert_eq!(resumed.log, whole.log);
            assert_eq!(resumed.best, whole.best);
        }
    }
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let model = student("net", 8);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| weights(&run(&model, &options(2)).model))
    };
    let one = with(1);
    assert_eq!(one, with(2));
    assert_eq!(one, with(3));
}

#[test]
fn another_seed_is_another_run() {
    let model = student("net", 4);
    let other = TrainOptions { seed: 4, ..options(1) };
    assert_ne!(weights(&run(&model, &options(1)).model), weights(&run(&model, &other).model));
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let model = student("net", 4);
    let stop = |model: &Classifier, options: &TrainOptions| {
        run_with(model, options, None, &StopAfter(AtomicUsize::new(1))).unwrap().stopped.unwrap()
    };
    let checkpoint = stop(&model, &options(2));
    let mut other = options(2);
    (other.batch, other.schedule.rate) = (8, 0.01);
    let error =
        run_with(&model, &other, Some(checkpoint.clone()), &never()).unwrap_err().to_string();
    assert!(error.contains("batch: 16, now 8") && error.contains("schedule: "), "{error}");
    assert!(!error.contains("seed"), "{error}");
    let wider = student("net", 5);
    let error = run_with(&wider, &options(2), Some(checkpoint), &never()).unwrap_err().to_string();
    assert!(error.contains("network: "), "{error}");
}

#[test]
fn a_damaged_checkpoint_is_refused() {
    let model = student("net", 2);
    let stopped = run_with(&model, &options(2), None, &StopAfter(AtomicUsize::new(6))).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.checkpoint");
    stopped.stopped.unwrap().save(&path).unwrap();
    let good = std::fs::read(&path).unwrap();
    let refused = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        Checkpoint::load(&path).unwrap_err().to_string()
    };
    for at in (0..good.len()).step_by(good.len() / 40) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        let error = refused(&bad);
        assert!(error.contains("no usable checkpoint"), "byte {at}: {error}");
    }
    assert!(refused(&good[..good.len() / 2]).contains("no usable checkpoint"));
    assert!(refused(b"").contains("no usable checkpoint"));
}

#[test]
fn a_loss_that_is_no_number_ends_the_run() {
    let model = student("net", 4);
    let mut wild = options(3);
    wild.schedule = Schedule::constant(1e30);
    let error = run_with(&model, &wild, None, &never()).unwrap_err().to_string();
    assert!(error.contains("the loss became") && error.contains("learning rate"), "{error}");
}

#[test]
fn zeros_and_what_is_not_named_stay() {
    let mut net = Net::new([1, 6, 6]);
    let mut sparse = vec![0.0; 3 * 36];
    (0..3 * 36).step_by(4).for_each(|k| sparse[k] = 0.1);
    net.conv("image", "conv", [1, 1, 3], 1).then("Flatten", "conv", "flat");
    net.linear("flat", "scores", [3, 36]).given("scores.weight", &[3, 36], &sparse);
    let model = classifier("net", net.finish("scores", 0), &CLASSES);
    let data = |model: &Classifier, name: &str| {
        let value = model.graph().find_value(name).unwrap();
        model.graph().value(value).constant.clone().unwrap()
    };
    let kept = run(&model, &TrainOptions { keep_zeros: true, ..options(1) }).model;
    let scores = data(&kept, "scores.weight");
    for (k, x) in scores.data().iter().enumerate() {
        assert_eq!(*x == 0.0, k % 4 != 0, "{k}: {x}");
    }
    assert_ne!(data(&kept, "conv.weight"), data(&model, "conv.weight"));
    let clip = |longest| TrainOptions { clip: Some(longest), ..options(1) };
    assert_eq!(run(&model, &clip(1e9)).log, run(&model, &options(1)).log);
    assert_ne!(run(&model, &clip(1e-3)).log, run(&model, &options(1)).log);
    let head = run(&model, &TrainOptions { only: vec!["scores".to_owned()], ..options(1) }).model;
    assert_eq!(data(&head, "conv.weight"), data(&model, "conv.weight"));
    assert_ne!(data(&head, "scores.weight"), data(&model, "scores.weight"));
    let none = TrainOptions { only: vec!["nothing".to_owned()], ..options(1) };
    let error = run_with(&model, &none, None, &never()).unwrap_err().to_string();
    assert!(error.contains("nothing of `net` would be learned"), "{error}");
}

/// How well `student` does after learning from `teachers` alone.
fn taught(student: &Classifier, teachers: &[&Classifier], share: f64) -> f64 {
    let preprocess = preprocess();
    let names = student.class_names();
    let made =
        teachers.iter().map(|t| Teacher::new(t, &names, &preprocess)).collect::<Result<_, _>>();
    let goal = DistillOptions {
        temperature: 2.0,
        share,
        smoothing: 0.0,
        features: Vec::new(),
        weight: 0.0,
    };
    let mut objective = Distillation::new(made.unwrap(), goal, teachers[0]).unwrap();
    let train = shaded(120, 1, student);
    let material = Material { train: &train, held: None, preprocess: &preprocess };
    let outcome = Trainer::new(student, material, &options(15), &mut objective)
        .unwrap()
        .run(&never(), &mut |_| Ok(()))
        .unwrap();
    score(&outcome.model, &shaded(90, 9, student), &preprocess, &never()).unwrap().accuracy.share()
}

#[test]
fn a_student_learns_from_scores_alone() {
    let teacher = run(&student("teacher", 8), &options(12)).model;
    let accuracy = taught(&student("student", 4), &[&teacher], 0.0);
    assert!(accuracy > 0.9, "{accuracy}");
}

#[test]
fn teachers_of_different_classes_teach_to_tell_them_apart() {
    let whole = run(&student("teacher", 8), &options(12)).model;
    let names = whole.class_names();
    // The same network, but of its classes the student knows only some.
    let part = |known: &[usize]| {
        let class = |(k, name): (usize, &String)| match known.contains(&k) {
            true => name.clone(),
            false => format!("not {name}"),
        };
        let classes = names.iter().enumerate().map(class).collect();
        whole.with_card(brickwork::Card { classes, ..whole.card().clone() }).unwrap()
    };
    let last = names.len() - 1;
    let (first, second) = (part(&(0..last).collect::<Vec<_>>()), part(&[last]));
    let accuracy = taught(&student("student", 4), &[&first, &second], 0.0);
    assert!(accuracy > 0.9, "{accuracy}");
}

#[test]
fn teachers_and_students_must_fit() {
    let teacher = student("teacher", 2);
    let names = ["up".to_owned(), "down".to_owned()];
    let refused =
        |teacher: &Classifier, names: &[String], preprocess: &Preprocess| match Teacher::new(
            teacher, names, preprocess,
        ) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("accepted"),
        };
    let error = refused(&teacher, &names, &preprocess());
    assert!(
        error.contains("none of the student's classes") && error.contains("up, down"),
        "{error}"
    );
    let own = teacher.class_names();
    let error = refused(&teacher, &own, &Preprocess::plain([8, 8], 1));
    assert!(error.contains("6x6") && error.contains("8x8"), "{error}");
    let silent = Classifier::new("silent", (**teacher.graph()).clone()).unwrap();
    let card = brickwork::Card { classes: own.clone(), ..brickwork::Card::default() };
    let error = refused(&silent.with_card(card).unwrap(), &own, &preprocess());
    assert!(error.contains("annotate"), "{error}");
}

#[test]
fn too_little_data_and_senseless_options_are_refused() {
    let model = student("net", 2);
    let refused =
        |options: TrainOptions| run_with(&model, &options, None, &never()).unwrap_err().to_string();
    assert!(refused(TrainOptions { epochs: 0, ..options(1) }).contains("at least 1"));
    for clip in [0.0, -1.0, f32::NAN] {
        let clipped = TrainOptions { clip: Some(clip), ..options(1) };
        assert!(refused(clipped).contains("the longest gradient"), "{clip}");
    }
    let mut negative = options(1);
    negative.schedule.rate = -1.0;
    assert!(refused(negative).contains("rate"));
    let one = shaded(3, 1, &model);
    let one = Source { dataset: one.dataset.subset(&[0]).unwrap(), ..one };
    let preprocess = preprocess();
    let material = Material { train: &one, held: None, preprocess: &preprocess };
    let mut labels = Labels::default();
    let error = Trainer::new(&model, material, &options(1), &mut labels).err().unwrap().to_string();
    assert!(error.contains("at least 2"), "{error}");
}

#[test]
fn a_request_tells_all_its_problems_at_once() {
    let run = RunInput {
        epochs: Some(0),
        batch: 5000,
        smoothing: 2.0,
        schedule: Course::Step,
        resume: true,
        log: Some("log.txt".into()),
        ..RunInput::default()
    };
    let problems = Train { run, ..Train::default() }.problems();
    let mut fields: Vec<&str> = problems.iter().map(|problem| problem.field).collect();
    fields.sort_unstable();
    let expected = ["arch", "batch", "data", "epochs", "log", "milestones", "resume", "smoothing"];
    assert_eq!(fields, expected, "{problems:?}");
}

/// An IDX folder with three classes of 28x28 images.
fn idx_folder(count: u8) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, head: &[u32], data: Vec<u8>| {
        let head = head.iter().flat_map(|number| number.to_be_bytes());
        std::fs::write(folder.path().join(name), head.chain(data).collect::<Vec<_>>()).unwrap();
    };
    let pixels = (0..u64::from(count) * 784).map(|at| (255.0 * noise(at, 1)) as u8).collect();
    write("train-images-idx3-ubyte", &[0x803, u32::from(count), 28, 28], pixels);
    write(
        "train-labels-idx1-ubyte",
        &[0x801, u32::from(count)],
        (0..count).map(|k| k % 3).collect(),
    );
    folder
}

#[test]
fn a_request_that_names_no_file_gives_a_model_and_keeps_nothing() {
    let folder = idx_folder(30);
    let data = vec![folder.path().display().to_string()];
    let run = RunInput { batch: 8, epochs: Some(2), ..RunInput::default() };
    let data = DataInput { data, ..DataInput::default() };
    let request = Train { arch: "lenet5".to_owned(), data, run, ..Train::default() };
    let answer = request.run(&Context::default()).unwrap();
    assert_eq!((answer.output.as_ref(), answer.epochs.len()), (None, 2));
    assert_eq!((answer.images, answer.held_out, answer.model.class_count()), (27, 3, 3));
    let stopped = StopAfter(AtomicUsize::new(1));
    let context = Context { progress: &stopped, ..Context::default() };
    let error = request.run(&context).unwrap_err();
    assert!(matches!(error, Error::Stopped(_)), "{error}");
    assert!(error.to_string().contains("nothing is kept"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}
