//! The page as a whole.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::data::{cut, data};
use super::escape::{base64, html};
use super::table::{numbers, table};
use crate::engine::date;
use crate::report::matrix::{Mark, Matrix};

const TEMPLATE: &str = include_str!("template.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The text of the page.
pub(crate) fn page(matrix: &Matrix) -> String {
    let marks = |word: &str| match word {
        "policy" => policy(),
        "style" => STYLE.to_owned(),
        "script" => SCRIPT.to_owned(),
        "data" => data(matrix),
        "title" => html(&title(matrix)),
        "about" => html(&about(matrix)),
        "numbers" => numbers(matrix),
        "outcomes" => outcomes(matrix),
        "runtimes" => runtimes(matrix),
        "areas" => areas(matrix),
        "table" => table(matrix),
        "evidence" => evidence(matrix),
        _ => String::new(),
    };
    fill(TEMPLATE, marks)
}

/// Puts texts in the places of `{{words}}`, in one go: what is put in is not looked at again, whatever stands in it.
fn fill(template: &str, text: impl Fn(&str) -> String) -> String {
    let mut parts = template.split("{{");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (word, rest) = part.split_once("}}").unwrap_or((part, ""));
        out.push_str(&text(word));
        out.push_str(rest);
    }
    out
}

/// Nothing is fetched from anywhere, and no other script runs than this very one, even where an escape were forgotten.
fn policy() -> String {
    let digest = |text: &str| format!("'sha256-{}'", base64(&Sha256::digest(text.as_bytes())));
    format!(
        "default-src 'none'; script-src {}; style-src {}; base-uri 'none'; form-action 'none'",
        digest(SCRIPT),
        digest(STYLE)
    )
}

fn title(matrix: &Matrix) -> String {
    match matrix.runtimes.as_slice() {
        [one] => format!("Isolation of {one}"),
        many => format!("Isolation of {} runtimes", many.len()),
    }
}

fn about(matrix: &Matrix) -> String {
    let kernel = nix::sys::utsname::uname().map(|name| name.release().to_string_lossy().into_owned());
    let user = nix::unistd::Uid::effective();
    let user = if user.is_root() { "root".to_owned() } else { format!("uid {user}") };
    format!(
        "{} claims, {:.1} s, as {user} on Linux {}, {}, airtight {}",
        matrix.rows.len(),
        matrix.took.as_secs_f64(),
        kernel.unwrap_or_default(),
        date::now(),
        env!("CARGO_PKG_VERSION")
    )
}

/// A switch for each outcome that is there.
fn outcomes(matrix: &Matrix) -> String {
    let count =
        |mark: Mark| (0..matrix.runtimes.len()).map(|column| matrix.count(column, mark)).sum::<usize>();
    let mut text = String::new();
    for mark in Mark::ALL.into_iter().filter(|mark| count(*mark) > 0) {
        let _ = writeln!(
            text,
            "<label class=\"chip {key}\"><input type=\"checkbox\" name=\"outcome\" value=\"{key}\"> \
             <span aria-hidden=\"true\">{}</span> {} <b>{}</b></label>",
            mark.symbol(),
            mark.word(),
            count(mark),
            key = mark.key(),
        );
    }
    text
}

fn runtimes(matrix: &Matrix) -> String {
    let one = |(place, name): (usize, &String)| {
        let name = html(name);
        format!(
            "<label class=\"chip\"><input type=\"checkbox\" name=\"runtime\" value=\"{place}\" checked> {name}</label>\n"
        )
    };
    matrix.runtimes.iter().enumerate().map(one).collect()
}

fn areas(matrix: &Matrix) -> String {
    let mut counts = indexmap::IndexMap::<&str, usize>::new();
    for about in matrix.rows.iter().filter_map(|row| row.about.as_ref()) {
        *counts.entry(about.area.as_str()).or_default() += 1;
    }
    let one = |(area, count): (&str, usize)| {
        let area = html(area);
        format!("<option value=\"{area}\">{area} ({count})</option>\n")
    };
    counts.into_iter().map(one).collect()
}

/// What is red, for whoever runs no scripts.
fn evidence(matrix: &Matrix) -> String {
    let mut text = String::new();
    for row in &matrix.rows {
        let cells = matrix.runtimes.iter().zip(&row.cells);
        let cells = cells.filter_map(|(runtime, cell)| Some((runtime, cell.as_ref()?)));
        for (runtime, cell) in cells.filter(|(_, cell)| cell.mark.is_red()) {
            let title = html(&format!("{}: {} [{runtime}]", cell.mark.word(), row.name));
            let drawn = html(&cut(cell.drawn.as_deref().unwrap_or_default()));
            let _ = writeln!(text, "<details><summary>{title}</summary><pre>{drawn}</pre></details>");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{SCRIPT, STYLE, TEMPLATE, fill};

    #[test]
    fn what_is_filled_in_is_not_filled_again() {
        let text = fill("a{{one}}b{{two}}c", |word| format!("<{word}{{{{two}}}}>"));
        assert_eq!(text, "a<one{{two}}>b<two{{two}}>c");
    }

    #[test]
    fn style_and_script_do_not_end_their_elements() {
        assert!(!STYLE.to_lowercase().contains("</style") && !SCRIPT.to_lowercase().contains("</script"));
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
        assert!(!SCRIPT.contains("innerHTML") && !SCRIPT.contains("insertAdjacentHTML"));
        assert!(!TEMPLATE.contains(" style=") && !TEMPLATE.contains(" onclick="));
    }
}
