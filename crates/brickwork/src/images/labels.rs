//! Tables that say which class has which number and which names.

use std::path::Path;

use serde_json::Value;

use crate::model::error::Error;
use crate::model::names::{Names, number};

/// The classes of ImageNet (ILSVRC 2012) in the order of their WordNet identifiers, which is the order of
/// the scores of networks trained on it: identifier and name.
const IMAGENET: &str = include_str!("imagenet.txt");

/// One class.
#[derive(Clone, Debug, Default, PartialEq)]
struct Row {
    /// Its number, where the table gives one.
    index: Option<usize>,
    /// What it is called.
    names: Vec<String>,
}

/// A table of classes.
pub(crate) struct LabelTable {
    rows: Vec<Row>,
    names: Names,
}

impl LabelTable {
    /// ImageNet's classes, for a network with `count` of them: 1000, or 1001 with one for the background
    /// before them.
    pub(crate) fn imagenet(count: usize) -> Option<Self> {
        let rows = lines(IMAGENET);
        let before = count.checked_sub(rows.len()).filter(|before| *before < 2)?;
        let shifted = |(k, row): (usize, Row)| Row { index: Some(k + before), ..row };
        Some(Self::new(rows.into_iter().enumerate().map(shifted).collect()))
    }

    /// The table in a file for a model of `count` classes. The file is JSON (a list of names, an object
    /// from index to name or names, or from name to index), CSV with a line of headings, or text with one
    /// class a line: a name, after an index or a WordNet identifier or neither.
    ///
    /// # Errors
    /// If the file cannot be read or understood, or two classes have the same number.
    pub(crate) fn read(path: &Path, count: usize) -> Result<Self, Error> {
        let wrong = |why: String| Error::options(format!("`labels={}`: {why}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let text = text.trim_start_matches('\u{feff}').trim();
        let mut rows = match text.starts_with(['{', '[']) {
            true => json(&serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?),
            false => table(text).or_else(|| Some(lines(text))),
        }
        .filter(|rows| !rows.is_empty())
        .ok_or_else(|| {
            wrong("expected classes as index, name or both, one a line or as JSON".to_owned())
        })?;
        if rows.len() == count && rows.iter().all(|row| row.index.is_none()) {
            rows.iter_mut().enumerate().for_each(|(k, row)| row.index = Some(k));
        }
        check_numbers(&rows, count).map_err(wrong)?;
        Ok(Self::new(rows))
    }

    fn new(rows: Vec<Row>) -> Self {
        let names = rows.iter().zip(0..);
        let names = names.flat_map(|(row, k)| row.names.iter().map(move |name| (&name[..], k)));
        Self { names: Names::new(names), rows }
    }

    /// The place of the class that is called or numbered `name`.
    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        let numbered = || {
            let number = number(name)?;
            self.rows.iter().position(|row| row.index == Some(number))
        };
        self.names.exact(name).or_else(numbered).or_else(|| self.names.find(name))
    }

    /// All that the class at `place` is called, and its number.
    pub(crate) fn class(&self, place: usize) -> (&[String], Option<usize>) {
        let row = &self.rows[place];
        (&row.names, row.index)
    }

    /// One name for each of `count` classes in the order of their numbers, if the table has them all: of
    /// several the last, which is the one for people.
    pub(crate) fn in_order(&self, count: usize) -> Option<Vec<String>> {
        let of = |class: usize| self.rows.iter().find(|row| row.index == Some(class));
        let names = (0..count).map(|class| of(class)?.names.last().cloned());
        let names: Vec<String> = names.collect::<Option<_>>()?;
        let twice = |k: usize| names[..k].contains(&names[k]);
        (!(1..count).any(twice)).then_some(names)
    }
}

/// That numbers are told apart and are those of a model's classes.
fn check_numbers(rows: &[Row], count: usize) -> Result<(), String> {
    let mut numbers: Vec<usize> = rows.iter().filter_map(|row| row.index).collect();
    numbers.sort_unstable();
    if let Some(pair) = numbers.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("two classes have the number {}", pair[0]));
    }
    match (numbers.first(), numbers.last()) {
        (Some(least), Some(most)) if *most >= count => Err(format!(
            "numbers classes from {least} to {most}, the model's are 0 to {}; number them as the model does",
            count.saturating_sub(1)
        )),
        _ => Ok(()),
    }
}

/// Whether a word is a WordNet identifier, such as n01440764.
pub(crate) fn is_wordnet(word: &str) -> bool {
    let digits = word.strip_prefix('n').unwrap_or_default();
    digits.len() == 8 && number(digits).is_some()
}

fn json(value: &Value) -> Option<Vec<Row>> {
    match value {
        Value::Array(list) => list.iter().map(json_row).collect(),
        Value::Object(entries) => entries
            .iter()
            .map(|(key, value)| {
                let index = value.as_u64().and_then(|index| usize::try_from(index).ok());
                if let Some(index) = index {
                    return Some(Row { index: Some(index), names: vec![key.clone()] });
                }
                let mut row = json_row(value)?;
                match number(key) {
                    Some(index) => row.index = Some(index),
                    None => row.names.insert(0, key.clone()),
                }
                Some(row)
            })
            .collect(),
        _ => None,
    }
}

/// A class as a name, a list of names, or an object of them with or without an index.
fn json_row(value: &Value) -> Option<Row> {
    let fields: Vec<&Value> = match value {
        Value::Array(list) => list.iter().collect(),
        Value::Object(entries) => entries.values().collect(),
        single => vec![single],
    };
    let mut row = Row::default();
    for field in fields {
        match field {
            Value::String(name) => row.names.push(name.trim().to_owned()),
            Value::Number(index) => row.index = Some(usize::try_from(index.as_u64()?).ok()?),
            _ => return None,
        }
    }
    (!row.names.is_empty()).then_some(row)
}

/// A table with a line of headings, of which one at least is a word that such tables use.
fn table(text: &str) -> Option<Vec<Row>> {
    const NUMBERS: [&str; 7] =
        ["index", "id", "idx", "class_id", "class_index", "label_id", "imagenet_index"];
    const NAMES: [&str; 8] =
        ["name", "wnid", "synset", "class_name", "label_name", "label", "class", "folder"];
    let first = text.lines().next()?;
    let delimiter =
        [b'\t', b';', b','].into_iter().find(|&sign| first.contains(char::from(sign)))?;
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let headings: Vec<String> = reader.headers().ok()?.iter().map(str::to_lowercase).collect();
    let number_at = headings.iter().position(|heading| NUMBERS.contains(&&heading[..]));
    if number_at.is_none() && !headings.iter().any(|heading| NAMES.contains(&&heading[..])) {
        return None;
    }
    let row = |record: csv::StringRecord| {
        let names = record.iter().enumerate().filter(|(k, _)| Some(*k) != number_at);
        let names = names.map(|(_, name)| name.to_owned()).filter(|name| !name.is_empty());
        let index = number_at.map(|at| number(record.get(at)?));
        // A number column that holds something else is no number column.
        (index != Some(None)).then(|| Row { index: index.flatten(), names: names.collect() })
    };
    reader.records().map(|record| record.ok().and_then(row)).collect()
}

/// One class a line. An index or a WordNet identifier at the beginning counts as such where every line
/// begins with one.
fn lines(text: &str) -> Vec<Row> {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let led = |is: fn(&str) -> bool, lines: &[&str]| lines.iter().all(|line| is(split(line).0));
    let numbered = led(|word| number(word).is_some(), &lines);
    let mut rows = Vec::new();
    for line in &lines {
        let (index, rest) = if numbered { split(line) } else { ("", *line) };
        rows.push((number(index), rest));
    }
    let rests: Vec<&str> = rows.iter().map(|(_, rest)| *rest).collect();
    let identified = led(is_wordnet, &rests);
    rows.into_iter()
        .map(|(index, rest)| {
            let (identifier, name) = if identified { split(rest) } else { ("", rest) };
            let names = [identifier, name].map(|name| name.trim_matches(['"', '\'']).to_owned());
            Row { index, names: names.into_iter().filter(|name| !name.is_empty()).collect() }
        })
        .collect()
}

/// The first word of a line, and the rest.
fn split(line: &str) -> (&str, &str) {
    let sign = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | ':');
    match line.find(sign) {
        Some(at) => (&line[..at], line[at..].trim_start_matches(sign)),
        None => (line, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, count: usize) -> Result<LabelTable, String> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        LabelTable::read(file.path(), count).map_err(|error| error.to_string())
    }

    #[test]
    fn every_usual_form_says_the_same() {
        for text in [
            r#"["tench, Tinca tinca", "goldfish"]"#,
            r#"{"0": ["n01440764", "tench, Tinca tinca"], "1": ["n01443537", "goldfish"]}"#,
            r#"{"0": "tench, Tinca tinca", "1": "goldfish"}"#,
            r#"{"goldfish": 1, "tench, Tinca tinca": 0}"#,
            r#"[{"id": 1, "name": "goldfish"}, {"id": 0, "name": "tench, Tinca tinca"}]"#,
            "index,wnid,name\n1,n01443537,goldfish\n0,n01440764,\"tench, Tinca tinca\"",
            "name;id\ngoldfish;1\ntench, Tinca tinca;0",
            "\u{feff}n01440764 tench, Tinca tinca\r\nn01443537 goldfish\r\n",
            "0: tench, Tinca tinca\n1: goldfish",
            "1,goldfish\n0,\"tench, Tinca tinca\"",
            "tench, Tinca tinca\ngoldfish\n",
        ] {
            let table = read(text, 2).expect(text);
            let expected = ["tench, Tinca tinca", "goldfish"].map(str::to_owned).to_vec();
            assert_eq!(table.in_order(2), Some(expected), "{text}");
            let place = table.place("Goldfish").expect(text);
            assert_eq!(table.class(place).1, Some(1), "{text}");
        }
    }

    #[test]
    fn numbers_that_are_not_the_models_are_refused() {
        let from_one = read("1 cat\n2 dog", 2).err().expect("refused");
        assert!(from_one.contains("from 1 to 2, the model's are 0 to 1"), "{from_one}");
        let twice = read("0 cat\n0 dog", 2).err().expect("refused");
        assert!(twice.contains("two classes have the number 0"), "{twice}");
        assert!(read("", 2).is_err() && read("{\"a\": [1, {}]}", 2).is_err());
    }

    #[test]
    fn imagenet_is_known_by_identifier_and_name() {
        let table = LabelTable::imagenet(1000).expect("known");
        let number = |name: &str| table.place(name).and_then(|place| table.class(place).1);
        assert_eq!([number("n01440764"), number("n15075141")], [Some(0), Some(999)]);
        assert_eq!((number("king penguin"), number("crane")), (Some(145), None), "two cranes");
        let table = LabelTable::imagenet(1001).expect("known");
        assert_eq!(table.place("n01440764").and_then(|place| table.class(place).1), Some(1));
        assert!(LabelTable::imagenet(10).is_none() && LabelTable::imagenet(1002).is_none());
    }
}
