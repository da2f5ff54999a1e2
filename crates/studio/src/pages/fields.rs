//! What a form, or an address behind its question mark, says.

use axum::extract::Multipart;
use serde::Deserialize;

use crate::failure::StudioError;

/// Names and values, in order; a name may stand several times.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Fields(Vec<(String, String)>);

/// A file that a browser sent.
pub(crate) struct Upload {
    /// What it is called there.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

impl Fields {
    /// All values of this name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(own, _)| own == name).map(|(_, value)| &value[..])
    }

    /// The first value of this name that says anything.
    pub(crate) fn get<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).map(str::trim).find(|value| !value.is_empty())
    }

    /// The value of this name.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn need<'a>(&'a self, name: &'a str) -> Result<&'a str, StudioError> {
        self.get(name).ok_or_else(|| StudioError::request(format!("nothing is said of `{name}`")))
    }

    /// The number of this name, if there is one.
    ///
    /// # Errors
    /// If it is no number.
    pub(crate) fn number<T: std::str::FromStr>(
        &self,
        name: &str,
    ) -> Result<Option<T>, StudioError> {
        let wrong =
            |text: &str| StudioError::request(format!("`{text}` is no number for `{name}`"));
        self.get(name).map(|text| text.parse().map_err(|_| wrong(text))).transpose()
    }
}

/// The fields and files of a form.
///
/// # Errors
/// If it is cut off, or larger than the studio takes.
pub(crate) async fn uploaded(mut form: Multipart) -> Result<(Fields, Vec<Upload>), StudioError> {
    let wrong = |error: axum::extract::multipart::MultipartError| {
        StudioError::request(format!("the file did not arrive: {}", error.body_text()))
    };
    let (mut fields, mut files) = (Fields::default(), Vec::new());
    while let Some(field) = form.next_field().await.map_err(wrong)? {
        let name = field.name().unwrap_or_default().to_owned();
        match field.file_name().map(str::to_owned) {
            Some(file) => {
                let bytes = field.bytes().await.map_err(wrong)?.to_vec();
                // A browser sends an empty file for a field that was left empty.
                if !bytes.is_empty() {
                    files.push(Upload { name: file, bytes });
                }
            }
            None => fields.0.push((name, field.text().await.map_err(wrong)?)),
        }
    }
    Ok((fields, files))
}
