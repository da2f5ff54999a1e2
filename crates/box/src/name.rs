//! Names of models in a box.

use crate::error::BoxError;

/// The tag of what is named without one.
pub(crate) const LATEST: &str = "latest";

/// How a model in a box is named: `NAME`, `NAME@TAG` or the beginning of its digest, `sha256-ab12`, each alone or with
/// `/CLASSES` for the component of that model for these classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// What it is called, or the beginning of its digest.
    pub(crate) of: Of,
    /// The classes of the component that is meant, instead of the model.
    pub(crate) classes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    Digest(String),
    Tagged(Tagged),
}

/// A name with its tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tagged {
    pub(crate) name: String,
    pub(crate) tag: String,
}

impl Name {
    /// The name that is written so, with `box:` before it or without.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &str) -> Result<Self, BoxError> {
        let own = text.strip_prefix("box:").unwrap_or(text);
        let (of, classes) = match own.split_once('/') {
            Some((of, classes)) => (of, Some(classes)),
            None => (own, None),
        };
        let classes: Vec<String> = classes
            .into_iter()
            .flat_map(|all| all.split(','))
            .map(|one| one.trim().to_owned())
            .collect();
        if classes.iter().any(String::is_empty) {
            return Err(BoxError::Name(format!("`{text}` names an empty class")));
        }
        let of = match of.strip_prefix("sha256-") {
            Some(hex) if !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                Of::Digest(hex.to_ascii_lowercase())
            }
            _ => Of::Tagged(Tagged::parse(of)?),
        };
        Ok(Self { of, classes })
    }
}

impl Tagged {
    /// `NAME` or `NAME@TAG`.
    ///
    /// # Errors
    /// If either has other characters than letters, digits, `-`, `_` and `.`, or begins with a point.
    pub(crate) fn parse(text: &str) -> Result<Self, BoxError> {
        let (name, tag) = text.split_once('@').unwrap_or((text, LATEST));
        for word in [name, tag] {
            let letter = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
            if word.is_empty()
                || word.starts_with('.')
                || !word.chars().all(letter)
                || word.len() > 128
            {
                return Err(BoxError::Name(format!(
                    "`{text}` is no name for a model in the box: use letters, digits, `-`, `_` and `.`, as in pets or \
                     pets@v2"
                )));
            }
        }
        if name.starts_with("sha256-") {
            return Err(BoxError::Name(format!("`{text}` looks like a digest; call it otherwise")));
        }
        Ok(Self { name: name.to_owned(), tag: tag.to_owned() })
    }
}

impl std::fmt::Display for Tagged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.tag[..] {
            LATEST => f.write_str(&self.name),
            tag => write!(f, "{}@{tag}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_digests_and_classes() {
        let tagged = |name: &str, tag: &str| {
            Of::Tagged(Tagged { name: name.to_owned(), tag: tag.to_owned() })
        };
        for (text, of, classes) in [
            ("pets", tagged("pets", "latest"), &[][..]),
            ("box:resnet20@v2/cat,dog", tagged("resnet20", "v2"), &["cat", "dog"]),
            ("sha256-AB12", Of::Digest("ab12".to_owned()), &[]),
            ("tête.1", tagged("tête.1", "latest"), &[]),
        ] {
            assert_eq!(
                Name::parse(text).unwrap(),
                Name { of, classes: classes.iter().map(ToString::to_string).collect() }
            );
        }
        for text in [
            "",
            "a b",
            "../a",
            ".a",
            "a@",
            "a@b@c",
            "sha256-xyz",
            "sha256-",
            "pets/",
            "pets/a,,b",
            "a\\b",
        ] {
            assert!(Name::parse(text).is_err(), "{text}");
        }
    }
}
