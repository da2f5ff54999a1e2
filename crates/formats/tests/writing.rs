//! Files are complete or untouched, whenever the process that writes them ends.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, exit};

use brickwork_formats::{abandon_writes, write_atomically};

/// Files that are written at once, each by a thread of its own.
const WRITERS: [&str; 4] = ["a", "b", "c", "d"];

/// Bytes of the smallest content.
const LENGTH: usize = 1 << 18;

/// How many processes are ended, each at another moment.
const ENDS: usize = 16;

/// What a file holds after a number of writes: told by its length and by every byte of it.
fn content(writes: u8) -> Vec<u8> {
    vec![writes; LENGTH + usize::from(writes)]
}

/// Checks that every file holds all of one content.
#[track_caller]
fn check_whole(folder: &Path) {
    for name in WRITERS {
        let bytes = std::fs::read(folder.join(name)).expect("it was there from the first");
        assert!(bytes == content(bytes[0]), "{name} holds {} bytes of two contents", bytes.len());
    }
}

/// Temporary files in `folder`.
fn temporaries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder is there").flatten();
    let hidden = entries.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"."));
    hidden.map(|entry| entry.path()).collect()
}

/// A folder in which every file has been written.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in WRITERS {
        std::fs::write(folder.path().join(name), content(0)).expect("it can be written");
    }
    folder
}

/// Another process that runs [`writer`]; it ends with the value.
struct Writer(Child);

impl Writer {
    /// Starts it under `umask` to play `role`, with a number that says when.
    fn start(folder: &Path, umask: &str, role: &str, moment: usize) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", "umask $UMASK && exec \"$0\" --exact writer --ignored"]);
        command.arg(std::env::current_exe().expect("the test itself"));
        command.env("UMASK", umask).env("ROLE", role).env("MOMENT", moment.to_string());
        command.env("FOLDER", folder).stdout(std::process::Stdio::null());
        Self(command.spawn().expect("it starts"))
    }

    fn ends_well(&mut self) -> bool {
        self.0.wait().expect("it ends").success()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // One that has ended cannot be ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "what the other tests do in a process of its own"]
fn writer() {
    let of = |name| std::env::var(name).expect("set by the test that starts the process");
    let folder = PathBuf::from(of("FOLDER"));
    if of("ROLE") == "once" {
        return write_atomically(&folder.join("new"), b"new").expect("it can be written");
    }
    for name in WRITERS {
        let path = folder.join(name);
        std::thread::spawn(move || {
            for writes in (1..=u8::MAX).cycle() {
                if write_atomically(&path, &content(writes)).is_err() {
                    exit(1);
                }
            }
        });
    }
    while of("ROLE") == "killed" {
        std::thread::park();
    }
    while temporaries(&folder).is_empty() {
        std::thread::yield_now();
    }
    (0..1 << of("MOMENT").parse::<usize>().expect("a number"))
        .for_each(|_| std::thread::yield_now());
    abandon_writes();
    exit(0);
}

#[test]
fn abandoned_writes_leave_whole_files_and_nothing_else() {
    let folder = folder();
    for moment in 0..ENDS {
        let mut writer = Writer::start(folder.path(), "022", "abandoning", moment % 12);
        assert!(writer.ends_well());
        check_whole(folder.path());
        assert_eq!(temporaries(folder.path()), [] as [PathBuf; 0]);
    }
}

#[test]
fn killed_writers_leave_whole_files() {
    let folder = folder();
    for moment in 0..ENDS {
        let mut writer = Writer::start(folder.path(), "022", "killed", 0);
        while temporaries(folder.path()).is_empty() {
            assert!(writer.0.try_wait().expect("it can be asked").is_none(), "it cannot write");
        }
        (0..moment).for_each(|_| check_whole(folder.path()));
        writer.0.kill().expect("it runs for ever");
        assert!(!writer.ends_well());
        check_whole(folder.path());
        for left in temporaries(folder.path()) {
            std::fs::remove_file(left).expect("it can be removed");
        }
    }
}

#[test]
fn new_files_have_the_permissions_of_the_process() {
    for (umask, mode) in [("000", 0o666), ("022", 0o644), ("027", 0o640), ("077", 0o600)] {
        let folder = folder();
        assert!(Writer::start(folder.path(), umask, "once", 0).ends_well());
        let new = std::fs::metadata(folder.path().join("new")).expect("it was written");
        assert_eq!(new.permissions().mode() & 0o7777, mode, "umask {umask}");
    }
}
