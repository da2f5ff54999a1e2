//! How far contributions tell the classes apart: the relevance of Model LEGO without its thresholds.
//!
//! With `V_c[o, i]` the mean positive contribution of a layer's input `i` to its output `o` for class
//! `c`, the layer scores
//!
//! `s[i] = sum over o of std over c of V_c[o, i]`.
//!
//! For one class the paper asks which inputs contribute most. For all classes at once that would
//! keep inputs that bring every class the same, which a bias can do as well; what is lost with an
//! input is that by which its contributions differ between the classes.

use brickwork_tensor::Tensor;

use super::ground::Ground;
use super::opinions::Opinions;
use crate::model::error::Error;

/// The scores that reading layers give the channels they read.
pub(super) fn scores(ground: &Ground<'_>) -> Result<Vec<f64>, Error> {
    let profile = ground.profile.ok_or_else(|| {
        Error::options("the criterion contribution needs a profile of the model".to_owned())
    })?;
    let classes = 0..ground.classes.len();
    let places = classes.map(|class| profile.place(class)).collect::<Result<Vec<_>, _>>()?;
    let contributions = profile.contributions_to(ground.graph, &ground.layers);
    let mut opinions = Opinions::new(&ground.channels);
    // What a depthwise layer reads contributes to itself alone, so it says nothing.
    let judges = ground.layers.iter().enumerate().filter(|(_, l)| !l.weighted.is_depthwise());
    for (at, layer) in judges {
        let Some(ends) = ground.channels.layer(layer.node) else { continue };
        let of_classes: Vec<Tensor> =
            places.iter().map(|&place| contributions(place, at)).collect();
        opinions.add(&ends.inputs, &spreads(&of_classes, ends.groups));
    }
    Ok(opinions.means())
}

/// For every input, the standard deviation over classes of its contributions, summed over the
/// outputs of its group; from `[outputs, inputs of a group]` for every class.
fn spreads(contributions: &[Tensor], groups: usize) -> Vec<f64> {
    let [outputs, inputs] = [0, 1].map(|axis| contributions[0].shape()[axis]);
    let mut sums = vec![0.0; groups * inputs];
    for at in 0..outputs * inputs {
        let group = at / inputs * groups / outputs;
        sums[group * inputs + at % inputs] += deviation(contributions.iter().map(|v| v.data()[at]));
    }
    sums
}

fn deviation(values: impl ExactSizeIterator<Item = f32> + Clone) -> f64 {
    let count = values.len() as f64;
    let mean = values.clone().map(f64::from).sum::<f64>() / count;
    (values.map(|v| (f64::from(v) - mean).powi(2)).sum::<f64>() / count).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(rows: [[f32; 4]; 2], inputs: usize) -> [Tensor; 2] {
        rows.map(|row| Tensor::new([4 / inputs, inputs], row.to_vec()))
    }

    #[test]
    fn what_is_the_same_for_all_classes_counts_nothing() {
        let contributions = classes([[9.0, 1.0, 5.0, 0.0], [9.0, 3.0, 1.0, 0.0]], 2);
        assert_eq!(spreads(&contributions, 1), [2.0, 1.0]);
    }

    #[test]
    fn groups_judge_their_own_inputs() {
        let contributions = classes([[9.0, 1.0, 5.0, 0.0], [9.0, 3.0, 1.0, 0.0]], 1);
        assert_eq!(spreads(&contributions, 2), [1.0, 2.0]);
        assert_eq!(spreads(&contributions[..1], 4), [0.0; 4]);
    }
}
