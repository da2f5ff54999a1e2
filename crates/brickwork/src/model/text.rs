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

/// A record as JSON, such that what is read from it is the same record.
///
/// # Errors
/// In words, if there is no such text: JSON has no numbers that are not finite.
pub(crate) fn stored<T>(record: &T) -> Result<String, String>
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq,
{
    let text = serde_json::to_string(record).map_err(|error| error.to_string())?;
    match serde_json::from_str::<T>(&text) {
        Ok(read) if read == *record => Ok(text),
        _ => Err("it holds a number that is not finite, which a file cannot hold".to_owned()),
    }
}

/// Numbers in JSON, which has no infinity: what is infinite is a word.
pub(crate) mod number {
    use serde::ser::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    /// A number, or `inf` or `-inf`.
    pub(crate) fn serialize<S: Serializer>(number: &f32, serializer: S) -> Result<S::Ok, S::Error> {
        match number {
            _ if number.is_finite() => serializer.serialize_f32(*number),
            _ if number.is_nan() => Err(S::Error::custom("it holds NaN, which is no number")),
            _ => serializer.collect_str(number),
        }
    }

    /// Files of the first version hold null where there was infinity.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(f32),
            Word(String),
            Nothing(()),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(number) => Ok(number),
            Written::Word(word) => word.parse().map_err(serde::de::Error::custom),
            Written::Nothing(()) => Ok(f32::INFINITY),
        }
    }
}

/// Lists of such [numbers](number).
pub(crate) mod numbers {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Number(#[serde(with = "super::number")] f32);

    pub(crate) fn serialize<S: Serializer>(list: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(list.iter().map(|&number| Number(number)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<f32>, D::Error> {
        let list = Vec::<Number>::deserialize(deserializer)?;
        Ok(list.into_iter().map(|Number(number)| number).collect())
    }
}
