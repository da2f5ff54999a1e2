//! Steps of long work that are kept: work that was interrupted goes on, and what is kept changes nothing.

use std::fs;
use std::process::{Command, Stdio};

use crate::common::{JOINED_DATA, Own, number, prepared, shared};

const CUT: &str = "disassemble digits.onnx --classes 0,3,7 --data data/digits --refit-samples 20 \
                   --hold-out 20 --step 60%";

/// How many steps are kept in `OUT/kept`.
fn kept(own: &Own) -> usize {
    number(&own.json("cache --cache OUT/kept")["files"]) as usize
}

#[test]
fn what_is_kept_changes_nothing_and_serves_other_sizes() {
    shared();
    let own = Own::new();
    assert_eq!(kept(&own), 0);
    for (share, name, taken) in [("30%", "x", 0), ("20%", "y", 2), ("30%", "z", 4)] {
        let ran = own.run(&format!("{CUT} --macs {share} -o OUT/{name}.onnx --cache OUT/kept -v"));
        assert_eq!(ran.err.matches(": from OUT/kept").count(), taken, "{share}\n{}", ran.err);
        own.succeeds(&format!("{CUT} --macs {share} -o OUT/{name}-alone.onnx"));
        assert!(own.read(&format!("{name}.onnx")) == own.read(&format!("{name}-alone.onnx")));
    }
    // Other classes, images, options and seeds are other ground.
    for other in ["--seed 1", "--refit layers", "--refit-samples 19", "--round-to 4"] {
        let before = kept(&own);
        let cut = match other {
            "--refit-samples 19" => CUT.replace("--refit-samples 20", other),
            other => format!("{CUT} {other}"),
        };
        own.succeeds(&format!("{cut} --macs 60% -o OUT/o.onnx --cache OUT/kept"));
        assert!(kept(&own) > before, "{other}");
    }
    own.succeeds("cache --clear --cache OUT/kept");
    assert_eq!(kept(&own), 0);
}

#[test]
fn a_compression_goes_on_from_what_is_kept() {
    shared();
    let own = Own::new();
    let line = "compress digits.onnx --macs 50% --data data/digits --refit-samples 20 --step 60%";
    own.succeeds(&format!("{line} -o OUT/x.onnx --cache OUT/kept"));
    assert_eq!(kept(&own), 3);
    let again = own.run(&format!("{line} -o OUT/y.onnx --cache OUT/kept -v"));
    assert_eq!(again.err.matches(": from OUT/kept").count(), 3, "{}", again.err);
    own.succeeds(&format!("{line} -o OUT/z.onnx"));
    assert!(own.read("x.onnx") == own.read("y.onnx") && own.read("y.onnx") == own.read("z.onnx"));
}

#[test]
fn a_calibration_goes_on_from_what_is_kept() {
    prepared();
    let own = Own::new();
    let line = format!("calibrate joined.onnx {JOINED_DATA} --samples 40");
    own.succeeds(&format!("{line} -o OUT/x.onnx --cache OUT/kept"));
    let before = kept(&own);
    assert!(before > 1);
    // Half of it is lost, as if it had been interrupted there.
    for (name, _) in own.files().iter().filter(|(name, _)| name.starts_with("kept/")).step_by(2) {
        fs::remove_file(own.path(name)).unwrap();
    }
    let again = own.run(&format!("{line} -o OUT/y.onnx --cache OUT/kept -v"));
    assert!(again.err.contains(" images: from OUT/kept"), "{}", again.err);
    assert_eq!(kept(&own), before);
    own.succeeds(&format!("{line} -o OUT/z.onnx"));
    assert!(own.read("x.onnx") == own.read("y.onnx") && own.read("y.onnx") == own.read("z.onnx"));
    // Another method that reads the same numbers has none to compute.
    own.succeeds(&format!("{line} --method background -o OUT/g.onnx --cache OUT/kept"));
    assert_eq!(kept(&own), before);
    own.succeeds(&format!("{line} --method affine -o OUT/f.onnx --cache OUT/kept"));
    assert_eq!(kept(&own), 2 * before, "these have no features");
}

#[test]
fn damage_and_folders_that_cannot_be_written_are_no_hindrance() {
    shared();
    let own = Own::new();
    let line = format!("{CUT} --macs 50% --refit layers");
    own.succeeds(&format!("{line} -o OUT/x.onnx --cache OUT/kept"));
    for (name, bytes) in own.files() {
        if name.starts_with("kept/") {
            own.write(&name, &bytes[..bytes.len() / 2]);
        }
    }
    own.succeeds(&format!("{line} -o OUT/y.onnx --cache OUT/kept"));
    own.write("file", "here before");
    let said = own.run(&format!("{line} -o OUT/z.onnx --cache OUT/file"));
    assert!(
        said.code == Some(0) && said.err.contains("nothing is kept in OUT/file"),
        "{}",
        said.err
    );
    assert!(own.read("x.onnx") == own.read("y.onnx") && own.read("y.onnx") == own.read("z.onnx"));
    own.refused("cache --cache none", &["nothing is kept"]);
}

/// However a walk ends, the steps that it made are there for the next.
#[cfg(unix)]
#[test]
fn a_walk_that_was_killed_goes_on() {
    shared();
    let own = Own::new();
    let line = format!("{CUT} --macs 20% -o OUT/x.onnx --cache OUT/kept");
    let mut command = own.command(&line);
    let mut child = command.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let steps = || {
        fs::read_dir(own.path("kept")).map_or(0, |found| {
            let done = |name: &str| name.ends_with(".result");
            found
                .filter(|entry| {
                    entry.as_ref().is_ok_and(|e| done(&e.file_name().to_string_lossy()))
                })
                .count()
        })
    };
    while steps() < 2 && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let sent = Command::new("kill").args(["-KILL", &child.id().to_string()]).status();
    let killed = sent.unwrap().success();
    child.wait().unwrap();
    let before = steps();
    assert!(before >= 2 && (!killed || !own.path("x.onnx").exists()));
    let again = own.run(&format!("{line} -v"));
    assert_eq!(again.code, Some(0), "{}", again.err);
    assert_eq!(again.err.matches(": from OUT/kept").count(), before, "{}", again.err);
    own.succeeds(&format!("{CUT} --macs 20% -o OUT/y.onnx"));
    assert!(own.read("x.onnx") == own.read("y.onnx"));
}
