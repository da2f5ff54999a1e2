//! Image files that a table lists with their labels: CSV, or the like with tabs, semicolons or spaces, or
//! JSON with an object for each image, in a list or on a line of its own, or with one object of paths and their labels.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord, Trim};
use serde_json::{Map, Value};

use super::files::{self, Entry};
use super::labelled::Labelled;
use crate::error::DataError;
use crate::samples::{Found, ImageFile};
use crate::split::Split;

/// How names of tables end.
const TABLES: [&str; 5] = ["csv", "tsv", "txt", "jsonl", "json"];

/// What columns of labels are called.
const LABELS: [&str; 12] = [
    "tags",
    "label",
    "labels",
    "class",
    "classes",
    "category",
    "target",
    "class_name",
    "class_id",
    "species",
    "breed",
    "y",
];

/// What columns are called that may hold several labels.
const SEVERAL: [&str; 3] = ["labels", "classes", "tags"];

/// What columns of parts are called.
const SPLITS: [&str; 5] = ["split", "subset", "set", "part", "partition"];

/// Endings that are tried where a table names images without one.
const ENDINGS: [&str; 10] =
    ["jpg", "png", "jpeg", "webp", "JPG", "PNG", "JPEG", "bmp", "tif", "tiff"];

/// Whether a name is that of a table.
pub(super) fn is_name(name: &str) -> bool {
    files::has_ending(name, &TABLES)
}

/// The data set of a folder by the only table in it that lists images, or by several whose names tell their
/// parts, such as `train.csv` and `test.csv`; `None` if there is none.
///
/// # Errors
/// If several tables do, and their names do not tell parts.
pub(super) fn open_folder(
    path: &Path,
    entries: &[Entry],
    split: Option<Split>,
) -> Result<Option<Found>, DataError> {
    let mut tables = Vec::new();
    for entry in entries.iter().filter(|entry| !entry.is_folder && is_name(&entry.name)) {
        let table = Table::read(&entry.path)?;
        if let Some(paths) = table.paths(&entry.name, path, entries) {
            tables.push((entry, table, paths));
        }
    }
    match &tables[..] {
        [] => Ok(None),
        [(entry, table, paths)] => table.found(&entry.path, paths, split).map(Some),
        several => {
            let sets: Vec<String> = several.iter().map(|(entry, ..)| entry.name.clone()).collect();
            let Some(parts) = parts_of(&sets) else {
                return Err(DataError::Several { path: path.into(), sets });
            };
            let mut found = Labelled::default();
            for ((entry, table, paths), part) in several.iter().zip(parts) {
                table.add_to(&mut found, &entry.path, paths, Some(part))?;
            }
            found.choose(KIND, path, split).map(Some)
        }
    }
}

/// What such data is called.
const KIND: &str = "listed image files";

/// The parts that names of tables tell, if each tells another one.
fn parts_of(names: &[String]) -> Option<Vec<Option<Split>>> {
    let told: Vec<Split> = names.iter().map(|name| Split::in_words(name)).collect::<Option<_>>()?;
    let twice = (1..told.len()).any(|k| told[..k].contains(&told[k]));
    (!twice).then(|| told.into_iter().map(Some).collect())
}

/// The data set of one table; `None` if it is text that lists no images.
pub(super) fn open_file(path: &Path, split: Option<Split>) -> Result<Option<Found>, DataError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let (table, entries) = (Table::read(path)?, files::list(folder)?);
    let named = path.file_name().unwrap_or_default().to_string_lossy();
    match table.paths(&named, folder, &entries) {
        Some(paths) => table.found(path, &paths, split).map(Some),
        None if files::has_ending(&path.to_string_lossy(), &["txt"]) => Ok(None),
        None => Err(DataError::malformed(
            path.display().to_string(),
            "lists no images that are beside it or in a folder beside it; its first row should hold the path \
             of one and its label",
        )),
    }
}
/// The rows of a table.
struct Table {
    /// In small letters; empty where the first line is a row.
    headings: Vec<String>,
    /// As they are written.
    names: Vec<String>,
    rows: Vec<StringRecord>,
}

/// Where in a table the paths of images are.
struct Paths {
    column: usize,
    /// What they begin at.
    base: PathBuf,
    /// Whether they are written without their endings.
    bare: bool,
}

impl Paths {
    /// The image that a cell names, unless it leads out of the folder; where endings are left out, with the
    /// first for which there is a file.
    fn image(&self, cell: &str) -> Option<PathBuf> {
        let plain = joined(&self.base, cell, None);
        if !self.bare {
            return plain;
        }
        let mut ended = ENDINGS.iter().filter_map(|ending| joined(&self.base, cell, Some(ending)));
        ended.find(|path| path.is_file()).or(plain)
    }
}

impl Table {
    fn read(path: &Path) -> Result<Self, DataError> {
        let text =
            brickwork_formats::read_whole(path).map_err(|error| DataError::io(path, error))?;
        let text = String::from_utf8_lossy(&text);
        let text = text.trim_start_matches('\u{feff}');
        if files::has_ending(&path.to_string_lossy(), &["jsonl"]) {
            return Self::of_lines(path, text);
        }
        if files::has_ending(&path.to_string_lossy(), &["json"]) {
            return Ok(Self::of_value(serde_json::from_str(text).unwrap_or_default()));
        }
        let first = text.lines().next().unwrap_or_default();
        let delimiter = [b',', b'\t', b';', b' '].into_iter();
        let delimiter = delimiter.into_iter().find(|&sign| first.contains(char::from(sign)));
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(Trim::All)
            .delimiter(delimiter.unwrap_or(b','))
            .from_reader(text.as_bytes());
        let rows: Result<Vec<StringRecord>, csv::Error> = reader.into_records().collect();
        let wrong = |error| DataError::malformed(path.display().to_string(), format!("{error}"));
        let mut rows = rows.map_err(wrong)?;
        let known = |word: &str| {
            let word = word.to_lowercase();
            LABELS.contains(&&word[..]) || SPLITS.contains(&&word[..])
        };
        let headed = rows.first().is_some_and(|row| row.iter().any(known)) || heads_marks(&rows);
        let headings = if headed { rows.remove(0) } else { StringRecord::new() };
        let names: Vec<String> = headings.iter().map(str::to_owned).collect();
        Ok(Self { headings: names.iter().map(|name| name.to_lowercase()).collect(), names, rows })
    }

    /// A table of JSON objects, one a line.
    fn of_lines(path: &Path, text: &str) -> Result<Self, DataError> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let object = |(number, line): (usize, &str)| -> Result<Map<String, Value>, DataError> {
            serde_json::from_str(line).map_err(|error| {
                let problem = format!("line {} is no JSON object: {error}", number + 1);
                DataError::malformed(path.display().to_string(), problem)
            })
        };
        Ok(Self::of_objects(&lines.map(object).collect::<Result<Vec<_>, _>>()?))
    }

    /// A table of a list of objects, or of an object with paths as its keys and labels as its values; what is neither has
    /// no rows.
    fn of_value(value: Value) -> Self {
        let object = |value| if let Value::Object(object) = value { Some(object) } else { None };
        match value {
            Value::Array(values) => {
                let objects: Option<Vec<_>> = values.into_iter().map(object).collect();
                Self::of_objects(&objects.unwrap_or_default())
            }
            Value::Object(labels) if !labels.values().any(Value::is_object) => {
                let rows = labels.iter().map(|(path, label)| [path.clone(), cell_of(label)]);
                let names = ["image", "label"].map(str::to_owned).to_vec();
                Self {
                    headings: names.clone(),
                    names,
                    rows: rows.map(StringRecord::from_iter).collect(),
                }
            }
            _ => Self::of_objects(&[]),
        }
    }

    /// A table of objects, with the keys of the first as headings.
    fn of_objects(objects: &[Map<String, Value>]) -> Self {
        let names: Vec<String> =
            objects.first().map(|first| first.keys().cloned().collect()).unwrap_or_default();
        let row = |object: &Map<String, Value>| -> StringRecord {
            names.iter().map(|name| object.get(name).map(cell_of).unwrap_or_default()).collect()
        };
        let rows = objects.iter().map(row).collect();
        Self { headings: names.iter().map(|name| name.to_lowercase()).collect(), names, rows }
    }

    /// Where the paths are: the column of which the first row is an image beside the table or in a folder
    /// beside it, or else would be one with an ending.
    /// Of several such folders it is that of the part which the table's `name` tells.
    fn paths(&self, name: &str, folder: &Path, entries: &[Entry]) -> Option<Paths> {
        let first = self.rows.first()?;
        let part = Split::in_words(name);
        let mut folders: Vec<&Entry> = entries.iter().filter(|entry| entry.is_folder).collect();
        folders.sort_by_key(|entry| part.is_none() || Split::in_words(&entry.name) != part);
        let folders = folders.into_iter().map(|entry| entry.path.clone());
        let bases: Vec<PathBuf> = std::iter::once(folder.to_owned()).chain(folders).collect();
        let named = |bare: bool| {
            (0..first.len()).find_map(|column| {
                let mut tried = bases.iter().map(|base| Paths { column, base: base.clone(), bare });
                tried.find(|paths| {
                    let image = paths.image(&first[column]);
                    image.is_some_and(|path| path.is_file() && names_image(&path))
                })
            })
        };
        named(false).or_else(|| named(true))
    }

    fn found(&self, path: &Path, paths: &Paths, split: Option<Split>) -> Result<Found, DataError> {
        let mut found = Labelled::default();
        self.add_to(&mut found, path, paths, None)?;
        found.choose(KIND, path, split)
    }

    /// Adds all images, of this `part` if one is told, else of those that the table names.
    fn add_to(
        &self,
        found: &mut Labelled,
        path: &Path,
        paths: &Paths,
        part: Option<Option<Split>>,
    ) -> Result<(), DataError> {
        let place = path.display().to_string();
        let label = self.label_columns(&place, paths)?;
        let splits = self.headings.iter().position(|heading| SPLITS.contains(&&heading[..]));
        let mut one_each = true;
        for (line, row) in self.rows.iter().enumerate() {
            let cell = |column: usize| row.get(column).filter(|text| !text.is_empty());
            let image = cell(paths.column)
                .and_then(|text| paths.image(text))
                .zip(self.labels_in(&label, row));
            let Some((image, labels)) = image else {
                let line = line + 1 + usize::from(!self.headings.is_empty());
                let problem = format!("row {line} lacks a path or a label; complete or remove it");
                return Err(DataError::malformed(place, problem));
            };
            let part = part.unwrap_or_else(|| splits.and_then(cell).and_then(Split::of_word));
            one_each &= labels.len() == 1;
            let labels = labels.into_iter().map(str::to_owned).collect();
            found.add(part, ImageFile::Own(image), labels);
        }
        found.several |= match label {
            Columns::One { .. } => false,
            Columns::Joined(..) => true,
            Columns::Marks(columns) => {
                found.classes = columns.iter().map(|&column| self.names[column].clone()).collect();
                !one_each
            }
        };
        Ok(())
    }

    /// The labels in a row; `None` where one should be and is not.
    fn labels_in<'a>(&'a self, columns: &Columns, row: &'a StringRecord) -> Option<Vec<&'a str>> {
        let cell = |column: usize| row.get(column).unwrap_or_default();
        match columns {
            Columns::One { column, whole } => {
                let text = Some(cell(*column)).filter(|text| !text.is_empty())?;
                Some(vec![text.strip_suffix(".0").filter(|_| *whole).unwrap_or(text)])
            }
            Columns::Joined(column, sign) => {
                let words = cell(*column).split(*sign).map(str::trim);
                Some(words.filter(|word| !word.is_empty()).collect())
            }
            Columns::Marks(columns) => {
                let marked = columns.iter().filter(|&&column| MARKS[1].contains(&cell(column)));
                Some(marked.map(|&column| &self.names[column][..]).collect())
            }
        }
    }

    /// Whether all cells of a column are whole numbers, written with a point or without.
    fn is_whole(&self, column: usize) -> bool {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        let mut digits = cells.map(|cell| cell.strip_suffix(".0").unwrap_or(cell).bytes());
        digits.all(|mut digits| digits.all(|byte| byte.is_ascii_digit()))
    }

    /// Where labels are: in a column that is called so or is the only one besides that of the paths, of
    /// which cells may hold several; or in columns of 0 and 1, one for each class.
    fn label_columns(&self, place: &str, paths: &Paths) -> Result<Columns, DataError> {
        let is_label = |heading: &String| LABELS.contains(&&heading[..]);
        let marks: Vec<usize> = (0..self.headings.len())
            .filter(|&column| column != paths.column && is_marks(&self.rows, column))
            .filter(|&column| !SPLITS.contains(&&self.headings[column][..]))
            .collect();
        if marks.len() > 1 && !self.headings.iter().any(is_label) {
            return Ok(Columns::Marks(marks));
        }
        let column = self.label_column(place, paths)?;
        Ok(match self.sign(column) {
            Some(sign) => Columns::Joined(column, sign),
            None => Columns::One { column, whole: self.is_whole(column) },
        })
    }

    /// What stands between the labels of a cell, in a column in which some hold several.
    fn sign(&self, column: usize) -> Option<char> {
        let cells = || self.rows.iter().filter_map(|row| row.get(column));
        if cells().any(|cell| cell.contains('|')) {
            return Some('|');
        }
        if !self.headings.get(column).is_some_and(|name| SEVERAL.contains(&&name[..])) {
            return None;
        }
        if let Some(sign) =
            [';', ','].into_iter().find(|sign| cells().any(|cell| cell.contains(*sign)))
        {
            return Some(sign);
        }
        // Names may hold spaces; lists of labels repeat words in other company.
        let whole: BTreeSet<&str> = cells().collect();
        let words: BTreeSet<&str> = cells().flat_map(str::split_whitespace).collect();
        let spaced = whole.iter().any(|cell| cell.contains(' '));
        (spaced && words.len() < whole.len()).then_some(' ')
    }

    /// The column of labels: the one that is called so, or the only one besides that of the paths.
    fn label_column(&self, place: &str, paths: &Paths) -> Result<usize, DataError> {
        let called = self.headings.iter().position(|heading| LABELS.contains(&&heading[..]));
        let width = self.rows.first().map_or(0, StringRecord::len);
        let others: Vec<usize> = (0..width).filter(|&column| column != paths.column).collect();
        match (called.filter(|&column| column != paths.column), &others[..]) {
            (Some(column), _) => Ok(column),
            (None, [column]) => Ok(*column),
            (None, _) => {
                let problem = format!(
                    "which of its {width} columns holds the labels? Give it the heading `label`"
                );
                Err(DataError::malformed(place, problem))
            }
        }
    }
}

/// Where a table has its labels.
enum Columns {
    /// One in each cell of a column. If all are whole numbers, they may have a point, as those of tables with
    /// gaps do.
    One { column: usize, whole: bool },
    /// Any number in each cell of a column, with this sign between them.
    Joined(usize, char),
    /// A 1 in the column of each class that an image is of, a 0 in the others.
    Marks(Vec<usize>),
}

/// How it is written that an image is not of a class, and that it is.
const MARKS: [[&str; 2]; 2] = [["0", "0.0"], ["1", "1.0"]];

/// Whether a cell says that an image is of a class or not.
fn is_mark(cell: Option<&str>) -> bool {
    cell.is_some_and(|cell| MARKS.concat().contains(&cell))
}

/// What a value of a JSON object is in a table: lists have a sign between their members.
fn cell_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Array(list) => list.iter().map(cell_of).collect::<Vec<_>>().join("|"),
        Value::Null | Value::Object(_) => String::new(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// Whether a column holds nothing but 0 and 1.
fn is_marks(rows: &[StringRecord], column: usize) -> bool {
    let mut cells = rows.iter().map(|row| row.get(column));
    !rows.is_empty() && cells.all(is_mark)
}

/// Whether the first of some rows has headings of columns of which two or more hold 0 and 1 alone.
fn heads_marks(rows: &[StringRecord]) -> bool {
    let Some((first, rest)) = rows.split_first() else { return false };
    let named = |column: &usize| !is_mark(first.get(*column));
    (0..first.len()).filter(named).filter(|&column| is_marks(rest, column)).count() > 1
}

/// Whether a path ends as those of images do.
fn names_image(path: &Path) -> bool {
    path.file_name().is_some_and(|name| files::is_image_name(&name.to_string_lossy()))
}

/// The path that a cell names, unless it leads out of the folder.
fn joined(base: &Path, cell: &str, ending: Option<&str>) -> Option<PathBuf> {
    let cell = cell.replace('\\', "/");
    let leads_out = cell.split('/').any(|step| step == "..");
    let mut path = base.join(&cell).into_os_string();
    if let Some(ending) = ending {
        path.push(format!(".{ending}"));
    }
    (!leads_out && !cell.is_empty()).then(|| path.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dataset;
    use crate::sources::fixtures::{self, file};

    fn opened(table: &str, split: Option<Split>) -> Result<Dataset, DataError> {
        let folder = fixtures::folder();
        let path = fixtures::tree(&folder, &["images/1.png", "images/2.png", "images/10.png"]);
        file(&folder, "tree/labels.csv", table.as_bytes());
        let by_file = Dataset::open(path.join("labels.csv"), split);
        let by_folder = Dataset::open(path, split);
        if let (Ok(file), Ok(folder)) = (&by_file, &by_folder) {
            assert_eq!((file.classes(), file.labels()), (folder.classes(), folder.labels()));
        }
        by_file
    }

    #[test]
    fn tables_of_every_form_are_read() {
        for table in [
            "file_name,label\n1.png,dog\n2.png,cat\n10.png,dog\n",
            "1.png,dog\n2.png,cat\n10.png,dog\n",
            "\u{feff}label;id\r\ndog;1\r\ncat;2\r\ndog;10\r\n",
            "images/1.png\tdog\nimages/2.png\tcat\nimages/10.png\tdog",
            "images/1.png dog\nimages\\2.png cat\nimages/10.png dog",
            "id,score,class\n1,7,dog\n2,8,cat\n10,9,dog\n",
            "1,file,class\n1,images/1.png,dog\n1,images/2.png,cat\n1,images/10.png,dog\n",
            "image,cat,dog\n1,0.0,1.0\n2,1.0,0.0\n10,0.0,1.0\n",
        ] {
            let data = opened(table, None).expect(table);
            assert_eq!(
                (data.classes(), data.labels()),
                (&["cat".into(), "dog".into()][..], &[1, 0, 1][..])
            );
        }
    }

    #[test]
    fn parts_and_numbers_are_told() {
        let table = "path,label,split\n1.png,10,train\n2.png,9,val\n10.png,9,Test\n";
        let test = opened(table, Some(Split::Test)).expect("test");
        assert_eq!((test.classes(), test.labels()), (&["9".into(), "10".into()][..], &[0][..]));
        assert_eq!(opened(table, Some(Split::Train)).expect("train").labels(), [1]);
        assert_eq!(opened(table, None).expect("all").len(), 3);
    }

    #[test]
    fn whole_numbers_may_be_written_with_a_point() {
        let data = opened("path,label\n1.png,10.0\n2.png,9.0\n10.png,9.0\n", None).expect("opens");
        assert_eq!(data.classes(), ["9", "10"]);
        let data = opened("path,label\n1.png,v2.0\n2.png,9.0\n10.png,9.0\n", None).expect("opens");
        assert_eq!(data.classes(), ["9.0", "v2.0"]);
    }

    #[test]
    fn tables_may_be_of_parts() {
        let folder = fixtures::folder();
        let path =
            fixtures::tree(&folder, &["train/1.png", "train/2.png", "test/1.png", "test/3.jpg"]);
        file(&folder, "tree/train_labels.csv", b"id,label\n1,dog\n2,cat\n");
        file(&folder, "tree/test_labels.csv", b"id,label\n1,cat\n3,dog\n");
        for (split, labels) in [(Split::Train, [1, 0]), (Split::Test, [0, 1])] {
            let data = Dataset::open(&path, Some(split)).expect("opens");
            assert_eq!(
                (data.classes(), data.labels()),
                (&["cat".into(), "dog".into()][..], &labels[..])
            );
            assert!(data.unread().is_empty(), "{:?}", data.unread());
        }
        file(&folder, "tree/more.csv", b"id,label\n1,cat\n");
        let refused = Dataset::open(&path, None).expect_err("unclear").to_string();
        assert!(refused.contains("holds 3 data sets"), "{refused}");
    }

    #[test]
    fn objects_are_rows() {
        let folder = fixtures::folder();
        let path = fixtures::tree(&folder, &["1.png", "2.png"]);
        let lines = "{\"file_name\": \"1.png\", \"label\": \"dog\", \"box\": {\"x\": 1}}\n\n\
                     {\"label\": 7, \"file_name\": \"2.png\"}\n";
        file(&folder, "tree/metadata.jsonl", lines.as_bytes());
        let data = Dataset::open(&path, None).expect("opens");
        assert_eq!((data.classes(), data.labels()), (&["7".into(), "dog".into()][..], &[1, 0][..]));
        file(&folder, "tree/metadata.jsonl", b"{\"file_name\": \"1.png\"}\n[1]\n");
        let refused = Dataset::open(&path, None).expect_err("refused").to_string();
        assert!(refused.contains("line 2 is no JSON object"), "{refused}");
    }

    #[test]
    fn a_whole_file_of_json_is_a_table() {
        for text in [
            r#"[{"image": "1.png", "label": "dog"}, {"label": 7, "image": "2.png"}]"#,
            r#"{"1.png": "dog", "2.png": 7}"#,
        ] {
            let folder = fixtures::folder();
            let path = fixtures::tree(&folder, &["1.png", "2.png"]);
            file(&folder, "tree/info.json", br#"{"name": "animals", "sizes": {"x": 1}}"#);
            file(&folder, "tree/labels.json", text.as_bytes());
            let data = Dataset::open(&path, None).expect("opens");
            let classes = &["7".into(), "dog".into()][..];
            assert_eq!((data.classes(), data.labels()), (classes, &[1, 0][..]), "{text}");
        }
        let folder = fixtures::folder();
        let path = fixtures::tree(&folder, &["1.png", "2.png"]);
        file(&folder, "tree/tags.json", br#"{"1.png": ["dog", "cat"], "2.png": []}"#);
        let data = Dataset::open(&path, None).expect("opens");
        assert!(data.has_several());
        assert_eq!((data.labels_of(0), data.labels_of(1)), (&[0, 1][..], &[][..]));
    }

    #[test]
    fn images_may_be_of_several_classes() {
        for table in [
            "path,labels\n1.png,dog|cat\n2.png,\n10.png,dog\n",
            "path,labels\n1.png,\"dog, cat\"\n2.png,\n10.png,dog\n",
            "path,tags\n1.png,dog cat\n2.png,\n10.png,dog\n",
            "path,cat,dog\n1.png,1,1\n2.png,0,0\n10.png,0,1\n",
            "image_id,split,cat,dog\n1,train,1,1\n2,train,0,0\n10,train,0,1\n",
        ] {
            let data = opened(table, None).expect(table);
            assert!(data.has_several(), "{table}");
            assert_eq!(data.classes(), ["cat", "dog"], "{table}");
            let sets: Vec<&[usize]> = (0..3).map(|index| data.labels_of(index)).collect();
            assert_eq!(sets, [&[0, 1][..], &[], &[1]], "{table}");
        }
        let spaced = "path,labels\n1.png,golden retriever\n2.png,red fox\n10.png,cat\n";
        let spaced = opened(spaced, None).expect("names with spaces");
        assert!(!spaced.has_several());
        assert_eq!(spaced.classes(), ["cat", "golden retriever", "red fox"]);
    }

    #[test]
    fn unclear_tables_are_refused() {
        let columns = opened("1.png,a,b\n2.png,a,b\n", None).expect_err("unclear").to_string();
        assert!(columns.contains("which of its 3 columns"), "{columns}");
        let lacking = opened("path,label\n1.png,a\n2.png,\n", None).expect_err("lacks").to_string();
        assert!(lacking.contains("row 3 lacks"), "{lacking}");
        let outside = opened("path,label\n../x.png,a\n", None).expect_err("outside").to_string();
        assert!(outside.contains("lists no images"), "{outside}");
        let missing = opened("path,label\n1.png,a\n7.png,a\n", None).expect("opens");
        assert!(missing.unread().iter().any(|problem| problem.to_string().contains("7.png")));
    }
}
