//! Data sets of images in Parquet files, as the Hugging Face hub keeps them: a column of images, each
//! with the bytes of its file, and a column of labels.

use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use serde_json::Value;

use super::labelled::Labelled;
use crate::error::DataError;
use crate::samples::{Found, ImageFile};
use crate::split::Split;

/// What columns of labels are called, the likeliest first.
const LABELS: [&str; 7] = ["label", "labels", "fine_label", "cls", "class", "category", "target"];

/// Opens files. The parts they are of are told by their names, such as `train-00000-of-00001.parquet`.
/// Images stay packed in memory.
pub(super) fn open(
    path: &Path,
    files: impl IntoIterator<Item = PathBuf>,
    split: Option<Split>,
) -> Result<Found, DataError> {
    let mut found = Labelled::default();
    for file in files {
        let failed = |error: ParquetError| {
            DataError::malformed(file.display().to_string(), format!("not readable: {error}"))
        };
        let opened = File::open(&file).map_err(|error| DataError::io(&file, error))?;
        let reader = SerializedFileReader::new(opened).map_err(failed)?;
        let part = Split::of_name(&file.file_name().unwrap_or_default().to_string_lossy());
        for (index, row) in reader.get_row_iter(None).map_err(failed)?.enumerate() {
            let row = row.map_err(failed)?;
            let (image, label) = image(&row).zip(label(&row, &reader)).ok_or_else(|| {
                let problem = format!(
                    "row {index} has no image with its bytes, or no label; its columns are {}",
                    row.get_column_iter().map(|(name, _)| &name[..]).collect::<Vec<_>>().join(", ")
                );
                DataError::malformed(file.display().to_string(), problem)
            })?;
            let name = file.join(index.to_string());
            found.add(part, ImageFile::Held { name, bytes: image.into() }, vec![label]);
        }
    }
    found.choose("Parquet files", path, split)
}

/// The bytes of the first column that holds an image.
fn image(row: &Row) -> Option<Vec<u8>> {
    let bytes = |field: &Field| match field {
        Field::Bytes(bytes) => Some(bytes.data().to_vec()),
        _ => None,
    };
    row.get_column_iter().find_map(|(_, field)| match field {
        Field::Group(inner) => {
            inner.get_column_iter().find(|(name, _)| *name == "bytes").and_then(|(_, b)| bytes(b))
        }
        other => bytes(other),
    })
}

/// The label, by its name if the file tells the names of its numbers.
fn label(row: &Row, reader: &dyn FileReader) -> Option<String> {
    let (name, field) = LABELS.iter().find_map(|label| {
        row.get_column_iter().find(|(name, _)| name.eq_ignore_ascii_case(label))
    })?;
    let number = match field {
        Field::Str(text) => return Some(text.clone()),
        Field::Byte(n) => i64::from(*n),
        Field::Short(n) => i64::from(*n),
        Field::Int(n) => i64::from(*n),
        Field::Long(n) => *n,
        Field::UByte(n) => i64::from(*n),
        Field::UShort(n) => i64::from(*n),
        Field::UInt(n) => i64::from(*n),
        _ => return None,
    };
    let number = usize::try_from(number).ok()?;
    Some(class_name(reader, name, number).unwrap_or_else(|| number.to_string()))
}

/// The name of a number, from what the hub writes into the file.
fn class_name(reader: &dyn FileReader, column: &str, number: usize) -> Option<String> {
    let pairs = reader.metadata().file_metadata().key_value_metadata()?;
    let text = pairs.iter().find(|pair| pair.key == "huggingface")?.value.as_ref()?;
    let value: Value = serde_json::from_str(text).ok()?;
    let name = &value["info"]["features"][column]["names"][number];
    name.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
    use parquet::file::metadata::KeyValue;
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use crate::sources::fixtures;
    use crate::{Dataset, Pixels, Split};

    #[test]
    fn images_and_labels_of_the_hub_are_read() {
        let folder = fixtures::folder();
        let path = folder.path().join("train-00000-of-00001.parquet");
        let schema = "message set { optional group image { optional binary bytes; } \
                      optional int64 label; }";
        let names = r#"{"info": {"features": {"label": {"names": ["cat", "owl"]}}}}"#;
        let names = KeyValue::new("huggingface".to_owned(), names.to_owned());
        let properties = WriterProperties::builder().set_key_value_metadata(Some(vec![names]));
        let schema = Arc::new(parse_message_type(schema).expect("schema"));
        let file = std::fs::File::create(&path).expect("file");
        let mut writer =
            SerializedFileWriter::new(file, schema, Arc::new(properties.build())).expect("writer");
        let mut group = writer.next_row_group().expect("group");
        let images = [1, 2, 3].map(|red| ByteArray::from(fixtures::png(4, 4, red)));
        let mut column = group.next_column().expect("column").expect("images");
        let levels = Some(&[2, 2, 2][..]);
        column.typed::<ByteArrayType>().write_batch(&images, levels, None).expect("written");
        column.close().expect("closed");
        let mut column = group.next_column().expect("column").expect("labels");
        let levels = Some(&[1, 1, 1][..]);
        column.typed::<Int64Type>().write_batch(&[1, 0, 1], levels, None).expect("written");
        column.close().expect("closed");
        group.close().expect("closed");
        writer.close().expect("closed");
        for path in [&path, folder.path()] {
            let data = Dataset::open(path, Some(Split::Train)).expect("opens");
            assert_eq!(
                (data.classes(), data.labels()),
                (&["cat".into(), "owl".into()][..], &[1, 0, 1][..])
            );
            let pixels = data.image(2).expect("decodes").pixels().clone();
            assert_eq!(pixels, Pixels::U8([3, 1, 0].repeat(16)));
        }
    }
}
