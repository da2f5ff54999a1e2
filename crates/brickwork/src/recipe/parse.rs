//! From the text of a recipe to what it says, with the places where it says so.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Value, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::model::error::Fault;

/// What a recipe says.
#[derive(Clone, Debug, Default)]
pub(super) struct Parsed {
    pub(super) seed: u64,
    /// Where the seed's value stands in the text.
    pub(super) seed_span: Option<Range<usize>>,
    pub(super) data: Vec<DataName>,
    pub(super) steps: Vec<Step>,
}

/// A name for a file or folder that is there before the recipe is built.
#[derive(Clone, Debug)]
pub struct DataName {
    /// The name.
    pub name: String,
    /// The file or folder.
    pub path: String,
    /// The digest that it must have, if one is given.
    pub sha256: Option<String>,
    /// Its line, from 1.
    pub line: usize,
    /// Where the path's value stands in the text.
    pub(super) span: Range<usize>,
}

/// One step: a request by name.
#[derive(Clone, Debug)]
pub struct Step {
    /// What its result is called.
    pub name: String,
    /// The verb that is asked.
    pub verb: String,
    /// The seed, if it has its own.
    pub seed: Option<u64>,
    /// The options that are said, by name.
    pub options: Vec<Setting>,
    /// The digest that its result must have, if one is given.
    pub sha256: Option<String>,
    /// Its line, from 1.
    pub line: usize,
    /// Where its options begin in the text, if it is a table of its own.
    pub(super) body: Option<usize>,
    /// Where the seed's value stands in the text.
    pub(super) seed_span: Option<Range<usize>>,
}

/// An option of a step.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The option.
    pub option: String,
    /// Its value.
    pub value: Value,
    /// Its line, from 1.
    pub line: usize,
    /// Where the value stands in the text.
    pub(super) span: Range<usize>,
}

impl Step {
    /// The value of an option, if it is said.
    pub fn option(&self, name: &str) -> Option<&Value> {
        self.options.iter().find(|setting| setting.option == name).map(|setting| &setting.value)
    }

    /// The line of an option, or that of the step where it is not said.
    pub fn line_of(&self, option: &str) -> usize {
        let own = self.options.iter().find(|setting| setting.option == option);
        own.map_or(self.line, |setting| setting.line)
    }
}

/// Understands a text.
///
/// # Errors
/// All that cannot be understood.
pub(super) fn parse(text: &str) -> Result<Parsed, Vec<Fault>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader { text, faults: Vec::new(), lines: BTreeMap::new() };
    for error in errors {
        let place = error.span().map(|span| span.start);
        reader.refuse(place, error.message().to_owned());
    }
    if !reader.faults.is_empty() {
        return Err(reader.faults);
    }
    let parsed = reader.document(table.get_ref());
    if reader.faults.is_empty() { Ok(parsed) } else { Err(reader.faults) }
}

struct Reader<'a> {
    text: &'a str,
    faults: Vec<Fault>,
    /// Lines of names of data and steps, which must differ.
    lines: BTreeMap<String, usize>,
}

impl Reader<'_> {
    /// The line of a place in the text, from 1.
    fn line(&self, place: usize) -> usize {
        self.text.as_bytes()[..place.min(self.text.len())]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1
    }

    fn refuse(&mut self, place: Option<usize>, message: String) {
        let line = place.map(|place| self.line(place));
        self.faults.push(Fault { file: String::new(), line, message });
    }

    fn document(&mut self, table: &DeTable<'_>) -> Parsed {
        let mut parsed = Parsed::default();
        for (key, value) in table {
            let (name, place) = (key.get_ref().as_ref(), key.span().start);
            match (name, value.get_ref()) {
                ("seed", _) => {
                    parsed.seed = self.whole(value, "`seed`").unwrap_or_default();
                    parsed.seed_span = Some(value.span());
                }
                ("data", DeValue::Table(all)) => {
                    parsed.data =
                        all.iter().filter_map(|(key, value)| self.data(key, value)).collect();
                }
                (_, DeValue::Table(options)) if name != "data" => {
                    self.name(name, place);
                    let body = self.body(value.span());
                    parsed.steps.extend(self.step(name, place, body, options));
                }
                _ => self.refuse(
                    Some(place),
                    format!("`{name}` is no step: expected a table `[{name}]` with a `verb`"),
                ),
            }
        }
        parsed
    }

    /// Takes a name, if it is one and nothing else has it.
    fn name(&mut self, name: &str, place: usize) {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if name.is_empty() || !name.bytes().all(letter) {
            self.refuse(
                Some(place),
                format!("`{name}` is no name: use letters, digits, `-` and `_`"),
            );
        }
        let line = self.line(place);
        if let Some(other) = self.lines.insert(name.to_owned(), line) {
            self.refuse(
                Some(place),
                format!("`{name}` is the name of something in line {other}, too"),
            );
        }
    }

    /// Where the options of a table with a head of its own begin: in the line below.
    fn body(&self, span: Range<usize>) -> Option<usize> {
        let from = self.text.get(span.start..)?;
        let end = from.find('\n').map_or(self.text.len(), |end| span.start + end + 1);
        from.starts_with('[').then_some(end)
    }

    fn data(
        &mut self,
        key: &Spanned<toml::de::DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<DataName> {
        let (name, place) = (key.get_ref().to_string(), key.span().start);
        self.name(&name, place);
        let line = self.line(place);
        match value.get_ref() {
            DeValue::String(path) => {
                let (path, span) = (path.to_string(), value.span());
                Some(DataName { name, path, sha256: None, line, span })
            }
            DeValue::Table(table) => {
                let text = |key: &str| {
                    table.get(key).and_then(|value| Some((value.get_ref().as_str()?, value.span())))
                };
                let odd =
                    table.keys().find(|key| !["path", "sha256"].contains(&key.get_ref().as_ref()));
                let sha256 = text("sha256").map(|(digest, _)| digest.to_owned());
                match text("path") {
                    Some((path, span)) if odd.is_none() => {
                        Some(DataName { name, path: path.to_owned(), sha256, line, span })
                    }
                    _ => {
                        self.refuse(
                            Some(place),
                            format!("`{name}` has other keys than `path` and `sha256`, or no path"),
                        );
                        None
                    }
                }
            }
            _ => {
                self.refuse(Some(place), format!("`{name}` must be a path, in quotes"));
                None
            }
        }
    }

    fn step(
        &mut self,
        name: &str,
        place: usize,
        body: Option<usize>,
        table: &DeTable<'_>,
    ) -> Option<Step> {
        let mut step = Step {
            name: name.to_owned(),
            verb: String::new(),
            seed: None,
            options: Vec::new(),
            sha256: None,
            line: self.line(place),
            body,
            seed_span: None,
        };
        for (key, value) in table {
            let option = key.get_ref().to_string();
            match (&option[..], value.get_ref()) {
                ("verb", DeValue::String(verb)) => step.verb = verb.to_string(),
                ("sha256", DeValue::String(digest)) => step.sha256 = Some(digest.to_string()),
                ("verb" | "sha256", _) => {
                    self.refuse(
                        Some(value.span().start),
                        format!("`{option}` must be a word, in quotes"),
                    );
                }
                ("seed", _) => {
                    step.seed = self.whole(value, "`seed`");
                    step.seed_span = Some(value.span());
                }
                _ => {
                    let found = self.value(&option, value)?;
                    let (line, span) = (self.line(key.span().start), value.span());
                    step.options.push(Setting { option, value: found, line, span });
                }
            }
        }
        if step.verb.is_empty() {
            self.refuse(Some(place), format!("step `{name}` says no `verb`"));
            return None;
        }
        Some(step)
    }

    /// A whole number from 0.
    fn whole(&mut self, value: &Spanned<DeValue<'_>>, what: &str) -> Option<u64> {
        let number = value.get_ref().as_integer();
        let number = number.and_then(|it| u64::from_str_radix(it.as_str(), it.radix()).ok());
        if number.is_none() {
            self.refuse(Some(value.span().start), format!("{what} must be a whole number from 0"));
        }
        number
    }

    /// A value as JSON.
    fn value(&mut self, option: &str, value: &Spanned<DeValue<'_>>) -> Option<Value> {
        let found = match value.get_ref() {
            DeValue::String(text) => Some(json!(text.as_ref())),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .ok()
                .map(|number| json!(number)),
            DeValue::Float(number) => {
                let number = number.as_str().parse::<f64>().ok();
                number.filter(|number| number.is_finite()).map(|number| json!(number))
            }
            DeValue::Boolean(flag) => Some(json!(flag)),
            DeValue::Array(all) => {
                let all: Vec<_> = all.iter().map(|one| self.value(option, one)).collect();
                return all.into_iter().collect::<Option<Vec<_>>>().map(Value::Array);
            }
            DeValue::Datetime(_) | DeValue::Table(_) => None,
        };
        if found.is_none() {
            self.refuse(
                Some(value.span().start),
                format!(
                    "`{option}` must be a word in quotes, a number, true, false, or a list of those"
                ),
            );
        }
        found
    }
}
