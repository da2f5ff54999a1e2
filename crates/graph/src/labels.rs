//! Arrays of labels: along which axes they change, and the lines that run along some of them.

use brickwork_tensor::Nd;

/// Names a channel, across all values that carry it.
pub type Label = u32;

/// The label of everything that is never cut: the network's input, results of opaque operators.
pub const FIXED: Label = 0;

/// The axes along which an array, collapsed to extent 1 wherever nothing changes, has several indices.
pub(crate) fn varying<T: Copy>(array: &Nd<T>) -> Vec<usize> {
    (0..array.shape().len()).filter(|&axis| array.shape()[axis] > 1).collect()
}

/// Whether each of two arrays changes along an axis on which the other does not.
pub(crate) fn crossed<T: Copy>(a: &Nd<T>, b: &Nd<T>) -> bool {
    let (a, b) = (varying(a), varying(b));
    a.iter().any(|axis| !b.contains(axis)) && b.iter().any(|axis| !a.contains(axis))
}

/// What stands along `axes`, for each index of the other axes in row-major order, and the extents of an array
/// with one element for each of these.
pub(crate) fn lines<T: Copy>(array: &Nd<T>, axes: &[usize]) -> (Vec<usize>, Vec<Vec<T>>) {
    let others = (0..array.rank()).filter(|axis| !axes.contains(axis));
    let perm: Vec<usize> = others.chain(axes.iter().copied()).collect();
    let each = axes.iter().map(|&axis| array.shape()[axis]).product::<usize>().max(1);
    let lines = array.transpose(&perm).data().chunks(each).map(<[T]>::to_vec).collect();
    let mut shape = array.shape().to_vec();
    axes.iter().for_each(|&axis| shape[axis] = 1);
    (shape, lines)
}

/// Reduces axes along which nothing changes to extent 1.
pub(crate) fn collapse(mut labels: Nd<Label>) -> Nd<Label> {
    for axis in varying(&labels) {
        let first = labels.slice(axis, 0, 1, 1);
        if first.broadcast(labels.shape()) == labels {
            labels = first;
        }
    }
    labels
}

/// Of the axes in `varying`, which another order moves to the places `moved`, those that may go on changing: they stay
/// in order, and no others in order have more indices, whose numbers are `extents`.
pub(crate) fn in_order(moved: &[usize], extents: &[usize]) -> Vec<usize> {
    let chosen = |set: usize| (0..moved.len()).filter(move |place| set >> place & 1 == 1);
    let rises = |set: &usize| chosen(*set).map(|place| moved[place]).is_sorted();
    let count = |set: &usize| chosen(*set).map(|place| extents[place]).product::<usize>();
    let best = (0..1usize << moved.len()).filter(rises).max_by_key(count).unwrap_or(0);
    chosen(best).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_run_along_the_axes_that_are_named() {
        let array = Nd::new([2, 1, 3], vec![1u32, 2, 3, 4, 5, 6]);
        assert_eq!(varying(&array), [0, 2]);
        let (shape, along) = lines(&array, &[2]);
        assert_eq!((shape, along), (vec![2, 1, 1], vec![vec![1, 2, 3], vec![4, 5, 6]]));
        let (shape, along) = lines(&array, &[0]);
        assert_eq!((shape, along), (vec![1, 1, 3], vec![vec![1, 4], vec![2, 5], vec![3, 6]]));
        let repeated = Nd::new([2, 2], vec![7u32, 8, 7, 8]);
        assert_eq!(collapse(repeated), Nd::new([1, 2], vec![7, 8]));
    }

    #[test]
    fn axes_that_change_places_give_way_to_longer_ones() {
        assert_eq!(in_order(&[0, 1], &[3, 64]), [0, 1]);
        assert_eq!(in_order(&[1, 0], &[3, 64]), [1]);
        assert_eq!(in_order(&[1, 2, 0], &[2, 2, 3]), [0, 1]);
    }
}
