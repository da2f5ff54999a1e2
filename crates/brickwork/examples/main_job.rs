//! The main job: two trained classifiers become one, without training.
//!
//! ```text
//! main_job FOLDER    writes what it makes there
//! ```
#![allow(clippy::print_stdout)]

use std::path::PathBuf;

use brickwork::Error;
use brickwork::verbs::{
    Assemble, Calibrate, Context, DataInput, Disassemble, Eval, ModelInput, Profile, Verb,
};

const ASSETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../cli/assets");

fn main() -> Result<(), Error> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".to_owned()));
    let path = |name: &str| folder.join(name);
    let data = |sets: &[String]| DataInput { data: sets.to_vec(), ..DataInput::default() };
    let (context, mut parts, mut sets) = (Context::default(), Vec::new(), Vec::new());
    for (source, classes, part) in [("digits", "0-4", "low"), ("garments", "sandal,bag", "things")]
    {
        let model = ModelInput::file(format!("{ASSETS}/{source}.onnx"));
        let images = [format!("{ASSETS}/{source}")];
        let profile = Some(path(&format!("{source}.profile")));
        let component = path(&format!("{part}.onnx"));
        let request = Profile {
            model: model.clone(),
            data: data(&images),
            output: profile.clone(),
            ..Profile::default()
        };
        println!("{} layers of {source} are profiled", request.run(&context)?.layers);
        let request = Disassemble {
            model,
            classes: classes.to_owned(),
            profile,
            data: data(&images),
            output: Some(component.clone()),
            ..Disassemble::default()
        };
        println!("{part} has the classes {}", request.run(&context)?.classes.join(", "));
        parts.push(component);
        sets.push(format!("{part}={}", images[0]));
    }
    let (joined, ready) = (path("joined.onnx"), path("ready.onnx"));
    Assemble { parts, output: Some(joined.clone()), ..Assemble::default() }.run(&context)?;
    let output = Some(ready.clone());
    Calibrate { model: joined, data: data(&sets), output, ..Calibrate::default() }.run(&context)?;
    let request = Eval { model: ModelInput::file(ready), data: data(&sets), ..Eval::default() };
    let report = request.run(&context)?.report;
    println!("{} of {} images", report.accuracy_per_image, report.images);
    Ok(())
}
