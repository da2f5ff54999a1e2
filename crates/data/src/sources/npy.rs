//! NPY: one array with a header that is a Python dictionary.

use std::io::Read;

use super::arrays::{Array, Element};
use super::stream::Stream;
use crate::error::DataError;

/// Headers above this are not headers.
const LONGEST_HEADER: u32 = 1 << 16;

/// Reads one array.
pub(super) fn read(mut stream: Stream<impl Read>) -> Result<Array, DataError> {
    let place = stream.place.clone();
    let wrong = |problem: String| DataError::malformed(place.clone(), problem);
    let [magic @ .., version, _] = stream.header::<8>()?;
    if &magic != b"\x93NUMPY" || !(1..=3).contains(&version) {
        return Err(wrong("is not an NPY array of version 1, 2 or 3".to_owned()));
    }
    let length = match version {
        1 => u16::from_le_bytes(stream.header()?).into(),
        _ => u32::from_le_bytes(stream.header()?),
    };
    if length > LONGEST_HEADER {
        return Err(wrong(format!("its header takes {length} bytes, expected a few hundred")));
    }
    let header = stream.next(length.into())?;
    let Header { element, big_endian, shape } =
        Header::parse(&String::from_utf8_lossy(&header)).map_err(wrong)?;
    let count = shape.iter().try_fold(1_usize, |count, &extent| count.checked_mul(extent));
    let announced = count.and_then(|count| (count as u64).checked_mul(element.size() as u64));
    let mut bytes = stream.rest(announced)?;
    if big_endian {
        bytes.chunks_exact_mut(element.size()).for_each(<[u8]>::reverse);
    }
    Ok(Array { place, shape, element, bytes })
}

#[derive(Debug, PartialEq)]
struct Header {
    element: Element,
    big_endian: bool,
    shape: Vec<usize>,
}

impl Header {
    /// From text such as `{'descr': '<f4', 'fortran_order': False, 'shape': (10, 3), }`.
    fn parse(text: &str) -> Result<Self, String> {
        if field(text, "fortran_order")?.starts_with("True") {
            return Err("is stored column by column; save numpy.ascontiguousarray of it".into());
        }
        let (element, big_endian) = element(field(text, "descr")?)?;
        let shape = shape(field(text, "shape")?)?;
        Ok(Self { element, big_endian, shape })
    }
}

/// What follows `'key':`.
fn field<'a>(text: &'a str, key: &str) -> Result<&'a str, String> {
    text.split_once(&format!("'{key}':"))
        .map(|(_, value)| value.trim_start())
        .ok_or_else(|| format!("its header {text:?} has no '{key}'"))
}

/// The type and whether it is big-endian, from text such as `'<f4'`.
fn element(value: &str) -> Result<(Element, bool), String> {
    let name = value.split('\'').nth(1).unwrap_or_default();
    let unknown = || {
        let what = match name.trim_start_matches(['<', '>', '|', '=']).chars().next() {
            Some('U' | 'S') => {
                "text; numpy.unique(labels, return_inverse=True) makes whole numbers of labels and tells their names"
            }
            Some('O') => "Python objects; save them as an array of numbers (numpy.stack)",
            Some('b') => "true and false; save them as numbers (astype('uint8'), images times 255)",
            Some('c') => "complex numbers; save them as real ones",
            _ => {
                return format!(
                    "holds elements of the type `{name}`; save them as uint8 or float32"
                );
            }
        };
        format!("holds elements of the type `{name}`, {what}")
    };
    let mut letters = name.chars();
    let order = letters.next().filter(|order| "<>|=".contains(*order)).ok_or_else(unknown)?;
    let kind = letters.next().ok_or_else(unknown)?;
    let element = match (kind, letters.as_str().parse()) {
        ('u', Ok(size @ (1 | 2 | 4 | 8))) => Element::Unsigned(size),
        ('i', Ok(size @ (1 | 2 | 4 | 8))) => Element::Signed(size),
        ('f', Ok(size @ (2 | 4 | 8))) => Element::Float(size),
        _ => return Err(unknown()),
    };
    Ok((element, order == '>'))
}

/// Extents, from text such as `(10, 3), …`.
fn shape(value: &str) -> Result<Vec<usize>, String> {
    let wrong = || format!("its header has the shape {value:?}, expected one such as (10, 3)");
    let inner =
        value.strip_prefix('(').and_then(|value| value.split_once(')')).ok_or_else(wrong)?.0;
    let extents = inner.split(',').map(str::trim).filter(|extent| !extent.is_empty());
    extents.map(|extent| extent.parse().map_err(|_| wrong())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::fixtures;
    use proptest::prelude::*;

    fn stream(bytes: &[u8]) -> Stream<&[u8]> {
        Stream::packed(bytes, bytes.len() as u64, "x".to_owned())
    }

    #[test]
    fn headers_tell_type_order_and_shape() {
        let header = |text| Header::parse(text).expect("parses");
        let expected = Header { element: Element::Float(4), big_endian: true, shape: vec![10, 3] };
        assert_eq!(
            header("{'descr': '>f4', 'fortran_order': False, 'shape': (10, 3), }  \n"),
            expected
        );
        assert_eq!(header("{'shape':(7,),'descr':'|u1','fortran_order':False}").shape, [7]);
        assert_eq!(header("{'shape':(),'descr':'|u1','fortran_order':False}").shape, [0; 0]);
    }

    #[test]
    fn odd_headers_are_refused_with_a_reason() {
        let refuse = |text: &str| Header::parse(text).expect_err("refused");
        assert!(refuse("{}").contains("fortran_order"));
        assert!(refuse("{'fortran_order': True}").contains("ascontiguousarray"));
        let tail = "'fortran_order': False, 'shape': (-1,)}";
        assert!(refuse(&format!("{{'descr': '<f4', {tail}")).contains("(-1,)"));
        assert!(refuse(&format!("{{'descr': [('a', '<f4')], {tail}")).contains("elements"));
        assert!(refuse(&format!("{{'descr': '<U5', {tail}")).contains("<U5"));
    }

    #[test]
    fn big_endian_numbers_are_turned_around() {
        let array = read(stream(&fixtures::npy(">i2", &[2], &[1, 0, 0, 7]))).expect("reads");
        assert_eq!(array.bytes, [0, 1, 7, 0]);
    }

    #[test]
    fn shapes_beyond_the_file_are_refused() {
        for shape in
            [&[1_000_000_usize, 1_000_000][..], &[usize::MAX, 2], &[usize::MAX, usize::MAX]]
        {
            let error = read(stream(&fixtures::npy("<f4", shape, &[0; 8]))).err().expect("refused");
            assert!(matches!(error, DataError::Length { .. }), "{error}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(
            header in "\\{('descr': '[<>|][fiu][0-9]', ?)?('fortran_order': False, ?)?('shape': \\([0-9, ]{0,12}\\),? ?)?\\}",
            bytes in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let _ = read(stream(&bytes));
            let start = [&b"\x93NUMPY\x01\x00"[..], &bytes].concat();
            let _ = read(stream(&start));
            let size = (header.len() as u16).to_le_bytes();
            let plausible = [&b"\x93NUMPY\x01\x00"[..], &size, header.as_bytes(), &bytes].concat();
            let _ = read(stream(&plausible));
        }

        #[test]
        fn truncated_arrays_are_refused(cut in 0.0_f64..1.0) {
            let whole = fixtures::npy("|u1", &[4, 3], &[7; 12]);
            let cut = (whole.len() as f64 * cut) as usize;
            prop_assert!(read(stream(&whole)).is_ok());
            prop_assert!(read(stream(&whole[..cut])).is_err());
        }
    }
}
