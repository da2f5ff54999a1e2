//! Image files that a table lists with their labels: CSV, or the like with tabs, semicolons or spaces.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord, Trim};

use super::files::{self, Entry};
use super::labelled::Labelled;
use super::tree::{Named, split_of};
use crate::error::DataError;
use crate::samples::{Found, ImageFile};
use crate::split::Split;

/// How names of tables end.
const TABLES: [&str; 3] = ["csv", "tsv", "txt"];

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
const ENDINGS: [&str; 4] = ["jpg", "png", "jpeg", "webp"];

/// Whether a name is that of a table.
pub(super) fn is_name(name: &str) -> bool {
    files::has_ending(name, &TABLES)
}

/// The data set of a folder by the only table in it that lists images; `None` if there is none.
///
/// # Errors
/// If several tables do.
pub(super) fn open_folder(
    path: &Path,
    entries: &[Entry],
    split: Option<Split>,
) -> Result<Option<Found>, DataError> {
    let mut tables = Vec::new();
    for entry in entries.iter().filter(|entry| !entry.is_folder && is_name(&entry.name)) {
        let table = Table::read(&entry.path)?;
        if let Some(paths) = table.paths(path, entries) {
            tables.push((entry, table, paths));
        }
    }
    match &tables[..] {
        [] => Ok(None),
        [(entry, table, paths)] => table.found(&entry.path, paths, split).map(Some),
        several => Err(DataError::Several {
            path: path.into(),
            sets: several.iter().map(|(entry, ..)| entry.name.clone()).collect(),
        }),
    }
}

/// The data set of one table; `None` if it is text that lists no images.
pub(super) fn open_file(path: &Path, split: Option<Split>) -> Result<Option<Found>, DataError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let (table, entries) = (Table::read(path)?, files::list(folder)?);
    match table.paths(folder, &entries) {
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
    /// What they end with besides.
    ending: Option<&'static str>,
}

impl Table {
    fn read(path: &Path) -> Result<Self, DataError> {
        let text =
            brickwork_formats::read_whole(path).map_err(|error| DataError::io(path, error))?;
        let text = String::from_utf8_lossy(&text);
        let text = text.trim_start_matches('\u{feff}');
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

    /// Where the paths are: the column of which the first row is an image beside the table or in a folder
    /// beside it.
    fn paths(&self, folder: &Path, entries: &[Entry]) -> Option<Paths> {
        let first = self.rows.first()?;
        let folders = entries.iter().filter(|entry| entry.is_folder);
        let bases: Vec<PathBuf> =
            std::iter::once(folder.to_owned()).chain(folders.map(|e| e.path.clone())).collect();
        let endings = || std::iter::once(None).chain(ENDINGS.map(Some));
        (0..first.len()).find_map(|column| {
            bases.iter().find_map(|base| {
                let there = |ending: &Option<&'static str>| {
                    let path = joined(base, &first[column], *ending);
                    path.is_some_and(|path| path.is_file() && names_image(&path))
                };
                let ending = endings().find(there)?;
                Some(Paths { column, base: base.clone(), ending })
            })
        })
    }

    fn found(&self, path: &Path, paths: &Paths, split: Option<Split>) -> Result<Found, DataError> {
        let place = path.display().to_string();
        let label = self.label_columns(&place, paths)?;
        let splits = self.headings.iter().position(|heading| SPLITS.contains(&&heading[..]));
        let mut found = Labelled::default();
        for (line, row) in self.rows.iter().enumerate() {
            let cell = |column: usize| row.get(column).filter(|text| !text.is_empty());
            let image = cell(paths.column)
                .and_then(|text| joined(&paths.base, text, paths.ending))
                .zip(self.labels_in(&label, row));
            let Some((image, labels)) = image else {
                let line = line + 1 + usize::from(!self.headings.is_empty());
                let problem = format!("row {line} lacks a path or a label; complete or remove it");
                return Err(DataError::malformed(place, problem));
            };
            let part = self.split(splits.and_then(cell));
            let labels = labels.into_iter().map(str::to_owned).collect();
            found.add(part, ImageFile::Own(image), labels);
        }
        if let Columns::Marks(columns) = &label {
            found.classes = columns.iter().map(|&column| self.names[column].clone()).collect();
        }
        found.several = !matches!(label, Columns::One(_));
        found.choose("listed image files", path, split)
    }

    /// The labels in a row; `None` where one should be and is not.
    fn labels_in<'a>(&'a self, columns: &Columns, row: &'a StringRecord) -> Option<Vec<&'a str>> {
        let cell = |column: usize| row.get(column).unwrap_or_default();
        match columns {
            Columns::One(column) => {
                Some(cell(*column)).filter(|text| !text.is_empty()).map(|text| vec![text])
            }
            Columns::Joined(column, sign) => {
                let words = cell(*column).split(*sign).map(str::trim);
                Some(words.filter(|word| !word.is_empty()).collect())
            }
            Columns::Marks(columns) => {
                let marked = columns.iter().filter(|&&column| cell(column) == "1");
                Some(marked.map(|&column| &self.names[column][..]).collect())
            }
        }
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
            None => Columns::One(column),
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

    /// The part that a cell names. Validation counts as test where there is no other.
    fn split(&self, cell: Option<&str>) -> Option<Split> {
        match split_of(cell?)? {
            Named::Train => Some(Split::Train),
            Named::Test => Some(Split::Test),
            Named::Validation => {
                let is_test =
                    |row: &StringRecord| row.iter().any(|cell| split_of(cell) == Some(Named::Test));
                (!self.rows.iter().any(is_test)).then_some(Split::Test)
            }
        }
    }
}

/// Where a table has its labels.
enum Columns {
    /// One in each cell of a column.
    One(usize),
    /// Any number in each cell of a column, with this sign between them.
    Joined(usize, char),
    /// A 1 in the column of each class that an image is of, a 0 in the others.
    Marks(Vec<usize>),
}

/// Whether a column holds nothing but 0 and 1.
fn is_marks(rows: &[StringRecord], column: usize) -> bool {
    let mut cells = rows.iter().map(|row| row.get(column));
    !rows.is_empty() && cells.all(|cell| matches!(cell, Some("0" | "1")))
}

/// Whether the first of some rows has headings of columns of which two or more hold 0 and 1 alone.
fn heads_marks(rows: &[StringRecord]) -> bool {
    let Some((first, rest)) = rows.split_first() else { return false };
    let named = |column: &usize| !matches!(first.get(*column), Some("0" | "1"));
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
