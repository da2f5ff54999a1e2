//! Files of named arrays: which are images, which are labels, and where their channels are.

use std::fmt;
use std::path::Path;

use brickwork_tensor::Nd;

use super::parts::choose;
use crate::error::DataError;
use crate::image::Pixels;
use crate::samples::{Block, Found, Shape, interleave, join};
use crate::split::Split;

/// Labels above this are a mistake when nothing names the classes.
const MOST_CLASSES: usize = 1 << 16;

/// What the numbers of an array are, with bytes each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    Float(usize),
    Signed(usize),
    Unsigned(usize),
}

impl Element {
    /// Bytes per number.
    pub(super) fn size(self) -> usize {
        let (Self::Float(size) | Self::Signed(size) | Self::Unsigned(size)) = self;
        size
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = match self {
            Self::Float(_) => 'f',
            Self::Signed(_) => 'i',
            Self::Unsigned(_) => 'u',
        };
        write!(f, "{letter}{}", 8 * self.size())
    }
}

/// An array as a file holds it, little-endian and row-major.
pub(super) struct Array {
    /// The file and the name in it.
    pub(super) place: String,
    pub(super) shape: Vec<usize>,
    pub(super) element: Element,
    /// Exactly the numbers of `shape`.
    pub(super) bytes: Vec<u8>,
}

impl Array {
    /// The whole numbers, if that is what the array holds.
    ///
    /// # Errors
    /// If one does not fit.
    pub(super) fn whole(&self) -> Result<Option<Nd<i64>>, DataError> {
        let signed = match self.element {
            Element::Float(_) => return Ok(None),
            Element::Signed(_) => true,
            Element::Unsigned(_) => false,
        };
        let numbers = self.numbers(|_, bytes| {
            let number = integer(bytes, signed);
            let problem = || format!("holds {number}, expected at most {}", i64::MAX);
            i64::try_from(number).map_err(|_| DataError::malformed(self.place.clone(), problem()))
        });
        Ok(Some(Nd::new(self.shape.clone(), numbers?)))
    }

    /// What `number` makes of the index and the bytes of every number.
    fn numbers<T>(
        &self,
        number: impl Fn(usize, &[u8]) -> Result<T, DataError>,
    ) -> Result<Vec<T>, DataError> {
        let each = self.bytes.chunks_exact(self.element.size());
        let mut numbers = DataError::room(&self.place, each.len())?;
        for (index, bytes) in each.enumerate() {
            numbers.push(number(index, bytes)?);
        }
        Ok(numbers)
    }
}

/// A file of named arrays.
pub(super) trait ArrayFile {
    /// For people.
    fn kind(&self) -> &'static str;
    /// The names of all arrays, sorted.
    fn names(&self) -> &[String];
    /// The array called `name`, which is one of them.
    fn array(&mut self, name: &str) -> Result<Array, DataError>;
    /// Class names, if the file has them.
    fn class_names(&self) -> Result<Option<Vec<String>>, DataError>;
}

/// Opens `images` and `labels`, or those of the parts.
pub(super) fn open(
    path: &Path,
    file: &mut dyn ArrayFile,
    split: Option<Split>,
) -> Result<Found, DataError> {
    let place = path.display().to_string();
    let mut parts = Vec::new();
    for (split, prefix) in
        [(Some(Split::Train), "train_"), (Some(Split::Test), "test_"), (None, "")]
    {
        let names = [format!("{prefix}images"), format!("{prefix}labels")];
        if has(&place, file.names(), &names)? {
            let [images, name] = names;
            parts.push((split, (images, labels(&file.array(&name)?)?)));
        }
    }
    if parts.is_empty() {
        let problem = format!(
            "holds the arrays {}; expected images and labels, or train_images, train_labels, \
             test_images and test_labels",
            file.names().join(", ")
        );
        return Err(DataError::malformed(place, problem));
    }
    let classes = classes(&place, file, parts.iter().flat_map(|(_, (_, labels))| labels))?;
    let blocks = choose(path, parts, split)?.into_iter().map(|(name, labels)| {
        let array = file.array(&name)?;
        let place = array.place.clone();
        let (shape, pixels) = images(array)?;
        Block::new(place, shape, pixels, labels)?.within(classes.len())
    });
    let (samples, labels) = join(place, blocks)?;
    Ok(Found { kind: file.kind(), classes, samples, labels })
}

/// Whether both names are there; one alone is an error.
fn has(place: &str, names: &[String], both: &[String; 2]) -> Result<bool, DataError> {
    let [images, labels] = both;
    match (names.contains(images), names.contains(labels)) {
        (true, true) => Ok(true),
        (false, false) => Ok(false),
        (true, false) => Err(lonely(place, images, labels)),
        (false, true) => Err(lonely(place, labels, images)),
    }
}

fn lonely(place: &str, there: &str, missing: &str) -> DataError {
    DataError::malformed(place, format!("has the array {there} but not {missing}; add it"))
}

fn classes<'a>(
    place: &str,
    file: &dyn ArrayFile,
    labels: impl Iterator<Item = &'a usize>,
) -> Result<Vec<String>, DataError> {
    if let Some(names) = file.class_names()? {
        return Ok(names);
    }
    let count = labels.max().map_or(0, |max| max.saturating_add(1));
    if count > MOST_CLASSES {
        let problem = format!(
            "holds the label {}, expected class numbers from 0 to {}",
            count - 1,
            MOST_CLASSES - 1
        );
        return Err(DataError::malformed(place, problem));
    }
    Ok((0..count).map(|class| class.to_string()).collect())
}

fn labels(array: &Array) -> Result<Vec<usize>, DataError> {
    let Array { place, shape, element, .. } = array;
    if shape.len() != 1 || matches!(element, Element::Float(_)) {
        let problem = format!("{element} of shape {shape:?}, expected integers of shape [n]");
        return Err(DataError::malformed(place.clone(), problem));
    }
    let signed = matches!(element, Element::Signed(_));
    array.numbers(|index, bytes| {
        let label = integer(bytes, signed);
        let problem = || format!("label {index} is {label}, expected 0 or more");
        usize::try_from(label).map_err(|_| DataError::malformed(place.clone(), problem()))
    })
}

/// A little-endian integer of up to 8 bytes.
fn integer(bytes: &[u8], signed: bool) -> i128 {
    let negative = signed && bytes.last().is_some_and(|top| top & 0x80 != 0);
    let mut wide = [if negative { 0xff } else { 0 }; 16];
    wide[..bytes.len()].copy_from_slice(bytes);
    i128::from_le_bytes(wide)
}

/// The images in `[n, h, w, c]` order.
fn images(array: Array) -> Result<(Shape, Pixels), DataError> {
    let (shape, channels_first) = layout(&array)?;
    let pixels = match array.element {
        Element::Unsigned(1) => {
            Pixels::U8(ordered(&array.place, array.bytes, shape, channels_first)?)
        }
        Element::Float(4) => {
            let (numbers, _) = array.bytes.as_chunks();
            let mut values = DataError::room(&array.place, numbers.len())?;
            values.extend(numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)));
            check_finite(&array.place, &values, shape)?;
            Pixels::F32(ordered(&array.place, values, shape, channels_first)?)
        }
        other => {
            let problem = format!("images are {other}, expected u8 or f32; convert them");
            return Err(DataError::malformed(array.place, problem));
        }
    };
    Ok((shape, pixels))
}

/// Extents of one image, and whether channels come before rows.
fn layout(array: &Array) -> Result<(Shape, bool), DataError> {
    let colours = |extent: usize| matches!(extent, 1 | 3);
    let problem = match *array.shape.as_slice() {
        [_, height, width] => return Ok((Shape { height, width, channels: 1 }, false)),
        [_, a, height, width] if colours(a) && !colours(width) => {
            return Ok((Shape { height, width, channels: a }, true));
        }
        [_, height, width, c] if colours(c) && !colours(height) => {
            return Ok((Shape { height, width, channels: c }, false));
        }
        [_, a, _, c] if colours(a) && colours(c) => {
            "is ambiguous: both the second and the last extent could be the channels"
        }
        _ => "has no channels",
    };
    let problem = format!(
        "shape {:?} {problem}; expected [n, c, h, w] or [n, h, w, c] with 1 or 3 channels",
        array.shape
    );
    Err(DataError::malformed(array.place.clone(), problem))
}

fn ordered<T: Copy>(
    place: &str,
    values: Vec<T>,
    shape: Shape,
    channels_first: bool,
) -> Result<Vec<T>, DataError> {
    if !channels_first || shape.channels == 1 || shape.volume() == 0 {
        return Ok(values);
    }
    let mut out = DataError::room(place, values.len())?;
    out.extend_from_slice(&values);
    let images = out.chunks_exact_mut(shape.volume()).zip(values.chunks_exact(shape.volume()));
    images.for_each(|(out, planes)| interleave(planes, shape.channels, out));
    Ok(out)
}

fn check_finite(place: &str, values: &[f32], shape: Shape) -> Result<(), DataError> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => Err(DataError::NotFinite {
            place: place.to_owned(),
            index: at / shape.volume(),
            element: at % shape.volume(),
            value: values[at],
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dataset;
    use crate::sources::fixtures::{self, counted, file, npy, npz, tensors};
    use proptest::prelude::*;
    use safetensors::Dtype;

    const LABELS: (&str, Dtype, &[usize], &[u8]) = ("labels", Dtype::U8, &[2], &[0, 1]);

    fn open(bytes: &[u8]) -> Result<Dataset, DataError> {
        let folder = fixtures::folder();
        Dataset::open(file(&folder, "set", bytes), None)
    }

    fn with_images(dtype: Dtype, shape: &[usize], bytes: &[u8]) -> Result<Dataset, DataError> {
        open(&tensors(&[("images", dtype, shape, bytes), LABELS], None))
    }

    fn refuse(dtype: Dtype, shape: &[usize], bytes: &[u8]) -> String {
        with_images(dtype, shape, bytes).expect_err("refused").to_string()
    }

    #[test]
    fn both_layouts_and_both_containers_give_the_same_images() {
        let planes: Vec<u8> = counted(24);
        let mut pixels = planes.clone();
        for (out, planes) in pixels.chunks_exact_mut(12).zip(planes.chunks_exact(12)) {
            interleave(planes, 3, out);
        }
        let numbers = [1_i64, 0].map(i64::to_le_bytes).concat();
        let swapped = [1_u16, 0].map(u16::to_be_bytes).concat();
        let sets = [
            tensors(
                &[
                    ("images", Dtype::U8, &[2, 3, 2, 2], &planes),
                    ("labels", Dtype::I64, &[2], &numbers),
                ],
                None,
            ),
            npz(&[
                ("images", npy("|u1", &[2, 3, 2, 2], &planes)),
                ("labels", npy("<i8", &[2], &numbers)),
            ]),
            npz(&[
                ("images", npy("|u1", &[2, 2, 2, 3], &pixels)),
                ("labels", npy(">u2", &[2], &swapped)),
            ]),
        ];
        for bytes in sets {
            let data = open(&bytes).expect("opens");
            assert_eq!((data.labels(), data.classes().len()), (&[1, 0][..], 2));
            let image = data.image(1).expect("image");
            assert_eq!((image.height(), image.width(), image.channels()), (2, 2, 3));
            assert_eq!(*image.pixels(), Pixels::U8(pixels[12..].to_vec()));
        }
    }

    #[test]
    fn floats_grey_images_and_class_names_are_read() {
        let values = [0.5_f32, -1.0].map(f32::to_le_bytes).concat();
        let arrays = [("images", Dtype::F32, &[2_usize, 1, 1][..], &values[..]), LABELS];
        let data = open(&tensors(&arrays, Some(r#"["cat","dog","owl"]"#))).expect("opens");
        assert_eq!(data.classes(), ["cat", "dog", "owl"]);
        assert_eq!(*data.image(1).expect("image").pixels(), Pixels::F32(vec![-1.0]));
        let few = open(&tensors(&arrays, Some(r#"["cat"]"#))).expect_err("refused");
        assert!(matches!(few, DataError::Label { index: 1, label: 1, classes: 1, .. }), "{few}");
        let list = open(&tensors(&arrays, Some("cat, dog"))).expect_err("refused").to_string();
        assert!(list.contains("expected a JSON list"), "{list}");
    }

    #[test]
    fn parts_are_told_by_name() {
        let folder = fixtures::folder();
        let image = |count: usize| npy("|u1", &[count, 2, 2, 1], &counted(4 * count));
        let path = file(
            &folder,
            "set.npz",
            &npz(&[
                ("train_images", image(2)),
                ("train_labels", npy("<i4", &[2], &[0, 0, 0, 0, 6, 0, 0, 0])),
                ("test_images", image(1)),
                ("test_labels", npy("|i1", &[1], &[3])),
            ]),
        );
        let open = |split| Dataset::open(&path, split).expect("opens");
        assert_eq!(open(Some(Split::Test)).labels(), [3]);
        assert_eq!(open(Some(Split::Test)).classes().len(), 7);
        assert_eq!(open(None).labels(), [0, 6, 3]);
        assert_eq!(open(None).describe(), "set: NumPy arrays, 3 images of 2 by 2 by 1, 7 classes");
    }

    #[test]
    fn unclear_shapes_are_refused() {
        let ambiguous = refuse(Dtype::U8, &[2, 3, 2, 3], &[0; 36]);
        assert!(ambiguous.contains("set, images: shape [2, 3, 2, 3] is ambiguous"), "{ambiguous}");
        assert!(refuse(Dtype::U8, &[2, 2, 2, 2], &[0; 16]).contains("has no channels"));
        assert!(refuse(Dtype::U8, &[2, 8], &[0; 16]).contains("has no channels"));
        assert!(refuse(Dtype::U8, &[2, 0, 2, 3], &[]).contains("hold nothing"));
        assert!(refuse(Dtype::F64, &[1, 2, 1, 3], &[0; 48]).contains("f64, expected u8 or f32"));
        assert!(refuse(Dtype::BF16, &[2, 2, 2, 3], &[0; 48]).contains("BF16"));
        let vast = npz(&[
            ("images", npy("|u1", &[0, usize::MAX, usize::MAX, 3], &[])),
            ("labels", npy("|u1", &[0], &[])),
        ]);
        assert!(matches!(open(&vast), Err(DataError::Empty { .. })));
    }

    #[test]
    fn wrong_values_and_counts_are_refused() {
        let values = [0.0_f32, 1.0, 2.0, f32::NAN].map(f32::to_le_bytes).concat();
        let nan = with_images(Dtype::F32, &[2, 1, 2], &values).expect_err("refused");
        assert!(matches!(nan, DataError::NotFinite { index: 1, element: 1, .. }), "{nan}");
        let counts = with_images(Dtype::U8, &[3, 2, 2], &[0; 12]).expect_err("refused");
        assert!(matches!(counts, DataError::Counts { images: 3, labels: 2, .. }), "{counts}");
        let with_labels = |dtype, shape: &[usize], bytes: &[u8]| {
            let images = ("images", Dtype::U8, &[2_usize, 2, 2][..], &[0; 8][..]);
            open(&tensors(&[images, ("labels", dtype, shape, bytes)], None))
                .expect_err("refused")
                .to_string()
        };
        assert!(with_labels(Dtype::I8, &[2], &[0, 0xff]).contains("label 1 is -1"));
        assert!(
            with_labels(Dtype::U64, &[2], &[0xff; 16]).contains("class numbers from 0 to 65535")
        );
        assert!(
            with_labels(Dtype::F32, &[2], &[0; 8]).contains("f32 of shape [2], expected integers")
        );
        assert!(with_labels(Dtype::U8, &[2, 1], &[0; 2]).contains("of shape [n]"));
    }

    #[test]
    fn missing_arrays_are_named() {
        let lonely = open(&tensors(&[LABELS], None)).expect_err("refused").to_string();
        assert!(lonely.contains("has the array labels but not images"), "{lonely}");
        let other = open(&npz(&[("x", npy("|u1", &[1], &[0]))])).expect_err("refused").to_string();
        assert!(other.contains("holds the arrays x; expected images"), "{other}");
        let none = open(&npz(&[])).expect_err("refused").to_string();
        assert!(none.contains("expected images"), "{none}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn damaged_files_never_panic(
            at in 0.0_f64..1.0,
            byte: u8,
            cut in 0.0_f64..1.0,
            packed: bool,
        ) {
            let images = ("images", Dtype::U8, &[2_usize, 2, 2][..], &[0; 8][..]);
            let mut bytes = match packed {
                false => tensors(&[images, LABELS], Some("[]")),
                true => npz(&[
                    ("images", npy("|u1", &[2, 2, 2], &[0; 8])),
                    ("labels", npy("|u1", &[2], &[0, 1])),
                ]),
            };
            let at = (bytes.len() as f64 * at) as usize;
            bytes[at] = byte;
            let _ = open(&bytes);
            bytes.truncate((bytes.len() as f64 * cut) as usize);
            prop_assert!(open(&bytes).is_err());
        }
    }
}
