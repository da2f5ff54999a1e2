//! Einsum of one or two values: written as transposes, reshapes and a product of matrices.

use std::collections::BTreeMap;

use super::formula::Formula;
use crate::attrs::Attr;
use crate::error::OpError;
use crate::read::{Read, Reading};
use crate::shape::{Dim, Shape};

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    let equation: String = reading.text_or("equation", "")?.split_whitespace().collect();
    let refused = || OpError::new(format!("equation `{equation}` is not supported"));
    let (left, right) = equation.split_once("->").ok_or_else(refused)?;
    let terms: Vec<Vec<char>> = left.split(',').map(|term| term.chars().collect()).collect();
    let out: Vec<char> = right.chars().collect();
    let mut dims = BTreeMap::new();
    for (slot, term) in terms.iter().enumerate() {
        let shape = reading.shape(slot)?;
        let simple = term.iter().all(|letter| letter.is_alphabetic()) && distinct(term);
        if !simple || shape.rank() != term.len() {
            return Err(refused());
        }
        for (&letter, &dim) in term.iter().zip(&shape.0) {
            if *dims.entry(letter).or_insert(dim) != dim {
                return Err(OpError::new(format!("`{letter}` has two extents in `{equation}`")));
            }
        }
    }
    if !distinct(&out) || !out.iter().all(|letter| dims.contains_key(letter)) {
        return Err(refused());
    }
    let inputs: Vec<&str> = reading.form.inputs.iter().map(String::as_str).collect();
    let mut sum = Sum { formula: Formula::of(reading)?, dims, out };
    match (&terms[..], &inputs[..]) {
        ([a], [x]) => sum.of_one(a, x),
        ([a, b], [x, y]) => sum.of_two([a, b], [x, y]),
        _ => return Err(refused()),
    }
    Ok(sum.formula.done())
}

fn distinct(letters: &[char]) -> bool {
    letters.iter().enumerate().all(|(k, letter)| !letters[..k].contains(letter))
}

/// The nodes of a sum of products.
struct Sum<'a> {
    formula: Formula<'a>,
    dims: BTreeMap<char, Dim>,
    out: Vec<char>,
}

impl Sum<'_> {
    /// `name` with its axes `from` in the order `to`.
    fn turned(&mut self, name: &str, from: &[char], to: &[char]) -> String {
        let place = |letter: &char| from.iter().position(|other| other == letter);
        let perm: Vec<i64> = to.iter().filter_map(place).map(|k| k as i64).collect();
        self.formula.step_with("Transpose", &[name], &[("perm", Attr::Ints(perm))])
    }

    /// `name` without the axes of `from` that are in none of `others`, which are summed over; those that
    /// are left are in the order of `from`.
    fn summed(&mut self, name: &str, from: &[char], others: &[char]) -> (String, Vec<char>) {
        let axes: Vec<i64> =
            (0..from.len()).filter(|&k| !others.contains(&from[k])).map(|k| k as i64).collect();
        let left: Vec<char> = from.iter().copied().filter(|c| others.contains(c)).collect();
        if axes.is_empty() {
            return (name.to_owned(), left);
        }
        let attrs = [("axes", Attr::Ints(axes)), ("keepdims", Attr::Int(0))];
        (self.formula.step_with("ReduceSum", &[name], &attrs), left)
    }

    fn of_one(&mut self, term: &[char], name: &str) {
        let out = self.out.clone();
        let (name, left) = self.summed(name, term, &out);
        self.turned(&name, &left, &out);
    }

    /// Axes of both and of the result run side by side; those of both alone are summed over in a product
    /// of matrices, whose rows are the axes of the first alone, and whose columns those of the second.
    fn of_two(&mut self, terms: [&Vec<char>; 2], names: [&str; 2]) {
        let out = self.out.clone();
        let (x, a) = self.summed(names[0], terms[0], &[&out[..], terms[1]].concat());
        let (y, b) = self.summed(names[1], terms[1], &[&out[..], terms[0]].concat());
        let only = |own: &[char], other: &[char]| -> Vec<char> {
            own.iter().copied().filter(|c| !other.contains(c)).collect()
        };
        let both = |kept: bool| -> Vec<char> {
            let shared = a.iter().copied().filter(|c| b.contains(c));
            shared.filter(|c| out.contains(c) == kept).collect()
        };
        let (side, inner) = (both(true), both(false));
        let (rows, columns) = (only(&a, &b), only(&b, &a));
        let x = self.turned(&x, &a, &[&side[..], &rows, &inner].concat());
        let x = self.merged(&x, &side, &rows, &inner);
        let y = self.turned(&y, &b, &[&side[..], &inner, &columns].concat());
        let y = self.merged(&y, &side, &inner, &columns);
        let product = self.formula.step("MatMul", &[&x, &y]);
        let order = [&side[..], &rows, &columns].concat();
        let shape = Shape(order.iter().map(|letter| self.dims[letter]).collect());
        let apart = self.formula.reshape(&product, &shape);
        self.turned(&apart, &order, &out);
    }

    /// `name` as matrices: its axes `side`, then `first` as one axis and `second` as another.
    fn merged(&mut self, name: &str, side: &[char], first: &[char], second: &[char]) -> String {
        if first.len() == 1 && second.len() == 1 {
            return name.to_owned();
        }
        let merged = |letters: &[char]| {
            let dims = letters.iter().map(|letter| self.dims[letter]);
            dims.fold(Dim::Fixed(1), |all, dim| match (all, dim) {
                (Dim::Fixed(a), Dim::Fixed(b)) => Dim::Fixed(a * b),
                (a, b) => Dim::Batch(a.at(1) * b.at(1)),
            })
        };
        let dims = side.iter().map(|letter| self.dims[letter]);
        let shape = Shape(dims.chain([merged(first), merged(second)]).collect());
        self.formula.reshape(name, &shape)
    }
}
