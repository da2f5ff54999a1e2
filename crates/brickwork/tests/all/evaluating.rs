//! Measurements against numbers counted by hand, on classifiers whose scores are the pixels.

use brickwork::{
    Accuracy, AssembleOptions, Choice, Classifier, EvalOptions, EvalParts, EvalSource, Leakage,
    Percent, Plan, Report, Silent, assemble, eval,
};
use brickwork_data::Preprocess;

use crate::common::{owned, pixel_reader, rows, source};

const CLASSES: [&str; 4] = ["a", "b", "c", "d"];

fn whole() -> Classifier {
    let picks: Vec<(usize, f32)> = (0..4).map(|pixel| (pixel, 1.0)).collect();
    pixel_reader("whole", &picks, 4, &CLASSES)
}

/// The component for a and c.
fn component() -> Classifier {
    let source = whole();
    let plan = Plan::new(&source, &[0, 2], &Choice::Everything, 1).unwrap();
    let (graph, checked) = plan.cut(&source, 1).unwrap();
    let card = plan.card(&source, &Choice::Everything, checked);
    Classifier::described("component", graph, card).unwrap()
}

/// What the rows below are worth; foreign ones are marked with their highest own score.
const ROWS: [(usize, [f32; 4]); 9] = [
    (0, [5.0, 1.0, 0.0, 0.0]),
    // The source says b; restricted to a and c it says a.
    (0, [2.0, 6.0, 1.0, 0.0]),
    // Wrong either way.
    (0, [1.0, 0.0, 3.0, 0.0]),
    (2, [0.0, 0.0, 4.0, 1.0]),
    (2, [0.0, 9.0, 4.0, 1.0]),
    (1, [0.0, 7.0, 0.0, 0.0]),    // 0
    (1, [6.0, 7.0, 0.0, 0.0]),    // 6
    (3, [3.0, 3.0, 3.5, 9.0]),    // 3.5
    (3, [-1.0, -1.0, -2.0, 5.0]), // -1
];

fn plain() -> Preprocess {
    Preprocess::plain([1, 4], 1)
}

fn report(model: &Classifier, data: &[(usize, [f32; 4])], options: &EvalOptions<'_>) -> Report {
    let data: Vec<(usize, &[f32])> = data.iter().map(|(k, pixels)| (*k, &pixels[..])).collect();
    let source = source("rows", rows(&data, &CLASSES), model);
    eval(model, &plain(), &[source], options, &Silent).unwrap()
}

fn options<'a>(classes: &[usize]) -> EvalOptions<'a> {
    EvalOptions {
        classes: classes.to_vec(),
        source: None,
        before_refit: None,
        parts: None,
        per_image: false,
        threshold: None,
    }
}

/// Of the images, and the mean of the classes.
fn close(found: &Accuracy, [per_image, per_class]: [f64; 2]) {
    let shares = [found.per_image, found.per_class].map(Percent::share);
    let off = (shares[0] - per_image).abs().max((shares[1] - per_class).abs());
    assert!(off < 1e-12, "{found:?}, expected {per_image} and {per_class}");
    let [low, high] = found.interval.map(Percent::share);
    assert!(low < per_image && per_image < high, "{found:?}");
}

#[test]
fn a_component_against_its_source() {
    let (whole, preprocess) = (whole(), plain());
    let (model, worse) = (component(), pixel_reader("bare", &[(3, 1.0), (2, 1.0)], 4, &["a", "c"]));
    let asked = EvalOptions {
        source: Some(EvalSource { model: &whole, preprocess: &preprocess, classes: vec![0, 2] }),
        before_refit: Some(&worse),
        ..options(&[0, 1])
    };
    let found = report(&model, &ROWS, &asked);
    assert_eq!(found.images, 5);
    assert_eq!(found.accuracy_per_image.share(), 4.0 / 5.0);
    assert_eq!(
        found.accuracy_per_class,
        [("a".to_owned(), Percent::of(2.0 / 3.0)), ("c".to_owned(), Percent::of(1.0))].into()
    );
    assert!((found.mean_class_accuracy.share() - 5.0 / 6.0).abs() < 1e-12);
    close(&found.base.unwrap(), [2.0 / 5.0, (1.0 / 3.0 + 1.0 / 2.0) / 2.0]);
    close(&found.base_restricted.unwrap(), [4.0 / 5.0, (2.0 / 3.0 + 1.0) / 2.0]);
    // Reads pixel 3 for a: of equal scores the first wins, so the first row is right by chance.
    close(&found.before_refit.unwrap(), [3.0 / 5.0, (1.0 / 3.0 + 1.0) / 2.0]);
    let leakage = Leakage {
        foreign_images: 4,
        // Own scores 2 3 4 4 5 against foreign -1 0 3.5 6: 2 + 2 + 3 + 3 + 3 of 20 pairs.
        auroc: 13.0 / 20.0,
        // All own rows reach 2, and so do 3.5 and 6.
        false_accepts_at_95_recall: Percent::of(0.5),
        // No foreign row passes above 6, and no own one either.
        recall_at_5_false_accepts: Percent::of(0.0),
        accepts_at_half: Percent::of(1.0),
    };
    assert_eq!(found.leakage.as_ref(), Some(&leakage));
    // The source restricted to the task has the same scores.
    assert_eq!(found.base_leakage, Some(leakage));
    assert_eq!(found.parts, None);
    assert_eq!(found.confusion["a"], [("a".to_owned(), 2), ("c".to_owned(), 1)].into());
    assert_eq!(found.confusion["c"], [("c".to_owned(), 2)].into());
    assert_eq!(found.records, []);
}

#[test]
fn every_image_can_be_traced() {
    let found = report(&component(), &ROWS, &EvalOptions { per_image: true, ..options(&[0, 1]) });
    assert_eq!(found.records.len(), ROWS.len());
    let own: Vec<_> = found.records.iter().filter(|record| record.own).collect();
    let right = own.iter().filter(|record| record.label == record.answer).count();
    assert_eq!((own.len(), right), (5, 4));
    for record in own {
        let sure = record.margin.unwrap() > 0.0;
        assert_eq!(sure, record.label == record.answer, "{record:?}");
        assert!((0.5..=1.0).contains(&record.score.share()), "the higher of two: {record:?}");
    }
    let foreign = found.records.iter().filter(|record| !record.own);
    assert!(foreign.clone().all(|record| record.margin.is_none() && record.label != "a"));
    assert_eq!(foreign.count(), 4);
}

#[test]
fn a_whole_model_is_its_own_base() {
    let found = report(&whole(), &ROWS, &options(&[0, 1, 2, 3]));
    // Right: rows 1, 4, and all four of b and d.
    assert_eq!((found.images, found.accuracy_per_image.share()), (9, 6.0 / 9.0));
    let expected = [6.0 / 9.0, (1.0 / 3.0 + 1.0 + 1.0 / 2.0 + 1.0) / 4.0];
    close(&found.base.unwrap(), expected);
    close(&found.base_restricted.unwrap(), expected);
    assert_eq!((found.leakage, found.base_leakage), (None, None));
    let task = report(&whole(), &ROWS, &options(&[0, 2]));
    close(&task.base.unwrap(), [2.0 / 5.0, 5.0 / 12.0]);
    close(&task.base_restricted.unwrap(), [4.0 / 5.0, 5.0 / 6.0]);
    assert_eq!(task.leakage.unwrap().auroc, 13.0 / 20.0);
}

#[test]
fn a_single_class_is_judged_by_its_leakage() {
    let model = pixel_reader("single", &[(0, 1.0)], 4, &["a"]);
    let mut data: Vec<(usize, [f32; 4])> =
        (0..40).map(|k| (0, [k as f32, 0.0, 0.0, 0.0])).collect();
    data.extend((0..60).map(|k| (1, [k as f32 - 29.5, 0.0, 0.0, 0.0])));
    let found = report(&model, &data, &options(&[0]));
    assert_eq!(found.accuracy_per_image.share(), 1.0);
    let leakage = found.leakage.unwrap();
    // Own scores 0 to 39, foreign -29.5 to 29.5. 38 of 40 own are at least 2; 28 foreign are.
    assert_eq!(leakage.false_accepts_at_95_recall.share(), 28.0 / 60.0);
    // Three foreign ones may pass, those above 26.5: so do 27 to 39.
    assert_eq!(leakage.recall_at_5_false_accepts.share(), 13.0 / 40.0);
    // Own score x exceeds min(x + 30, 60) foreign ones.
    let pairs: usize = (0..40).map(|x| (x + 30).min(60)).sum();
    assert!((leakage.auroc - pairs as f64 / 2400.0).abs() < 1e-12);
    assert_eq!(leakage.foreign_images, 60);
}

#[test]
fn three_classes_can_be_unsure() {
    let model = pixel_reader("three", &[(0, 1.0), (1, 1.0), (2, 1.0)], 4, &CLASSES[..3]);
    let data = [
        (0, [1.0, 0.0, 0.0, 0.0]),
        // Softmax 1/3; just above 1/2; far above.
        (3, [0.0, 0.0, 0.0, 0.0]),
        (3, [0.7, 0.0, 0.0, 0.0]),
        (3, [0.0, 9.0, 0.0, 0.0]),
        (3, [0.0, 0.0, 0.68, 0.0]),
    ];
    let leakage = report(&model, &data, &options(&[0, 1, 2])).leakage.unwrap();
    assert_eq!(leakage.accepts_at_half.share(), 2.0 / 4.0);
}

#[test]
fn confusion_between_parts() {
    let parts = [
        pixel_reader("ab", &[(0, 1.0), (1, 1.0)], 4, &CLASSES[..2]),
        pixel_reader("cd", &[(2, 1.0), (3, 1.0)], 4, &CLASSES[2..]),
    ];
    let model = assemble(&parts, &AssembleOptions::default()).unwrap();
    let asked = EvalOptions {
        parts: Some(EvalParts { names: owned(&["ab", "cd"]), of_class: vec![0, 0, 1, 1] }),
        ..options(&[0, 1, 2, 3])
    };
    let found = report(&model, &ROWS, &asked);
    assert_eq!((found.images, found.accuracy_per_image.share()), (9, 6.0 / 9.0));
    assert_eq!((&found.base, &found.base_restricted), (&None, &None));
    let confusion = found.parts.unwrap();
    // Of a and b, the third row goes astray; of c and d, the fifth.
    // Sent to its own part, only the second is wrong: b beats a.
    let perfect_routing = [8.0 / 9.0, (2.0 / 3.0 + 1.0 + 1.0 + 1.0) / 4.0];
    assert_eq!(confusion.images, [[4, 1], [1, 3]]);
    close(&confusion.perfect_routing, perfect_routing);
    assert_eq!(confusion.parts, owned(&["ab", "cd"]));
}

#[test]
fn several_data_sets_count_together() {
    let model = whole();
    let split = |range: std::ops::Range<usize>| {
        let data: Vec<(usize, &[f32])> = ROWS[range].iter().map(|(k, p)| (*k, &p[..])).collect();
        source("rows", rows(&data, &CLASSES), &model)
    };
    let both = eval(&model, &plain(), &[split(0..4), split(4..9)], &options(&[0, 2]), &Silent);
    // Examples are called by their places in their sets, which differ.
    let figures = |found: Report| Report { examples: Vec::new(), ..found };
    let whole = report(&model, &ROWS, &options(&[0, 2]));
    assert_eq!(figures(both.unwrap()), figures(whole));
}

#[test]
fn examples_are_right_ones_of_every_class_and_the_surest_mistakes() {
    let found = report(&whole(), &ROWS, &options(&[0, 2])).examples;
    let (right, wrong) = found.split_at(2);
    let labels: Vec<&str> = right.iter().map(|example| &example.record.label[..]).collect();
    assert_eq!(labels, ["a", "c"]);
    assert!(
        right.iter().all(|example| example.right && example.record.answer == example.record.label)
    );
    assert_eq!(wrong.len(), 3);
    assert!(wrong.iter().all(|example| !example.right));
    assert!(wrong.windows(2).all(|pair| pair[0].record.score >= pair[1].record.score));
}

#[test]
fn data_without_the_task_is_refused() {
    let model = whole();
    let data = source("rows", rows(&[(1, &[1.0; 4])], &CLASSES), &model);
    let error = eval(&model, &plain(), &[data], &options(&[0]), &Silent).unwrap_err().to_string();
    assert!(error.contains("the data has no sample of the classes asked for"), "{error}");
}
