//! The studio as whoever reaches its port sees it. What it shows in a browser, tests/browser tells.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::common::Own;

/// A studio that runs; it ends with this.
struct Running {
    child: Child,
    host: String,
    token: String,
    own: Own,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    fn start() -> Self {
        let own = Own::new();
        let mut command =
            own.command("studio OUT/box --box OUT/mine --no-open --port 0 --upload-limit 1 --json");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines().map(Result::unwrap);
        let mut said = String::new();
        for line in lines {
            said += &line;
            if line == "}" {
                break;
            }
        }
        let said: Value = serde_json::from_str(&said).unwrap();
        let address = said["address"].as_str().unwrap().strip_prefix("http://").unwrap();
        let (host, token) = address.split_once("/?token=").unwrap();
        Self { child, host: host.to_owned(), token: token.to_owned(), own }
    }

    /// What is answered to a request: its code, and all that comes.
    fn ask(&self, method: &str, path: &str, headers: &[String], body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        headers.iter().for_each(|header| head += &format!("{header}\r\n"));
        head += &format!("Content-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        // Whoever is refused may be cut off while still sending.
        let _ = stream.write_all(body);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        (answer[9..12].parse().unwrap(), answer)
    }

    fn host(&self) -> String {
        format!("Host: {}", self.host)
    }

    fn cookie(&self) -> String {
        format!("Cookie: brickwork-studio={}", self.token)
    }

    /// A page, for whoever may see it.
    fn page(&self, path: &str) -> (u16, String) {
        self.ask("GET", path, &[self.host(), self.cookie()], &[])
    }

    /// A form without files.
    fn form(&self, path: &str, body: &str) -> (u16, String) {
        let origin = format!("Origin: http://{}", self.host);
        let kind = "Content-Type: application/x-www-form-urlencoded".to_owned();
        self.ask("POST", path, &[self.host(), self.cookie(), origin, kind], body.as_bytes())
    }

    /// A form with one file.
    fn send(&self, path: &str, field: &str, name: &str, file: &[u8], more: &str) -> (u16, String) {
        let mut body = format!(
            "--x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{more}\r\n\
             --x\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\n\r\n"
        )
        .into_bytes();
        body.extend(file);
        body.extend(b"\r\n--x--\r\n");
        let headers = [
            self.host(),
            self.cookie(),
            format!("Origin: http://{}", self.host),
            "Content-Type: multipart/form-data; boundary=x".to_owned(),
        ];
        self.ask("POST", path, &headers, &body)
    }
}

#[test]
fn only_who_has_the_token_is_answered_and_only_pages_of_the_studio_can_act() {
    let studio = Running::start();
    assert_eq!(studio.ask("GET", "/", &[studio.host()], &[]).0, 403);
    let wrong = "Cookie: brickwork-studio=0123".to_owned();
    assert_eq!(studio.ask("GET", "/", &[studio.host(), wrong], &[]).0, 403);
    let elsewhere = "Host: evil.example".to_owned();
    assert_eq!(studio.ask("GET", "/", &[elsewhere, studio.cookie()], &[]).0, 403);
    let (code, entered) =
        studio.ask("GET", &format!("/?token={}", studio.token), &[studio.host()], &[]);
    assert_eq!(code, 303);
    assert!(entered.contains("HttpOnly; SameSite=Strict"), "{entered}");
    let (code, page) = studio.page("/");
    assert_eq!(code, 200);
    assert!(page.contains("digits") && page.contains("garments"));
    let lower = page.to_lowercase();
    assert!(lower.contains("content-security-policy: default-src 'none'; script-src 'self'"));
    assert!(!lower.contains("<script>") && !lower.contains(" style="), "nothing is inline");
    for origin in [None, Some("Origin: http://evil.example"), Some("Origin: null")] {
        let mut headers = vec![studio.host(), studio.cookie()];
        headers.extend(origin.map(str::to_owned));
        headers.push("Content-Type: application/x-www-form-urlencoded".to_owned());
        assert_eq!(
            studio.ask("POST", "/plate/put", &headers, b"file=digits.onnx").0,
            403,
            "{origin:?}"
        );
    }
}

#[test]
fn models_go_to_the_users_own_box_and_come_from_there() {
    let studio = Running::start();
    assert!(!studio.page("/").1.contains("Kept for every folder"), "there is no box yet");
    assert_eq!(studio.form("/box/keep", "file=../mine/x.onnx").0, 404);
    assert_eq!(studio.form("/box/keep", "file=digits.onnx").0, 303);
    let page = studio.page("/").1;
    assert!(page.contains("Kept for every folder") && page.contains("here as digits.onnx"));
    let listed = studio.own.json("box ls --box OUT/mine");
    assert_eq!(listed[0]["names"][0], "digits", "{listed:#}");
    let (code, said) = studio.form("/box/fetch", "model=digits");
    assert!(code == 422 && said.contains("already; choose another name"), "{said}");
    let before = studio.own.read("box/digits.onnx");
    std::fs::remove_file(studio.own.path("box/digits.onnx")).unwrap();
    assert!(studio.page("/").1.contains("Into this folder"));
    assert_eq!(studio.form("/box/fetch", "model=digits").0, 303);
    assert!(studio.own.read("box/digits.onnx") == before);
    assert_eq!(studio.form("/box/fetch", "model=nothing").0, 422);
}

#[test]
fn nothing_outside_of_the_folder_is_reached() {
    let studio = Running::start();
    for path in [
        "/model?file=../../../etc/passwd",
        "/model?file=/etc/passwd",
        "/model?file=.studio/token.json",
        "/look?model=../box/digits.onnx",
        "/thumb?data=../box/data/digits&label=0&k=0",
        "/thumb?data=/etc&label=0&k=0",
        "/report?model=/etc/passwd",
        "/assets/..%2f..%2fCargo.toml",
        "/jobs/7",
    ] {
        let (code, answer) = studio.page(path);
        assert!(code == 404, "{path}: {answer}");
        assert!(!answer.contains("root:") && !answer.contains(&studio.token), "{path}: {answer}");
    }
    assert_eq!(studio.page("/jobs/x").0, 400);
}

#[test]
fn hostile_files_are_answered_with_an_error() {
    let studio = Running::start();
    let (code, answer) = studio.send("/box/upload", "file", "../evil.onnx", b"no model", "");
    assert_eq!(code, 422);
    assert!(answer.contains("evil"), "{answer}");
    assert_eq!(studio.page("/look?model=evil.onnx").0, 404, "nothing is left of it");
    let (code, _) = studio.send("/box/upload", "file", "large.onnx", &vec![0; 1_500_000], "");
    assert!(code == 413 || code == 422, "{code}");
    let (code, answer) = studio.send("/try", "image", "a.png", b"no picture", "digits.onnx");
    assert_eq!(code, 200);
    assert!(answer.contains("class=\"error\""), "{answer}");
    assert_eq!(studio.page("/").0, 200, "it goes on");
}
