//! Holding samples out of a data set.

use brickwork::{Held, Numbered, Source, uniform};
use proptest::prelude::*;

use crate::common::{dataset, owned};

/// Samples of these data classes for a model that does not know `fox`.
fn source(labels: &[usize]) -> Source {
    let images = uniform([labels.len(), 1, 1, 2], -1.0, 1.0, 1);
    let data = dataset(&images, labels, &["cat", "fox", "dog"]);
    Source::new("set", data, &Numbered::new(owned(&["dog", "cat"]), None)).unwrap()
}

fn origins(source: &Source) -> Vec<usize> {
    (0..source.dataset.len()).map(|index| source.dataset.origin(index)).collect()
}

#[test]
fn so_many_of_each_class_are_held_out_and_foreign_ones_stay() {
    let labels: Vec<usize> = (0..60).map(|k| k % 3).collect();
    let (train, held) = source(&labels).split_off(Held::PerClass(4), 1).unwrap();
    for (class, kept) in [(Some(0), 16), (Some(1), 16), (None, 20)] {
        let count = |of: &Source| (0..of.dataset.len()).filter(|&k| of.class(k) == class).count();
        assert_eq!((count(&train), count(&held)), (kept, 20 - kept), "{class:?}");
    }
    let again = source(&labels).split_off(Held::PerClass(4), 1).unwrap();
    assert_eq!(origins(&held), origins(&again.1));
    let other = source(&labels).split_off(Held::PerClass(4), 2).unwrap();
    assert_ne!(origins(&held), origins(&other.1));
}

#[test]
fn small_classes_stay_on_both_sides() {
    let labels = [0, 0, 0, 0, 2, 2, 1];
    let counts = |held: Held| {
        let all = source(&labels);
        let small = all.too_small(held);
        let (train, held) = all.split_off(held, 1).unwrap();
        let count = |of: &Source, class| of.samples_of(&[class]).len();
        assert_eq!(train.foreign().len(), 1, "a foreign image stays");
        ([1, 0].map(|class| (count(&train, class), count(&held, class))), small)
    };
    assert_eq!(counts(Held::PerClass(1)), ([(3, 1), (1, 1)], vec![]));
    assert_eq!(counts(Held::PerClass(2)), ([(2, 2), (1, 1)], owned(&["dog (1 of 2)"])));
    assert_eq!(counts(Held::PerClass(9)).0, [(2, 2), (1, 1)]);
    assert_eq!(counts(Held::Fraction(0.1)).0, [(3, 1), (1, 1)]);
    assert_eq!(counts(Held::Fraction(0.9)).0, [(1, 3), (1, 1)]);
    let single = source(&[0, 0, 2]);
    assert_eq!(single.too_small(Held::Fraction(0.5)), ["dog (0 of 1)"]);
    assert_eq!(single.split_off(Held::Fraction(0.5), 1).unwrap().1.dataset.labels(), [0]);
    for share in [0.0, 1.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(source(&labels).split_off(Held::Fraction(share), 1).is_err(), "{share}");
    }
    assert!(source(&labels).split_off(Held::PerClass(0), 1).is_err());
}

proptest! {
    #[test]
    fn the_sides_are_a_partition_with_the_share_of_every_class(
        extra in prop::collection::vec(0_usize..3, 0..60),
        share in 0.2_f64..0.8,
        seed: u64,
    ) {
        let labels = [vec![0, 0, 0, 2, 2, 2], extra].concat();
        let (train, held) = source(&labels).split_off(Held::Fraction(share), seed).unwrap();
        let [mut all, out] = [&train, &held].map(origins);
        prop_assert!(all.is_sorted() && out.is_sorted());
        for class in [0, 2] {
            let count = labels.iter().filter(|&&label| label == class).count();
            let found = held.dataset.labels().iter().filter(|&&label| label == class).count();
            prop_assert_eq!(found, (count as f64 * share).round() as usize);
        }
        all.extend(out);
        all.sort_unstable();
        prop_assert_eq!(all, (0..labels.len()).collect::<Vec<_>>());
    }
}
