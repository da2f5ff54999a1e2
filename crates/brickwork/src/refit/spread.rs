//! Some of many, spread evenly.

use std::borrow::Cow;

use brickwork_tensor::Tensor;

/// At most so many of `images` `[n, c, h, w]`, evenly.
pub(crate) fn some_of(images: &Tensor, most: usize) -> Cow<'_, Tensor> {
    match images.shape()[0] {
        count if count > most => {
            Cow::Owned(images.take(0, &evenly(count, most).collect::<Vec<_>>()))
        }
        _ => Cow::Borrowed(images),
    }
}

/// At most so many of `count` places, evenly.
pub(crate) fn evenly(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let some = count.min(most);
    (0..some).map(move |k| k * count / some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_images_are_spread_over_all() {
        let images = Tensor::new([7, 1, 1, 1], (0..7).map(|k| k as f32).collect());
        assert_eq!(some_of(&images, 3).data(), [0.0, 2.0, 4.0]);
        assert_eq!(*some_of(&images, 9), images);
        assert_eq!(evenly(5, 5).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        assert_eq!(evenly(0, 5).count(), 0);
    }
}
