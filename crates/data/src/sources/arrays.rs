//! Files of named arrays: which are images, which are labels, and where their channels are.

use std::fmt;
use std::path::Path;

use brickwork_tensor::Nd;
use half::f16;

use super::parts::choose;
use crate::error::DataError;
use crate::image::Pixels;
use crate::samples::{Block, Found, Labels, Shape, interleave, join};
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

/// What the arrays of images and of labels are called, and of which part they then are: as MedMNIST has
/// them, as Keras has them, and without parts.
const NAMES: [(&str, &str, Option<Split>); 17] = [
    ("train_images", "train_labels", Some(Split::Train)),
    ("val_images", "val_labels", Some(Split::Val)),
    ("test_images", "test_labels", Some(Split::Test)),
    ("x_train", "y_train", Some(Split::Train)),
    ("x_val", "y_val", Some(Split::Val)),
    ("x_test", "y_test", Some(Split::Test)),
    ("X_train", "y_train", Some(Split::Train)),
    ("X_val", "y_val", Some(Split::Val)),
    ("X_test", "y_test", Some(Split::Test)),
    ("train_x", "train_y", Some(Split::Train)),
    ("test_x", "test_y", Some(Split::Test)),
    ("images", "labels", None),
    ("data", "labels", None),
    ("data", "target", None),
    ("data", "targets", None),
    ("x", "y", None),
    ("X", "y", None),
];

/// Opens the arrays of images and labels, or those of the parts.
pub(super) fn open(
    path: &Path,
    file: &mut dyn ArrayFile,
    split: Option<Split>,
) -> Result<Found, DataError> {
    let place = path.display().to_string();
    let mut pairs = Vec::new();
    for (images, labels, part) in NAMES {
        if has(&place, file.names(), images, labels)? {
            pairs.push((images, labels, part));
        }
    }
    if pairs.is_empty() {
        let problem = format!(
            "holds the arrays {}; expected images and labels, train_images and train_labels, x_train \
             and y_train, or the like for test",
            file.names().join(", ")
        );
        return Err(DataError::malformed(place, problem));
    }
    let mut parts = Vec::new();
    for (images, name, part) in pairs {
        parts.push((part, (images, labels(&file.array(name)?)?)));
    }
    let most = parts.iter().map(|(_, (_, labels))| labels.classes).max().unwrap_or(0);
    let classes = classes(&place, file, most)?;
    let mut labels = Vec::new();
    let chosen = choose(path, parts, split)?;
    let blocks = chosen.parts.into_iter().map(|(name, found)| {
        let array = file.array(name)?;
        let place = array.place.clone();
        let (shape, pixels) = images(array)?;
        let first = found.labels.first();
        labels.push(found.labels);
        Block::new(place, shape, pixels, first)?.within(classes.len())
    });
    let (samples, _) = join(place.clone(), blocks)?;
    let labels = Labels::concat(labels);
    if let Labels::Several(sets) = &labels
        && sets.iter().flatten().any(|class| *class >= classes.len())
    {
        let problem = format!(
            "has labels for {most} classes, but names {}; name as many as the labels have columns",
            classes.len()
        );
        return Err(DataError::malformed(place, problem));
    }
    Ok(Found { kind: file.kind(), split: chosen.split, classes, samples, labels })
}

/// Whether both names are there; one alone is an error, unless others stand for it too.
fn has(place: &str, names: &[String], images: &str, labels: &str) -> Result<bool, DataError> {
    let is_there = |name: &str| names.iter().any(|other| other == name);
    let complete = |name: &str| {
        NAMES.iter().any(|(images, labels, _)| {
            (*images == name || *labels == name) && is_there(images) && is_there(labels)
        })
    };
    // Names of one letter may be those of anything.
    let speaks = images.len() > 1;
    match (is_there(images), is_there(labels)) {
        (true, true) => Ok(true),
        _ if !speaks => Ok(false),
        (true, false) if !complete(images) => Err(lonely(place, images, labels)),
        (false, true) if !complete(labels) => Err(lonely(place, labels, images)),
        _ => Ok(false),
    }
}

fn lonely(place: &str, there: &str, missing: &str) -> DataError {
    DataError::malformed(place, format!("has the array {there} but not {missing}; add it"))
}

/// The names of the classes, of which there are `count` where they have none.
fn classes(place: &str, file: &dyn ArrayFile, count: usize) -> Result<Vec<String>, DataError> {
    if let Some(names) = file.class_names()? {
        return Ok(names);
    }
    check_classes(place, count)?;
    Ok((0..count).map(|class| class.to_string()).collect())
}

/// That labels speak of no more classes than there can be without names.
pub(super) fn check_classes(place: &str, count: usize) -> Result<(), DataError> {
    if count <= MOST_CLASSES {
        return Ok(());
    }
    let problem = format!(
        "holds the label {}, expected class numbers from 0 to {}",
        count - 1,
        MOST_CLASSES - 1
    );
    Err(DataError::malformed(place, problem))
}

/// Labels of an array, and how many classes they speak of.
pub(super) struct Labelling {
    pub(super) labels: Labels,
    pub(super) classes: usize,
}

/// Labels `[n]` or `[n, 1]`, or the places of the ones in `[n, k]`, of which a row may hold several.
pub(super) fn labels(array: &Array) -> Result<Labelling, DataError> {
    let Array { place, shape, element, .. } = array;
    let problem = |why: &str| {
        let problem = format!("{element} of shape {shape:?}{why}, expected integers of shape [n]");
        DataError::malformed(place.clone(), problem)
    };
    let numbers = array.numbers(|index, bytes| {
        let label = match element {
            Element::Float(_) => whole(float(bytes, *element)),
            Element::Signed(_) => Some(integer(bytes, true)),
            Element::Unsigned(_) => Some(integer(bytes, false)),
        };
        let label = label.ok_or_else(|| problem(", not all of them whole"))?;
        let wrong = || format!("label {index} is {label}, expected 0 or more");
        usize::try_from(label).map_err(|_| DataError::malformed(place.clone(), wrong()))
    });
    match *shape.as_slice() {
        [_] | [_, 1] => {
            let labels = numbers?;
            let classes = labels.iter().max().map_or(0, |most| most.saturating_add(1));
            Ok(Labelling { labels: Labels::One(labels), classes })
        }
        [_, classes] if classes > 1 => {
            let numbers = numbers?;
            if numbers.iter().any(|number| *number > 1) {
                return Err(problem(" with numbers other than 0 and 1"));
            }
            let ones = |row: &[usize]| (0..row.len()).filter(|&k| row[k] == 1).collect();
            let sets: Vec<Vec<usize>> = numbers.chunks(classes).map(ones).collect();
            if sets.iter().any(|set| set.len() != 1) {
                return Ok(Labelling { labels: Labels::Several(sets), classes });
            }
            let labels: Vec<usize> = sets.concat();
            let classes = labels.iter().max().map_or(0, |most| most + 1);
            Ok(Labelling { labels: Labels::One(labels), classes })
        }
        _ => Err(problem("")),
    }
}

/// The whole number that a float is.
fn whole(value: f64) -> Option<i128> {
    (value.fract() == 0.0 && value.abs() < 1e15).then_some(value as i128)
}

/// A little-endian floating-point number.
fn float(bytes: &[u8], element: Element) -> f64 {
    match (element, bytes) {
        (Element::Float(2), &[a, b]) => f16::from_le_bytes([a, b]).to_f64(),
        (Element::Float(4), &[a, b, c, d]) => f64::from(f32::from_le_bytes([a, b, c, d])),
        (Element::Float(8), bytes) => bytes.try_into().map_or(f64::NAN, f64::from_le_bytes),
        _ => f64::NAN,
    }
}

/// A little-endian integer of up to 8 bytes.
fn integer(bytes: &[u8], signed: bool) -> i128 {
    let negative = signed && bytes.last().is_some_and(|top| top & 0x80 != 0);
    let mut wide = [if negative { 0xff } else { 0 }; 16];
    wide[..bytes.len()].copy_from_slice(bytes);
    i128::from_le_bytes(wide)
}

/// The images in `[n, h, w, c]` order: bytes, or integers that all are such; else floats.
fn images(array: Array) -> Result<(Shape, Pixels), DataError> {
    let (shape, channels_first) = layout(&array)?;
    let place = &array.place;
    let pixels = match array.element {
        Element::Unsigned(1) => Pixels::U8(ordered(place, array.bytes, shape, channels_first)?),
        element @ Element::Float(_) => {
            let values = array.numbers(|_, bytes| Ok(float(bytes, element) as f32))?;
            check_finite(place, &values, shape)?;
            Pixels::F32(ordered(place, values, shape, channels_first)?)
        }
        element => {
            let signed = matches!(element, Element::Signed(_));
            let values = array.numbers(|_, bytes| Ok(integer(bytes, signed)))?;
            let bytes: Result<Vec<u8>, _> =
                values.iter().map(|&value| u8::try_from(value)).collect();
            match bytes {
                Ok(bytes) => Pixels::U8(ordered(place, bytes, shape, channels_first)?),
                Err(_) => {
                    let values = values.into_iter().map(|value| value as f32).collect();
                    Pixels::F32(ordered(place, values, shape, channels_first)?)
                }
            }
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

/// Images as `[n, h, w, c]`, whose channels may come first.
pub(super) fn ordered<T: Copy>(
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

/// That all values of images of `shape` are finite.
pub(super) fn check_finite(place: &str, values: &[f32], shape: Shape) -> Result<(), DataError> {
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
        let halves = [0.0_f32, 0.5].map(f32::to_le_bytes).concat();
        assert!(with_labels(Dtype::F32, &[2], &halves).contains("not all of them whole"));
        let counts = with_labels(Dtype::U8, &[2, 2], &[0, 1, 1, 2]);
        assert!(counts.contains("with numbers other than 0 and 1"), "{counts}");
        assert!(with_labels(Dtype::U8, &[1, 2, 1], &[0; 2]).contains("of shape [n]"));
    }

    #[test]
    fn labels_and_images_may_be_numbers_of_any_kind() {
        let labels = |dtype, shape: &[usize], bytes: &[u8]| {
            let images = ("images", Dtype::U8, &[2_usize, 2, 2][..], &[0; 8][..]);
            let data = open(&tensors(&[images, ("labels", dtype, shape, bytes)], None));
            data.expect("opens").labels().to_vec()
        };
        assert_eq!(labels(Dtype::U8, &[2, 1], &[3, 1]), [3, 1]);
        assert_eq!(
            labels(Dtype::F64, &[2], &[2.0_f64, 0.0].map(f64::to_le_bytes).concat()),
            [2, 0]
        );
        assert_eq!(labels(Dtype::U8, &[2, 3], &[0, 0, 1, 1, 0, 0]), [2, 0]);
        let pixels = |dtype, bytes: &[u8]| {
            let data = with_images(dtype, &[2, 1, 1], bytes).expect("opens");
            data.image(1).expect("image").pixels().clone()
        };
        let wide = |numbers: [i64; 2]| numbers.map(i64::to_le_bytes).concat();
        assert_eq!(pixels(Dtype::I64, &wide([0, 255])), Pixels::U8(vec![255]));
        assert_eq!(pixels(Dtype::I64, &wide([0, 256])), Pixels::F32(vec![256.0]));
        assert_eq!(pixels(Dtype::I64, &wide([0, -1])), Pixels::F32(vec![-1.0]));
        let double = [0.0_f64, 0.25].map(f64::to_le_bytes).concat();
        assert_eq!(pixels(Dtype::F64, &double), Pixels::F32(vec![0.25]));
        assert_eq!(pixels(Dtype::F16, &[0, 0, 0, 0x3c]), Pixels::F32(vec![1.0]));
    }

    #[test]
    fn rows_of_several_ones_are_of_several_classes() {
        let images = ("images", Dtype::U8, &[3_usize, 2, 2][..], &[0; 12][..]);
        let rows = [0, 1, 1, 0, 0, 0, 1, 0, 0];
        let labels = ("labels", Dtype::U8, &[3_usize, 3][..], &rows[..]);
        let data = open(&tensors(&[images, labels], None)).expect("opens");
        assert!(data.has_several());
        assert_eq!(data.classes().len(), 3);
        let sets: Vec<&[usize]> = (0..3).map(|index| data.labels_of(index)).collect();
        assert_eq!(sets, [&[1, 2][..], &[], &[0]]);
        assert_eq!(data.labels(), [1, 3, 0], "the first of each, or none");
        let some = data.subset(&[2, 0]).expect("subset");
        assert_eq!(some.labels_of(1), [1, 2]);
        let each = data.by_label().expect("some labels");
        assert_eq!((each.labels(), each.has_several()), (&[1, 2, 0][..], false));
        assert_eq!((each.origin(1), each.name()), (1, "set"));
        let named = open(&tensors(&[images, labels], Some(r#"["cat","dog"]"#)));
        let named = named.expect_err("refused").to_string();
        assert!(named.contains("for 3 classes, but names 2"), "{named}");
    }

    #[test]
    fn arrays_are_called_as_by_keras_and_medmnist() {
        let image = |count: usize| npy("|u1", &[count, 2, 2, 1], &counted(4 * count));
        let label = |numbers: &[u8]| npy("|u1", &[numbers.len(), 1], numbers);
        for (x, y) in [("x_{}", "y_{}"), ("X_{}", "y_{}"), ("{}_images", "{}_labels")] {
            let [x, y] = [x, y].map(|form| move |part: &str| form.replace("{}", part));
            let bytes = npz(&[
                (&x("train"), image(2)),
                (&y("train"), label(&[1, 0])),
                (&x("test"), image(1)),
                (&y("test"), label(&[1])),
            ]);
            let folder = fixtures::folder();
            let path = file(&folder, "set.npz", &bytes);
            let test = Dataset::open(path, Some(Split::Test)).expect("opens");
            assert_eq!((test.len(), test.classes().len()), (1, 2));
        }
        let lonely = npz(&[("x_train", image(1)), ("y_test", label(&[0]))]);
        assert!(
            open(&lonely).expect_err("refused").to_string().contains("x_train but not y_train")
        );
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
