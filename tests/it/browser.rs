//! A headless Chromium, driven by chromedriver's `WebDriver` (<https://www.w3.org/TR/webdriver2/>): bounded in time, with a profile folder of its own,
//! and gone with all of its processes at the end.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde_json::{Value, json};
use std::os::fd::AsFd;
use tempfile::TempDir;

/// Long enough for a busy machine; no test waits for it unless it fails.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often a driver is started until one has a port.
const STARTS: usize = 5;

/// The programs, which Debian's packages `chromium` and `chromium-driver` bring.
const PROGRAMS: [&str; 2] = ["chromium", "chromedriver"];

/// The name under which `WebDriver` hands out elements (section 12.2).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one window.
pub(crate) struct Browser {
    driver: Child,
    session: String,
    profile: TempDir,
}

impl Browser {
    /// Starts one. Where the programs are not installed there is none, which is told, and an error where `AIRTIGHT_REQUIRE` demands programs.
    pub(crate) fn start() -> Option<Self> {
        if let Some(missing) = PROGRAMS.iter().find(|name| airtight::sandbox::program::find(name).is_none()) {
            let required = std::env::var("AIRTIGHT_REQUIRE").unwrap_or_default();
            assert!(
                !requires_programs(&required),
                "required, but skipped: program {missing}: it is not on the PATH"
            );
            eprintln!("skipped: program {missing}: it is not on the PATH");
            return None;
        }
        let profile = tempfile::Builder::new().prefix("airtight-browser-").tempdir().unwrap();
        let (driver, port) = listening(profile.path());
        let mut browser = Self { driver, session: String::new(), profile };
        let root = format!("http://127.0.0.1:{port}/session");
        let session = send("POST", &root, Some(&browser.capabilities()));
        browser.session = format!("{root}/{}", session["sessionId"].as_str().unwrap());
        Some(browser)
    }

    /// It draws in software and keeps to its own folders. Its own sandbox needs rights that root and containers do not have; the only page that it
    /// is shown is ours.
    fn capabilities(&self) -> Value {
        let profile = format!("--user-data-dir={}", self.profile.path().join("profile").display());
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-breakpad",
            "--disable-background-networking",
            "--disable-extensions",
            "--window-size=1366,900",
            "--hide-scrollbars",
            profile.as_str(),
        ];
        let binary = airtight::sandbox::program::find(PROGRAMS[0]).unwrap();
        let options = json!({ "binary": binary, "args": arguments });
        json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } } } })
    }

    /// Opens a file.
    pub(crate) fn open(&self, page: &Path) {
        self.post("url", &json!({ "url": format!("file://{}", page.display()) }));
    }

    /// What a function's body gives in the page.
    pub(crate) fn script(&self, body: &str) -> Value {
        self.post("execute/sync", &json!({ "script": body, "args": [] }))
    }

    /// Waits until an expression is true in the page.
    pub(crate) fn wait_for(&self, condition: &str) {
        let script = format!(
            "const done = arguments[0], end = Date.now() + 15000;
             const look = () => ({condition}) ? done(true) : Date.now() > end ? done(false) : setTimeout(look, 20);
             look();"
        );
        let held = self.post("execute/async", &json!({ "script": script, "args": [] }));
        assert_eq!(held, true, "not within 15 s: {condition}");
    }

    /// Clicks the element of a selector as a hand would: it must be in view, and nothing in front of it.
    pub(crate) fn click(&self, selector: &str) {
        let found = self.post("element", &json!({ "using": "css selector", "value": selector }));
        let element = found[ELEMENT].as_str().unwrap_or_else(|| panic!("no element {selector}: {found}"));
        self.post(&format!("element/{element}/click"), &json!({}));
    }

    /// Types on the keyboard, wherever the focus is. Keys without a letter are those of [`key`].
    pub(crate) fn keys(&self, keys: &str) {
        let press = |key: char| {
            [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]
        };
        let actions: Vec<Value> = keys.chars().flat_map(press).collect();
        self.post(
            "actions",
            &json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": actions }] }),
        );
    }

    /// A command of the Chrome `DevTools` protocol.
    pub(crate) fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.post("goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// What the page has said on its console, since the last time.
    pub(crate) fn console(&self) -> Vec<String> {
        let lines = self.post("se/log", &json!({ "type": "browser" }));
        lines.as_array().unwrap().iter().map(|line| line["message"].to_string()).collect()
    }

    /// Draws the window; into this file of the folder that `AIRTIGHT_SCREENSHOTS` names, for whoever wants to look.
    pub(crate) fn draw(&self, name: &str) {
        let drawn = self.devtools("Page.captureScreenshot", &json!({ "format": "png" }));
        let bytes = bytes_of(drawn["data"].as_str().unwrap());
        assert_eq!(&bytes[..4], b"\x89PNG");
        if let Some(folder) = std::env::var_os("AIRTIGHT_SCREENSHOTS") {
            fs::write(Path::new(&folder).join(name), bytes).unwrap();
        }
    }

    fn post(&self, command: &str, body: &Value) -> Value {
        send("POST", &format!("{}/{command}", self.session), Some(body))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() && !std::thread::panicking() {
            send("DELETE", &self.session, None);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        remove(self.profile.path());
    }
}

/// Keys that have no letter (section 17.4.2).
pub(crate) mod key {
    pub(crate) const ESCAPE: &str = "\u{e00c}";
    pub(crate) const ENTER: &str = "\u{e007}";
    pub(crate) const TAB: &str = "\u{e004}";
    pub(crate) const UP: &str = "\u{e013}";
    pub(crate) const DOWN: &str = "\u{e015}";
    pub(crate) const LEFT: &str = "\u{e012}";
    pub(crate) const RIGHT: &str = "\u{e014}";
    pub(crate) const END: &str = "\u{e010}";
}

fn requires_programs(required: &str) -> bool {
    let names: Vec<&str> = required.split(',').map(str::trim).collect();
    names.iter().any(|name| ["all", "program"].contains(name)) && !names.contains(&"-program")
}

fn driver(profile: &Path) -> Command {
    let mut command = Command::new(PROGRAMS[1]);
    command.arg("--port=0").env("HOME", profile).env("TMPDIR", profile).env("XDG_CONFIG_HOME", profile);
    command.env("XDG_CACHE_HOME", profile).env_remove("DBUS_SESSION_BUS_ADDRESS").env_remove("DISPLAY");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// A driver that listens, and its port. The kernel gives it one that is free for IPv4; where somebody has the same of IPv6, it ends, and another
/// driver gets another port.
fn listening(profile: &Path) -> (Child, u16) {
    let mut said = String::new();
    for _ in 0..STARTS {
        let mut driver = driver(profile).spawn().unwrap();
        match port(&mut driver) {
            Ok(port) => return (driver, port),
            Err(words) => said = words,
        }
        let _ = driver.kill();
        driver.wait().unwrap();
    }
    panic!("chromedriver did not start, {STARTS} times: {said}");
}

/// The port that the driver says it listens on, or what it said instead. Its output is read on, so that it never waits for a reader.
fn port(driver: &mut Child) -> Result<u16, String> {
    let stdout = BufReader::new(driver.stdout.take().unwrap());
    let (tell, heard) = channel();
    std::thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            let _ = tell.send(line);
        }
    });
    let mut said = Vec::new();
    while let Ok(line) = heard.recv_timeout(PATIENCE) {
        let port = line.split("on port ").nth(1).and_then(|rest| rest.trim_end_matches('.').parse().ok());
        match port.filter(|_| line.contains("started successfully")) {
            Some(port) => return Ok(port),
            None => said.push(line),
        }
    }
    Err(said.join("; "))
}

fn send(method: &str, url: &str, body: Option<&Value>) -> Value {
    let method = if method == "DELETE" { minreq::Method::Delete } else { minreq::Method::Post };
    let request = minreq::Request::new(method, url).with_timeout(PATIENCE.as_secs());
    let request = match body {
        Some(body) => request.with_header("Content-Type", "application/json").with_body(body.to_string()),
        None => request,
    };
    let response = request.send().unwrap_or_else(|error| panic!("{url}: {error}"));
    let answer: Value = serde_json::from_slice(response.as_bytes()).unwrap();
    assert_eq!(response.status_code, 200, "{url}: {body:?}: {answer}");
    answer["value"].clone()
}

/// Removes a profile, once nobody is left to write into it: a process that was born while the others were counted is found the next time.
fn remove(profile: &Path) {
    let end = Instant::now() + PATIENCE;
    loop {
        let ended = end_all(profile);
        match fs::remove_dir_all(profile) {
            Ok(()) if ended == 0 => return,
            Err(error) if ended == 0 && error.kind() == ErrorKind::NotFound => return,
            Err(_) if std::thread::panicking() => return,
            Err(error) if Instant::now() > end => panic!("{}: {error}", profile.display()),
            // Who has ended needs no waiting for, and who was not seen yet is seen the next time.
            _ => {}
        }
    }
}

/// Ends whatever speaks of this profile, as crash handlers do that outlive their browser, waits for their end, and says how many they were.
fn end_all(profile: &Path) -> usize {
    let mark = profile.to_str().unwrap().as_bytes();
    let speaks = |pid: i32| {
        let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        ["cmdline", "environ"].iter().any(|file| read(file).windows(mark.len()).any(|part| part == mark))
    };
    let pids =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let mut ended = 0;
    for pid in pids.filter(|pid| speaks(*pid)) {
        ended += 1;
        let Ok(process) = pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()) else { continue };
        // Only now is it certain that the number still means the same.
        if speaks(pid) {
            let _ = pidfd_send_signal(&process, Signal::KILL);
            let mut ends = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
            assert_eq!(poll(&mut ends, PollTimeout::from(10_000u16)), Ok(1), "process {pid} does not end");
        }
    }
    ended
}

/// Base64 to bytes (RFC 4648).
fn bytes_of(text: &str) -> Vec<u8> {
    let value = |letter: u8| match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let letters: Vec<u8> = text.bytes().filter(|letter| *letter != b'=').map(value).collect();
    let bytes = |four: &[u8]| {
        let word = four.iter().fold(0u32, |word, six| word << 6 | u32::from(*six)) << (6 * (4 - four.len()));
        word.to_be_bytes()[1..four.len()].to_vec()
    };
    letters.chunks(4).flat_map(bytes).collect()
}
