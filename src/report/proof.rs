//! What a proof found, as text.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};

use indexmap::IndexMap;
use serde_json::json;

use crate::engine::Ended;
use crate::prove::{Caught, Claimed, Extent, Findings, Idle, Left, Progress, Tried, Verdict};

/// A progress line on a terminal's standard error.
#[derive(Debug)]
pub struct Line {
    shown: bool,
    permille: usize,
}

impl Line {
    /// Nothing yet.
    pub fn new() -> Self {
        Self { shown: std::io::stderr().is_terminal(), permille: usize::MAX }
    }

    /// Takes it away.
    pub fn clear(&self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress for Line {
    fn step(&mut self, done: usize, of: usize) {
        let permille = done * 1000 / of.max(1);
        if self.shown && permille != self.permille {
            self.permille = permille;
            let _ = write!(std::io::stderr(), "\r\x1b[K{}.{} % of {of} trials", permille / 10, permille % 10);
        }
    }
}

/// For people: the matrix, what is wrong, the numbers.
pub fn pretty(findings: &Findings) -> String {
    let mut text = String::new();
    if findings.extent.is_whole() {
        text.push_str(&matrix(findings));
    }
    if findings.extent != Extent::Negations {
        text.push_str(&nulls(findings));
    }
    text.push_str(&complaints(findings));
    text.push_str(&idle(findings));
    text.push_str(&summary(findings));
    text
}

/// The expectations whose negation did not fail.
fn idle(findings: &Findings) -> String {
    let line = |idle: &Idle| {
        let reason = idle.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let place = format!("{}:{}", idle.file.display(), idle.line);
        format!(
            "idle: {place}: {}\n  with its expectation of `{}` negated it is {}{reason}\n",
            idle.claim,
            idle.what,
            idle.ended.word()
        )
    };
    findings.idle.iter().map(line).collect()
}

/// One object: the claims, the breakages, and every claim under every breakage.
pub fn json(findings: &Findings) -> String {
    let claims: Vec<_> = findings
        .claims
        .iter()
        .map(|claim| {
            let tried: serde_json::Map<String, serde_json::Value> = claim
                .tried
                .iter()
                .map(|(place, ended)| (findings.breakages[*place].name.clone(), json!(ended)))
                .collect();
            json!({
                "name": claim.name, "file": claim.file, "line": claim.line, "sound": claim.sound, "reason": claim.reason,
                "verdict": claim.verdict(&findings.breakages), "under": tried,
            })
        })
        .collect();
    let breakages: Vec<_> = findings
        .breakages
        .iter()
        .enumerate()
        .map(|(place, tried)| {
            let by: Vec<&str> = catchers(findings, place).map(|claim| claim.name.as_str()).collect();
            json!({ "name": tried.name, "leaves": tried.kind, "caught": findings.caught(place), "by": by, "trouble": tried.trouble })
        })
        .collect();
    let (caught, judged) = findings.score();
    let score = json!({ "claims": findings.claims.len(), "vacuous": findings.vacuous(), "negated": findings.negated, "idle": findings.idle.len(), "caught": caught, "judged": judged });
    format!(
        "{}\n",
        json!({ "score": score, "idle": findings.idle, "claims": claims, "breakages": breakages })
    )
}

/// The nulls, and the breakages by their kind, for a document.
pub fn markdown(findings: &Findings) -> String {
    let mut text = "| without a sandbox | claims judged | passed | failed | could not be observed |\n| --- | ---: | ---: | ---: | ---: |\n".to_owned();
    for (place, tried) in findings.nulls() {
        let [passed, failed, broken] = ended(findings, place);
        let _ = writeln!(
            text,
            "| {} | {} | {passed} | {failed} | {broken} |",
            tried.name,
            passed + failed + broken
        );
    }
    text.push_str("\n| broken on purpose, one at a time | ways | caught | by claims, at least … at most |\n| --- | ---: | ---: | ---: |\n");
    for (kind, places) in kinds(findings) {
        let counts: Vec<usize> = places.iter().map(|place| catchers(findings, *place).count()).collect();
        let caught = counts.iter().filter(|count| **count > 0).count();
        let (least, most) = (counts.iter().min().unwrap_or(&0), counts.iter().max().unwrap_or(&0));
        let _ = writeln!(text, "| {kind} | {} | {caught} | {least} … {most} |", counts.len());
    }
    let _ = write!(text, "\n{}", summary(findings));
    text
}

/// One row for each breakage, one column for each folder of specs: how many claims caught it.
fn matrix(findings: &Findings) -> String {
    let areas: BTreeSet<&str> = findings.claims.iter().map(area).collect();
    let width = findings.one_off().map(|(_, tried)| tried.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    let _ = writeln!(text, "How many claims of each area turn red when one thing is broken:\n");
    let heads: Vec<&str> = areas.iter().copied().collect();
    let _ = writeln!(text, "{:width$}  {}", "", heads.join(" "));
    let caught = |place: &usize| matches!(findings.caught(*place), Caught::By(_));
    for (place, tried) in findings.one_off().filter(|(place, _)| caught(place)) {
        let _ = write!(text, "{:width$} ", tried.name);
        for area_name in &heads {
            let count = catchers(findings, place).filter(|claim| area(claim) == *area_name).count();
            let cell = if count == 0 { "·".to_owned() } else { count.to_string() };
            let _ = write!(text, " {cell:>cell_width$}", cell_width = area_name.len());
        }
        text.push('\n');
    }
    text
}

/// The folder of its spec, or the spec where it has none.
fn area(claim: &Claimed) -> &str {
    claim.name.split("::").next().and_then(|path| path.split('/').next()).unwrap_or_default()
}

fn nulls(findings: &Findings) -> String {
    let mut text = "\nWithout a sandbox:\n".to_owned();
    for (place, tried) in findings.nulls() {
        let [passed, failed, broken] = ended(findings, place);
        let all = passed + failed + broken;
        let _ = writeln!(
            text,
            "  {}: {passed} of {all} claims pass, {failed} fail, {broken} cannot be observed",
            tried.name
        );
        for claim in passing(findings, place) {
            let _ = writeln!(text, "    passes: {}", claim.name);
        }
    }
    text
}

/// Claims that pass under a breakage, without those that say that they hold anywhere.
fn passing(findings: &Findings, place: usize) -> impl Iterator<Item = &Claimed> {
    findings
        .claims
        .iter()
        .filter(move |claim| !claim.holds_anywhere && claim.tried.contains(&(place, Ended::Passed)))
}

/// How many claims passed, failed, were broken; those that say that they hold anywhere are not counted.
fn ended(findings: &Findings, place: usize) -> [usize; 3] {
    [Ended::Passed, Ended::Failed, Ended::Broken].map(|wanted| {
        let is = |claim: &&Claimed| !claim.holds_anywhere && claim.tried.contains(&(place, wanted));
        findings.claims.iter().filter(is).count()
    })
}

fn catchers(findings: &Findings, place: usize) -> impl Iterator<Item = &Claimed> {
    findings.claims.iter().filter(move |claim| claim.tried.contains(&(place, Ended::Failed)))
}

/// The breakages of one thing by what stands before the thing's name; one that is alone in its kind by its whole name.
fn kinds(findings: &Findings) -> IndexMap<String, Vec<usize>> {
    let mut kinds: IndexMap<String, Vec<usize>> = IndexMap::new();
    for (place, tried) in findings.one_off() {
        kinds.entry(kind(tried)).or_default().push(place);
    }
    let name = |(kind, places): (String, Vec<usize>)| match places.as_slice() {
        [alone] => (findings.breakages[*alone].name.clone(), places),
        _ => (kind, places),
    };
    kinds.into_iter().map(name).collect()
}

/// `capability …: kept` of `capability sys_admin: kept`.
fn kind(tried: &Tried) -> String {
    match (tried.name.split_once(' '), tried.name.split_once(": ")) {
        (Some((word, _)), Some((what, how))) if what.contains(' ') => format!("{word} …: {how}"),
        (Some(("leak:", _)), _) => "leak: …".to_owned(),
        _ => tried.name.clone(),
    }
}

fn complaints(findings: &Findings) -> String {
    let mut text = String::new();
    for claim in &findings.claims {
        text.push_str(&complaint(claim, findings));
    }
    if findings.extent == Extent::Nulls {
        text.extend(findings.hold_anyway().map(|claim| {
            let place = format!("{}:{}", claim.file.display(), claim.line);
            format!("vacuous: {place}: {}\n  it passes without any sandbox; {MEND}\n", claim.name)
        }));
    }
    for (claim, tried) in findings.deceived() {
        let place = format!("{}:{}", claim.file.display(), claim.line);
        let _ = writeln!(text, "deceived: {place}: {}\n  it passes on {}", claim.name, tried.name);
    }
    text.push_str(&blind_spots(findings));
    for (place, tried) in findings.one_off() {
        if findings.caught(place) == Caught::Unjudged {
            let why = tried.trouble.as_deref().unwrap_or("no claim says anything of it");
            let _ = writeln!(text, "not judged: {}: {why}", tried.name);
        }
    }
    if text.is_empty() { text } else { format!("\n{text}") }
}

/// The breakages that no claim catches, those of a kind on one line.
fn blind_spots(findings: &Findings) -> String {
    let mut text = String::new();
    for (kind, places) in kinds(findings) {
        let missed = places.iter().filter(|place| findings.caught(**place) == Caught::Missed);
        let names: Vec<&str> = missed.map(|place| findings.breakages[*place].name.as_str()).collect();
        if let [name] = names.as_slice() {
            let _ = writeln!(text, "blind spot: no claim fails with {name}");
        } else if !names.is_empty() {
            let _ = writeln!(
                text,
                "blind spots: no claim fails with any of {} of {kind}: {}",
                names.len(),
                names.join(", ")
            );
        }
    }
    text
}

/// What is to be done about a claim that checks nothing.
const MEND: &str = "narrow it or, if it is so without any sandbox, say `holds_anywhere: true`";

fn complaint(claim: &Claimed, findings: &Findings) -> String {
    let place = format!("{}:{}", claim.file.display(), claim.line);
    let reason = claim.reason.clone().unwrap_or_default();
    match claim.verdict(&findings.breakages) {
        Verdict::Vacuous if findings.extent.is_whole() => format!(
            "vacuous: {place}: {}\n  nothing turns it red{}; {MEND}\n",
            claim.name,
            only_broken(claim, findings),
        ),
        Verdict::Withheld => format!(
            "not proven: {place}: {}\n  nothing turns it red, but “{}” was not tried: what it does would reach the host's files; prove it as root\n",
            claim.name,
            claim.withheld.as_deref().unwrap_or_default(),
        ),
        Verdict::NotAnywhere => format!(
            "vacuous: {place}: {}\n  it says that it holds anywhere, and does not pass without a sandbox; take `holds_anywhere` out\n",
            claim.name
        ),
        Verdict::Unproven if [Ended::Failed, Ended::Crashed, Ended::Broken].contains(&claim.sound) => {
            format!("{}: {place}: {} {reason}\n", claim.sound.word(), claim.name)
        }
        _ => String::new(),
    }
}

/// A claim that cannot be observed under a breakage has not caught it.
fn only_broken(claim: &Claimed, findings: &Findings) -> String {
    let broken = |(place, ended): &&(usize, Ended)| {
        *ended == Ended::Broken && findings.breakages[*place].kind == Left::AllButOne
    };
    let names: Vec<&str> = claim
        .tried
        .iter()
        .filter(broken)
        .map(|(place, _)| findings.breakages[*place].name.as_str())
        .collect();
    match names.as_slice() {
        [] => String::new(),
        names => format!(" (it is only broken with {})", names.join(", ")),
    }
}

fn summary(findings: &Findings) -> String {
    let claims = findings.claims.len();
    let unmeasured = findings.claims.iter().filter(|claim| claim.sound != Ended::Passed).count();
    let mut parts = vec![format!("{claims} claims"), format!("{unmeasured} not measured here")];
    if findings.extent != Extent::Nulls {
        parts.push(format!("{} of {} expectations idle", findings.idle.len(), findings.negated));
    }
    if findings.extent != Extent::Negations {
        let (vacuous, anywhere) = (findings.vacuous(), findings.count(Verdict::Anywhere));
        parts.push(format!("{vacuous} vacuous, {anywhere} hold anywhere"));
    }
    if findings.extent.is_whole() {
        let (caught, judged) = findings.score();
        let (not_judged, withheld) = (findings.one_off().count() - judged, findings.count(Verdict::Withheld));
        parts.push(format!("{caught} of {judged} breakages caught"));
        parts.extend((not_judged > 0).then(|| format!("{not_judged} not judged")));
        parts.extend((withheld > 0).then(|| format!("{withheld} claims not proven")));
    }
    format!("\n{}\n", parts.join(", "))
}
