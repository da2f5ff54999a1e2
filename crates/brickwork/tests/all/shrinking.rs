//! Components on their way down: sizes, what they keep, and that they can be proved.

use std::sync::atomic::AtomicUsize;

use brickwork::{
    Classifier, CompressOptions, Criterion, Error, Goal, ImageSet, RefitOptions, Shrink,
    ShrinkOptions, Silent, Unit, Walk, Weights, recut, verify,
};
use brickwork_tensor::Tensor;

use crate::common::grown::grow;
use crate::common::{StopAfter, classifier, random_images, run, stored, varied_images};

const CLASSES: [&str; 4] = ["a", "b", "c", "d"];
const GENES: [(u8, u8); 4] = [(4, 1), (7, 2), (10, 0), (5, 3)];

fn options(criterion: Criterion, unit: Unit) -> ShrinkOptions {
    let usual = ShrinkOptions::default();
    ShrinkOptions { criterion, rules: CompressOptions { unit, ..usual.rules }, ..usual }
}

#[test]
fn every_stop_is_a_component_of_the_source() {
    let model = classifier("model", grow(&GENES, 4, 1), &CLASSES);
    let images = random_images(24, model.input(), 1);
    let set = ImageSet::from(images.clone());
    for (criterion, unit) in [
        (Criterion::Taylor, Unit::Macs),
        (Criterion::NetContribution, Unit::Macs),
        (Criterion::Energy, Unit::Parameters),
        (Criterion::Reconstruction, Unit::Macs),
        (Criterion::Random, Unit::Macs),
    ] {
        let mut shrink =
            Shrink::new(&model, &[1, 3], Some(&set), options(criterion, unit.clone())).unwrap();
        let whole = shrink.size();
        let mut before = whole;
        while before > whole / 2 {
            let limit = shrink.next_limit(whole / 2);
            shrink.step(limit, &Silent).unwrap();
            assert!(shrink.size() <= limit && shrink.size() < before);
            before = shrink.size();
            let component = shrink.component().unwrap();
            assert_eq!(unit.of(component.graph()), before);
            let origin = component.card().origin.as_ref().unwrap();
            assert_eq!((origin.criterion, &origin.classes[..]), (Some(criterion), &[1, 3][..]));
            let proof = verify(&model, &stored(&component), &images).unwrap();
            assert!(proof.holds && proof.weights == Weights::AsWritten, "{proof:?}");
            assert_eq!(recut(&model, &component).unwrap().graph().macs(), component.graph().macs());
        }
    }
}

#[test]
fn the_whole_task_is_the_source_and_steps_upwards_do_nothing() {
    let model = classifier("model", grow(&[(4, 1), (5, 3)], 4, 1), &CLASSES);
    let images = random_images(8, model.input(), 1);
    let set = ImageSet::from(images.clone());
    let mut shrink = Shrink::new(&model, &[0, 2], Some(&set), ShrinkOptions::default()).unwrap();
    let size = shrink.size();
    shrink.step(size + 1, &Silent).unwrap();
    assert_eq!(shrink.size(), size);
    let same = run((**shrink.component().unwrap().graph()).clone(), &images);
    assert_eq!(same, run((**model.graph()).clone(), &images).take(1, &[0, 2]));
    let said = shrink.step(1, &Silent).unwrap_err().to_string();
    assert!(said.contains("cannot be reached"), "{said}");
}

#[test]
fn a_finished_component_is_nearer_to_the_source() {
    let model = classifier("model", grow(&[(4, 1), (5, 3), (0, 2), (7, 1)], 4, 2), &CLASSES);
    let images = random_images(300, model.input(), 1);
    let set = ImageSet::from(images.clone());
    let mut shrink = Shrink::new(&model, &[3, 1], Some(&set), ShrinkOptions::default()).unwrap();
    assert!(shrink.finished(&shrink.component().unwrap(), &Silent).unwrap().is_none());
    shrink.step(shrink.size() / 2, &Silent).unwrap();
    let stop = shrink.component().unwrap();
    let end = shrink.finished(&stop, &Silent).unwrap().unwrap();
    let passes = |model: &Classifier| {
        model.card().origin.as_ref().and_then(|origin| origin.refit.as_ref()).unwrap().passes
    };
    assert!(passes(&end) > passes(&stop));
    assert_eq!(end.graph().macs(), stop.graph().macs());
    assert!(verify(&model, &stored(&end), &images).unwrap().holds);
    // Of two classes only the difference counts.
    let gap = |scores: Tensor| -> Vec<f32> {
        scores.data().chunks(2).map(|pair| pair[0] - pair[1]).collect()
    };
    let wanted = gap(run((**model.graph()).clone(), &images).take(1, &[1, 3]));
    let off = |model: &Classifier| {
        let found = gap(run((**model.graph()).clone(), &images));
        found.iter().zip(&wanted).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>()
    };
    assert!(off(&end) < off(&stop), "{} to {}", off(&stop), off(&end));
}

#[test]
fn a_readout_comes_on_top() {
    let genes = [(4, 1), (5, 3), (0, 2), (7, 1), (10, 2)];
    for (classes, unit, tenths) in [(&[3, 1][..], Unit::Macs, 2), (&[0, 1, 2], Unit::Parameters, 3)]
    {
        let model = classifier("model", grow(&genes, 4, 2), &CLASSES);
        let images = varied_images(600, model.input(), 1);
        let set = ImageSet::from(images.clone());
        let usual = options(Criterion::Taylor, unit.clone());
        // A strong ridge leaves something to do.
        let refit = RefitOptions { passes: 0, readout: true, lambda: 100.0, ..usual.refit };
        let mut shrink =
            Shrink::new(&model, classes, Some(&set), ShrinkOptions { refit, ..usual }).unwrap();
        let budget = shrink.size() * tenths / 10;
        while shrink.size() + shrink.reserve() > budget {
            let limit = shrink.next_limit(budget.saturating_sub(shrink.reserve()));
            shrink.step(limit, &Silent).unwrap();
        }
        let stop = shrink.component().unwrap();
        let end = shrink.finished(&stop, &Silent).unwrap().expect("a readout helps");
        let note = end.card().origin.as_ref().and_then(|origin| origin.refit.as_ref()).unwrap();
        assert!(note.passes == 0 && note.readout > 0);
        // What was reserved is what it takes, and the budget holds.
        assert_eq!(unit.of(end.graph()), unit.of(stop.graph()) + shrink.reserve());
        assert!(unit.of(end.graph()) <= budget);
        let layers = |model: &Classifier| brickwork::layers(model.graph()).len();
        assert_eq!(layers(&end), layers(&stop) + 1);
        assert!(verify(&model, &stored(&end), &images).unwrap().holds);
        assert_eq!(recut(&model, &end).unwrap().graph().macs(), stop.graph().macs());
    }
}

#[test]
fn without_a_refit_a_cut_is_what_the_source_computes() {
    let model = classifier("model", grow(&[(4, 1), (5, 3)], 4, 1), &CLASSES);
    let images = random_images(8, model.input(), 1);
    let bare = options(Criterion::L1, Unit::Macs);
    let mut shrink = Shrink::new(&model, &[0, 2], None, bare).unwrap();
    let limit = shrink.size() * 7 / 10;
    shrink.step(limit, &Silent).unwrap();
    let proof = verify(&model, &shrink.component().unwrap(), &images).unwrap();
    assert!(proof.holds && proof.weights == Weights::Compared, "{proof:?}");
    assert!(shrink.finished(&shrink.component().unwrap(), &Silent).unwrap().is_none());
}

#[test]
fn only_what_cannot_get_smaller_ends_a_walk() {
    let model = classifier("model", grow(&GENES, 4, 1), &CLASSES);
    let images = random_images(24, model.input(), 1);
    let set = ImageSet::from(images.clone());
    let walk = |progress: &StopAfter| {
        let usual = options(Criterion::Taylor, Unit::Macs);
        let shrink = Shrink::new(&model, &[1, 3], Some(&set), usual).unwrap();
        let goal = Goal { share: Some(0.5), ..Goal::default() };
        let mut walk = Walk::new(shrink, None, goal, progress);
        walk.down().map(|()| walk.points.len())
    };
    let plenty = StopAfter(AtomicUsize::new(usize::MAX));
    assert!(walk(&plenty).unwrap() > 2);
    let asked = usize::MAX - plenty.0.into_inner();
    assert!(asked > 2);
    for stop in [0, asked / 2, asked - 1] {
        let error = walk(&StopAfter(AtomicUsize::new(stop))).unwrap_err();
        assert!(matches!(error, Error::Stopped(_)), "after {stop} of {asked}: {error}");
    }
}
