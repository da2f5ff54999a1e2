//! Attention (opset 23): `softmax(scale * Q K' + mask) V` for every head (Vaswani et al. 2017, eq. 1), written as
//! that formula, so that heads and what lies inside of them can be cut as they are told apart.

use std::sync::Arc;

use brickwork_tensor::{Nd, Tensor};

use super::arithmetic::broadcast;
use super::formula::Formula;
use crate::attrs::Attr;
use crate::error::OpError;
use crate::read::{Form, Operand, Read, Reading};
use crate::shape::{Dim, Int, Shape};

/// Slots of the operands.
const QUERIES: usize = 0;
const KEYS: usize = 1;
const VALUES: usize = 2;
const MASK: usize = 3;
const PAST_KEYS: usize = 4;
const PAST_VALUES: usize = 5;
const LENGTHS: usize = 6;

pub(crate) fn read(reading: &Reading<'_>) -> Result<Read, OpError> {
    reading.ignore(&["softmax_precision"]);
    let heads = Heads::read(reading)?;
    let cap = reading.float_or("softcap", 0.0)?;
    let shown = reading.int_or("qk_matmul_output_mode", 0)?;
    let mask = Mask::read(reading, &heads)?;
    let mut formula = Formula::of(reading)?;
    let queries = heads.apart(&mut formula, reading, QUERIES)?;
    let keys = heads.apart(&mut formula, reading, KEYS)?;
    let keys = remembered(&mut formula, reading, PAST_KEYS, keys);
    let values = heads.apart(&mut formula, reading, VALUES)?;
    let values = remembered(&mut formula, reading, PAST_VALUES, values);
    let present = [keys.clone(), values.clone()];
    let [keys, values] = present.clone().map(|name| heads.shared(&mut formula, name));
    let scale = formula.number(heads.scale);
    let scaled = formula.step("Mul", &[&queries, &scale]);
    let turned =
        formula.step_with("Transpose", &[&keys], &[("perm", Attr::Ints(vec![0, 1, 3, 2]))]);
    let mut scores = formula.step("MatMul", &[&scaled, &turned]);
    if cap > 0.0 {
        let cap = formula.number(f64::from(cap));
        let small = formula.step("Div", &[&scores, &cap]);
        let bounded = formula.step("Tanh", &[&small]);
        scores = formula.step("Mul", &[&bounded, &cap]);
    }
    let masked = mask.added(&mut formula, reading, &scores);
    let softmax = formula.step_with("Softmax", &[&masked], &[("axis", Attr::Int(-1))]);
    let weights = mask.without_empty_rows(&mut formula, softmax);
    let product = formula.step("MatMul", &[&weights, &values]);
    heads.together(&mut formula, &product);
    let shown = match shown {
        2 => masked,
        3 => weights,
        _ => scores,
    };
    let mut forms = formula.forms();
    let [keys, values] = present;
    forms.extend(more_results(reading, [keys, values, shown]));
    Ok(Read::Expand(forms))
}

/// The results behind the first, where they are asked for.
fn more_results(reading: &Reading<'_>, made: [String; 3]) -> Vec<Form> {
    let asked = reading.form.outputs.iter().skip(1).zip(made);
    let asked = asked.filter(|(wanted, _)| !wanted.is_empty());
    let result = |(wanted, made): (&String, String)| Form {
        name: wanted.clone(),
        kind: "Identity".to_owned(),
        inputs: vec![made],
        outputs: vec![wanted.clone()],
        ..Form::default()
    };
    asked.map(result).collect()
}

/// What was computed for earlier positions, if anything, before `now`.
fn remembered(
    formula: &mut Formula<'_>,
    reading: &Reading<'_>,
    slot: usize,
    now: String,
) -> String {
    match reading.operand(slot) {
        Operand::Absent => now,
        _ => {
            let past = reading.named(slot);
            formula.step_with("Concat", &[past, &now], &[("axis", Attr::Int(2))])
        }
    }
}

/// How queries, keys and values fall into heads.
struct Heads {
    /// Heads of queries, and of keys and values.
    counts: [usize; 2],
    /// Positions of queries, and of keys with those of earlier calls.
    positions: [usize; 2],
    /// Positions of earlier calls.
    past: usize,
    /// What scores are multiplied by.
    scale: f64,
    /// The shape of the result, if heads lie side by side on the last axis: `[n, s, heads * d]` rather than
    /// `[n, heads, s, d]`.
    rows: Option<Shape>,
}

impl Heads {
    fn read(reading: &Reading<'_>) -> Result<Self, OpError> {
        let shapes = [QUERIES, KEYS, VALUES].map(|slot| reading.shape(slot));
        let [queries, keys, values] = shapes;
        let (queries, keys, values) = (queries?, keys?, values?);
        let misfit = || {
            OpError::new(format!(
                "queries {queries}, keys {keys} and values {values} do not fall into heads"
            ))
        };
        let rank = queries.rank();
        if !(3..=4).contains(&rank) || keys.rank() != rank || values.rank() != rank {
            return Err(misfit());
        }
        let fixed = |shape: &Shape, axis: usize| {
            shape.0[axis].fixed().filter(|&extent| extent > 0).ok_or_else(misfit)
        };
        let count = |name| reading.int(name).map(|n| n.and_then(|n| usize::try_from(n).ok()));
        let stated = [count("q_num_heads")?, count("kv_num_heads")?];
        let counts = match rank {
            4 => [fixed(&queries, 1)?, fixed(&keys, 1)?],
            _ => [stated[0].ok_or_else(misfit)?, stated[1].ok_or_else(misfit)?],
        };
        let whole = |width: usize, count: usize| count > 0 && width.is_multiple_of(count);
        let width = fixed(&queries, rank - 1)?;
        let widths = [fixed(&keys, rank - 1)?, fixed(&values, rank - 1)?];
        let side_by_side = rank == 3;
        if !whole(counts[0], counts[1])
            || side_by_side
                && !(whole(width, counts[0]) && widths.iter().all(|&w| whole(w, counts[1])))
        {
            return Err(misfit());
        }
        let each = if side_by_side { width / counts[0] } else { width };
        let past = match reading.operand(PAST_KEYS).shape() {
            Some(shape) if shape.rank() == 4 => fixed(&shape, 2)?,
            Some(_) => return Err(misfit()),
            None => 0,
        };
        let scale = f64::from(reading.float_or("scale", (1.0 / (each as f64).sqrt()) as f32)?);
        let positions = [fixed(&queries, rank - 2)?, past + fixed(&keys, rank - 2)?];
        let made = Dim::Fixed(counts[0] * (widths[1] / counts[1]));
        let rows = side_by_side.then(|| Shape(vec![queries.0[0], queries.0[1], made]));
        Ok(Self { counts, positions, past, scale, rows })
    }

    /// The operand in `slot` as `[n, heads, s, d]`.
    fn apart(
        &self,
        formula: &mut Formula<'_>,
        reading: &Reading<'_>,
        slot: usize,
    ) -> Result<String, OpError> {
        let name = reading.named(slot);
        if self.rows.is_none() {
            return Ok(name.to_owned());
        }
        let shape = reading.shape(slot)?;
        let heads = self.counts[usize::from(slot != QUERIES)];
        let width = shape.0[2].at(1) / heads;
        let dims = vec![shape.0[0], shape.0[1], Dim::Fixed(heads), Dim::Fixed(width)];
        let split = formula.reshape(name, &Shape(dims));
        Ok(formula.step_with("Transpose", &[&split], &[("perm", Attr::Ints(vec![0, 2, 1, 3]))]))
    }

    /// `name` with each of its heads as often as queries have heads for it.
    fn shared(&self, formula: &mut Formula<'_>, name: String) -> String {
        let [heads, kept] = self.counts;
        if heads == kept {
            return name;
        }
        let indices =
            formula.whole((0..heads).map(|head| (head / (heads / kept)) as i64).collect());
        formula.step_with("Gather", &[&name, &indices], &[("axis", Attr::Int(1))])
    }

    /// The last step: heads side by side where operands have them so.
    fn together(&self, formula: &mut Formula<'_>, product: &str) {
        if let Some(rows) = &self.rows {
            let turn = [("perm", Attr::Ints(vec![0, 2, 1, 3]))];
            let turned = formula.step_with("Transpose", &[product], &turn);
            formula.reshape(&turned, rows);
        }
    }
}

/// What is added to scores, so that positions do not attend to each other.
struct Mask {
    /// What is known of it, with minus infinity where nothing is attended to; `None` if it is zero.
    known: Option<Tensor>,
    /// Whether operand 3 is added as well, since it is computed at run time.
    computed: bool,
}

impl Mask {
    fn read(reading: &Reading<'_>, heads: &Heads) -> Result<Self, OpError> {
        let [queries, keys] = heads.positions;
        let causal = reading.int_or("is_causal", 0)? != 0;
        let window = [
            reading.int_or("left_window_size", -1)?,
            if causal { 0 } else { reading.int_or("right_window_size", -1)? },
        ];
        let lengths = lengths(reading)?;
        // Where the first query stands among the keys, and how many keys there are, for each sample.
        let samples: Vec<[i64; 2]> = match &lengths {
            Some(lengths) => lengths.iter().map(|&keys| [keys - queries as i64, keys]).collect(),
            None => vec![[heads.past as i64, keys as i64]],
        };
        let attends = |[start, end]: [i64; 2], place: usize| {
            let (query, key) = (start + (place / keys) as i64, (place % keys) as i64);
            let [left, right] = [query - key, key - query];
            let inside =
                (window[0] < 0 || left <= window[0]) && (window[1] < 0 || right <= window[1]);
            inside && key < end
        };
        reading.affords(&[samples.len(), queries, keys], false)?;
        let places = |sample| (0..queries * keys).map(move |place| attends(sample, place));
        let bias = samples.iter().copied().flat_map(places);
        let bias = bias.map(|attends| if attends { 0.0 } else { f32::NEG_INFINITY }).collect();
        let ours = Nd::new([samples.len(), 1, queries, keys], bias);
        let ours = if lengths.is_some() { ours } else { ours.reshape([queries, keys]) };
        let operand = reading.operand(MASK);
        let theirs = match (operand.whole(), operand.real()) {
            (Some(whole), _) => {
                let attends = |x: Int| if x == Int::Fixed(0) { f32::NEG_INFINITY } else { 0.0 };
                Some(whole.data.map(attends))
            }
            (None, real) => real.map(|real| (*real.data).clone()),
        };
        let computed = matches!(operand, Operand::Value(..));
        let known = match theirs {
            Some(theirs) => sum(reading, &ours, &padded(theirs, keys))?,
            None => ours,
        };
        let known = known.data().iter().any(|&x| x != 0.0).then_some(known);
        Ok(Self { known, computed })
    }

    /// `scores` with the mask.
    fn added(&self, formula: &mut Formula<'_>, reading: &Reading<'_>, scores: &str) -> String {
        let mut last = scores.to_owned();
        if self.computed {
            last = formula.step("Add", &[&last, reading.named(MASK)]);
        }
        if let Some(known) = &self.known {
            // Next to the lowest number, scores do not count.
            let bias = formula.reals(&Arc::new(known.map(|x| x.max(f32::MIN))));
            last = formula.step("Add", &[&last, &bias]);
        }
        last
    }

    /// `weights` with zeros where a position attends to nothing.
    fn without_empty_rows(&self, formula: &mut Formula<'_>, weights: String) -> String {
        let Some(known) = &self.known else { return weights };
        let keys = known.shape()[known.rank() - 1];
        let empty = |row: &[f32]| row.iter().all(|&x| x == f32::NEG_INFINITY);
        let filled = known.data().chunks(keys).map(|row| f32::from(u8::from(!empty(row))));
        let filled: Vec<f32> = filled.collect();
        if filled.iter().all(|&x| x == 1.0) {
            return weights;
        }
        let shape = [&known.shape()[..known.rank() - 1], &[1]].concat();
        let filled = formula.reals(&Arc::new(Nd::new(shape, filled)));
        formula.step("Mul", &[&weights, &filled])
    }
}

/// How many keys of each sample count, of those in a cache of fixed size; all if nothing is said.
fn lengths(reading: &Reading<'_>) -> Result<Option<Vec<i64>>, OpError> {
    let lengths = reading.fixed_ints_at(LENGTHS, "lengths of padded keys")?;
    if lengths.is_some() && reading.shape(QUERIES)?.batch_axis().is_some() {
        return Err(OpError::new("lengths of padded keys (operand 6) belong to single samples"));
    }
    Ok(lengths)
}

/// The sum of two masks that broadcast.
fn sum(reading: &Reading<'_>, a: &Tensor, b: &Tensor) -> Result<Tensor, OpError> {
    let shape = broadcast(&Shape::fixed(a.shape()), &Shape::fixed(b.shape()))?.sample();
    reading.affords(&shape, false)?;
    let (a, b) = (a.broadcast(&shape), b.broadcast(&shape));
    Ok(Nd::new(shape, a.data().iter().zip(b.data()).map(|(a, b)| a + b).collect()))
}

/// A mask for as many keys; those that it leaves out are not attended to.
fn padded(mask: Tensor, keys: usize) -> Tensor {
    let Some(&own) = mask.shape().last().filter(|&&own| own > 1 && own < keys) else { return mask };
    let shape = [&mask.shape()[..mask.rank() - 1], &[keys]].concat();
    let mut data = vec![f32::NEG_INFINITY; mask.data().len() / own * keys];
    for (row, own) in data.chunks_mut(keys).zip(mask.data().chunks(own)) {
        row[..own.len()].copy_from_slice(own);
    }
    Nd::new(shape, data)
}
