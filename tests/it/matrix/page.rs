//! The page of a run in a real browser: really clicked, filtered, opened and moved in by keyboard.

use std::collections::BTreeSet;
use std::time::Duration;

use airtight::engine::Trouble;
use airtight::report::file::FORMS;
use airtight::report::matrix::{About, Cell, Column, Mark, Matrix, Row};
use serde_json::{Value, json};

use super::place::Place;
use crate::browser::{Browser, key};

/// A run on two runtimes in a browser; none where there is no browser.
fn opened() -> Option<(Place, Browser)> {
    let browser = Browser::start()?;
    let place = Place::new();
    place.told(&["run", "specs", "--runtime", "native,none", "--report", "html=out.html"], 1);
    browser.open(&place.path("out.html"));
    browser.wait_for("!document.getElementById('filters').hidden");
    Some((place, browser))
}

/// The sentences of the rows that are shown.
fn shown(browser: &Browser) -> Vec<String> {
    let rows = browser.script(
        "return [...document.querySelectorAll('tr[data-row]')].filter(row => row.offsetParent !== null)
             .map(row => row.cells[0].firstChild.textContent.trim())",
    );
    rows.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

/// What has the focus: its column and the sentence of its row, or else its id.
fn focus(browser: &Browser) -> String {
    let focus = browser.script(
        "const here = document.activeElement, cell = here.closest('td');
         return cell ? `${cell.cellIndex} ${cell.parentNode.cells[0].firstChild.textContent.trim()}` : here.id",
    );
    focus.as_str().unwrap().to_owned()
}

const FIRST: &str = "is the first process of its own namespace";
const KERNEL: &str = "is on the same kernel as the host";
const HOST_NAME: &str = "has its own host name";
const BUILT_IN: &str = "is only for the built-in runtime";
const SAYS: &str = "says <b>nothing</b> \"bad\" & 'worse'";

#[test]
fn what_is_looked_for_is_found_by_filters() {
    let Some((_place, browser)) = opened() else { return };
    assert_eq!(shown(&browser), [SAYS, FIRST, KERNEL, HOST_NAME, BUILT_IN]);
    browser.click("input[name=outcome][value=skipped]");
    assert_eq!(shown(&browser), [SAYS]);
    browser.click("button[type=reset]");
    browser.wait_for("document.getElementById('count').textContent === '5 of 5 claims'");
    browser.click("#differs");
    assert_eq!(shown(&browser), [FIRST, HOST_NAME]);
    // On one runtime alone nothing differs.
    browser.click("input[name=runtime][value='1']");
    assert_eq!(shown(&browser), [""; 0]);
    assert_eq!(browser.script("return document.getElementById('nothing').hidden"), false);
    browser.click("#differs");
    browser.click("input[name=outcome][value=failed]");
    assert_eq!(shown(&browser), [SAYS], "what failed on the other runtime is not counted");
    browser.click("button[type=reset]");
    browser.wait_for("document.getElementById('count').textContent === '5 of 5 claims'");
    browser.click("#area option[value=hostile]");
    assert_eq!(shown(&browser), [SAYS]);
    browser.click("button[type=reset]");
    browser.keys("/");
    assert_eq!(focus(&browser), "search");
    browser.keys("KERNEL same");
    browser.wait_for("document.getElementById('count').textContent === '1 of 5 claims'");
    assert_eq!(shown(&browser), [KERNEL]);
    assert_eq!(browser.console(), [""; 0]);
}

#[test]
fn cells_are_moved_to_and_opened_by_keyboard() {
    let Some((_place, browser)) = opened() else { return };
    browser.script("document.querySelector('.scroll').focus()");
    browser.keys(key::TAB);
    assert_eq!(focus(&browser), format!("1 {SAYS}"), "one tab stop leads into the table");
    let moves = |keys: &str, expected: &str| {
        browser.keys(keys);
        assert_eq!(focus(&browser), expected);
    };
    moves(key::DOWN, &format!("1 {FIRST}"));
    moves(key::RIGHT, &format!("2 {FIRST}"));
    moves(key::RIGHT, &format!("2 {FIRST}"));
    moves("n", &format!("2 {HOST_NAME}"));
    moves("p", &format!("2 {FIRST}"));
    moves("p", &format!("1 {SAYS}"));
    moves(&format!("{}{}{}", key::DOWN, key::DOWN, key::END), &format!("2 {KERNEL}"));
    // Where the last runtime has nothing, there is nothing to move to.
    moves(&format!("{}{}", key::DOWN, key::DOWN), &format!("2 {HOST_NAME}"));
    browser.keys(key::ENTER);
    assert_eq!(browser.script("return document.getElementById('cell').open"), true);
    let text = opened_text(&browser);
    for part in [
        "specs/names/spec.yaml:12 · The names of a sandbox",
        HOST_NAME,
        "✗ failed on none",
        "--> specs/names/spec.yaml:14:25",
        "expected \"box\", observed",
        "= again: airtight run",
        "A name that is the host's can be taken for the host.",
        "man:uts_namespaces(7)",
        "smoke",
        " ms",
    ] {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
    let links =
        browser.script("return [...document.querySelectorAll('#cell-body a')].map(link => link.href)");
    assert_eq!(links, json!(["https://example.org/a?b=1&c=2"]));
    browser.click("#cell-runtimes button:first-child");
    let other = opened_text(&browser);
    assert!(other.contains("✓ passed on native") && other.contains("hostname\tbox"), "{other}");
    browser.keys(key::ESCAPE);
    browser.wait_for("!document.getElementById('cell').open");
    assert_eq!(focus(&browser), format!("1 {HOST_NAME}"), "the focus is where the reader was");
    browser.keys(&format!("{}{}", key::UP, key::LEFT));
    assert_eq!(focus(&browser), format!("1 {KERNEL}"));
    assert_eq!(browser.console(), [""; 0]);
}

fn opened_text(browser: &Browser) -> String {
    browser.script("return document.getElementById('cell').innerText").as_str().unwrap().to_owned()
}

#[test]
fn what_a_sandbox_says_stays_text() {
    let Some((_place, browser)) = opened() else { return };
    browser.click("tr[data-row='0'] td.failed button");
    let text = opened_text(&browser);
    for part in
        ["</script><script>document.title=", "<img src=x onerror=alert(1)>", r"\u{1b}[31m", r"\u{202e}", SAYS]
    {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
    assert_eq!(browser.script("return document.title"), "Isolation of 2 runtimes · airtight");
    assert_eq!(browser.script("return document.images.length"), 0);
    assert_eq!(browser.console(), [""; 0], "nothing was even tried");
    // And were it not text, nothing would be fetched, and nothing run.
    let tried = browser.script(
        "const refused = []; document.addEventListener('securitypolicyviolation', event => refused.push(event.effectiveDirective));
         const script = document.createElement('script'); script.textContent = 'document.title = 1'; document.body.append(script);
         document.body.setAttribute('onclick', 'document.title = 2'); document.body.click();
         const image = new Image(); image.src = 'http://127.0.0.1:9/'; document.body.append(image);
         fetch('http://127.0.0.1:9/').catch(() => {}); window.refused = refused; return document.title",
    );
    assert_eq!(tried, "Isolation of 2 runtimes · airtight");
    browser.wait_for("window.refused.length >= 4");
    let refused = browser.script("return window.refused.sort()");
    assert_eq!(refused, json!(["connect-src", "img-src", "script-src-attr", "script-src-elem"]));
}

#[test]
fn a_screen_reader_has_headers_for_rows_and_columns() {
    let Some((_place, browser)) = opened() else { return };
    let tree = browser.devtools("Accessibility.getFullAXTree", &json!({}));
    let nodes = tree["nodes"].as_array().unwrap();
    let named = |role: &str| -> Vec<&str> {
        let of_role = nodes.iter().filter(|node| node["ignored"] == false && node["role"]["value"] == role);
        of_role.map(|node| node["name"]["value"].as_str().unwrap()).collect()
    };
    assert_eq!(
        named("table"),
        ["How many claims ended how on each runtime", "What became of each claim on each runtime"]
    );
    let columns = named("columnheader");
    assert!(
        ["Claim", "native", "none", "Runtime", "passed"].iter().all(|name| columns.contains(name)),
        "{columns:?}"
    );
    let rows = named("rowheader");
    assert!(rows.contains(&format!("{FIRST} differs").as_str()) && rows.contains(&KERNEL), "{rows:?}");
    let buttons = named("button");
    assert_eq!(
        buttons.iter().filter(|name| name.contains("passed")).count(),
        5,
        "the symbol is not read: {buttons:?}"
    );
    assert_eq!(named("searchbox"), ["Search in claims, scenarios, files, tags and reasons"]);
    assert_eq!(named("status").len(), 1);
    let unnamed: Vec<&Value> = nodes
        .iter()
        .filter(|node| {
            ["button", "checkbox", "combobox", "link"].iter().any(|role| node["role"]["value"] == *role)
        })
        .filter(|node| node["ignored"] == false && node["name"]["value"] == "")
        .collect();
    assert!(unnamed.is_empty(), "{unnamed:?}");
}

/// The contrast of each text with what is behind it (WCAG 2.2, 1.4.3).
const CONTRASTS: &str = "
    const parse = color => color.match(/[\\d.]+/g).map(Number);
    const ground = element => { for (let at = element; at; at = at.parentElement) {
        const [r, g, b, a = 1] = parse(getComputedStyle(at).backgroundColor); if (a > 0) return [r, g, b]; } return [255, 255, 255]; };
    const light = rgb => { const [r, g, b] = rgb.map(v => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
        return .2126 * r + .7152 * g + .0722 * b; };
    const texts = [...document.querySelectorAll('h1, h2, h3, p, th, td, legend, label, small, em, span, button, b, i, pre, a, kbd, output')]
        .filter(element => element.offsetParent !== null && element.textContent.trim());
    return texts.map(element => { const [one, other] = [light(parse(getComputedStyle(element).color)), light(ground(element))].sort((a, b) => b - a);
        return [(one + .05) / (other + .05), element.tagName + '.' + element.className + ': ' + element.textContent.slice(0, 20)]; });";

#[test]
fn light_and_dark_are_both_readable() {
    let Some((_place, browser)) = opened() else { return };
    let mut grounds = BTreeSet::new();
    for scheme in ["light", "dark"] {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        browser.devtools("Emulation.setEmulatedMedia", &json!({ "features": features }));
        browser.draw(&format!("matrix-{scheme}.png"));
        browser.click("tr[data-row='0'] td.failed button");
        browser.draw(&format!("matrix-{scheme}-cell.png"));
        let contrasts = browser.script(CONTRASTS);
        let contrasts = contrasts.as_array().unwrap();
        assert!(contrasts.len() > 60, "only {} texts", contrasts.len());
        let faint: Vec<_> = contrasts.iter().filter(|text| text[0].as_f64().unwrap() < 4.5).collect();
        assert!(faint.is_empty(), "{scheme}: {faint:?}");
        grounds.insert(browser.script("return getComputedStyle(document.body).backgroundColor").to_string());
        browser.keys(key::ESCAPE);
        browser.wait_for("!document.getElementById('cell').open");
    }
    assert_eq!(grounds.len(), 2, "dark is as light: {grounds:?}");
}

#[test]
fn it_is_a_table_without_scripts() {
    let Some((place, browser)) = opened() else { return };
    browser.devtools("Emulation.setScriptExecutionDisabled", &json!({ "value": true }));
    browser.open(&place.path("out.html"));
    let tree = browser.devtools("Accessibility.getFullAXTree", &json!({}));
    let text = tree.to_string();
    let nodes = tree["nodes"].as_array().unwrap();
    let of_role = |role: &str| {
        nodes.iter().filter(|node| node["ignored"] == false && node["role"]["value"] == role).count()
    };
    assert!(of_role("rowheader") >= 7 && of_role("columnheader") >= 3 && of_role("cell") >= 10, "{text}");
    assert_eq!((of_role("searchbox"), of_role("button")), (0, 0), "nothing is there that would do nothing");
    assert!(
        text.contains("What is red")
            && text.contains("failed: names/spec::The names of a sandbox::has its own host name"),
        "{text}"
    );
    browser.draw("matrix-no-script.png");
}

#[test]
fn thousands_of_cells_can_be_worked_with() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("large.html");
    let form = FORMS.iter().find(|form| form.name == "html").unwrap();
    std::fs::write(&page, (form.write)(&large())).unwrap();
    browser.open(&page);
    browser.wait_for("!document.getElementById('filters').hidden");
    assert_eq!(browser.script("return document.querySelectorAll('#matrix td button').length"), 12_600);
    browser.draw("matrix-large.png");
    browser.keys("/");
    browser.keys("claim 777");
    browser.wait_for("document.getElementById('count').textContent === '1 of 900 claims'");
    browser.click("button[type=reset]");
    browser.wait_for("document.getElementById('count').textContent === '900 of 900 claims'");
    for column in 0..13 {
        browser.click(&format!("input[name=runtime][value='{column}']"));
    }
    let widths = browser.script("return document.querySelector('#matrix tr[data-row]').cells.length - document.querySelectorAll('#matrix tr[data-row=\"0\"] td[hidden]').length");
    assert_eq!(widths, 2);
    browser.script("document.querySelector('.scroll').focus()");
    browser.keys(&format!("{}nn{}", key::TAB, key::ENTER));
    let text = opened_text(&browser);
    assert!(text.contains("crashed on runtime-13"), "{text}");
    // Header and claim stay in view, however far one has gone.
    browser.keys(key::ESCAPE);
    let kept = browser.script(
        "const box = document.querySelector('.scroll'); box.scrollTo(400, 9000);
         const head = document.querySelector('#matrix thead th:nth-child(15)').getBoundingClientRect(), frame = box.getBoundingClientRect();
         const claim = document.querySelector('#matrix tr[data-row=\"300\"] th').getBoundingClientRect();
         return [Math.round(head.top - frame.top), Math.round(claim.left - frame.left)]",
    );
    assert_eq!(kept, json!([1, 1]));
    assert_eq!(browser.console(), [""; 0]);
}

/// 900 claims on 14 runtimes, a third of them red.
fn large() -> Matrix {
    let cell = |number: usize| {
        let mark = Mark::ALL[number % Mark::ALL.len()];
        let drawn = mark.is_red().then(|| {
            format!("{}: claim {number}\n  --> specs/x.yaml:1:1\n{}", mark.word(), " | evidence\n".repeat(20))
        });
        let trouble = mark.is_red().then(|| Trouble::saying("evidence"));
        Some(Cell { trouble, drawn, took: Duration::from_millis(3), ..Cell::of(mark) })
    };
    let row = |number: usize| {
        let about = About {
            area: format!("area-{}", number / 100),
            file: format!("specs/area-{}/spec-{}.yaml", number / 100, number / 10),
            line: number,
            scenario: format!("Scenario {}", number / 10),
            claim: format!("holds what is said by claim {number}, which is a sentence of the usual length"),
            ..About::default()
        };
        Row {
            name: format!("spec::{number}"),
            about: Some(about),
            cells: (0..14).map(|column| cell(number + column)).collect(),
            ..Row::default()
        }
    };
    let columns = (0..14).map(|number| Column::new(&format!("runtime-{number}"), None)).collect();
    Matrix { columns, rows: (0..900).map(row).collect(), ..Matrix::default() }
}
