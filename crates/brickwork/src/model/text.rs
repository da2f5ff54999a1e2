//! Values that are written as words, in files as on command lines.

/// Gives a type that has `FromStr` and `Display` its form in JSON: the same words, or a number that
/// reads as such. The second argument is that form in short, for references.
macro_rules! text_form {
    ($type:ty, $form:literal) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = $crate::model::text::words(deserializer)?;
                let wrong = |error| serde::de::Error::custom(format!("`{text}`: {error}"));
                text.parse().map_err(wrong)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": ["string", "number"], "format": $form })
            }
        }
    };
}
pub(crate) use text_form;

/// A string, or a number in words.
///
/// # Errors
/// If it is neither.
pub(crate) fn words<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    struct Words;
    impl serde::de::Visitor<'_> for Words {
        type Value = String;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a word or a number")
        }

        fn visit_str<E>(self, text: &str) -> Result<String, E> {
            Ok(text.to_owned())
        }

        fn visit_u64<E>(self, number: u64) -> Result<String, E> {
            Ok(number.to_string())
        }

        fn visit_i64<E>(self, number: i64) -> Result<String, E> {
            Ok(number.to_string())
        }

        fn visit_f64<E>(self, number: f64) -> Result<String, E> {
            // With a point even where it is whole: 1.0 is a share, 1 a count.
            Ok(format!("{number:?}"))
        }
    }
    deserializer.deserialize_any(Words)
}
