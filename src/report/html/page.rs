//! The page as a whole.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::data::{cut, data};
use super::escape::{base64, html};
use super::table::{numbers, table};
use crate::engine::date;
use crate::report::matrix::{BetweenKernels, HOST, Mark, Matrix};

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
        "kernels" => kernels(matrix),
        "areas" => areas(matrix),
        "between" => between(matrix),
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
    let (runtimes, kernels) = (matrix.runtimes(), matrix.kernels());
    let runtimes = match runtimes.as_slice() {
        [one] => (*one).to_owned(),
        many => format!("{} runtimes", many.len()),
    };
    let kernels = match kernels.as_slice() {
        [] | [None] => String::new(),
        [Some(one)] => format!(" on {one}"),
        many => format!(" on {} kernels", many.len()),
    };
    format!("Isolation of {runtimes}{kernels}")
}

fn about(matrix: &Matrix) -> String {
    let machines: Vec<String> = matrix.machines.iter().map(ToString::to_string).collect();
    format!(
        "{} claims, {:.1} s, {}, {}, airtight {}",
        matrix.rows.len(),
        matrix.took.as_secs_f64(),
        machines.join(" and "),
        date::now(),
        env!("CARGO_PKG_VERSION")
    )
}

/// A switch for each outcome that is there.
fn outcomes(matrix: &Matrix) -> String {
    let count =
        |mark: Mark| (0..matrix.columns.len()).map(|column| matrix.count(column, mark)).sum::<usize>();
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
    matrix.runtimes().iter().enumerate().map(|(place, name)| switch("runtime", place, name)).collect()
}

/// A switch for each kernel, where there are several.
fn kernels(matrix: &Matrix) -> String {
    if !matrix.has_kernels() {
        return String::new();
    }
    let kernels = matrix.kernels();
    let one = |(place, name): (usize, Option<&str>)| switch("kernel", place, name.unwrap_or(HOST));
    let switches: String = kernels.into_iter().enumerate().map(one).collect();
    format!("<fieldset><legend>Kernel</legend>\n<div class=\"line\">\n{switches}</div></fieldset>\n")
}

fn switch(of: &str, place: usize, name: &str) -> String {
    let name = html(name);
    format!(
        "<label class=\"chip\"><input type=\"checkbox\" name=\"{of}\" value=\"{place}\" checked> {name}</label>\n"
    )
}

/// What kernels do not agree on, before everything else.
fn between(matrix: &Matrix) -> String {
    let found = BetweenKernels::of(matrix);
    let item = |(name, sentences): (String, &Vec<String>)| {
        let sentences: Vec<String> = sentences.iter().map(|text| html(text)).collect();
        format!("<li>{name}<br>{}</li>\n", sentences.join("<br>"))
    };
    let list = |title: &str, items: String| match items.as_str() {
        "" => String::new(),
        items => format!("<section class=\"between\"><h2>{title}</h2>\n<ul>\n{items}</ul></section>\n"),
    };
    let differing = found.differing.iter().map(|(row, sentences)| {
        let about = html(&row.heading());
        item((format!("<b>{}</b> <small>{about}</small>", html(row.sentence())), sentences))
    });
    let skipped =
        found.skipped.iter().map(|(reason, count)| format!("<li>{count} × {}</li>\n", html(reason)));
    let differing = list("Where kernels differ", differing.collect());
    differing + &list("Not measured on some kernels", skipped.collect())
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
        let cells = matrix.columns.iter().zip(&row.cells);
        let cells = cells.filter_map(|(column, cell)| Some((column, cell.as_ref()?)));
        for (column, cell) in cells.filter(|(_, cell)| cell.mark.is_red()) {
            let title = html(&format!("{}: {} [{}]", cell.mark.word(), row.name, column.name));
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
