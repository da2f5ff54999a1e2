//! The figures of every epoch as a file.

use std::path::Path;

use brickwork_formats::write_atomically;
use serde_json::json;

use super::score::Score;
use super::state::Epoch;
use crate::model::error::Error;

/// How a log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Csv,
    Json,
}

/// What the name of a log asks for.
///
/// # Errors
/// If it asks for nothing known.
pub(crate) fn format(path: &Path) -> Result<LogFormat, Error> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => Ok(LogFormat::Csv),
        Some("json") => Ok(LogFormat::Json),
        _ => Err(Error::options(format!(
            "`log={}`: the name must end in .csv or .json",
            path.display()
        ))),
    }
}

/// Writes all epochs; `seconds` are known of some.
///
/// # Errors
/// If the file cannot be written; it is then as it was.
pub(super) fn write(
    path: &Path,
    log: &[Epoch],
    seconds: &[(usize, f64)],
    images: f64,
) -> Result<(), Error> {
    let took = |epoch: &Epoch| seconds.iter().find(|(k, _)| *k == epoch.epoch).map(|(_, s)| *s);
    let text = match format(path)? {
        LogFormat::Csv => csv(log, took, images),
        LogFormat::Json => {
            let entry = |epoch: &Epoch| {
                let mut entry = json!(epoch);
                entry["seconds"] = json!(took(epoch));
                entry["images_per_second"] = json!(took(epoch).map(|s| images / s));
                entry
            };
            format!("{:#}\n", json!(log.iter().map(entry).collect::<Vec<_>>()))
        }
    };
    Ok(write_atomically(path, text.as_bytes())?)
}

fn csv(log: &[Epoch], took: impl Fn(&Epoch) -> Option<f64>, images: f64) -> String {
    let mut text = "epoch,rate,train_loss,train_accuracy,held_loss,held_accuracy,seconds,\
                    images_per_second\n"
        .to_owned();
    let score = |score: Option<Score>| {
        score.map_or(",".to_owned(), |s| format!("{:.6},{}", s.loss, s.accuracy.number()))
    };
    for epoch in log {
        let speed = took(epoch).map_or(",".to_owned(), |s| format!("{s:.2},{:.1}", images / s));
        text += &format!(
            "{},{},{},{},{speed}\n",
            epoch.epoch,
            epoch.rate,
            score(Some(epoch.train)),
            score(epoch.held)
        );
    }
    text
}
