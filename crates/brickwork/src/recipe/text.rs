//! The text of a recipe, and what it says.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::parse::{DataName, Parsed, Step, parse};
use super::write;
use crate::model::error::{Error, Fault};
use crate::verbs;

/// A recipe. Its text is the one owner of what it says: comments stay where they are.
#[derive(Clone, Debug)]
pub struct Recipe {
    text: String,
    /// What it is called in errors.
    name: String,
    /// Where its paths begin.
    folder: PathBuf,
    parsed: Parsed,
}

impl Default for Recipe {
    /// A recipe that makes nothing.
    fn default() -> Self {
        let (text, name, folder) = (String::new(), String::new(), PathBuf::new());
        Self { text, name, folder, parsed: Parsed::default() }
    }
}

impl Recipe {
    /// The recipe that is written so. Its paths begin in the working folder.
    ///
    /// # Errors
    /// Everything that cannot be understood, with its line. Whether what it says can be done,
    /// [`check`](Self::check) tells.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::default().with_text(text.to_owned())
    }

    /// The recipe in a file. Its paths begin in the file's folder.
    ///
    /// # Errors
    /// If the file cannot be read, or as [`parse`](Self::parse).
    pub fn read(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let unread = |error: std::io::Error| Error::file(format!("cannot read {name}: {error}"));
        let text = std::fs::read_to_string(path).map_err(unread)?;
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        Self { name, folder, ..Self::default() }.with_text(text)
    }

    /// The same with its paths beginning in `folder`.
    #[must_use]
    pub fn in_folder(self, folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), ..self }
    }

    /// Adds a name for a file or folder that is there already.
    ///
    /// # Errors
    /// If the name is taken or has other characters than letters, digits, `-` and `_`.
    pub fn add_data(&mut self, name: &str, path: &str) -> Result<(), Error> {
        self.replace_text(write::with_data(&self.text, name, path))
    }

    /// Adds a step at the end: a request to `verb`, an object of options, whose result is called `name`. Options
    /// that have their defaults are left out. Options that name files may name `@results`.
    ///
    /// # Errors
    /// If the name is taken or has other characters than letters, digits, `-` and `_`, there is no such verb, or
    /// an option's value cannot be written.
    pub fn add(&mut self, name: &str, verb: &str, request: &Value) -> Result<(), Error> {
        let known = verbs::find(verb)
            .ok_or_else(|| Error::options(format!("there is no verb `{verb}`")))?;
        let empty = Map::new();
        let options = request.as_object().unwrap_or(&empty);
        let defaults = known.default_request();
        let said = options.iter().filter(|(option, value)| defaults.get(option) != Some(value));
        let step = write::step(name, verb, None, said)?;
        self.replace_text(write::joined(&self.text, &step))
    }

    /// Sets an option of a step, as `low.macs=20%`, or what a name of data stands for, as `data.digits=PATH`, or
    /// the seed of all steps, as `seed=3`.
    ///
    /// # Errors
    /// If there is no such step, or the value cannot be written there.
    pub fn set(&mut self, assignment: &str) -> Result<(), Error> {
        let text = write::with_setting(&self.text, &self.parsed, assignment)?;
        self.replace_text(text)
    }

    /// Its text.
    pub fn to_toml(&self) -> &str {
        &self.text
    }

    /// What it is called: the path of its file, if it was read from one.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its paths begin.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The seed of steps that have none of their own.
    pub fn seed(&self) -> u64 {
        self.parsed.seed
    }

    /// The names for data, in order.
    pub fn data(&self) -> &[DataName] {
        &self.parsed.data
    }

    /// The steps, as they stand in the text.
    pub fn steps(&self) -> &[Step] {
        &self.parsed.steps
    }

    /// The step of this name.
    pub fn step(&self, name: &str) -> Option<&Step> {
        self.steps().iter().find(|step| step.name == name)
    }

    /// An error with the name of the recipe, if it is about lines of it.
    pub(super) fn named(&self, error: Error) -> Error {
        match error {
            Error::Recipe(faults) => self.faults(faults),
            other => other,
        }
    }

    fn with_text(mut self, text: String) -> Result<Self, Error> {
        self.replace_text(text)?;
        Ok(self)
    }

    /// Takes another text, if it can be understood.
    fn replace_text(&mut self, text: String) -> Result<(), Error> {
        self.parsed = parse(&text).map_err(|faults| self.faults(faults))?;
        self.text = text;
        Ok(())
    }

    /// The error of what is wrong with it.
    pub(super) fn faults(&self, faults: Vec<Fault>) -> Error {
        let named = |fault: Fault| Fault { file: self.name.clone(), ..fault };
        Error::Recipe(faults.into_iter().map(named).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::verbs::{Calibrate, DataInput};

    const TEXT: &str = r#"seed = 3 # of all
[data]
# What is there.
digits = "data/digits"   # images

[low] # a component
verb = "disassemble"
model = "digits.onnx"
classes = "0-4"
data = ["@digits"]
alpha_conv = 0.25

[measured]
verb = "eval"
model = "@low"
"#;

    fn refused(text: &str) -> String {
        Recipe::parse(text).expect_err("refused").to_string()
    }

    #[test]
    fn what_a_text_says() {
        let recipe = Recipe::parse(TEXT).unwrap();
        assert_eq!((recipe.seed(), recipe.to_toml()), (3, TEXT));
        let data = &recipe.data()[0];
        assert_eq!((&data.name[..], &data.path[..], data.line), ("digits", "data/digits", 4));
        let step = recipe.step("low").unwrap();
        assert_eq!((&step.verb[..], step.line, step.line_of("classes")), ("disassemble", 6, 9));
        assert_eq!(step.option("data"), Some(&json!(["@digits"])));
        assert_eq!(step.option("alpha_conv"), Some(&json!(0.25)));
        assert_eq!(recipe.steps().len(), 2);
    }

    #[test]
    fn all_that_cannot_be_understood_is_told_with_its_line() {
        let error = refused(
            "[data]\na = 3\n[a]\nverb = 'eval'\n[b]\nmodel = 'x'\n[c]\nverb='eval'\nwhen = 2020-01-01\n",
        );
        for words in [
            "line 2: `a` must be a path",
            "line 3: `a` is the name of something in line 2",
            "line 5: step `b` says no `verb`",
            "line 9: `when` must be",
        ] {
            assert!(error.contains(words), "{words} in {error}");
        }
        for (text, words) in [
            ("x = 1", "line 1: `x` is no step"),
            ("[a]\nverb = 'eval'\nseed = -1", "line 3: `seed` must be"),
            ("['a b']\nverb = 'eval'", "is no name"),
            ("[a\nverb = 'eval'", "line 1: "),
            ("[a]\nverb = 'eval'\n[a]\nverb = 'eval'", "line 3: "),
            ("[data]\na = { file = 'x' }", "other keys"),
        ] {
            let error = refused(text);
            assert!(error.contains(words), "{words} in {error}");
        }
    }

    #[test]
    fn steps_are_added_without_their_defaults() {
        let mut recipe = Recipe::parse("# mine\n").unwrap();
        let data = DataInput { data: vec!["low=@digits".to_owned()], ..DataInput::default() };
        let request =
            Calibrate { model: "@low".into(), data, samples: Some(5), ..Calibrate::default() };
        recipe.add("ready", "calibrate", &json!(request)).unwrap();
        recipe.add_data("digits", "data/digits").unwrap();
        recipe.add_data("more", "a \"b\"").unwrap();
        let expected = r#"# mine

[data]
more = 'a "b"'
digits = "data/digits"

[ready]
verb = "calibrate"
model = "@low"
data = ["low=@digits"]
samples = 5
"#;
        assert_eq!(recipe.to_toml(), expected);
        assert!(recipe.add("ready", "eval", &json!({})).is_err(), "the name is taken");
        assert!(recipe.add("other", "evil", &json!({})).is_err());
        assert_eq!(recipe.to_toml(), expected);
    }

    #[test]
    fn settings_change_values_and_nothing_else() {
        let mut recipe = Recipe::parse(TEXT).unwrap();
        for assignment in
            ["low.classes=5-9", "low.macs=20%", "data.digits=there", "seed=4", "measured.seed=5"]
        {
            recipe.set(assignment).unwrap();
        }
        let expected = TEXT
            .replace("0-4", "5-9")
            .replace("verb = \"disassemble\"", "macs = \"20%\"\nverb = \"disassemble\"")
            .replace("data/digits", "there")
            .replace("seed = 3", "seed = 4")
            .replace("verb = \"eval\"", "seed = 5\nverb = \"eval\"");
        assert_eq!(recipe.to_toml(), expected);
        recipe.set("low.macs=30%").unwrap();
        assert_eq!(recipe.step("low").unwrap().option("macs"), Some(&json!("30%")));
        for (assignment, words) in [
            ("high.macs=1", "there is no step `high`; these are there: low, measured"),
            ("macs", "expected an option"),
        ] {
            let error = recipe.set(assignment).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    proptest! {
        /// Whatever stands in a text, it is understood or refused, and what is understood can be changed.
        #[test]
        fn any_text_is_understood_or_refused(
            text in "(\\PC|\n|\\[|\\]|=|\"|'|#|verb|seed|data|a|1|\\.){0,40}",
            value in "\\PC{0,12}",
        ) {
            if let Ok(mut recipe) = Recipe::parse(&text) {
                let _ = recipe.set(&format!("data.x={value}"));
                let _ = recipe.set(&format!("seed={value}"));
                prop_assert!(Recipe::parse(recipe.to_toml()).is_ok());
            }
        }

        #[test]
        fn what_is_set_is_what_was_typed(value in "[a-zA-Z0-9%,. \"'@=#\\[\\]é\\\\-]{1,20}") {
            let mut recipe = Recipe::parse(TEXT).unwrap();
            recipe.set(&format!("low.classes={value}")).unwrap();
            let found = recipe.step("low").unwrap().option("classes").unwrap();
            let typed = toml::de::DeValue::parse(&value).is_ok();
            prop_assert!(typed || found == &json!(value), "{found} of {value}");
            recipe.set(&format!("data.digits={value}")).unwrap();
            prop_assert_eq!(&recipe.data()[0].path, &value);
            prop_assert!(recipe.to_toml().contains("# What is there."));
        }
    }
}
