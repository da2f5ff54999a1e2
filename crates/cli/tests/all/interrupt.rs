//! An interrupted command ends after its step, says so and leaves nothing behind.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use crate::common::{Own, shared};

/// Starts a command on many copies of the data, interrupts it at work and gives its code, its result
/// and what it said.
fn interrupted(own: &Own, line: &str, signal: &str) -> (Option<i32>, String, String) {
    let mut line = line.to_owned();
    for copy in 0..40 {
        let link = format!("copy{copy}");
        if !own.path(&link).exists() {
            symlink(shared().join("data/digits"), own.path(&link)).unwrap();
        }
        line.push_str(&format!(" --data OUT/{link}"));
    }
    let mut command = own.command(&line);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    // The first words on standard error announce the work.
    errors.read_line(&mut said).unwrap();
    let sent = Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status();
    assert!(sent.unwrap().success());
    errors.read_to_string(&mut said).unwrap();
    let done = child.wait_with_output().unwrap();
    (done.status.code(), String::from_utf8(done.stdout).unwrap(), said)
}

/// Gives the result and what was said.
fn check(line: &str, signal: &str) -> (String, String) {
    let own = Own::new();
    own.write("x", "here before");
    let (code, out, said) = interrupted(&own, line, signal);
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("\nstopping after this step; once more to stop at once\n"), "{said}");
    let files: Vec<String> =
        own.files().into_keys().filter(|name| !name.starts_with("copy")).collect();
    assert_eq!(files, ["x"]);
    assert_eq!(own.read("x"), b"here before");
    (out, said)
}

#[test]
fn profile() {
    let (out, said) = check("profile digits.onnx --samples all -o OUT/x", "INT");
    assert!(out.is_empty() && said.ends_with("\nerror: stopped\n"), "{out}{said}");
}

#[test]
fn eval() {
    let (out, said) = check("eval digits.onnx --json", "INT");
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(told["error"]["kind"] == "stopped" && !said.contains("error"), "{out}{said}");
}

#[test]
fn termination_is_the_same() {
    let (out, said) = check("profile digits.onnx -o OUT/x", "TERM");
    assert!(out.is_empty() && said.ends_with("\nerror: stopped\n"), "{out}{said}");
}
