//! Arrays that the caller holds in memory.

use brickwork_tensor::Nd;

use super::arrays::{Array, Element, check_finite, labels, ordered};
use crate::error::DataError;
use crate::image::Pixels;
use crate::samples::{Block, Found, Labels, Shape, join};

/// Images of one size in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageArray {
    /// Extents `[n, c, h, w]` or `[n, h, w, c]`, with 1 or 3 channels.
    pub shape: [usize; 4],
    /// As many numbers, row-major.
    pub pixels: Pixels,
    /// Whether channels come before rows.
    pub channels_first: bool,
}

/// Images with their labels, or all of one class without a name.
pub(crate) fn open(
    name: &str,
    images: ImageArray,
    labels: Option<&Nd<i64>>,
    classes: Option<Vec<String>>,
) -> Result<Found, DataError> {
    let place = format!("images of {name}");
    let (shape, pixels) = in_order(&place, images)?;
    let (found, count) = labelling(name, labels, pixels.len() / shape.volume().max(1))?;
    let numbered = || (0..count).map(|class| class.to_string()).collect();
    let classes = match labels {
        None => vec![String::new()],
        Some(_) => classes.unwrap_or_else(numbered),
    };
    if count > classes.len() {
        let problem = format!("are of {count} classes, but {} are named", classes.len());
        return Err(DataError::malformed(format!("labels of {name}"), problem));
    }
    let block = Block::new(place.clone(), shape, pixels, found.first());
    let (samples, _) = join(place, [block])?;
    Ok(Found { kind: "arrays in memory", split: None, classes, samples, labels: found })
}

/// The images in `[n, h, w, c]` order.
fn in_order(place: &str, images: ImageArray) -> Result<(Shape, Pixels), DataError> {
    let ImageArray { shape: [count, a, b, c], pixels, channels_first } = images;
    let (channels, height, width) = if channels_first { (a, b, c) } else { (c, a, b) };
    let shape = Shape { height, width, channels };
    if !matches!(channels, 1 | 3) {
        let [form, other] = if channels_first { ["nchw", "nhwc"] } else { ["nhwc", "nchw"] };
        let problem = format!(
            "shape {:?} has {channels} channels in the layout {form}, expected 1 or 3; they may be {other}",
            images.shape
        );
        return Err(DataError::malformed(place, problem));
    }
    if count.checked_mul(shape.volume()) != Some(pixels.len()) {
        let problem = format!("shape {:?} is not that of {} numbers", images.shape, pixels.len());
        return Err(DataError::malformed(place, problem));
    }
    let pixels = match pixels {
        Pixels::U8(bytes) => Pixels::U8(ordered(place, bytes, shape, channels_first)?),
        Pixels::F32(values) => {
            check_finite(place, &values, shape)?;
            Pixels::F32(ordered(place, values, shape, channels_first)?)
        }
    };
    Ok((shape, pixels))
}

/// The labels of so many images, and how many classes they speak of.
fn labelling(
    name: &str,
    numbers: Option<&Nd<i64>>,
    images: usize,
) -> Result<(Labels, usize), DataError> {
    let Some(numbers) = numbers else { return Ok((Labels::One(vec![0; images]), 1)) };
    let array = Array {
        place: format!("labels of {name}"),
        shape: numbers.shape().to_vec(),
        element: Element::Signed(8),
        bytes: numbers.data().iter().flat_map(|number| number.to_le_bytes()).collect(),
    };
    let found = labels(&array)?;
    super::arrays::check_classes(&array.place, found.classes)?;
    Ok((found.labels, found.classes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dataset;

    fn set(images: ImageArray, labels: &[i64]) -> Result<Dataset, DataError> {
        let labels = Nd::new([labels.len()], labels.to_vec());
        Dataset::of_arrays("set", images, Some(&labels), None)
    }

    fn bytes(shape: [usize; 4], channels_first: bool) -> ImageArray {
        let count = shape.iter().product::<usize>();
        let pixels = Pixels::U8((0..count).map(|k| k as u8).collect());
        ImageArray { shape, pixels, channels_first }
    }

    #[test]
    fn both_layouts_give_the_same_images() {
        let planes = set(bytes([2, 3, 1, 2], true), &[1, 0]).expect("opens");
        let shape = [2, 1, 2, 3];
        let pixels = Pixels::U8(vec![0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11]);
        let rows = ImageArray { shape, pixels, channels_first: false };
        let rows = set(rows, &[1, 0]).expect("opens");
        for index in 0..2 {
            let image = planes.image(index).expect("there");
            assert_eq!(image, rows.image(index).expect("there"));
            assert_eq!((image.height(), image.width(), image.channels()), (1, 2, 3));
        }
        assert_eq!(
            (planes.labels(), planes.classes()),
            (&[1, 0][..], &["0", "1"].map(str::to_owned)[..])
        );
        assert_eq!(planes.describe(), "set: arrays in memory, 2 images of 1 by 2 by 3, 2 classes");
    }

    #[test]
    fn labels_may_be_rows_of_ones_names_or_missing() {
        let rows = Nd::new([2, 3], vec![0, 1, 1, 0, 0, 0]);
        let several = Dataset::of_arrays("set", bytes([2, 1, 2, 2], true), Some(&rows), None);
        let several = several.expect("opens");
        assert_eq!((several.labels_of(0), several.labels_of(1)), (&[1, 2][..], &[][..]));
        let names = Some(["cat", "dog"].map(str::to_owned).to_vec());
        let one = Nd::new([2], vec![0, 0]);
        let named = Dataset::of_arrays("set", bytes([2, 1, 2, 2], true), Some(&one), names.clone());
        assert_eq!(named.expect("opens").classes(), ["cat", "dog"]);
        let few = Dataset::of_arrays("set", bytes([2, 1, 2, 2], true), Some(&rows), names);
        let few = few.expect_err("refused").to_string();
        assert_eq!(few, "labels of set: are of 3 classes, but 2 are named");
        let none = Dataset::of_arrays("set", bytes([2, 1, 2, 2], true), None, None).expect("opens");
        assert_eq!((none.len(), none.classes()), (2, &[String::new()][..]));
    }

    #[test]
    fn what_are_no_images_is_refused() {
        let refused =
            |images, labels: &[i64]| set(images, labels).expect_err("refused").to_string();
        assert_eq!(
            refused(bytes([2, 4, 4, 3], true), &[0, 0]),
            "images of set: shape [2, 4, 4, 3] has 4 channels in the layout nchw, expected 1 or 3; they \
             may be nhwc"
        );
        assert!(refused(bytes([0, 4, 4, 3], false), &[]).contains("holds no images"));
        assert!(refused(bytes([1, 0, 4, 3], false), &[0]).contains("hold nothing"));
        assert!(refused(bytes([1, 4, 4, 3], false), &[0, 1]).contains("1 images but 2 labels"));
        assert!(refused(bytes([1, 4, 4, 3], false), &[-1]).contains("label 0 is -1"));
        assert!(refused(bytes([1, 4, 4, 3], false), &[1 << 40]).contains("class numbers from 0"));
        let short = ImageArray { shape: [2, 1, 1, 1], ..bytes([1, 1, 1, 1], true) };
        assert!(refused(short, &[0, 0]).contains("is not that of 1 numbers"));
        let shape = [1, 1, 1, 2];
        let pixels = Pixels::F32(vec![0.0, f32::NAN]);
        let nan = ImageArray { shape, pixels, channels_first: true };
        assert!(refused(nan, &[0]).contains("image 0 holds NaN at element 1"));
    }
}
